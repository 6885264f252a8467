/* tests/unit/test_trace.c - of a header that its sender controls nothing is kept but an id. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "record/trace.h"

#define ID     "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"
#define ROOT   "1-4bf92f35-77b34da6a3ce929d0e0e4736"

static void is_id(const struct sl_trace *t)
{
    assert_true(sl_str_eq(sl_trace_text(t), SL_STR(ID)));
}

static void a_traceparent_has_the_id_in_its_middle(void **state)
{
    static const char *const headers[] = {
        "00-" ID "-" PARENT "-01",
        "00-" ID "-" PARENT "-00",
        "cc-" ID "-" PARENT "-01",
        "01-" ID "-" PARENT "-01-what the future brings",
    };

    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        struct sl_trace t = { { 0 } };

        assert_true(sl_trace_read_w3c(sl_str_of(headers[i]), &t));
        is_id(&t);
    }
}

static void the_header_of_x_ray_has_it_in_its_root(void **state)
{
    static const char *const headers[] = {
        "Root=" ROOT,
        "Root=" ROOT ";Parent=53995c3f42cd8ad8;Sampled=1",
        "Sampled=?;Root=" ROOT,
        "Self=1-00000000-000000000000000000000000; Root=" ROOT " ;name=mallory@example.com",
    };

    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        struct sl_trace t = { { 0 } };

        assert_true(sl_trace_read_aws(sl_str_of(headers[i]), &t));
        is_id(&t);
    }
}

static void nothing_else_gets_through(void **state)
{
    static const char *const w3c[] = {
        "",
        "00",
        "00-" ID "-" PARENT,
        "00-" ID "-" PARENT "-01x",
        "00-" ID "-" PARENT "-01-",
        "01-" ID "-" PARENT "-01.more",
        "ff-" ID "-" PARENT "-01",
        "0x-" ID "-" PARENT "-01",
        "00-00000000000000000000000000000000-" PARENT "-01",
        "00-" ID "-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473\n-" PARENT "-01",
        "00-anna.schmidt@example.com........-" PARENT "-01",
        "00_" ID "-" PARENT "-01",
        "00-" ID "_" PARENT "-01",
        "00-" ID "-" PARENT "_01",
        "00-" ID "-" PARENT "-0\n",
        "Root=" ROOT,
    };
    static const char *const aws[] = {
        "",
        ";;;",
        "Root",
        "Root=",
        "root=" ROOT,
        "Parent=" ROOT,
        "Root=2-4bf92f35-77b34da6a3ce929d0e0e4736",
        "Root=1-4bf92f35-77b34da6a3ce929d0e0e473",
        "Root=1-4bf92f35-77b34da6a3ce929d0e0e47360",
        "Root=1-4bf92f3577b34da6a3ce929d0e0e47360-",
        "Root=1-4BF92F35-77b34da6a3ce929d0e0e4736",
        "Root=1-00000000-000000000000000000000000",
        "Root=1-4bf92f35-anna.schmidt@example.co",
        "Root=1-4bf92f35-77b34da6a3ce929d0e0e47\n6",
        "Root=x;Root=" ROOT,
    };
    const struct sl_trace before = { "untouched" };
    struct sl_trace t = before;

    (void)state;
    for (size_t i = 0; i < sizeof w3c / sizeof w3c[0]; i++) {
        assert_false(sl_trace_read_w3c(sl_str_of(w3c[i]), &t));
    }
    for (size_t i = 0; i < sizeof aws / sizeof aws[0]; i++) {
        assert_false(sl_trace_read_aws(sl_str_of(aws[i]), &t));
    }
    assert_memory_equal(&t, &before, sizeof t);
}

static void one_that_is_not_known_has_no_text(void **state)
{
    const struct sl_trace t = { { 0 } };

    (void)state;
    assert_int_equal(sl_trace_text(&t).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_traceparent_has_the_id_in_its_middle),
        cmocka_unit_test(the_header_of_x_ray_has_it_in_its_root),
        cmocka_unit_test(nothing_else_gets_through),
        cmocka_unit_test(one_that_is_not_known_has_no_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
