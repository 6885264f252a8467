/* masking/digest.h - SHA-256 in hex, and base64: what is often called masking and has no key.
 *
 * Here for those who must go on with it.  Neither hides a value that can be guessed: an IPv4
 * address is one of 2^32, and sl_digest_ipv4_seconds says how long those take.
 */
#ifndef SLUICE_MASKING_DIGEST_H
#define SLUICE_MASKING_DIGEST_H

#include "base/arena.h"
#include "base/cleartext.h"
#include "base/err.h"

enum { SL_DIGEST_CHARS = 64 };

struct sl_digest;

/* Make a SHA-256 context.
 * Errors:  SL_CRYPTO (stop), SL_NOMEM (retry)
 * Threads: one per sl_digest */
sl_rc sl_digest_new(struct sl_digest **ret, struct sl_err *e) SL_MUST_CHECK;
void sl_digest_free(struct sl_digest *d);

/* Hash one value.
 *
 * Shape:   value any bytes, also none: whoever keeps "" as "" does so before; *ret is 64
 *          characters, 0-9 a-f
 * Owns:    *ret lives in `a`
 * Errors:  SL_NOMEM (retry), SL_CRYPTO (stop)
 * Source:  FIPS 180-4; vectors: tests/unit/test_digest.c
 */
sl_rc sl_digest_of(struct sl_digest *d, sl_cleartext value, struct sl_arena *a, sl_str *ret,
                   struct sl_err *e) SL_MUST_CHECK;

/* Measure how fast this machine hashes IPv4 addresses.
 *
 * Returns: the seconds that one core would need for all 2^32; 0 when it cannot be measured.
 *          Others are faster: special code twice, a graphics card a thousand times
 * Cost:    about 10 ms of computing
 */
double sl_digest_ipv4_seconds(struct sl_digest *d);

/* Encode a value in base64, which hides nothing.
 * Shape:   *ret has + / and = padding, no line ends; "" stays ""
 * Owns:    *ret lives in `a`
 * Errors:  SL_NOMEM (retry) */
sl_rc sl_plain_base64(sl_cleartext value, struct sl_arena *a, sl_str *ret, struct sl_err *e)
    SL_MUST_CHECK;

/* Decode it again.
 * Shape:   as sl_plain_decode
 * Owns:    *ret lives in `a`
 * Errors:  SL_VALUE (dead letter)  any other spelling; SL_NOMEM (retry) */
sl_rc sl_plain_base64_back(sl_str text, struct sl_arena *a, sl_cleartext *ret, struct sl_err *e)
    SL_MUST_CHECK;

/* Decode base64 as other programs wrote it.
 *
 * Shape:   + / and = padding, the one spelling that encoding gives; or that in lines of 64
 *          characters, as `openssl enc -a` breaks them, or of 76, as PostgreSQL's encode() does;
 *          a line end after the last line may be there.  out has room for sl_plain_bytes(text)
 * Returns: false, with anything in out, when it is spelled otherwise
 */
bool sl_plain_decode(sl_str text, unsigned char *out, size_t *ret_n);

/* As many bytes as `text` may decode to, or a few more. */
static inline size_t sl_plain_bytes(sl_str text)
{
    return text.len / 4 * 3 + 3;
}

#endif
