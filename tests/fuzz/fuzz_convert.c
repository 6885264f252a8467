/* tests/fuzz/fuzz_convert.c - any bytes as the text of a value: what is converted can be written
 * again and is the same value; what is refused leaves nothing behind.
 *
 * The first byte of the input chooses the conversion.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <math.h>

#include "base/clock.h"
#include "fuzz.h"
#include "pipeline/convert.h"

static const int64_t day_us = INT64_C(86400000000);

static void check_integer(sl_str text)
{
    int64_t value = 77;
    int64_t small = 77;
    int64_t again = 0;
    char out[32];
    const enum sl_reason wide = sl_convert_integer(text, INT64_MIN, INT64_MAX, &value);
    const enum sl_reason narrow = sl_convert_integer(text, INT32_MIN, INT32_MAX, &small);

    must(wide == SL_REASON_NONE || value == 77, "a refused integer");
    must(narrow == SL_REASON_NONE || small == 77, "a refused small integer");
    must((narrow == SL_REASON_NONE) ==
             (wide == SL_REASON_NONE && value >= INT32_MIN && value <= INT32_MAX),
         "limits that do not hold");
    must((wide == SL_REASON_WRONG_TYPE) == (narrow == SL_REASON_WRONG_TYPE),
         "a type that depends on the limits");
    if (wide == SL_REASON_NONE) {
        (void)snprintf(out, sizeof out, "%" PRId64, value);
        must(sl_convert_integer(sl_str_of(out), INT64_MIN, INT64_MAX, &again) == SL_REASON_NONE &&
                 again == value,
             "another integer came back");
    }
}

static void check_double(sl_str text)
{
    double value = 77;
    double again = 0;
    char out[64];
    const enum sl_reason reason = sl_convert_double(text, &value);

    if (reason != SL_REASON_NONE) {
        must(value == 77, "a refused number");
        must(reason == SL_REASON_WRONG_TYPE || reason == SL_REASON_OUT_OF_RANGE, "another reason");
        return;
    }
    must(isfinite(value), "a number without an end");
    (void)snprintf(out, sizeof out, "%.17g", value);
    must(sl_convert_double(sl_str_of(out), &again) == SL_REASON_NONE && again == value,
         "another number came back");
}

static void check_version(sl_str text)
{
    int64_t value = 77;
    int64_t again = 0;
    char out[64];
    const enum sl_reason reason = sl_convert_version(text, &value);

    if (reason != SL_REASON_NONE) {
        must(value == 77, "a refused version");
        must(reason == SL_REASON_BAD_VERSION || reason == SL_REASON_OUT_OF_RANGE, "another reason");
        return;
    }
    must(value >= 0 && value <= INT32_MAX, "a version that does not fit");
    (void)snprintf(out, sizeof out, "%" PRId64 ".%" PRId64 ".%" PRId64, value / 1000000,
                   value / 1000 % 1000, value % 1000);
    must(sl_convert_version(sl_str_of(out), &again) == SL_REASON_NONE && again == value,
         "another version came back");
}

static void check_time(sl_str text)
{
    int64_t value = 77;
    int64_t again = 0;
    int64_t day;
    char out[32];
    const enum sl_reason reason = sl_convert_time(text, false, &value);

    if (reason != SL_REASON_NONE) {
        must(value == 77 && reason == SL_REASON_BAD_DATE, "a refused moment");
        return;
    }
    day = sl_convert_day(value);
    must(day * day_us <= value && value < (day + 1) * day_us, "a day without its moment");
    /* A zone can lead out of the years that are written with four digits. */
    if (value < -INT64_C(62135596800000000) || value >= INT64_C(253402300800000000)) {
        must(day >= -719163 && day <= 2932896, "a moment of another age");
        return;
    }
    value -= (value % 1000 + 1000) % 1000; /* milliseconds are written */
    sl_clock_text(value / 1000, out);
    must(sl_convert_time(sl_str_of(out), false, &again) == SL_REASON_NONE && again == value,
         "another moment came back");
}

static void check_uuid(sl_str text)
{
    static const unsigned char untouched[16] = "untouched......";
    unsigned char value[16];
    unsigned char again[16];
    char out[33];

    memcpy(value, untouched, sizeof value);
    if (sl_convert_uuid(text, value) != SL_REASON_NONE) {
        must(memcmp(value, untouched, sizeof value) == 0, "a refused uuid");
        return;
    }
    for (size_t i = 0; i < sizeof value; i++) {
        (void)snprintf(out + 2 * i, 3, "%02x", value[i]);
    }
    must(sl_convert_uuid(sl_str_of(out), again) == SL_REASON_NONE &&
             memcmp(again, value, sizeof value) == 0,
         "another uuid came back");
}

static void check_inet(sl_str text)
{
    struct sl_inet value = { .prefix = 77 };
    struct sl_inet again = { .prefix = 0 };
    char address[INET6_ADDRSTRLEN];
    char out[64];

    if (sl_convert_inet(text, &value) != SL_REASON_NONE) {
        must(value.prefix == 77, "a refused address");
        return;
    }
    must(value.prefix <= (value.is_v6 ? 128 : 32), "a prefix longer than the address");
    must(inet_ntop(value.is_v6 ? AF_INET6 : AF_INET, value.addr, address, sizeof address) != NULL,
         "an address that cannot be written");
    (void)snprintf(out, sizeof out, "%s/%u", address, value.prefix);
    must(sl_convert_inet(sl_str_of(out), &again) == SL_REASON_NONE &&
             memcmp(&again, &value, sizeof value) == 0,
         "another address came back");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static void (*const checks[])(sl_str text) = { check_integer, check_double, check_version,
                                                   check_time,    check_uuid,   check_inet };

    if (n > 0) {
        checks[data[0] % (sizeof checks / sizeof *checks)](
            (sl_str){ (const char *)data + 1, n - 1 });
    }
    return 0;
}
