/* masking/masker.h - SEAM: cleartext becomes tokens, and tokens cleartext again.
 *
 * One masker a worker: cipher contexts are never shared between threads.
 */
#ifndef SLUICE_MASKING_MASKER_H
#define SLUICE_MASKING_MASKER_H

#include "base/arena.h"
#include "base/cleartext.h"
#include "base/err.h"
#include "keys/keyring.h"

enum {
    SL_MASK_VALUE_MAX = 159, /* bytes; so that a token always fits varchar(256) */
    SL_MASK_TOKEN_MAX = 247, /* characters, with an id of 8; 241 with one of 2 */
};

struct sl_masker;

/* Make a masker over a ring that outlives it.
 * Errors: SL_CRYPTO (stop), SL_NOMEM (retry) */
sl_rc sl_masker_new(const struct sl_keyring *ring, struct sl_masker **ret, struct sl_err *e)
    SL_MUST_CHECK;
void sl_masker_free(struct sl_masker *m);

/* Mask one value under the active key.
 *
 *     token = "v1." id "." base64url(AES-256-SIV(K, AAD = "v1." id "." context, padded value))
 *
 * Shape:   value 0..159 bytes, any bytes; "" stays ""; token 49 characters for 1..15 bytes with
 *          an id of 2 characters
 * Owns:    *ret lives in `a`
 * Errors:  SL_VALUE (dead letter)  value over 159 bytes
 *          SL_NOMEM (retry), SL_CRYPTO (stop), SL_KEY (stop) context not 1..64 printable ASCII
 * Cost:    about 0.2 us once a context has been used; a context's first use derives its key
 * Threads: one per masker
 * Source:  RFC 5297 (SIV), RFC 5869 (HKDF), ISO/IEC 7816-4 (padding); vectors: tests/vectors/
 */
sl_rc sl_mask_siv(struct sl_masker *m, sl_str context, sl_cleartext value, struct sl_arena *a,
                  sl_str *ret, struct sl_err *e) SL_MUST_CHECK;

/* As sl_mask_siv, under a key of the ring that need not be the active one. */
sl_rc sl_mask_siv_under(struct sl_masker *m, const struct sl_key *key, sl_str context,
                        sl_cleartext value, struct sl_arena *a, sl_str *ret, struct sl_err *e)
    SL_MUST_CHECK;

/* Recover a value from a token, under whichever key of the ring made it.
 * Errors: SL_VALUE (dead letter)  not a token, of another context, key unknown or retired,
 *         altered in any bit; and those of sl_mask_siv */
sl_rc sl_unmask_siv(struct sl_masker *m, sl_str context, sl_str token, struct sl_arena *a,
                    sl_cleartext *ret, struct sl_err *e) SL_MUST_CHECK;

/* Seal the body of a dead letter, whole.
 *
 *     sealed = "v1." id "." V C      bytes; AAD = "v1." id ".dead_letter." message_id
 *
 * Shape:   body up to 64 MiB; sealed is body + 16 bytes + padding (1..16) + "v1." id "."
 * Owns:    *ret lives in `a`
 * Errors:  as sl_mask_siv
 */
sl_rc sl_seal_body(struct sl_masker *m, sl_str message_id, sl_cleartext body, struct sl_arena *a,
                   sl_str *ret, struct sl_err *e) SL_MUST_CHECK;
sl_rc sl_open_body(struct sl_masker *m, sl_str message_id, sl_str sealed, struct sl_arena *a,
                   sl_cleartext *ret, struct sl_err *e) SL_MUST_CHECK;

/* The same for the value behind a one-way token, as a vault keeps it: AAD = "v1." id ".vault." token. */
sl_rc sl_seal_original(struct sl_masker *m, sl_str token, sl_cleartext value, struct sl_arena *a,
                       sl_str *ret, struct sl_err *e) SL_MUST_CHECK;
sl_rc sl_open_original(struct sl_masker *m, sl_str token, sl_str sealed, struct sl_arena *a,
                       sl_cleartext *ret, struct sl_err *e) SL_MUST_CHECK;

/* The same for the key of a pipeline's ledger: AAD = "v1." id ".ledger." pipeline. */
sl_rc sl_seal_ledger_key(struct sl_masker *m, sl_str pipeline, sl_cleartext key, struct sl_arena *a,
                         sl_str *ret, struct sl_err *e) SL_MUST_CHECK;
sl_rc sl_open_ledger_key(struct sl_masker *m, sl_str pipeline, sl_str sealed, struct sl_arena *a,
                         sl_cleartext *ret, struct sl_err *e) SL_MUST_CHECK;

/* The id of the key that something was sealed with; false if it is not sealed. */
bool sl_sealed_kid(sl_str sealed, sl_str *ret);

/* Print the manual of all methods (Markdown) from methods.def. */
struct sl_buf;
void sl_masking_manual(struct sl_buf *out);

#endif
