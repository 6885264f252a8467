/* keys/key_token.h - the token of those who may act: kept as its hash, compared in constant time. */
#ifndef SLUICE_KEYS_KEY_TOKEN_H
#define SLUICE_KEYS_KEY_TOKEN_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

enum {
    SL_KEY_TOKEN_MIN = 16, /* characters */
    SL_KEY_TOKEN_MAX = 1024,
    SL_KEY_TOKEN_HASH = 32, /* bytes of SHA-256 */
};

#define SL_KEY_TOKEN_VARIABLE "SLUICE_HTTP_TOKEN"

struct sl_key_token {
    bool is_set;
    unsigned char hash[SL_KEY_TOKEN_HASH];
};

/* Read it from a file, or where `path` is "" from $SLUICE_HTTP_TOKEN; then forget the variable.  None
 * is set where there is neither.
 *
 * Shape:   16 to 1024 printable ASCII characters without blanks; those around it are left out.  The
 *          file must be nobody else's, as a key file
 * Errors:  SL_CONFIG (stop)  what to do is said; never the token
 * Threads: main, before others are started
 */
sl_rc sl_key_token_read(sl_str path, struct sl_key_token *ret, struct sl_err *e) SL_MUST_CHECK;

/* Take $SLUICE_HTTP_TOKEN out of the environment, or programs that are started would inherit it.
 * Threads: main, before others are started */
void sl_key_token_forget(void);

/* Whether a text is the token; not while none is set. */
bool sl_key_token_is(const struct sl_key_token *token, sl_str text);

#endif
