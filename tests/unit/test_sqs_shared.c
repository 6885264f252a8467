/* tests/unit/test_sqs_shared.c - messages that were left are discounted while they are hidden. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "source/sqs_shared.h"

enum { HIDDEN_MS = 30000, START_MS = 1000000 };

static struct sl_sqs_shared shared;

static int shared_new(void **state)
{
    (void)state;
    sl_sqs_shared_init(&shared, INT64_MAX);
    return 0;
}

static int shared_free(void **state)
{
    (void)state;
    sl_sqs_shared_done(&shared);
    return 0;
}

static void counts_what_is_left_until_its_time_is_over(void **state)
{
    (void)state;
    assert_int_equal(sl_sqs_left(&shared, START_MS), 0);
    sl_sqs_leave(&shared, START_MS, HIDDEN_MS);
    sl_sqs_leave(&shared, START_MS + 20000, HIDDEN_MS);
    assert_int_equal(sl_sqs_left(&shared, START_MS + 29999), 2);
    assert_int_equal(sl_sqs_left(&shared, START_MS + 30000), 1);
    assert_int_equal(sl_sqs_left(&shared, START_MS + 50000), 0);
}

static void any_number_may_be_left_all_the_time(void **state)
{
    int64_t now_ms = START_MS;

    (void)state;
    for (unsigned i = 0; i < 500000; i++) {
        sl_sqs_leave(&shared, now_ms, HIDDEN_MS);
        now_ms += i % 10 == 0;
    }
    /* 10 a ms; those of a span end together with its first, a thirty-second part early at most. */
    assert_in_range(sl_sqs_left(&shared, now_ms), 10 * (HIDDEN_MS - HIDDEN_MS / 32) - 20,
                    10 * HIDDEN_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(counts_what_is_left_until_its_time_is_over, shared_new,
                                        shared_free),
        cmocka_unit_test_setup_teardown(any_number_may_be_left_all_the_time, shared_new,
                                        shared_free),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
