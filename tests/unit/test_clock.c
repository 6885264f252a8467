/* tests/unit/test_clock.c - days and moments, against the C library's calendar. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"

enum { DAY_S = 86400 };

static void counts_days_as_timegm_does(void **state)
{
    int64_t last = sl_clock_days(1599, 12, 31);

    (void)state;
    for (int year = 1600; year <= 2500; year++) {
        for (int month = 1; month <= 12; month++) {
            struct tm t = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = 1 };
            const int64_t days = sl_clock_days(year, (unsigned)month, 1);

            assert_true(days == timegm(&t) / DAY_S);
            assert_in_range(days - last, month == 1 && year == 1600 ? 1 : 28, 31);
            last = days;
        }
    }
}

static void knows_the_days_people_get_wrong(void **state)
{
    (void)state;
    assert_int_equal(sl_clock_days(1970, 1, 1), 0);
    assert_int_equal(sl_clock_days(1969, 12, 31), -1);
    assert_int_equal(sl_clock_days(2000, 1, 1), 10957);
    assert_int_equal(sl_clock_days(2000, 3, 1) - sl_clock_days(2000, 2, 28), 2);
    assert_int_equal(sl_clock_days(1900, 3, 1) - sl_clock_days(1900, 2, 28), 1);
    assert_int_equal(sl_clock_days(2100, 3, 1) - sl_clock_days(2100, 2, 28), 1);
    assert_int_equal(sl_clock_days(2024, 3, 1) - sl_clock_days(2024, 2, 28), 2);
    assert_true(sl_clock_days(1, 1, 1) == -719162);
    assert_true(sl_clock_days(9999, 12, 31) == 2932896);
}

static void writes_moments_as_iso_8601_in_utc(void **state)
{
    static const struct {
        int64_t at_ms;
        const char *text;
    } rows[] = {
        { 0, "1970-01-01T00:00:00.000Z" },
        { 1, "1970-01-01T00:00:00.001Z" },
        { -1, "1969-12-31T23:59:59.999Z" },
        { -1000, "1969-12-31T23:59:59.000Z" },
        { -999, "1969-12-31T23:59:59.001Z" },
        { 951782400000, "2000-02-29T00:00:00.000Z" },
        { 1769903999123, "2026-01-31T23:59:59.123Z" },
        { 253402300799999, "9999-12-31T23:59:59.999Z" },
        { -62135596800000, "0001-01-01T00:00:00.000Z" },
    };

    char out[32];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sl_clock_text(rows[i].at_ms, out);
        assert_string_equal(out, rows[i].text);
    }
}

static void moments_beyond_any_calendar_still_fit_their_room(void **state)
{
    char out[32];

    (void)state;
    sl_clock_text(INT64_MAX, out);
    assert_int_equal(strlen(out), 24);
    sl_clock_text(INT64_MIN / 2, out);
    assert_int_equal(strlen(out), 24);
}

static void the_wall_clock_is_the_systems(void **state)
{
    const int64_t before = time(NULL);
    const int64_t now_ms = sl_clock_at_ms();

    (void)state;
    assert_true(now_ms >= (before - 1) * 1000);
    assert_true(now_ms <= ((int64_t)time(NULL) + 1) * 1000);
}

static void the_monotonic_clock_never_goes_back(void **state)
{
    int64_t last = sl_clock_now_ms();

    (void)state;
    for (int i = 0; i < 10000; i++) {
        const int64_t now = sl_clock_now_ms();

        assert_true(now >= last);
        last = now;
    }
}

static void reads_moments_of_rfc_3339(void **state)
{
    static const char *const wrong[] = { "",
                                         "2026-01-31",
                                         "2026-01-31T23:59:59",
                                         "2026-01-31T23:59:59.Z",
                                         "2026-13-01T00:00:00Z",
                                         "2026-01-00T00:00:00Z",
                                         "2026-01-01T24:00:00Z",
                                         "2026-01-01T00:00:00Zx",
                                         "2026-01-01T00:00:00+0100",
                                         "2026-1-1T00:00:00Z",
                                         "1769903999" };
    int64_t at_ms = 0;
    char text[32];

    (void)state;
    assert_true(sl_clock_read(SL_STR("2026-01-31T23:59:59Z"), &at_ms));
    sl_clock_text(at_ms, text);
    assert_string_equal(text, "2026-01-31T23:59:59.000Z");
    assert_true(sl_clock_read(SL_STR("2026-01-31T23:59:59.1239999Z"), &at_ms));
    sl_clock_text(at_ms, text);
    assert_string_equal(text, "2026-01-31T23:59:59.123Z");
    assert_true(sl_clock_read(SL_STR("2026-02-01T01:29:59.5+01:30"), &at_ms));
    sl_clock_text(at_ms, text);
    assert_string_equal(text, "2026-01-31T23:59:59.500Z");
    assert_true(sl_clock_read(SL_STR("2026-01-31 23:59:59-00:00"), &at_ms));
    at_ms = 7;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(sl_clock_read(sl_str_of(wrong[i]), &at_ms));
    }
    assert_int_equal(at_ms, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_days_as_timegm_does),
        cmocka_unit_test(knows_the_days_people_get_wrong),
        cmocka_unit_test(writes_moments_as_iso_8601_in_utc),
        cmocka_unit_test(moments_beyond_any_calendar_still_fit_their_room),
        cmocka_unit_test(reads_moments_of_rfc_3339),
        cmocka_unit_test(the_wall_clock_is_the_systems),
        cmocka_unit_test(the_monotonic_clock_never_goes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
