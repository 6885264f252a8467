/* keys/keyring.c - the keys by id, masters in one locked page. */
#include "keys/keyring.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/hex.h"
#include "keys/hkdf.h"
#include "keys/keyring_build.h"

#define KEYRING_SALT SL_STR("sluice")

enum { INFO_MAX = 160 }; /* a mode may take half of it */

struct sl_keyring {
    unsigned char *page; /* SL_KEYRING_MAX masters */
    size_t page_bytes;
    bool is_locked;
    _Atomic unsigned holders;
    unsigned n;
    unsigned active; /* position, once that key's state says so */
    struct sl_key keys[SL_KEYRING_MAX];
};

static bool key_is_zero(const unsigned char *master)
{
    static const unsigned char zero[SL_KEY_BYTES];

    return CRYPTO_memcmp(master, zero, sizeof zero) == 0;
}

const char *sl_key_state_name(enum sl_key_state state)
{
    static const char *const names[] = {
        [SL_KEY_ACTIVE] = "active", [SL_KEY_DECRYPT] = "decrypt", [SL_KEY_RETIRED] = "retired"
    };

    return names[state];
}

bool sl_key_id_is_valid(sl_str id)
{
    for (size_t i = 0; i < id.len; i++) {
        const char c = id.ptr[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9')) {
            return false;
        }
    }
    return id.len >= 1 && id.len <= SL_KEY_ID_MAX;
}

sl_rc sl_keyring_new(struct sl_keyring **ret, struct sl_err *e)
{
    const long system_page = sysconf(_SC_PAGESIZE);
    const size_t page = system_page > 0 ? (size_t)system_page : 4096;
    const size_t need = (size_t)SL_KEYRING_MAX * SL_KEY_BYTES;
    const size_t bytes = (need + page - 1) / page * page;
    struct sl_keyring *ring = calloc(1, sizeof *ring);
    void *memory;

    if (ring == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not allocate the key ring");
    }
    memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        free(ring);
        return SL_FAIL(e, SL_NOMEM, "could not map a page for the key ring");
    }
    ring->holders = 1;
    ring->page = memory;
    ring->page_bytes = bytes;
    /* Each is tried even if another fails; a container may forbid any of them. */
    ring->is_locked = mlock(memory, bytes) == 0;
    ring->is_locked = madvise(memory, bytes, MADV_DONTDUMP) == 0 && ring->is_locked;
    ring->is_locked = madvise(memory, bytes, MADV_WIPEONFORK) == 0 && ring->is_locked;
    *ret = ring;
    return SL_OK;
}

void sl_keyring_hold(struct sl_keyring *ring)
{
    atomic_fetch_add(&ring->holders, 1);
}

void sl_keyring_free(struct sl_keyring *ring)
{
    if (ring == NULL || atomic_fetch_sub(&ring->holders, 1) > 1) {
        return;
    }
    if (mprotect(ring->page, ring->page_bytes, PROT_READ | PROT_WRITE) == 0) {
        OPENSSL_cleanse(ring->page, ring->page_bytes);
    }
    (void)munmap(ring->page, ring->page_bytes);
    free(ring);
}

bool sl_keyring_is_locked(const struct sl_keyring *ring)
{
    return ring->is_locked;
}

const struct sl_key *sl_keyring_get(const struct sl_keyring *ring, sl_str id)
{
    for (unsigned i = 0; i < ring->n; i++) {
        if (sl_str_eq(sl_str_of(ring->keys[i].id), id)) {
            return &ring->keys[i];
        }
    }
    return NULL;
}

static sl_rc keyring_check_new(const struct sl_keyring *ring, sl_str id, enum sl_key_state state,
                               struct sl_err *e)
{
    if (!sl_key_id_is_valid(id)) {
        return SL_FAIL(e, SL_KEY, "a key id is 1 to %d of a-z and 0-9", SL_KEY_ID_MAX);
    }
    if (sl_keyring_get(ring, id) != NULL) {
        return SL_FAIL(e, SL_KEY, "key %" SL_FMT " is there twice", SL_ARG(id));
    }
    if (state == SL_KEY_ACTIVE && ring->n > 0 && ring->keys[ring->active].state == SL_KEY_ACTIVE) {
        return SL_FAIL(e, SL_KEY,
                       "keys %s and %" SL_FMT " are both active: make one of them decrypt",
                       ring->keys[ring->active].id, SL_ARG(id));
    }
    if (ring->n == SL_KEYRING_MAX) {
        return SL_FAIL(e, SL_KEY, "more than %d keys", SL_KEYRING_MAX);
    }
    return SL_OK;
}

/* The next place of a ring that has one, with its id and state. */
static struct sl_key *keyring_place(struct sl_keyring *ring, sl_str id, enum sl_key_state state)
{
    struct sl_key *key = &ring->keys[ring->n];

    memcpy(key->id, id.ptr, id.len);
    key->id[id.len] = '\0';
    key->state = state;
    return key;
}

sl_rc sl_keyring_add(struct sl_keyring *ring, sl_str id, enum sl_key_state state,
                     const unsigned char master[static SL_KEY_BYTES], struct sl_err *e)
{
    unsigned char *place = ring->page + (size_t)ring->n * SL_KEY_BYTES;
    struct sl_key *key;

    SL_TRY(keyring_check_new(ring, id, state, e));
    if (key_is_zero(master)) {
        return SL_FAIL(e, SL_KEY, "key %" SL_FMT " is all zeros", SL_ARG(id));
    }
    key = keyring_place(ring, id, state);
    SL_TRY(sl_key_check_value(master, key->check, e));
    memcpy(place, master, SL_KEY_BYTES);
    key->master = place;
    if (state == SL_KEY_ACTIVE) {
        ring->active = ring->n;
    }
    ring->n++;
    return SL_OK;
}

static bool check_value_is_valid(sl_str check)
{
    for (size_t i = 0; i < check.len; i++) {
        const char c = check.ptr[i];

        if (!(c >= 'a' && c <= 'f') && !(c >= '0' && c <= '9')) {
            return false;
        }
    }
    return check.len == SL_KEY_CHECK_CHARS;
}

sl_rc sl_keyring_add_destroyed(struct sl_keyring *ring, sl_str id, sl_str check, struct sl_err *e)
{
    struct sl_key *key;

    SL_TRY(keyring_check_new(ring, id, SL_KEY_RETIRED, e));
    if (!check_value_is_valid(check)) {
        return SL_FAIL(e, SL_KEY, "the check value of key %" SL_FMT " must be %d of 0-9 and a-f",
                       SL_ARG(id), SL_KEY_CHECK_CHARS);
    }
    key = keyring_place(ring, id, SL_KEY_RETIRED);
    memcpy(key->check, check.ptr, check.len);
    key->check[check.len] = '\0';
    key->master = NULL;
    ring->n++;
    return SL_OK;
}

sl_rc sl_keyring_finish(struct sl_keyring *ring, struct sl_err *e)
{
    if (ring->n == 0 || ring->keys[ring->active].state != SL_KEY_ACTIVE) {
        return SL_FAIL(e, SL_KEY, "no key is active: exactly one must be");
    }
    if (mprotect(ring->page, ring->page_bytes, PROT_READ) != 0) {
        return SL_FAIL(e, SL_IO, "cannot make the page of the key ring read-only");
    }
    return SL_OK;
}

const struct sl_key *sl_keyring_active(const struct sl_keyring *ring)
{
    return &ring->keys[ring->active];
}

const struct sl_key *sl_keyring_find(const struct sl_keyring *ring, sl_str id)
{
    const struct sl_key *key = sl_keyring_get(ring, id);

    return key != NULL && key->state != SL_KEY_RETIRED ? key : NULL;
}

unsigned sl_keyring_n(const struct sl_keyring *ring)
{
    return ring->n;
}

const struct sl_key *sl_keyring_at(const struct sl_keyring *ring, unsigned i)
{
    return i < ring->n ? &ring->keys[i] : NULL;
}

static sl_rc key_check_context(sl_str context, struct sl_err *e)
{
    if (context.len == 0 || context.len > SL_CONTEXT_MAX) {
        return SL_FAIL(e, SL_KEY, "a context is 1 to %d bytes, this one has %zu", SL_CONTEXT_MAX,
                       context.len);
    }
    for (size_t i = 0; i < context.len; i++) {
        if (context.ptr[i] < 0x20 || context.ptr[i] > 0x7e) {
            return SL_FAIL(e, SL_KEY, "a context is printable ASCII, byte %zu of this one is not",
                           i + 1);
        }
    }
    return SL_OK;
}

sl_rc sl_key_derive(const struct sl_key *key, const char *mode, sl_str context, unsigned char *out,
                    size_t n, struct sl_err *e)
{
    struct sl_hkdf in = { .ikm = key->master, .ikm_n = SL_KEY_BYTES, .salt = KEYRING_SALT };
    char info[INFO_MAX];
    int len;

    SL_TRY(key_check_context(context, e));
    if (key->master == NULL) {
        return SL_FAIL(e, SL_KEY, "key %s is destroyed: nothing under it can be read", key->id);
    }
    if (key_is_zero(key->master)) {
        /* The kernel wiped the page: without this every value would be masked under zeros. */
        return SL_FAIL(e, SL_BUG, "key %s is gone: a forked child has no keys", key->id);
    }
    len = snprintf(info, sizeof info, "sluice/v1/%s/%s/%" SL_FMT, mode, key->id, SL_ARG(context));
    if (len < 0 || (size_t)len >= sizeof info) {
        return SL_FAIL(e, SL_BUG, "the name of a masking mode is too long");
    }
    in.info = (sl_str){ info, (size_t)len };
    return sl_hkdf_sha256(&in, out, n, e);
}

sl_rc sl_key_check_value(const unsigned char master[static SL_KEY_BYTES],
                         char out[static SL_KEY_CHECK_CHARS + 1], struct sl_err *e)
{
    const struct sl_hkdf in = { master, SL_KEY_BYTES, KEYRING_SALT, SL_STR("sluice/kcv") };
    unsigned char value[SL_KEY_CHECK_CHARS / 2];

    SL_TRY(sl_hkdf_sha256(&in, value, sizeof value, e));
    sl_hex(value, sizeof value, out);
    out[SL_KEY_CHECK_CHARS] = '\0';
    return SL_OK;
}

void sl_key_share_init(struct sl_key_share *share, struct sl_keyring *ring)
{
    (void)pthread_mutex_init(&share->lock, NULL);
    share->now = ring;
}

void sl_key_share_done(struct sl_key_share *share)
{
    sl_keyring_free(share->now);
    share->now = NULL;
    (void)pthread_mutex_destroy(&share->lock);
}

struct sl_keyring *sl_key_share_take(struct sl_key_share *share)
{
    struct sl_keyring *ring;

    (void)pthread_mutex_lock(&share->lock);
    ring = share->now;
    sl_keyring_hold(ring);
    (void)pthread_mutex_unlock(&share->lock);
    return ring;
}

void sl_key_share_change(struct sl_key_share *share, struct sl_keyring *ring)
{
    struct sl_keyring *old;

    (void)pthread_mutex_lock(&share->lock);
    old = share->now;
    share->now = ring;
    (void)pthread_mutex_unlock(&share->lock);
    sl_keyring_free(old);
}
