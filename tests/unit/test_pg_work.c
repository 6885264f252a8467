/* tests/unit/test_pg_work.c - the order of a load, and what repeats what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sink/pg_work.h"
#include "world.h"

struct bench {
    struct sl_arena a;
    struct sl_batch b;
    struct sl_pg_work w;
};

static int bench_new(void **state)
{
    static struct bench x;

    x = (struct bench){ 0 };
    sl_arena_init(&x.a, 1 << 20, 4096);
    assert_int_equal(sl_batch_init(&x.b, 16, 1 << 20, NULL), SL_OK);
    *state = &x;
    return 0;
}

static int bench_free(void **state)
{
    struct bench *x = *state;

    sl_batch_done(&x->b);
    sl_arena_done(&x->a);
    return 0;
}

static struct sl_record *add(struct bench *x, const char *id, unsigned char key,
                             enum sl_reason reason)
{
    struct sl_record *r = world_add(&x->b, id, SL_STR("{}"));

    memset(r->ledger_key, key, sizeof r->ledger_key);
    r->verdict.reason = reason;
    return r;
}

static void sort(struct bench *x, enum sl_dedup dedup)
{
    const struct sl_config cfg = { .dedup = dedup };

    assert_int_equal(sl_pg_work_init(&x->w, &x->b, &cfg, &x->a, NULL), SL_OK);
}

static void by_message_id_keys_do_not_matter(void **state)
{
    struct bench *x = *state;

    add(x, "m2", 7, SL_REASON_NONE);
    add(x, "m1", 7, SL_REASON_NONE);
    add(x, "m2", 7, SL_REASON_NONE);
    sort(x, SL_DEDUP_MESSAGE_ID);
    assert_int_equal(x->w.n, 2);
    assert_true(sl_str_eq(x->w.sorted[0].r->message_id, SL_STR("m1")));
    assert_int_equal(x->w.repeats_n, 1);
}

static void by_key_dead_letters_come_last_under_their_message_ids(void **state)
{
    struct bench *x = *state;

    add(x, "m1", 9, SL_REASON_NOT_JSON);
    add(x, "m3", 2, SL_REASON_NONE);
    add(x, "m4", 1, SL_REASON_NONE);
    add(x, "m0", 9, SL_REASON_NOT_JSON);
    sort(x, SL_DEDUP_BODY);
    assert_int_equal(x->w.n, 4);
    for (unsigned i = 0; i < 4; i++) {
        static const char *const order[] = { "m4", "m3", "m0", "m1" };

        assert_true(sl_str_eq(x->w.sorted[i].r->message_id, sl_str_of(order[i])));
    }
    assert_int_equal(x->w.repeats_n, 0);
}

static void what_repeats_a_key_that_is_loaded_is_a_duplicate(void **state)
{
    struct bench *x = *state;

    add(x, "m1", 5, SL_REASON_NONE);
    add(x, "m2", 5, SL_REASON_NONE);
    sort(x, SL_DEDUP_BODY);
    assert_int_equal(x->w.n, 1);
    assert_int_equal(x->w.repeats_n, 1);
    sl_pg_work_decide_repeats(&x->w);
    assert_int_equal(x->w.repeats[0].r->outcome, SL_OUTCOME_NONE);
    x->w.entries[0]->r->outcome = SL_OUTCOME_LOADED;
    sl_pg_work_decide_repeats(&x->w);
    assert_int_equal(x->w.repeats[0].r->outcome, SL_OUTCOME_DUPLICATE);
}

static void what_repeats_the_key_of_a_refused_row_is_a_message_of_its_own(void **state)
{
    struct bench *x = *state;
    struct sl_record *refused;

    add(x, "m1", 5, SL_REASON_NONE);
    add(x, "m2", 5, SL_REASON_NONE);
    sort(x, SL_DEDUP_BODY);
    refused = x->w.entries[0]->r;
    refused->verdict.reason = SL_REASON_REFUSED;
    sl_pg_work_decide_repeats(&x->w);
    sort(x, SL_DEDUP_BODY);
    assert_int_equal(x->w.n, 2);
    assert_int_equal(x->w.repeats_n, 0);
    assert_ptr_equal(x->w.sorted[1].r, refused);
}

static void rows_stay_in_the_order_received(void **state)
{
    static const char *const ids[] = { "m5", "m2", "m9", "m2", "m1", "m5", "m7" };
    static const char *const kept[] = { "m5", "m2", "m9", "m1", "m7" };
    struct bench *x = *state;

    for (unsigned i = 0; i < 7; i++) {
        add(x, ids[i], 0, SL_REASON_NONE);
    }
    x->b.records[2]->outcome = SL_OUTCOME_LOADED; /* m9: by an earlier attempt */
    sort(x, SL_DEDUP_MESSAGE_ID);
    assert_int_equal(x->w.n, 4);
    for (unsigned i = 0, k = 0; i < 5; i++) {
        if (i != 2) {
            assert_int_equal(x->w.entries[k]->place, k);
            assert_true(sl_str_eq(x->w.entries[k++]->r->message_id, sl_str_of(kept[i])));
        }
    }
    assert_int_equal(x->w.repeats_n, 2);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(x->w.repeats[i].first == x->b.records[0] ||
                    x->w.repeats[i].first == x->b.records[1]);
    }
}

static void the_keys_of_a_range_are_in_the_order_of_the_ledger(void **state)
{
    static const char *const ids[] = { "m5", "m2", "m9", "m1", "m7" };
    struct bench *x = *state;

    for (unsigned i = 0; i < 5; i++) {
        add(x, ids[i], 0, SL_REASON_NONE);
    }
    sort(x, SL_DEDUP_MESSAGE_ID);
    for (unsigned from = 0; from < 5; from++) {
        for (unsigned n = 1; n <= 5 - from; n++) {
            const struct sl_pg_range range = sl_pg_work_range(&x->w, x->w.entries + from, n);

            assert_int_equal(range.n, n);
            for (unsigned i = 0; i < n; i++) {
                assert_in_range(range.keys[i]->place, from, from + n - 1);
                assert_true(i == 0 ||
                            sl_ledger_key_cmp(&range.keys[i - 1]->key, &range.keys[i]->key) < 0);
                assert_ptr_equal(sl_pg_range_find(&range, &range.keys[i]->key), range.keys[i]);
            }
            for (unsigned i = 0; i < 5; i++) {
                if (i < from || i >= from + n) {
                    assert_null(sl_pg_range_find(&range, &x->w.entries[i]->key));
                }
            }
        }
    }
}

int main(void)
{
#define RULE(f) cmocka_unit_test_setup_teardown(f, bench_new, bench_free)
    const struct CMUnitTest tests[] = {
        RULE(by_message_id_keys_do_not_matter),
        RULE(by_key_dead_letters_come_last_under_their_message_ids),
        RULE(what_repeats_a_key_that_is_loaded_is_a_duplicate),
        RULE(what_repeats_the_key_of_a_refused_row_is_a_message_of_its_own),
        RULE(rows_stay_in_the_order_received),
        RULE(the_keys_of_a_range_are_in_the_order_of_the_ledger),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
