/* tests/unit/test_repeats.c - a few of a kind a minute, and every one that is left out is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "telemetry/repeats.h"

static int repeats_new(void **state)
{
    static struct sl_repeats r;

    memset(&r, 0, sizeof r);
    *state = &r;
    return 0;
}

static unsigned let_n(struct sl_repeats *r, const char *message, const char *code, unsigned n,
                      int64_t now_ms)
{
    unsigned said = 0;

    for (unsigned i = 0; i < n; i++) {
        said += sl_repeats_let(r, message, sl_str_of(code), now_ms);
    }
    return said;
}

static void the_first_of_a_minute_are_said(void **state)
{
    struct sl_repeat left;

    assert_int_equal(let_n(*state, "a", "", SL_REPEATS_FIRST, 5), SL_REPEATS_FIRST);
    assert_false(sl_repeats_due(*state, 5 + SL_REPEATS_MS, true, &left));
    assert_int_equal(let_n(*state, "a", "", 3, 6), 0);
}

static void kinds_differ_in_message_or_code(void **state)
{
    assert_int_equal(let_n(*state, "a", "", 99, 5), SL_REPEATS_FIRST);
    assert_int_equal(let_n(*state, "a", "E", 99, 5), SL_REPEATS_FIRST);
    assert_int_equal(let_n(*state, "b", "", 99, 5), SL_REPEATS_FIRST);
    assert_int_equal(let_n(*state, "b", "", 99, 5), 0);
}

static void what_is_left_out_is_told_when_the_minute_is_over_and_then_it_begins_anew(void **state)
{
    struct sl_repeat left = { 0 };

    (void)let_n(*state, "a", "E", SL_REPEATS_FIRST + 4, 5);
    assert_false(sl_repeats_due(*state, 4 + SL_REPEATS_MS, false, &left));
    assert_true(sl_repeats_due(*state, 5 + SL_REPEATS_MS, false, &left));
    assert_int_equal(left.left_out, 4);
    assert_string_equal(left.message, "a");
    assert_string_equal(left.code, "E");
    assert_false(sl_repeats_due(*state, 5 + SL_REPEATS_MS, true, &left));
    assert_int_equal(let_n(*state, "a", "E", 99, 5 + SL_REPEATS_MS), SL_REPEATS_FIRST);
}

static void at_the_end_nobody_waits_for_the_minute(void **state)
{
    struct sl_repeat left = { 0 };

    (void)let_n(*state, "a", "", SL_REPEATS_FIRST + 1, 5);
    (void)let_n(*state, "b", "", SL_REPEATS_FIRST + 2, 5);
    assert_true(sl_repeats_due(*state, 6, true, &left));
    assert_int_equal(left.left_out, 1);
    assert_true(sl_repeats_due(*state, 6, true, &left));
    assert_int_equal(left.left_out, 2);
    assert_false(sl_repeats_due(*state, 6, true, &left));
}

/* Whether the minute is over is looked at when the next one comes, too. */
static void a_minute_without_anything_left_out_is_forgotten(void **state)
{
    (void)let_n(*state, "a", "", SL_REPEATS_FIRST, 5);
    assert_int_equal(let_n(*state, "a", "", 99, 5 + SL_REPEATS_MS), SL_REPEATS_FIRST);
}

static void with_more_kinds_than_there_is_room_for_all_are_said(void **state)
{
    char message[32];

    for (int i = 0; i < SL_REPEATS_KINDS; i++) {
        (void)snprintf(message, sizeof message, "m%d", i);
        assert_int_equal(let_n(*state, message, "", 99, 5), SL_REPEATS_FIRST);
    }
    assert_int_equal(let_n(*state, "one more", "", 99, 5), 99);
    assert_int_equal(let_n(*state, "m0", "", 1, 5), 0);
}

static void room_is_made_by_kinds_that_are_over_and_told(void **state)
{
    struct sl_repeat left;

    with_more_kinds_than_there_is_room_for_all_are_said(state);
    while (sl_repeats_due(*state, 5 + SL_REPEATS_MS, false, &left)) {
    }
    assert_int_equal(let_n(*state, "one more", "", 99, 5 + 2 * SL_REPEATS_MS), SL_REPEATS_FIRST);
}

static void long_messages_are_cut_and_still_known(void **state)
{
    char message[500];

    memset(message, 'x', sizeof message - 1);
    message[sizeof message - 1] = '\0';
    assert_int_equal(let_n(*state, message, message, 99, 5), SL_REPEATS_FIRST);
}

int main(void)
{
#define RULE(f) cmocka_unit_test_setup(f, repeats_new)
    const struct CMUnitTest tests[] = {
        RULE(the_first_of_a_minute_are_said),
        RULE(kinds_differ_in_message_or_code),
        RULE(what_is_left_out_is_told_when_the_minute_is_over_and_then_it_begins_anew),
        RULE(at_the_end_nobody_waits_for_the_minute),
        RULE(a_minute_without_anything_left_out_is_forgotten),
        RULE(with_more_kinds_than_there_is_room_for_all_are_said),
        RULE(room_is_made_by_kinds_that_are_over_and_told),
        RULE(long_messages_are_cut_and_still_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
