/* source/sqs_json.h - what SQS is asked, and what it answers: pure, no I/O.
 * Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/ */
#ifndef SLUICE_SOURCE_SQS_JSON_H
#define SLUICE_SOURCE_SQS_JSON_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "record/batch.h"

enum {
    SL_SQS_BATCH = 10,           /* messages or entries a request, SQS limit */
    SL_SQS_DELAY_MAX_S = 900,    /* of a message sent, SQS limit */
    SL_SQS_SEND_BYTES = 1 << 20, /* of a message, and of all messages of a request, SQS limit */
};

struct sl_sqs_receive {
    sl_str queue_url;
    unsigned max_messages;         /* 1..10 */
    unsigned wait_time_s;          /* 0..20 */
    unsigned visibility_timeout_s; /* 0 = the queue's own */
    const sl_str *attributes;      /* message attributes wanted */
    unsigned attributes_n;
    bool is_fifo;
    bool wants_trace;
    sl_str attempt_id; /* of a FIFO queue: asked again by it, SQS gives what it gave before */
};

/* A text that goes with a message. */
struct sl_sqs_attribute {
    const char *name;
    sl_str value; /* "": the attribute is left out, since SQS takes no empty one */
};

struct sl_sqs_entry {
    sl_str receipt_handle;

    /* for sends */
    sl_str body;
    const struct sl_sqs_attribute *attributes;
    unsigned attributes_n;
    sl_str fifo_id;   /* group and deduplication id; "" for a standard queue */
    unsigned delay_s; /* 0 = the queue's own */
};

/* One message of a reply. */
struct sl_sqs_message {
    sl_str message_id;
    sl_str receipt_handle;
    sl_str md5_of_body; /* "" when the server leaves it out */
    sl_cleartext body;
    int64_t sent_at_ms; /* milliseconds, also from servers that say seconds; 0 = not said */
    unsigned receive_count;
    uint64_t group;        /* a mark of its message group; never 0 */
    struct sl_trace trace; /* of its attribute, else of AWSTraceHeader */
    bool stays;            /* in the queue: altered on the way, or behind such a one in its group */
    struct sl_attribute *attributes;
    unsigned attributes_n;
};

/* What a batch request did to one of its entries. */
struct sl_sqs_result {
    sl_str code; /* "": done; else "ReceiptHandleIsInvalid", "InternalError" */
    bool is_sender_fault;
};

struct sl_sqs_attributes {
    int64_t visible;     /* ApproximateNumberOfMessages */
    int64_t not_visible; /* ...NotVisible */
    int64_t delayed;     /* ...Delayed */
    int64_t visibility_timeout_s;
    int64_t retention_s;
    int64_t server_at_s; /* the server's clock when it answered; 0 = not said */
    bool is_fifo;
    bool has_redrive; /* a RedrivePolicy is set */
    char arn[160];    /* "" = not said, or longer than any */
};

/* Read replies.
 *
 * Shape:   JSON, or the XML of the Query protocol, whichever it is; text is followed by
 *          SL_JSON_PADDING readable bytes
 * Owns:    results live in `a` and point into `text`
 * Errors:  SL_UNAVAILABLE (retry)  the reply is not what SQS answers: HTML, half a JSON text, an
 *                                  empty body where there must be one
 *          SL_NOMEM (retry)
 */
sl_rc sl_sqs_read_receive(struct sl_json_parser *p, sl_str text, struct sl_arena *a,
                          struct sl_sqs_message **ret, unsigned *ret_n, struct sl_err *e)
    SL_MUST_CHECK;
sl_rc sl_sqs_read_batch(struct sl_json_parser *p, sl_str text, struct sl_arena *a, unsigned sent_n,
                        struct sl_sqs_result ret[static SL_SQS_BATCH], struct sl_err *e)
    SL_MUST_CHECK;
sl_rc sl_sqs_read_attributes(struct sl_json_parser *p, sl_str text, struct sl_arena *a,
                             struct sl_sqs_attributes *ret, struct sl_err *e) SL_MUST_CHECK;
sl_rc sl_sqs_read_queue_url(struct sl_json_parser *p, sl_str text, struct sl_arena *a, sl_str *ret,
                            struct sl_err *e) SL_MUST_CHECK;

/* Turn an error answer into a report.
 *
 * Shape:   `header_code` is x-amzn-query-error without ";Sender", "" if there was none; `text` may
 *          be JSON, XML, HTML or nothing
 * Returns: SL_NOT_FOUND, SL_THROTTLED, SL_DENIED, SL_UNAVAILABLE (each retry), SL_BUG (stop) when
 *          the request itself was wrong; never SL_OK.  e has the code and what to do about it
 */
sl_rc sl_sqs_read_error(struct sl_json_parser *p, int status, sl_str header_code, sl_str text,
                        struct sl_err *e) SL_MUST_CHECK;

/* True when an error answer is one of a server that understands the JSON protocol: it is JSON with
 * a code, or has the code in x-amzn-query-error, and does not say that it knows no such action. */
bool sl_sqs_error_is_json(struct sl_json_parser *p, sl_str header_code, sl_str text);

#endif
