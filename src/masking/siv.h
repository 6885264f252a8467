/* masking/siv.h - RFC 5297 (AES-SIV) over EVP's AES-ECB.
 *
 * Built here rather than taken from EVP because a cached context costs 0.1 us a value, EVP's own
 * AES-SIV at best ten times that; it is the oracle of the tests.
 */
#ifndef SLUICE_MASKING_SIV_H
#define SLUICE_MASKING_SIV_H

#include <openssl/evp.h>

#include "base/err.h"
#include "base/str.h"

enum {
    SL_SIV_BLOCK = 16,
    SL_SIV_KEY_BYTES = 64, /* AES-256: half for S2V, half for CTR */
};

struct sl_siv;

/* What S2V makes of the one associated-data string; one key serves any number of these. */
struct sl_siv_aad {
    unsigned char d[SL_SIV_BLOCK];
};

/* Fetch the block cipher that keys of `key_n` bytes need: fetch once, keep, EVP_CIPHER_free.
 * Shape:   key_n 64, or 32 (AES-128, for the vectors of RFC 5297 only)
 * Errors:  SL_CRYPTO (stop) */
sl_rc sl_siv_fetch(size_t key_n, EVP_CIPHER **ret, struct sl_err *e) SL_MUST_CHECK;

/* Make the contexts of one key; the caller wipes its own copy of the key.
 *
 * Shape:   key is twice as long as the keys of `aes`
 * Errors:  SL_CRYPTO (stop), SL_NOMEM (retry)
 * Threads: one per sl_siv
 */
sl_rc sl_siv_new(const EVP_CIPHER *aes, const unsigned char *key, struct sl_siv **ret,
                 struct sl_err *e) SL_MUST_CHECK;
void sl_siv_free(struct sl_siv *s);

/* Prepare an associated-data string.
 * Shape:   aad at least one byte: "no string" and "one empty string" differ in RFC 5297, and
 *          libraries disagree on the second
 * Errors:  SL_CRYPTO (stop), SL_BUG (stop) empty */
sl_rc sl_siv_aad_init(struct sl_siv_aad *aad, const struct sl_siv *s, sl_str text, struct sl_err *e)
    SL_MUST_CHECK;

/* Seal `n` bytes: out receives V || C, n + 16 bytes.
 *
 *     V = S2V(K1, aad, p);  C = p xor AES-CTR(K2, V with bits 63 and 31 cleared)
 *
 * Shape:   n 1..2^32-1; p may be out + 16, then it is sealed where it stands
 * Errors:  SL_CRYPTO (stop), SL_BUG (stop) n out of range; out is wiped
 * Source:  RFC 5297 section 2.6; vectors: tests/unit/test_siv.c
 */
sl_rc sl_siv_seal(const struct sl_siv *s, const struct sl_siv_aad *aad, const unsigned char *p,
                  size_t n, unsigned char *out, struct sl_err *e) SL_MUST_CHECK;

/* Open `n` bytes of V || C: out receives n - 16 bytes.
 *
 * Shape:   out does not overlap with in
 * Errors:  SL_VALUE (dead letter)  altered, or of another key or aad; SL_CRYPTO (stop);
 *          out is wiped
 * Source:  RFC 5297 section 2.7
 */
sl_rc sl_siv_open(const struct sl_siv *s, const struct sl_siv_aad *aad, const unsigned char *in,
                  size_t n, unsigned char *out, struct sl_err *e) SL_MUST_CHECK;

#endif
