/* source/s3.c - objects of S3 that bodies point to. */
#include "source/s3.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "net/aws_call.h"
#include "telemetry/log.h"

enum {
    CALLS_MAX = 8, /* requests out at a time */
    FETCH_TIMEOUT_MS = 30000,
    ROUND_MS = 2000, /* after which no more requests are started, so that the caller shows life */
    POINTER_MAX = 16 << 10, /* bytes: a key, each byte of it escaped, and what is around it */
    ARENA_MAX = 8 << 20,
    BUCKET_MIN = 3, /* characters, S3 limits; 255 in the older buckets */
    BUCKET_MAX = 255,
    KEY_MAX = 1024, /* bytes, S3 limit */
    ERROR_BYTES = 4096,
    RANGE_CHARS = 64,
    HTTP_OK = 200,
    HTTP_PARTIAL = 206,
    HTTP_MOVED = 301, /* a bucket of another region */
    HTTP_BAD = 400,
    HTTP_FORBIDDEN = 403,
    HTTP_NOT_FOUND = 404,
    HTTP_NO_SUCH_RANGE = 416, /* of an empty object */
    HTTP_SLOW_DOWN = 503,
};

/* A request: whose object it brings. */
struct s3_call {
    struct sl_s3 *s;
    struct sl_batch *b;
    struct sl_record *r;
};

struct sl_s3 {
    struct sl_s3_settings settings;
    struct sl_aws_caller caller;
    struct sl_json_parser *parser;
    struct sl_arena arena; /* of one pointer */
    char range[RANGE_CHARS];
    struct s3_call calls[CALLS_MAX];
    unsigned calls_n;      /* out */
    struct sl_err failure; /* the first of a round; rc SL_OK: none */
    struct sl_err refusal; /* the first of a round that is about one object; rc SL_OK: none */
    unsigned left_n;       /* objects that could not be deleted */
};

/* ---- a pointer --------------------------------------------------------------------------------- */

static bool ends_in(sl_str s, sl_str tail)
{
    return s.len >= tail.len && memcmp(s.ptr + s.len - tail.len, tail.ptr, tail.len) == 0;
}

static sl_str text_of(const struct sl_json *j)
{
    return j != NULL && j->type == SL_JSON_STRING ? sl_cleartext_publish(j->text) : (sl_str){ 0 };
}

static bool is_pointer(const struct sl_json *root)
{
    const sl_str kind = text_of(sl_json_element(root, 0));

    return root->type == SL_JSON_ARRAY && root->n == 2 &&
           (ends_in(kind, SL_STR(".PayloadS3Pointer")) ||
            ends_in(kind, SL_STR(".MessageS3Pointer")));
}

static bool is_plain(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
}

static bool is_bucket(sl_str s)
{
    if (s.len < BUCKET_MIN || s.len > BUCKET_MAX) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (!is_plain(s.ptr[i]) || s.ptr[i] == '~') {
            return false;
        }
    }
    return true;
}

static void add_encoded(struct sl_buf *out, sl_str key)
{
    for (size_t i = 0; i < key.len; i++) {
        if (is_plain(key.ptr[i]) || key.ptr[i] == '/') {
            sl_buf_add_char(out, key.ptr[i]);
        } else {
            sl_buf_printf(out, "%%%02X", (unsigned)(unsigned char)key.ptr[i]);
        }
    }
}

static sl_rc pointer_path(const struct sl_json *root, struct sl_arena *a, sl_str *ret_path,
                          enum sl_reason *ret_reason, struct sl_err *e)
{
    const struct sl_json *place = sl_json_element(root, 1);
    const sl_str bucket = text_of(sl_json_member(place, SL_STR("s3BucketName")));
    const sl_str key = text_of(sl_json_member(place, SL_STR("s3Key")));
    SL_AUTO(sl_buf_done) struct sl_buf path = { .max_bytes = BUCKET_MAX + 4 * KEY_MAX };

    if (!is_bucket(bucket) || key.len == 0 || key.len > KEY_MAX) {
        *ret_reason = SL_REASON_BAD_ENVELOPE;
        return SL_OK;
    }
    sl_buf_add_str(&path, bucket);
    sl_buf_add_char(&path, '/');
    add_encoded(&path, key);
    SL_TRY(sl_buf_rc(&path, e));
    *ret_path = sl_arena_copy(a, sl_buf_str(&path));
    return ret_path->ptr != NULL ? SL_OK : SL_FAIL(e, SL_NOMEM, "no memory for a pointer");
}

sl_rc sl_s3_pointer(struct sl_json_parser *parser, sl_cleartext body, struct sl_arena *a,
                    sl_str *ret_path, enum sl_reason *ret_reason, struct sl_err *e)
{
    const sl_str text = sl_str_trim(sl_cleartext_publish(body));
    const struct sl_json *root = NULL;
    enum sl_json_fault fault = SL_JSON_OK;

    *ret_path = SL_STR("");
    *ret_reason = SL_REASON_NONE;
    if (text.len == 0 || text.len > POINTER_MAX || text.ptr[0] != '[') {
        return SL_OK;
    }
    SL_TRY(sl_json_parse(parser, sl_cleartext_of(text), a, &root, &fault, e));
    return fault == SL_JSON_OK && is_pointer(root) ? pointer_path(root, a, ret_path, ret_reason, e)
                                                   : SL_OK;
}

/* ---- an answer --------------------------------------------------------------------------------- */

static bool error_is(const struct sl_http_reply *reply, const char *code)
{
    const size_t n = reply->body.len < ERROR_BYTES ? reply->body.len : ERROR_BYTES;

    return n > 0 && memmem(reply->body.ptr, n, code, strlen(code)) != NULL;
}

/* No other answer will come by itself: an archived object has to be asked out of its archive. */
static bool is_missing(const struct sl_http_reply *reply)
{
    return reply->status == HTTP_NOT_FOUND ||
           (reply->status == HTTP_FORBIDDEN && error_is(reply, "<Code>InvalidObjectState<")) ||
           (reply->status == HTTP_BAD && (error_is(reply, "<Code>InvalidBucketName<") ||
                                          error_is(reply, "<Code>KeyTooLongError<")));
}

static sl_rc object_take(struct s3_call *call, const struct sl_http_reply *reply, struct sl_err *e)
{
    const sl_str bytes =
        reply->status == HTTP_NO_SUCH_RANGE ? SL_STR("") : sl_buf_str(&reply->body);

    if (bytes.len > call->s->settings.object_max_bytes) {
        call->r->verdict.reason = SL_REASON_CONTENT_TOO_LARGE;
        return SL_OK;
    }
    SL_TRY(sl_json_padded(sl_cleartext_of(bytes), &call->b->arena, &call->r->object, e));
    call->r->has_object = true;
    return SL_OK;
}

static sl_rc refusal(struct sl_s3 *s, const struct sl_http_reply *reply, struct sl_err *e)
{
    const int status = reply->status;

    if (status == HTTP_FORBIDDEN) {
        (void)sl_aws_clock_learn(&s->caller.target,
                                 sl_http_server_at_s(reply)); /* for the next one */
        return SL_FAIL(e, SL_DENIED,
                       "S3 refuses an object (403): s3:GetObject may be missing, or, "
                       "for one that is not there, s3:ListBucket");
    }
    return SL_FAIL(e, status == HTTP_SLOW_DOWN ? SL_THROTTLED : SL_UNAVAILABLE,
                   "S3 answers with status %d", status);
}

static sl_rc answer_read(struct s3_call *call, const struct sl_http_reply *reply, struct sl_err *e)
{
    if (reply->rc != SL_OK) {
        *e = reply->err;
        return reply->rc;
    }
    if (is_missing(reply)) {
        call->r->verdict.reason = SL_REASON_OBJECT_MISSING;
        return SL_OK;
    }
    if (reply->status == HTTP_OK || reply->status == HTTP_PARTIAL ||
        reply->status == HTTP_NO_SUCH_RANGE) {
        return object_take(call, reply, e);
    }
    return refusal(call->s, reply, e);
}

/* Perhaps of this object alone: whoever may send to the queue may name one that is not for us. */
static bool is_about_object(const struct sl_http_reply *reply)
{
    return reply->rc == SL_OK &&
           (reply->status == HTTP_MOVED ||
            (reply->status == HTTP_FORBIDDEN && error_is(reply, "<Code>AccessDenied<")));
}

static void call_done(void *ctx, struct sl_http_reply *reply)
{
    struct s3_call *call = ctx;
    struct sl_s3 *s = call->s;
    struct sl_err *kept = is_about_object(reply) ? &s->refusal : &s->failure;
    struct sl_err e = { 0 };

    if (answer_read(call, reply, &e) != SL_OK && kept->rc == SL_OK) {
        *kept = e;
    }
    call->r = NULL;
    s->calls_n--;
}

static void delete_done(void *ctx, struct sl_http_reply *reply)
{
    struct s3_call *call = ctx;
    const bool is_gone =
        reply->rc == SL_OK && (reply->status / 100 == 2 || reply->status == HTTP_NOT_FOUND);

    call->s->left_n += !is_gone;
    call->r = NULL;
    call->s->calls_n--;
}

/* ---- requests ---------------------------------------------------------------------------------- */

/* There is one: not all are out. */
static struct s3_call *call_slot(struct sl_s3 *s)
{
    unsigned i = 0;

    while (i < CALLS_MAX - 1 && s->calls[i].r != NULL) {
        i++;
    }
    return &s->calls[i];
}

static void wait_below(struct sl_s3 *s, unsigned n)
{
    while (s->calls_n > n) {
        (void)s->settings.wait.until(s->settings.wait.self, -1, 0,
                                     sl_clock_now_ms() + FETCH_TIMEOUT_MS);
    }
}

static sl_rc call_start(struct sl_s3 *s, const struct s3_call *what, struct sl_aws_call *call,
                        struct sl_err *e)
{
    struct s3_call *out;
    sl_rc rc;

    wait_below(s, CALLS_MAX - 1);
    out = call_slot(s);
    *out = *what;
    call->ctx = out;
    call->timeout_ms = FETCH_TIMEOUT_MS;
    call->reply_max_bytes = s->settings.object_max_bytes + ERROR_BYTES;
    rc = sl_aws_call_start(&s->caller, call, e);
    if (rc != SL_OK) {
        out->r = NULL;
        return rc;
    }
    s->calls_n++;
    return SL_OK;
}

static sl_rc object_fetch(struct sl_s3 *s, struct sl_batch *b, struct sl_record *r, sl_str path,
                          struct sl_err *e)
{
    const struct s3_call what = { s, b, r };
    struct sl_aws_call call = { .path = path, .range = s->range, .done = call_done };

    if (r->object_path.ptr == NULL) { /* once: an outage may last for thousands of attempts */
        r->object_path = sl_arena_copy(&b->arena, path);
    }
    return r->object_path.ptr == NULL ? SL_FAIL(e, SL_NOMEM, "no memory for a pointer")
                                      : call_start(s, &what, &call, e);
}

static sl_rc record_fetch(struct sl_s3 *s, struct sl_batch *b, struct sl_record *r,
                          struct sl_err *e)
{
    sl_str path;
    sl_rc rc;

    if (r->verdict.reason != SL_REASON_NONE || r->has_object) {
        return SL_OK;
    }
    rc = sl_s3_pointer(s->parser, r->body, &s->arena, &path, &r->verdict.reason, e);
    if (rc == SL_OK && path.len > 0) {
        rc = object_fetch(s, b, r, path, e);
    }
    sl_arena_reset(&s->arena);
    return rc;
}

/* Some objects are refused.  Where others of the batch are given, it is those that are refused; where
 * none is, it may be our rights, which somebody will set right. */
static sl_rc judge_refused(const struct sl_s3 *s, struct sl_batch *b, struct sl_err *e)
{
    bool has_given = false;

    for (unsigned i = 0; i < b->n; i++) {
        has_given = has_given || b->records[i]->has_object;
    }
    if (!has_given) {
        if (e != NULL) {
            *e = s->refusal;
        }
        return s->refusal.rc;
    }
    for (unsigned i = 0; i < b->n; i++) {
        struct sl_record *r = b->records[i];

        if (r->object_path.ptr != NULL && !r->has_object && r->verdict.reason == SL_REASON_NONE) {
            r->verdict.reason = SL_REASON_OBJECT_MISSING;
        }
    }
    return SL_OK;
}

sl_rc sl_s3_fetch(struct sl_s3 *s, struct sl_batch *b, bool *ret_has_more, struct sl_err *e)
{
    const int64_t due_ms = sl_clock_now_ms() + ROUND_MS;
    struct sl_err failure = { 0 };
    unsigned i = 0;

    s->failure = (struct sl_err){ 0 };
    s->refusal = (struct sl_err){ 0 };
    while (i < b->n && failure.rc == SL_OK && s->failure.rc == SL_OK &&
           sl_clock_now_ms() < due_ms) {
        (void)record_fetch(s, b, b->records[i++], &failure);
    }
    wait_below(s, 0); /* nobody else waits for what points into the batch */
    failure = failure.rc != SL_OK ? failure : s->failure;
    if (failure.rc != SL_OK) {
        if (e != NULL) {
            *e = failure;
        }
        return failure.rc;
    }
    *ret_has_more = i < b->n;
    return *ret_has_more || s->refusal.rc == SL_OK ? SL_OK : judge_refused(s, b, e);
}

void sl_s3_delete(struct sl_s3 *s, const struct sl_batch *b)
{
    s->left_n = 0;
    for (unsigned i = 0; i < b->n; i++) {
        struct sl_record *r = b->records[i];
        const struct s3_call what = { .s = s, .r = r };
        struct sl_aws_call call = { .path = r->object_path, .done = delete_done };

        if (r->has_object &&
            (r->outcome == SL_OUTCOME_LOADED || r->outcome == SL_OUTCOME_DUPLICATE)) {
            s->left_n += call_start(s, &what, &call, NULL) != SL_OK;
        }
    }
    wait_below(s, 0);
    if (s->left_n > 0) {
        SL_LOG(SL_LOG_WARN, "could not delete objects of S3; they stay in their bucket",
               sl_field_int("sluice.objects", s->left_n));
    }
}

/* ---- life -------------------------------------------------------------------------------------- */

sl_rc sl_s3_open(const struct sl_s3_settings *settings, struct sl_s3 **ret, struct sl_err *e)
{
    struct sl_s3 *s = calloc(1, sizeof *s);

    if (s == NULL || sl_json_parser_new(POINTER_MAX, &s->parser, e) != SL_OK) {
        free(s);
        return SL_FAIL(e, SL_NOMEM, "could not make a reader of objects");
    }
    s->settings = *settings;
    s->caller = (struct sl_aws_caller){ .http = settings->http,
                                        .target = *settings->target,
                                        .service = "s3" };
    sl_arena_init(&s->arena, ARENA_MAX, 16 << 10);
    (void)snprintf(s->range, sizeof s->range, "Range: bytes=0-%zu", settings->object_max_bytes);
    *ret = s;
    return SL_OK;
}

void sl_s3_close(struct sl_s3 *s)
{
    if (s == NULL) {
        return;
    }
    sl_json_parser_free(s->parser);
    sl_arena_done(&s->arena);
    sl_sigv4_key_done(&s->caller.key);
    free(s);
}
