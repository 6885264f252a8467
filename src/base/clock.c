/* base/clock.c - the two clocks. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t clock_ms(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t sl_clock_at_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

int64_t sl_clock_now_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

int64_t sl_clock_now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Years are counted from March, so that the leap day comes last. */
int64_t sl_clock_days(int64_t year, unsigned month, unsigned day)
{
    const int64_t y = month <= 2 ? year - 1 : year;
    const int64_t era = (y >= 0 ? y : y - 399) / 400;
    const int64_t of_era = y - era * 400;
    const int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void sl_clock_text(int64_t at_ms, char out[static 32])
{
    const int64_t ms = ((at_ms % 1000) + 1000) % 1000;
    const time_t seconds = (time_t)((at_ms - ms) / 1000);
    struct tm t;

    (void)gmtime_r(&seconds, &t);
    (void)snprintf(out, 32, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
                   (unsigned)(t.tm_year + 1900) % 10000U, (unsigned)(t.tm_mon + 1) % 100U,
                   (unsigned)t.tm_mday % 100U, (unsigned)t.tm_hour % 100U,
                   (unsigned)t.tm_min % 100U, (unsigned)t.tm_sec % 100U, (unsigned)ms % 1000U);
}

/* Exactly `n` digits at the front are cut off. */
static bool digits_cut(sl_str *s, size_t n, unsigned *ret)
{
    unsigned value = 0;

    if (s->len < n) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (s->ptr[i] < '0' || s->ptr[i] > '9') {
            return false;
        }
        value = value * 10 + (unsigned)(s->ptr[i] - '0');
    }
    *s = (sl_str){ s->ptr + n, s->len - n };
    *ret = value;
    return true;
}

static bool char_cut(sl_str *s, char c)
{
    const bool has = s->len > 0 && s->ptr[0] == c;

    if (has) {
        *s = (sl_str){ s->ptr + 1, s->len - 1 };
    }
    return has;
}

/* What is finer than milliseconds is dropped. */
static bool fraction_cut(sl_str *s, unsigned *ret_ms)
{
    unsigned digit = 0;
    unsigned scale = 100;

    *ret_ms = 0;
    if (!char_cut(s, '.')) {
        return true;
    }
    if (!digits_cut(s, 1, &digit)) {
        return false;
    }
    do {
        *ret_ms += digit * scale;
        scale /= 10;
    } while (digits_cut(s, 1, &digit));
    return true;
}

/* All that is left: Z, or how far ahead of UTC. */
static bool offset_read(sl_str s, int64_t *ret_minutes)
{
    const bool is_behind = s.len > 0 && s.ptr[0] == '-';
    unsigned hours = 0;
    unsigned minutes = 0;

    if (sl_str_eq(s, SL_STR("Z")) || sl_str_eq(s, SL_STR("z"))) {
        *ret_minutes = 0;
        return true;
    }
    if (!char_cut(&s, is_behind ? '-' : '+') || !digits_cut(&s, 2, &hours) || !char_cut(&s, ':') ||
        !digits_cut(&s, 2, &minutes) || s.len > 0 || hours > 23 || minutes > 59) {
        return false;
    }
    *ret_minutes = ((int64_t)hours * 60 + minutes) * (is_behind ? -1 : 1);
    return true;
}

bool sl_clock_read(sl_str text, int64_t *ret_at_ms)
{
    unsigned year = 0;
    unsigned month = 0;
    unsigned day = 0;
    unsigned hour = 0;
    unsigned minute = 0;
    unsigned second = 0;
    unsigned ms = 0;
    int64_t offset = 0;

    if (!digits_cut(&text, 4, &year) || !char_cut(&text, '-') || !digits_cut(&text, 2, &month) ||
        !char_cut(&text, '-') || !digits_cut(&text, 2, &day) ||
        (!char_cut(&text, 'T') && !char_cut(&text, ' ')) || !digits_cut(&text, 2, &hour) ||
        !char_cut(&text, ':') || !digits_cut(&text, 2, &minute) || !char_cut(&text, ':') ||
        !digits_cut(&text, 2, &second) || !fraction_cut(&text, &ms) ||
        !offset_read(text, &offset)) {
        return false;
    }
    if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) {
        return false;
    }
    *ret_at_ms = ((sl_clock_days(year, month, day) * 24 + hour) * 60 + minute - offset) * 60000 +
                 (int64_t)second * 1000 + ms;
    return true;
}
