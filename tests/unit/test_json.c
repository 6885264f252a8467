/* tests/unit/test_json.c - strict JSON in, a tree or a fault out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"

struct world {
    struct sl_json_parser *parser;
    struct sl_arena arena;
    char *text;
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    assert_int_equal(sl_json_parser_new(4 << 20, &w->parser, NULL), SL_OK);
    sl_arena_init(&w->arena, 64 << 20, 4096);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    sl_json_parser_free(w->parser);
    sl_arena_done(&w->arena);
    free(w->text);
    free(w);
    return 0;
}

/* The text in a block of its own, so that a sanitizer sees a read past the padding. */
static enum sl_json_fault parse_bytes(struct world *w, const char *bytes, size_t n,
                                      const struct sl_json **ret)
{
    enum sl_json_fault fault = SL_JSON_OK;

    free(w->text);
    w->text = calloc(1, n + SL_JSON_PADDING);
    assert_non_null(w->text);
    memcpy(w->text, bytes, n);
    assert_int_equal(
        sl_json_parse(w->parser, (sl_cleartext){ w->text, n }, &w->arena, ret, &fault, NULL),
        SL_OK);
    return fault;
}

static enum sl_json_fault parse(struct world *w, const char *text, const struct sl_json **ret)
{
    return parse_bytes(w, text, strlen(text), ret);
}

static void assert_text(const struct sl_json *j, enum sl_json_type type, const char *text)
{
    assert_non_null(j);
    assert_int_equal(j->type, type);
    assert_int_equal(j->text.len, strlen(text));
    assert_memory_equal(j->text.secret, text, j->text.len);
}

static void keeps_every_type_as_it_stood(void **state)
{
    const struct sl_json *root = NULL;

    assert_int_equal(parse(*state,
                           " {\"s\": \"a\\u00e9\\n\", \"n\": -1.50e+3 , \"t\": true, \"z\": null,"
                           " \"a\" : [1, {\"b\": []} ] , \"o\":{}} ",
                           &root),
                     SL_JSON_OK);
    assert_int_equal(root->n, 6);
    assert_text(sl_json_member(root, SL_STR("s")), SL_JSON_STRING, "a\xc3\xa9\n");
    assert_text(sl_json_member(root, SL_STR("n")), SL_JSON_NUMBER, "-1.50e+3");
    assert_text(sl_json_member(root, SL_STR("t")), SL_JSON_BOOL, "true");
    assert_text(sl_json_member(root, SL_STR("z")), SL_JSON_NULL, "null");
    assert_text(sl_json_member(root, SL_STR("a")), SL_JSON_ARRAY, "[1, {\"b\": []} ]");
    assert_text(sl_json_element(sl_json_member(root, SL_STR("a")), 1), SL_JSON_OBJECT,
                "{\"b\": []}");
    assert_text(sl_json_member(root, SL_STR("o")), SL_JSON_OBJECT, "{}");
    assert_null(sl_json_member(root, SL_STR("x")));
    assert_null(sl_json_element(sl_json_member(root, SL_STR("a")), 2));
}

static void numbers_that_fit_no_type_are_kept(void **state)
{
    const struct sl_json *root = NULL;

    assert_int_equal(parse(*state, "{\"a\":123456789012345678901234567890,\"b\":1e400}", &root),
                     SL_JSON_OK);
    assert_text(sl_json_member(root, SL_STR("a")), SL_JSON_NUMBER,
                "123456789012345678901234567890");
    assert_text(sl_json_member(root, SL_STR("b")), SL_JSON_NUMBER, "1e400");
}

static void refuses_what_is_not_json(void **state)
{
    static const char *const texts[] = {
        "{",
        "}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "[1,]",
        "[1 2]",
        "[",
        "{\"a\":1",
        "{} x",
        "{}{}",
        "nul",
        "truee",
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "NaN",
        "'a'",
        "{a:1}",
        "{\"a\":tru}",
        "{\"a\":1 2}",
        "\"a",
        "\"a\" 1",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"a\"::1}",
        "{\"a\":\"\n\"}",
        "[1}",
        "{\"a\":1]",
        "1 2",
        "[[]",
        "{\"a\":[1,2}",
        "{\"a\":-}",
        "{1:2}",
        "{\"a\" 1}",
        "[,1]",
        "{\"\\x\":1}",
        "/**/{}",
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const struct sl_json *root = NULL;

        if (parse(*state, texts[i], &root) != SL_JSON_NOT_JSON) {
            fail_msg("accepted or misjudged: %s", texts[i]);
        }
    }
}

static void every_cut_of_a_text_is_refused(void **state)
{
    static const char text[] = "{\"user\": \"a\\u00e9\", \"n\": [1, {\"b\": null}], \"t\": false}";

    for (size_t n = 0; n < sizeof text - 1; n++) {
        const struct sl_json *root = NULL;

        assert_int_not_equal(parse_bytes(*state, text, n, &root), SL_JSON_OK);
    }
}

static void says_when_there_is_nothing(void **state)
{
    const struct sl_json *root = NULL;

    assert_int_equal(parse(*state, "", &root), SL_JSON_EMPTY);
    assert_int_equal(parse(*state, " \t\r\n ", &root), SL_JSON_EMPTY);
}

static void says_when_bytes_are_not_utf8(void **state)
{
    const struct sl_json *root = NULL;

    assert_int_equal(parse(*state, "{\"a\":\"\xff\"}", &root), SL_JSON_NOT_UTF8);
    assert_int_equal(parse(*state, "{\"a\":\"\xed\xa0\x80\"}", &root), SL_JSON_NOT_UTF8);
}

static void scalars_and_arrays_are_json(void **state)
{
    const struct sl_json *root = NULL;

    assert_int_equal(parse(*state, " 12 ", &root), SL_JSON_OK);
    assert_text(root, SL_JSON_NUMBER, "12");
    assert_int_equal(parse(*state, "\"x\"", &root), SL_JSON_OK);
    assert_text(root, SL_JSON_STRING, "x");
    assert_int_equal(parse(*state, "[]", &root), SL_JSON_OK);
    assert_text(root, SL_JSON_ARRAY, "[]");
}

static void refuses_one_name_twice_at_any_level(void **state)
{
    char many[4096] = "{";
    const struct sl_json *root = NULL;

    assert_int_equal(parse(*state, "{\"a\":1,\"b\":2,\"a\":1}", &root), SL_JSON_DUPLICATE_KEY);
    assert_int_equal(parse(*state, "{\"x\":[{\"a\":1,\"\\u0061\":1}]}", &root),
                     SL_JSON_DUPLICATE_KEY);
    for (int i = 0; i < 200; i++) {
        const size_t at = strlen(many);

        (void)snprintf(many + at, sizeof many - at, "\"k%d\":0,", i);
    }
    memcpy(many + strlen(many), "\"k7\":0}", 8);
    assert_int_equal(parse(*state, many, &root), SL_JSON_DUPLICATE_KEY);
}

static void nesting_has_a_limit(void **state)
{
    char text[2 * SL_JSON_DEPTH + 3];
    const struct sl_json *root = NULL;

    memset(text, '[', SL_JSON_DEPTH);
    memset(text + SL_JSON_DEPTH, ']', SL_JSON_DEPTH);
    assert_int_equal(parse_bytes(*state, text, 2 * SL_JSON_DEPTH, &root), SL_JSON_OK);
    memset(text, '[', SL_JSON_DEPTH + 1);
    memset(text + SL_JSON_DEPTH + 1, ']', SL_JSON_DEPTH + 1);
    assert_int_equal(parse_bytes(*state, text, 2 * SL_JSON_DEPTH + 2, &root), SL_JSON_TOO_DEEP);
}

static void a_lone_surrogate_spoils_its_own_string_only(void **state)
{
    static const char *const texts[] = { "{\"a\":\"\\ud800\",\"b\":\"x\"}",
                                         "{\"a\":\"\\udc00\",\"b\":\"x\"}",
                                         "{\"a\":\"\\ud800\\u0041\",\"b\":\"x\"}",
                                         "{\"a\":\"\\udc00\\\"xxx\",\"b\":\"x\"}" };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const struct sl_json *root = NULL;

        assert_int_equal(parse(*state, texts[i], &root), SL_JSON_OK);
        assert_int_equal(sl_json_member(root, SL_STR("a"))->type, SL_JSON_LONE_SURROGATE);
        assert_text(sl_json_member(root, SL_STR("b")), SL_JSON_STRING, "x");
    }
}

static void a_surrogate_pair_is_one_character(void **state)
{
    const struct sl_json *root = NULL;

    assert_int_equal(parse(*state, "{\"a\":\"\\ud83d\\ude00\"}", &root), SL_JSON_OK);
    assert_text(sl_json_member(root, SL_STR("a")), SL_JSON_STRING, "\xf0\x9f\x98\x80");
}

static void a_nul_in_a_string_is_kept(void **state)
{
    const struct sl_json *root = NULL;

    assert_int_equal(parse(*state, "{\"a\":\"x\\u0000y\"}", &root), SL_JSON_OK);
    assert_int_equal(sl_json_member(root, SL_STR("a"))->text.len, 3);
}

static void a_full_arena_is_reported(void **state)
{
    struct world *w = *state;
    struct sl_arena small;
    const struct sl_json *root = NULL;
    enum sl_json_fault fault;
    char text[8192 + SL_JSON_PADDING] = "[";

    for (size_t i = 1; i < 8190; i += 2) {
        memcpy(text + i, "0,", 2);
    }
    memcpy(text + 8190, "0]", 2);
    sl_arena_init(&small, 16384, 1024);
    assert_int_equal(
        sl_json_parse(w->parser, (sl_cleartext){ text, 8192 }, &small, &root, &fault, NULL),
        SL_NOMEM);
    sl_arena_done(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keeps_every_type_as_it_stood, set_up, tear_down),
        cmocka_unit_test_setup_teardown(numbers_that_fit_no_type_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_what_is_not_json, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_cut_of_a_text_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(says_when_there_is_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(says_when_bytes_are_not_utf8, set_up, tear_down),
        cmocka_unit_test_setup_teardown(scalars_and_arrays_are_json, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_one_name_twice_at_any_level, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nesting_has_a_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lone_surrogate_spoils_its_own_string_only, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_surrogate_pair_is_one_character, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_nul_in_a_string_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_arena_is_reported, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
