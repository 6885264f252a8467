/* keys/key_line.c - one line of a key file. */
#include "keys/key_line.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "base/base64.h"
#include "keys/keyring_build.h"

enum { KEY_CHARS = 44 }; /* base64 of SL_KEY_BYTES */

static sl_str line_word(sl_str *rest)
{
    sl_str word;

    *rest = sl_str_trim(*rest);
    word = (sl_str){ rest->ptr, 0 };
    while (word.len < rest->len && rest->ptr[word.len] != ' ' && rest->ptr[word.len] != '\t') {
        word.len++;
    }
    if (word.len > 0) {
        rest->ptr += word.len;
        rest->len -= word.len;
    }
    return word;
}

bool sl_key_line_is_plain(sl_str text)
{
    text = sl_str_trim(text);
    return text.len == 0 || text.ptr[0] == '#';
}

sl_rc sl_key_line_split(sl_str text, struct sl_key_line *ret, struct sl_err *e)
{
    struct sl_key_line line;

    line.id = line_word(&text);
    line.state = line_word(&text);
    line.key = line_word(&text);
    line.check = line_word(&text);
    if (line.check.len == 0 || sl_str_trim(text).len > 0) {
        return SL_FAIL(e, SL_KEY, "a line is four words: id state key check_value");
    }
    *ret = line;
    return SL_OK;
}

static sl_rc line_state(sl_str word, enum sl_key_state *ret, struct sl_err *e)
{
    static const enum sl_key_state states[] = { SL_KEY_ACTIVE, SL_KEY_DECRYPT, SL_KEY_RETIRED };

    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (sl_str_eq(word, sl_str_of(sl_key_state_name(states[i])))) {
            *ret = states[i];
            return SL_OK;
        }
    }
    return SL_FAIL(e, SL_KEY, "the second word must be active, decrypt or retired");
}

sl_rc sl_key_decode(sl_str word, unsigned char master[static SL_KEY_BYTES], struct sl_err *e)
{
    size_t n = 0;

    if (word.len != KEY_CHARS || !sl_base64_decode(SL_BASE64, word, master, SL_KEY_BYTES, &n) ||
        n != SL_KEY_BYTES) {
        return SL_FAIL(e, SL_KEY, "a key must be base64 of %d bytes, %d characters", SL_KEY_BYTES,
                       KEY_CHARS);
    }
    return SL_OK;
}

static sl_rc line_add_destroyed(const struct sl_key_line *line, enum sl_key_state state,
                                struct sl_keyring *ring, struct sl_err *e)
{
    if (state != SL_KEY_RETIRED) {
        return SL_FAIL(e, SL_KEY, "a key that is destroyed must be retired");
    }
    return sl_keyring_add_destroyed(ring, line->id, line->check, e);
}

static sl_rc line_add(const struct sl_key_line *line, enum sl_key_state state,
                      struct sl_keyring *ring, struct sl_err *e)
{
    unsigned char master[SL_KEY_BYTES];
    const struct sl_key *key;
    sl_rc rc = sl_key_decode(line->key, master, e);

    if (rc == SL_OK) {
        rc = sl_keyring_add(ring, line->id, state, master, e);
    }
    OPENSSL_cleanse(master, sizeof master);
    SL_TRY(rc);
    key = sl_keyring_at(ring, sl_keyring_n(ring) - 1);
    if (!sl_str_eq(line->check, sl_str_of(key->check))) {
        return SL_FAIL(e, SL_KEY,
                       "the key is not the one that key %s was: its check value differs; "
                       "restore the line from a copy",
                       key->id);
    }
    return SL_OK;
}

sl_rc sl_key_line_read(sl_str text, struct sl_keyring *ring, struct sl_err *e)
{
    enum sl_key_state state = SL_KEY_RETIRED;
    struct sl_key_line line = { 0 };

    if (sl_str_starts(text, SL_STR("kms "))) {
        return SL_FAIL(e, SL_KEY,
                       "the keys are wrapped by AWS KMS: name the file in keys.kms.file");
    }
    SL_TRY(sl_key_line_split(text, &line, e));
    SL_TRY(line_state(line.state, &state, e));
    if (sl_str_eq(line.key, SL_STR(SL_KEY_DESTROYED))) {
        return line_add_destroyed(&line, state, ring, e);
    }
    return line_add(&line, state, ring, e);
}

sl_rc sl_key_line_new(sl_str id, enum sl_key_state state, struct sl_buf *out, struct sl_err *e)
{
    unsigned char master[SL_KEY_BYTES];
    char check[SL_KEY_CHECK_CHARS + 1];
    char *place;
    sl_rc rc;

    if (RAND_priv_bytes(master, sizeof master) != 1) {
        return SL_FAIL(e, SL_CRYPTO, "cannot make a key: libcrypto has no random bytes");
    }
    rc = sl_key_check_value(master, check, e);
    if (rc == SL_OK) {
        sl_buf_printf(out, "%" SL_FMT " %s ", SL_ARG(id), sl_key_state_name(state));
        place = sl_buf_reserve(out, KEY_CHARS);
        if (place != NULL) {
            out->len += sl_base64_encode(SL_BASE64, master, sizeof master, place);
        }
        sl_buf_printf(out, " %s\n", check);
        rc = sl_buf_rc(out, e);
    }
    OPENSSL_cleanse(master, sizeof master);
    return rc;
}
