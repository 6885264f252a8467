/* source/sqs_queue.c - questions about a queue, each with its own request, waited for. */
#include "source/sqs_queue.h"

#include "source/sqs_call.h"

enum {
    ASK_TIMEOUT_MS = 10000,
    REPLY_MAX = 1 << 20,
};

/* Refused for what it says: the right to call is there.  Refused for its rights: it is not. */
static sl_rc may_read(struct sl_http_reply *reply, struct sl_err *e)
{
    struct sl_json_parser *parser = NULL;
    struct sl_err refusal;
    sl_rc rc = sl_json_parser_new(REPLY_MAX, &parser, e);

    if (rc == SL_OK && reply->status != 200 &&
        sl_sqs_read_error(parser, reply->status, sl_str_of(reply->error_code),
                          sl_buf_str(&reply->body), &refusal) == SL_DENIED) {
        rc = SL_DENIED;
        if (e != NULL) {
            *e = refusal;
        }
    }
    sl_json_parser_free(parser);
    return rc;
}

static const char *may_write(enum sl_sqs_right right, sl_str queue_url, struct sl_buf *body)
{
    const struct sl_sqs_entry entry = {
        .receipt_handle = SL_STR("none"),
        .body = SL_STR("none"),
        .delay_s = SL_SQS_DELAY_MAX_S + 1,
    };

    if (right == SL_SQS_MAY_DELETE) {
        sl_sqs_write_delete(body, queue_url, &entry, 1);
        return "DeleteMessageBatch";
    }
    if (right == SL_SQS_MAY_CHANGE_VISIBILITY) {
        sl_sqs_write_visibility(body, queue_url, &entry, 1, 0);
        return "ChangeMessageVisibilityBatch";
    }
    sl_sqs_write_send(body, queue_url, &entry, 1);
    return "SendMessageBatch";
}

sl_rc sl_sqs_may(const struct sl_config *cfg, const struct sl_aws_target *target,
                 enum sl_sqs_right right, struct sl_err *e)
{
    struct sl_aws_caller caller = { .target = *target };
    struct sl_sqs_call call = { .timeout_ms = ASK_TIMEOUT_MS, .reply_max_bytes = REPLY_MAX };
    struct sl_http_reply reply = { 0 };
    struct sl_buf body;
    sl_rc rc = sl_http_new(&caller.http, e);

    sl_buf_init(&body, 64 << 10);
    call.action = may_write(right, cfg->sqs.queue_url, &body);
    call.body = sl_buf_str(&body);
    if (rc == SL_OK) {
        rc = sl_sqs_call_wait(&caller, &call, &reply, e);
    }
    if (rc == SL_OK) {
        rc = may_read(&reply, e);
        sl_buf_done(&reply.body);
    }
    sl_buf_done(&body);
    sl_http_free(caller.http);
    return rc;
}

static sl_rc ask_read(struct sl_http_reply *reply, struct sl_sqs_attributes *ret, struct sl_err *e)
{
    struct sl_json_parser *parser = NULL;
    struct sl_arena arena;
    sl_rc rc = sl_json_parser_new(REPLY_MAX, &parser, e);

    sl_arena_init(&arena, 8 << 20, 16 << 10);
    if (rc == SL_OK && reply->status == 200) {
        rc = sl_sqs_read_attributes(parser, sl_buf_str(&reply->body), &arena, ret, e);
    } else if (rc == SL_OK) {
        rc = sl_sqs_read_error(parser, reply->status, sl_str_of(reply->error_code),
                               sl_buf_str(&reply->body), e);
    }
    sl_arena_done(&arena);
    sl_json_parser_free(parser);
    return rc;
}

sl_rc sl_sqs_ask(const struct sl_config *cfg, const struct sl_aws_target *target,
                 struct sl_sqs_attributes *ret, struct sl_err *e)
{
    struct sl_aws_caller caller = { .target = *target };
    struct sl_sqs_call call = { .action = "GetQueueAttributes",
                                .timeout_ms = ASK_TIMEOUT_MS,
                                .reply_max_bytes = REPLY_MAX };
    struct sl_http_reply reply = { 0 };
    struct sl_err failure = { 0 };
    struct sl_buf body;
    sl_rc rc = sl_http_new(&caller.http, &failure);

    sl_buf_init(&body, 64 << 10);
    sl_sqs_write_attributes(&body, cfg->sqs.queue_url);
    call.body = sl_buf_str(&body);
    if (rc == SL_OK) {
        rc = sl_sqs_call_wait(&caller, &call, &reply, &failure);
    }
    if (rc == SL_OK) {
        rc = ask_read(&reply, ret, &failure);
        ret->server_at_s = rc == SL_OK ? reply.server_at_s : 0;
        sl_buf_done(&reply.body);
    }
    sl_buf_done(&body);
    sl_http_free(caller.http);
    if (rc != SL_OK) {
        return SL_FAIL(e, rc, "queue %" SL_FMT " in region %" SL_FMT ": %.700s",
                       SL_ARG(cfg->sqs.queue_url), SL_ARG(target->region), failure.msg);
    }
    return SL_OK;
}
