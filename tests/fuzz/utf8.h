/* tests/fuzz/utf8.h - whether bytes are UTF-8, by somebody else than the program's own parser. */
#ifndef SLUICE_TESTS_UTF8_H
#define SLUICE_TESTS_UTF8_H

#include <utf8proc.h>

#include "base/str.h"

static inline bool is_utf8(sl_str s)
{
    while (s.len > 0) {
        utf8proc_int32_t c;
        const utf8proc_ssize_t n =
            utf8proc_iterate((const utf8proc_uint8_t *)s.ptr, (utf8proc_ssize_t)s.len, &c);

        if (n < 1) {
            return false;
        }
        s.ptr += n;
        s.len -= (size_t)n;
    }
    return true;
}

#endif
