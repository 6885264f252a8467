/* tests/unit/test_arena.c - pieces never overlap, the cap holds, and what is adopted stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"

enum { MAX_BYTES = 1 << 20, BLOCK_BYTES = 4096 };

static int world_new(void **state)
{
    static struct sl_arena a;

    sl_arena_init(&a, MAX_BYTES, BLOCK_BYTES);
    *state = &a;
    return 0;
}

static int world_free(void **state)
{
    sl_arena_done(*state);
    return 0;
}

static void gives_pieces_that_do_not_overlap_and_suit_any_type(void **state)
{
    enum { N = 500 };
    struct sl_arena *a = *state;
    unsigned char *pieces[N];

    for (size_t i = 0; i < N; i++) {
        pieces[i] = sl_arena_alloc(a, i % 97);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
        memset(pieces[i], (int)(i % 251), i % 97);
    }
    for (size_t i = 0; i < N; i++) {
        for (size_t k = 0; k < i % 97; k++) {
            assert_int_equal(pieces[i][k], i % 251);
        }
    }
}

static void takes_a_piece_larger_than_a_block(void **state)
{
    struct sl_arena *a = *state;
    unsigned char *large = sl_arena_alloc(a, 10 * BLOCK_BYTES);

    assert_non_null(large);
    memset(large, 7, 10 * BLOCK_BYTES);
    assert_in_range(a->held_bytes, 10 * BLOCK_BYTES, 11 * BLOCK_BYTES);
}

static void takes_from_the_heap_a_block_at_a_time(void **state)
{
    struct sl_arena *a = *state;
    size_t held;

    assert_non_null(sl_arena_alloc(a, 1));
    held = a->held_bytes;
    assert_in_range(held, BLOCK_BYTES, BLOCK_BYTES + 64);
    assert_non_null(sl_arena_alloc(a, 100));
    assert_int_equal(a->held_bytes, held);
}

static void never_holds_more_than_its_cap(void **state)
{
    struct sl_arena *a = *state;
    size_t given = 0;

    while (sl_arena_alloc(a, 1000) != NULL) {
        given += 1000;
        assert_in_range(a->held_bytes, given, MAX_BYTES);
    }
    assert_true(given > MAX_BYTES / 2);
    assert_null(sl_arena_alloc(a, BLOCK_BYTES));
}

static void refuses_what_does_not_fit_and_stays_usable(void **state)
{
    struct sl_arena *a = *state;

    assert_null(sl_arena_alloc(a, MAX_BYTES));
    assert_null(sl_arena_alloc(a, SIZE_MAX));
    assert_null(sl_arena_alloc(a, SIZE_MAX / 2));
    assert_null(sl_arena_alloc(a, SIZE_MAX / 2 + 1));
    assert_non_null(sl_arena_alloc(a, 1));
}

static void refuses_an_array_whose_size_overflows(void **state)
{
    assert_null(sl_arena_calloc(*state, SIZE_MAX / 2, 3));
    assert_null(sl_arena_calloc(*state, SIZE_MAX, SIZE_MAX));
}

static void an_arena_without_room_gives_nothing(void **state)
{
    struct sl_arena none;

    (void)state;
    sl_arena_init(&none, 0, BLOCK_BYTES);
    assert_null(sl_arena_alloc(&none, 1));
    assert_null(sl_arena_copy(&none, SL_STR("x")).ptr);
    assert_null(sl_arena_printf(&none, "%d", 1).ptr);
    assert_int_equal(none.held_bytes, 0);
    sl_arena_done(&none);
}

/* Leave something behind in the heap for the next block of that size. */
static void dirty_heap(void)
{
    const size_t n = BLOCK_BYTES + 64;
    volatile unsigned char *left = malloc(n);

    assert_non_null(left);
    for (size_t i = 0; i < n; i++) {
        left[i] = 0xff;
    }
    free((void *)left);
}

static void clears_what_calloc_gives_whatever_was_there_before(void **state)
{
    const unsigned char *piece;

    dirty_heap();
    piece = sl_arena_calloc(*state, 64, 8);
    assert_non_null(piece);
    for (size_t i = 0; i < 512; i++) {
        assert_int_equal(piece[i], 0);
    }
}

static void copies_end_in_a_nul_that_does_not_count(void **state)
{
    const char original[] = { 'a', '\0', 'b' };
    const sl_str copy = sl_arena_copy(*state, (sl_str){ original, sizeof original });

    assert_int_equal(copy.len, 3);
    assert_memory_equal(copy.ptr, "a\0b", 4);
    assert_ptr_not_equal(copy.ptr, original);
}

static void the_copy_of_nothing_is_empty_and_no_failure(void **state)
{
    const sl_str copy = sl_arena_copy(*state, (sl_str){ 0 });

    assert_non_null(copy.ptr);
    assert_int_equal(copy.len, 0);
    assert_string_equal(copy.ptr, "");
}

static void prints_texts_longer_than_a_block(void **state)
{
    const sl_str text = sl_arena_printf(*state, "<%*d>", 2 * BLOCK_BYTES, 42);

    assert_int_equal(text.len, 2 * BLOCK_BYTES + 2);
    assert_string_equal(text.ptr + text.len - 3, "42>");
}

static void what_is_adopted_lives_on_and_is_counted(void **state)
{
    struct sl_arena *a = *state;
    struct sl_arena from;
    const sl_str mine = sl_arena_copy(a, SL_STR("mine"));
    sl_str theirs;
    size_t held;
    size_t moved;

    assert_non_null(sl_arena_alloc(a, 2 * BLOCK_BYTES));
    assert_non_null(sl_arena_alloc(a, BLOCK_BYTES / 2)); /* the newest of three blocks has room */
    held = a->held_bytes;
    sl_arena_init(&from, MAX_BYTES, BLOCK_BYTES);
    assert_non_null(sl_arena_alloc(&from, 3 * BLOCK_BYTES));
    theirs = sl_arena_copy(&from, SL_STR("theirs"));
    moved = from.held_bytes;
    sl_arena_adopt(a, &from);
    assert_null(from.blocks);
    assert_int_equal(from.held_bytes, 0);
    sl_arena_done(&from);
    assert_string_equal(theirs.ptr, "theirs");
    assert_string_equal(mine.ptr, "mine");
    assert_int_equal(a->held_bytes, held + moved);
    assert_non_null(sl_arena_alloc(a, 16));
    assert_int_equal(a->held_bytes, held + moved); /* the newest block of its own goes on */
}

static void adopting_asks_no_cap_but_what_follows_does(void **state)
{
    struct sl_arena small;

    (void)state;
    sl_arena_init(&small, BLOCK_BYTES, 64);
    {
        struct sl_arena from;

        sl_arena_init(&from, MAX_BYTES, BLOCK_BYTES);
        assert_non_null(sl_arena_alloc(&from, 8 * BLOCK_BYTES));
        sl_arena_adopt(&small, &from);
    }
    assert_true(small.held_bytes > BLOCK_BYTES);
    while (sl_arena_alloc(&small, 1024) != NULL) {
        assert_true(small.held_bytes < 9 * BLOCK_BYTES);
    }
    sl_arena_done(&small);
}

static void an_empty_arena_adopts_and_is_adopted(void **state)
{
    struct sl_arena *a = *state;
    struct sl_arena from = { 0 };

    sl_arena_adopt(a, &from);
    assert_null(a->blocks);
    sl_arena_init(&from, MAX_BYTES, BLOCK_BYTES);
    assert_non_null(sl_arena_alloc(&from, 1));
    sl_arena_adopt(a, &from);
    assert_non_null(a->blocks);
    assert_non_null(sl_arena_alloc(a, 1));
}

static void a_reset_keeps_one_block_and_gives_back_the_rest(void **state)
{
    struct sl_arena *a = *state;
    size_t one;

    assert_non_null(sl_arena_alloc(a, 1));
    one = a->held_bytes;
    for (int i = 0; i < 50; i++) {
        assert_non_null(sl_arena_alloc(a, 1000));
    }
    assert_true(a->held_bytes > 5 * one);
    sl_arena_reset(a);
    assert_int_equal(a->held_bytes, one);
    assert_non_null(sl_arena_alloc(a, BLOCK_BYTES / 2));
    assert_int_equal(a->held_bytes, one);
}

static void a_reset_keeps_no_block_larger_than_usual(void **state)
{
    struct sl_arena *a = *state;

    assert_non_null(sl_arena_alloc(a, 20 * BLOCK_BYTES));
    sl_arena_reset(a);
    assert_int_equal(a->held_bytes, 0);
    assert_non_null(sl_arena_alloc(a, 1));
}

static void the_cap_holds_over_any_number_of_resets(void **state)
{
    struct sl_arena *a = *state;

    for (int i = 0; i < 100; i++) {
        assert_non_null(sl_arena_alloc(a, MAX_BYTES / 2));
        sl_arena_reset(a);
    }
    assert_true(a->held_bytes <= BLOCK_BYTES + 64);
}

static void what_was_reset_is_wiped(void **state)
{
    struct sl_arena *a = *state;
    unsigned char *before = sl_arena_alloc(a, 256);
    const unsigned char *again;

    memset(before, 0x5a, 256);
    sl_arena_reset(a);
    again = sl_arena_alloc(a, 256);
    assert_ptr_equal(again, before);
    for (size_t i = 0; i < 256; i++) {
        assert_int_equal(again[i], 0);
    }
}

static void done_takes_a_zeroed_arena_and_a_finished_one(void **state)
{
    struct sl_arena zeroed = { 0 };

    sl_arena_done(&zeroed);
    sl_arena_reset(&zeroed);
    assert_non_null(sl_arena_alloc(*state, 1));
    sl_arena_done(*state);
    sl_arena_done(*state);
}

int main(void)
{
#define RULE(f) cmocka_unit_test_setup_teardown(f, world_new, world_free)
    const struct CMUnitTest tests[] = {
        RULE(gives_pieces_that_do_not_overlap_and_suit_any_type),
        RULE(takes_a_piece_larger_than_a_block),
        RULE(takes_from_the_heap_a_block_at_a_time),
        RULE(never_holds_more_than_its_cap),
        RULE(refuses_what_does_not_fit_and_stays_usable),
        RULE(refuses_an_array_whose_size_overflows),
        RULE(an_arena_without_room_gives_nothing),
        RULE(clears_what_calloc_gives_whatever_was_there_before),
        RULE(copies_end_in_a_nul_that_does_not_count),
        RULE(the_copy_of_nothing_is_empty_and_no_failure),
        RULE(prints_texts_longer_than_a_block),
        RULE(what_is_adopted_lives_on_and_is_counted),
        RULE(adopting_asks_no_cap_but_what_follows_does),
        RULE(an_empty_arena_adopts_and_is_adopted),
        RULE(a_reset_keeps_one_block_and_gives_back_the_rest),
        RULE(a_reset_keeps_no_block_larger_than_usual),
        RULE(the_cap_holds_over_any_number_of_resets),
        RULE(what_was_reset_is_wiped),
        RULE(done_takes_a_zeroed_arena_and_a_finished_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
