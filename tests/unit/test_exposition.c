/* tests/unit/test_exposition.c - metrics as Prometheus reads them: escaped, cumulative, each format its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "telemetry/exposition.h"

enum { SECOND_US = 1000000 };

static struct sl_buf out;

static int out_new(void **state)
{
    (void)state;
    sl_buf_init(&out, 1 << 20);
    return 0;
}

static int out_free(void **state)
{
    (void)state;
    sl_buf_done(&out);
    return 0;
}

static const char *written(void)
{
    sl_buf_add_char(&out, '\0');
    assert_int_equal(sl_buf_rc(&out, NULL), SL_OK);
    return out.ptr;
}

static void a_label_cannot_end_before_its_value_does(void **state)
{
    const struct sl_exposition x = { .out = &out };
    const struct sl_labels labels = { { { "kid", SL_STR("a\"} 1\nb\\") },
                                        { "state", SL_STR("") } } };

    (void)state;
    sl_expose_sample(&x, SL_FAMILY_key, &labels, 1);
    assert_string_equal(written(), "sluice_key_info{kid=\"a\\\"} 1\\nb\\\\\",state=\"\"} 1\n");
}

static void a_bucket_has_all_that_is_below_its_bound(void **state)
{
    const struct sl_exposition x = { .out = &out };
    struct sl_histogram h = { 0 };
    struct sl_tally tally = { 0 };
    struct sl_tally taken = { 0 };
    const char *text;

    (void)state;
    sl_tally_add(&tally, &sl_bounds_latency, -SECOND_US); /* of clocks that differ */
    sl_tally_add(&tally, &sl_bounds_latency, SECOND_US);
    sl_tally_add(&tally, &sl_bounds_latency, SECOND_US + 1);
    sl_tally_add(&tally, &sl_bounds_latency, INT64_C(15) * 86400 * SECOND_US);
    sl_histogram_add(&h, &tally);
    sl_tally_take(&taken, &h);
    sl_expose_tally(&x, SL_FAMILY_latency, NULL, &sl_bounds_latency, &taken);
    text = written();
    assert_non_null(strstr(text, "_bucket{le=\"0.1\"} 1\n"));
    assert_non_null(strstr(text, "_bucket{le=\"1\"} 2\n"));
    assert_non_null(strstr(text, "_bucket{le=\"2.5\"} 3\n"));
    assert_non_null(strstr(text, "_bucket{le=\"1209600\"} 3\n"));
    assert_non_null(strstr(text, "_bucket{le=\"+Inf\"} 4\n"));
    assert_non_null(strstr(text, "_sum 1296002.000001\n"));
    assert_non_null(strstr(text, "_count 4\n"));
}

static void bounds_rise(void **state)
{
    (void)state;
    for (unsigned i = 1; i < SL_BOUNDS_N; i++) {
        assert_true(sl_bounds_stage.us[i - 1] < sl_bounds_stage.us[i]);
        assert_true(sl_bounds_latency.us[i - 1] < sl_bounds_latency.us[i]);
    }
}

static void a_counter_has_another_family_name_in_openmetrics(void **state)
{
    struct sl_exposition x = { .out = &out };

    (void)state;
    sl_expose(&x, SL_FAMILY_COUNT_loaded, 7);
    sl_expose_end(&x);
    assert_string_equal(written(), "# HELP sluice_rows_loaded_total new rows committed\n"
                                   "# TYPE sluice_rows_loaded_total counter\n"
                                   "sluice_rows_loaded_total 7\n");
    sl_buf_reset(&out);
    x.is_openmetrics = true;
    sl_expose(&x, SL_FAMILY_COUNT_loaded, 7);
    sl_expose_end(&x);
    assert_string_equal(written(), "# HELP sluice_rows_loaded new rows committed\n"
                                   "# TYPE sluice_rows_loaded counter\n"
                                   "sluice_rows_loaded_total 7\n"
                                   "# EOF\n");
}

static void large_counts_keep_every_digit(void **state)
{
    const struct sl_exposition x = { .out = &out };

    (void)state;
    sl_expose_sample(&x, SL_FAMILY_COUNT_received, NULL, 123456789012345.0);
    assert_string_equal(written(), "sluice_messages_received_total 123456789012345\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_label_cannot_end_before_its_value_does, out_new,
                                        out_free),
        cmocka_unit_test_setup_teardown(a_bucket_has_all_that_is_below_its_bound, out_new,
                                        out_free),
        cmocka_unit_test_setup_teardown(bounds_rise, out_new, out_free),
        cmocka_unit_test_setup_teardown(a_counter_has_another_family_name_in_openmetrics, out_new,
                                        out_free),
        cmocka_unit_test_setup_teardown(large_counts_keep_every_digit, out_new, out_free),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
