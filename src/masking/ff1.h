/* masking/ff1.h - FF1 of NIST SP 800-38G: numerals become as many other numerals.
 *
 * A keyed permutation of all runs of one length, nothing more: a changed run is not noticed, and
 * the tweak has to come from elsewhere.
 */
#ifndef SLUICE_MASKING_FF1_H
#define SLUICE_MASKING_FF1_H

#include "base/err.h"
#include "base/str.h"

enum {
    SL_FF1_DIGITS_MAX = 128,
    SL_FF1_RADIX_MAX = 256,
    SL_FF1_DOMAIN_MIN = 1000000, /* SP 800-38G revision 1: fewer values could all be tried */
};

struct sl_ff1;

/* Make the cipher of one key; the caller wipes its own copy of the key.
 *
 * Shape:   key 16, 24 or 32 bytes; radix 2..256
 * Errors:  SL_CRYPTO (stop), SL_NOMEM (retry), SL_BUG (stop) key or radix out of range
 * Threads: one per sl_ff1
 */
sl_rc sl_ff1_new(const unsigned char *key, size_t key_n, unsigned radix, struct sl_ff1 **ret,
                 struct sl_err *e) SL_MUST_CHECK;
void sl_ff1_free(struct sl_ff1 *f);

/* Are there a million runs of `n` numerals, or more? */
bool sl_ff1_domain_is_allowed(unsigned radix, unsigned n);

/* The shortest run whose domain is allowed: 6 for radix 10, 20 for radix 2. */
unsigned sl_ff1_digits_min(unsigned radix);

/* Encrypt or decrypt a run of numerals where it stands.
 *
 * Shape:   digits 0..radix-1, most significant first; n up to 128 in an allowed domain; tweak
 *          any bytes, may be empty
 * Errors:  SL_VALUE (dead letter)  too few numerals for the domain, or over 128
 *          SL_CRYPTO (stop), SL_BUG (stop) a numeral that is not below the radix
 *          On failure the numerals are untouched.
 * Cost:    10 AES calls for a short run and tweak, one after another: about 0.6 us
 * Source:  NIST SP 800-38G algorithms 7 and 8; vectors: tests/unit/test_ff1.c, tests/vectors/
 */
sl_rc sl_ff1_encrypt(struct sl_ff1 *f, sl_str tweak, uint8_t *digits, unsigned n, struct sl_err *e)
    SL_MUST_CHECK;
sl_rc sl_ff1_decrypt(struct sl_ff1 *f, sl_str tweak, uint8_t *digits, unsigned n, struct sl_err *e)
    SL_MUST_CHECK;

#endif
