/* tests/unit/test_sqs_batch.c - one request about up to ten messages, and what became of each; the
 * request is noted here, there is no network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "source/sqs_batch.h"

#define URL "http://q"

struct world {
    struct sl_json_parser *parser;
    struct sl_sqs_call call; /* the last one; its body is below */
    struct sl_buf body;
    unsigned calls_n;
    sl_rc start_says;
    struct sl_buf answer;
    struct sl_sqs_results results;
    struct sl_err err;
};

static struct world world;

/* Stands for the one of source/sqs_call.c. */
sl_rc sl_sqs_call_start(struct sl_aws_caller *c, const struct sl_sqs_call *call, struct sl_err *e)
{
    (void)c;
    if (world.start_says != SL_OK) {
        return SL_FAIL(e, world.start_says, "no request today");
    }
    world.calls_n++;
    world.call = *call;
    sl_buf_reset(&world.body);
    sl_buf_add_str(&world.body, call->body);
    return SL_OK;
}

static int world_new(void **state)
{
    (void)state;
    world = (struct world){ .body.max_bytes = 8 << 20, .answer.max_bytes = 1 << 16 };
    return sl_json_parser_new(SL_SQS_BATCH_REPLY_BYTES, &world.parser, NULL) == SL_OK ? 0 : -1;
}

static int world_free(void **state)
{
    (void)state;
    sl_sqs_results_done(&world.results);
    sl_buf_done(&world.answer);
    sl_buf_done(&world.body);
    sl_json_parser_free(world.parser);
    return 0;
}

static void assert_str(sl_str is, const char *expected)
{
    assert_int_equal(is.len, strlen(expected));
    assert_memory_equal(is.ptr, expected, is.len);
}

/* ---- requests -------------------------------------------------------------------------------- */

static void noted(void *ctx, struct sl_http_reply *reply)
{
    (void)ctx;
    (void)reply;
}

static sl_rc start(const struct sl_sqs_wire *wire, enum sl_sqs_action action,
                   const struct sl_sqs_entry *entries, unsigned n)
{
    const struct sl_sqs_batch batch = { .wire = wire,
                                        .queue_url = SL_STR(URL),
                                        .action = action,
                                        .visible_after_s = 30,
                                        .entries = entries,
                                        .n = n,
                                        .timeout_ms = 1234,
                                        .done = noted,
                                        .ctx = &world };

    return sl_sqs_batch_start(NULL, &batch, &world.err);
}

static void each_action_has_its_name_and_its_body(void **state)
{
    static const struct sl_sqs_entry entries[] = {
        { .receipt_handle = { "h0", 2 }, .body = { "b0", 2 } },
        { .receipt_handle = { "h1", 2 }, .body = { "b1", 2 } },
    };

    (void)state;
    assert_int_equal(start(&sl_sqs_json, SL_SQS_ACTION_delete, entries, 2), SL_OK);
    assert_string_equal(world.call.action, "DeleteMessageBatch");
    assert_str(sl_buf_str(&world.body),
               "{\"QueueUrl\":\"" URL "\",\"Entries\":[{\"Id\":\"0\",\"ReceiptHandle\":\"h0\"},"
               "{\"Id\":\"1\",\"ReceiptHandle\":\"h1\"}]}");

    assert_int_equal(start(&sl_sqs_json, SL_SQS_ACTION_visibility, entries, 1), SL_OK);
    assert_string_equal(world.call.action, "ChangeMessageVisibilityBatch");
    assert_str(sl_buf_str(&world.body),
               "{\"QueueUrl\":\"" URL "\",\"Entries\":[{\"Id\":\"0\",\"ReceiptHandle\":\"h0\","
               "\"VisibilityTimeout\":30}]}");

    assert_int_equal(start(&sl_sqs_json, SL_SQS_ACTION_send, entries, 1), SL_OK);
    assert_string_equal(world.call.action, "SendMessageBatch");
    assert_str(sl_buf_str(&world.body),
               "{\"QueueUrl\":\"" URL "\",\"Entries\":[{\"Id\":\"0\",\"MessageBody\":\"b0\"}]}");
}

static void it_goes_out_in_its_protocol_and_tells_who_asked(void **state)
{
    static const struct sl_sqs_entry entry = { .receipt_handle = { "h0", 2 } };

    (void)state;
    assert_int_equal(start(&sl_sqs_query, SL_SQS_ACTION_delete, &entry, 1), SL_OK);
    assert_ptr_equal(world.call.wire, &sl_sqs_query);
    assert_memory_equal(world.body.ptr, "Action=DeleteMessageBatch&", 26);
    assert_int_equal(world.call.timeout_ms, 1234);
    assert_int_equal(world.call.reply_max_bytes, SL_SQS_BATCH_REPLY_BYTES);
    assert_ptr_equal(world.call.done, noted);
    assert_ptr_equal(world.call.ctx, &world);
}

static void ten_long_handles_fit_and_a_whole_send_but_no_more(void **state)
{
    static char text[4 << 20];
    struct sl_sqs_entry entries[SL_SQS_BATCH] = { 0 };

    (void)state;
    memset(text, '"', sizeof text);
    for (unsigned i = 0; i < SL_SQS_BATCH; i++) {
        entries[i].receipt_handle = (sl_str){ text, 2048 };
    }
    assert_int_equal(start(&sl_sqs_json, SL_SQS_ACTION_delete, entries, SL_SQS_BATCH), SL_OK);
    entries[9].receipt_handle.len = 64 << 10;
    assert_int_equal(start(&sl_sqs_json, SL_SQS_ACTION_delete, entries, SL_SQS_BATCH), SL_NOMEM);
    assert_int_equal(start(&sl_sqs_json, SL_SQS_ACTION_visibility, entries, SL_SQS_BATCH),
                     SL_NOMEM);
    assert_int_equal(world.calls_n, 1);

    entries[0].body = (sl_str){ text, SL_SQS_SEND_BYTES };
    assert_int_equal(start(&sl_sqs_json, SL_SQS_ACTION_send, entries, 1), SL_OK);
    entries[0].body.len = sizeof text;
    assert_int_equal(start(&sl_sqs_json, SL_SQS_ACTION_send, entries, 1), SL_NOMEM);
    assert_int_equal(world.calls_n, 2);
}

static void one_that_cannot_start_says_why(void **state)
{
    static const struct sl_sqs_entry entry = { .receipt_handle = { "h0", 2 } };

    (void)state;
    world.start_says = SL_DENIED;
    assert_int_equal(start(&sl_sqs_json, SL_SQS_ACTION_delete, &entry, 1), SL_DENIED);
    assert_string_equal(world.err.msg, "no request today");
}

/* ---- answers --------------------------------------------------------------------------------- */

static sl_rc answer(unsigned n, const struct sl_http_reply *like, const char *text)
{
    struct sl_http_reply reply = *like;

    sl_sqs_results_done(&world.results);
    sl_buf_reset(&world.answer);
    sl_buf_add_str(&world.answer, sl_str_of(text));
    assert_non_null(sl_buf_reserve(&world.answer, SL_JSON_PADDING));
    reply.body = world.answer;
    return sl_sqs_batch_read(world.parser, &reply, n, &world.results, &world.err);
}

static void every_entry_has_its_own_result(void **state)
{
    const struct sl_http_reply ok = { .status = 200 };
    const struct sl_sqs_result *of = world.results.of;

    (void)state;
    assert_int_equal(answer(4, &ok,
                            "{\"Successful\":[{\"Id\":\"2\"},{\"Id\":\"0\"}],\"Failed\":["
                            "{\"Id\":\"3\",\"Code\":\"InternalError\",\"SenderFault\":false},"
                            "{\"Id\":\"1\",\"Code\":\"ReceiptHandleIsInvalid\","
                            "\"SenderFault\":true}]}"),
                     SL_OK);
    assert_str(of[0].code, "");
    assert_str(of[1].code, "ReceiptHandleIsInvalid");
    assert_true(of[1].is_sender_fault);
    assert_str(of[2].code, "");
    assert_str(of[3].code, "InternalError");
    assert_false(of[3].is_sender_fault);
    assert_int_equal(answer(1, &ok, "{\"Successful\":[{\"Id\":\"1\"}]}"), SL_OK);
    assert_str(of[0].code, "NotAnswered");
}

static void a_request_without_an_answer_fails_as_its_reply_did(void **state)
{
    const struct sl_http_reply none = { .rc = SL_TIMEOUT,
                                        .status = 200,
                                        .err = { .rc = SL_TIMEOUT, .msg = "no answer" } };

    (void)state;
    assert_int_equal(answer(1, &none, "{\"Successful\":[{\"Id\":\"0\"}]}"), SL_TIMEOUT);
    assert_string_equal(world.err.msg, "no answer");
    assert_int_equal(sl_sqs_batch_read(world.parser, &none, 1, &world.results, NULL), SL_TIMEOUT);
}

static void an_error_answer_is_what_its_code_says(void **state)
{
    (void)state;
    assert_int_equal(answer(1, &(struct sl_http_reply){ .status = 400 },
                            "{\"__type\":\"com.amazonaws.sqs#QueueDoesNotExist\"}"),
                     SL_NOT_FOUND);
    assert_int_equal(
        answer(1, &(struct sl_http_reply){ .status = 400, .error_code = "ThrottlingException" },
               "{\"__type\":\"com.amazonaws.sqs#QueueDoesNotExist\"}"),
        SL_THROTTLED); /* the header is believed first */
    assert_int_equal(answer(1, &(struct sl_http_reply){ .status = 503 }, "<html>"), SL_UNAVAILABLE);
    assert_int_equal(
        answer(1, &(struct sl_http_reply){ .status = 201 }, "{\"Successful\":[{\"Id\":\"0\"}]}"),
        SL_UNAVAILABLE);
}

static void an_answer_that_is_none_is_an_outage(void **state)
{
    const struct sl_http_reply ok = { .status = 200 };

    (void)state;
    assert_int_equal(answer(1, &ok, "<html>"), SL_UNAVAILABLE);
    assert_int_equal(answer(1, &ok, ""), SL_UNAVAILABLE);
}

int main(void)
{
#define RULE(f) cmocka_unit_test_setup_teardown(f, world_new, world_free)
    const struct CMUnitTest tests[] = {
        RULE(each_action_has_its_name_and_its_body),
        RULE(it_goes_out_in_its_protocol_and_tells_who_asked),
        RULE(ten_long_handles_fit_and_a_whole_send_but_no_more),
        RULE(one_that_cannot_start_says_why),
        RULE(every_entry_has_its_own_result),
        RULE(a_request_without_an_answer_fails_as_its_reply_did),
        RULE(an_error_answer_is_what_its_code_says),
        RULE(an_answer_that_is_none_is_an_outage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
