/* cmd/unescape.h - text without the escapes that JSON gives it. */
#ifndef SLUICE_CMD_UNESCAPE_H
#define SLUICE_CMD_UNESCAPE_H

#include "base/arena.h"

/* Put what JSON's escapes (\n, \", \u00fc) stand for in their place, in text that need not be JSON: cut off, or with JSON
 * in its strings.  What is no escape loses its backslash.
 *
 * Owns:    *ret lives in `a`
 * Errors:  SL_NOMEM (retry)
 */
sl_rc sl_unescape(sl_str text, struct sl_arena *a, sl_str *ret, struct sl_err *e) SL_MUST_CHECK;

#endif
