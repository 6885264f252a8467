/* net/aws_sigv4.c - AWS Signature Version 4. */
#include "net/aws_sigv4.h"

#include <stdio.h>
#include <time.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/hex.h"

enum {
    HASH_BYTES = 32,
    SECRET_MAX = 256, /* bytes; AWS makes them 40 long */
    HEAD_MAX_BYTES = 64 * 1024,
    SCOPE_MAX_BYTES = 1024,
    DAY_CHARS = 8,
};

/* Fetched once a signature, not once a hash: looking an algorithm up costs more than hashing. */
struct sigv4_crypto {
    EVP_MD *md;
    EVP_MAC *mac;
};

static void sigv4_crypto_done(struct sigv4_crypto *crypto)
{
    EVP_MD_free(crypto->md);
    EVP_MAC_free(crypto->mac);
}

static void mac_ctx_done(EVP_MAC_CTX **ctx)
{
    EVP_MAC_CTX_free(*ctx);
}

static sl_rc sigv4_hash(const struct sigv4_crypto *crypto, sl_str s,
                        unsigned char out[static HASH_BYTES], struct sl_err *e)
{
    unsigned n = 0;

    if (EVP_Digest(s.ptr, s.len, out, &n, crypto->md, NULL) != 1 || n != HASH_BYTES) {
        return SL_FAIL(e, SL_CRYPTO, "the crypto library cannot compute SHA-256");
    }
    return SL_OK;
}

static sl_rc sigv4_mac(const struct sigv4_crypto *crypto, sl_str key, sl_str s,
                       unsigned char out[static HASH_BYTES], struct sl_err *e)
{
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    SL_AUTO(mac_ctx_done) EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(crypto->mac);
    size_t n = 0;

    if (ctx == NULL || EVP_MAC_init(ctx, (const unsigned char *)key.ptr, key.len, params) != 1 ||
        EVP_MAC_update(ctx, (const unsigned char *)s.ptr, s.len) != 1 ||
        EVP_MAC_final(ctx, out, &n, HASH_BYTES) != 1 || n != HASH_BYTES) {
        return SL_FAIL(e, SL_CRYPTO, "the crypto library cannot compute HMAC-SHA-256");
    }
    return SL_OK;
}

static sl_str hash_str(const unsigned char hash[static HASH_BYTES])
{
    return (sl_str){ (const char *)hash, HASH_BYTES };
}

static void buf_add_hex(struct sl_buf *b, const unsigned char hash[static HASH_BYTES])
{
    char digits[2 * HASH_BYTES];

    sl_hex(hash, HASH_BYTES, digits);
    sl_buf_add(b, digits, sizeof digits);
}

void sl_sigv4_date(int64_t at_ms, char out[static 17])
{
    const time_t seconds = (time_t)(at_ms / 1000);
    struct tm t;

    (void)gmtime_r(&seconds, &t);
    (void)snprintf(out, 17, "%04u%02u%02uT%02u%02u%02uZ", (unsigned)(t.tm_year + 1900) % 10000,
                   (unsigned)(t.tm_mon + 1) % 100, (unsigned)t.tm_mday % 100,
                   (unsigned)t.tm_hour % 100, (unsigned)t.tm_min % 100, (unsigned)t.tm_sec % 100);
}

/* kSigning = HMAC(HMAC(HMAC(HMAC("AWS4" secret, date), region), service), "aws4_request") */
static sl_rc sigv4_derive(const struct sigv4_crypto *crypto, sl_str secret, const sl_str parts[4],
                          unsigned char out[static HASH_BYTES], struct sl_err *e)
{
    unsigned char key[4 + SECRET_MAX] = "AWS4";
    size_t key_len = 4 + secret.len;
    sl_rc rc = SL_OK;

    if (secret.len > SECRET_MAX) {
        return SL_FAIL(e, SL_CRYPTO, "the AWS secret access key is %zu bytes, over the limit of %d",
                       secret.len, SECRET_MAX);
    }
    if (secret.len > 0) {
        memcpy(key + 4, secret.ptr, secret.len);
    }
    for (size_t i = 0; i < 4 && rc == SL_OK; i++) {
        unsigned char next[HASH_BYTES] = { 0 };

        rc = sigv4_mac(crypto, (sl_str){ (const char *)key, key_len }, parts[i], next, e);
        memcpy(key, next, HASH_BYTES);
        key_len = HASH_BYTES;
        explicit_bzero(next, sizeof next);
    }
    if (rc == SL_OK) {
        memcpy(out, key, HASH_BYTES);
    }
    explicit_bzero(key, sizeof key);
    return rc;
}

/* The key of `day`, from the cache or, on a new day, derived. */
static sl_rc sigv4_key_of_day(const struct sigv4_crypto *crypto, sl_str secret,
                              const sl_str parts[4], struct sl_sigv4_key *key, struct sl_err *e)
{
    if (sl_str_eq(sl_str_of(key->date), parts[0])) {
        return SL_OK;
    }
    SL_TRY(sigv4_derive(crypto, secret, parts, key->key, e));
    (void)snprintf(key->date, sizeof key->date, "%" SL_FMT, SL_ARG(parts[0]));
    return SL_OK;
}

static void add_signed_names(struct sl_buf *b, const struct sl_sigv4_request *request)
{
    for (unsigned i = 0; i < request->headers_n; i++) {
        if (i > 0) {
            sl_buf_add_char(b, ';');
        }
        sl_buf_add_str(b, request->headers[i].name);
    }
}

/* The hash of the canonical request. */
static sl_rc sigv4_request_hash(const struct sigv4_crypto *crypto,
                                const struct sl_sigv4_request *request,
                                unsigned char out[static HASH_BYTES], struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf b;
    unsigned char body_hash[HASH_BYTES];

    sl_buf_init(&b, HEAD_MAX_BYTES);
    SL_TRY(sigv4_hash(crypto, request->body, body_hash, e));
    sl_buf_printf(&b, "%" SL_FMT "\n%" SL_FMT "\n%" SL_FMT "\n", SL_ARG(request->method),
                  SL_ARG(request->path), SL_ARG(request->query));
    for (unsigned i = 0; i < request->headers_n; i++) {
        sl_buf_printf(&b, "%" SL_FMT ":%" SL_FMT "\n", SL_ARG(request->headers[i].name),
                      SL_ARG(request->headers[i].value));
    }
    sl_buf_add_char(&b, '\n');
    add_signed_names(&b, request);
    sl_buf_add_char(&b, '\n');
    buf_add_hex(&b, body_hash);
    SL_TRY(sl_buf_rc(&b, e));
    return sigv4_hash(crypto, sl_buf_str(&b), out, e);
}

/* What is signed: algorithm, time, scope and hash of the request, one a line. */
static sl_rc sigv4_text(const struct sigv4_crypto *crypto, const struct sl_sigv4_request *request,
                        const char *time_text, sl_str scope, struct sl_buf *b, struct sl_err *e)
{
    unsigned char hash[HASH_BYTES];

    SL_TRY(sigv4_request_hash(crypto, request, hash, e));
    sl_buf_printf(b, "AWS4-HMAC-SHA256\n%s\n%" SL_FMT "\n", time_text, SL_ARG(scope));
    buf_add_hex(b, hash);
    return sl_buf_rc(b, e);
}

static sl_rc sigv4_crypto_open(struct sigv4_crypto *crypto, struct sl_err *e)
{
    crypto->md = EVP_MD_fetch(NULL, "SHA256", NULL);
    crypto->mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    return crypto->md != NULL && crypto->mac != NULL
               ? SL_OK
               : SL_FAIL(e, SL_CRYPTO, "the crypto library has no SHA-256 or no HMAC");
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
    sl_buf_printf(out, "%" SL_FMT "/%" SL_FMT "/%" SL_FMT "/%" SL_FMT, SL_ARG(parts[0]),
                  SL_ARG(parts[1]), SL_ARG(parts[2]), SL_ARG(parts[3]));
}

/* Append the signature in hex. */
static sl_rc sigv4_signature(const struct sigv4_crypto *crypto,
                             const struct sl_sigv4_request *request, const char *time_text,
                             const sl_str parts[4], const struct sl_sigv4_key *key,
                             struct sl_buf *out, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf scope = { .max_bytes = SCOPE_MAX_BYTES };
    SL_AUTO(sl_buf_done) struct sl_buf text = { .max_bytes = SCOPE_MAX_BYTES + 256 };
    unsigned char signature[HASH_BYTES];

    scope_write(parts, &scope);
    SL_TRY(sl_buf_rc(&scope, e));
    SL_TRY(sigv4_text(crypto, request, time_text, sl_buf_str(&scope), &text, e));
    SL_TRY(sigv4_mac(crypto, hash_str(key->key), sl_buf_str(&text), signature, e));
    buf_add_hex(out, signature);
    return sl_buf_rc(out, e);
}

/* NOLINTNEXTLINE(readability-function-size): all of a pure function's inputs */
sl_rc sl_sigv4_sign(const struct sl_sigv4_request *request, const struct sl_aws_creds *creds,
                    sl_str region, sl_str service, int64_t at_ms, struct sl_sigv4_key *key,
                    struct sl_buf *out, struct sl_err *e)
{
    SL_AUTO(sigv4_crypto_done) struct sigv4_crypto crypto = { 0 };
    char time_text[17];
    sl_str parts[4];

    sl_sigv4_date(at_ms, time_text);
    scope_parts(time_text, region, service, parts);
    SL_TRY(sigv4_crypto_open(&crypto, e));
    SL_TRY(sigv4_key_of_day(&crypto, creds->secret_access_key, parts, key, e));
    sl_buf_printf(out, "AWS4-HMAC-SHA256 Credential=%" SL_FMT "/", SL_ARG(creds->access_key_id));
    scope_write(parts, out);
    sl_buf_add_str(out, SL_STR(", SignedHeaders="));
    add_signed_names(out, request);
    sl_buf_add_str(out, SL_STR(", Signature="));
    return sigv4_signature(&crypto, request, time_text, parts, key, out, e);
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
    SL_AUTO(sigv4_crypto_done) struct sigv4_crypto crypto = { 0 };
    SL_AUTO(sl_buf_done) struct sl_buf query = { .max_bytes = HEAD_MAX_BYTES };
    struct sl_sigv4_request mine = *request;
    struct sl_sigv4_key key = { 0 };
    char time_text[17];
    sl_str parts[4];
    sl_rc rc;

    sl_sigv4_date(scope->at_ms, time_text);
    scope_parts(time_text, scope->region, scope->service, parts);
    SL_TRY(presign_query(request, creds, time_text, parts, expires_s, &query, e));
    mine.query = sl_buf_str(&query);
    SL_TRY(sigv4_crypto_open(&crypto, e));
    SL_TRY(sigv4_key_of_day(&crypto, creds->secret_access_key, parts, &key, e));
    sl_buf_printf(out, "%" SL_FMT "&X-Amz-Signature=", SL_ARG(mine.query));
    rc = sigv4_signature(&crypto, &mine, time_text, parts, &key, out, e);
    explicit_bzero(&key, sizeof key);
    return rc;
}
