/* masking/cbc.c - AES-CBC with PKCS#7 padding over EVP. */
#include "masking/cbc.h"

#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/base64.h"
#include "masking/digest.h"

enum { BLOCK = SL_CBC_BLOCK };

struct sl_cbc {
    EVP_CIPHER_CTX *seal;
    EVP_CIPHER_CTX *open;
    unsigned char iv[BLOCK];
};

static void cipher_done(EVP_CIPHER **cipher)
{
    EVP_CIPHER_free(*cipher);
}

/* Padding is done here: one call a value instead of two, and none that tells one bad padding
 * from another. */
static EVP_CIPHER_CTX *cbc_keyed(const EVP_CIPHER *aes, const unsigned char *key,
                                 const unsigned char iv[static BLOCK], int is_sealing)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    if (ctx == NULL || EVP_CipherInit_ex2(ctx, aes, key, iv, is_sealing, NULL) != 1 ||
        EVP_CIPHER_CTX_set_padding(ctx, 0) != 1) {
        EVP_CIPHER_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

static sl_rc cbc_make(const char *name, const unsigned char *key,
                      const unsigned char iv[static BLOCK], struct sl_cbc **ret, struct sl_err *e)
{
    SL_AUTO(cipher_done) EVP_CIPHER *aes = EVP_CIPHER_fetch(NULL, name, NULL);
    struct sl_cbc *c;

    if (aes == NULL) {
        return SL_FAIL(e, SL_CRYPTO, "cannot mask: libcrypto has no %s", name);
    }
    c = calloc(1, sizeof *c);
    if (c == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not allocate a cipher context");
    }
    memcpy(c->iv, iv, BLOCK);
    c->seal = cbc_keyed(aes, key, iv, 1);
    c->open = cbc_keyed(aes, key, iv, 0);
    if (c->seal == NULL || c->open == NULL) {
        sl_cbc_free(c);
        return SL_FAIL(e, SL_CRYPTO, "cannot mask: libcrypto refused an AES key");
    }
    *ret = c;
    return SL_OK;
}

sl_rc sl_cbc_new(const unsigned char key[static SL_CBC_KEY_BYTES],
                 const unsigned char iv[static BLOCK], struct sl_cbc **ret, struct sl_err *e)
{
    return cbc_make("AES-256-CBC", key, iv, ret, e);
}

sl_rc sl_cbc_new_128(const unsigned char key[static SL_CBC_KEY_BYTES / 2], struct sl_cbc **ret,
                     struct sl_err *e)
{
    static const unsigned char zeros[BLOCK];

    return cbc_make("AES-128-CBC", key, zeros, ret, e);
}

void sl_cbc_free(struct sl_cbc *c)
{
    if (c != NULL) {
        EVP_CIPHER_CTX_free(c->seal); /* wipes the key schedule */
        EVP_CIPHER_CTX_free(c->open);
        OPENSSL_cleanse(c, sizeof *c);
        free(c);
    }
}

/* Whole blocks where they stand.  Without a key it keeps the one it has.  No Final: without
 * padding there is nothing to flush. */
static bool cbc_run(EVP_CIPHER_CTX *ctx, const unsigned char iv[static BLOCK], unsigned char *bytes,
                    size_t n)
{
    int len = 0;

    return EVP_CipherInit_ex2(ctx, NULL, NULL, iv, -1, NULL) == 1 &&
           EVP_CipherUpdate(ctx, bytes, &len, bytes, (int)n) == 1 && (size_t)len == n;
}

sl_rc sl_cbc_seal(const struct sl_cbc *c, const unsigned char iv[static BLOCK], sl_cleartext value,
                  unsigned char *out, struct sl_err *e)
{
    const size_t n = sl_cbc_padded(value.len);

    if (value.len > SL_CBC_VALUE_MAX) {
        return SL_FAIL(e, SL_VALUE, "value has %zu bytes, at most %d can be masked", value.len,
                       SL_CBC_VALUE_MAX);
    }
    if (value.len > 0) {
        memcpy(out, value.secret, value.len);
    }
    memset(out + value.len, (int)(n - value.len), n - value.len);
    if (!cbc_run(c->seal, iv, out, n)) {
        OPENSSL_cleanse(out, n);
        return SL_FAIL(e, SL_CRYPTO, "cannot mask: libcrypto refused AES-CBC");
    }
    return SL_OK;
}

/* The length of the padding that ends a block, 0 if none does, without a branch on its bytes. */
static unsigned pad_find(const unsigned char block[static BLOCK])
{
    const unsigned pad = block[BLOCK - 1];
    unsigned bad = (pad - 1) >> 4; /* not 1..16 */

    for (unsigned i = 0; i < BLOCK; i++) {
        const unsigned is_pad = (BLOCK - 1 - i - pad) >> 31; /* 1 in the last `pad` bytes */

        bad |= (0U - is_pad) & (block[i] ^ pad);
    }
    return bad == 0 ? pad : 0;
}

static sl_rc cbc_refuse(struct sl_err *e)
{
    return SL_FAIL(e, SL_VALUE, "not a value of AES-CBC in base64 under this key and IV");
}

sl_rc sl_cbc_open(const struct sl_cbc *c, const unsigned char iv[static BLOCK],
                  unsigned char *bytes, size_t n, size_t *ret_n, struct sl_err *e)
{
    unsigned pad;

    if (n == 0 || n % BLOCK != 0 || n > sl_cbc_padded(SL_CBC_VALUE_MAX)) {
        OPENSSL_cleanse(bytes, n);
        return cbc_refuse(e);
    }
    if (!cbc_run(c->open, iv, bytes, n)) {
        OPENSSL_cleanse(bytes, n);
        return SL_FAIL(e, SL_CRYPTO, "cannot unmask: libcrypto refused AES-CBC");
    }
    pad = pad_find(bytes + n - BLOCK);
    if (pad == 0) {
        OPENSSL_cleanse(bytes, n);
        return cbc_refuse(e);
    }
    *ret_n = n - pad;
    return SL_OK;
}

static sl_rc cbc_full(const struct sl_arena *a, struct sl_err *e)
{
    return SL_FAIL(e, SL_NOMEM, "no room for a masked value: arena holds %zu of %zu bytes",
                   a->held_bytes, a->max_bytes);
}

sl_rc sl_cbc_mask(const struct sl_cbc *c, sl_cleartext value, struct sl_arena *a, sl_str *ret,
                  struct sl_err *e)
{
    const size_t n = sl_cbc_padded(value.len);
    unsigned char *sealed;
    char *text;

    if (value.len == 0) {
        *ret = SL_STR("");
        return SL_OK;
    }
    sealed = sl_arena_alloc(a, n);
    text = sealed != NULL ? sl_arena_alloc(a, sl_base64_chars(SL_BASE64, n)) : NULL;
    if (text == NULL) {
        return cbc_full(a, e);
    }
    SL_TRY(sl_cbc_seal(c, c->iv, value, sealed, e));
    *ret = (sl_str){ text, sl_base64_encode(SL_BASE64, sealed, n, text) };
    return SL_OK;
}

sl_rc sl_cbc_unmask(const struct sl_cbc *c, sl_str token, struct sl_arena *a, sl_cleartext *ret,
                    struct sl_err *e)
{
    unsigned char *bytes;
    size_t n = 0;

    if (token.len == 0) {
        *ret = sl_cleartext_of(SL_STR(""));
        return SL_OK;
    }
    bytes = sl_arena_alloc(a, sl_plain_bytes(token));
    if (bytes == NULL) {
        return cbc_full(a, e);
    }
    if (!sl_plain_decode(token, bytes, &n)) {
        return cbc_refuse(e);
    }
    SL_TRY(sl_cbc_open(c, c->iv, bytes, n, &n, e));
    *ret = (sl_cleartext){ (const char *)bytes, n };
    return SL_OK;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool hex_read(sl_str text, unsigned char *out)
{
    for (size_t i = 0; i < text.len / 2; i++) {
        const int high = hex_value(text.ptr[2 * i]);
        const int low = hex_value(text.ptr[2 * i + 1]);

        if (high < 0 || low < 0) {
            return false;
        }
        out[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

sl_rc sl_cbc_bytes(sl_str text, size_t n, unsigned char *out, struct sl_err *e)
{
    size_t got = 0;
    bool ok;

    if (text.len == 2 * n) {
        ok = hex_read(text, out);
    } else {
        ok = sl_base64_decode(SL_BASE64, text, out, n, &got) && got == n;
    }
    if (!ok) {
        OPENSSL_cleanse(out, n);
        return SL_FAIL(e, SL_CONFIG,
                       "not %zu bytes: give %zu hex digits, or base64 of %zu characters", n, 2 * n,
                       sl_base64_chars(SL_BASE64, n));
    }
    return SL_OK;
}
