/* tests/unit/test_concurrency.c - more while it helps, fewer when it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/concurrency.h"

static void doubles_with_every_round_trip_up_to_its_limit(void **state)
{
    struct sl_concurrency c;
    unsigned trips = 0;

    (void)state;
    sl_concurrency_init(&c, 2, 64);
    while (c.target < 64 && trips < 100) {
        for (unsigned i = c.target; i > 0; i--) {
            sl_concurrency_more(&c, 15000);
        }
        trips++;
    }
    assert_int_equal(trips, 5); /* 4, 8, 16, 32, 64 */
    sl_concurrency_more(&c, 15000);
    assert_int_equal(c.target, 64);
}

/* A server that answers 20 at a time in 15 ms, and the rest after them. */
static void stays_near_what_the_server_can_do(void **state)
{
    struct sl_concurrency c;

    (void)state;
    sl_concurrency_init(&c, 2, 64);
    for (unsigned i = 0; i < 10000; i++) {
        sl_concurrency_more(&c, 15000 * ((c.target + 19) / 20));
        assert_in_range(c.target, 1, 64);
    }
    assert_in_range(c.target, 20, 45);
}

static void answers_that_are_slow_for_good_become_the_measure(void **state)
{
    struct sl_concurrency c;

    (void)state;
    sl_concurrency_init(&c, 8, 64);
    for (unsigned i = 0; i < 8; i++) {
        sl_concurrency_more(&c, 1000);
    }
    for (unsigned i = 0; i < 4000; i++) {
        sl_concurrency_more(&c, 100000);
    }
    assert_int_equal(c.target, 64);
}

static void one_is_the_least(void **state)
{
    struct sl_concurrency c;

    (void)state;
    sl_concurrency_init(&c, 2, 64);
    sl_concurrency_less(&c);
    sl_concurrency_less(&c);
    assert_int_equal(c.target, 1);
    sl_concurrency_more(&c, 5000);
    sl_concurrency_reset(&c);
    assert_int_equal(c.target, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_with_every_round_trip_up_to_its_limit),
        cmocka_unit_test(stays_near_what_the_server_can_do),
        cmocka_unit_test(answers_that_are_slow_for_good_become_the_measure),
        cmocka_unit_test(one_is_the_least),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
