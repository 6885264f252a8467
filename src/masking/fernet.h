/* masking/fernet.h - Fernet tokens, for those who have readers of them.
 *
 * The IV is random, so equal values give different tokens: nothing joins on them, and no search
 * finds them.  The time of making stands in clear in each.
 */
#ifndef SLUICE_MASKING_FERNET_H
#define SLUICE_MASKING_FERNET_H

#include "base/arena.h"
#include "base/cleartext.h"
#include "base/err.h"

enum {
    SL_FERNET_KEY_BYTES = 32, /* half to sign, half to encrypt */
    SL_FERNET_IV_BYTES = 16,
};

struct sl_fernet;

/* Read a key as Fernet libraries write it.
 * Shape:   text is base64url with = padding, 44 characters
 * Errors:  SL_CONFIG (stop)  anything else, and never what it was; key is wiped */
sl_rc sl_fernet_key(sl_str text, unsigned char key[static SL_FERNET_KEY_BYTES], struct sl_err *e)
    SL_MUST_CHECK;

/* Make the contexts of one key; the caller wipes its own copy of the key.
 * Errors:  SL_CRYPTO (stop), SL_NOMEM (retry)
 * Threads: one per sl_fernet */
sl_rc sl_fernet_new(const unsigned char key[static SL_FERNET_KEY_BYTES], struct sl_fernet **ret,
                    struct sl_err *e) SL_MUST_CHECK;
void sl_fernet_free(struct sl_fernet *f);

/* Seal one value.
 *
 *     token = base64url(0x80 || at_s || iv || AES-128-CBC(PKCS#7(value)) || HMAC-SHA-256)
 *
 * Shape:   value up to 64 MiB, any bytes, also none; at_s from 0; iv never used before; token
 *          100 characters for up to 15 bytes, 120 for 16..31, with = padding
 * Units:   at_s in seconds since 1970-01-01 UTC
 * Owns:    *ret lives in `a`
 * Errors:  SL_VALUE (dead letter) too long; SL_NOMEM (retry), SL_CRYPTO (stop), SL_BUG (stop) a
 *          time before 1970
 * Source:  https://github.com/fernet/spec; vectors: tests/unit/test_fernet.c
 */
sl_rc sl_fernet_seal(struct sl_fernet *f, sl_cleartext value, int64_t at_s,
                     const unsigned char iv[static SL_FERNET_IV_BYTES], struct sl_arena *a,
                     sl_str *ret, struct sl_err *e) SL_MUST_CHECK;

/* Open a token, however old it is: what was masked is to be read for years.
 *
 * Shape:   token in the one spelling that sealing gives; not ""
 * Owns:    *ret lives in `a`
 * Errors:  SL_VALUE (dead letter)  no token, altered in any bit, or of another key
 *          SL_NOMEM (retry), SL_CRYPTO (stop)
 */
sl_rc sl_fernet_open(struct sl_fernet *f, sl_str token, struct sl_arena *a, sl_cleartext *ret,
                     struct sl_err *e) SL_MUST_CHECK;

/* Seal with "" staying "", and with the clock's time and a random IV. */
sl_rc sl_fernet_mask(struct sl_fernet *f, sl_cleartext value, struct sl_arena *a, sl_str *ret,
                     struct sl_err *e) SL_MUST_CHECK;

#endif
