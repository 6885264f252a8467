/* pipeline/convert.c - texts into the values of columns. */
#include "pipeline/convert.h"

#include <arpa/inet.h>
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"

enum {
    VERSION_PARTS = 3,
    VERSION_PART_MAX = 999,
    DAY_S = 86400,
};

static const int64_t second_us = 1000000;
static const int64_t seconds_below = 100000000000; /* epoch numbers below are seconds */
static const int64_t year_10000_s = 253402300800;

enum sl_reason sl_convert_integer(sl_str text, int64_t min, int64_t max, int64_t *ret)
{
    int64_t value = 0;

    for (size_t i = text.len > 0 && text.ptr[0] == '-'; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return SL_REASON_WRONG_TYPE;
        }
    }
    if (text.len == 0 || (text.len == 1 && text.ptr[0] == '-')) {
        return SL_REASON_WRONG_TYPE;
    }
    if (!sl_str_to_i64(text, &value) || value < min || value > max) {
        return SL_REASON_OUT_OF_RANGE;
    }
    *ret = value;
    return SL_REASON_NONE;
}

enum sl_reason sl_convert_double(sl_str text, double *ret)
{
    char digits[512];
    char *end = NULL;
    double value;

    /* Longer ones are no numbers that anybody meant. */
    if (text.len == 0 || text.len >= sizeof digits) {
        return SL_REASON_OUT_OF_RANGE;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (strchr("0123456789+-.eE", text.ptr[i]) == NULL || text.ptr[i] == '\0') {
            return SL_REASON_WRONG_TYPE;
        }
    }
    memcpy(digits, text.ptr, text.len);
    digits[text.len] = '\0';
    value = strtod(digits, &end);
    if (end != digits + text.len) {
        return SL_REASON_WRONG_TYPE;
    }
    if (!isfinite(value)) {
        return SL_REASON_OUT_OF_RANGE;
    }
    *ret = value;
    return SL_REASON_NONE;
}

enum sl_reason sl_convert_version(sl_str text, int64_t *ret)
{
    int64_t parts[VERSION_PARTS] = { 0 };
    bool is_last = false;
    bool is_too_large = false;
    int64_t value;

    for (unsigned n = 0; !is_last; n++) {
        is_last = text.len == 0 || memchr(text.ptr, '.', text.len) == NULL;
        const sl_str part = sl_str_cut(&text, '.');
        const enum sl_reason reason =
            n == VERSION_PARTS || part.len == 0 || part.ptr[0] == '-'
                ? SL_REASON_BAD_VERSION
                : sl_convert_integer(part, 0, n == 0 ? INT32_MAX : VERSION_PART_MAX, &parts[n]);

        is_too_large = is_too_large || reason == SL_REASON_OUT_OF_RANGE;
        if (reason != SL_REASON_NONE && reason != SL_REASON_OUT_OF_RANGE) {
            return SL_REASON_BAD_VERSION;
        }
    }
    value = parts[0] * 1000000 + parts[1] * 1000 + parts[2];
    if (is_too_large || value > INT32_MAX) {
        return SL_REASON_OUT_OF_RANGE;
    }
    *ret = value;
    return SL_REASON_NONE;
}

/* ---- moments ----------------------------------------------------------------------------------------- */

/* Read exactly `n` digits from the front. */
static bool take_digits(sl_str *s, unsigned n, int *ret)
{
    int value = 0;

    if (s->len < n) {
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        if (s->ptr[i] < '0' || s->ptr[i] > '9') {
            return false;
        }
        value = value * 10 + (s->ptr[i] - '0');
    }
    s->ptr += n;
    s->len -= n;
    *ret = value;
    return true;
}

static bool take_char(sl_str *s, char c)
{
    if (s->len == 0 || s->ptr[0] != c) {
        return false;
    }
    s->ptr++;
    s->len--;
    return true;
}

/* ".123456789": microseconds, what is finer is cut off. */
static bool take_fraction(sl_str *s, int64_t *ret_us)
{
    int64_t unit_us = second_us / 10;
    int64_t us = 0;
    size_t n = 0;

    while (n < s->len && s->ptr[n] >= '0' && s->ptr[n] <= '9') {
        us += (s->ptr[n] - '0') * unit_us;
        unit_us /= 10;
        n++;
    }
    s->ptr += n;
    s->len -= n;
    *ret_us = us;
    return n > 0;
}

/* 2026-01-31, or 20260131 */
static bool take_date(sl_str *s, int64_t *ret_days)
{
    static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int year;
    int month;
    int day;
    bool has_dashes;
    bool is_leap;

    if (!take_digits(s, 4, &year)) {
        return false;
    }
    has_dashes = take_char(s, '-');
    if (!take_digits(s, 2, &month) || take_char(s, '-') != has_dashes || !take_digits(s, 2, &day)) {
        return false;
    }
    is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (year < 1 || month < 1 || month > 12 || day < 1 ||
        day > lengths[month - 1] + (month == 2 && is_leap)) {
        return false;
    }
    *ret_days = sl_clock_days(year, (unsigned)month, (unsigned)day);
    return true;
}

/* HH:MM[:SS[.fraction]] */
static bool take_clock(sl_str *s, int64_t *ret_us)
{
    int hour;
    int minute;
    int second = 0;
    int64_t fraction_us = 0;

    if (!take_digits(s, 2, &hour) || !take_char(s, ':') || !take_digits(s, 2, &minute)) {
        return false;
    }
    if (take_char(s, ':')) {
        if (!take_digits(s, 2, &second) || (take_char(s, '.') && !take_fraction(s, &fraction_us))) {
            return false;
        }
    }
    if (hour > 23 || minute > 59 || second > 60) {
        return false;
    }
    *ret_us = (hour * 3600 + minute * 60 + second) * second_us + fraction_us;
    return true;
}

/* Z, +HH:MM, +HHMM, +HH, or nothing, which means UTC. */
static bool take_zone(sl_str *s, int64_t *ret_us)
{
    int hours = 0;
    int minutes = 0;
    bool is_west;

    *ret_us = 0;
    if (s->len == 0 || take_char(s, 'Z') || take_char(s, 'z')) {
        return true;
    }
    is_west = s->ptr[0] == '-';
    if (!take_char(s, '+') && !take_char(s, '-')) {
        return false;
    }
    if (!take_digits(s, 2, &hours)) {
        return false;
    }
    if (s->len > 0) {
        (void)take_char(s, ':');
        if (!take_digits(s, 2, &minutes)) {
            return false;
        }
    }
    *ret_us = (hours * 3600 + minutes * 60) * second_us * (is_west ? -1 : 1);
    return hours <= 15 && minutes <= 59;
}

static enum sl_reason convert_iso(sl_str text, int64_t *ret)
{
    int64_t days = 0;
    int64_t of_day_us = 0;
    int64_t zone_us = 0;

    if (!take_date(&text, &days)) {
        return SL_REASON_BAD_DATE;
    }
    if (text.len > 0) {
        if (!(take_char(&text, 'T') || take_char(&text, 't') || take_char(&text, ' ')) ||
            !take_clock(&text, &of_day_us) || !take_zone(&text, &zone_us)) {
            return SL_REASON_BAD_DATE;
        }
    }
    if (text.len > 0) {
        return SL_REASON_BAD_DATE;
    }
    *ret = days * DAY_S * second_us + of_day_us - zone_us;
    return SL_REASON_NONE;
}

static bool is_epoch(sl_str text)
{
    const sl_str whole = sl_str_cut(&text, '.');
    int64_t ignored;

    return sl_convert_integer(whole, INT64_MIN, INT64_MAX, &ignored) == SL_REASON_NONE;
}

static enum sl_reason convert_epoch(sl_str text, int64_t *ret)
{
    const bool has_point = memchr(text.ptr, '.', text.len) != NULL;
    const sl_str whole = sl_str_cut(&text, '.');
    int64_t fraction_us = 0;
    int64_t value = 0;
    bool is_seconds;

    if (!sl_str_to_i64(whole, &value) || (has_point && !take_fraction(&text, &fraction_us)) ||
        text.len > 0) {
        return SL_REASON_BAD_DATE;
    }
    is_seconds = value < seconds_below && value > -seconds_below;
    if ((is_seconds ? value : value / 1000) >= year_10000_s ||
        (is_seconds ? value : value / 1000) < -62135596800) { /* year 1 */
        return SL_REASON_BAD_DATE;
    }
    fraction_us = is_seconds ? fraction_us : fraction_us / 1000;
    *ret = value * (is_seconds ? second_us : 1000) +
           (whole.ptr[0] == '-' ? -fraction_us : fraction_us);
    return SL_REASON_NONE;
}

static bool is_basic_date(sl_str text)
{
    return text.len == 8 && text.ptr[0] != '-' && memchr(text.ptr, '.', text.len) == NULL;
}

enum sl_reason sl_convert_time(sl_str text, bool is_number, int64_t *ret)
{
    return text.len > 0 && is_epoch(text) && (is_number || !is_basic_date(text))
               ? convert_epoch(text, ret)
               : convert_iso(text, ret);
}

int64_t sl_convert_day(int64_t at_us)
{
    const int64_t day_us = DAY_S * second_us;

    return at_us >= 0 ? at_us / day_us : -((-at_us + day_us - 1) / day_us);
}

/* ---- uuid, inet ------------------------------------------------------------------------------------------ */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

enum sl_reason sl_convert_uuid(sl_str text, unsigned char ret[static 16])
{
    const bool has_dashes = text.len == 36;
    unsigned char uuid[16];
    size_t at = 0;

    if (text.len != 36 && text.len != 32) {
        return SL_REASON_BAD_UUID;
    }
    for (size_t i = 0; i < 16; i++) {
        int high;
        int low;

        if (has_dashes && (i == 4 || i == 6 || i == 8 || i == 10) && text.ptr[at++] != '-') {
            return SL_REASON_BAD_UUID;
        }
        high = hex_value(text.ptr[at]);
        low = hex_value(text.ptr[at + 1]);
        if (high < 0 || low < 0) {
            return SL_REASON_BAD_UUID;
        }
        uuid[i] = (unsigned char)(high << 4 | low);
        at += 2;
    }
    memcpy(ret, uuid, sizeof uuid);
    return SL_REASON_NONE;
}

enum sl_reason sl_convert_inet(sl_str text, struct sl_inet *ret)
{
    const bool has_prefix = text.len > 0 && memchr(text.ptr, '/', text.len) != NULL;
    const sl_str address = sl_str_cut(&text, '/');
    struct sl_inet inet = { .is_v6 =
                                address.len > 0 && memchr(address.ptr, ':', address.len) != NULL };
    int64_t prefix = inet.is_v6 ? 128 : 32;
    char copy[INET6_ADDRSTRLEN];

    if (address.len == 0 || address.len >= sizeof copy ||
        memchr(address.ptr, '\0', address.len) != NULL) {
        return SL_REASON_BAD_INET;
    }
    memcpy(copy, address.ptr, address.len);
    copy[address.len] = '\0';
    if (inet_pton(inet.is_v6 ? AF_INET6 : AF_INET, copy, inet.addr) != 1 ||
        (has_prefix && (sl_str_starts(text, SL_STR("-")) ||
                        sl_convert_integer(text, 0, prefix, &prefix) != SL_REASON_NONE))) {
        return SL_REASON_BAD_INET;
    }
    inet.prefix = (unsigned char)prefix;
    *ret = inet;
    return SL_REASON_NONE;
}
