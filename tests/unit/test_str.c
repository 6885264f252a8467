/* tests/unit/test_str.c - small work on runs of bytes, at its edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/str.h"

static const sl_str nothing = { 0 };

static void is(sl_str s, const char *text)
{
    assert_int_equal(s.len, strlen(text));
    assert_true(s.len == 0 || memcmp(s.ptr, text, s.len) == 0);
}

static void no_c_string_is_an_empty_run(void **state)
{
    (void)state;
    is(sl_str_of(NULL), "");
    is(sl_str_of(""), "");
    is(sl_str_of("abc"), "abc");
}

static void runs_are_equal_when_their_bytes_are(void **state)
{
    (void)state;
    assert_true(sl_str_eq(SL_STR("ab"), SL_STR("ab")));
    assert_true(sl_str_eq(nothing, SL_STR("")));
    assert_false(sl_str_eq(SL_STR("ab"), SL_STR("abc")));
    assert_false(sl_str_eq(SL_STR("ab"), SL_STR("aB")));
    assert_false(sl_str_eq(SL_STR("a\0b"), SL_STR("a\0c")));
}

static void every_run_starts_with_nothing_and_itself(void **state)
{
    (void)state;
    assert_true(sl_str_starts(SL_STR("abc"), nothing));
    assert_true(sl_str_starts(SL_STR("abc"), SL_STR("abc")));
    assert_true(sl_str_starts(SL_STR("abc"), SL_STR("ab")));
    assert_false(sl_str_starts(SL_STR("abc"), SL_STR("abcd")));
    assert_false(sl_str_starts(SL_STR("abc"), SL_STR("b")));
    assert_true(sl_str_starts(nothing, nothing));
}

static void order_is_that_of_unsigned_bytes_and_a_head_comes_first(void **state)
{
    const sl_str in_order[] = { { 0 },          SL_STR("\0"),   SL_STR("A"),   SL_STR("a"),
                                SL_STR("a\0"),  SL_STR("aa"),   SL_STR("ab"),  SL_STR("b"),
                                SL_STR("\x7f"), SL_STR("\x80"), SL_STR("\xff") };
    const size_t n = sizeof in_order / sizeof in_order[0];

    (void)state;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n; k++) {
            const int order = sl_str_cmp(in_order[i], in_order[k]);

            assert_true(i < k ? order < 0 : i > k ? order > 0 : order == 0);
        }
    }
}

static void cuts_at_the_first_separator(void **state)
{
    sl_str s = SL_STR("a..b");

    (void)state;
    is(sl_str_cut(&s, '.'), "a");
    is(sl_str_cut(&s, '.'), "");
    is(s, "b");
    assert_non_null(s.ptr);
    is(sl_str_cut(&s, '.'), "b");
    assert_null(s.ptr);
}

static void a_separator_at_the_end_leaves_an_empty_part_and_not_none(void **state)
{
    sl_str s = SL_STR("a.");

    (void)state;
    is(sl_str_cut(&s, '.'), "a");
    assert_int_equal(s.len, 0);
    assert_non_null(s.ptr);
    is(sl_str_cut(&s, '.'), "");
    assert_null(s.ptr);
    is(sl_str_cut(&s, '.'), "");
}

static void trims_blanks_at_both_ends_only(void **state)
{
    (void)state;
    is(sl_str_trim(SL_STR(" \t\r\na b\n\r\t ")), "a b");
    is(sl_str_trim(SL_STR("ab")), "ab");
    is(sl_str_trim(SL_STR(" \t ")), "");
    is(sl_str_trim(nothing), "");
    is(sl_str_trim(SL_STR("\va\v")), "\va\v");
}

static void reads(sl_str s, int64_t expected)
{
    int64_t value = 42;

    assert_true(sl_str_to_i64(s, &value));
    assert_true(value == expected);
}

static void refuses(sl_str s)
{
    int64_t value = 42;

    assert_false(sl_str_to_i64(s, &value));
    assert_int_equal(value, 42);
}

static void reads_every_integer_to_both_ends(void **state)
{
    (void)state;
    reads(SL_STR("0"), 0);
    reads(SL_STR("-0"), 0);
    reads(SL_STR("007"), 7);
    reads(SL_STR("-7"), -7);
    reads(SL_STR("9223372036854775807"), INT64_MAX);
    reads(SL_STR("-9223372036854775808"), INT64_MIN);
    reads(SL_STR("000000000000000000000000001"), 1);
}

static void refuses_integers_that_do_not_fit(void **state)
{
    (void)state;
    refuses(SL_STR("9223372036854775808"));
    refuses(SL_STR("-9223372036854775809"));
    refuses(SL_STR("18446744073709551616"));
    refuses(SL_STR("99999999999999999999999"));
}

static void refuses_what_is_not_digits_alone(void **state)
{
    (void)state;
    refuses(nothing);
    refuses(SL_STR("-"));
    refuses(SL_STR("--1"));
    refuses(SL_STR("+1"));
    refuses(SL_STR(" 1"));
    refuses(SL_STR("1 "));
    refuses(SL_STR("1.0"));
    refuses(SL_STR("1e3"));
    refuses(SL_STR("0x1"));
    refuses(SL_STR("1\0"));
    refuses(SL_STR("1-"));
    refuses(SL_STR("\xd9\xa1")); /* an Arabic digit */
}

static void reads_no_further_than_the_run(void **state)
{
    (void)state;
    reads((sl_str){ "123456", 3 }, 123);
}

static void counts_code_points_and_not_bytes(void **state)
{
    (void)state;
    assert_int_equal(sl_str_chars(nothing), 0);
    assert_int_equal(sl_str_chars(SL_STR("abc")), 3);
    assert_int_equal(sl_str_chars(SL_STR("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80")), 3);
    assert_int_equal(sl_str_chars(SL_STR("e\xcc\x81")), 2); /* e and a combining accent */
}

static void prints_runs_that_have_no_nul_or_no_bytes(void **state)
{
    char out[32];

    (void)state;
    (void)snprintf(out, sizeof out, "<%" SL_FMT ">", SL_ARG(((sl_str){ "abcdef", 3 })));
    assert_string_equal(out, "<abc>");
    (void)snprintf(out, sizeof out, "<%" SL_FMT ">", SL_ARG(nothing));
    assert_string_equal(out, "<>");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_c_string_is_an_empty_run),
        cmocka_unit_test(runs_are_equal_when_their_bytes_are),
        cmocka_unit_test(every_run_starts_with_nothing_and_itself),
        cmocka_unit_test(order_is_that_of_unsigned_bytes_and_a_head_comes_first),
        cmocka_unit_test(cuts_at_the_first_separator),
        cmocka_unit_test(a_separator_at_the_end_leaves_an_empty_part_and_not_none),
        cmocka_unit_test(trims_blanks_at_both_ends_only),
        cmocka_unit_test(reads_every_integer_to_both_ends),
        cmocka_unit_test(refuses_integers_that_do_not_fit),
        cmocka_unit_test(refuses_what_is_not_digits_alone),
        cmocka_unit_test(reads_no_further_than_the_run),
        cmocka_unit_test(counts_code_points_and_not_bytes),
        cmocka_unit_test(prints_runs_that_have_no_nul_or_no_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
