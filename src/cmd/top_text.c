/* cmd/top_text.c - text for a terminal, by the columns of its characters. */
#include "cmd/top_text.h"

#include <utf8proc.h>

/* The character that `s` begins with; -1: its first byte is none. */
static size_t point_read(sl_str s, utf8proc_int32_t *ret)
{
    const utf8proc_ssize_t n =
        utf8proc_iterate((const utf8proc_uint8_t *)s.ptr, (utf8proc_ssize_t)s.len, ret);

    if (n <= 0) {
        *ret = -1;
        return 1;
    }
    return (size_t)n;
}

static bool is_plain(utf8proc_int32_t c)
{
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF: /* also what turns the direction of writing around */
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return false;
    default:
        return true;
    }
}

sl_str sl_top_clean(sl_str text, struct sl_arena *a)
{
    char *const clean = sl_arena_alloc(a, text.len + 1);
    size_t len = 0;

    if (clean == NULL) {
        return (sl_str){ 0 };
    }
    while (text.len > 0) {
        utf8proc_int32_t c;
        const size_t n = point_read(text, &c);

        if (c >= 0 && is_plain(c)) {
            memcpy(clean + len, text.ptr, n);
            len += n;
        } else {
            clean[len++] = '?';
        }
        text.ptr += n;
        text.len -= n;
    }
    clean[len] = '\0';
    return (sl_str){ clean, len };
}

static unsigned columns_of(utf8proc_int32_t c)
{
    return c < 0 ? 1 : (unsigned)utf8proc_charwidth(c);
}

sl_str sl_top_cut(sl_str text, unsigned cols)
{
    size_t len = 0;

    while (len < text.len) {
        utf8proc_int32_t c;
        const size_t n = point_read((sl_str){ text.ptr + len, text.len - len }, &c);
        const unsigned width = columns_of(c);

        if (width > cols) {
            break;
        }
        cols -= width;
        len += n;
    }
    return (sl_str){ text.ptr, len };
}

unsigned sl_top_width(sl_str text)
{
    unsigned width = 0;

    for (size_t i = 0; i < text.len;) {
        utf8proc_int32_t c;

        i += point_read((sl_str){ text.ptr + i, text.len - i }, &c);
        width += columns_of(c);
    }
    return width;
}

static size_t last_blank(sl_str line)
{
    size_t at = line.len;

    while (at > 0 && line.ptr[at - 1] != ' ') {
        at--;
    }
    return at > 0 ? at - 1 : 0;
}

sl_str sl_top_wrap(sl_str *rest, unsigned cols)
{
    sl_str line = sl_top_cut(*rest, cols);

    if (line.len < rest->len && rest->ptr[line.len] != ' ') {
        const size_t at = last_blank(line);

        line.len = at > 0 ? at : line.len;
    }
    rest->ptr += line.len;
    rest->len -= line.len;
    while (rest->len > 0 && rest->ptr[0] == ' ') {
        rest->ptr++;
        rest->len--;
    }
    return line;
}
