/* masking/fernet.c - Fernet tokens: AES-128-CBC, then HMAC-SHA-256 over everything. */
#include "masking/fernet.h"

#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/hmac.h"
#include "masking/cbc.h"

enum {
    VERSION = 0x80,
    IV_AT = 1 + 8,                           /* behind version and time */
    HEAD = IV_AT + SL_FERNET_IV_BYTES,       /* bytes before the ciphertext */
    TAIL = SL_HMAC_BYTES,                    /* bytes behind it */
    RAW_MIN = HEAD + SL_CBC_BLOCK + TAIL,    /* bytes of the shortest token */
    SIGNING_BYTES = SL_FERNET_KEY_BYTES / 2, /* the rest encrypts */
};

struct sl_fernet {
    struct sl_hmac *mac;
    struct sl_cbc *cbc;
};

/* Characters of base64url with the padding that tokens have. */
static size_t padded_chars(size_t n_bytes)
{
    return (n_bytes + 2) / 3 * 4;
}

static size_t padded_encode(const unsigned char *bytes, size_t n, char *out)
{
    size_t len = sl_base64_encode(SL_BASE64URL, bytes, n, out);

    while (len % 4 != 0) {
        out[len++] = '=';
    }
    return len;
}

/* Padding is a matter of the length: strip it, and refuse what encoding would have padded else. */
static bool padded_decode(sl_str text, unsigned char *out, size_t max, size_t *ret_n)
{
    const size_t whole = text.len;

    while (text.len > 0 && whole - text.len < 2 && text.ptr[text.len - 1] == '=') {
        text.len--;
    }
    return whole == (text.len + 3) / 4 * 4 && sl_base64_decode(SL_BASE64URL, text, out, max, ret_n);
}

sl_rc sl_fernet_key(sl_str text, unsigned char key[static SL_FERNET_KEY_BYTES], struct sl_err *e)
{
    size_t n = 0;

    if (!padded_decode(text, key, SL_FERNET_KEY_BYTES, &n) || n != SL_FERNET_KEY_BYTES) {
        OPENSSL_cleanse(key, SL_FERNET_KEY_BYTES);
        return SL_FAIL(e, SL_CONFIG, "not a Fernet key: give 32 bytes as base64url, 44 characters");
    }
    return SL_OK;
}

sl_rc sl_fernet_new(const unsigned char key[static SL_FERNET_KEY_BYTES], struct sl_fernet **ret,
                    struct sl_err *e)
{
    struct sl_fernet *f = calloc(1, sizeof *f);
    sl_rc rc;

    if (f == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not allocate a Fernet context");
    }
    rc = sl_hmac_new(key, SIGNING_BYTES, &f->mac, e);
    if (rc == SL_OK) {
        rc = sl_cbc_new_128(key + SIGNING_BYTES, &f->cbc, e);
    }
    if (rc != SL_OK) {
        sl_fernet_free(f);
        return rc;
    }
    *ret = f;
    return SL_OK;
}

void sl_fernet_free(struct sl_fernet *f)
{
    if (f != NULL) {
        sl_hmac_free(f->mac);
        sl_cbc_free(f->cbc);
        free(f);
    }
}

/* The code over the first `n` bytes of a token. */
static sl_rc fernet_sign(struct sl_fernet *f, const unsigned char *raw, size_t n,
                         unsigned char out[static TAIL], struct sl_err *e)
{
    return sl_hmac_of(f->mac, (sl_cleartext){ (const char *)raw, n }, out, e);
}

static void head_put(unsigned char *raw, int64_t at_s,
                     const unsigned char iv[static SL_FERNET_IV_BYTES])
{
    raw[0] = VERSION;
    for (int i = 0; i < 8; i++) {
        raw[1 + i] = (unsigned char)((uint64_t)at_s >> (56 - 8 * i));
    }
    memcpy(raw + IV_AT, iv, SL_FERNET_IV_BYTES);
}

static sl_rc fernet_full(const struct sl_arena *a, struct sl_err *e)
{
    return SL_FAIL(e, SL_NOMEM, "no room for a masked value: arena holds %zu of %zu bytes",
                   a->held_bytes, a->max_bytes);
}

sl_rc sl_fernet_seal(struct sl_fernet *f, sl_cleartext value, int64_t at_s,
                     const unsigned char iv[static SL_FERNET_IV_BYTES], struct sl_arena *a,
                     sl_str *ret, struct sl_err *e)
{
    const size_t n = sl_cbc_padded(value.len);
    unsigned char *raw;
    char *token;

    if (at_s < 0) {
        return SL_FAIL(e, SL_BUG, "no Fernet token is from before 1970");
    }
    raw = sl_arena_alloc(a, HEAD + n + TAIL);
    token = raw != NULL ? sl_arena_alloc(a, padded_chars(HEAD + n + TAIL)) : NULL;
    if (token == NULL) {
        return fernet_full(a, e);
    }
    head_put(raw, at_s, iv);
    SL_TRY(sl_cbc_seal(f->cbc, iv, value, raw + HEAD, e));
    SL_TRY(fernet_sign(f, raw, HEAD + n, raw + HEAD + n, e));
    *ret = (sl_str){ token, padded_encode(raw, HEAD + n + TAIL, token) };
    return SL_OK;
}

/* Is it genuine?  Asked before anything is decrypted. */
static sl_rc fernet_verify(struct sl_fernet *f, const unsigned char *raw, size_t n,
                           struct sl_err *e)
{
    unsigned char mac[TAIL];
    int differs;

    SL_TRY(fernet_sign(f, raw, n - TAIL, mac, e));
    differs = CRYPTO_memcmp(mac, raw + n - TAIL, TAIL);
    OPENSSL_cleanse(mac, sizeof mac); /* the right one for a forgery */
    if (differs != 0) {
        return SL_FAIL(e, SL_VALUE, "Fernet token is altered, or of another key");
    }
    return SL_OK;
}

sl_rc sl_fernet_open(struct sl_fernet *f, sl_str token, struct sl_arena *a, sl_cleartext *ret,
                     struct sl_err *e)
{
    const size_t max = token.len / 4 * 3 + 3;
    unsigned char *raw = sl_arena_alloc(a, max);
    unsigned char *body;
    size_t n = 0;
    sl_rc rc;

    if (raw == NULL) {
        return fernet_full(a, e);
    }
    if (!padded_decode(token, raw, max, &n) || n < RAW_MIN || (n - RAW_MIN) % SL_CBC_BLOCK != 0 ||
        raw[0] != VERSION) {
        return SL_FAIL(e, SL_VALUE, "not a Fernet token");
    }
    SL_TRY(fernet_verify(f, raw, n, e));
    body = raw + HEAD;
    rc = sl_cbc_open(f->cbc, raw + IV_AT, body, n - HEAD - TAIL, &n, e);
    if (rc == SL_VALUE) {
        return SL_FAIL(e, SL_VALUE, "Fernet token is genuine but its padding is not");
    }
    SL_TRY(rc);
    *ret = (sl_cleartext){ (const char *)body, n };
    return SL_OK;
}

sl_rc sl_fernet_mask(struct sl_fernet *f, sl_cleartext value, struct sl_arena *a, sl_str *ret,
                     struct sl_err *e)
{
    unsigned char iv[SL_FERNET_IV_BYTES];

    if (value.len == 0) {
        *ret = SL_STR("");
        return SL_OK;
    }
    if (RAND_bytes(iv, sizeof iv) != 1) {
        return SL_FAIL(e, SL_CRYPTO, "cannot mask: libcrypto has no random bytes");
    }
    return sl_fernet_seal(f, value, sl_clock_at_ms() / 1000, iv, a, ret, e);
}
