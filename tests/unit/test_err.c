/* tests/unit/test_err.c - every code has a fate and a way to end, and a report is one line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/str.h"

static const sl_rc codes[] = {
#define X(name, fate, exit_code, text) SL_##name,
#include "base/err.def"
#undef X
};

enum { CODES_N = sizeof codes / sizeof codes[0] };

static void every_code_has_a_name_a_meaning_and_a_fate(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CODES_N; i++) {
        assert_int_equal(codes[i], i);
        assert_true(strlen(sl_rc_name(codes[i])) > 0);
        assert_true(strlen(sl_rc_text(codes[i])) > 0);
        assert_int_equal(sl_rc_fate(codes[i]) == SL_FATE_NONE, codes[i] == SL_OK);
    }
}

static void no_two_codes_share_a_name_or_a_meaning(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CODES_N; i++) {
        for (unsigned k = 0; k < i; k++) {
            assert_string_not_equal(sl_rc_name(codes[i]), sl_rc_name(codes[k]));
            assert_string_not_equal(sl_rc_text(codes[i]), sl_rc_text(codes[k]));
        }
    }
}

static void every_fate_is_in_the_table_and_has_a_name(void **state)
{
    unsigned n[SL_FATE_STOP + 1] = { 0 };

    (void)state;
    for (unsigned i = 0; i < CODES_N; i++) {
        n[sl_rc_fate(codes[i])]++;
    }
    assert_int_equal(n[SL_FATE_NONE], 1);
    assert_true(n[SL_FATE_RETRY] > 0);
    assert_true(n[SL_FATE_DEAD_LETTER] > 0);
    assert_true(n[SL_FATE_STOP] > 0);
    assert_string_equal(sl_fate_name(SL_FATE_NONE), "none");
    assert_string_equal(sl_fate_name(SL_FATE_RETRY), "retry");
    assert_string_equal(sl_fate_name(SL_FATE_DEAD_LETTER), "dead letter");
    assert_string_equal(sl_fate_name(SL_FATE_STOP), "stop");
}

/* 0 and 1, and those of sysexits.h; 128 and up belong to the shell and to signals. */
static void every_exit_status_is_one_a_shell_can_tell(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CODES_N; i++) {
        const int status = sl_rc_exit(codes[i]);

        assert_true(status == 0 || status == 1 || (status >= 64 && status <= 78));
        assert_int_equal(status == 0, codes[i] == SL_OK || codes[i] == SL_STOPPED);
    }
}

static void the_exit_statuses_that_are_promised_hold(void **state)
{
    (void)state;
    assert_int_equal(sl_rc_exit(SL_USAGE), 64);
    assert_int_equal(sl_rc_exit(SL_CONFIG), 78);
    assert_int_equal(sl_rc_exit(SL_KEY), 78);
    assert_int_equal(sl_rc_exit(SL_SCHEMA), 78);
    assert_int_equal(sl_rc_exit(SL_DISCONNECTED), 75);
    assert_int_equal(sl_rc_exit(SL_NOT_FOUND), 75);
    assert_int_equal(sl_rc_exit(SL_TIMEOUT), 75);
}

static void meanings_are_lower_case_without_a_period(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CODES_N; i++) {
        const char *text = sl_rc_text(codes[i]);

        assert_in_range(text[0], 'a', 'z');
        assert_int_not_equal(text[strlen(text) - 1], '.');
        assert_null(strchr(text, '\n'));
    }
}

static void a_report_says_what_and_where(void **state)
{
    struct sl_err e = { .http_status = 500, .sqlstate = "23505" };

    (void)state;
    assert_int_equal(SL_FAIL(&e, SL_CONFIG, "%s is %d", "x", 7), SL_CONFIG);
    assert_int_equal(e.rc, SL_CONFIG);
    assert_string_equal(e.msg, "x is 7");
    assert_non_null(strstr(e.at, "test_err.c:"));
    assert_string_equal(e.sqlstate, ""); /* nothing of an earlier report is left */
    assert_int_equal(e.http_status, 0);
}

static void a_report_may_have_nowhere_to_go(void **state)
{
    (void)state;
    assert_int_equal(SL_FAIL(NULL, SL_BUG, "unheard"), SL_BUG);
}

static void a_report_is_cut_at_its_room_and_still_a_string(void **state)
{
    struct sl_err e;

    (void)state;
    memset(&e, 'x', sizeof e);
    assert_int_equal(SL_FAIL(&e, SL_BUG, "%*d", 5000, 1), SL_BUG);
    assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
}

static void a_report_is_one_line_whatever_is_in_it(void **state)
{
    struct sl_err e;
    char text[128];

    (void)state;
    for (int i = 1; i < 128; i++) {
        text[i - 1] = (char)i;
    }
    text[127] = '\0';
    assert_int_equal(SL_FAIL(&e, SL_CONFIG, "%s", text), SL_CONFIG);
    assert_int_equal(strlen(e.msg), 127);
    for (int i = 1; i < 128; i++) {
        assert_int_equal(e.msg[i - 1], i < 0x20 || i == 0x7f ? '?' : i);
    }
}

static sl_rc tries(sl_rc rc, bool *went_on)
{
    *went_on = false;
    SL_TRY(rc);
    *went_on = true;
    return SL_OK;
}

static void trying_hands_a_failure_up_and_goes_on_else(void **state)
{
    bool went_on = false;

    (void)state;
    for (unsigned i = 0; i < CODES_N; i++) {
        assert_int_equal(tries(codes[i], &went_on), codes[i]);
        assert_int_equal(went_on, codes[i] == SL_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_a_name_a_meaning_and_a_fate),
        cmocka_unit_test(no_two_codes_share_a_name_or_a_meaning),
        cmocka_unit_test(every_fate_is_in_the_table_and_has_a_name),
        cmocka_unit_test(every_exit_status_is_one_a_shell_can_tell),
        cmocka_unit_test(the_exit_statuses_that_are_promised_hold),
        cmocka_unit_test(meanings_are_lower_case_without_a_period),
        cmocka_unit_test(a_report_says_what_and_where),
        cmocka_unit_test(a_report_may_have_nowhere_to_go),
        cmocka_unit_test(a_report_is_cut_at_its_room_and_still_a_string),
        cmocka_unit_test(a_report_is_one_line_whatever_is_in_it),
        cmocka_unit_test(trying_hands_a_failure_up_and_goes_on_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
