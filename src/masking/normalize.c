/* masking/normalize.c - one spelling for values that mean the same. */
#include "masking/normalize.h"

#include <arpa/inet.h>
#include <utf8proc.h>

#include <openssl/crypto.h>

enum {
    MARKS_MAX = 30, /* UAX #15 section 13, of text that can be normalized as a stream */
    TEXT_MAX = 46,  /* bytes of an address with its NUL */
    GROWTH_MAX = 2, /* two bytes may become three, nothing grows more */
};

static const utf8proc_option_t nfc = UTF8PROC_STABLE | UTF8PROC_COMPOSE;

static const struct {
    sl_str name;
    unsigned bit;
} normalize_words[] = {
    { { "ip", 2 }, SL_NORMALIZE_IP },
    { { "lower", 5 }, SL_NORMALIZE_LOWER },
    { { "trim", 4 }, SL_NORMALIZE_TRIM },
    { { "nfc", 3 }, SL_NORMALIZE_NFC },
};

static unsigned word_bit(sl_str word)
{
    for (size_t i = 0; i < sizeof normalize_words / sizeof *normalize_words; i++) {
        if (sl_str_eq(word, normalize_words[i].name)) {
            return normalize_words[i].bit;
        }
    }
    return 0;
}

static bool is_separator(char c)
{
    return c == ' ' || c == '\t' || c == ',';
}

bool sl_normalize_parse(sl_str words, unsigned *ret)
{
    unsigned what = 0;
    size_t at = 0;

    while (at < words.len) {
        const size_t start = at;
        unsigned bit;

        if (is_separator(words.ptr[at])) {
            at++;
            continue;
        }
        while (at < words.len && !is_separator(words.ptr[at])) {
            at++;
        }
        bit = word_bit((sl_str){ words.ptr + start, at - start });
        if (bit == 0 || (what & bit) != 0) {
            return false;
        }
        what |= bit;
    }
    if (what == 0) {
        return false;
    }
    *ret = what;
    return true;
}

/* ---- code points ----------------------------------------------------------------------------- */

/* The code point at the front and its bytes; 0 bytes when there is none. */
static size_t point_read(sl_cleartext text, utf8proc_int32_t *ret)
{
    const utf8proc_ssize_t n =
        utf8proc_iterate((const utf8proc_uint8_t *)text.secret, (utf8proc_ssize_t)text.len, ret);

    return n > 0 ? (size_t)n : 0;
}

static sl_cleartext text_behind(sl_cleartext text, size_t n)
{
    return (sl_cleartext){ text.secret + n, text.len - n };
}

static bool is_ascii(sl_cleartext text)
{
    unsigned char seen = 0;

    for (size_t i = 0; i < text.len; i++) {
        seen |= (unsigned char)text.secret[i];
    }
    return seen < 0x80;
}

static bool is_white(utf8proc_int32_t c)
{
    if (c < 0x80) {
        return c == ' ' || (c >= '\t' && c <= '\r');
    }
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return true;
    default:
        return c == 0x85;
    }
}

/* Is it ordered among others behind a character?  The three take no part in it themselves, but
 * what they decompose to does. */
static bool is_mark(utf8proc_int32_t c)
{
    return utf8proc_get_property(c)->combining_class != 0 || c == 0x0f73 || c == 0x0f75 ||
           c == 0x0f81;
}

/* Look at a text once: is it UTF-8, and does no character have more marks than it may? */
static sl_rc text_check(sl_cleartext text, struct sl_err *e)
{
    utf8proc_int32_t c = 0;
    unsigned marks = 0;
    size_t n;

    if (is_ascii(text)) {
        return SL_OK;
    }
    for (; text.len > 0; text = text_behind(text, n)) {
        n = point_read(text, &c);
        if (n == 0) {
            return SL_FAIL(e, SL_VALUE, "cannot normalize: value is not UTF-8");
        }
        marks = is_mark(c) ? marks + 1 : 0;
        if (marks > MARKS_MAX) {
            return SL_FAIL(e, SL_VALUE, "cannot normalize: over %d combining marks on a character",
                           MARKS_MAX);
        }
    }
    return SL_OK;
}

/* ---- the four -------------------------------------------------------------------------------- */

static sl_cleartext normalize_trim(sl_cleartext text)
{
    utf8proc_int32_t c = 0;
    size_t n = text.len > 0 ? point_read(text, &c) : 0;

    while (n > 0 && is_white(c)) {
        text = text_behind(text, n);
        n = text.len > 0 ? point_read(text, &c) : 0;
    }
    while (text.len > 0) {
        size_t last = text.len - 1;

        while (last > 0 && ((unsigned char)text.secret[last] & 0xc0) == 0x80) {
            last--;
        }
        if (point_read(text_behind(text, last), &c) == 0 || !is_white(c)) {
            break;
        }
        text.len = last;
    }
    return text;
}

static sl_rc normalize_full(const struct sl_arena *a, struct sl_err *e)
{
    return SL_FAIL(e, SL_NOMEM, "no room for a normalized value: arena holds %zu of %zu bytes",
                   a->held_bytes, a->max_bytes);
}

static sl_rc normalize_nfc(sl_cleartext *text, struct sl_arena *a, struct sl_err *e)
{
    const utf8proc_uint8_t *bytes = (const utf8proc_uint8_t *)text->secret;
    const utf8proc_ssize_t len = (utf8proc_ssize_t)text->len;
    utf8proc_int32_t *points;
    utf8proc_ssize_t n;

    if (is_ascii(*text)) {
        return SL_OK;
    }
    n = utf8proc_decompose(bytes, len, NULL, 0, nfc);
    if (n < 0) {
        return SL_FAIL(e, SL_VALUE, "cannot normalize: value is not UTF-8");
    }
    points = sl_arena_alloc(a, ((size_t)n + 1) * sizeof *points); /* one more for a NUL */
    if (points == NULL) {
        return normalize_full(a, e);
    }
    /* What is composed is written over what it is composed of. */
    n = utf8proc_decompose(bytes, len, points, n, nfc);
    n = n < 0 ? n : utf8proc_reencode(points, n, nfc);
    if (n < 0) {
        return SL_FAIL(e, SL_BUG, "utf8proc refused what it had measured");
    }
    *text = (sl_cleartext){ (const char *)points, (size_t)n };
    return SL_OK;
}

static size_t lower_ascii(sl_cleartext text, char *out)
{
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.secret[i];

        out[i] = c;
        if (c >= 'A' && c <= 'Z') {
            out[i] = (char)(c | 0x20);
        }
    }
    return text.len;
}

static size_t lower_points(sl_cleartext text, char *out)
{
    utf8proc_int32_t c = 0;
    size_t len = 0;

    for (size_t n; text.len > 0; text = text_behind(text, n)) {
        n = point_read(text, &c);
        if (n == 0) {
            break; /* text_check has seen to it */
        }
        len += (size_t)utf8proc_encode_char(utf8proc_tolower(c), (utf8proc_uint8_t *)out + len);
    }
    return len;
}

static sl_rc normalize_lower(sl_cleartext *text, struct sl_arena *a, struct sl_err *e)
{
    const bool plain = is_ascii(*text);
    char *out;

    if (text->len == 0) {
        return SL_OK;
    }
    out = sl_arena_alloc(a, plain ? text->len : GROWTH_MAX * text->len);
    if (out == NULL) {
        return normalize_full(a, e);
    }
    *text = (sl_cleartext){ out, plain ? lower_ascii(*text, out) : lower_points(*text, out) };
    return SL_OK;
}

static sl_rc normalize_ip(sl_cleartext *text, struct sl_arena *a, struct sl_err *e)
{
    unsigned char address[16];
    const unsigned n = sl_normalize_address(*text, address);
    char *out;

    if (n == 0) {
        return SL_OK;
    }
    out = sl_arena_alloc(a, TEXT_MAX);
    if (out != NULL) {
        *text = (sl_cleartext){ out, sl_normalize_address_text(address, n, out) };
    }
    OPENSSL_cleanse(address, sizeof address);
    return out != NULL ? SL_OK : normalize_full(a, e);
}

sl_rc sl_normalize(unsigned what, sl_cleartext value, struct sl_arena *a, sl_cleartext *ret,
                   struct sl_err *e)
{
    sl_cleartext text = value;

    if (value.len > SL_NORMALIZE_MAX) {
        return SL_FAIL(e, SL_VALUE, "value has %zu bytes, at most %d can be normalized", value.len,
                       SL_NORMALIZE_MAX);
    }
    SL_TRY(text_check(text, e));
    if (what & SL_NORMALIZE_TRIM) {
        text = normalize_trim(text);
    }
    if (what & SL_NORMALIZE_NFC) {
        SL_TRY(normalize_nfc(&text, a, e));
    }
    if (what & SL_NORMALIZE_LOWER) {
        SL_TRY(normalize_lower(&text, a, e));
        /* A small letter may compose where its capital does not: U+01F0 has no capital. */
        if (what & SL_NORMALIZE_NFC) {
            SL_TRY(normalize_nfc(&text, a, e));
        }
    }
    if (what & SL_NORMALIZE_IP) {
        SL_TRY(normalize_ip(&text, a, e));
    }
    *ret = text;
    return SL_OK;
}

/* ---- addresses ------------------------------------------------------------------------------- */

unsigned sl_normalize_address(sl_cleartext text, unsigned char out[static 16])
{
    static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
    char copy[TEXT_MAX]; /* inet_pton wants a NUL */
    unsigned n = 0;

    if (text.len == 0 || text.len >= sizeof copy || memchr(text.secret, '\0', text.len) != NULL) {
        return 0;
    }
    memcpy(copy, text.secret, text.len);
    copy[text.len] = '\0';
    if (memchr(copy, ':', text.len) == NULL) {
        n = inet_pton(AF_INET, copy, out) == 1 ? 4 : 0;
    } else if (inet_pton(AF_INET6, copy, out) == 1) {
        n = 16;
        if (memcmp(out, mapped, sizeof mapped) == 0) {
            memmove(out, out + sizeof mapped, 4);
            n = 4;
        }
    }
    OPENSSL_cleanse(copy, sizeof copy);
    return n;
}

/* By hand: inet_ntop prints with snprintf, which takes ten times as long. */
static size_t quad_put(const unsigned char address[static 4], char *out)
{
    size_t n = 0;

    for (int i = 0; i < 4; i++) {
        const unsigned octet = address[i];

        if (octet >= 100) {
            out[n++] = (char)('0' + octet / 100);
        }
        if (octet >= 10) {
            out[n++] = (char)('0' + octet / 10 % 10);
        }
        out[n++] = (char)('0' + octet % 10);
        out[n++] = i < 3 ? '.' : '\0';
    }
    return n - 1;
}

size_t sl_normalize_address_text(const unsigned char *address, unsigned n, char out[static 46])
{
    if (n == 4) {
        return quad_put(address, out);
    }
    return inet_ntop(AF_INET6, address, out, TEXT_MAX) != NULL ? strlen(out) : 0;
}
