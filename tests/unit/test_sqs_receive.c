/* tests/unit/test_sqs_receive.c - how many receives go out, and when; the requests are noted here and
 * answered by hand, there is no network. */
#include "base/clock.h"
#include "pending.h"
#include "source/sqs_receive.h"
#include "telemetry/log.h"

enum { CALLS_ROOM = 64, WAIT_S = 20, CAP = 1000, QUOTA = 1000, BODY_ROOM = 2048 };

struct world {
    struct sl_config cfg;
    struct sl_counters counters;
    struct sl_sqs_shared shared;
    struct sl_sqs_settings settings;
    struct sl_aws_caller caller;
    struct sl_json_parser *parser;
    struct sl_leases leases;
    struct sl_replies replies;
    struct sl_receives receives;
    struct pending calls[CALLS_ROOM];
    unsigned calls_n;
    sl_rc start_says;
};

static struct world world;

/* Stands for the one of source/sqs_call.c. */
sl_rc sl_sqs_call_start(struct sl_aws_caller *c, const struct sl_sqs_call *call, struct sl_err *e)
{
    assert_ptr_equal(c, &world.caller);
    if (world.start_says != SL_OK) {
        return SL_FAIL(e, world.start_says, "no request today");
    }
    assert_true(world.calls_n < CALLS_ROOM);
    assert_true(call->timeout_ms > WAIT_S * 1000);
    assert_string_equal(call->action, "ReceiveMessage");
    pending_note(&world.calls[world.calls_n++], call);
    return SL_OK;
}

static int world_new(void **state)
{
    (void)state;
    memset(&world, 0, sizeof world);
    if (sl_json_parser_new(1 << 16, &world.parser, NULL) != SL_OK) {
        return -1;
    }
    sl_log_init(SL_LOG_TEXT, (enum sl_log_level)(SL_LOG_ERROR + 1));
    sl_sqs_shared_init(&world.shared, QUOTA);
    world.cfg.sqs.queue_url = SL_STR("http://q");
    world.settings = (struct sl_sqs_settings){ .cfg = &world.cfg,
                                               .wire = &sl_sqs_json,
                                               .shared = &world.shared,
                                               .counters = &world.counters,
                                               .visibility_timeout_s = 30,
                                               .wait_time_s = WAIT_S };
    world.leases = (struct sl_leases){ .counters = &world.counters, .visibility_timeout_s = 30 };
    sl_replies_init(&world.replies, &world.leases, 64 << 20, false);
    sl_replies_begin_batch(&world.replies, CAP);
    sl_receives_init(&world.receives, &world.settings, &world.caller, world.parser, &world.replies);
    return 0;
}

static void answer_with(unsigned call, const struct sl_http_reply *like, const char *body)
{
    assert_true(call < world.calls_n);
    pending_answer(&world.calls[call], like, body);
}

/* An answer with n messages, which took no longer than any. */
static void answer(unsigned call, unsigned n)
{
    char body[BODY_ROOM] = "{\"Messages\":[";
    size_t len = strlen(body);

    for (unsigned i = 0; i < n; i++) {
        len += (size_t)snprintf(body + len, sizeof body - len,
                                "%s{\"MessageId\":\"m%u-%u\",\"ReceiptHandle\":\"h%u-%u\","
                                "\"Body\":\"{}\"}",
                                i == 0 ? "" : ",", call, i, call, i);
    }
    (void)snprintf(body + len, sizeof body - len, "]}");
    answer_with(call, &(struct sl_http_reply){ .status = 200, .took_us = 1000 }, body);
}

static void unanswered(unsigned call, sl_rc rc)
{
    answer_with(call, &(struct sl_http_reply){ .rc = rc, .err = { .rc = rc } }, "");
}

static int world_free(void **state)
{
    (void)state;
    for (unsigned i = 0; i < world.calls_n; i++) {
        if (!world.calls[i].is_answered) {
            unanswered(i, SL_STOPPED);
        }
    }
    (void)sl_replies_drop(&world.replies);
    sl_receives_done(&world.receives);
    sl_leases_done(&world.leases);
    sl_json_parser_freep(&world.parser);
    sl_sqs_shared_done(&world.shared);
    return 0;
}

static int64_t tick(void)
{
    return sl_receives_tick(&world.receives, true);
}

/* As if the time to ask again had come. */
static void tick_later(void)
{
    assert_true(world.receives.due_ms > 0);
    world.receives.due_ms = 0;
    (void)tick();
}

static void asked(unsigned call, const char *in_body)
{
    assert_true(call < world.calls_n);
    if (strstr(world.calls[call].body, in_body) == NULL) {
        fail_msg("no %s in %s", in_body, world.calls[call].body);
    }
}

static void full_answers_bring_more_receives_and_empty_ones_a_single_one(void **state)
{
    (void)state;
    assert_int_equal(tick(), INT64_MAX);
    assert_int_equal(world.receives.out, 2);
    answer(0, 10);
    answer(1, 10);
    (void)tick();
    assert_int_equal(world.receives.out, 4);
    assert_int_equal(world.replies.n, 20);
    assert_int_equal(sl_counted(&world.counters.received), 20);
    for (unsigned i = 2; i < 6; i++) {
        answer(i, 0);
    }
    assert_true(world.receives.was_empty);
    tick_later();
    assert_int_equal(world.receives.out, 1);
}

static void as_many_receives_are_out_as_are_configured(void **state)
{
    (void)state;
    world.cfg.sqs.receives = 5;
    (void)tick();
    assert_int_equal(world.receives.out, 5);
    answer(0, 0);
    tick_later();
    assert_int_equal(world.receives.out, 5);
}

static void none_goes_out_when_none_may(void **state)
{
    (void)state;
    assert_int_equal(sl_receives_tick(&world.receives, false), INT64_MAX);
    assert_int_equal(world.calls_n, 0);
}

static void none_goes_out_when_there_is_no_room(void **state)
{
    (void)state;
    sl_replies_learn(&world.replies, 1 << 30);
    (void)tick();
    assert_int_equal(world.receives.out, 1); /* one may always */
}

static void a_quick_empty_answer_is_not_asked_for_again_at_once(void **state)
{
    int64_t due_ms;

    (void)state;
    (void)tick();
    answer(0, 0);
    due_ms = tick();
    assert_in_range(due_ms, sl_clock_now_ms(), sl_clock_now_ms() + 200);
    assert_int_equal(world.calls_n, 2);
}

static void what_did_not_come_may_be_asked_for_again(void **state)
{
    (void)state;
    world.shared.quota = 15;
    (void)tick();
    assert_int_equal(world.receives.out, 2);
    asked(0, "\"MaxNumberOfMessages\":10");
    asked(1, "\"MaxNumberOfMessages\":5");
    (void)tick();
    assert_int_equal(world.calls_n, 2);
    answer(0, 3);
    assert_int_equal(world.shared.quota, 7);
    unanswered(1, SL_DISCONNECTED);
    assert_int_equal(world.shared.quota, 12);
}

static void a_failure_is_told_once_and_waited_for(void **state)
{
    struct sl_err e;

    (void)state;
    (void)tick();
    unanswered(0, SL_DISCONNECTED);
    assert_true(tick() > sl_clock_now_ms());
    assert_int_equal(world.calls_n, 2);
    assert_int_equal(sl_receives_error(&world.receives, &e), SL_DISCONNECTED);
    assert_int_equal(e.rc, SL_DISCONNECTED);
    assert_int_equal(sl_receives_error(&world.receives, &e), SL_OK);
    assert_int_equal(atomic_load(&world.counters.receive_rc), SL_DISCONNECTED);
    answer(1, 10);
    assert_int_equal(atomic_load(&world.counters.receive_rc), SL_OK);
    tick_later();
    unanswered(2, SL_STOPPED);
    assert_int_equal(atomic_load(&world.counters.receive_rc), SL_OK); /* we ended it ourselves */
}

static void a_receive_that_cannot_start_is_made_later(void **state)
{
    (void)state;
    world.start_says = SL_NOMEM;
    (void)tick();
    assert_int_equal(world.receives.out, 0);
    assert_int_equal(world.shared.quota, QUOTA);
    assert_int_equal(sl_receives_error(&world.receives, NULL), SL_NOMEM);
    world.start_says = SL_OK;
    tick_later();
    assert_int_equal(world.receives.out, 1);
}

static void half_an_answer_is_a_failure(void **state)
{
    (void)state;
    (void)tick();
    answer_with(0, &(struct sl_http_reply){ .status = 200 }, "{\"Messages\":[");
    assert_int_equal(sl_receives_error(&world.receives, NULL), SL_UNAVAILABLE);
    assert_int_equal(world.shared.quota, QUOTA - 10); /* those of the other one */
}

/* The attempt id of a request. */
static const char *attempt_of(unsigned call)
{
    const char *at = strstr(world.calls[call].body, "\"ReceiveRequestAttemptId\":\"");

    assert_non_null(at);
    return at;
}

static void a_lost_answer_of_a_fifo_queue_is_asked_for_by_its_id(void **state)
{
    (void)state;
    world.settings.is_fifo = true;
    (void)tick();
    assert_string_not_equal(attempt_of(0), attempt_of(1));
    unanswered(0, SL_DISCONNECTED);
    answer(1, 10);
    tick_later();
    assert_string_equal(attempt_of(2), attempt_of(0));
    answer_with(2, &(struct sl_http_reply){ .status = 400 },
                "{\"__type\":\"InvalidParameterValue\"}");
    assert_int_equal(sl_receives_error(&world.receives, NULL), SL_UNAVAILABLE); /* no stop */
    tick_later();
    assert_string_not_equal(attempt_of(3), attempt_of(0));
}

static void the_last_poll_tells_when_it_would_end(void **state)
{
    (void)state;
    assert_int_equal(sl_receives_end_in_s(&world.receives), 0);
    (void)tick();
    assert_in_range(sl_receives_end_in_s(&world.receives), WAIT_S - 1, WAIT_S + 1);
    world.receives.asked_ms -= 5000;
    assert_in_range(sl_receives_end_in_s(&world.receives), WAIT_S - 6, WAIT_S - 4);
    world.receives.asked_ms -= 100000;
    assert_int_equal(sl_receives_end_in_s(&world.receives), 0);
}

int main(void)
{
#define RULE(f) cmocka_unit_test_setup_teardown(f, world_new, world_free)
    const struct CMUnitTest tests[] = {
        RULE(full_answers_bring_more_receives_and_empty_ones_a_single_one),
        RULE(as_many_receives_are_out_as_are_configured),
        RULE(none_goes_out_when_none_may),
        RULE(none_goes_out_when_there_is_no_room),
        RULE(a_quick_empty_answer_is_not_asked_for_again_at_once),
        RULE(what_did_not_come_may_be_asked_for_again),
        RULE(a_failure_is_told_once_and_waited_for),
        RULE(a_receive_that_cannot_start_is_made_later),
        RULE(half_an_answer_is_a_failure),
        RULE(a_lost_answer_of_a_fifo_queue_is_asked_for_by_its_id),
        RULE(the_last_poll_tells_when_it_would_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
