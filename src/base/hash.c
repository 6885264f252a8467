/* base/hash.c - a hash function of the crypto library. */
#include "base/hash.h"

sl_rc sl_hash_open(struct sl_hash *h, const char *name, struct sl_err *e)
{
    h->md = EVP_MD_fetch(NULL, name, NULL);
    h->ctx = EVP_MD_CTX_new();
    return h->md != NULL && h->ctx != NULL
               ? SL_OK
               : SL_FAIL(e, SL_CRYPTO, "the crypto library has no %s", name);
}

void sl_hash_close(struct sl_hash *h)
{
    EVP_MD_CTX_free(h->ctx); /* wipes its state */
    EVP_MD_free(h->md);
    *h = (struct sl_hash){ 0 };
}

sl_rc sl_hash_of(struct sl_hash *h, const void *bytes, size_t n, unsigned char *out,
                 struct sl_err *e)
{
    return EVP_DigestInit_ex2(h->ctx, h->md, NULL) == 1 &&
                   EVP_DigestUpdate(h->ctx, bytes, n) == 1 &&
                   EVP_DigestFinal_ex(h->ctx, out, NULL) == 1
               ? SL_OK
               : SL_FAIL(e, SL_CRYPTO, "the crypto library refused %s", EVP_MD_get0_name(h->md));
}
