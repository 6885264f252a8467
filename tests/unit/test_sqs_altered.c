/* tests/unit/test_sqs_altered.c - a message whose body is not what was sent stays in the queue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "source/sqs_altered.h"
#include "telemetry/log.h"

#define MD5_OF_HELLO SL_STR("5d41402abc4b2a76b9719d911017c592")

enum { MESSAGES = 4 };

struct world {
    struct sl_counters counters;
    struct sl_sqs_shared shared;
    struct sl_sqs_settings settings;
    struct sl_altered altered;
    struct sl_sqs_message messages[MESSAGES];
};

static struct world world;

/* Four messages "hello", m1 and m3 of one group, m2 and m4 of another. */
static int world_new(void **state)
{
    static const char *const ids[MESSAGES] = { "m1", "m2", "m3", "m4" };

    (void)state;
    memset(&world, 0, sizeof world);
    sl_log_init(SL_LOG_TEXT, (enum sl_log_level)(SL_LOG_ERROR + 1));
    sl_sqs_shared_init(&world.shared, INT64_MAX);
    world.settings = (struct sl_sqs_settings){ .shared = &world.shared,
                                               .counters = &world.counters,
                                               .visibility_timeout_s = 30 };
    sl_altered_init(&world.altered, &world.settings);
    for (unsigned i = 0; i < MESSAGES; i++) {
        world.messages[i] = (struct sl_sqs_message){ .message_id = sl_str_of(ids[i]),
                                                     .md5_of_body = MD5_OF_HELLO,
                                                     .body = sl_cleartext_of(SL_STR("hello")),
                                                     .group = 1 + i % 2 };
    }
    return 0;
}

static int world_free(void **state)
{
    (void)state;
    sl_altered_done(&world.altered);
    sl_sqs_shared_done(&world.shared);
    return 0;
}

static void alter(unsigned i)
{
    world.messages[i].body = sl_cleartext_of(SL_STR("hallo"));
}

/* What is worked on, and how many stay. */
static void goes_on_with(const char *const ids[], unsigned n, unsigned stay_n)
{
    assert_int_equal(sl_altered_leave(&world.altered, world.messages, MESSAGES), n);
    for (unsigned i = 0; i < n; i++) {
        assert_true(sl_str_eq(world.messages[i].message_id, sl_str_of(ids[i])));
    }
    assert_int_equal(sl_counted(&world.counters.returned), stay_n);
    assert_int_equal(sl_sqs_left(&world.shared, sl_clock_now_ms()), stay_n);
}

static void what_is_as_it_was_sent_is_worked_on(void **state)
{
    (void)state;
    goes_on_with((const char *const[]){ "m1", "m2", "m3", "m4" }, 4, 0);
    assert_int_equal(sl_counted(&world.counters.md5_mismatch), 0);
}

static void an_altered_message_stays_and_its_neighbours_do_not(void **state)
{
    (void)state;
    alter(1);
    goes_on_with((const char *const[]){ "m1", "m3", "m4" }, 3, 1);
    assert_int_equal(sl_counted(&world.counters.md5_mismatch), 1);
}

static void nothing_of_a_fifo_queue_goes_past_one_of_its_group_that_stays(void **state)
{
    (void)state;
    world.settings.is_fifo = true;
    alter(1);
    goes_on_with((const char *const[]){ "m1", "m3" }, 2, 2);
    assert_int_equal(sl_counted(&world.counters.md5_mismatch), 1);
}

static void what_has_no_md5_cannot_be_altered(void **state)
{
    (void)state;
    alter(2);
    world.messages[2].md5_of_body = SL_STR("");
    goes_on_with((const char *const[]){ "m1", "m2", "m3", "m4" }, 4, 0);
}

static void every_message_may_stay(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MESSAGES; i++) {
        alter(i);
    }
    goes_on_with(NULL, 0, MESSAGES);
    assert_int_equal(sl_counted(&world.counters.md5_mismatch), MESSAGES);
}

int main(void)
{
#define RULE(f) cmocka_unit_test_setup_teardown(f, world_new, world_free)
    const struct CMUnitTest tests[] = {
        RULE(what_is_as_it_was_sent_is_worked_on),
        RULE(an_altered_message_stays_and_its_neighbours_do_not),
        RULE(nothing_of_a_fifo_queue_goes_past_one_of_its_group_that_stays),
        RULE(what_has_no_md5_cannot_be_altered),
        RULE(every_message_may_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
