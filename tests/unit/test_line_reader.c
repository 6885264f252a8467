/* tests/unit/test_line_reader.c - lines out of bytes, whatever the pieces and the packing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "source/line_reader.h"

enum { LINE_MAX_BYTES = 20, ALL = 1 << 30 };

static const size_t pieces[] = { 1, 2, 3, 7, 64, ALL };

struct world {
    struct sl_arena arena;
    struct sl_buf packed;
    struct sl_buf out;
    struct sl_buf other;
    size_t text_cap; /* of the reader, at its end */
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    sl_arena_init(&w->arena, 1 << 20, 4096);
    sl_buf_init(&w->packed, 64 << 20);
    sl_buf_init(&w->out, 64 << 20);
    sl_buf_init(&w->other, 64 << 20);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    sl_arena_done(&w->arena);
    sl_buf_done(&w->packed);
    sl_buf_done(&w->out);
    sl_buf_done(&w->other);
    free(w);
    return 0;
}

/* ---- packing ---- */

static sl_str gzip(struct world *w, sl_str plain)
{
    z_stream z = { 0 };
    const size_t before = w->packed.len;
    char *room;

    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    room = sl_buf_reserve(&w->packed, deflateBound(&z, plain.len));
    z.next_in = (z_const Bytef *)plain.ptr;
    z.avail_in = (uInt)plain.len;
    z.next_out = (Bytef *)room;
    z.avail_out = (uInt)deflateBound(&z, plain.len);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    w->packed.len += z.total_out;
    assert_int_equal(deflateEnd(&z), Z_OK);
    return (sl_str){ w->packed.ptr + before, w->packed.len - before };
}

/* With a checksum, as the program zstd does. */
static sl_str zstd(struct world *w, sl_str plain)
{
    const size_t before = w->packed.len;
    char *room = sl_buf_reserve(&w->packed, ZSTD_compressBound(plain.len));
    ZSTD_CCtx *c = ZSTD_createCCtx();
    size_t n;

    assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1)));
    n = ZSTD_compress2(c, room, ZSTD_compressBound(plain.len), plain.ptr, plain.len);
    assert_false(ZSTD_isError(n));
    (void)ZSTD_freeCCtx(c);
    w->packed.len += n;
    return (sl_str){ w->packed.ptr + before, n };
}

/* ---- reading ---- */

static void show_line(struct sl_buf *out, const struct sl_line *line)
{
    sl_buf_printf(out, "%u:", (unsigned)line->number);
    sl_buf_add_str(out, line->is_too_long ? SL_STR("too long") : SL_STR("["));
    sl_buf_add_str(out, sl_cleartext_publish(line->text));
    sl_buf_add_str(out, line->is_too_long ? SL_STR(" ") : SL_STR("] "));
}

static void feed(struct sl_line_reader *r, sl_str *bytes, size_t piece)
{
    size_t n = 0;
    char *room = sl_line_reader_room(r, &n);

    assert_non_null(room);
    assert_true(n > 0);
    n = n < piece ? n : piece;
    n = n < bytes->len ? n : bytes->len;
    memcpy(room, bytes->ptr, n);
    *bytes = (sl_str){ bytes->ptr + n, bytes->len - n };
    sl_line_reader_fed(r, n);
}

/* "1:[a line] 2:too long !what is wrong" */
static const char *shown(struct world *w, const char *name, sl_str bytes, size_t piece)
{
    struct sl_line_reader r;
    struct sl_line line;
    struct sl_err e;
    bool has = false;
    sl_rc rc;

    sl_buf_reset(&w->out);
    sl_line_reader_init(&r, sl_str_of(name), LINE_MAX_BYTES);
    while ((rc = sl_line_reader_next(&r, &w->arena, &line, &has, &e)) == SL_OK) {
        if (has) {
            show_line(&w->out, &line);
        } else if (r.is_over) {
            break;
        } else {
            feed(&r, &bytes, piece);
        }
        sl_arena_reset(&w->arena);
    }
    if (rc != SL_OK) {
        sl_buf_printf(&w->out, "!%s", e.msg);
    }
    w->text_cap = r.text.cap;
    sl_line_reader_done(&r);
    sl_buf_add_char(&w->out, '\0');
    assert_int_equal(sl_buf_rc(&w->out, NULL), SL_OK);
    return w->out.ptr;
}

static void assert_shown(struct world *w, const char *name, sl_str bytes, const char *wanted)
{
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        assert_string_equal(shown(w, name, bytes, pieces[i]), wanted);
    }
}

/* As it is, and in each packing. */
static void assert_lines(struct world *w, sl_str text, const char *wanted)
{
    assert_shown(w, "a.ndjson", text, wanted);
    assert_shown(w, "a.ndjson.gz", gzip(w, text), wanted);
    assert_shown(w, "a.ndjson.zst", zstd(w, text), wanted);
}

static bool next_has(struct world *w, struct sl_line_reader *r)
{
    struct sl_line line;
    struct sl_err e = { 0 };
    bool has = false;

    if (sl_line_reader_next(r, &w->arena, &line, &has, &e) != SL_OK) {
        fail_msg("%s", e.msg);
    }
    return has;
}

/* ---- rules ---- */

static void lines_end_in_lf_or_cr_lf_or_with_the_file(void **state)
{
    assert_lines(*state, SL_STR("a\nbc\n"), "1:[a] 2:[bc] ");
    assert_lines(*state, SL_STR("a\r\nbc\r\n"), "1:[a] 2:[bc] ");
    assert_lines(*state, SL_STR("a\nbc"), "1:[a] 2:[bc] ");
    assert_lines(*state, SL_STR("a\r\nb\rc\r"), "1:[a] 2:[b\rc] ");
    assert_lines(*state, SL_STR("a\r\r\n"), "1:[a\r] ");
}

static void empty_lines_count_and_are_not_given(void **state)
{
    assert_lines(*state, SL_STR("\n\na\n\r\n\nb\n\n"), "3:[a] 6:[b] ");
    assert_lines(*state, SL_STR("\n"), "");
    assert_lines(*state, SL_STR("\r"), "");
    assert_lines(*state, SL_STR(" \n"), "1:[ ] ");
}

static void a_file_of_nothing_has_no_lines(void **state)
{
    assert_lines(*state, SL_STR(""), "");
}

static void a_short_file_is_not_waited_for_to_tell_its_packing(void **state)
{
    assert_lines(*state, SL_STR("a"), "1:[a] ");
    assert_lines(*state, SL_STR("ab\n"), "1:[ab] ");
}

static void a_byte_order_mark_is_no_part_of_the_first_line(void **state)
{
    assert_lines(*state, SL_STR("\xef\xbb\xbf{}\n\xef\xbb\xbf{}\n"), "1:[{}] 2:[\xef\xbb\xbf{}] ");
    assert_lines(*state, SL_STR("\xef\xbb\xbf\na\n"), "2:[a] ");
}

static void a_line_over_the_limit_is_given_without_its_text(void **state)
{
    assert_lines(*state, SL_STR("a\n12345678901234567890\nb\n"),
                 "1:[a] 2:[12345678901234567890] 3:[b] ");
    assert_lines(*state, SL_STR("a\n123456789012345678901\nb\n"), "1:[a] 2:too long 3:[b] ");
    assert_lines(*state, SL_STR("a\n123456789012345678901"), "1:[a] 2:too long ");
    assert_lines(*state, SL_STR("123456789012345678901\n\n123456789012345678901\nb"),
                 "1:too long 3:too long 4:[b] ");
    assert_lines(*state, SL_STR("12345678901234567890123456789012345678901234567890\nb"),
                 "1:too long 2:[b] ");
}

static void a_line_over_the_limit_passes_through_in_little_memory(void **state)
{
    struct world *w = *state;
    const size_t n = 8 << 20;

    memset(sl_buf_reserve(&w->other, n), 'x', n);
    w->other.len = n;
    sl_buf_add_str(&w->other, SL_STR("\nb\n"));
    assert_string_equal(shown(w, "x", sl_buf_str(&w->other), ALL), "1:too long 2:[b] ");
    assert_true(w->text_cap <= 256 << 10);
    assert_string_equal(shown(w, "x.gz", gzip(w, sl_buf_str(&w->other)), ALL), "1:too long 2:[b] ");
    assert_true(w->text_cap <= 256 << 10);
    assert_string_equal(shown(w, "x.zst", zstd(w, sl_buf_str(&w->other)), ALL),
                        "1:too long 2:[b] ");
    assert_true(w->text_cap <= 256 << 10);
}

static void lines_are_whole_where_pieces_of_the_text_meet(void **state)
{
    struct world *w = *state;
    SL_AUTO(sl_buf_done) struct sl_buf wanted = { .max_bytes = 16 << 20 };

    for (unsigned i = 1; i <= 60000; i++) {
        sl_buf_printf(&w->other, "%.*s\n", (int)(i % 14), "abcdefghijklmnopqrs");
        if (i % 14 > 0) {
            sl_buf_printf(&wanted, "%u:[%.*s] ", i, (int)(i % 14), "abcdefghijklmnopqrs");
        }
    }
    sl_buf_add_char(&wanted, '\0');
    assert_string_equal(shown(w, "x", sl_buf_str(&w->other), ALL), wanted.ptr);
    assert_string_equal(shown(w, "x", sl_buf_str(&w->other), 4093), wanted.ptr);
    assert_string_equal(shown(w, "x", gzip(w, sl_buf_str(&w->other)), 4093), wanted.ptr);
    assert_string_equal(shown(w, "x", zstd(w, sl_buf_str(&w->other)), 4093), wanted.ptr);
}

static void members_and_frames_in_a_row_are_one_file(void **state)
{
    struct world *w = *state;
    const sl_str skippable = SL_STR("\x50\x2a\x4d\x18\x02\0\0\0zz");

    (void)gzip(w, SL_STR("a\nb"));
    (void)gzip(w, SL_STR(""));
    (void)gzip(w, SL_STR("c\nd\n"));
    assert_shown(w, "x.gz", sl_buf_str(&w->packed), "1:[a] 2:[bc] 3:[d] ");
    sl_buf_reset(&w->packed);
    sl_buf_add_str(&w->packed, skippable);
    (void)zstd(w, SL_STR("a\nb"));
    sl_buf_add_str(&w->packed, skippable);
    (void)zstd(w, SL_STR("c\nd\n"));
    assert_shown(w, "x.zst", sl_buf_str(&w->packed), "1:[a] 2:[bc] 3:[d] ");
}

/* As at the end of a pipe whose writer takes his time: zstd calls it broken when it is asked for
 * more again and again, and given nothing. */
static void a_packed_stream_may_pause_anywhere(void **state)
{
    struct world *w = *state;
    const sl_str packed[] = { gzip(w, SL_STR("a\nb\n")), zstd(w, SL_STR("a\nb\n")) };

    for (size_t i = 0; i < 2; i++) {
        for (size_t at = 1; at < packed[i].len; at++) {
            struct sl_line_reader r;
            sl_str bytes = packed[i];
            unsigned lines = 0;

            sl_line_reader_init(&r, SL_STR("-"), LINE_MAX_BYTES);
            feed(&r, &bytes, at);
            for (unsigned k = 0; k < 100; k++) {
                lines += next_has(w, &r);
            }
            feed(&r, &bytes, ALL);
            lines += next_has(w, &r);
            lines += next_has(w, &r);
            assert_int_equal(lines, 2);
            sl_line_reader_done(&r);
        }
    }
}

static void a_packing_is_known_by_its_bytes(void **state)
{
    struct world *w = *state;

    assert_shown(w, "-", gzip(w, SL_STR("a\n")), "1:[a] ");
    assert_shown(w, "x.json", zstd(w, SL_STR("a\n")), "1:[a] ");
}

static void a_name_that_promises_a_packing_is_held_to_it(void **state)
{
    struct world *w = *state;

    assert_shown(w, "x.gz", SL_STR("{}\n{}\n"), "!x.gz: the name says gzip, and the bytes are not");
    assert_shown(w, "x.zst", gzip(w, SL_STR("{}")),
                 "!x.zst: the name says zstd, and the bytes are not");
    assert_shown(w, "x.gz", SL_STR(""), "!x.gz: the name says gzip, and the bytes are not");
}

static void a_file_that_is_cut_off_gives_its_whole_lines_and_says_where(void **state)
{
    struct world *w = *state;
    sl_str cut = gzip(w, SL_STR("a\nb\nc"));
    char wanted[100];

    cut.len -= 8; /* the trailer */
    (void)snprintf(wanted, sizeof wanted,
                   "1:[a] 2:[b] !x.gz: gzip data that is cut off at byte %zu", cut.len);
    assert_shown(w, "x.gz", cut, wanted);
    cut = zstd(w, SL_STR("a\nb\nc"));
    cut.len--;
    (void)snprintf(wanted, sizeof wanted, "!x.zst: zstd data that is cut off at byte %zu", cut.len);
    assert_non_null(strstr(shown(w, "x.zst", cut, ALL), wanted));
    assert_non_null(strstr(shown(w, "x.zst", cut, 1), wanted));
}

/* Lines that no packing makes small, so that there is something before the break. */
static sl_str noise(struct world *w)
{
    uint32_t seed = 1;

    for (unsigned i = 0; i < 100000; i++) {
        seed = seed * 1664525 + 1013904223;
        sl_buf_printf(&w->other, "%08x%08x\n", seed, ~seed * 69069);
    }
    return sl_buf_str(&w->other);
}

static void a_file_that_is_broken_gives_what_is_before_and_says_where(void **state)
{
    struct world *w = *state;
    const sl_str text = noise(w);
    static const char *const names[] = { "x.gz", "x.zst" };
    static const char *const complaints[] = { "!x.gz: broken gzip data at byte ",
                                              "!x.zst: broken zstd data at byte " };

    for (unsigned i = 0; i < 2; i++) {
        const sl_str packed = i == 0 ? gzip(w, text) : zstd(w, text);
        const char *seen;

        memset(w->packed.ptr + w->packed.len - packed.len / 2, 0xff, 1000);
        seen = shown(w, names[i], packed, 4096);
        assert_ptr_equal(strstr(seen, "1:["), seen);
        assert_non_null(strstr(seen, " 10000:["));
        assert_non_null(strstr(seen, complaints[i]));
    }
}

static void what_follows_a_gzip_member_and_is_none_breaks_the_file(void **state)
{
    struct world *w = *state;
    const char *seen;

    (void)gzip(w, SL_STR("a\n"));
    sl_buf_add_str(&w->packed, SL_STR("garbage"));
    seen = shown(w, "x.gz", sl_buf_str(&w->packed), ALL);
    assert_ptr_equal(strstr(seen, "1:[a] !x.gz: broken gzip data at byte "), seen);
}

static void a_window_that_is_too_large_is_refused(void **state)
{
    struct world *w = *state;
    ZSTD_CCtx *c = ZSTD_createCCtx();
    ZSTD_inBuffer in = { .src = "a\n", .size = 2 };
    char bytes[200];
    ZSTD_outBuffer out = { .dst = bytes, .size = sizeof bytes };

    assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, 30)));
    assert_false(ZSTD_isError(ZSTD_compressStream2(c, &out, &in, ZSTD_e_flush)));
    assert_int_equal(ZSTD_compressStream2(c, &out, &in, ZSTD_e_end), 0);
    (void)ZSTD_freeCCtx(c);
    assert_non_null(strstr(shown(w, "x.zst", (sl_str){ bytes, out.pos }, ALL),
                           "!x.zst: too large a window (zstd --long) of zstd data at byte "));
}

static void a_line_that_does_not_fit_the_arena_stays(void **state)
{
    struct world *w = *state;
    struct sl_line_reader r;
    struct sl_arena small;
    struct sl_line line;
    sl_str bytes = SL_STR("a\nb\n");
    struct sl_err e;
    bool has = false;

    sl_arena_init(&small, 16, 16);
    sl_line_reader_init(&r, SL_STR("x"), LINE_MAX_BYTES);
    feed(&r, &bytes, ALL);
    assert_int_equal(sl_line_reader_next(&r, &small, &line, &has, &e), SL_NOMEM);
    assert_false(has);
    assert_int_equal(sl_line_reader_next(&r, &w->arena, &line, &has, &e), SL_OK);
    assert_true(has && line.number == 1);
    assert_true(sl_str_eq(sl_cleartext_publish(line.text), SL_STR("a")));
    sl_line_reader_done(&r);
    sl_arena_done(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_end_in_lf_or_cr_lf_or_with_the_file, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(empty_lines_count_and_are_not_given, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_of_nothing_has_no_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_short_file_is_not_waited_for_to_tell_its_packing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_byte_order_mark_is_no_part_of_the_first_line, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_line_over_the_limit_is_given_without_its_text, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_line_over_the_limit_passes_through_in_little_memory,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(lines_are_whole_where_pieces_of_the_text_meet, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(members_and_frames_in_a_row_are_one_file, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_packed_stream_may_pause_anywhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_packing_is_known_by_its_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_name_that_promises_a_packing_is_held_to_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_is_cut_off_gives_its_whole_lines_and_says_where,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_is_broken_gives_what_is_before_and_says_where,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_follows_a_gzip_member_and_is_none_breaks_the_file,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_window_that_is_too_large_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_that_does_not_fit_the_arena_stays, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
