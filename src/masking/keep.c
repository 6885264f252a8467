/* masking/keep.c - keep a part of a value and drop the rest. */
#include "masking/keep.h"

#include <time.h>

#include <openssl/crypto.h>

#include "masking/normalize.h"

enum {
    BITS4_MAX = 31, /* an address has 32; all of them would be the address */
    BITS6_MAX = 127,
    ADDRESS_MAX = 46, /* bytes of an address with its NUL */
    DOMAIN_MAX = 253, /* characters, RFC 1035 */
    DATE_DIGITS = 8,  /* YYYYMMDD */
    YEAR_DIGITS = 4,
    EPOCH_YEAR_MIN = 1800, /* years that a number may mean: 20240131235959 is no millisecond */
    EPOCH_YEAR_MAX = 2199,
};

static const int64_t seconds_below = 100000000000; /* numbers from here on are milliseconds */

/* ---- settings -------------------------------------------------------------------------------- */

/* A number of 1 to 3 digits that does not start with 0. */
static bool keep_number(sl_str s, unsigned max, unsigned *ret)
{
    unsigned value = 0;

    if (s.len == 0 || s.len > 3 || s.ptr[0] == '0') {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9') {
            return false;
        }
        value = value * 10 + (unsigned)(s.ptr[i] - '0');
    }
    if (value > max) {
        return false;
    }
    *ret = value;
    return true;
}

static bool keep_chars(enum sl_keep_kind kind, sl_str number, struct sl_keep *ret)
{
    unsigned n = 0;

    if (!keep_number(number, SL_KEEP_CHARS_MAX, &n)) {
        return false;
    }
    *ret = (struct sl_keep){ .kind = kind, .n = n };
    return true;
}

static bool prefix_read(sl_str text, unsigned max, unsigned *ret)
{
    return text.len > 0 && text.ptr[0] == '/' &&
           keep_number((sl_str){ text.ptr + 1, text.len - 1 }, max, ret);
}

static bool keep_prefixes(sl_str first, sl_str second, struct sl_keep *ret)
{
    struct sl_keep k = { .kind = SL_KEEP_NETWORK, .n = SL_KEEP_BITS, .n6 = SL_KEEP_BITS6 };
    bool ok;

    if (second.len > 0) {
        ok = prefix_read(first, BITS4_MAX, &k.n) && prefix_read(second, BITS6_MAX, &k.n6);
    } else {
        ok = prefix_read(first, BITS4_MAX, &k.n) || prefix_read(first, BITS6_MAX, &k.n6);
    }
    if (ok) {
        *ret = k;
    }
    return ok;
}

bool sl_keep_parse(sl_str text, struct sl_keep *ret)
{
    sl_str rest = sl_str_trim(text);
    const sl_str word = sl_str_cut(&rest, ' ');

    rest = sl_str_trim(rest);
    if (sl_str_eq(word, SL_STR("first"))) {
        return keep_chars(SL_KEEP_FIRST, rest, ret);
    }
    if (sl_str_eq(word, SL_STR("last"))) {
        return keep_chars(SL_KEEP_LAST, rest, ret);
    }
    if (rest.len == 0 && sl_str_eq(word, SL_STR("domain"))) {
        *ret = (struct sl_keep){ .kind = SL_KEEP_DOMAIN };
        return true;
    }
    if (rest.len == 0 && sl_str_eq(word, SL_STR("year"))) {
        *ret = (struct sl_keep){ .kind = SL_KEEP_YEAR };
        return true;
    }
    return keep_prefixes(word, rest, ret);
}

/* ---- characters and networks ----------------------------------------------------------------- */

/* What is kept leaves the type of cleartext here, as a copy. */
static sl_rc keep_copy(const char *part, size_t n, struct sl_arena *a, sl_str *ret,
                       struct sl_err *e)
{
    const sl_str copy = sl_arena_copy(a, (sl_str){ part, n });

    if (copy.ptr == NULL) {
        return SL_FAIL(e, SL_NOMEM, "no room for a masked value: arena holds %zu of %zu bytes",
                       a->held_bytes, a->max_bytes);
    }
    *ret = copy;
    return SL_OK;
}

static bool is_lead(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

/* The bytes of the first `n` code points; all of them when there are no more. */
static size_t chars_bytes(sl_cleartext value, size_t n)
{
    size_t at = 0;
    size_t seen = 0;

    for (; at < value.len; at++) {
        if (is_lead(value.secret[at]) && ++seen > n) {
            break;
        }
    }
    return at;
}

static sl_rc keep_some(const struct sl_keep *k, sl_cleartext value, struct sl_arena *a, sl_str *ret,
                       struct sl_err *e)
{
    const size_t chars = sl_str_chars((sl_str){ value.secret, value.len });
    size_t from = 0;
    size_t to = value.len;

    if (chars <= k->n) {
        return keep_copy("", 0, a, ret, e);
    }
    if (k->kind == SL_KEEP_FIRST) {
        to = chars_bytes(value, k->n);
    } else {
        from = chars_bytes(value, chars - k->n);
    }
    return keep_copy(value.secret + from, to - from, a, ret, e);
}

static sl_rc keep_network(const struct sl_keep *k, sl_cleartext value, struct sl_arena *a,
                          sl_str *ret, struct sl_err *e)
{
    unsigned char address[16];
    const unsigned n = sl_normalize_address(value, address);
    const unsigned bits = n == 4 ? k->n : k->n6;
    char text[ADDRESS_MAX];

    if (n == 0) {
        return SL_FAIL(e, SL_VALUE, "value is no IP address: it has no network to keep");
    }
    for (unsigned i = 0; i < n; i++) {
        const unsigned kept = bits > 8 * i ? bits - 8 * i : 0;

        if (kept < 8) {
            address[i] &= (unsigned char)(0xff00U >> kept);
        }
    }
    return keep_copy(text, sl_normalize_address_text(address, n, text), a, ret, e);
}

/* ---- domains --------------------------------------------------------------------------------- */

/* Only what names of hosts have: `a@b.c, and a secret` must not pass, nor an address for a name. */
static bool is_domain(sl_cleartext name)
{
    bool is_number = true; /* the last label */

    if (name.len == 0 || name.len > DOMAIN_MAX) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        const unsigned char c = (unsigned char)name.secret[i];
        const bool is_digit = c >= '0' && c <= '9';
        const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;

        if (!is_digit && !is_letter && c != '-' && c != '.') {
            return false;
        }
        is_number = c == '.' || (is_number && is_digit);
    }
    return !is_number;
}

static sl_rc keep_domain(sl_cleartext value, struct sl_arena *a, sl_str *ret, struct sl_err *e)
{
    const char *at = memrchr(value.secret, '@', value.len);
    sl_cleartext name;

    if (at == NULL || at == value.secret) {
        return SL_FAIL(e, SL_VALUE, "value is no mail address: it has no domain to keep");
    }
    name = (sl_cleartext){ at + 1, value.len - (size_t)(at + 1 - value.secret) };
    if (!is_domain(name)) {
        return SL_FAIL(e, SL_VALUE, "what follows the @ is no name of a domain");
    }
    SL_TRY(sl_normalize(SL_NORMALIZE_LOWER, name, a, &name, e));
    return keep_copy(name.secret, name.len, a, ret, e);
}

/* ---- years ----------------------------------------------------------------------------------- */

static bool digits_read(const char *s, size_t n, unsigned *ret)
{
    unsigned value = 0;

    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9') {
            return false;
        }
        value = value * 10 + (unsigned)(s[i] - '0');
    }
    *ret = value;
    return true;
}

static bool is_day(unsigned year, unsigned month, unsigned day)
{
    static const unsigned char lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    const bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month >= 1 && month <= 12 && day >= 1 &&
           day <= lengths[month - 1] + (month == 2 && is_leap ? 1U : 0U);
}

/* Behind a date comes nothing, or a time of day. */
static bool is_time(const char *s, size_t n)
{
    return n == 0 ||
           (n > 1 && (s[0] == 'T' || s[0] == 't' || s[0] == ' ') && s[1] >= '0' && s[1] <= '2');
}

/* YYYY, YYYY-MM, YYYY-MM-DD */
static bool year_extended(sl_cleartext value, unsigned *ret)
{
    const char *s = value.secret;
    unsigned month = 1;
    unsigned day = 1;

    if (value.len < YEAR_DIGITS || !digits_read(s, YEAR_DIGITS, ret)) {
        return false;
    }
    if (value.len == 4) {
        return true;
    }
    if (value.len < 7 || s[4] != '-' || !digits_read(s + 5, 2, &month)) {
        return false;
    }
    if (value.len > 7 && (value.len < 10 || s[7] != '-' || !digits_read(s + 8, 2, &day) ||
                          !is_time(s + 10, value.len - 10))) {
        return false;
    }
    return is_day(*ret, month, day);
}

/* YYYYMMDD */
static bool year_basic(sl_cleartext value, unsigned *ret)
{
    const char *s = value.secret;
    unsigned month = 0;
    unsigned day = 0;

    return value.len >= DATE_DIGITS && digits_read(s, YEAR_DIGITS, ret) &&
           digits_read(s + 4, 2, &month) && digits_read(s + 6, 2, &day) &&
           is_time(s + DATE_DIGITS, value.len - DATE_DIGITS) && is_day(*ret, month, day);
}

static bool year_epoch(sl_cleartext value, unsigned *ret)
{
    int64_t number = 0;
    struct tm t;
    time_t seconds;

    /* So many digits are a date, if anything. */
    if (value.len == DATE_DIGITS && value.secret[0] != '-') {
        return false;
    }
    if (!sl_str_to_i64((sl_str){ value.secret, value.len }, &number)) {
        return false;
    }
    if (number >= seconds_below || number <= -seconds_below) {
        /* Downwards, or the last second of 1969 would be in 1970. */
        number = number / 1000 - (number % 1000 < 0);
    }
    seconds = (time_t)number;
    if (gmtime_r(&seconds, &t) == NULL || t.tm_year < EPOCH_YEAR_MIN - 1900 ||
        t.tm_year > EPOCH_YEAR_MAX - 1900) {
        return false;
    }
    *ret = (unsigned)(t.tm_year + 1900);
    return true;
}

static sl_rc keep_year(sl_cleartext value, struct sl_arena *a, sl_str *ret, struct sl_err *e)
{
    char text[YEAR_DIGITS];
    unsigned year = 0;

    if (!(year_extended(value, &year) || year_basic(value, &year) || year_epoch(value, &year)) ||
        year == 0) {
        return SL_FAIL(e, SL_VALUE,
                       "value is no date: give YYYY-MM-DD, or seconds or milliseconds since 1970");
    }
    for (int i = YEAR_DIGITS - 1; i >= 0; i--) {
        text[i] = (char)('0' + year % 10);
        year /= 10;
    }
    return keep_copy(text, sizeof text, a, ret, e);
}

sl_rc sl_keep_mask(const struct sl_keep *k, sl_cleartext value, struct sl_arena *a, sl_str *ret,
                   struct sl_err *e)
{
    if (value.len == 0) {
        *ret = SL_STR("");
        return SL_OK;
    }
    switch (k->kind) {
    case SL_KEEP_FIRST:
    case SL_KEEP_LAST:
        return keep_some(k, value, a, ret, e);
    case SL_KEEP_NETWORK:
        return keep_network(k, value, a, ret, e);
    case SL_KEEP_DOMAIN:
        return keep_domain(value, a, ret, e);
    case SL_KEEP_YEAR:
        return keep_year(value, a, ret, e);
    }
    return SL_FAIL(e, SL_BUG, "no part %d is kept", (int)k->kind);
}
