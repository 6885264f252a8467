/* tests/unit/test_sqs_lease.c - receipt handles until their message is deleted or handed back; the
 * requests are noted here and answered by hand, there is no network. */
#include "base/clock.h"
#include "pending.h"
#include "source/sqs_lease.h"
#include "telemetry/log.h"

enum { CALLS_ROOM = 32, TIMEOUT_S = 30, MESSAGES_ROOM = 128 };

struct world {
    struct sl_leases l;
    struct sl_counters counters;
    struct sl_json_parser *parser;
    struct sl_lease_entry *entries[MESSAGES_ROOM];
    struct pending calls[CALLS_ROOM];
    unsigned calls_n;
    sl_rc start_says;
};

static struct world world;

/* Stands for the one of source/sqs_call.c. */
sl_rc sl_sqs_call_start(struct sl_aws_caller *c, const struct sl_sqs_call *call, struct sl_err *e)
{
    (void)c;
    if (world.start_says != SL_OK) {
        return SL_FAIL(e, world.start_says, "no request today");
    }
    assert_true(world.calls_n < CALLS_ROOM);
    assert_true(call->timeout_ms > 0);
    assert_true(call->reply_max_bytes > 0);
    pending_note(&world.calls[world.calls_n++], call);
    return SL_OK;
}

static int world_new(void **state)
{
    memset(&world, 0, sizeof world);
    if (sl_json_parser_new(1 << 16, &world.parser, NULL) != SL_OK) {
        return -1;
    }
    world.l = (struct sl_leases){ .wire = &sl_sqs_json,
                                  .parser = world.parser,
                                  .counters = &world.counters,
                                  .queue_url = SL_STR("http://q"),
                                  .visibility_timeout_s = TIMEOUT_S,
                                  .in_flight = { .target = 8, .max = 8, .quick_us = 200000 },
                                  .backoff = { .base_ms = 100, .cap_ms = 5000, .random = 1 } };
    sl_log_init(SL_LOG_TEXT, (enum sl_log_level)(SL_LOG_ERROR + 1));
    *state = &world;
    return 0;
}

static void answer_with(unsigned call, const struct sl_http_reply *like, const char *body)
{
    assert_true(call < world.calls_n);
    pending_answer(&world.calls[call], like, body);
}

static void answer(unsigned call, const char *body)
{
    answer_with(call, &(struct sl_http_reply){ .status = 200 }, body);
}

static void unanswered(unsigned call)
{
    answer_with(call,
                &(struct sl_http_reply){ .rc = SL_DISCONNECTED, .err = { .rc = SL_DISCONNECTED } },
                "");
}

static int world_free(void **state)
{
    (void)state;
    for (unsigned i = 0; i < world.calls_n; i++) {
        if (!world.calls[i].is_answered) {
            unanswered(i);
        }
    }
    sl_leases_done(&world.l);
    sl_json_parser_freep(&world.parser);
    return 0;
}

/* ---- lending --------------------------------------------------------------------------------- */

/* Lend messages m<first>.. with handles h<first><suffix>. */
static void lend_as(unsigned first, unsigned n, int64_t received_due_ms, const char *suffix)
{
    struct sl_sqs_message messages[MESSAGES_ROOM] = { 0 };
    char ids[MESSAGES_ROOM][16];
    char handles[MESSAGES_ROOM][32];

    for (unsigned i = 0; i < n; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "m%u", first + i);
        (void)snprintf(handles[i], sizeof handles[i], "h%u%s", first + i, suffix);
        messages[i].message_id = sl_str_of(ids[i]);
        messages[i].receipt_handle = sl_str_of(handles[i]);
    }
    assert_true(sl_leases_add(&world.l, messages, n, received_due_ms, &world.entries[first]));
}

/* Lend m1.. just now. */
static void lend(unsigned n)
{
    lend_as(1, n, sl_clock_now_ms(), "");
}

/* As if the time to try again had come. */
static void tick_again(void)
{
    for (struct sl_lease *lease = world.l.first; lease != NULL; lease = lease->next) {
        lease->retry_due_ms = 0;
    }
    world.l.tick_due_ms = 0;
    world.l.walk_due_ms = 0;
    (void)sl_leases_tick(&world.l);
}

static void asked(unsigned call, const char *action, const char *in_body)
{
    assert_true(call < world.calls_n);
    assert_string_equal(world.calls[call].action, action);
    if (strstr(world.calls[call].body, in_body) == NULL) {
        fail_msg("no %s in %s", in_body, world.calls[call].body);
    }
}

static void asked_not(unsigned call, const char *in_body)
{
    assert_null(strstr(world.calls[call].body, in_body));
}

#define DELETE     "DeleteMessageBatch"
#define VISIBILITY "ChangeMessageVisibilityBatch"
#define ALL_DONE   "{\"Successful\":[{\"Id\":\"0\"}],\"Failed\":[]}"

static void a_lease_has_the_handles_for_itself(void **state)
{
    (void)state;
    lend(2); /* whose texts are gone now */
    assert_true(sl_str_eq(world.entries[1]->message_id, SL_STR("m1")));
    assert_true(sl_str_eq(world.entries[1]->handle, SL_STR("h1")));
    assert_true(sl_str_eq(world.entries[2]->handle, SL_STR("h2")));
    assert_int_equal(world.l.held, 2);
    assert_int_equal(world.l.owed, 0);
}

static void more_than_ten_messages_are_several_leases(void **state)
{
    (void)state;
    lend(25);
    assert_int_equal(world.l.held, 25);
    assert_int_equal(world.l.first->n, 10);
    assert_int_equal(world.l.last->n, 5);
    assert_true(sl_str_eq(world.entries[25]->handle, SL_STR("h25")));
}

static void one_handle_twice_in_a_reply_is_one_entry(void **state)
{
    const struct sl_sqs_message messages[] = {
        { .message_id = SL_STR("m1"), .receipt_handle = SL_STR("h1") },
        { .message_id = SL_STR("m2"), .receipt_handle = SL_STR("h2") },
        { .message_id = SL_STR("m1"), .receipt_handle = SL_STR("h1") },
    };

    (void)state;
    assert_true(sl_leases_add(&world.l, messages, 3, sl_clock_now_ms(), &world.entries[1]));
    assert_ptr_equal(world.entries[1], world.entries[3]);
    assert_ptr_not_equal(world.entries[1], world.entries[2]);
    assert_int_equal(world.l.held, 2);
    sl_leases_delete(&world.l, world.entries[1]);
    sl_leases_delete(&world.l, world.entries[3]);
    assert_int_equal(world.l.owed, 1);
    assert_int_equal(world.l.held, 1);
}

/* ---- deleting -------------------------------------------------------------------------------- */

static void what_is_committed_is_deleted_in_one_request_and_the_rest_kept(void **state)
{
    (void)state;
    lend(3);
    sl_leases_delete(&world.l, world.entries[1]);
    sl_leases_delete(&world.l, world.entries[3]);
    (void)sl_leases_tick(&world.l);
    assert_int_equal(world.calls_n, 1);
    asked(0, DELETE, "\"h1\"");
    asked(0, DELETE, "\"h3\"");
    asked(0, DELETE, "http://q");
    asked_not(0, "\"h2\"");
    answer(0, "{\"Successful\":[{\"Id\":\"0\"},{\"Id\":\"1\"}]}");
    assert_int_equal(sl_counted(&world.counters.deleted), 2);
    assert_true(atomic_load(&world.counters.last_ack_due_ms) > 0);
    assert_int_equal(world.l.owed, 0);
    assert_int_equal(world.l.held, 1);
}

static void nothing_is_deleted_before_it_is_committed(void **state)
{
    (void)state;
    lend(3);
    (void)sl_leases_tick(&world.l);
    assert_int_equal(world.calls_n, 0);
}

static void a_delete_is_not_sent_twice_while_it_is_out(void **state)
{
    (void)state;
    lend(2);
    sl_leases_delete(&world.l, world.entries[1]);
    (void)sl_leases_tick(&world.l);
    sl_leases_delete(&world.l, world.entries[2]);
    tick_again();
    assert_int_equal(world.calls_n, 1);
    answer(0, ALL_DONE);
    (void)sl_leases_tick(&world.l);
    assert_int_equal(world.calls_n, 2);
    asked(1, DELETE, "\"h2\"");
    asked_not(1, "\"h1\"");
}

static void a_lease_ends_with_its_last_message(void **state)
{
    (void)state;
    lend(1);
    sl_leases_delete(&world.l, world.entries[1]);
    (void)sl_leases_tick(&world.l);
    assert_non_null(world.l.first);
    answer(0, ALL_DONE);
    (void)sl_leases_tick(&world.l);
    assert_null(world.l.first);
    assert_null(world.l.last);
    assert_int_equal(world.l.held, 0);
    assert_int_equal(world.l.owed, 0);
}

static void a_refused_entry_is_deleted_again_and_its_neighbours_not(void **state)
{
    (void)state;
    lend(2);
    sl_leases_delete(&world.l, world.entries[1]);
    sl_leases_delete(&world.l, world.entries[2]);
    (void)sl_leases_tick(&world.l);
    answer(0, "{\"Successful\":[{\"Id\":\"0\"}],"
              "\"Failed\":[{\"Id\":\"1\",\"Code\":\"InternalError\",\"SenderFault\":false}]}");
    assert_int_equal(sl_counted(&world.counters.deleted), 1);
    (void)sl_leases_tick(&world.l);
    assert_int_equal(world.calls_n, 1); /* not at once */
    tick_again();
    asked(1, DELETE, "\"h2\"");
    asked_not(1, "\"h1\"");
    answer(1, ALL_DONE);
    assert_int_equal(sl_counted(&world.counters.deleted), 2);
    assert_int_equal(sl_counted(&world.counters.delete_failed), 0);
}

static void a_delete_refused_five_times_is_given_up_and_counted(void **state)
{
    (void)state;
    lend(1);
    sl_leases_delete(&world.l, world.entries[1]);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(sl_counted(&world.counters.delete_failed), 0);
        tick_again();
        asked(i, DELETE, "\"h1\"");
        answer(i, "{\"Failed\":[{\"Id\":\"0\",\"Code\":\"InternalError\"}]}");
    }
    assert_int_equal(sl_counted(&world.counters.delete_failed), 1);
    assert_int_equal(sl_counted(&world.counters.deleted), 0);
    tick_again();
    assert_int_equal(world.calls_n, 5);
    assert_null(world.l.first);
}

static void a_handle_that_expired_is_not_tried_again(void **state)
{
    (void)state;
    lend(1);
    sl_leases_delete(&world.l, world.entries[1]);
    (void)sl_leases_tick(&world.l);
    answer(0, "{\"Failed\":[{\"Id\":\"0\",\"Code\":\"ReceiptHandleIsInvalid\"}]}");
    assert_int_equal(sl_counted(&world.counters.delete_failed), 1);
    tick_again();
    assert_int_equal(world.calls_n, 1);
}

static void an_entry_that_the_answer_forgets_is_not_taken_for_deleted(void **state)
{
    (void)state;
    lend(2);
    sl_leases_delete(&world.l, world.entries[1]);
    sl_leases_delete(&world.l, world.entries[2]);
    (void)sl_leases_tick(&world.l);
    answer(0, ALL_DONE);
    assert_int_equal(sl_counted(&world.counters.deleted), 1);
    tick_again();
    asked(1, DELETE, "\"h2\"");
}

static void a_request_without_an_answer_is_made_again_whole(void **state)
{
    static const char *const bodies[] = { "", "<html>", "{\"Successful\":", "[]" };
    unsigned call = 0;

    (void)state;
    lend(2);
    sl_leases_delete(&world.l, world.entries[1]);
    sl_leases_delete(&world.l, world.entries[2]);
    (void)sl_leases_tick(&world.l);
    unanswered(call++);
    for (unsigned i = 0; i < 4; i++) {
        (void)sl_leases_tick(&world.l);
        assert_int_equal(world.calls_n, call); /* it backs off */
        tick_again();
        answer(call++, bodies[i]);
    }
    tick_again();
    answer_with(call++, &(struct sl_http_reply){ .status = 503 }, "");
    tick_again();
    asked(call, DELETE, "\"h1\"");
    asked(call, DELETE, "\"h2\"");
    assert_int_equal(sl_counted(&world.counters.deleted), 0);
    assert_int_equal(sl_counted(&world.counters.delete_failed), 0);
    assert_int_equal(world.l.owed, 2);
    assert_int_equal(world.l.calls, 1);
}

static void a_request_that_cannot_start_is_made_later(void **state)
{
    (void)state;
    lend(1);
    sl_leases_delete(&world.l, world.entries[1]);
    world.start_says = SL_NOMEM;
    (void)sl_leases_tick(&world.l);
    assert_int_equal(world.l.calls, 0);
    assert_int_equal(world.l.owed, 1);
    world.start_says = SL_OK;
    tick_again();
    asked(0, DELETE, "\"h1\"");
}

static void a_redelivered_message_is_deleted_by_its_newest_handle(void **state)
{
    (void)state;
    lend(2);
    {
        struct sl_lease_entry *const first = world.entries[1];

        lend_as(1, 1, sl_clock_now_ms(), "-again");
        sl_leases_delete(&world.l, first);
    }
    sl_leases_delete(&world.l, world.entries[2]);
    (void)sl_leases_tick(&world.l);
    asked(0, DELETE, "\"h1-again\"");
    asked(0, DELETE, "\"h2\"");
    asked_not(0, "\"h1\"");
}

static void only_so_many_requests_are_out_at_a_time(void **state)
{
    (void)state;
    lend(100); /* ten leases */
    for (unsigned i = 1; i <= 100; i++) {
        sl_leases_delete(&world.l, world.entries[i]);
    }
    (void)sl_leases_tick(&world.l);
    assert_int_equal(world.calls_n, 8);
    assert_int_equal(world.l.calls, 8);
    answer(0, "{}");
    answer(1, "{}");
    (void)sl_leases_tick(&world.l);
    assert_int_equal(world.calls_n, 10);
}

/* ---- handing back ---------------------------------------------------------------------------- */

static void what_is_handed_back_is_visible_at_once(void **state)
{
    (void)state;
    lend(2);
    sl_leases_return(&world.l, world.entries[2]);
    (void)sl_leases_tick(&world.l);
    asked(0, VISIBILITY, "\"h2\"");
    asked(0, VISIBILITY, "\"VisibilityTimeout\":0");
    asked_not(0, "\"h1\"");
    answer(0, ALL_DONE);
    assert_int_equal(world.l.held, 1);
    assert_int_equal(world.l.owed, 0);
    assert_int_equal(sl_counted(&world.counters.deleted), 0);
}

static void what_is_left_is_neither_deleted_nor_handed_back_nor_kept(void **state)
{
    (void)state;
    lend_as(1, 2, sl_clock_now_ms() - INT64_C(1000) * TIMEOUT_S, "");
    sl_leases_leave(&world.l, world.entries[1]);
    assert_int_equal(world.l.held, 1);
    assert_int_equal(world.l.owed, 0);
    (void)sl_leases_tick(&world.l);
    assert_int_equal(world.calls_n, 1);
    asked(0, VISIBILITY, "\"h2\""); /* the heartbeat of the other one */
    asked_not(0, "\"h1\"");
    sl_leases_return_all(&world.l);
    answer(0, ALL_DONE);
    tick_again();
    assert_int_equal(world.calls_n, 2);
    asked_not(1, "\"h1\"");
}

static void what_is_to_be_deleted_is_never_handed_back(void **state)
{
    (void)state;
    lend(2);
    sl_leases_delete(&world.l, world.entries[1]);
    sl_leases_return(&world.l, world.entries[1]);
    sl_leases_return_all(&world.l);
    (void)sl_leases_tick(&world.l);
    asked(0, DELETE, "\"h1\"");
    answer(0, ALL_DONE);
    (void)sl_leases_tick(&world.l);
    asked(1, VISIBILITY, "\"h2\"");
    asked_not(1, "\"h1\"");
}

static void all_that_is_held_is_handed_back_at_the_end(void **state)
{
    (void)state;
    lend(12);
    sl_leases_return_all(&world.l);
    assert_int_equal(world.l.held, 0);
    assert_int_equal(world.l.owed, 12);
    (void)sl_leases_tick(&world.l);
    assert_int_equal(world.calls_n, 2);
    asked(0, VISIBILITY, "\"h10\"");
    asked(1, VISIBILITY, "\"h11\"");
}

/* ---- heartbeats ------------------------------------------------------------------------------ */

static void a_heartbeat_comes_at_half_the_timeout_and_no_earlier(void **state)
{
    const int64_t now_ms = sl_clock_now_ms();

    (void)state;
    lend_as(1, 1, now_ms, "");
    assert_true(sl_leases_tick(&world.l) == now_ms + TIMEOUT_S * 500);
    assert_int_equal(world.calls_n, 0);
    lend_as(2, 2, now_ms - TIMEOUT_S * 500, "");
    (void)sl_leases_tick(&world.l);
    assert_int_equal(world.calls_n, 1);
    asked(0, VISIBILITY, "\"h2\"");
    asked(0, VISIBILITY, "\"h3\"");
    asked(0, VISIBILITY, "\"VisibilityTimeout\":30");
    asked_not(0, "\"h1\"");
    answer(0, "{\"Successful\":[{\"Id\":\"0\"},{\"Id\":\"1\"}]}");
    assert_int_equal(sl_counted(&world.counters.extended), 2);
    assert_int_equal(world.l.held, 3);
}

static void a_heartbeat_keeps_what_is_held_only(void **state)
{
    (void)state;
    lend_as(1, 3, sl_clock_now_ms() - TIMEOUT_S * 500, "");
    sl_leases_delete(&world.l, world.entries[1]);
    sl_leases_return(&world.l, world.entries[2]);
    (void)sl_leases_tick(&world.l);
    asked(0, VISIBILITY, "\"h3\"");
    asked_not(0, "\"h1\"");
    asked_not(0, "\"h2\"");
}

static void a_heartbeat_goes_out_though_many_requests_are_out(void **state)
{
    (void)state;
    lend(100);
    for (unsigned i = 1; i <= 100; i++) {
        sl_leases_delete(&world.l, world.entries[i]);
    }
    (void)sl_leases_tick(&world.l);
    lend_as(101, 1, sl_clock_now_ms() - TIMEOUT_S * 500, "");
    (void)sl_leases_tick(&world.l);
    assert_int_equal(world.calls_n, 9);
    asked(8, VISIBILITY, "\"h101\"");
}

static void a_refused_heartbeat_leaves_the_message_to_the_ledger(void **state)
{
    (void)state;
    lend_as(1, 1, sl_clock_now_ms() - TIMEOUT_S * 500, "");
    (void)sl_leases_tick(&world.l);
    answer(0, "{\"Failed\":[{\"Id\":\"0\",\"Code\":\"ReceiptHandleIsInvalid\"}]}");
    assert_int_equal(world.l.held, 1);
    assert_int_equal(sl_counted(&world.counters.extended), 0);
    sl_leases_delete(&world.l, world.entries[1]);
    tick_again();
    asked(1, DELETE, "\"h1\"");
}

static void a_heartbeat_without_an_answer_is_sent_again_soon(void **state)
{
    const int64_t before_ms = sl_clock_now_ms();

    (void)state;
    lend_as(1, 1, before_ms - TIMEOUT_S * 500, "");
    (void)sl_leases_tick(&world.l);
    unanswered(0);
    assert_true(sl_leases_tick(&world.l) < before_ms + 5000);
    world.l.first->extend_due_ms = 0;
    tick_again();
    asked(1, VISIBILITY, "\"h1\"");
}

static void a_heartbeat_that_is_out_is_not_followed_by_another(void **state)
{
    (void)state;
    lend(2);
    sl_leases_delete(&world.l, world.entries[1]);
    (void)sl_leases_tick(&world.l);
    asked(0, DELETE, "\"h1\"");
    world.l.first->extend_due_ms = 0;
    tick_again();
    asked(1, VISIBILITY, "\"h2\"");
    answer(0, ALL_DONE); /* of the delete, and not of the heartbeat */
    world.l.first->extend_due_ms = 0;
    tick_again();
    assert_int_equal(world.calls_n, 2);
    answer(1, ALL_DONE);
    world.l.first->extend_due_ms = 0;
    tick_again();
    asked(2, VISIBILITY, "\"h2\"");
}

static void no_heartbeat_asks_for_more_than_twelve_hours(void **state)
{
    const int64_t hours_12_ms = 12 * 3600 * 1000;

    (void)state;
    lend_as(1, 1, sl_clock_now_ms() - hours_12_ms + TIMEOUT_S * 1000 - 1000, "");
    (void)sl_leases_tick(&world.l);
    assert_int_equal(world.calls_n, 0);
    lend_as(2, 1, sl_clock_now_ms() - hours_12_ms + TIMEOUT_S * 1000 + 5000, "");
    (void)sl_leases_tick(&world.l);
    assert_int_equal(world.calls_n, 1);
    asked(0, VISIBILITY, "\"h2\"");
}

int main(void)
{
#define RULE(f) cmocka_unit_test_setup_teardown(f, world_new, world_free)
    const struct CMUnitTest tests[] = {
        RULE(a_lease_has_the_handles_for_itself),
        RULE(more_than_ten_messages_are_several_leases),
        RULE(one_handle_twice_in_a_reply_is_one_entry),
        RULE(what_is_committed_is_deleted_in_one_request_and_the_rest_kept),
        RULE(nothing_is_deleted_before_it_is_committed),
        RULE(a_delete_is_not_sent_twice_while_it_is_out),
        RULE(a_lease_ends_with_its_last_message),
        RULE(a_refused_entry_is_deleted_again_and_its_neighbours_not),
        RULE(a_delete_refused_five_times_is_given_up_and_counted),
        RULE(a_handle_that_expired_is_not_tried_again),
        RULE(an_entry_that_the_answer_forgets_is_not_taken_for_deleted),
        RULE(a_request_without_an_answer_is_made_again_whole),
        RULE(a_request_that_cannot_start_is_made_later),
        RULE(a_redelivered_message_is_deleted_by_its_newest_handle),
        RULE(only_so_many_requests_are_out_at_a_time),
        RULE(what_is_handed_back_is_visible_at_once),
        RULE(what_is_left_is_neither_deleted_nor_handed_back_nor_kept),
        RULE(what_is_to_be_deleted_is_never_handed_back),
        RULE(all_that_is_held_is_handed_back_at_the_end),
        RULE(a_heartbeat_comes_at_half_the_timeout_and_no_earlier),
        RULE(a_heartbeat_keeps_what_is_held_only),
        RULE(a_heartbeat_goes_out_though_many_requests_are_out),
        RULE(a_refused_heartbeat_leaves_the_message_to_the_ledger),
        RULE(a_heartbeat_without_an_answer_is_sent_again_soon),
        RULE(a_heartbeat_that_is_out_is_not_followed_by_another),
        RULE(no_heartbeat_asks_for_more_than_twelve_hours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
