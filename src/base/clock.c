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
