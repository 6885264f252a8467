/* tests/unit/test_app_queue.c - what a queue said long ago says nothing of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "app_queue.h"

static void a_depth_is_known_for_as_long_as_two_answers_fail_to_come(void **state)
{
    const struct sl_app_depth never = { .visible = 7 };
    const struct sl_app_depth once = { .visible = 7, .asked_at_ms = 1000000 };

    (void)state;
    assert_false(sl_app_depth_is_fresh(&never, 1));
    assert_true(sl_app_depth_is_fresh(&once, 1000000));
    assert_true(sl_app_depth_is_fresh(&once, 1090000));
    assert_false(sl_app_depth_is_fresh(&once, 1090001));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_depth_is_known_for_as_long_as_two_answers_fail_to_come),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
