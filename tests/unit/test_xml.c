/* tests/unit/test_xml.c - the texts of a few elements, and what is no document. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/xml.h"

static struct sl_arena arena;

static int arena_new(void **state)
{
    (void)state;
    sl_arena_init(&arena, 1 << 20, 4096);
    return 0;
}

static int arena_free(void **state)
{
    (void)state;
    sl_arena_done(&arena);
    return 0;
}

static sl_rc read_two(sl_str text, sl_str *one, sl_str *two)
{
    const struct sl_xml_want wants[] = { { "a/b/c", one }, { "a/d", two } };

    return sl_xml_read(text, wants, 2, &arena, NULL);
}

static void assert_text(sl_str s, const char *expect)
{
    assert_true(sl_str_eq(s, sl_str_of(expect)));
    assert_int_equal(s.ptr[s.len], 0);
}

static void takes_the_text_at_a_path(void **state)
{
    sl_str one = SL_STR("before");
    sl_str two = { 0 };

    (void)state;
    assert_int_equal(read_two(SL_STR("<?xml version='1.0'?>\n<a xmlns='urn:x'><b><x>no</x><c k='1'>"
                                     " 1 &lt; &#50;<!-- - --><![CDATA[ & 3]]>\n</c></b><d/></a>\n"),
                              &one, &two),
                     SL_OK);
    assert_text(one, "1 < 2 & 3");
    assert_text(two, "");
}

static void the_first_of_several_counts_and_what_is_inside_it_does_not(void **state)
{
    sl_str one = { 0 };
    sl_str two = SL_STR("untouched");

    (void)state;
    assert_int_equal(
        read_two(SL_STR("<a><b><c>x<c>no</c>y</c><c>later</c></b><b><d>no</d></b></a>"), &one,
                 &two),
        SL_OK);
    assert_text(one, "xy");
    assert_text(two, "untouched");
}

static void refuses_what_is_no_document(void **state)
{
    static const char *const texts[] = { "",
                                         "hello",
                                         "<a>",
                                         "<a></b>",
                                         "<a/><a/>",
                                         "{\"a\": 1}",
                                         "<a>\x01</a>",
                                         "<a>\xff</a>",
                                         "<a>&x;</a>",
                                         "<!DOCTYPE a><a/>",
                                         "<!DOCTYPE a [<!ENTITY d 'x'>]><a><d>&d;</d></a>" };
    sl_str one = { 0 };
    sl_str two = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(read_two(sl_str_of(texts[i]), &one, &two), SL_UNAVAILABLE);
    }
    assert_null(two.ptr);
}

static void nesting_is_bounded(void **state)
{
    char text[8 * SL_XML_DEPTH + 16] = "";
    sl_str one = { 0 };
    sl_str two = { 0 };

    (void)state;
    for (unsigned n = SL_XML_DEPTH; n <= SL_XML_DEPTH + 1; n++) {
        size_t len = 0;

        for (unsigned i = 0; i < n; i++) {
            len += (size_t)snprintf(text + len, sizeof text - len, "<e>");
        }
        for (unsigned i = 0; i < n; i++) {
            len += (size_t)snprintf(text + len, sizeof text - len, "</e>");
        }
        assert_int_equal(read_two(sl_str_of(text), &one, &two),
                         n <= SL_XML_DEPTH ? SL_OK : SL_UNAVAILABLE);
    }
}

static void little_memory_is_reported(void **state)
{
    struct sl_arena small;
    sl_str one = { 0 };
    const struct sl_xml_want want = { "a", &one };

    (void)state;
    sl_arena_init(&small, 16, 16);
    assert_int_equal(sl_xml_read(SL_STR("<a>more than sixteen bytes</a>"), &want, 1, &small, NULL),
                     SL_NOMEM);
    sl_arena_done(&small);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, arena_new, arena_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(takes_the_text_at_a_path),
        TEST(the_first_of_several_counts_and_what_is_inside_it_does_not),
        TEST(refuses_what_is_no_document),
        TEST(nesting_is_bounded),
        TEST(little_memory_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
