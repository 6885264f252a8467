/* tests/unit/test_buf.c - a buffer fails once and stays failed, and writes JSON that is JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/json.h"

enum { MAX_BYTES = 4096 };

struct world {
    struct sl_buf b;
    struct sl_arena arena;
    struct sl_json_parser *parser;
};

static int world_new(void **state)
{
    static struct world w;

    sl_buf_init(&w.b, MAX_BYTES);
    sl_arena_init(&w.arena, 1 << 20, 4096);
    *state = &w;
    return sl_json_parser_new(1 << 16, &w.parser, NULL) == SL_OK ? 0 : -1;
}

static int world_free(void **state)
{
    struct world *w = *state;

    sl_buf_done(&w->b);
    sl_arena_done(&w->arena);
    sl_json_parser_freep(&w->parser);
    return 0;
}

static void holds(const struct sl_buf *b, const void *bytes, size_t n)
{
    assert_int_equal(sl_buf_rc(b, NULL), SL_OK);
    assert_int_equal(b->len, n);
    assert_memory_equal(b->ptr, bytes, n);
}

/* ---- filling --------------------------------------------------------------------------------- */

static void appends_in_order(void **state)
{
    struct sl_buf *b = &((struct world *)*state)->b;

    sl_buf_add(b, "ab", 2);
    sl_buf_add_str(b, SL_STR("cd"));
    sl_buf_add_char(b, 'e');
    sl_buf_printf(b, "%d%s", 12, "f");
    holds(b, "abcde12f", 8);
}

static void keeps_what_it_holds_while_it_grows(void **state)
{
    struct sl_buf *b = &((struct world *)*state)->b;

    for (unsigned i = 0; i < MAX_BYTES; i++) {
        sl_buf_add_char(b, (char)(i * 7 % 256));
    }
    assert_int_equal(sl_buf_rc(b, NULL), SL_OK);
    for (unsigned i = 0; i < MAX_BYTES; i++) {
        assert_int_equal((unsigned char)b->ptr[i], i * 7 % 256);
    }
}

static void adding_nothing_is_nothing(void **state)
{
    struct sl_buf *b = &((struct world *)*state)->b;

    sl_buf_add(b, NULL, 0);
    sl_buf_add_str(b, (sl_str){ 0 });
    assert_int_equal(sl_buf_rc(b, NULL), SL_OK);
    assert_int_equal(b->len, 0);
    assert_null(sl_buf_str(b).ptr);
}

static void writes_integers_with_the_high_byte_first(void **state)
{
    struct sl_buf *b = &((struct world *)*state)->b;

    sl_buf_add_u8(b, 0xfe);
    sl_buf_add_u16(b, 0x0102);
    sl_buf_add_u32(b, 0x03040506);
    sl_buf_add_u64(b, 0x0708090a0b0c0d0e);
    holds(b, "\xfe\1\2\3\4\5\6\7\10\11\12\13\14\15\16", 15);
}

static void writes_numbers_as_digits(void **state)
{
    struct sl_buf *b = &((struct world *)*state)->b;

    sl_buf_add_unsigned(b, 0);
    sl_buf_add_char(b, ' ');
    sl_buf_add_unsigned(b, 1090);
    sl_buf_add_char(b, ' ');
    sl_buf_add_unsigned(b, UINT64_MAX);
    holds(b, "0 1090 18446744073709551615", 27);
}

static void reserving_adds_nothing(void **state)
{
    struct sl_buf *b = &((struct world *)*state)->b;
    char *room = sl_buf_reserve(b, 100);

    assert_non_null(room);
    memset(room, 'x', 100);
    assert_int_equal(b->len, 0);
    assert_ptr_equal(sl_buf_reserve(b, 100), room);
}

/* ---- failing --------------------------------------------------------------------------------- */

static void fills_to_its_limit_and_not_beyond(void **state)
{
    static const char zeros[MAX_BYTES];
    struct sl_buf *b = &((struct world *)*state)->b;
    struct sl_err e = { 0 };

    sl_buf_add(b, zeros, MAX_BYTES);
    assert_int_equal(sl_buf_rc(b, &e), SL_OK);
    sl_buf_add_char(b, 'x');
    assert_int_equal(sl_buf_rc(b, &e), SL_NOMEM);
    assert_non_null(strstr(e.msg, "4096 bytes"));
    assert_int_equal(b->len, MAX_BYTES);
}

static void a_failure_sticks_though_later_appends_would_fit(void **state)
{
    static const char zeros[MAX_BYTES + 1];
    struct sl_buf *b = &((struct world *)*state)->b;

    sl_buf_add_str(b, SL_STR("abc"));
    sl_buf_add(b, zeros, sizeof zeros);
    sl_buf_add_char(b, 'x');
    sl_buf_printf(b, "%d", 1);
    sl_buf_add_u32(b, 1);
    sl_buf_add_json(b, SL_STR("x"));
    assert_null(sl_buf_reserve(b, 1));
    assert_int_equal(sl_buf_rc(b, NULL), SL_NOMEM);
    assert_int_equal(b->len, 3);
}

static void a_size_near_the_largest_does_not_wrap(void **state)
{
    struct sl_buf *b = &((struct world *)*state)->b;

    sl_buf_add_str(b, SL_STR("abc"));
    assert_null(sl_buf_reserve(b, SIZE_MAX - 1));
    assert_int_equal(sl_buf_rc(b, NULL), SL_NOMEM);
}

static void a_reset_forgets_contents_and_failure(void **state)
{
    static const char zeros[MAX_BYTES + 1];
    struct sl_buf *b = &((struct world *)*state)->b;

    sl_buf_add_str(b, SL_STR("secret"));
    sl_buf_add(b, zeros, sizeof zeros);
    sl_buf_reset(b);
    assert_int_equal(b->len, 0);
    assert_memory_equal(b->ptr, zeros, 6); /* wiped, and the memory is kept */
    sl_buf_add_char(b, 'x');
    holds(b, "x", 1);
}

static void done_takes_a_zeroed_buffer_and_leaves_a_usable_one(void **state)
{
    struct sl_buf zeroed = { 0 };
    struct sl_buf *b = &((struct world *)*state)->b;

    sl_buf_done(&zeroed);
    sl_buf_add_char(b, 'x');
    sl_buf_done(b);
    sl_buf_done(b);
    sl_buf_add_char(b, 'y');
    holds(b, "y", 1);
}

/* ---- JSON strings ---------------------------------------------------------------------------- */

static void escapes(void **state, const char *in, size_t n, const char *out)
{
    struct sl_buf *b = &((struct world *)*state)->b;

    sl_buf_reset(b);
    sl_buf_add_json(b, (sl_str){ in, n });
    holds(b, out, strlen(out));
}

static void escapes_quotes_and_control_characters_and_nothing_else(void **state)
{
    escapes(state, "", 0, "\"\"");
    escapes(state, "a b/c'", 6, "\"a b/c'\"");
    escapes(state, "\"\\", 2, "\"\\\"\\\\\"");
    escapes(state, "\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\"");
    escapes(state, "\0\1\x1b\x1f\x7f", 5, "\"\\u0000\\u0001\\u001b\\u001f\\u007f\"");
    escapes(state, "\xc2\x80\xc2\x9f", 4, "\"\\u0080\\u009f\""); /* a terminal obeys them */
}

static void leaves_characters_of_every_length_as_they_are(void **state)
{
    escapes(state, "\xc2\xa0\xdf\xbf", 4, "\"\xc2\xa0\xdf\xbf\"");
    escapes(state, "\xe0\xa0\x80\xed\x9f\xbf\xef\xbf\xbf", 9,
            "\"\xe0\xa0\x80\xed\x9f\xbf\xef\xbf\xbf\"");
    escapes(state, "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8, "\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"");
}

#define BAD "\xef\xbf\xbd"

static void what_is_no_utf8_becomes_the_replacement_character(void **state)
{
    escapes(state, "\x80", 1, "\"" BAD "\"");
    escapes(state,
            "a\xff"
            "b",
            3, "\"a" BAD "b\"");
    escapes(state, "\xc0\xaf", 2, "\"" BAD BAD "\"");                 /* overlong */
    escapes(state, "\xe0\x9f\xbf", 3, "\"" BAD BAD BAD "\"");         /* overlong */
    escapes(state, "\xed\xa0\x80", 3, "\"" BAD BAD BAD "\"");         /* surrogate */
    escapes(state, "\xf4\x90\x80\x80", 4, "\"" BAD BAD BAD BAD "\""); /* beyond U+10FFFF */
    escapes(state, "\xf0\x8f\xbf\xbf", 4, "\"" BAD BAD BAD BAD "\""); /* overlong */
    escapes(state, "\xf5\x80\x80\x80", 4, "\"" BAD BAD BAD BAD "\"");
    escapes(state, "\xe2\x82", 2, "\"" BAD BAD "\"");     /* cut off */
    escapes(state, "\xe2\x82\xac", 2, "\"" BAD BAD "\""); /* what follows is not its own */
    escapes(state, "\xe2\x82\"", 3, "\"" BAD BAD "\\\"\"");
}

static void what_it_writes_reads_back_the_same(void **state)
{
    struct world *w = *state;
    const struct sl_json *root = NULL;
    enum sl_json_fault fault = SL_JSON_EMPTY;
    char text[128];

    for (unsigned i = 0; i < sizeof text; i++) {
        text[i] = (char)i;
    }
    sl_buf_add_json(&w->b, (sl_str){ text, sizeof text });
    {
        const sl_cleartext written = sl_cleartext_of(sl_buf_str(&w->b));

        assert_non_null(sl_buf_reserve(&w->b, SL_JSON_PADDING));
        assert_int_equal(sl_json_parse(w->parser, written, &w->arena, &root, &fault, NULL), SL_OK);
    }
    assert_int_equal(fault, SL_JSON_OK);
    assert_int_equal(root->type, SL_JSON_STRING);
    assert_int_equal(root->text.len, sizeof text);
    assert_memory_equal(sl_cleartext_publish(root->text).ptr, text, sizeof text);
}

int main(void)
{
#define RULE(f) cmocka_unit_test_setup_teardown(f, world_new, world_free)
    const struct CMUnitTest tests[] = {
        RULE(appends_in_order),
        RULE(keeps_what_it_holds_while_it_grows),
        RULE(adding_nothing_is_nothing),
        RULE(writes_integers_with_the_high_byte_first),
        RULE(writes_numbers_as_digits),
        RULE(reserving_adds_nothing),
        RULE(fills_to_its_limit_and_not_beyond),
        RULE(a_failure_sticks_though_later_appends_would_fit),
        RULE(a_size_near_the_largest_does_not_wrap),
        RULE(a_reset_forgets_contents_and_failure),
        RULE(done_takes_a_zeroed_buffer_and_leaves_a_usable_one),
        RULE(escapes_quotes_and_control_characters_and_nothing_else),
        RULE(leaves_characters_of_every_length_as_they_are),
        RULE(what_is_no_utf8_becomes_the_replacement_character),
        RULE(what_it_writes_reads_back_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
