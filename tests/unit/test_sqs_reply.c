/* tests/unit/test_sqs_reply.c - replies wait for a batch, and for no more memory than there is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "source/sqs_reply.h"

enum {
    MEMORY = 1 << 20,
    BATCH_BYTES = 2 << 20,
    CAP = 40,
    SMALL = 2, /* bytes of a body */
    LARGE = MEMORY / 8,
};

struct world {
    struct sl_counters counters;
    struct sl_leases leases;
    struct sl_replies replies;
    struct sl_batch b;
    unsigned ids_n;
};

static struct world world;
static char text[LARGE];

static int world_new(void **state)
{
    (void)state;
    memset(&world, 0, sizeof world);
    memset(text, 'x', sizeof text);
    world.leases = (struct sl_leases){ .counters = &world.counters, .visibility_timeout_s = 30 };
    sl_replies_init(&world.replies, &world.leases, MEMORY, false);
    sl_replies_begin_batch(&world.replies, CAP);
    return sl_batch_init(&world.b, CAP, BATCH_BYTES, NULL) == SL_OK ? 0 : -1;
}

static int world_free(void **state)
{
    (void)state;
    sl_batch_done(&world.b);
    (void)sl_replies_drop(&world.replies);
    sl_leases_done(&world.leases);
    return 0;
}

/* A reply of n messages, m0, m1, ... over all replies, with bodies of so many bytes. */
static void bring(unsigned n, size_t bytes)
{
    struct sl_sqs_message messages[SL_SQS_BATCH] = { 0 };
    char ids[SL_SQS_BATCH][16];

    for (unsigned i = 0; i < n; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "m%u", world.ids_n++);
        messages[i].message_id = sl_str_of(ids[i]);
        messages[i].receipt_handle = sl_str_of(ids[i]);
        messages[i].body = sl_cleartext_of((sl_str){ text, bytes });
        messages[i].group = 7;
    }
    assert_int_equal(sl_replies_add(&world.replies, messages, n, sl_clock_now_ms(), NULL), SL_OK);
}

static void fill(void)
{
    assert_int_equal(sl_replies_fill(&world.replies, &world.b, NULL), SL_OK);
}

/* The batch before has been loaded. */
static void next_batch(void)
{
    sl_batch_done(&world.b);
    assert_int_equal(sl_batch_init(&world.b, CAP, BATCH_BYTES, NULL), SL_OK);
    sl_replies_begin_batch(&world.replies, CAP);
}

/* How many receives may be out at a time. */
static unsigned room(void)
{
    unsigned out = 0;

    while (sl_replies_have_room(&world.replies, out)) {
        out++;
    }
    return out;
}

static void a_batch_gets_what_came_in_its_order(void **state)
{
    (void)state;
    bring(10, SMALL);
    bring(3, SMALL);
    assert_int_equal(world.replies.n, 13);
    fill();
    assert_int_equal(world.b.n, 13);
    assert_int_equal(world.replies.n, 0);
    assert_int_equal(world.leases.held, 13);
    for (unsigned i = 0; i < 13; i++) {
        const struct sl_record *r = world.b.records[i];
        const struct sl_lease_entry *entry = r->lease;
        char id[16];

        (void)snprintf(id, sizeof id, "m%u", i);
        assert_true(sl_str_eq(r->message_id, sl_str_of(id)));
        assert_true(sl_str_eq(entry->message_id, r->message_id));
        assert_int_equal(r->body.len, SMALL);
        assert_int_equal(r->group, 0); /* of a queue that keeps no order */
    }
}

static void records_of_a_fifo_queue_know_their_group(void **state)
{
    (void)state;
    world.replies.is_fifo = true;
    bring(1, SMALL);
    fill();
    assert_int_equal(world.b.records[0]->group, 7);
}

static void a_reply_that_does_not_fit_waits_for_the_next_batch_whole(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        bring(9, SMALL);
    }
    fill();
    assert_int_equal(world.b.n, 36);
    assert_int_equal(world.replies.n, 9);
    next_batch();
    bring(2, SMALL);
    fill();
    assert_int_equal(world.b.n, 11);
    assert_true(sl_str_eq(world.b.records[0]->message_id, SL_STR("m36")));
}

static void a_batch_is_lent_a_quarter_of_memory_or_one_reply(void **state)
{
    (void)state;
    bring(1, LARGE - 2000);
    bring(1, LARGE - 2000);
    bring(1, LARGE - 2000);
    fill();
    assert_int_equal(world.b.n, 2);
    next_batch();
    bring(5, LARGE - 2000);
    fill();
    assert_int_equal(world.b.n, 1);
    next_batch();
    fill();
    assert_int_equal(world.b.n, 5);
}

static void half_a_batch_is_enough_and_so_is_a_quarter_of_memory(void **state)
{
    (void)state;
    bring(10, SMALL);
    bring(9, SMALL);
    assert_false(sl_replies_are_enough(&world.replies));
    bring(1, SMALL);
    assert_true(sl_replies_are_enough(&world.replies));
    fill();
    assert_false(sl_replies_are_enough(&world.replies));
    bring(2, LARGE);
    assert_true(sl_replies_are_enough(&world.replies));
}

static void what_is_on_its_way_waits_or_is_lent_leaves_less_room(void **state)
{
    (void)state;
    sl_replies_learn(&world.replies, MEMORY / 10);
    assert_int_equal(room(), 3); /* a quarter of memory, and one */
    bring(1, LARGE);
    assert_int_equal(room(), 2); /* an eighth is taken */
    fill();
    assert_int_equal(room(), 3); /* it is lent, of which there may be more */
    next_batch();
    bring(7, LARGE);
    fill();
    assert_int_equal(room(), 1); /* in the eighth that is left */
    next_batch();
    assert_int_equal(room(), 3);
}

static void more_than_a_batch_is_not_asked_for(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CAP / 10; i++) {
        assert_true(sl_replies_have_room(&world.replies, 1));
        bring(10, SMALL);
    }
    assert_false(sl_replies_have_room(&world.replies, 0));
}

static void one_reply_may_be_had_however_little_memory_there_is(void **state)
{
    (void)state;
    sl_replies_learn(&world.replies, BATCH_BYTES);
    assert_int_equal(room(), 1);
    bring(1, SMALL);
    assert_int_equal(room(), 0);
}

static void fewer_are_asked_for_when_messages_are_huge(void **state)
{
    (void)state;
    assert_int_equal(sl_replies_ask_n(&world.replies), 10);
    bring(10, SMALL);
    assert_int_equal(sl_replies_ask_n(&world.replies), 10);
    bring(1, LARGE / 4);
    assert_int_equal(sl_replies_ask_n(&world.replies), 3);
    bring(1, LARGE);
    assert_int_equal(sl_replies_ask_n(&world.replies), 1);
    for (unsigned i = 0; i < 100; i++) {
        bring(1, SMALL);
    }
    assert_int_equal(sl_replies_ask_n(&world.replies), 10); /* by and by */
}

static void what_is_dropped_is_leased_still(void **state)
{
    (void)state;
    bring(10, SMALL);
    bring(2, LARGE);
    assert_int_equal(sl_replies_drop(&world.replies), 12);
    assert_int_equal(world.replies.n, 0);
    assert_int_equal(world.replies.bytes, 0);
    assert_int_equal(world.leases.held, 12);
    bring(1, SMALL);
    fill();
    assert_int_equal(world.b.n, 1);
}

static void the_oldest_tells_how_long_it_has_waited(void **state)
{
    const int64_t before_ms = sl_clock_now_ms();
    int64_t oldest_ms;

    (void)state;
    bring(1, SMALL);
    oldest_ms = sl_replies_oldest_ms(&world.replies);
    assert_in_range(oldest_ms, before_ms, sl_clock_now_ms());
    bring(1, SMALL);
    assert_int_equal(sl_replies_oldest_ms(&world.replies), oldest_ms);
}

int main(void)
{
#define RULE(f) cmocka_unit_test_setup_teardown(f, world_new, world_free)
    const struct CMUnitTest tests[] = {
        RULE(a_batch_gets_what_came_in_its_order),
        RULE(records_of_a_fifo_queue_know_their_group),
        RULE(a_reply_that_does_not_fit_waits_for_the_next_batch_whole),
        RULE(a_batch_is_lent_a_quarter_of_memory_or_one_reply),
        RULE(half_a_batch_is_enough_and_so_is_a_quarter_of_memory),
        RULE(what_is_on_its_way_waits_or_is_lent_leaves_less_room),
        RULE(more_than_a_batch_is_not_asked_for),
        RULE(one_reply_may_be_had_however_little_memory_there_is),
        RULE(fewer_are_asked_for_when_messages_are_huge),
        RULE(what_is_dropped_is_leased_still),
        RULE(the_oldest_tells_how_long_it_has_waited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
