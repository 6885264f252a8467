/* tests/fuzz/fuzz_key_file.c - any bytes as a key file: what is taken is a ring as it must be, and
 * no refusal quotes what may be a key. */
#include "fuzz.h"
#include "keys/key_file.h"

enum { QUOTE_MAX = 19 }; /* characters; the words of messages are shorter, a key is longer */

static void check_key(const struct sl_keyring *ring, const struct sl_key *key)
{
    static const unsigned char zero[SL_KEY_BYTES];
    const sl_str id = sl_str_of(key->id);
    char check[SL_KEY_CHECK_CHARS + 1];

    must(sl_key_id_is_valid(id) && strlen(key->check) == SL_KEY_CHECK_CHARS,
         "a key without a name");
    must((sl_keyring_find(ring, id) == key) == (key->state != SL_KEY_RETIRED),
         "an id that stands for two keys, or for one that is retired");
    if (key->master == NULL) {
        must(key->state == SL_KEY_RETIRED, "a destroyed key that is in use");
        return;
    }
    must(memcmp(key->master, zero, sizeof zero) != 0, "a key of zeros");
    must(sl_key_check_value(key->master, check, NULL) == SL_OK && strcmp(check, key->check) == 0,
         "a key with the check value of another");
}

static void check_ring(const struct sl_keyring *ring)
{
    unsigned active = 0;

    must(sl_keyring_n(ring) >= 1 && sl_keyring_n(ring) <= SL_KEYRING_MAX, "a ring of no size");
    for (unsigned i = 0; i < sl_keyring_n(ring); i++) {
        check_key(ring, sl_keyring_at(ring, i));
        active += sl_keyring_at(ring, i)->state == SL_KEY_ACTIVE;
    }
    must(active == 1 && sl_keyring_active(ring)->state == SL_KEY_ACTIVE, "not one active key");
}

static void check_message(const char *msg, sl_str text)
{
    sl_str rest = sl_str_of(msg);

    must(rest.len > 0, "a refusal without a text");
    while (rest.len > 0) {
        const sl_str word = sl_str_cut(&rest, ' ');

        must(word.len <= QUOTE_MAX || memmem(text.ptr, text.len, word.ptr, word.len) == NULL,
             "a refusal that quotes");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const sl_str text = { (const char *)data, n };
    struct sl_keyring *ring = NULL;
    struct sl_err e = { 0 };
    const sl_rc rc = sl_key_file_parse("x", text, &ring, &e);

    if (rc == SL_OK) {
        check_ring(ring);
        sl_keyring_free(ring);
    } else {
        must(rc == SL_KEY && ring == NULL, "a refusal of another kind");
        check_message(e.msg, text);
    }
    return 0;
}
