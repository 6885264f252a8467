/* source/sqs_batch.c - one request about up to ten messages, and what became of each. */
#include "source/sqs_batch.h"

enum {
    HANDLES_MAX = 64 << 10, /* ten of 1 KiB, escaped */
    BODIES_MAX = 4 << 20,   /* SL_SQS_SEND_BYTES, escaped */
};

/* Returns: the action, as SQS calls it. */
static const char *batch_write(const struct sl_sqs_batch *batch, struct sl_buf *out)
{
    if (batch->action == SL_SQS_ACTION_delete) {
        batch->wire->write_delete(out, batch->queue_url, batch->entries, batch->n);
        return "DeleteMessageBatch";
    }
    if (batch->action == SL_SQS_ACTION_visibility) {
        batch->wire->write_visibility(out, batch->queue_url, batch->entries, batch->n,
                                      batch->visible_after_s);
        return "ChangeMessageVisibilityBatch";
    }
    batch->wire->write_send(out, batch->queue_url, batch->entries, batch->n);
    return "SendMessageBatch";
}

sl_rc sl_sqs_batch_start(struct sl_aws_caller *c, const struct sl_sqs_batch *batch,
                         struct sl_err *e)
{
    SL_AUTO(sl_buf_done)
    struct sl_buf body = {
        .max_bytes = batch->action == SL_SQS_ACTION_send ? BODIES_MAX : HANDLES_MAX,
    };
    struct sl_sqs_call call = { .wire = batch->wire,
                                .action = batch_write(batch, &body),
                                .timeout_ms = batch->timeout_ms,
                                .reply_max_bytes = SL_SQS_BATCH_REPLY_BYTES,
                                .done = batch->done,
                                .ctx = batch->ctx };

    SL_TRY(sl_buf_rc(&body, e));
    call.body = sl_buf_str(&body);
    return sl_sqs_call_start(c, &call, e);
}

sl_rc sl_sqs_batch_read(struct sl_json_parser *p, const struct sl_http_reply *reply, unsigned n,
                        struct sl_sqs_results *ret, struct sl_err *e)
{
    sl_arena_init(&ret->arena, (size_t)SL_SQS_BATCH_REPLY_BYTES * 4, 16 << 10);
    if (reply->rc != SL_OK) {
        if (e != NULL) {
            *e = reply->err;
        }
        return reply->rc;
    }
    return reply->status == 200
               ? sl_sqs_read_batch(p, sl_buf_str(&reply->body), &ret->arena, n, ret->of, e)
               : sl_sqs_read_error(p, reply->status, sl_str_of(reply->error_code),
                                   sl_buf_str(&reply->body), e);
}

void sl_sqs_results_done(struct sl_sqs_results *results)
{
    sl_arena_done(&results->arena);
}
