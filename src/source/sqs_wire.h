/* source/sqs_wire.h - SEAM: the protocol that SQS is asked in, one of two.
 *
 * Whoever asks is given a row and knows no protocol.  Answers need none: they are read by what
 * they are (sqs_json.h).
 */
#ifndef SLUICE_SOURCE_SQS_WIRE_H
#define SLUICE_SOURCE_SQS_WIRE_H

#include "config/config.h"
#include "source/sqs_json.h"

struct sl_sqs_wire {
    const char *name; /* as in the configuration */
    const char *content_type;
    bool has_target;  /* the action stands in the header X-Amz-Target, else in the body */
    bool waits_again; /* LocalStack before 3.0 waits anew for each message asked for */

    /* Write request bodies.  Batch entries get their index as Id. */
    void (*write_receive)(struct sl_buf *out, const struct sl_sqs_receive *request);
    void (*write_delete)(struct sl_buf *out, sl_str queue_url, const struct sl_sqs_entry *entries,
                         unsigned n);
    void (*write_visibility)(struct sl_buf *out, sl_str queue_url,
                             const struct sl_sqs_entry *entries, unsigned n, unsigned timeout_s);
    void (*write_send)(struct sl_buf *out, sl_str queue_url, const struct sl_sqs_entry *entries,
                       unsigned n);
    void (*write_attributes)(struct sl_buf *out, sl_str queue_url);
    void (*write_queue_url)(struct sl_buf *out, sl_str name, sl_str owner); /* account, "": ours */
};

/* AWS JSON 1.0, and the AWS Query protocol, which older servers know alone: pure, no I/O.
 * Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/ (2012-11-05);
 *         vectors: tests/unit/test_sqs_json.c, tests/unit/test_sqs_query.c */
extern const struct sl_sqs_wire sl_sqs_json;
extern const struct sl_sqs_wire sl_sqs_query;

/* The row that the configuration asks for; NULL when it leaves the choice to us. */
const struct sl_sqs_wire *sl_sqs_wire_of(enum sl_sqs_protocol protocol);

#endif
