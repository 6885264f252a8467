/* keys/key_line.h - one line of a key file: `id state key check_value`.  Only for keys/. */
#ifndef SLUICE_KEYS_KEY_LINE_H
#define SLUICE_KEYS_KEY_LINE_H

#include "base/buf.h"
#include "keys/keyring.h"

/* What stands in place of a destroyed key. */
#define SL_KEY_DESTROYED "destroyed"

/* The four words, as parts of the line. */
struct sl_key_line {
    sl_str id;
    sl_str state;
    sl_str key;
    sl_str check;
};

/* Whether there is no key on the line: it is empty or a comment. */
bool sl_key_line_is_plain(sl_str text);

/* Split a line.
 * Errors: SL_KEY (stop)  not four words; no message quotes them: any of them may be the key */
sl_rc sl_key_line_split(sl_str text, struct sl_key_line *ret, struct sl_err *e) SL_MUST_CHECK;

/* Read a line into a ring, with all checks.
 * Errors: SL_KEY (stop); SL_CRYPTO (stop) */
sl_rc sl_key_line_read(sl_str text, struct sl_keyring *ring, struct sl_err *e) SL_MUST_CHECK;

/* Decode the base64 of a key; the caller wipes it, also after a failure.
 * Errors: SL_KEY (stop) */
sl_rc sl_key_decode(sl_str word, unsigned char master[static SL_KEY_BYTES], struct sl_err *e)
    SL_MUST_CHECK;

/* Append a line with a new random key.
 * Errors: SL_CRYPTO (stop); SL_NOMEM (retry) */
sl_rc sl_key_line_new(sl_str id, enum sl_key_state state, struct sl_buf *out, struct sl_err *e)
    SL_MUST_CHECK;

#endif
