/* base/clock.h - the two clocks: when something happened, and how long it takes. */
#ifndef SLUICE_BASE_CLOCK_H
#define SLUICE_BASE_CLOCK_H

#include "base/str.h"

/* Wall clock, milliseconds since 1970-01-01 UTC.  For facts; it may jump. */
int64_t sl_clock_at_ms(void);

/* Monotonic clock, milliseconds.  For deadlines (names end in _due_ms); it never jumps. */
int64_t sl_clock_now_ms(void);

/* The same in microseconds.  For how long something short takes. */
int64_t sl_clock_now_us(void);

/* Days since 1970-01-01 of a civil date, proleptic Gregorian; the date is not checked. */
int64_t sl_clock_days(int64_t year, unsigned month, unsigned day);

/* A moment as people write it: 2026-01-31T23:59:59.123Z
 * Shape: out has room for 32 bytes. */
void sl_clock_text(int64_t at_ms, char out[static 32]);

/* Read a moment: 2026-01-31T23:59:59Z, with a fraction or without, or an offset (+01:00) for the Z.
 * Returns: false, leaving *ret alone, when it is none
 * Source:  RFC 3339 section 5.6 */
bool sl_clock_read(sl_str text, int64_t *ret_at_ms);

#endif
