/* tests/unit/test_backoff.c - waits grow, stay within their bounds, and are not all alike. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/backoff.h"

static void stays_between_half_the_base_and_the_growing_bound(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 200; seed++) {
        struct sl_backoff b = { .base_ms = 50, .cap_ms = 20000, .random = seed };
        uint64_t bound = 50;

        for (unsigned i = 1; i <= 20; i++) {
            const unsigned wait_ms = sl_backoff_next(&b);

            bound = bound * 2 < 20000 ? bound * 2 : 20000;
            assert_in_range(wait_ms, 25, bound);
            assert_int_equal(b.tries, i);
        }
    }
}

static void spreads_over_its_range(void **state)
{
    struct sl_backoff b = { .base_ms = 1000, .cap_ms = 1000, .random = 42 };
    unsigned low = 0;
    unsigned high = 0;

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        const unsigned wait_ms = sl_backoff_next(&b);

        low += wait_ms < 625;
        high += wait_ms > 875;
    }
    assert_in_range(low, 150, 350);
    assert_in_range(high, 150, 350);
}

static void two_seeds_wait_differently(void **state)
{
    struct sl_backoff a = { .base_ms = 50, .cap_ms = 20000, .random = 1234567 };
    struct sl_backoff b = { .base_ms = 50, .cap_ms = 20000, .random = 7654321 };
    unsigned alike = 0;

    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        alike += sl_backoff_next(&a) == sl_backoff_next(&b);
    }
    assert_in_range(alike, 0, 5);
}

static void waits_shortly_again_after_a_success(void **state)
{
    struct sl_backoff b = { .base_ms = 50, .cap_ms = 20000, .random = 9 };

    (void)state;
    for (unsigned i = 0; i < 30; i++) {
        (void)sl_backoff_next(&b);
    }
    sl_backoff_reset(&b);
    assert_int_equal(b.tries, 0);
    assert_in_range(sl_backoff_next(&b), 25, 100);
}

static void never_overflows(void **state)
{
    struct sl_backoff b = { .base_ms = UINT_MAX / 2, .cap_ms = UINT_MAX, .random = 3 };

    (void)state;
    b.tries = UINT_MAX;
    assert_in_range(sl_backoff_next(&b), UINT_MAX / 4, UINT_MAX);
    assert_int_equal(b.tries, UINT_MAX);
}

static void a_cap_below_half_the_base_wins(void **state)
{
    struct sl_backoff b = { .base_ms = 1000, .cap_ms = 300, .random = 3 };

    (void)state;
    assert_int_equal(sl_backoff_next(&b), 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stays_between_half_the_base_and_the_growing_bound),
        cmocka_unit_test(spreads_over_its_range),
        cmocka_unit_test(two_seeds_wait_differently),
        cmocka_unit_test(waits_shortly_again_after_a_success),
        cmocka_unit_test(never_overflows),
        cmocka_unit_test(a_cap_below_half_the_base_wins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
