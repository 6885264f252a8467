/* keys/hkdf.c - HKDF-SHA256, extract and expand in one call. */
#include "keys/hkdf.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

static void kdf_done(EVP_KDF **kdf)
{
    EVP_KDF_free(*kdf);
}

static void kdf_ctx_done(EVP_KDF_CTX **ctx)
{
    EVP_KDF_CTX_free(*ctx);
}

/* OSSL_PARAM has no const; libcrypto only reads these. */
static OSSL_PARAM hkdf_bytes(const char *name, const void *bytes, size_t n)
{
    return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)bytes, n);
}

sl_rc sl_hkdf_sha256(const struct sl_hkdf *in, unsigned char *out, size_t n, struct sl_err *e)
{
    SL_AUTO(kdf_done) EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    SL_AUTO(kdf_ctx_done) EVP_KDF_CTX *ctx = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        hkdf_bytes(OSSL_KDF_PARAM_KEY, in->ikm, in->ikm_n),
        hkdf_bytes(OSSL_KDF_PARAM_SALT, in->salt.ptr, in->salt.len),
        hkdf_bytes(OSSL_KDF_PARAM_INFO, in->info.ptr, in->info.len),
        OSSL_PARAM_construct_end(),
    };

    if (ctx == NULL || EVP_KDF_derive(ctx, out, n, params) != 1) {
        OPENSSL_cleanse(out, n);
        return SL_FAIL(e, SL_CRYPTO, "cannot derive a key: libcrypto refused HKDF-SHA256");
    }
    return SL_OK;
}
