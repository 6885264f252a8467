/* keys/keyring.h - SEAM: the keys by id, whatever they were read from.
 *
 * Masters live in one locked page that stays out of core files and of forked children, and is
 * wiped when the ring ends.  A ring is read-only once opened: workers share it freely.
 */
#ifndef SLUICE_KEYS_KEYRING_H
#define SLUICE_KEYS_KEYRING_H

#include <pthread.h>

#include "base/err.h"
#include "base/str.h"

enum {
    SL_KEY_BYTES = 32, /* of a master */
    SL_KEY_ID_MAX = 8, /* characters of [a-z0-9] */
    SL_KEY_CHECK_CHARS = 8,
    SL_KEYRING_MAX = 64, /* keys in a ring */
    SL_CONTEXT_MAX = 64, /* printable ASCII bytes of a context */
};

enum sl_key_state { SL_KEY_ACTIVE, SL_KEY_DECRYPT, SL_KEY_RETIRED };

struct sl_key {
    char id[SL_KEY_ID_MAX + 1];
    char check[SL_KEY_CHECK_CHARS + 1]; /* key check value, hex */
    enum sl_key_state state;
    const unsigned char *master; /* SL_KEY_BYTES in the locked page; NULL once destroyed */
};

struct sl_keyring;

/* "active", "decrypt", "retired" */
const char *sl_key_state_name(enum sl_key_state state);

/* Whether `id` is 1..SL_KEY_ID_MAX of [a-z0-9]. */
bool sl_key_id_is_valid(sl_str id);

/* The key that masks now; a ring always has exactly one. */
const struct sl_key *sl_keyring_active(const struct sl_keyring *ring);

/* The key of an id, retired or not; NULL if the ring has none. */
const struct sl_key *sl_keyring_get(const struct sl_keyring *ring, sl_str id);

/* The key of an id, NULL if the ring has none or it is retired. */
const struct sl_key *sl_keyring_find(const struct sl_keyring *ring, sl_str id);

/* Every key, in file order. */
unsigned sl_keyring_n(const struct sl_keyring *ring);
const struct sl_key *sl_keyring_at(const struct sl_keyring *ring, unsigned i);

/* Whether the system locked the page and keeps it out of core files and forked children.  A ring
 * works without; whoever opens one says so. */
bool sl_keyring_is_locked(const struct sl_keyring *ring);

/* Hold a ring: it lives until everybody who holds it has let it go.  Threads: any. */
void sl_keyring_hold(struct sl_keyring *ring);

/* Let a ring go; the last one wipes and frees it.  Takes NULL.  Threads: any. */
void sl_keyring_free(struct sl_keyring *ring);

/* The ring of a process, which may become another while workers use it. */
struct sl_key_share {
    pthread_mutex_t lock;
    struct sl_keyring *now;
};

/* Take over a ring; end with sl_key_share_done. */
void sl_key_share_init(struct sl_key_share *share, struct sl_keyring *ring);
void sl_key_share_done(struct sl_key_share *share);

/* The ring as it is now, held: end with sl_keyring_free.  Threads: any. */
struct sl_keyring *sl_key_share_take(struct sl_key_share *share);

/* Put another in its place, taking it over.  Threads: any. */
void sl_key_share_change(struct sl_key_share *share, struct sl_keyring *ring);

/* Derive a subkey.
 *
 *     HKDF-SHA256(IKM = master, salt = "sluice", info = "sluice/v1/" mode "/" id "/" context, n)
 *
 * Shape:   mode a word such as "siv"; context 1..SL_CONTEXT_MAX printable ASCII bytes
 * Errors:  SL_KEY (stop)     context too long or not printable ASCII; the key is destroyed
 *          SL_BUG (stop)     asked in a forked child, where the masters are gone
 *          SL_CRYPTO (stop)  libcrypto refused; out is wiped
 * Threads: any
 * Source:  RFC 5869; vectors: tests/unit/test_keyring.c
 */
sl_rc sl_key_derive(const struct sl_key *key, const char *mode, sl_str context, unsigned char *out,
                    size_t n, struct sl_err *e) SL_MUST_CHECK;

/* Compute the key check value: 4 bytes of HKDF(master, salt "sluice", info "sluice/kcv"), in hex.
 * Errors: SL_CRYPTO (stop) */
sl_rc sl_key_check_value(const unsigned char master[static SL_KEY_BYTES],
                         char out[static SL_KEY_CHECK_CHARS + 1], struct sl_err *e) SL_MUST_CHECK;

#endif
