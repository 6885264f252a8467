/* base/str.h - a run of bytes that somebody else owns. Not NUL-terminated. */
#ifndef SLUICE_BASE_STR_H
#define SLUICE_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    const char *ptr; /* NULL only when len is 0 */
    size_t len;      /* bytes */
} sl_str;

#define SL_STR(literal)                \
    (sl_str)                           \
    {                                  \
        (literal), sizeof(literal) - 1 \
    }

/* For printf: "%" SL_FMT, SL_ARG(s). */
#define SL_FMT    ".*s"
#define SL_ARG(s) (int)(s).len, (s).ptr != NULL ? (s).ptr : ""

static inline sl_str sl_str_of(const char *c_string)
{
    return (sl_str){ c_string, c_string != NULL ? strlen(c_string) : 0 };
}

static inline bool sl_str_eq(sl_str a, sl_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool sl_str_starts(sl_str s, sl_str head)
{
    return s.len >= head.len && (head.len == 0 || memcmp(s.ptr, head.ptr, head.len) == 0);
}

/* Bytes in order, a shorter run before a longer one that starts with it: <0, 0, >0. */
int sl_str_cmp(sl_str a, sl_str b);

/* Cut `s` at the first `sep`: the part before it is returned, the part after it stays in `*s`.
 * Without a `sep`, everything is returned and `*s` becomes empty. */
sl_str sl_str_cut(sl_str *s, char sep);

/* Without the blanks, tabs and line ends around it. */
sl_str sl_str_trim(sl_str s);

/* Read a whole run of decimal digits (an optional '-' first).
 *
 * Returns: false, leaving *ret alone, when there is anything else or it does not fit
 */
bool sl_str_to_i64(sl_str s, int64_t *ret);

/* The number of code points in valid UTF-8. */
size_t sl_str_chars(sl_str s);

#endif
