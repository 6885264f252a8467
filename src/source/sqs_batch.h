/* source/sqs_batch.h - one request about up to ten messages, and what became of each. */
#ifndef SLUICE_SOURCE_SQS_BATCH_H
#define SLUICE_SOURCE_SQS_BATCH_H

#include "source/sqs_call.h"
#include "telemetry/counters.h"

enum { SL_SQS_BATCH_REPLY_BYTES = 1 << 20 }; /* of an answer: a cap, and that of its parser */

struct sl_sqs_batch {
    const struct sl_sqs_wire *wire;
    sl_str queue_url;
    enum sl_sqs_action action; /* delete, visibility or send */
    unsigned visible_after_s;  /* for visibility */
    const struct sl_sqs_entry *entries;
    unsigned n; /* 1..10 */
    unsigned timeout_ms;

    /* As in sl_http_request. */
    void (*done)(void *ctx, struct sl_http_reply *reply);
    void *ctx;
};

/* One result an entry. */
struct sl_sqs_results {
    struct sl_sqs_result of[SL_SQS_BATCH];
    struct sl_arena arena; /* holds the codes */
};

/* Write a request and start it.
 *
 * Owns:    everything in `batch` is borrowed for the call
 * Errors:  those of sl_aws_call_start
 *          SL_NOMEM (retry)  also for entries that are too long
 */
sl_rc sl_sqs_batch_start(struct sl_aws_caller *c, const struct sl_sqs_batch *batch,
                         struct sl_err *e) SL_MUST_CHECK;

/* Read the answer to a request of `n` entries.
 *
 * Owns:    results live as long as the reply; end them with sl_sqs_results_done, failed or not
 * Errors:  the reply's own, those of sl_sqs_read_error and sl_sqs_read_batch
 */
sl_rc sl_sqs_batch_read(struct sl_json_parser *p, const struct sl_http_reply *reply, unsigned n,
                        struct sl_sqs_results *ret, struct sl_err *e) SL_MUST_CHECK;
void sl_sqs_results_done(struct sl_sqs_results *results);

#endif
