/* keys/keyring_build.h - making a ring.  Only for the readers of keys in keys/ and their tests. */
#ifndef SLUICE_KEYS_KEYRING_BUILD_H
#define SLUICE_KEYS_KEYRING_BUILD_H

#include "keys/keyring.h"

/* Make an empty ring.
 * Errors: SL_NOMEM (retry) */
sl_rc sl_keyring_new(struct sl_keyring **ret, struct sl_err *e) SL_MUST_CHECK;

/* Copy one key into the ring's page; the caller wipes its own copy.
 * Errors: SL_KEY (stop)  not an id, an id twice, an all-zero key, a second active key, a full ring
 *         SL_CRYPTO (stop) */
sl_rc sl_keyring_add(struct sl_keyring *ring, sl_str id, enum sl_key_state state,
                     const unsigned char master[static SL_KEY_BYTES], struct sl_err *e)
    SL_MUST_CHECK;

/* Add a key that was destroyed: its id stays taken, retired, with the check value it had.
 * Errors: SL_KEY (stop)  not an id, an id twice, not a check value, a full ring */
sl_rc sl_keyring_add_destroyed(struct sl_keyring *ring, sl_str id, sl_str check, struct sl_err *e)
    SL_MUST_CHECK;

/* Close the ring to changes: the page becomes read-only.
 * Errors: SL_KEY (stop)  no key is active
 *         SL_IO (stop)   the page cannot be protected */
sl_rc sl_keyring_finish(struct sl_keyring *ring, struct sl_err *e) SL_MUST_CHECK;

#endif
