/* tests/unit/test_csv.c - records of CSV in any pieces, and fields that read back as they were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cmd/csv.h"

struct world {
    struct sl_csv csv;
    struct sl_arena arena;
    struct sl_buf out;
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    sl_arena_init(&w->arena, 1 << 20, 4096);
    sl_buf_init(&w->out, 1 << 20);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    sl_arena_done(&w->arena);
    sl_buf_done(&w->out);
    free(w);
    return 0;
}

/* The fields of the first record, each in brackets, or its fault. */
static const char *shown(struct world *w, sl_str text)
{
    sl_buf_reset(&w->out);
    if (w->csv.fault != SL_CSV_OK) {
        sl_buf_add_str(&w->out, sl_str_of(sl_csv_fault_text(w->csv.fault)));
    }
    for (unsigned i = 0; w->csv.fault == SL_CSV_OK && i < w->csv.n; i++) {
        const struct sl_csv_field *f = &w->csv.fields[i];
        const sl_str value = sl_csv_value(f, text, &w->arena);

        assert_non_null(value.ptr);
        sl_buf_add_str(&w->out, f->is_quoted ? SL_STR("[\"") : SL_STR("["));
        sl_buf_add_str(&w->out, value);
        sl_buf_add_char(&w->out, ']');
    }
    sl_buf_add_char(&w->out, '\0');
    assert_int_equal(sl_buf_rc(&w->out, NULL), SL_OK);
    return w->out.ptr;
}

static const struct {
    const char *text;
    const char *fields;
    size_t len; /* of the record, line end included */
    unsigned lines_n;
} records[] = {
    { "a,b,c\n", "[a][b][c]", 6, 1 },
    { "a,b\r\nc,d\r\n", "[a][b]", 5, 1 },
    { "a\nb\n", "[a]", 2, 1 },
    { "a,b", "[a][b]", 3, 0 },
    { "a,", "[a][]", 2, 0 },
    { "\n", "[]", 1, 1 },
    { "\r\n", "[]", 2, 1 },
    { ",\n", "[][]", 2, 1 },
    { " a , b \n", "[ a ][ b ]", 8, 1 },
    { "\"a\",b\n", "[\"a][b]", 6, 1 },
    { "\"\"\n", "[\"]", 3, 1 },
    { "\"\",\"\"", "[\"][\"]", 5, 0 },
    { "\"a,b\"\n", "[\"a,b]", 6, 1 },
    { "\"a\"\"b\"\n", "[\"a\"b]", 7, 1 },
    { "\"\"\"\"\n", "[\"\"]", 5, 1 },
    { "\"\"\"\"\"\",x\n", "[\"\"\"][x]", 9, 1 },
    { "\"a\nb\",\"c\r\nd\"\nnext\n", "[\"a\nb][\"c\r\nd]", 13, 3 },
    { "\"a\rb\"\r\n", "[\"a\rb]", 7, 1 },
    { "\xc3\xa9,\xff\n", "[\xc3\xa9][\xff]", 5, 1 },
};

static void a_record_has_the_fields_of_rfc_4180(void **state)
{
    struct world *w = *state;

    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
        const sl_str text = sl_str_of(records[i].text);

        sl_csv_begin(&w->csv);
        assert_true(sl_csv_read(&w->csv, text, true));
        assert_string_equal(shown(w, text), records[i].fields);
        assert_int_equal(w->csv.len, records[i].len);
        assert_int_equal(w->csv.lines_n, records[i].lines_n);
    }
}

static void a_record_in_pieces_is_the_same_record(void **state)
{
    struct world *w = *state;

    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
        const sl_str text = sl_str_of(records[i].text);
        const bool has_end = text.ptr[records[i].len - 1] == '\n';
        size_t n = 0;

        sl_csv_begin(&w->csv);
        while (!sl_csv_read(&w->csv, (sl_str){ text.ptr, n }, n == text.len)) {
            assert_in_range(n, 0, text.len - 1);
            n++;
        }
        assert_true(n == records[i].len || !has_end);
        assert_string_equal(shown(w, text), records[i].fields);
        assert_int_equal(w->csv.len, records[i].len);
        assert_int_equal(w->csv.lines_n, records[i].lines_n);
    }
}

static void what_readers_could_read_in_two_ways_is_refused(void **state)
{
    static const struct {
        const char *text;
        enum sl_csv_fault fault;
    } cases[] = {
        { "a\"b\n", SL_CSV_STRAY_QUOTE },      { "a,b\"\n", SL_CSV_STRAY_QUOTE },
        { " \"a\"\n", SL_CSV_STRAY_QUOTE },    { "\"a\"b\n", SL_CSV_AFTER_QUOTE },
        { "\"a\" ,b\n", SL_CSV_AFTER_QUOTE },  { "\"a\nb\n", SL_CSV_OPEN_QUOTE },
        { "a,\"", SL_CSV_OPEN_QUOTE },         { "\"a\"\"", SL_CSV_OPEN_QUOTE },
        { "a\rb\n", SL_CSV_STRAY_RETURN },     { "a\r", SL_CSV_STRAY_RETURN },
        { "\"a\"\rb\n", SL_CSV_STRAY_RETURN }, { "a\r\r\n", SL_CSV_STRAY_RETURN },
        { "\r,\n", SL_CSV_STRAY_RETURN },
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sl_csv_begin(&w->csv);
        assert_true(sl_csv_read(&w->csv, sl_str_of(cases[i].text), true));
        assert_string_equal(sl_csv_fault_text(w->csv.fault), sl_csv_fault_text(cases[i].fault));
        assert_int_equal(w->csv.fault, cases[i].fault);
    }
}

static void waits_for_a_quote_that_may_be_the_first_of_two(void **state)
{
    struct world *w = *state;

    sl_csv_begin(&w->csv);
    assert_false(sl_csv_read(&w->csv, SL_STR("\"a\""), false));
    assert_false(sl_csv_read(&w->csv, SL_STR("\"a\"\""), false));
    assert_true(sl_csv_read(&w->csv, SL_STR("\"a\"\"\"\n"), false));
    assert_string_equal(shown(w, SL_STR("\"a\"\"\"\n")), "[\"a\"]");
}

static void has_a_limit_of_fields(void **state)
{
    struct world *w = *state;
    char text[SL_CSV_FIELDS_MAX + 1];

    memset(text, ',', sizeof text);
    sl_csv_begin(&w->csv);
    assert_true(sl_csv_read(&w->csv, (sl_str){ text, SL_CSV_FIELDS_MAX - 1 }, true));
    assert_int_equal(w->csv.fault, SL_CSV_OK);
    assert_int_equal(w->csv.n, SL_CSV_FIELDS_MAX);
    sl_csv_begin(&w->csv);
    assert_true(sl_csv_read(&w->csv, (sl_str){ text, SL_CSV_FIELDS_MAX }, true));
    assert_int_equal(w->csv.fault, SL_CSV_TOO_WIDE);
}

static void says_when_a_value_finds_no_memory(void **state)
{
    struct world *w = *state;
    struct sl_arena none;

    sl_arena_init(&none, 0, 16);
    sl_csv_begin(&w->csv);
    assert_true(sl_csv_read(&w->csv, SL_STR("\"a\"\"b\",\"c\""), true));
    assert_null(sl_csv_value(&w->csv.fields[0], SL_STR("\"a\"\"b\",\"c\""), &none).ptr);
    assert_non_null(sl_csv_value(&w->csv.fields[1], SL_STR("\"a\"\"b\",\"c\""), &none).ptr);
}

static void a_field_gets_quotes_when_it_needs_or_had_them(void **state)
{
    static const struct {
        const char *value;
        bool is_quoted;
        const char *text;
    } cases[] = {
        { "a", false, "a" },
        { "a", true, "\"a\"" },
        { "", false, "" },
        { "", true, "\"\"" },
        { " a b ", false, " a b " },
        { "a,b", false, "\"a,b\"" },
        { "a\nb", false, "\"a\nb\"" },
        { "a\rb", false, "\"a\rb\"" },
        { "\"", false, "\"\"\"\"" },
        { "a\"b\"", true, "\"a\"\"b\"\"\"" },
        { "\\.", false, "\"\\.\"" },
        { "\\.x", false, "\\.x" },
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sl_buf_reset(&w->out);
        sl_csv_add(&w->out, sl_str_of(cases[i].value), cases[i].is_quoted);
        sl_buf_add_char(&w->out, '\0');
        assert_string_equal(w->out.ptr, cases[i].text);
    }
}

static void every_value_reads_back_as_it_was(void **state)
{
    static const char bytes[] = { 'a', ',', '"', '\n', '\r', ' ', '\\', '.' };
    struct world *w = *state;

    /* All values of up to four of these bytes. */
    for (unsigned code = 0; code < 4681; code++) {
        char value[4];
        size_t n = 0;
        sl_str text;

        for (unsigned rest = code; rest > 0; rest = (rest - 1) / 8) {
            value[n++] = bytes[(rest - 1) % 8];
        }
        sl_buf_reset(&w->out);
        sl_csv_add(&w->out, (sl_str){ value, n }, code % 3 == 0);
        sl_buf_add_str(&w->out, SL_STR("\r\n"));
        text = sl_buf_str(&w->out);
        sl_csv_begin(&w->csv);
        assert_true(sl_csv_read(&w->csv, text, true));
        assert_int_equal(w->csv.fault, SL_CSV_OK);
        assert_int_equal(w->csv.n, 1);
        assert_int_equal(w->csv.len, text.len);
        assert_true(
            sl_str_eq(sl_csv_value(&w->csv.fields[0], text, &w->arena), (sl_str){ value, n }));
        sl_arena_reset(&w->arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_record_has_the_fields_of_rfc_4180, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_record_in_pieces_is_the_same_record, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_readers_could_read_in_two_ways_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(waits_for_a_quote_that_may_be_the_first_of_two, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(has_a_limit_of_fields, set_up, tear_down),
        cmocka_unit_test_setup_teardown(says_when_a_value_finds_no_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_field_gets_quotes_when_it_needs_or_had_them, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(every_value_reads_back_as_it_was, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
