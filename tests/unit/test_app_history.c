/* tests/unit/test_app_history.c - an hour of points in a fixed room, and none made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "app_history.h"

enum { STEP = SL_APP_HISTORY_STEP_MS, AT = 1000000000 };

static struct sl_app_history h;
static struct sl_buf text;

static int begin(void **state)
{
    (void)state;
    memset(&h, 0, sizeof h);
    sl_app_history_init(&h);
    sl_buf_init(&text, 1 << 20);
    return 0;
}

static int end(void **state)
{
    (void)state;
    sl_app_history_done(&h);
    sl_buf_done(&text);
    return 0;
}

static void add(int64_t now_ms, uint64_t loaded, int64_t latency_us, uint64_t latency_n)
{
    struct sl_app_sample now = { .counts.loaded = loaded, .visible = -1 };

    for (uint64_t i = 0; i < latency_n; i++) {
        sl_tally_add(&now.latency, &sl_bounds_latency, latency_us);
    }
    assert_true(sl_app_history_is_due(&h, now_ms));
    sl_app_history_add(&h, &now, now_ms, AT + now_ms);
}

static const char *json(int64_t after_ms)
{
    sl_buf_reset(&text);
    sl_app_history_json(&h, after_ms, &text);
    sl_buf_add_char(&text, '\0');
    assert_false(text.has_failed);
    return text.ptr;
}

static void a_point_is_what_happened_in_its_step(void **state)
{
    (void)state;
    add(1, 100, 0, 0); /* counted before: no point */
    assert_false(sl_app_history_is_due(&h, 1 + STEP - 1));
    add(1 + STEP, 110, 400000, 10);
    add(1 + 2 * STEP, 110, 400000, 10);
    assert_string_equal(
        json(0), "{\"step_s\":5,\"end_ms\":1000010001,\"received\":[0.00,0.00],\"loaded\":[2.00,"
                 "0.00],\"dead_lettered\":[0.00,0.00],\"duplicates\":[0.00,0.00],\"returned\":[0.00"
                 ",0.00],\"visible\":[null,null],\"p50_ms\":[375,null],\"p99_ms\":[497,null]}\n");
}

static void only_points_behind_a_moment_are_given(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        add(1 + i * STEP, (uint64_t)i * 5, 0, 0);
    }
    assert_non_null(strstr(json(AT + 1 + 2 * STEP), "\"loaded\":[1.00,1.00],"));
    assert_non_null(strstr(json(AT + 1 + 4 * STEP), "\"loaded\":[],"));
    assert_non_null(strstr(json(0), "\"loaded\":[1.00,1.00,1.00,1.00],"));
}

static void no_point_is_given_twice_where_the_looks_are_late(void **state)
{
    const int64_t late_ms[] = { 0, 40, 90, 10, 99, 100, 5 };
    int64_t end_ms = 0;

    (void)state;
    for (int i = 0; i < 7; i++) {
        add(1 + i * STEP + late_ms[i], (uint64_t)i * 5, 0, 0);
        assert_true(strstr(json(end_ms), i > 0 ? "\"received\":[0.00]," : "\"received\":[],") !=
                    NULL);
        end_ms = h.end_ms;
    }
}

static void it_keeps_an_hour_and_steps_that_were_missed_share_what_came(void **state)
{
    (void)state;
    add(1, 0, 0, 0);
    for (int i = 1; i <= 1000; i++) {
        add(1 + (int64_t)i * STEP, (uint64_t)i, 0, 0);
    }
    assert_int_equal(h.n, 1000);
    add(1 + 1002 * (int64_t)STEP, 1020, 0, 0); /* two steps late */
    assert_int_equal(h.n, 1002);
    assert_non_null(strstr(json(AT + 1000 * (int64_t)STEP - 1), "\"loaded\":[0.20,2.00,2.00],"));
    (void)json(0);
    sl_str rest = { text.ptr, text.len };
    unsigned commas = 0;

    while (rest.len > 0) {
        (void)sl_str_cut(&rest, ',');
        commas++;
    }
    assert_int_equal(commas, 8 * SL_APP_HISTORY_POINTS + 2);
}

static void a_long_sleep_is_no_more_than_an_hour(void **state)
{
    (void)state;
    add(1, 0, 0, 0);
    add(1 + 100 * INT64_C(3600000), 5, 0, 0);
    assert_int_equal(h.n, SL_APP_HISTORY_POINTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_point_is_what_happened_in_its_step, begin, end),
        cmocka_unit_test_setup_teardown(only_points_behind_a_moment_are_given, begin, end),
        cmocka_unit_test_setup_teardown(no_point_is_given_twice_where_the_looks_are_late, begin,
                                        end),
        cmocka_unit_test_setup_teardown(it_keeps_an_hour_and_steps_that_were_missed_share_what_came,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_long_sleep_is_no_more_than_an_hour, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
