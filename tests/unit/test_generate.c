/* tests/unit/test_generate.c - generated events keep their shape, their shares and their bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"
#include "cmd/generate_event.h"

enum { LINES_MAX = 3000 };

/* All events of one run, and each of them parsed. */
struct run {
    struct sl_json_parser *parser;
    struct sl_arena arena;
    struct sl_buf text;
    sl_str lines[LINES_MAX];
    const struct sl_json *json[LINES_MAX]; /* NULL where the line is not good JSON */
    enum sl_json_fault faults[LINES_MAX];
    unsigned n;
};

static int run_new(void **state)
{
    struct run *run = calloc(1, sizeof *run);

    if (run == NULL) {
        return -1;
    }
    sl_buf_init(&run->text, 4 << 20);
    sl_arena_init(&run->arena, 16 << 20, 1 << 16);
    *state = run;
    return sl_json_parser_new(1 << 20, &run->parser, NULL) == SL_OK ? 0 : -1;
}

static int run_free(void **state)
{
    struct run *run = *state;

    sl_json_parser_free(run->parser);
    sl_arena_done(&run->arena);
    sl_buf_done(&run->text);
    free(run);
    return 0;
}

static void generate(struct run *run, uint64_t seed, unsigned n, double duplicates, double bad)
{
    struct sl_generator g;
    size_t ends[LINES_MAX];
    size_t begin = 0;

    sl_buf_reset(&run->text);
    sl_generator_init(&g, seed, n, duplicates, bad);
    run->n = 0;
    while (sl_generator_next(&g, &run->text)) {
        assert_in_range(run->n, 0, LINES_MAX - 1);
        ends[run->n++] = run->text.len;
    }
    for (unsigned i = 0; i < SL_JSON_PADDING; i++) {
        sl_buf_add_char(&run->text, '\0');
    }
    assert_int_equal(sl_buf_rc(&run->text, NULL), SL_OK);
    for (unsigned i = 0; i < run->n; i++) {
        run->lines[i] = (sl_str){ run->text.ptr + begin, ends[i] - begin };
        run->json[i] = NULL;
        assert_int_equal(sl_json_parse(run->parser, sl_cleartext_of(run->lines[i]), &run->arena,
                                       &run->json[i], &run->faults[i], NULL),
                         SL_OK);
        begin = ends[i];
    }
}

static sl_str member(const struct sl_json *j, const char *name)
{
    const struct sl_json *m = sl_json_member(j, sl_str_of(name));

    assert_non_null(m);
    return sl_cleartext_publish(m->text);
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* 'x' stands for a hexadecimal digit, '9' for a decimal one, all else for itself. */
static void assert_like(sl_str s, const char *picture)
{
    assert_int_equal(s.len, strlen(picture));
    for (size_t i = 0; i < s.len; i++) {
        if (picture[i] == 'x') {
            assert_true(is_hex(s.ptr[i]));
        } else if (picture[i] == '9') {
            assert_in_range(s.ptr[i], '0', '9');
        } else {
            assert_int_equal(s.ptr[i], picture[i]);
        }
    }
}

/* Numbers of at most `digits` digits each, parted by dots; returns how many. */
static unsigned assert_numbers(sl_str s, size_t digits, int64_t max)
{
    unsigned n = 0;

    while (s.len > 0) {
        const sl_str part = sl_str_cut(&s, '.');
        int64_t value = -1;

        assert_in_range(part.len, 1, digits);
        assert_true(sl_str_to_i64(part, &value));
        assert_in_range(value, 0, max);
        n++;
    }
    return n;
}

static void the_first_events_of_a_seed_never_change(void **state)
{
    struct run *run = *state;

    generate(run, 1, 2, 0, 0);
    assert_int_equal(run->n, 2);
    assert_true(sl_str_eq(
        run->lines[0],
        SL_STR("{\"user_id\": \"f8c5b62c-83f7-47e8-ad33-9d1740130edd\", \"app_version\": "
               "\"3.82.78\", \"device_type\": \"android\", "
               "\"ip\": \"46.244.204.126\", \"locale\": \"AI\", \"device_id\": \"906-78-9120\"}")));
    assert_true(sl_str_eq(
        run->lines[1],
        SL_STR("{\"user_id\": \"9c0002e0-1d4a-475e-b029-a3fa23f10e5a\", \"app_version\": \"3.55\", "
               "\"device_type\": \"android\", "
               "\"ip\": \"236.21.33.231\", \"locale\": null, \"device_id\": \"929-55-0489\"}")));
}

static void one_seed_gives_one_text(void **state)
{
    struct run *run = *state;
    SL_AUTO(sl_buf_done) struct sl_buf first;

    sl_buf_init(&first, 4 << 20);
    generate(run, 7, 500, 0.2, 0.1);
    sl_buf_add_str(&first, sl_buf_str(&run->text));
    generate(run, 7, 500, 0.2, 0.1);
    assert_true(sl_str_eq(sl_buf_str(&first), sl_buf_str(&run->text)));
    generate(run, 8, 500, 0.2, 0.1);
    assert_false(sl_str_eq(sl_buf_str(&first), sl_buf_str(&run->text)));
}

static void good_events_have_the_shape_of_the_exercise(void **state)
{
    static const char *const names[] = { "user_id", "app_version", "device_type",
                                         "ip",      "locale",      "device_id" };
    struct run *run = *state;
    unsigned null_locales = 0;
    unsigned two_parts = 0;
    unsigned ios = 0;
    unsigned leading_zeros = 0;
    unsigned reserved = 0;

    generate(run, 1, 2000, 0.1, 0);
    assert_int_equal(run->n, 2000);
    for (unsigned i = 0; i < run->n; i++) {
        const struct sl_json *j = run->json[i];
        const struct sl_json *child;
        const struct sl_json *locale;
        sl_str ip;

        assert_int_equal(run->faults[i], SL_JSON_OK);
        assert_int_equal(j->n, 6);
        child = j->child;
        for (unsigned k = 0; k < 6; k++, child = child->next) {
            assert_true(sl_str_eq(sl_cleartext_publish(child->name), sl_str_of(names[k])));
        }
        assert_like(member(j, "user_id"), "xxxxxxxx-xxxx-4xxx-xxxx-xxxxxxxxxxxx");
        assert_non_null(strchr("89ab", member(j, "user_id").ptr[19]));
        assert_like(member(j, "device_id"), "999-99-9999");
        ip = member(j, "ip");
        assert_int_equal(assert_numbers(ip, 3, 255), 4);
        reserved += ip.ptr[0] == '2' && ip.len > 2 && ip.ptr[1] >= '3' && ip.ptr[2] != '.';
        switch (assert_numbers(member(j, "app_version"), 2, 99)) {
        case 2:
            two_parts++;
            break;
        case 3:
            break;
        default:
            fail();
        }
        leading_zeros +=
            memmem(member(j, "app_version").ptr, member(j, "app_version").len, ".0", 2) != NULL;
        ios += sl_str_eq(member(j, "device_type"), SL_STR("ios"));
        assert_true(sl_str_eq(member(j, "device_type"), SL_STR("ios")) ||
                    sl_str_eq(member(j, "device_type"), SL_STR("android")));
        locale = sl_json_member(j, SL_STR("locale"));
        if (locale->type == SL_JSON_NULL) {
            null_locales++;
        } else {
            assert_int_equal(locale->text.len, 2);
            assert_in_range(member(j, "locale").ptr[0], 'A', 'Z');
            assert_in_range(member(j, "locale").ptr[1], 'A', 'Z');
        }
    }
    assert_in_range(null_locales, 500, 700);
    assert_in_range(two_parts, 980, 1180);
    assert_in_range(ios, 900, 1100);
    assert_in_range(leading_zeros, 50, 600);
    assert_in_range(reserved, 50, 400);
}

static int line_order(const void *a, const void *b)
{
    return sl_str_cmp(*(const sl_str *)a, *(const sl_str *)b);
}

/* How many of the events have a value of `name` that another one before it has. */
static unsigned repeats(const struct run *run, const char *name)
{
    sl_str values[LINES_MAX];
    unsigned n = 0;

    for (unsigned i = 0; i < run->n; i++) {
        values[i] = member(run->json[i], name);
    }
    qsort(values, run->n, sizeof values[0], line_order);
    for (unsigned i = 1; i < run->n; i++) {
        n += sl_str_eq(values[i], values[i - 1]);
    }
    return n;
}

static void exactly_that_share_repeats_ip_and_device(void **state)
{
    static const struct {
        unsigned n;
        double share;
        unsigned expect;
    } cases[] = { { 100, 0.2, 20 }, { 2000, 0.5, 1000 }, { 3, 0.5, 2 },
                  { 100, 0, 0 },    { 2000, 0, 0 },      { 100, 1, 99 },
                  { 1, 1, 0 },      { 10, 0.04, 0 },     { 1000, 0.001, 1 } };
    struct run *run = *state;

    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        generate(run, 40 + i, cases[i].n, cases[i].share, 0);
        assert_int_equal(run->n, cases[i].n);
        assert_int_equal(repeats(run, "ip"), cases[i].expect);
        assert_int_equal(repeats(run, "device_id"), cases[i].expect);
        assert_int_equal(repeats(run, "user_id"), 0);
    }
}

/* The kind of a bad event as a consumer would see it; -1 for a good one. */
static int bad_kind(const struct run *run, unsigned i)
{
    const struct sl_json *j = run->json[i];
    const struct sl_json *user;

    switch (run->faults[i]) {
    case SL_JSON_DUPLICATE_KEY:
        return SL_BAD_EVENT_DUPLICATE_KEY;
    case SL_JSON_OK:
        break;
    default:
        return run->lines[i].ptr[0] == '{' ? SL_BAD_EVENT_CUT_OFF : SL_BAD_EVENT_NOT_JSON;
    }
    if (j->type == SL_JSON_ARRAY) {
        return SL_BAD_EVENT_ARRAY;
    }
    if (j->n == 0) {
        return SL_BAD_EVENT_EMPTY_OBJECT;
    }
    if (sl_str_eq(run->lines[i], SL_STR("{\"foo\": \"oops_wrong_msg_type\", \"bar\": \"123\"}"))) {
        return SL_BAD_EVENT_OTHER_TYPE;
    }
    user = sl_json_member(j, SL_STR("user_id"));
    if (user == NULL) {
        return SL_BAD_EVENT_MISSING_FIELD;
    }
    if (user->type == SL_JSON_NULL) {
        return SL_BAD_EVENT_NULL_FIELD;
    }
    if (user->type == SL_JSON_NUMBER) {
        return SL_BAD_EVENT_NUMBER_FOR_STRING;
    }
    if (sl_str_eq(member(j, "app_version"), SL_STR("1.2.3.4"))) {
        return SL_BAD_EVENT_FOUR_PART_VERSION;
    }
    if (member(j, "locale").len == 300) {
        return SL_BAD_EVENT_LONG_LOCALE;
    }
    if (sl_json_member(j, SL_STR("device_type"))->type == SL_JSON_LONE_SURROGATE) {
        return SL_BAD_EVENT_LONE_SURROGATE;
    }
    return memchr(member(j, "device_type").ptr, '\0', member(j, "device_type").len) != NULL
               ? (int)SL_BAD_EVENT_NUL_CHARACTER
               : -1;
}

static void exactly_that_share_is_bad_and_every_kind_has_its_turn(void **state)
{
    struct run *run = *state;
    unsigned kinds[SL_BAD_EVENT_N] = { 0 };
    unsigned bad = 0;

    generate(run, 3, 1300, 0.3, 0.1);
    assert_int_equal(run->n, 1300);
    for (unsigned i = 0; i < run->n; i++) {
        const int kind = bad_kind(run, i);

        if (kind >= 0) {
            kinds[kind]++;
            bad++;
        }
    }
    assert_int_equal(bad, 130);
    for (unsigned i = 0; i < SL_BAD_EVENT_N; i++) {
        assert_int_equal(kinds[i], 10);
    }
}

static void both_shares_hold_together(void **state)
{
    struct run *run = *state;
    unsigned good = 0;

    generate(run, 5, 1000, 0.5, 0.5);
    assert_int_equal(run->n, 1000);
    for (unsigned i = 0; i < run->n; i++) {
        if (bad_kind(run, i) < 0) {
            run->json[good++] = run->json[i];
        }
    }
    assert_int_equal(good, 500);
    run->n = good;
    assert_int_equal(repeats(run, "ip"), 499); /* one is the first of its kind */
    generate(run, 5, 50, 0, 1);
    for (unsigned i = 0; i < run->n; i++) {
        assert_true(bad_kind(run, i) >= 0);
    }
}

static void bad_events_are_spread(void **state)
{
    struct run *run = *state;
    unsigned in_first_half = 0;

    generate(run, 11, 1000, 0, 0.2);
    for (unsigned i = 0; i < 500; i++) {
        in_first_half += bad_kind(run, i) >= 0;
    }
    assert_in_range(in_first_half, 75, 125);
}

static void lines_are_printable_ascii(void **state)
{
    struct run *run = *state;

    generate(run, 2, 1000, 0.2, 0.5);
    for (unsigned i = 0; i < run->n; i++) {
        for (size_t k = 0; k < run->lines[i].len; k++) {
            assert_in_range(run->lines[i].ptr[k], ' ', '~');
        }
    }
}

static void none_is_none(void **state)
{
    struct run *run = *state;

    generate(run, 2, 0, 1, 0);
    assert_int_equal(run->n, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, run_new, run_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_events_of_a_seed_never_change),
        TEST(one_seed_gives_one_text),
        TEST(good_events_have_the_shape_of_the_exercise),
        TEST(exactly_that_share_repeats_ip_and_device),
        TEST(exactly_that_share_is_bad_and_every_kind_has_its_turn),
        TEST(both_shares_hold_together),
        TEST(bad_events_are_spread),
        TEST(lines_are_printable_ascii),
        TEST(none_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
