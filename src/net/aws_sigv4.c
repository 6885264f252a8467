/* net/aws_sigv4.c - AWS Signature Version 4. */
#include "net/aws_sigv4.h"

#include <time.h>

#include "base/hex.h"

enum {
    HASH_BYTES = SL_HMAC_BYTES,
    SECRET_MAX = 256, /* bytes; AWS makes them 40 long */
    HEAD_MAX_BYTES = 64 * 1024,
    SCOPE_MAX_BYTES = 1024,
    DAY_CHARS = 8,
};

static void buf_add_hex(struct sl_buf *b, const unsigned char hash[static HASH_BYTES])
{
    char digits[2 * HASH_BYTES];

    sl_hex(hash, HASH_BYTES, digits);
    sl_buf_add(b, digits, sizeof digits);
}

static char *put_digits(char *to, unsigned number, unsigned digits)
{
    for (unsigned i = digits; i-- > 0; number /= 10) {
        to[i] = (char)('0' + number % 10);
    }
    return to + digits;
}

void sl_sigv4_date(int64_t at_ms, char out[static 17])
{
    const time_t seconds = (time_t)(at_ms / 1000);
    struct tm t;

    (void)gmtime_r(&seconds, &t);
    out = put_digits(out, (unsigned)t.tm_year + 1900, 4);
    out = put_digits(out, (unsigned)t.tm_mon + 1, 2);
    out = put_digits(out, (unsigned)t.tm_mday, 2);
    *out++ = 'T';
    out = put_digits(out, (unsigned)t.tm_hour, 2);
    out = put_digits(out, (unsigned)t.tm_min, 2);
    out = put_digits(out, (unsigned)t.tm_sec, 2);
    memcpy(out, "Z", 2);
}

/* ---- the key of a day --------------------------------------------------------------------------- */

/* The next link of the chain below. */
static sl_rc sigv4_link(struct sl_hmac **mac, sl_str part, struct sl_err *e)
{
    unsigned char key[HASH_BYTES];
    sl_rc rc = sl_hmac_of(*mac, sl_cleartext_of(part), key, e);

    sl_hmac_free(*mac);
    *mac = NULL;
    if (rc == SL_OK) {
        rc = sl_hmac_new(key, sizeof key, mac, e);
    }
    explicit_bzero(key, sizeof key);
    return rc;
}

/* kSigning = HMAC(HMAC(HMAC(HMAC("AWS4" secret, date), region), service), "aws4_request") */
static sl_rc sigv4_derive(sl_str secret, const sl_str parts[4], struct sl_hmac **ret,
                          struct sl_err *e)
{
    unsigned char key[4 + SECRET_MAX] = "AWS4";
    sl_rc rc;

    if (secret.len > SECRET_MAX) {
        return SL_FAIL(e, SL_CRYPTO, "the AWS secret access key is %zu bytes, over the limit of %d",
                       secret.len, SECRET_MAX);
    }
    if (secret.len > 0) {
        memcpy(key + 4, secret.ptr, secret.len);
    }
    rc = sl_hmac_new(key, 4 + secret.len, ret, e);
    for (size_t i = 0; i < 4 && rc == SL_OK; i++) {
        rc = sigv4_link(ret, parts[i], e);
    }
    explicit_bzero(key, sizeof key);
    return rc;
}

/* Make the key good for the day of `parts`, unless it is. */
static sl_rc sigv4_key_of_day(struct sl_sigv4_key *key, sl_str secret, const sl_str parts[4],
                              struct sl_err *e)
{
    if (sl_str_eq(sl_str_of(key->date), parts[0])) {
        return SL_OK;
    }
    sl_sigv4_key_done(key);
    SL_TRY(sl_hash_open(&key->sha256, "SHA256", e));
    SL_TRY(sigv4_derive(secret, parts, &key->mac, e));
    memcpy(key->date, parts[0].ptr, DAY_CHARS); /* the rest is zero */
    return SL_OK;
}

void sl_sigv4_key_done(struct sl_sigv4_key *key)
{
    sl_hmac_free(key->mac);
    sl_hash_close(&key->sha256);
    *key = (struct sl_sigv4_key){ 0 };
}

/* ---- what is signed ------------------------------------------------------------------------------ */

static void add_signed_names(struct sl_buf *b, const struct sl_sigv4_request *request)
{
    for (unsigned i = 0; i < request->headers_n; i++) {
        if (i > 0) {
            sl_buf_add_char(b, ';');
        }
        sl_buf_add_str(b, request->headers[i].name);
    }
}

static void add_line(struct sl_buf *b, sl_str s)
{
    sl_buf_add_str(b, s);
    sl_buf_add_char(b, '\n');
}

/* The hash of the canonical request. */
static sl_rc sigv4_request_hash(struct sl_sigv4_key *key, const struct sl_sigv4_request *request,
                                unsigned char out[static HASH_BYTES], struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf b;
    unsigned char body_hash[HASH_BYTES];

    sl_buf_init(&b, HEAD_MAX_BYTES);
    SL_TRY(sl_hash_of(&key->sha256, request->body.ptr, request->body.len, body_hash, e));
    add_line(&b, request->method);
    add_line(&b, request->path);
    add_line(&b, request->query);
    for (unsigned i = 0; i < request->headers_n; i++) {
        sl_buf_add_str(&b, request->headers[i].name);
        sl_buf_add_char(&b, ':');
        add_line(&b, request->headers[i].value);
    }
    sl_buf_add_char(&b, '\n');
    add_signed_names(&b, request);
    sl_buf_add_char(&b, '\n');
    buf_add_hex(&b, body_hash);
    SL_TRY(sl_buf_rc(&b, e));
    return sl_hash_of(&key->sha256, b.ptr, b.len, out, e);
}

/* The parts of a scope, one after the other; `time_text` stays where it is. */
static void scope_parts(const char *time_text, sl_str region, sl_str service, sl_str ret[4])
{
    ret[0] = (sl_str){ time_text, DAY_CHARS };
    ret[1] = region;
    ret[2] = service;
    ret[3] = SL_STR("aws4_request");
}

static void scope_write(const sl_str parts[4], struct sl_buf *out)
{
    for (unsigned i = 0; i < 4; i++) {
        if (i > 0) {
            sl_buf_add_char(out, '/');
        }
        sl_buf_add_str(out, parts[i]);
    }
}

/* Append the signature in hex: of algorithm, time, scope and hash of the request, one a line. */
static sl_rc sigv4_signature(struct sl_sigv4_key *key, const struct sl_sigv4_request *request,
                             const char *time_text, const sl_str parts[4], struct sl_buf *out,
                             struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf text;
    unsigned char hash[HASH_BYTES];

    sl_buf_init(&text, SCOPE_MAX_BYTES);
    SL_TRY(sigv4_request_hash(key, request, hash, e));
    add_line(&text, SL_STR("AWS4-HMAC-SHA256"));
    add_line(&text, sl_str_of(time_text));
    scope_write(parts, &text);
    sl_buf_add_char(&text, '\n');
    buf_add_hex(&text, hash);
    SL_TRY(sl_buf_rc(&text, e));
    SL_TRY(sl_hmac_of(key->mac, sl_cleartext_of(sl_buf_str(&text)), hash, e));
    buf_add_hex(out, hash);
    return sl_buf_rc(out, e);
}

/* NOLINTNEXTLINE(readability-function-size): all of a pure function's inputs */
sl_rc sl_sigv4_sign(const struct sl_sigv4_request *request, const struct sl_aws_creds *creds,
                    sl_str region, sl_str service, int64_t at_ms, struct sl_sigv4_key *key,
                    struct sl_buf *out, struct sl_err *e)
{
    char time_text[17];
    sl_str parts[4];

    sl_sigv4_date(at_ms, time_text);
    scope_parts(time_text, region, service, parts);
    SL_TRY(sigv4_key_of_day(key, creds->secret_access_key, parts, e));
    sl_buf_add_str(out, SL_STR("AWS4-HMAC-SHA256 Credential="));
    sl_buf_add_str(out, creds->access_key_id);
    sl_buf_add_char(out, '/');
    scope_write(parts, out);
    sl_buf_add_str(out, SL_STR(", SignedHeaders="));
    add_signed_names(out, request);
    sl_buf_add_str(out, SL_STR(", Signature="));
    return sigv4_signature(key, request, time_text, parts, out, e);
}

/* The query up to the signature, in the order of its names. */
static sl_rc presign_query(const struct sl_sigv4_request *request, const struct sl_aws_creds *creds,
                           const char *time_text, const sl_str parts[4], unsigned expires_s,
                           struct sl_buf *out, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf credential = { .max_bytes = SCOPE_MAX_BYTES };

    sl_buf_printf(&credential, "%" SL_FMT "/", SL_ARG(creds->access_key_id));
    scope_write(parts, &credential);
    SL_TRY(sl_buf_rc(&credential, e));
    sl_buf_printf(out, "%" SL_FMT "&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=",
                  SL_ARG(request->query));
    sl_buf_add_percent(out, sl_buf_str(&credential));
    sl_buf_printf(out, "&X-Amz-Date=%s&X-Amz-Expires=%u", time_text, expires_s);
    if (creds->session_token.len > 0) {
        sl_buf_add_str(out, SL_STR("&X-Amz-Security-Token="));
        sl_buf_add_percent(out, creds->session_token);
    }
    sl_buf_add_str(out, SL_STR("&X-Amz-SignedHeaders="));
    add_signed_names(out, request);
    return sl_buf_rc(out, e);
}

sl_rc sl_sigv4_presign(const struct sl_sigv4_request *request, const struct sl_aws_creds *creds,
                       const struct sl_sigv4_scope *scope, unsigned expires_s, struct sl_buf *out,
                       struct sl_err *e)
{
    SL_AUTO(sl_sigv4_key_done) struct sl_sigv4_key key = { 0 };
    SL_AUTO(sl_buf_done) struct sl_buf query = { .max_bytes = HEAD_MAX_BYTES };
    struct sl_sigv4_request mine = *request;
    char time_text[17];
    sl_str parts[4];

    sl_sigv4_date(scope->at_ms, time_text);
    scope_parts(time_text, scope->region, scope->service, parts);
    SL_TRY(presign_query(request, creds, time_text, parts, expires_s, &query, e));
    mine.query = sl_buf_str(&query);
    SL_TRY(sigv4_key_of_day(&key, creds->secret_access_key, parts, e));
    sl_buf_add_str(out, mine.query);
    sl_buf_add_str(out, SL_STR("&X-Amz-Signature="));
    return sigv4_signature(&key, &mine, time_text, parts, out, e);
}
