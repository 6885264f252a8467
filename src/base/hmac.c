/* base/hmac.c - HMAC-SHA-256 under a key that is set once. */
#include "base/hmac.h"

#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

struct sl_hmac {
    EVP_MAC_CTX *ctx; /* keeps the key's two hash states, which is what makes it fast */
};

static void mac_done(EVP_MAC **mac)
{
    EVP_MAC_free(*mac);
}

static EVP_MAC_CTX *hmac_keyed(const unsigned char *key, size_t n)
{
    SL_AUTO(mac_done) EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    if (ctx == NULL || EVP_MAC_init(ctx, key, n, params) != 1) {
        EVP_MAC_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

sl_rc sl_hmac_new(const unsigned char *key, size_t n, struct sl_hmac **ret, struct sl_err *e)
{
    struct sl_hmac *h;

    if (n == 0) {
        return SL_FAIL(e, SL_BUG, "the key of an HMAC is empty");
    }
    h = calloc(1, sizeof *h);
    if (h == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not allocate an HMAC context");
    }
    h->ctx = hmac_keyed(key, n);
    if (h->ctx == NULL) {
        sl_hmac_free(h);
        return SL_FAIL(e, SL_CRYPTO, "libcrypto cannot compute HMAC-SHA-256");
    }
    *ret = h;
    return SL_OK;
}

void sl_hmac_free(struct sl_hmac *h)
{
    if (h != NULL) {
        EVP_MAC_CTX_free(h->ctx); /* wipes the key */
        free(h);
    }
}

sl_rc sl_hmac_of(struct sl_hmac *h, sl_cleartext value, unsigned char out[static SL_HMAC_BYTES],
                 struct sl_err *e)
{
    size_t n = 0;

    /* Without a key it starts over under the one it has. */
    if (EVP_MAC_init(h->ctx, NULL, 0, NULL) != 1 ||
        (value.len > 0 &&
         EVP_MAC_update(h->ctx, (const unsigned char *)value.secret, value.len) != 1) ||
        EVP_MAC_final(h->ctx, out, &n, SL_HMAC_BYTES) != 1 || n != SL_HMAC_BYTES) {
        OPENSSL_cleanse(out, SL_HMAC_BYTES);
        return SL_FAIL(e, SL_CRYPTO, "libcrypto cannot compute HMAC-SHA-256");
    }
    return SL_OK;
}
