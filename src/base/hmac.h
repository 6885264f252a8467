/* base/hmac.h - HMAC-SHA-256 under a key that is set once.
 *
 * For tokens that nobody can reverse and anyone with the key can make again, and for signatures.
 */
#ifndef SLUICE_BASE_HMAC_H
#define SLUICE_BASE_HMAC_H

#include "base/cleartext.h"
#include "base/err.h"

enum { SL_HMAC_BYTES = 32 };

struct sl_hmac;

/* Make the context of one key; the caller wipes its own copy of the key.
 *
 * Shape:   key 1 byte or more
 * Errors:  SL_CRYPTO (stop), SL_NOMEM (retry), SL_BUG (stop) an empty key
 * Threads: one per sl_hmac
 */
sl_rc sl_hmac_new(const unsigned char *key, size_t n, struct sl_hmac **ret, struct sl_err *e)
    SL_MUST_CHECK;
void sl_hmac_free(struct sl_hmac *h);

/* Compute the code of one value.
 *
 *     out = HMAC-SHA-256(key, value)
 *
 * Shape:   value any bytes, also none: whoever keeps "" as "" does so before
 * Errors:  SL_CRYPTO (stop); out is wiped
 * Source:  RFC 2104; vectors: RFC 4231 in tests/unit/test_hmac.c
 */
sl_rc sl_hmac_of(struct sl_hmac *h, sl_cleartext value, unsigned char out[static SL_HMAC_BYTES],
                 struct sl_err *e) SL_MUST_CHECK;

#endif
