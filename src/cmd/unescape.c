/* cmd/unescape.c - text without the escapes that JSON gives it. */
#include "cmd/unescape.h"

#include <ctype.h>
#include <utf8proc.h>

static bool hex_at(sl_str text, size_t at, unsigned *ret)
{
    unsigned code = 0;

    if (at > text.len || text.len - at < 4) {
        return false;
    }
    for (size_t i = at; i < at + 4; i++) {
        const unsigned char c = (unsigned char)text.ptr[i];

        if (isxdigit(c) == 0) {
            return false;
        }
        code = code << 4 | (unsigned)(isdigit(c) != 0 ? c - '0' : tolower(c) - 'a' + 10);
    }
    *ret = code;
    return true;
}

static size_t put_utf8(unsigned point, char *out)
{
    return (size_t)utf8proc_encode_char((utf8proc_int32_t)point, (utf8proc_uint8_t *)out);
}

/* What stands behind a backslash; *n bytes are put, fewer than were there.
 * Returns: how many bytes it was */
static size_t escape_put(sl_str text, size_t at, char *out, size_t *n)
{
    static const char names[] = "bfnrt";
    static const char bytes[] = "\b\f\n\r\t";
    const char *name = memchr(names, text.ptr[at], sizeof names - 1);
    unsigned code = 0;
    unsigned low = 0;

    if (text.ptr[at] != 'u' || !hex_at(text, at + 1, &code)) {
        out[*n] = text.ptr[at];
        if (name != NULL) {
            out[*n] = bytes[name - names];
        }
        ++*n;
        return 1;
    }
    if (code >> 10 == 0x36 && at + 6 < text.len && text.ptr[at + 5] == '\\' &&
        text.ptr[at + 6] == 'u' && hex_at(text, at + 7, &low) && low >> 10 == 0x37) {
        *n += put_utf8(0x10000 + ((code & 0x3ff) << 10 | (low & 0x3ff)), out + *n);
        return 11;
    }
    *n += put_utf8(code, out + *n);
    return 5;
}

sl_rc sl_unescape(sl_str text, struct sl_arena *a, sl_str *ret, struct sl_err *e)
{
    char *out = sl_arena_alloc(a, text.len);
    size_t n = 0;

    if (out == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not hold a text of %zu bytes", text.len);
    }
    for (size_t at = 0; at < text.len;) {
        if (text.ptr[at] != '\\' || at + 1 == text.len) {
            out[n++] = text.ptr[at++];
        } else {
            at += 1 + escape_put(text, at + 1, out, &n);
        }
    }
    *ret = (sl_str){ out, n };
    return SL_OK;
}
