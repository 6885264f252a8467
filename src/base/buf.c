/* base/buf.c - a growing run of bytes on the heap that fails once and stays failed. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void sl_buf_init(struct sl_buf *b, size_t max_bytes)
{
    *b = (struct sl_buf){ .max_bytes = max_bytes };
}

void sl_buf_done(struct sl_buf *b)
{
    if (b->ptr != NULL) {
        explicit_bzero(b->ptr, b->cap);
        free(b->ptr);
    }
    *b = (struct sl_buf){ .max_bytes = b->max_bytes };
}

void sl_buf_reset(struct sl_buf *b)
{
    if (b->len > 0) {
        explicit_bzero(b->ptr, b->len);
    }
    b->len = 0;
    b->has_failed = false;
}

sl_rc sl_buf_rc(const struct sl_buf *b, struct sl_err *e)
{
    if (b->has_failed) {
        return SL_FAIL(e, SL_NOMEM, "a buffer would pass its limit of %zu bytes", b->max_bytes);
    }
    return SL_OK;
}

/* realloc would leave an unwiped copy behind.  `need` is within the limit. */
static bool buf_grow(struct sl_buf *b, size_t need)
{
    size_t cap = b->cap < 256 ? 256 : b->cap;
    char *grown;

    while (cap < need) {
        cap *= 2;
    }
    cap = cap < b->max_bytes ? cap : b->max_bytes;
    grown = malloc(cap);
    if (grown == NULL) {
        return false;
    }
    if (b->ptr != NULL) {
        memcpy(grown, b->ptr, b->len);
        explicit_bzero(b->ptr, b->cap); /* a text that did not fit was written past len */
        free(b->ptr);
    }
    b->ptr = grown;
    b->cap = cap;
    return true;
}

char *sl_buf_grow(struct sl_buf *b, size_t n)
{
    if (b->has_failed) {
        return NULL;
    }
    if (n > b->max_bytes || b->len > b->max_bytes - n || !buf_grow(b, b->len + n)) {
        b->has_failed = true;
        return NULL;
    }
    return b->ptr + b->len;
}

void sl_buf_printf(struct sl_buf *b, const char *fmt, ...)
{
    const size_t left = b->has_failed ? 0 : b->cap - b->len;
    char *room = left == 0 ? NULL : b->ptr + b->len;
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(room, left, fmt, args); /* mostly it fits */
    va_end(args);
    if (n >= 0 && (size_t)n >= left) {
        room = sl_buf_reserve(b, (size_t)n + 1);
        va_start(args, fmt);
        n = room == NULL ? 0 : vsnprintf(room, (size_t)n + 1, fmt, args);
        va_end(args);
    }
    b->len += n < 0 ? 0 : (size_t)n;
}

void sl_buf_add_unsigned(struct sl_buf *b, uint64_t v)
{
    char digits[20];
    char *at = digits + sizeof digits;

    do {
        *--at = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    sl_buf_add(b, at, (size_t)(digits + sizeof digits - at));
}

/* The length of the well-formed UTF-8 sequence at `s`, 0 if there is none (RFC 3629 section 4). */
static size_t utf8_sequence(const unsigned char *s, size_t n)
{
    const unsigned char c = s[0];
    const size_t len = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;

    if (len == 0 || len > n) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((c == 0xe0 && s[1] < 0xa0) || (c == 0xed && s[1] > 0x9f) || (c == 0xf0 && s[1] < 0x90) ||
        (c == 0xf4 && s[1] > 0x8f)) {
        return 0;
    }
    return len;
}

static bool json_is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* The same of eight at once: receipt handles are long, and plain.  What is subtracted borrows from
 * the next byte only where a byte is not plain. */
static bool json_are_plain(const unsigned char s[static 8])
{
    const uint64_t each = UINT64_C(0x0101010101010101);
    uint64_t bytes;

    memcpy(&bytes, s, sizeof bytes);
    return ((bytes | (bytes - each * 0x20) | ((bytes ^ each * '"') - each) |
             ((bytes ^ each * '\\') - each) | ((bytes ^ each * 0x7f) - each)) &
            each * 0x80) == 0;
}

/* How many bytes go in as they are. */
static size_t json_plain(const unsigned char *s, size_t n)
{
    size_t len = 0;

    while (n - len >= 8 && json_are_plain(s + len)) {
        len += 8;
    }
    while (len < n && json_is_plain(s[len])) {
        len++;
    }
    return len;
}

static void buf_add_json_ascii(struct sl_buf *b, unsigned char c)
{
    static const char named[0x80] = { ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r',
                                      ['\t'] = 't', ['"'] = '"',  ['\\'] = '\\' };

    if (named[c] != 0) {
        sl_buf_add_char(b, '\\');
        sl_buf_add_char(b, named[c]);
    } else {
        sl_buf_printf(b, "\\u%04x", c);
    }
}

/* One character that is not plain.  Returns: its bytes. */
static size_t buf_add_json_special(struct sl_buf *b, const unsigned char *s, size_t n)
{
    const size_t len = utf8_sequence(s, n);

    if (len == 1) {
        buf_add_json_ascii(b, s[0]);
    } else if (len == 2 && s[0] == 0xc2 && s[1] < 0xa0) {
        sl_buf_printf(b, "\\u%04x", s[1]); /* C1: control characters of terminals */
    } else if (len == 0) {
        sl_buf_add_str(b, SL_STR("\xef\xbf\xbd"));
    } else {
        sl_buf_add(b, s, len);
    }
    return len == 0 ? 1 : len;
}

void sl_buf_add_json(struct sl_buf *b, sl_str s)
{
    const unsigned char *bytes = (const unsigned char *)s.ptr;

    sl_buf_add_char(b, '"');
    for (size_t i = 0; i < s.len;) {
        const size_t plain = json_plain(bytes + i, s.len - i);

        if (plain > 0) {
            sl_buf_add(b, bytes + i, plain);
            i += plain;
        } else {
            i += buf_add_json_special(b, bytes + i, s.len - i);
        }
    }
    sl_buf_add_char(b, '"');
}

void sl_buf_add_percent(struct sl_buf *b, sl_str s)
{
    static const char hex[] = "0123456789ABCDEF";
    char *at = sl_buf_reserve(b, 3 * s.len);

    if (at == NULL) {
        return;
    }
    for (size_t i = 0; i < s.len; i++) {
        const unsigned char c = (unsigned char)s.ptr[i];

        if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
            c == '-' || c == '_' || c == '.' || c == '~') {
            *at++ = (char)c;
        } else {
            *at++ = '%';
            *at++ = hex[c >> 4];
            *at++ = hex[c & 15];
        }
    }
    b->len = (size_t)(at - b->ptr);
}
