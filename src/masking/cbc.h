/* masking/cbc.h - AES-CBC with PKCS#7 padding: the method aes-cbc, and the cipher of Fernet.
 *
 * With one key and one IV, equal values give equal results and others can read them.  It is not
 * authenticated: who changes a result may change the value and go unnoticed; and values that
 * share their first 16 bytes share the first 16 bytes of their results.
 */
#ifndef SLUICE_MASKING_CBC_H
#define SLUICE_MASKING_CBC_H

#include "base/arena.h"
#include "base/cleartext.h"
#include "base/err.h"

enum {
    SL_CBC_BLOCK = 16,                   /* bytes; also of an IV */
    SL_CBC_KEY_BYTES = 32,               /* AES-256 */
    SL_CBC_VALUE_MAX = 64 * 1024 * 1024, /* bytes */
};

struct sl_cbc;

/* Make the contexts of AES-256-CBC under one key and one IV; the caller wipes its own copies.
 * Errors:  SL_CRYPTO (stop), SL_NOMEM (retry)
 * Threads: one per sl_cbc */
sl_rc sl_cbc_new(const unsigned char key[static SL_CBC_KEY_BYTES],
                 const unsigned char iv[static SL_CBC_BLOCK], struct sl_cbc **ret, struct sl_err *e)
    SL_MUST_CHECK;

/* The same of AES-128-CBC for Fernet, which brings an IV with each value; of its own it has one
 * of zeros. */
sl_rc sl_cbc_new_128(const unsigned char key[static SL_CBC_KEY_BYTES / 2], struct sl_cbc **ret,
                     struct sl_err *e) SL_MUST_CHECK;
void sl_cbc_free(struct sl_cbc *c);

/* Mask one value.
 *
 *     *ret = base64(AES-256-CBC(key, iv, PKCS#7(value)))
 *
 * Shape:   value up to 64 MiB, any bytes; "" stays ""; *ret has + / and = padding, 24 characters
 *          for 1..15 bytes, 44 for 16..31
 * Owns:    *ret lives in `a`
 * Errors:  SL_VALUE (dead letter) too long; SL_NOMEM (retry), SL_CRYPTO (stop)
 * Source:  NIST SP 800-38A; RFC 5652 section 6.3 (padding); vectors: tests/unit/test_cbc.c
 */
sl_rc sl_cbc_mask(const struct sl_cbc *c, sl_cleartext value, struct sl_arena *a, sl_str *ret,
                  struct sl_err *e) SL_MUST_CHECK;

/* Recover a value.
 *
 * Shape:   base64 as sl_plain_decode takes it; "" stays ""
 * Owns:    *ret lives in `a`
 * Errors:  SL_VALUE (dead letter)  with one text for every cause, so that it tells nobody whether
 *          it was the padding; SL_NOMEM (retry), SL_CRYPTO (stop)
 */
sl_rc sl_cbc_unmask(const struct sl_cbc *c, sl_str token, struct sl_arena *a, sl_cleartext *ret,
                    struct sl_err *e) SL_MUST_CHECK;

/* Bytes that `n` become with their padding: 1 to 16 more. */
static inline size_t sl_cbc_padded(size_t n)
{
    return (n / SL_CBC_BLOCK + 1) * SL_CBC_BLOCK;
}

/* Pad and encrypt: out receives sl_cbc_padded(value.len) bytes.
 * Errors: SL_VALUE (dead letter) too long; SL_CRYPTO (stop); out is wiped */
sl_rc sl_cbc_seal(const struct sl_cbc *c, const unsigned char iv[static SL_CBC_BLOCK],
                  sl_cleartext value, unsigned char *out, struct sl_err *e) SL_MUST_CHECK;

/* Decrypt `n` bytes where they stand and find the padding.
 * Shape:   *ret_n is what is left without the padding
 * Errors:  SL_VALUE (dead letter)  no whole blocks, or no padding that encrypting makes; it takes
 *          as long whichever; SL_CRYPTO (stop); the bytes are wiped */
sl_rc sl_cbc_open(const struct sl_cbc *c, const unsigned char iv[static SL_CBC_BLOCK],
                  unsigned char *bytes, size_t n, size_t *ret_n, struct sl_err *e) SL_MUST_CHECK;

/* Read a configured key or IV.
 *
 * Shape:   hex of 2n digits, or base64 with + / and = padding, of exactly n bytes
 * Errors:  SL_CONFIG (stop)  anything else, and never what it was; out is wiped
 */
sl_rc sl_cbc_bytes(sl_str text, size_t n, unsigned char *out, struct sl_err *e) SL_MUST_CHECK;

#endif
