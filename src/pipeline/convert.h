/* pipeline/convert.h - texts into the values of columns; every conversion is checked.  Pure.
 *
 * Each returns SL_REASON_NONE and sets *ret, or says what is wrong and leaves *ret alone.
 */
#ifndef SLUICE_PIPELINE_CONVERT_H
#define SLUICE_PIPELINE_CONVERT_H

#include "record/batch.h"

/* A whole number, decimal digits with an optional '-', within min..max. */
enum sl_reason sl_convert_integer(sl_str text, int64_t min, int64_t max, int64_t *ret);

/* A JSON number as a double; one that overflows is out of range. */
enum sl_reason sl_convert_double(sl_str text, double *ret);

/* A dotted version as one integer that keeps order and equality.
 *
 *     major * 1 000 000 + minor * 1 000 + patch, missing parts 0
 *
 * Shape:   1 to 3 parts of digits; else a bad version
 *          minor and patch up to 999 and a result that fits int4; else out of range
 */
enum sl_reason sl_convert_version(sl_str text, int64_t *ret);

/* A moment, as microseconds since 1970 UTC.
 *
 * Shape:   ISO 8601 (2026-01-31, 2026-01-31T23:59:59.123Z, ... +02:00; no zone means UTC), or
 *          digits since 1970: seconds below 1e11, milliseconds above; a fraction is allowed.
 *          Eight digits of a text are ISO 8601's basic date, 20260131; those of a number, seconds
 */
enum sl_reason sl_convert_time(sl_str text, bool is_number, int64_t *ret);

/* The UTC day of a moment, as days since 1970. */
int64_t sl_convert_day(int64_t at_us);

/* 8-4-4-4-12 hexadecimal digits, or 32 of them; any case. */
enum sl_reason sl_convert_uuid(sl_str text, unsigned char ret[static 16]);

/* An IPv4 or IPv6 address, with an optional /prefix.  Reserved ranges are data like others. */
enum sl_reason sl_convert_inet(sl_str text, struct sl_inet *ret);

#endif
