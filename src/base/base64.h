/* base/base64.h - RFC 4648: base64 for files, base64url without padding for tokens.  Strict. */
#ifndef SLUICE_BASE_BASE64_H
#define SLUICE_BASE_BASE64_H

#include "base/str.h"

enum sl_base64 {
    SL_BASE64,    /* section 4: +/ and = padding */
    SL_BASE64URL, /* section 5: -_ and no padding */
};

/* Characters that n bytes become. */
size_t sl_base64_chars(enum sl_base64 kind, size_t n_bytes);

/* Encode; writes exactly sl_base64_chars() characters, no NUL.  Returns: how many. */
size_t sl_base64_encode(enum sl_base64 kind, const void *bytes, size_t n, char *out);

/* Decode the one spelling that encoding gives; any other is refused, so that equal tokens mean
 * equal values.
 *
 * Shape:   out has room for `max` bytes
 * Returns: false on a character, length, padding or unused bit that encoding never makes, or
 *          when `max` is too small
 * Source:  RFC 4648 section 3.5 (unused bits)
 */
bool sl_base64_decode(enum sl_base64 kind, sl_str text, void *out, size_t max, size_t *ret_n);

#endif
