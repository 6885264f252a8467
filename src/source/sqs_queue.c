/* source/sqs_queue.c - questions about a queue, each with its own request, waited for. */
#include "source/sqs_queue.h"

#include "source/sqs_call.h"
#include "telemetry/log.h"

enum {
    ASK_TIMEOUT_MS = 10000,
    REPLY_MAX = 1 << 20,
    BODY_MAX = 64 << 10,
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

static const char *may_write(const struct sl_sqs_wire *wire, enum sl_sqs_right right,
                             sl_str queue_url, struct sl_buf *body)
{
    const struct sl_sqs_entry entry = {
        .receipt_handle = SL_STR("none"),
        .body = SL_STR("none"),
        .delay_s = SL_SQS_DELAY_MAX_S + 1,
    };

    if (right == SL_SQS_MAY_RECEIVE) {
        wire->write_receive(body, &(struct sl_sqs_receive){ .queue_url = queue_url });
        return "ReceiveMessage";
    }
    if (right == SL_SQS_MAY_DELETE) {
        wire->write_delete(body, queue_url, &entry, 1);
        return "DeleteMessageBatch";
    }
    if (right == SL_SQS_MAY_CHANGE_VISIBILITY) {
        wire->write_visibility(body, queue_url, &entry, 1, 0);
        return "ChangeMessageVisibilityBatch";
    }
    wire->write_send(body, queue_url, &entry, 1);
    return "SendMessageBatch";
}

/* A request on a connection of its own. */
static sl_rc call_once(const struct sl_aws_target *target, struct sl_sqs_call *call,
                       struct sl_buf *body, struct sl_http_reply *ret, struct sl_err *e)
{
    struct sl_aws_caller caller = { .target = *target };
    sl_rc rc = sl_buf_rc(body, e);

    call->body = sl_buf_str(body);
    call->timeout_ms = ASK_TIMEOUT_MS;
    call->reply_max_bytes = REPLY_MAX;
    if (rc == SL_OK) {
        rc = sl_http_new(&caller.http, e);
    }
    if (rc == SL_OK) {
        rc = sl_sqs_call_wait(&caller, call, ret, e);
    }
    sl_http_free(caller.http);
    sl_sigv4_key_done(&caller.key);
    return rc;
}

sl_rc sl_sqs_may(const struct sl_config *cfg, const struct sl_aws_target *target,
                 const struct sl_sqs_wire *wire, enum sl_sqs_right right, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf body = { .max_bytes = BODY_MAX };
    struct sl_sqs_call call = { .wire = wire };
    struct sl_http_reply reply = { 0 };
    sl_rc rc;

    call.action = may_write(wire, right, cfg->sqs.queue_url, &body);
    SL_TRY(call_once(target, &call, &body, &reply, e));
    rc = may_read(&reply, e);
    sl_buf_done(&reply.body);
    return rc;
}

/* ---- what it is asked in ----------------------------------------------------------------------- */

/* A question: for the queue's attributes, or, where the configuration has but a name, its URL. */
struct ask {
    const struct sl_config *cfg;
    const struct sl_aws_target *target;
    struct sl_arena *a; /* for the URL; NULL: the attributes are asked for */
    struct sl_sqs_attributes queue;
    sl_str url;
    int64_t server_at_s;
    bool is_foreign; /* an answer that no SQS of this protocol gives */
};

/* A server in trouble, or one that refuses us, may still be one of this protocol. */
static bool status_is_plain(int status)
{
    return status != 401 && status != 403 && status != 429 && status != 502 && status != 503 &&
           status != 504;
}

static sl_rc answer_read(struct ask *ask, struct sl_json_parser *parser, sl_str text,
                         struct sl_arena *scratch, struct sl_err *e)
{
    sl_str url;

    if (ask->a == NULL) {
        return sl_sqs_read_attributes(parser, text, scratch, &ask->queue, e);
    }
    SL_TRY(sl_sqs_read_queue_url(parser, text, scratch, &url, e));
    ask->url = sl_arena_copy(ask->a, url);
    return ask->url.ptr != NULL ? SL_OK : SL_FAIL(e, SL_NOMEM, "no memory for a queue URL");
}

static sl_rc ask_read(struct ask *ask, struct sl_http_reply *reply, struct sl_err *e)
{
    const sl_str text = sl_buf_str(&reply->body);
    struct sl_json_parser *parser = NULL;
    struct sl_arena arena;
    sl_rc rc = sl_json_parser_new(REPLY_MAX, &parser, e);

    sl_arena_init(&arena, 8 << 20, 16 << 10);
    if (rc == SL_OK && reply->status == 200) {
        rc = answer_read(ask, parser, text, &arena, e);
        ask->is_foreign = rc == SL_UNAVAILABLE;
    } else if (rc == SL_OK) {
        const sl_str code = sl_str_of(reply->error_code);

        rc = sl_sqs_read_error(parser, reply->status, code, text, e);
        ask->is_foreign =
            status_is_plain(reply->status) && !sl_sqs_error_is_json(parser, code, text);
    }
    sl_arena_done(&arena);
    sl_json_parser_free(parser);
    return rc;
}

static sl_rc ask_once(struct ask *ask, const struct sl_sqs_wire *wire, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf body = { .max_bytes = BODY_MAX };
    struct sl_sqs_call call = { .wire = wire,
                                .action = ask->a != NULL ? "GetQueueUrl" : "GetQueueAttributes" };
    struct sl_http_reply reply = { 0 };
    sl_rc rc;

    ask->is_foreign = false;
    if (ask->a != NULL) {
        wire->write_queue_url(&body, ask->cfg->sqs.queue_name, ask->cfg->sqs.queue_owner);
    } else {
        wire->write_attributes(&body, ask->cfg->sqs.queue_url);
    }
    SL_TRY(call_once(ask->target, &call, &body, &reply, e));
    rc = ask_read(ask, &reply, e);
    ask->server_at_s = sl_http_server_at_s(&reply);
    sl_buf_done(&reply.body);
    return rc;
}

/* A signature that is refused for its time is made anew. */
static sl_rc ask_in(struct ask *ask, const struct sl_sqs_wire *wire, struct sl_err *e)
{
    const sl_rc rc = ask_once(ask, wire, e);

    return rc == SL_DENIED && sl_aws_clock_learn(ask->target, ask->server_at_s)
               ? ask_once(ask, wire, e)
               : rc;
}

/* In JSON, and in Query if that is not understood.  Remembered is only what has been answered. */
static sl_rc ask_in_either(struct ask *ask, const struct sl_sqs_wire **wire, struct sl_err *e)
{
    struct sl_err query_e = { 0 };
    sl_rc rc = ask_in(ask, &sl_sqs_json, e);
    sl_rc query_rc;

    if (rc == SL_OK) {
        *wire = &sl_sqs_json;
    }
    if (rc == SL_OK || !ask->is_foreign) {
        return rc;
    }
    query_rc = ask_in(ask, &sl_sqs_query, &query_e);
    if (query_rc == SL_OK) {
        *wire = &sl_sqs_query;
        SL_LOG(SL_LOG_INFO,
               "the queue does not understand JSON and is asked in the Query protocol");
        return SL_OK;
    }
    if (query_rc == SL_NOT_FOUND || query_rc == SL_DENIED) { /* it understands, at least */
        *e = query_e;
        rc = query_rc;
    }
    return rc;
}

static sl_rc ask(struct ask *ask, const struct sl_sqs_wire **wire, struct sl_err *e)
{
    const struct sl_config *cfg = ask->cfg;
    const sl_str queue = cfg->sqs.queue_url.len > 0 ? cfg->sqs.queue_url : cfg->sqs.queue;
    struct sl_err failure = { 0 };
    sl_rc rc;

    if (*wire == NULL) {
        *wire = sl_sqs_wire_of(cfg->sqs.protocol);
    }
    rc = *wire == NULL ? ask_in_either(ask, wire, &failure) : ask_in(ask, *wire, &failure);
    return rc == SL_OK ? SL_OK
                       : SL_FAIL(e, rc, "queue %" SL_FMT " in region %" SL_FMT ": %.700s",
                                 SL_ARG(queue), SL_ARG(ask->target->region), failure.msg);
}

sl_rc sl_sqs_ask(const struct sl_config *cfg, const struct sl_aws_target *target,
                 const struct sl_sqs_wire **wire, struct sl_sqs_attributes *ret, struct sl_err *e)
{
    struct ask question = { .cfg = cfg, .target = target };

    SL_TRY(ask(&question, wire, e));
    *ret = question.queue;
    ret->server_at_s = question.server_at_s;
    return SL_OK;
}

sl_rc sl_sqs_find(struct sl_config *cfg, const struct sl_aws_target *target,
                  const struct sl_sqs_wire **wire, struct sl_arena *a, struct sl_err *e)
{
    struct ask question = { .cfg = cfg, .target = target, .a = a };

    if (cfg->sqs.queue_url.len > 0) {
        return SL_OK;
    }
    SL_TRY(ask(&question, wire, e));
    if (sl_str_eq(question.url, cfg->dead_letter_url)) {
        return SL_FAIL(e, SL_CONFIG, "dead_letter is the queue that is read; give another one");
    }
    cfg->sqs.queue_url = question.url;
    return SL_OK;
}
