/* source/sqs_receive.h - receives in flight: as many as the queue fills and memory holds.
 *
 * What they bring goes to the replies (sqs_reply.h), but for what is altered (sqs_altered.h).
 */
#ifndef SLUICE_SOURCE_SQS_RECEIVE_H
#define SLUICE_SOURCE_SQS_RECEIVE_H

#include "net/backoff.h"
#include "net/concurrency.h"
#include "source/sqs.h"
#include "source/sqs_altered.h"
#include "source/sqs_attempt.h"
#include "source/sqs_call.h"
#include "source/sqs_reply.h"

enum {
    SL_RECEIVE_ATTRIBUTES = 11,      /* SQS limit of message attributes, and that of a trace */
    SL_RECEIVE_REPLY_MAX = 96 << 20, /* ten messages of 1 MiB, escaped six times over, and more */
};

/* All receives of a worker.  `out`, `was_empty` and `error` are for others to read. */
struct sl_receives {
    const struct sl_sqs_settings *settings;
    struct sl_aws_caller *caller;
    struct sl_json_parser *parser;
    struct sl_replies *replies;
    struct sl_altered altered;
    sl_str attributes[SL_RECEIVE_ATTRIBUTES]; /* message attributes that a column or dedup wants */
    unsigned attributes_n;
    bool wants_trace;
    unsigned out;
    struct sl_concurrency in_flight; /* wanted out */
    int64_t asked_ms;                /* when the last one went out */
    int64_t due_ms;                  /* none goes out before */
    bool was_empty;                  /* the last answer brought nothing */
    struct sl_sqs_attempts attempts;
    struct sl_backoff backoff;
    struct sl_err error; /* of one, not yet told; rc SL_OK for none */
};

/* Begin with none.
 *
 * Owns:    what is given is borrowed; end with sl_receives_done, when all have been answered
 * Threads: one per object
 */
void sl_receives_init(struct sl_receives *receives, const struct sl_sqs_settings *settings,
                      struct sl_aws_caller *caller, struct sl_json_parser *parser,
                      struct sl_replies *replies);
void sl_receives_done(struct sl_receives *receives);

/* Send what is due, if any may go out at all.
 *
 * Returns: when to call again (monotonic ms); INT64_MAX: after an answer, or when there is more room
 */
int64_t sl_receives_tick(struct sl_receives *receives, bool may_ask);

/* Tell of a failure, once.
 *
 * Errors:  SL_DISCONNECTED, SL_THROTTLED, ... (retry)  the queue cannot be asked; it is asked again,
 *                                                      with backoff
 */
sl_rc sl_receives_error(struct sl_receives *receives, struct sl_err *e) SL_MUST_CHECK;

/* Seconds until the last one would have ended by itself, 0 when none is out; a server may not notice
 * earlier that we have gone. */
unsigned sl_receives_end_in_s(const struct sl_receives *receives);

#endif
