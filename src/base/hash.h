/* base/hash.h - a hash function of the crypto library, looked up once and used again and again: both
 * cost more than a short text does.
 */
#ifndef SLUICE_BASE_HASH_H
#define SLUICE_BASE_HASH_H

#include <openssl/evp.h>

#include "base/err.h"

/* Zeroed while there is none. */
struct sl_hash {
    EVP_MD *md;
    EVP_MD_CTX *ctx;
};

/* Look one up.
 *
 * Shape:   name as in EVP_MD-common(7), "SHA256"
 * Owns:    end with sl_hash_close, also after a failure
 * Errors:  SL_CRYPTO (stop)  the library has none, or will not let it be used
 * Threads: one per sl_hash
 */
sl_rc sl_hash_open(struct sl_hash *h, const char *name, struct sl_err *e) SL_MUST_CHECK;
void sl_hash_close(struct sl_hash *h);

/* Hash some bytes.
 *
 * Shape:   out has room for what the function gives, EVP_MAX_MD_SIZE at most
 * Errors:  SL_CRYPTO (stop)
 */
sl_rc sl_hash_of(struct sl_hash *h, const void *bytes, size_t n, unsigned char *out,
                 struct sl_err *e) SL_MUST_CHECK;

#endif
