/* tests/unit/test_convert.c - what a text may become, and what it may not. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "pipeline/convert.h"

static const int64_t untouched = 0x5a5a5a5a5a5a;

/* ---- numbers --------------------------------------------------------------------------------- */

static void integer(const char *text, int64_t min, int64_t max, int64_t expected)
{
    int64_t value = untouched;

    assert_int_equal(sl_convert_integer(sl_str_of(text), min, max, &value), SL_REASON_NONE);
    assert_true(value == expected);
}

static void no_integer(const char *text, int64_t min, int64_t max, enum sl_reason reason)
{
    int64_t value = untouched;

    assert_int_equal(sl_convert_integer(sl_str_of(text), min, max, &value), reason);
    assert_true(value == untouched);
}

static void integers_reach_to_their_bounds_and_no_further(void **state)
{
    (void)state;
    integer("2147483647", INT32_MIN, INT32_MAX, INT32_MAX);
    integer("-2147483648", INT32_MIN, INT32_MAX, INT32_MIN);
    integer("-0", INT32_MIN, INT32_MAX, 0);
    integer("9223372036854775807", INT64_MIN, INT64_MAX, INT64_MAX);
    integer("-9223372036854775808", INT64_MIN, INT64_MAX, INT64_MIN);
    no_integer("2147483648", INT32_MIN, INT32_MAX, SL_REASON_OUT_OF_RANGE);
    no_integer("-2147483649", INT32_MIN, INT32_MAX, SL_REASON_OUT_OF_RANGE);
    no_integer("9223372036854775808", INT64_MIN, INT64_MAX, SL_REASON_OUT_OF_RANGE);
    no_integer("-9223372036854775809", INT64_MIN, INT64_MAX, SL_REASON_OUT_OF_RANGE);
    no_integer("18446744073709551617", INT64_MIN, INT64_MAX, SL_REASON_OUT_OF_RANGE);
    no_integer("12345678901234567890123", INT64_MIN, INT64_MAX, SL_REASON_OUT_OF_RANGE);
}

static void a_number_that_is_no_integer_is_of_the_wrong_type_and_never_rounded(void **state)
{
    static const char *const bad[] = {
        "", "-", "1.0", "1.5", "1e3", "1E3", "+1", " 1", "0x1", "--1"
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        no_integer(bad[i], INT64_MIN, INT64_MAX, SL_REASON_WRONG_TYPE);
    }
}

static void doubles_are_read_as_json_writes_them(void **state)
{
    static const struct {
        const char *text;
        double value;
    } rows[] = { { "0", 0.0 },
                 { "-0", -0.0 },
                 { "1", 1.0 },
                 { "1.5", 1.5 },
                 { "-2.5e-3", -2.5e-3 },
                 { "1E2", 100.0 },
                 { "0.1", 0.1 },
                 { "1e+308", 1e308 },
                 { "1.7976931348623157e308", 0x1.fffffffffffffp1023 },
                 { "5e-324", 5e-324 },
                 { "123456789012345678901234567890", 123456789012345678901234567890.0 } };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double value = 42;

        assert_int_equal(sl_convert_double(sl_str_of(rows[i].text), &value), SL_REASON_NONE);
        assert_memory_equal(&value, &rows[i].value, sizeof value);
    }
}

static void a_double_that_overflows_is_out_of_range_and_never_infinite(void **state)
{
    static const char *const bad[] = { "1e400", "-1e400", "1.8e308", "1e99999999999" };
    char digits[600];
    double value = 42;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(sl_convert_double(sl_str_of(bad[i]), &value), SL_REASON_OUT_OF_RANGE);
    }
    memset(digits, '1', sizeof digits);
    assert_int_equal(sl_convert_double((sl_str){ digits, sizeof digits }, &value),
                     SL_REASON_OUT_OF_RANGE);
    assert_true(value == 42);
}

static void words_and_hexadecimal_are_no_doubles(void **state)
{
    static const char *const bad[] = { "nan", "inf", "Infinity", "0x10", "1e",
                                       "1e+", "-",   "e5",       "1.2.3" };
    double value = 42;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(sl_convert_double(sl_str_of(bad[i]), &value), SL_REASON_WRONG_TYPE);
    }
    assert_int_equal(sl_convert_double((sl_str){ "1\0002", 3 }, &value), SL_REASON_WRONG_TYPE);
    assert_true(value == 42);
}

/* ---- versions -------------------------------------------------------------------------------- */

static int64_t version(const char *text)
{
    int64_t value = untouched;

    assert_int_equal(sl_convert_version(sl_str_of(text), &value), SL_REASON_NONE);
    return value;
}

static void versions_become_major_minor_patch_in_thousands(void **state)
{
    (void)state;
    assert_int_equal(version("0.0.0"), 0);
    assert_int_equal(version("0.0.1"), 1);
    assert_int_equal(version("1.2.3"), 1002003);
    assert_int_equal(version("2.3.0"), 2003000);
    assert_int_equal(version("0.999.999"), 999999);
    assert_int_equal(version("01.002.03"), 1002003);
}

static void missing_parts_are_zero_so_that_equal_versions_are_equal(void **state)
{
    (void)state;
    assert_int_equal(version("2.3"), version("2.3.0"));
    assert_int_equal(version("2"), version("2.0.0"));
}

static void order_is_that_of_versions_and_not_of_texts(void **state)
{
    static const char *const in_order[] = { "0.0.1", "0.1",   "0.10",   "1.9.9",  "1.10",
                                            "2.3",   "2.3.1", "2.3.10", "2.30.0", "10.0.0" };

    (void)state;
    for (size_t i = 1; i < sizeof in_order / sizeof in_order[0]; i++) {
        assert_true(version(in_order[i - 1]) < version(in_order[i]));
    }
}

static void a_version_reaches_to_int4_and_never_wraps(void **state)
{
    static const char *const bad[] = { "2147.483.648",
                                       "2148.0.0",
                                       "2147.484",
                                       "4294967.296",
                                       "1.1000",
                                       "1.0.1000",
                                       "2147483648",
                                       "99999999999999999999",
                                       "9223372036854.775.808",
                                       "1.18446744073709551617" };
    int64_t value = untouched;

    (void)state;
    assert_int_equal(version("2147.483.647"), INT32_MAX);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (sl_convert_version(sl_str_of(bad[i]), &value) != SL_REASON_OUT_OF_RANGE) {
            fail_msg("not out of range: %s", bad[i]);
        }
    }
    assert_true(value == untouched);
}

static void what_is_not_one_to_three_numbers_is_no_version(void **state)
{
    static const char *const bad[] = { "",        ".",      "1.",     ".1",      "1..2",
                                       "1.2.3.4", "1.2.3.", "1.x",    "v1.2",    "1.2-3",
                                       "1.2.3b",  "1,2",    " 1.2",   "1.2 ",    "-1.2",
                                       "1.-2",    "+1",     "1.2.-0", "\xd9\xa1" };
    int64_t value = untouched;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (sl_convert_version(sl_str_of(bad[i]), &value) != SL_REASON_BAD_VERSION) {
            fail_msg("no bad version: %s", bad[i]);
        }
    }
    assert_int_equal(sl_convert_version((sl_str){ "1\0.2", 4 }, &value), SL_REASON_BAD_VERSION);
    assert_int_equal(sl_convert_version((sl_str){ 0 }, &value), SL_REASON_BAD_VERSION);
    assert_true(value == untouched);
}

/* ---- moments --------------------------------------------------------------------------------- */

static const int64_t second_us = 1000000;
static const int64_t day_us = 86400 * (int64_t)1000000;

static int64_t moment(const char *text)
{
    int64_t at_us = untouched;

    if (sl_convert_time(sl_str_of(text), false, &at_us) != SL_REASON_NONE) {
        fail_msg("refused: %s", text);
    }
    return at_us;
}

static void no_moment(const char *text)
{
    int64_t at_us = untouched;

    if (sl_convert_time(sl_str_of(text), false, &at_us) != SL_REASON_BAD_DATE ||
        at_us != untouched) {
        fail_msg("taken: %s", text);
    }
}

static void a_moment_without_a_zone_is_utc(void **state)
{
    const int64_t last_us = (20484 + 1) * day_us - second_us; /* 2026-01-31 is day 20484 */

    (void)state;
    assert_true(moment("1970-01-01") == 0);
    assert_true(moment("2026-01-31") == 20484 * day_us);
    assert_true(moment("2026-01-31T23:59:59") == last_us);
    assert_true(moment("2026-01-31 23:59:59") == last_us);
    assert_true(moment("2026-01-31t23:59:59z") == last_us);
    assert_true(moment("2026-01-31T23:59:59Z") == last_us);
    assert_true(moment("2026-01-31T23:59") == last_us - 59 * second_us);
    assert_true(moment("1969-12-31T23:59:59Z") == -second_us);
    assert_true(moment("1999-12-31T23:59:60Z") == moment("2000-01-01")); /* a leap second */
}

static void fractions_are_kept_to_the_microsecond_and_cut_below(void **state)
{
    const int64_t at_us = moment("2026-01-31T23:59:59");

    (void)state;
    assert_true(moment("2026-01-31T23:59:59.1Z") == at_us + 100000);
    assert_true(moment("2026-01-31T23:59:59.123Z") == at_us + 123000);
    assert_true(moment("2026-01-31T23:59:59.123456Z") == at_us + 123456);
    assert_true(moment("2026-01-31T23:59:59.123456999Z") == at_us + 123456);
    assert_true(moment("2026-01-31T23:59:59.00000000000000000000000009Z") == at_us);
}

static void zones_are_taken_off(void **state)
{
    const int64_t noon_us = moment("2026-01-31T12:00:00Z");

    (void)state;
    assert_true(moment("2026-01-31T14:00:00+02:00") == noon_us);
    assert_true(moment("2026-01-31T14:00:00+0200") == noon_us);
    assert_true(moment("2026-01-31T14:00:00+02") == noon_us);
    assert_true(moment("2026-01-31T06:30:00-05:30") == noon_us);
    assert_true(moment("2026-01-31T12:00:00-00:00") == noon_us);
    assert_true(moment("2026-02-01T02:00:00+14:00") == noon_us);
    assert_true(moment("2026-02-01T01:30:00.5+13:30") == noon_us + 500000);
}

static void only_days_that_exist_are_taken(void **state)
{
    (void)state;
    assert_true(moment("2024-02-29") == moment("2024-03-01") - day_us);
    assert_true(moment("2000-02-29") == moment("2000-03-01") - day_us);
    assert_true(moment("0001-01-01") == -719162 * day_us);
    assert_true(moment("9999-12-31") == 2932896 * day_us);
    no_moment("2023-02-29");
    no_moment("1900-02-29");
    no_moment("2100-02-29");
    no_moment("2024-02-30");
    no_moment("2026-04-31");
    no_moment("2026-00-10");
    no_moment("2026-13-01");
    no_moment("2026-01-00");
    no_moment("2026-01-32");
    no_moment("0000-01-01");
}

static void eight_digits_are_a_date_as_a_text_and_seconds_as_a_number(void **state)
{
    int64_t at_us = untouched;

    (void)state;
    assert_true(moment("20260131") == moment("2026-01-31"));
    assert_true(moment("20260131T12:00Z") == moment("2026-01-31T12:00Z"));
    no_moment("20261331");
    no_moment("202601-31");
    no_moment("2026-0131");
    assert_int_equal(sl_convert_time(SL_STR("20260131"), true, &at_us), SL_REASON_NONE);
    assert_true(at_us == 20260131 * second_us);
    assert_true(moment("1769817600") == moment("2026-01-31"));
    assert_true(moment("202601.5") == 202601 * second_us + second_us / 2);
    assert_true(moment("-2026013") == -2026013 * second_us);
}

static void only_times_that_exist_are_taken(void **state)
{
    (void)state;
    no_moment("2026-01-31T24:00:00Z");
    no_moment("2026-01-31T23:60:00Z");
    no_moment("2026-01-31T23:59:61Z");
    no_moment("2026-01-31T12:00:00+16:00");
    no_moment("2026-01-31T12:00:00+02:60");
}

static void what_is_only_like_iso_8601_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "x",
        "2026-1-31",
        "26-01-31",
        "2026/01/31",
        "31.01.2026",
        "2026-01",
        "2026-01-31T",
        "2026-01-31T12",
        "2026-01-31T12:",
        "2026-01-31T12:0",
        "2026-01-31T1:00",
        "2026-01-31T12:00:",
        "2026-01-31T12:00:0",
        "2026-01-31T12:00:00.",
        "2026-01-31T12:00:00.Z",
        "2026-01-31T12:00:00 Z",
        "2026-01-31T12:00:00+",
        "2026-01-31T12:00:00+2",
        "2026-01-31T12:00:00+02:",
        "2026-01-31T12:00:00+02:0",
        "2026-01-31T12:00:00Zx",
        "2026-01-31T12:00:00+02:000",
        "2026-01-31T12:00:00 Europe/Berlin",
        "2026-01-31Z",
        " 2026-01-31",
        "2026-01-31 ",
        "-2026-01-31",
        "+2026-01-31",
        "20260131T120000Z",
        "Sat, 31 Jan 2026 12:00:00 GMT",
        "now",
        "infinity",
        "2026-01-31x12:00:00",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        no_moment(bad[i]);
    }
    assert_true(moment("2026") == 2026 * second_us); /* digits alone are no year */
}

static void digits_are_seconds_below_1e11_and_milliseconds_above(void **state)
{
    (void)state;
    assert_true(moment("0") == 0);
    assert_true(moment("1769903999") == moment("2026-01-31T23:59:59Z"));
    assert_true(moment("1769903999123") == moment("2026-01-31T23:59:59.123Z"));
    assert_true(moment("99999999999") == 99999999999 * second_us);
    assert_true(moment("100000000000") == 100000000 * second_us);
    assert_true(moment("-1") == -second_us);
    assert_true(moment("-100000000000") == -100000000 * second_us);
}

static void epoch_fractions_count_also_before_1970(void **state)
{
    (void)state;
    assert_true(moment("1769903999.5") == moment("2026-01-31T23:59:59.5Z"));
    assert_true(moment("1769903999.123456789") == moment("2026-01-31T23:59:59.123456Z"));
    assert_true(moment("1769903999123.456") == moment("2026-01-31T23:59:59.123456Z"));
    assert_true(moment("-1.5") == -1500000);
    assert_true(moment("-0.5") == -500000);
    no_moment("1769903999.");
    no_moment(".5");
    no_moment("1769903999.5.5");
    no_moment("1769903999.5Z");
    no_moment("1.7e9");
    no_moment("-");
    no_moment("--1");
}

static void moments_out_of_the_calendar_are_refused_and_never_wrapped(void **state)
{
    (void)state;
    assert_true(moment("253402300799999") == moment("9999-12-31T23:59:59.999Z"));
    no_moment("253402300800000");
    assert_true(moment("-62135596800000") == moment("0001-01-01"));
    no_moment("-62135596801000");
    no_moment("9223372036854775807");
    no_moment("-9223372036854775808");
    no_moment("9223372036854775808");
    no_moment("99999999999999999999999999");
}

static void the_day_of_a_moment_begins_at_midnight_utc_also_before_1970(void **state)
{
    (void)state;
    assert_true(sl_convert_day(0) == 0);
    assert_true(sl_convert_day(day_us - 1) == 0);
    assert_true(sl_convert_day(day_us) == 1);
    assert_true(sl_convert_day(-1) == -1);
    assert_true(sl_convert_day(-day_us) == -1);
    assert_true(sl_convert_day(-day_us - 1) == -2);
    assert_true(sl_convert_day(moment("2000-01-01T00:30:00+01:00")) == 10956);
    assert_true(sl_convert_day(moment("0001-01-01")) == -719162);
}

/* ---- uuid, inet ------------------------------------------------------------------------------ */

static void a_uuid_has_32_digits_of_any_case_with_or_without_dashes(void **state)
{
    static const unsigned char expected[16] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
                                                0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10 };
    static const char *const good[] = { "01234567-89ab-cdef-fedc-ba9876543210",
                                        "01234567-89AB-CDEF-FEDC-BA9876543210",
                                        "0123456789abcdeffedcba9876543210",
                                        "0123456789aBcDeFfEdCbA9876543210" };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        unsigned char uuid[16] = { 0 };

        assert_int_equal(sl_convert_uuid(sl_str_of(good[i]), uuid), SL_REASON_NONE);
        assert_memory_equal(uuid, expected, 16);
    }
}

static void what_is_shaped_otherwise_is_no_uuid(void **state)
{
    static const char *const bad[] = {
        "",
        "0123456789abcdeffedcba987654321",
        "0123456789abcdeffedcba98765432100",
        "01234567-89ab-cdef-fedc-ba987654321",
        "01234567-89ab-cdef-fedc-ba98765432100",
        "0123456789ab-cdef-fedc-ba98765432-10",
        "01234567 89ab cdef fedc ba9876543210",
        "{1234567-89ab-cdef-fedc-ba987654321}",
        "0123456g-89ab-cdef-fedc-ba9876543210",
        "01234567-89ab-cdef-fedc-ba987654321g",
        "0123456-789ab-cdef-fedc-ba9876543210",
        "0123-4567-89ab-cdef-fedcba9876543210",
        "-0123456789abcdef-fedcba987654321",
        "012345678-9ab-cdef-fedc-ba9876543210",
        "01234567-89ab-cdef-fedc--a9876543210",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        unsigned char uuid[16] = "untouched";

        assert_int_equal(sl_convert_uuid(sl_str_of(bad[i]), uuid), SL_REASON_BAD_UUID);
        assert_memory_equal(uuid, "untouched", 9);
    }
}

static struct sl_inet inet(const char *text)
{
    struct sl_inet inet = { 0 };

    if (sl_convert_inet(sl_str_of(text), &inet) != SL_REASON_NONE) {
        fail_msg("refused: %s", text);
    }
    return inet;
}

static void an_address_without_a_prefix_has_all_bits(void **state)
{
    const struct sl_inet v4 = inet("192.0.2.255");
    const struct sl_inet v6 = inet("2001:db8::1");

    (void)state;
    assert_false(v4.is_v6);
    assert_int_equal(v4.prefix, 32);
    assert_memory_equal(v4.addr, "\300\0\2\377", 4);
    assert_true(v6.is_v6);
    assert_int_equal(v6.prefix, 128);
    assert_memory_equal(v6.addr, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
}

static void prefixes_go_from_0_to_all_bits(void **state)
{
    (void)state;
    assert_int_equal(inet("10.0.0.0/0").prefix, 0);
    assert_int_equal(inet("10.0.0.0/8").prefix, 8);
    assert_int_equal(inet("10.0.0.0/32").prefix, 32);
    assert_int_equal(inet("::/0").prefix, 0);
    assert_int_equal(inet("fe80::/10").prefix, 10);
    assert_int_equal(inet("::1/128").prefix, 128);
}

static void reserved_ranges_are_data_like_others(void **state)
{
    static const char *const good[] = { "0.0.0.0",
                                        "127.0.0.1",
                                        "10.1.2.3",
                                        "255.255.255.255",
                                        "240.0.0.1",
                                        "224.0.0.1",
                                        "::",
                                        "::1",
                                        "fe80::1",
                                        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                                        "::ffff:192.0.2.1",
                                        "2001:db8:1111:2222:3333:4444:255.255.255.255" };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        (void)inet(good[i]);
    }
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "/8",
        "1.2.3",
        "1.2.3.4.5",
        "256.1.1.1",
        "01.2.3.4",
        "1.2.3.4/",
        "1.2.3.4/33",
        "::/129",
        "1.2.3.4/8/8",
        "1.2.3.4/x",
        "1.2.3.4/-1",
        "1.2.3.4/ 8",
        "1.2.3.4 ",
        " 1.2.3.4",
        "localhost",
        "1.2.3.4:80",
        "[::1]",
        "fe80::1%eth0",
        ":::",
        "1::2::3",
        "0x7f.0.0.1",
        "2130706433",
        "1.2.3.-4",
        "2001:db8:1111:2222:3333:4444:255.255.255.2555",
        "::1/99999999999999999999",
        "0000:0000:0000:0000:0000:ffff:255.255.255.2555",
        "0000000000000000000000000000000000000000000000000000000000000001.2.3.4",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct sl_inet ret = { .prefix = 77 };

        if (sl_convert_inet(sl_str_of(bad[i]), &ret) != SL_REASON_BAD_INET || ret.prefix != 77) {
            fail_msg("taken: %s", bad[i]);
        }
    }
    {
        struct sl_inet ret = { .prefix = 77 };

        assert_int_equal(sl_convert_inet((sl_str){ "1.2.3.4\0", 8 }, &ret), SL_REASON_BAD_INET);
        assert_int_equal(ret.prefix, 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_reach_to_their_bounds_and_no_further),
        cmocka_unit_test(a_number_that_is_no_integer_is_of_the_wrong_type_and_never_rounded),
        cmocka_unit_test(doubles_are_read_as_json_writes_them),
        cmocka_unit_test(a_double_that_overflows_is_out_of_range_and_never_infinite),
        cmocka_unit_test(words_and_hexadecimal_are_no_doubles),
        cmocka_unit_test(versions_become_major_minor_patch_in_thousands),
        cmocka_unit_test(missing_parts_are_zero_so_that_equal_versions_are_equal),
        cmocka_unit_test(order_is_that_of_versions_and_not_of_texts),
        cmocka_unit_test(a_version_reaches_to_int4_and_never_wraps),
        cmocka_unit_test(what_is_not_one_to_three_numbers_is_no_version),
        cmocka_unit_test(a_moment_without_a_zone_is_utc),
        cmocka_unit_test(fractions_are_kept_to_the_microsecond_and_cut_below),
        cmocka_unit_test(zones_are_taken_off),
        cmocka_unit_test(only_days_that_exist_are_taken),
        cmocka_unit_test(only_times_that_exist_are_taken),
        cmocka_unit_test(eight_digits_are_a_date_as_a_text_and_seconds_as_a_number),
        cmocka_unit_test(what_is_only_like_iso_8601_is_refused),
        cmocka_unit_test(digits_are_seconds_below_1e11_and_milliseconds_above),
        cmocka_unit_test(epoch_fractions_count_also_before_1970),
        cmocka_unit_test(moments_out_of_the_calendar_are_refused_and_never_wrapped),
        cmocka_unit_test(the_day_of_a_moment_begins_at_midnight_utc_also_before_1970),
        cmocka_unit_test(a_uuid_has_32_digits_of_any_case_with_or_without_dashes),
        cmocka_unit_test(what_is_shaped_otherwise_is_no_uuid),
        cmocka_unit_test(an_address_without_a_prefix_has_all_bits),
        cmocka_unit_test(prefixes_go_from_0_to_all_bits),
        cmocka_unit_test(reserved_ranges_are_data_like_others),
        cmocka_unit_test(what_is_no_address_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
