/* masking/ledger_mac.h - what a ledger of keys knows messages by: an HMAC under a key of its own.
 *
 * That key is random and stays the same when the keys of the ring rotate: else every message that
 * comes again after a rotation would be a new one.  Outside of here it exists sealed only.
 */
#ifndef SLUICE_MASKING_LEDGER_MAC_H
#define SLUICE_MASKING_LEDGER_MAC_H

#include "base/hmac.h"
#include "masking/masker.h"

/* Make the key of a pipeline's ledger, sealed under the active key.
 * Owns:    *ret lives in `a`
 * Errors:  SL_CRYPTO (stop), SL_NOMEM (retry), SL_BUG (stop) no random bytes */
sl_rc sl_ledger_key_new(struct sl_masker *m, sl_str pipeline, struct sl_arena *a, sl_str *ret,
                        struct sl_err *e) SL_MUST_CHECK;

/* Open it, and make what computes the keys of messages for one way of telling them apart.
 *
 *     out = HMAC-SHA-256(HMAC-SHA-256(ledger key, way), value)
 *
 * Shape:   way such as "body" or "field:order.id"
 * Owns:    *ret is the caller's to sl_hmac_free
 * Errors:  SL_KEY (stop)  sealed with a key that the ring does not have, of another pipeline, or
 *                         altered; SL_CRYPTO (stop), SL_NOMEM (retry)
 * Source:  RFC 2104; vectors: tests/unit/test_ledger_mac.c
 */
sl_rc sl_ledger_mac_open(struct sl_masker *m, sl_str pipeline, sl_str sealed, sl_str way,
                         struct sl_hmac **ret, struct sl_err *e) SL_MUST_CHECK;

#endif
