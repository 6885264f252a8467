/* source/sqs_peek.c - a look at a few messages of a queue. */
#include "source/sqs_peek.h"

#include "source/sqs_call.h"

enum {
    WAIT_S = 1,    /* a long poll asks every server */
    HIDDEN_S = 30, /* should the hand-back fail */
    TIMEOUT_MS = 20000,
    REPLY_MAX = 96 << 20, /* ten messages of 1 MiB, escaped six times over, and more */
    BODY_MAX = 64 << 10,
};

static sl_rc peek_call(struct sl_aws_caller *c, struct sl_sqs_call *call, const struct sl_buf *body,
                       struct sl_http_reply *ret, struct sl_err *e)
{
    SL_TRY(sl_buf_rc(body, e));
    call->body = sl_buf_str(body);
    call->timeout_ms = TIMEOUT_MS;
    call->reply_max_bytes = REPLY_MAX;
    return sl_sqs_call_wait(c, call, ret, e);
}

/* A reply, or why there is none; end it with sl_buf_done(&ret->body). */
static sl_rc peek_receive(struct sl_aws_caller *c, const struct sl_sqs_wire *wire, sl_str queue_url,
                          struct sl_http_reply *ret, struct sl_err *e)
{
    const struct sl_sqs_receive request = { .queue_url = queue_url,
                                            .max_messages = SL_SQS_BATCH,
                                            .wait_time_s = WAIT_S,
                                            .visibility_timeout_s = HIDDEN_S };
    SL_AUTO(sl_buf_done) struct sl_buf body = { .max_bytes = BODY_MAX };
    struct sl_sqs_call call = { .wire = wire, .action = "ReceiveMessage" };

    wire->write_receive(&body, &request);
    return peek_call(c, &call, &body, ret, e);
}

static sl_rc peek_return(struct sl_aws_caller *c, const struct sl_sqs_wire *wire, sl_str queue_url,
                         const struct sl_sqs_message *messages, unsigned n, struct sl_err *e)
{
    struct sl_sqs_entry entries[SL_SQS_BATCH] = { 0 };
    SL_AUTO(sl_buf_done) struct sl_buf body = { .max_bytes = BODY_MAX };
    struct sl_sqs_call call = { .wire = wire, .action = "ChangeMessageVisibilityBatch" };
    struct sl_http_reply reply = { 0 };
    const unsigned entries_n = n < SL_SQS_BATCH ? n : SL_SQS_BATCH;

    if (n == 0) {
        return SL_OK;
    }
    for (unsigned i = 0; i < entries_n; i++) {
        entries[i].receipt_handle = messages[i].receipt_handle;
    }
    wire->write_visibility(&body, queue_url, entries, entries_n, 0);
    SL_TRY(peek_call(c, &call, &body, &reply, e));
    sl_buf_done(&reply.body);
    return SL_OK;
}

static sl_rc peek_read(const struct sl_http_reply *reply, struct sl_arena *a,
                       struct sl_sqs_message **ret, unsigned *ret_n, struct sl_err *e)
{
    SL_AUTO(sl_json_parser_freep) struct sl_json_parser *parser = NULL;

    SL_TRY(sl_json_parser_new(REPLY_MAX, &parser, e));
    return reply->status == 200
               ? sl_sqs_read_receive(parser, sl_buf_str(&reply->body), a, ret, ret_n, e)
               : sl_sqs_read_error(parser, reply->status, sl_str_of(reply->error_code),
                                   sl_buf_str(&reply->body), e);
}

/* NOLINTNEXTLINE(readability-function-size): two outputs and who holds them */
sl_rc sl_sqs_peek(const struct sl_config *cfg, const struct sl_aws_target *target,
                  const struct sl_sqs_wire *wire, struct sl_arena *a, struct sl_sqs_message **ret,
                  unsigned *ret_n, struct sl_err *e)
{
    struct sl_aws_caller caller = { .target = *target };
    struct sl_http_reply reply = { 0 };
    sl_rc rc = sl_http_new(&caller.http, e);

    if (rc == SL_OK) {
        rc = peek_receive(&caller, wire, cfg->sqs.queue_url, &reply, e);
    }
    if (rc == SL_OK) {
        rc = peek_read(&reply, a, ret, ret_n, e);
    }
    if (rc == SL_OK) {
        rc = peek_return(&caller, wire, cfg->sqs.queue_url, *ret, *ret_n, e);
    }
    sl_buf_done(&reply.body);
    sl_http_free(caller.http);
    sl_sigv4_key_done(&caller.key);
    return rc;
}
