/* tests/unit/test_dead_queue.c - bad records are sent on in requests that SQS takes; the requests are
 * noted here and answered at once, there is no network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "source/dead_queue.h"
#include "source/sqs_call.h"
#include "source/sqs_json.h"
#include "telemetry/log.h"

enum { RECORDS_MAX = 200, CALLS_MAX = 256 };

/* What the queue does. */
struct world {
    struct sl_dead_queue *q;
    struct sl_batch b;
    struct sl_record records[RECORDS_MAX];
    struct sl_record *list[RECORDS_MAX];
    char ids[RECORDS_MAX][16];

    struct sl_sqs_call pending[CALLS_MAX];
    bool is_refused[CALLS_MAX];
    unsigned entries[CALLS_MAX]; /* of the requests, in order */
    unsigned calls_n;
    unsigned answered_n;
    unsigned out_max;
    const char *refuses;     /* requests with this text in them, as a whole */
    const char *fails_first; /* the first entry of every request, with this code */
    bool is_fault_of_sender;
};

static struct world world;

/* Stands for the one of source/sqs_call.c. */
sl_rc sl_sqs_call_start(struct sl_aws_caller *c, const struct sl_sqs_call *call, struct sl_err *e)
{
    const sl_str needle = SL_STR("\"MessageBody\"");
    const char *at = call->body.ptr;
    unsigned n = 0;

    (void)c;
    (void)e;
    assert_true(world.calls_n < CALLS_MAX);
    assert_string_equal(call->action, "SendMessageBatch");
    while ((at = memmem(at, (size_t)(call->body.ptr + call->body.len - at), needle.ptr,
                        needle.len)) != NULL) {
        n++;
        at++;
    }
    world.pending[world.calls_n] = *call;
    world.is_refused[world.calls_n] =
        world.refuses != NULL &&
        memmem(call->body.ptr, call->body.len, world.refuses, strlen(world.refuses)) != NULL;
    world.entries[world.calls_n++] = n;
    return SL_OK;
}

static void answer(unsigned call_i)
{
    const struct sl_sqs_call *call = &world.pending[call_i];
    const unsigned entries_n = world.entries[call_i];
    struct sl_http_reply reply = { .status = world.is_refused[call_i] ? 400 : 200 };

    sl_buf_init(&reply.body, 1 << 16);
    if (reply.status == 400) {
        sl_buf_printf(&reply.body, "{\"__type\":\"BatchRequestTooLong\"}");
    } else {
        sl_buf_printf(&reply.body, "{\"Successful\":[");
        for (unsigned i = world.fails_first != NULL; i < entries_n; i++) {
            sl_buf_printf(&reply.body, "{\"Id\":\"%u\"}%s", i, i + 1 < entries_n ? "," : "");
        }
        sl_buf_printf(&reply.body, "]");
        if (world.fails_first != NULL) {
            sl_buf_printf(&reply.body,
                          ",\"Failed\":[{\"Id\":\"0\",\"Code\":\"%s\",\"SenderFault\":%s}]",
                          world.fails_first, world.is_fault_of_sender ? "true" : "false");
        }
        sl_buf_printf(&reply.body, "}");
    }
    assert_non_null(sl_buf_reserve(&reply.body, SL_JSON_PADDING));
    call->done(call->ctx, &reply);
    sl_buf_done(&reply.body);
}

/* The one wait: the oldest request is answered. */
static short world_until(void *self, int fd, short events, int64_t due_ms)
{
    const unsigned out = world.calls_n - world.answered_n;

    (void)self;
    (void)fd;
    (void)events;
    (void)due_ms;
    world.out_max = out > world.out_max ? out : world.out_max;
    assert_true(out > 0);
    answer(world.answered_n++);
    return 0;
}

static int world_new(void **state)
{
    static struct sl_aws_target target;
    static struct sl_requests requests;
    const struct sl_dead_queue_settings settings = { .url = SL_STR("http://h/0/dlq"),
                                                     .pipeline = SL_STR("p"),
                                                     .target = &target,
                                                     .wire = &sl_sqs_json,
                                                     .requests = &requests,
                                                     .wait = { .until = world_until } };

    memset(&world, 0, sizeof world);
    sl_log_init(SL_LOG_TEXT, (enum sl_log_level)(SL_LOG_ERROR + 1));
    *state = &world;
    return sl_dead_queue_open(&settings, &world.q, NULL) == SL_OK ? 0 : -1;
}

static int world_free(void **state)
{
    (void)state;
    sl_dead_queue_close(world.q);
    return 0;
}

/* A batch of bad records, with ids m0, m1, ... */
static void bad(unsigned n, sl_str sealed)
{
    world.b = (struct sl_batch){ .records = world.list, .n = n };
    for (unsigned i = 0; i < n; i++) {
        (void)snprintf(world.ids[i], sizeof world.ids[i], "m%u", i);
        world.records[i] = (struct sl_record){ .message_id = sl_str_of(world.ids[i]),
                                               .verdict = { .reason = SL_REASON_NOT_JSON },
                                               .sealed = sealed };
        world.list[i] = &world.records[i];
    }
}

static void sends(sl_rc expected)
{
    struct sl_err e = { 0 };

    assert_int_equal(sl_dead_queue_send(world.q, &world.b, &e), expected);
    assert_int_equal(world.calls_n, world.answered_n); /* none is out any more */
}

static unsigned sent_n(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < world.b.n; i++) {
        n += world.records[i].is_sent;
    }
    return n;
}

static void ten_go_in_a_request_and_four_requests_side_by_side(void **state)
{
    (void)state;
    bad(95, SL_STR("sealed"));
    sends(SL_OK);
    assert_int_equal(sent_n(), 95);
    assert_int_equal(world.calls_n, 10);
    assert_int_equal(world.entries[0], 10);
    assert_int_equal(world.entries[9], 5);
    assert_int_equal(world.out_max, 4);
}

static void what_is_good_or_has_an_end_is_not_sent(void **state)
{
    (void)state;
    bad(4, SL_STR("sealed"));
    world.records[0].verdict.reason = SL_REASON_NONE;
    world.records[1].outcome = SL_OUTCOME_DUPLICATE;
    world.records[2].is_unsent = true;
    sends(SL_OK);
    assert_int_equal(world.calls_n, 1);
    assert_int_equal(world.entries[0], 1);
    assert_int_equal(sent_n(), 1);
}

static void a_message_that_stands_twice_is_sent_once(void **state)
{
    (void)state;
    bad(3, SL_STR("sealed"));
    world.records[2].message_id = world.records[0].message_id;
    sends(SL_OK);
    assert_int_equal(world.entries[0], 2);
    assert_int_equal(sent_n(), 3);
}

static void a_letter_without_a_body_is_never_sent(void **state)
{
    (void)state;
    bad(1, SL_STR(""));
    sends(SL_NOMEM);
    assert_int_equal(world.calls_n, 0);
    assert_false(world.records[0].is_sent);
}

static void one_that_a_request_is_refused_for_is_found_and_kept(void **state)
{
    (void)state;
    bad(25, SL_STR("sealed"));
    world.refuses = "m13";
    sends(SL_OK);
    assert_int_equal(sent_n(), 24);
    assert_true(world.records[13].is_unsent);
    assert_int_equal(world.calls_n, 3 + 10);
}

static void every_letter_has_the_body_of_its_own_message(void **state)
{
    (void)state;
    bad(3, SL_STR("sealed"));
    world.refuses = "\\\"message_id\\\":\\\"m1\\\"";
    sends(SL_OK);
    assert_int_equal(world.calls_n, 1 + 3);
    assert_true(world.records[1].is_unsent);
    assert_int_equal(sent_n(), 2);
}

static void an_entry_that_is_refused_for_good_is_kept(void **state)
{
    (void)state;
    bad(3, SL_STR("sealed"));
    world.fails_first = "InvalidMessageContents";
    sends(SL_OK);
    assert_true(world.records[0].is_unsent);
    assert_int_equal(sent_n(), 2);
}

static void an_unknown_refusal_is_final_if_it_is_our_fault(void **state)
{
    (void)state;
    bad(2, SL_STR("sealed"));
    world.fails_first = "NewInvention";
    world.is_fault_of_sender = true;
    sends(SL_OK);
    assert_true(world.records[0].is_unsent);
}

static void an_entry_that_may_be_taken_later_is_an_outage(void **state)
{
    static const char *const codes[] = { "InternalError", "RequestThrottled", "KmsAccessDenied",
                                         "NewInvention" };

    for (unsigned i = 0; i < sizeof codes / sizeof *codes; i++) {
        struct sl_err e = { 0 };

        (void)world_free(state);
        (void)world_new(state);
        bad(2, SL_STR("sealed"));
        world.fails_first = codes[i];
        world.is_fault_of_sender = i == 1 || i == 2; /* whoever is said to be at fault */
        assert_int_equal(sl_rc_fate(sl_dead_queue_send(world.q, &world.b, &e)), SL_FATE_RETRY);
        assert_true(strncmp(e.msg, "dead-letter queue: ", 19) == 0);
        assert_false(world.records[0].is_sent || world.records[0].is_unsent);
        assert_true(world.records[1].is_sent);
        world.fails_first = NULL;
        sends(SL_OK);
        assert_int_equal(world.entries[world.calls_n - 1], 1);
        assert_int_equal(sent_n(), 2);
    }
}

static void its_region_is_that_of_its_url(void **state)
{
    struct sl_config cfg = { .dead_letter_url = SL_STR("https://sqs.eu-west-1.amazonaws.com/1/d") };
    struct sl_config mine;

    (void)state;
    cfg.sqs.queue_url = SL_STR("https://sqs.us-east-1.amazonaws.com/1/q");
    cfg.sqs.endpoint = SL_STR("https://vpce.example");
    mine = sl_dead_queue_config(&cfg);
    assert_true(sl_str_eq(mine.sqs.queue_url, cfg.dead_letter_url));
    assert_true(sl_str_eq(mine.sqs.region, SL_STR("eu-west-1")));
    assert_int_equal(mine.sqs.endpoint.len, 0);

    cfg.sqs.region = SL_STR("eu-west-1");
    mine = sl_dead_queue_config(&cfg);
    assert_true(sl_str_eq(mine.sqs.endpoint, cfg.sqs.endpoint));

    cfg.dead_letter_url = SL_STR("http://localhost:4566/0/d");
    mine = sl_dead_queue_config(&cfg);
    assert_true(sl_str_eq(mine.sqs.region, SL_STR("eu-west-1")));
    assert_true(sl_str_eq(mine.sqs.endpoint, cfg.sqs.endpoint));
}

int main(void)
{
#define RULE(f) cmocka_unit_test_setup_teardown(f, world_new, world_free)
    const struct CMUnitTest tests[] = {
        RULE(ten_go_in_a_request_and_four_requests_side_by_side),
        RULE(what_is_good_or_has_an_end_is_not_sent),
        RULE(a_message_that_stands_twice_is_sent_once),
        RULE(a_letter_without_a_body_is_never_sent),
        RULE(one_that_a_request_is_refused_for_is_found_and_kept),
        RULE(every_letter_has_the_body_of_its_own_message),
        RULE(an_entry_that_is_refused_for_good_is_kept),
        RULE(an_unknown_refusal_is_final_if_it_is_our_fault),
        RULE(an_entry_that_may_be_taken_later_is_an_outage),
        RULE(its_region_is_that_of_its_url),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
