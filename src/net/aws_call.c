/* net/aws_call.c - one action of an AWS service as a signed POST. */
#include "net/aws_call.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "net/http_fetch.h"
#include "telemetry/log.h"

enum {
    CALL_ARENA_BYTES = 64 * 1024, /* headers; a session token is some KiB at most */
    CALL_BLOCK_BYTES = 4096,
    AUTHORIZATION_BYTES = 1024,
    SIGNED_MAX = 5,
    HEADERS_MAX = 10,
    ERROR_BYTES = 4096,   /* of a reply, looked at for its code */
    CLOCK_OFF_MS = 60000, /* AWS refuses signatures five minutes off */
};

/* The endpoint in its parts; a default port is left out of Host, and of the signature. */
struct call_url {
    sl_str host; /* with the port, unless it is the default of the scheme */
    sl_str path; /* as signed: of the endpoint, with a slash at the end */
};

struct call_headers {
    struct sl_sigv4_header signed_headers[SIGNED_MAX];
    unsigned signed_n;
    const char *lines[HEADERS_MAX + 1];
    unsigned lines_n;
    bool has_failed;
};

static bool str_ends(sl_str s, sl_str tail)
{
    return s.len >= tail.len && memcmp(s.ptr + s.len - tail.len, tail.ptr, tail.len) == 0;
}

static char *text_put(char *to, sl_str s)
{
    if (s.len > 0) {
        memcpy(to, s.ptr, s.len);
    }
    return to + s.len;
}

/* The three in a row, ended by a zero byte; ptr NULL without memory.  (printf would cost more than
 * the hash that signs it.) */
static sl_str text_join(struct sl_arena *a, sl_str first, sl_str second, sl_str third)
{
    const size_t n = first.len + second.len + third.len;
    char *text = sl_arena_alloc(a, n + 1);

    if (text == NULL) {
        return (sl_str){ 0 };
    }
    *text_put(text_put(text_put(text, first), second), third) = '\0';
    return (sl_str){ text, n };
}

static struct call_url call_url_of(sl_str endpoint, struct sl_arena *a)
{
    const bool is_https = sl_str_starts(endpoint, SL_STR("https://"));
    const sl_str port = is_https ? SL_STR(":443") : SL_STR(":80");
    const sl_str scheme = is_https ? SL_STR("https://") : SL_STR("http://");
    sl_str path = endpoint;
    sl_str host;

    if (sl_str_starts(endpoint, scheme)) {
        path = (sl_str){ endpoint.ptr + scheme.len, endpoint.len - scheme.len };
    }
    host = sl_str_cut(&path, '/');
    if (str_ends(host, port)) {
        host.len -= port.len;
    }
    return (struct call_url){
        .host = host,
        .path = path.len == 0 ? SL_STR("/") : text_join(a, SL_STR("/"), path, SL_STR("/")),
    };
}

static void headers_add(struct call_headers *h, struct sl_arena *a, const char *name, sl_str value)
{
    const sl_str line = text_join(a, sl_str_of(name), SL_STR(": "), value);

    if (line.ptr == NULL) {
        h->has_failed = true;
        return;
    }
    h->lines[h->lines_n++] = line.ptr;
}

/* Names are sent as they are signed, in lower case. */
static void headers_add_signed(struct call_headers *h, struct sl_arena *a, const char *name,
                               sl_str value)
{
    h->signed_headers[h->signed_n++] = (struct sl_sigv4_header){ sl_str_of(name), value };
    headers_add(h, a, name, value);
}

/* Signatures want the server's idea of the time. */
static int64_t clock_of(const struct sl_aws_target *target)
{
    return sl_clock_at_ms() + (target->ahead_ms != NULL ? atomic_load(target->ahead_ms) : 0);
}

bool sl_aws_clock_learn(const struct sl_aws_target *target, int64_t server_at_s)
{
    const int64_t ahead_ms = server_at_s * 1000 - sl_clock_at_ms();
    int64_t known_ms = target->ahead_ms != NULL ? atomic_load(target->ahead_ms) : 0;
    const int64_t off_ms = ahead_ms - known_ms;

    if (target->ahead_ms == NULL || server_at_s == 0 ||
        (off_ms < CLOCK_OFF_MS && off_ms > -CLOCK_OFF_MS)) {
        return false;
    }
    if (atomic_compare_exchange_strong(target->ahead_ms, &known_ms, ahead_ms)) {
        SL_LOG(SL_LOG_WARN,
               "the clock of this machine is wrong: requests are signed with the queue's time",
               sl_field_int("sluice.clock_ahead_s", -ahead_ms / 1000));
    }
    return true;
}

/* Of no bytes: S3 wants it said. */
#define SHA256_OF_NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static enum sl_http_method method_of(const struct sl_aws_call *call)
{
    return call->path.len == 0 ? SL_HTTP_POST : call->range != NULL ? SL_HTTP_GET : SL_HTTP_DELETE;
}

static sl_str method_name(enum sl_http_method method)
{
    return method == SL_HTTP_POST  ? SL_STR("POST")
           : method == SL_HTTP_GET ? SL_STR("GET")
                                   : SL_STR("DELETE");
}

/* All header lines, in `a`. */
static sl_rc headers_build(struct call_headers *h, struct sl_aws_caller *c,
                           const struct sl_aws_call *call, const struct sl_aws_creds *creds,
                           struct sl_arena *a, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf authorization;
    const int64_t at_ms = clock_of(&c->target);
    const struct call_url url = call_url_of(c->target.endpoint, a);
    const bool has_body = call->path.len == 0;
    const sl_str path = text_join(a, url.path, call->path, SL_STR(""));
    const sl_str token = creds->session_token;
    struct sl_sigv4_request request;
    char date[17];

    sl_buf_init(&authorization, AUTHORIZATION_BYTES);
    sl_sigv4_date(at_ms, date);
    if (has_body) {
        headers_add_signed(h, a, "content-type", sl_str_of(call->content_type));
    }
    headers_add_signed(h, a, "host", url.host);
    if (!has_body) {
        headers_add_signed(h, a, "x-amz-content-sha256", SL_STR(SHA256_OF_NOTHING));
    }
    headers_add_signed(h, a, "x-amz-date", sl_str_of(date));
    if (token.len > 0) {
        headers_add_signed(h, a, "x-amz-security-token", token);
    }
    if (call->target.len > 0) {
        headers_add_signed(h, a, "x-amz-target", call->target);
    }
    request = (struct sl_sigv4_request){
        .method = method_name(method_of(call)),
        .path = path,
        .headers = h->signed_headers,
        .headers_n = h->signed_n,
        .body = call->body,
    };
    SL_TRY(sl_sigv4_sign(&request, creds, c->target.region, sl_str_of(c->service), at_ms, &c->key,
                         &authorization, e));
    headers_add(h, a, "authorization", sl_buf_str(&authorization));
    if (call->wants_query_errors) {
        headers_add(h, a, "x-amzn-query-mode", SL_STR("true"));
    }
    h->lines[h->lines_n++] = call->range; /* NULL is the end */
    if (h->has_failed || url.path.ptr == NULL || path.ptr == NULL) {
        return SL_FAIL(e, SL_NOMEM, "the headers of a request would pass %d bytes",
                       CALL_ARENA_BYTES);
    }
    return SL_OK;
}

/* Sign with the credentials as they are now. */
static sl_rc headers_sign(struct call_headers *h, struct sl_aws_caller *c,
                          const struct sl_aws_call *call, struct sl_arena *a, struct sl_err *e)
{
    SL_AUTO(sl_aws_snapshot_freep)
    struct sl_aws_snapshot *now = sl_aws_identity_take(c->target.identity);

    if (c->key_of != now->number) {
        sl_sigv4_key_done(&c->key);
        c->key_of = now->number;
    }
    return headers_build(h, c, call, &now->creds, a, e);
}

/* A request that is out, and what it was signed with. */
struct signed_call {
    struct sl_aws_identity *identity;
    uint64_t number;
    void (*done)(void *ctx, struct sl_http_reply *reply);
    void *ctx;
};

/* Whatever the protocol, an error's code stands in a header or near the beginning of the body.
 * ExpiredToken is also the beginning of ExpiredTokenException. */
static bool is_refusal(const struct sl_http_reply *reply)
{
    static const char *const codes[] = { "ExpiredToken", "InvalidClientTokenId",
                                         "UnrecognizedClientException", "InvalidAccessKeyId" };
    const size_t n = reply->body.len < ERROR_BYTES ? reply->body.len : ERROR_BYTES;

    if (reply->rc != SL_OK || reply->status < 400 || reply->status > 403) {
        return false;
    }
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (strstr(reply->error_code, codes[i]) != NULL ||
            (n > 0 && memmem(reply->body.ptr, n, codes[i], strlen(codes[i])) != NULL)) {
            return true;
        }
    }
    return false;
}

static void signed_call_done(void *ctx, struct sl_http_reply *reply)
{
    const struct signed_call call = *(struct signed_call *)ctx;

    free(ctx);
    if (is_refusal(reply)) {
        sl_aws_identity_refuse(call.identity, call.number);
    }
    call.done(call.ctx, reply);
}

/* The request of a call, its texts in `a`. */
static sl_rc request_build(struct sl_aws_caller *c, const struct sl_aws_call *call,
                           struct call_headers *headers, struct sl_arena *a,
                           struct sl_http_request *ret, struct sl_err *e)
{
    const sl_str url = text_join(a, c->target.endpoint, SL_STR("/"), call->path);

    if (url.ptr == NULL) {
        return SL_FAIL(e, SL_NOMEM, "memory for the URL of a request ran out");
    }
    SL_TRY(headers_sign(headers, c, call, a, e));
    *ret = (struct sl_http_request){
        .method = method_of(call),
        .url = url.ptr,
        .headers = headers->lines,
        .body = call->body,
        .reply_max_bytes = call->reply_max_bytes,
        .timeout_ms = call->timeout_ms,
    };
    return SL_OK;
}

static sl_rc request_send(struct sl_aws_caller *c, const struct sl_aws_call *call,
                          struct sl_http_request *request, struct sl_err *e)
{
    struct signed_call *out = calloc(1, sizeof *out);
    sl_rc rc;

    if (out == NULL) {
        return SL_FAIL(e, SL_NOMEM, "memory for a request ran out");
    }
    *out = (struct signed_call){
        .identity = c->target.identity, .number = c->key_of, .done = call->done, .ctx = call->ctx
    };
    request->done = signed_call_done;
    request->ctx = out;
    rc = sl_http_send(c->http, request, e);
    if (rc != SL_OK) {
        free(out);
    }
    return rc;
}

sl_rc sl_aws_call_start(struct sl_aws_caller *c, const struct sl_aws_call *call, struct sl_err *e)
{
    SL_AUTO(sl_arena_done) struct sl_arena a;
    struct call_headers headers = { 0 };
    struct sl_http_request request;

    sl_arena_init(&a, CALL_ARENA_BYTES, CALL_BLOCK_BYTES);
    SL_TRY(request_build(c, call, &headers, &a, &request, e));
    return request_send(c, call, &request, e);
}

sl_rc sl_aws_call_once(struct sl_aws_caller *c, const struct sl_aws_call *call,
                       const struct sl_stop *stop, struct sl_http_reply *ret, struct sl_err *e)
{
    SL_AUTO(sl_arena_done) struct sl_arena a;
    struct call_headers headers = { 0 };
    struct sl_http_request request;

    sl_arena_init(&a, CALL_ARENA_BYTES, CALL_BLOCK_BYTES);
    SL_TRY(request_build(c, call, &headers, &a, &request, e));
    return sl_http_fetch(&request, stop, ret, e);
}

struct call_answer {
    struct sl_http_reply reply;
    bool is_here;
};

static void call_answer_take(void *ctx, struct sl_http_reply *reply)
{
    struct call_answer *answer = ctx;

    answer->reply = *reply;
    answer->is_here = true;
    reply->body = (struct sl_buf){ 0 };
}

/* sl_http ends every request by its own timeout, so this ends; leaving earlier would leave a
 * request behind whose `done` points into this frame. */
sl_rc sl_aws_call_wait(struct sl_aws_caller *c, const struct sl_aws_call *call,
                       struct sl_http_reply *ret, struct sl_err *e)
{
    struct call_answer answer = { 0 };
    struct sl_aws_call mine = *call;

    mine.done = call_answer_take;
    mine.ctx = &answer;
    SL_TRY(sl_aws_call_start(c, &mine, e));
    while (!answer.is_here) {
        (void)sl_http_wait(c->http, -1, 0, sl_clock_now_ms() + (int64_t)call->timeout_ms);
    }
    if (answer.reply.rc != SL_OK) {
        sl_buf_done(&answer.reply.body);
        if (e != NULL) {
            *e = answer.reply.err;
        }
        return answer.reply.rc;
    }
    *ret = answer.reply;
    return SL_OK;
}
