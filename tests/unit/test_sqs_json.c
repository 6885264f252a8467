/* tests/unit/test_sqs_json.c - what is asked of SQS, and how its answers are read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "source/sqs_wire.h"

#define URL "http://sqs.us-east-1.localhost:9324/000000000000/logins"

/* A parser, an arena and a padded text, as the source has them. */
struct reading {
    struct sl_json_parser *parser;
    struct sl_arena arena;
    struct sl_buf text;
    struct sl_err err;
};

static int reading_new(void **state)
{
    static struct reading r;

    r = (struct reading){ 0 };
    sl_arena_init(&r.arena, 1 << 20, 4096);
    sl_buf_init(&r.text, 1 << 20);
    *state = &r;
    return sl_json_parser_new(1 << 20, &r.parser, NULL) == SL_OK ? 0 : -1;
}

static int reading_free(void **state)
{
    struct reading *r = *state;

    sl_json_parser_free(r->parser);
    sl_arena_done(&r->arena);
    sl_buf_done(&r->text);
    return 0;
}

static sl_str pad(struct reading *r, const char *text)
{
    const size_t len = strlen(text);

    sl_buf_reset(&r->text);
    sl_buf_add(&r->text, text, len);
    for (unsigned i = 0; i < SL_JSON_PADDING; i++) {
        sl_buf_add_char(&r->text, '\0');
    }
    return (sl_str){ r->text.ptr, len };
}

static sl_rc receive(struct reading *r, const char *text, struct sl_sqs_message **ret, unsigned *n)
{
    return sl_sqs_read_receive(r->parser, pad(r, text), &r->arena, ret, n, &r->err);
}

static sl_rc batch(struct reading *r, const char *text, unsigned sent,
                   struct sl_sqs_result ret[static SL_SQS_BATCH])
{
    return sl_sqs_read_batch(r->parser, pad(r, text), &r->arena, sent, ret, &r->err);
}

static void assert_text(struct sl_buf *b, const char *expect)
{
    sl_buf_add_char(b, '\0');
    assert_int_equal(sl_buf_rc(b, NULL), SL_OK);
    assert_string_equal(b->ptr, expect);
    sl_buf_reset(b);
}

static void assert_str(sl_str s, const char *expect)
{
    assert_int_equal(s.len, strlen(expect));
    assert_memory_equal(s.ptr, expect, s.len);
}

static void asks_for_messages_with_both_names_of_the_attributes(void **state)
{
    const sl_str wanted[] = { SL_STR("tenant"), SL_STR("a\"b") };
    struct sl_sqs_receive request = { .queue_url = SL_STR(URL), .max_messages = 10 };
    SL_AUTO(sl_buf_done) struct sl_buf b;

    (void)state;
    sl_buf_init(&b, 4096);
    sl_sqs_json.write_receive(&b, &request);
    assert_text(&b,
                "{\"QueueUrl\":\"" URL "\",\"MaxNumberOfMessages\":10,\"WaitTimeSeconds\":0,"
                "\"MessageSystemAttributeNames\":[\"SentTimestamp\",\"ApproximateReceiveCount\"],"
                "\"AttributeNames\":[\"SentTimestamp\",\"ApproximateReceiveCount\"]}");

    request.wait_time_s = 20;
    request.visibility_timeout_s = 30;
    request.attributes = wanted;
    request.attributes_n = 2;
    sl_sqs_json.write_receive(&b, &request);
    assert_text(&b,
                "{\"QueueUrl\":\"" URL "\",\"MaxNumberOfMessages\":10,\"WaitTimeSeconds\":20,"
                "\"VisibilityTimeout\":30,"
                "\"MessageSystemAttributeNames\":[\"SentTimestamp\",\"ApproximateReceiveCount\"],"
                "\"AttributeNames\":[\"SentTimestamp\",\"ApproximateReceiveCount\"],"
                "\"MessageAttributeNames\":[\"tenant\",\"a\\\"b\"]}");

    request = (struct sl_sqs_receive){
        .queue_url = SL_STR(URL), .max_messages = 1, .is_fifo = true, .attempt_id = SL_STR("0f")
    };
    sl_sqs_json.write_receive(&b, &request);
    assert_text(&b, "{\"QueueUrl\":\"" URL "\",\"MaxNumberOfMessages\":1,\"WaitTimeSeconds\":0,"
                    "\"MessageSystemAttributeNames\":[\"SentTimestamp\","
                    "\"ApproximateReceiveCount\",\"MessageGroupId\"],"
                    "\"AttributeNames\":[\"SentTimestamp\",\"ApproximateReceiveCount\","
                    "\"MessageGroupId\"],\"ReceiveRequestAttemptId\":\"0f\"}");
}

static void asks_for_the_trace_only_when_it_is_wanted(void **state)
{
    struct sl_sqs_receive request = { .queue_url = SL_STR(URL), .wants_trace = true };
    SL_AUTO(sl_buf_done) struct sl_buf b;

    (void)state;
    sl_buf_init(&b, 4096);
    sl_sqs_json.write_receive(&b, &request);
    sl_buf_add_char(&b, '\0');
    assert_non_null(strstr(b.ptr, "\"AttributeNames\":[\"SentTimestamp\","
                                  "\"ApproximateReceiveCount\",\"AWSTraceHeader\"]"));
    sl_buf_reset(&b);
    request.is_fifo = true;
    sl_sqs_json.write_receive(&b, &request);
    sl_buf_add_char(&b, '\0');
    assert_non_null(strstr(b.ptr, ",\"MessageGroupId\",\"AWSTraceHeader\"]"));
    sl_buf_reset(&b);
    request.wants_trace = false;
    sl_sqs_json.write_receive(&b, &request);
    sl_buf_add_char(&b, '\0');
    assert_null(strstr(b.ptr, "Trace"));
}

static void names_batch_entries_by_their_index(void **state)
{
    const struct sl_sqs_entry entries[] = {
        { .receipt_handle = SL_STR("h/1+="), .body = SL_STR("{\"a\": \"\\u0000\"}") },
        { .receipt_handle = SL_STR("h2"), .body = SL_STR("line\n") }
    };
    SL_AUTO(sl_buf_done) struct sl_buf b;

    (void)state;
    sl_buf_init(&b, 4096);
    sl_sqs_json.write_delete(&b, SL_STR(URL), entries, 2);
    assert_text(&b, "{\"QueueUrl\":\"" URL "\",\"Entries\":["
                    "{\"Id\":\"0\",\"ReceiptHandle\":\"h/1+=\"},"
                    "{\"Id\":\"1\",\"ReceiptHandle\":\"h2\"}]}");
    sl_sqs_json.write_visibility(&b, SL_STR(URL), entries, 2, 30);
    assert_text(&b, "{\"QueueUrl\":\"" URL "\",\"Entries\":["
                    "{\"Id\":\"0\",\"ReceiptHandle\":\"h/1+=\",\"VisibilityTimeout\":30},"
                    "{\"Id\":\"1\",\"ReceiptHandle\":\"h2\",\"VisibilityTimeout\":30}]}");
    sl_sqs_json.write_send(&b, SL_STR(URL), entries, 2);
    assert_text(&b, "{\"QueueUrl\":\"" URL "\",\"Entries\":["
                    "{\"Id\":\"0\",\"MessageBody\":\"{\\\"a\\\": \\\"\\\\u0000\\\"}\"},"
                    "{\"Id\":\"1\",\"MessageBody\":\"line\\n\"}]}");
    sl_sqs_json.write_attributes(&b, SL_STR(URL));
    assert_text(&b, "{\"QueueUrl\":\"" URL "\",\"AttributeNames\":[\"All\"]}");
    sl_sqs_json.write_queue_url(&b, SL_STR("q"), SL_STR(""));
    assert_text(&b, "{\"QueueName\":\"q\"}");
    sl_sqs_json.write_queue_url(&b, SL_STR("q"), SL_STR("000000000000"));
    assert_text(&b, "{\"QueueName\":\"q\",\"QueueOwnerAWSAccountId\":\"000000000000\"}");
}

static void sends_attributes_but_for_empty_ones(void **state)
{
    const struct sl_sqs_attribute some[] = { { "a", SL_STR("1") },
                                             { "b", SL_STR("") },
                                             { "c", SL_STR("\"3") } };
    const struct sl_sqs_attribute empty[] = { { "a", SL_STR("") } };
    const struct sl_sqs_entry entries[] = {
        { .body = SL_STR("x"), .attributes = some, .attributes_n = 3 },
        { .body = SL_STR("y"), .attributes = empty, .attributes_n = 1, .fifo_id = SL_STR("m1") },
        { .body = SL_STR("z"), .delay_s = 901 },
    };
    SL_AUTO(sl_buf_done) struct sl_buf b;

    (void)state;
    sl_buf_init(&b, 4096);
    sl_sqs_json.write_send(&b, SL_STR(URL), entries, 3);
    assert_text(&b, "{\"QueueUrl\":\"" URL "\",\"Entries\":["
                    "{\"Id\":\"0\",\"MessageBody\":\"x\",\"MessageAttributes\":{"
                    "\"a\":{\"DataType\":\"String\",\"StringValue\":\"1\"},"
                    "\"c\":{\"DataType\":\"String\",\"StringValue\":\"\\\"3\"}}},"
                    "{\"Id\":\"1\",\"MessageBody\":\"y\",\"MessageGroupId\":\"m1\","
                    "\"MessageDeduplicationId\":\"m1\"},"
                    "{\"Id\":\"2\",\"MessageBody\":\"z\",\"DelaySeconds\":901}]}");
}

static void reads_a_message_with_all_its_facts(void **state)
{
    struct reading *r = *state;
    struct sl_sqs_message *m = NULL;
    unsigned n = 0;

    assert_int_equal(
        receive(r,
                "{\"Messages\":[{\"MessageId\":\"0f1e-1\",\"ReceiptHandle\":\"AQ+/=\","
                "\"MD5OfBody\":\"32365e026658d33521484837856cc808\",\"Body\":\"{\\\"a\\\": 1}\","
                "\"Attributes\":{\"SentTimestamp\":\"1700000000123\","
                "\"ApproximateReceiveCount\":\"3\",\"SenderId\":\"AIDA\"},"
                "\"MessageAttributes\":{"
                "\"tenant\":{\"DataType\":\"String\",\"StringValue\":\"t-7\"},"
                "\"blob\":{\"DataType\":\"Binary\",\"BinaryValue\":\"AAEC\"},"
                "\"n\":{\"DataType\":\"Number\",\"StringValue\":\"12\"}},"
                "\"Unknown\":{\"x\":[1,2]}}],\"AlsoUnknown\":1}",
                &m, &n),
        SL_OK);
    assert_int_equal(n, 1);
    assert_str(m[0].message_id, "0f1e-1");
    assert_str(m[0].receipt_handle, "AQ+/=");
    assert_str(m[0].md5_of_body, "32365e026658d33521484837856cc808");
    assert_str(sl_cleartext_publish(m[0].body), "{\"a\": 1}");
    assert_int_equal(m[0].sent_at_ms, 1700000000123);
    assert_int_equal(m[0].receive_count, 3);
    assert_int_equal(m[0].attributes_n, 2);
    assert_str(m[0].attributes[0].name, "tenant");
    assert_str(sl_cleartext_publish(m[0].attributes[0].value), "t-7");
    assert_str(m[0].attributes[1].name, "n");
    assert_str(sl_cleartext_publish(m[0].attributes[1].value), "12");
}

/* A message of the trace that these say; "" = no such header. */
static const struct sl_trace *trace_of(struct reading *r, const char *aws, const char *w3c)
{
    struct sl_sqs_message *m = NULL;
    unsigned n = 0;
    char text[512];

    (void)snprintf(text, sizeof text,
                   "{\"Messages\":[{\"MessageId\":\"a\",\"ReceiptHandle\":\"h\",\"Body\":\"\","
                   "\"Attributes\":{\"AWSTraceHeader\":\"%s\"},\"MessageAttributes\":"
                   "{\"traceparent\":{\"DataType\":\"String\",\"StringValue\":\"%s\"}}}]}",
                   aws, w3c);
    assert_int_equal(receive(r, text, &m, &n), SL_OK);
    return &m[0].trace;
}

static void the_trace_is_that_of_the_sender_or_else_that_of_aws(void **state)
{
#define AWS "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"
#define W3C "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert_str(sl_trace_text(trace_of(*state, AWS, W3C)), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_str(sl_trace_text(trace_of(*state, "", W3C)), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_str(sl_trace_text(trace_of(*state, AWS, "")), "5759e988bd862e3fe1be46a994272793");
    assert_str(sl_trace_text(trace_of(*state, AWS, "00-mallory")),
               "5759e988bd862e3fe1be46a994272793");
    assert_str(sl_trace_text(trace_of(*state, "Root=mallory", "\\u0000")), "");
}

static void a_message_may_have_no_md5_and_no_facts(void **state)
{
    struct reading *r = *state;
    struct sl_sqs_message *m = NULL;
    unsigned n = 0;

    assert_int_equal(
        receive(r, "{\"Messages\":[{\"MessageId\":\"a\",\"ReceiptHandle\":\"h\",\"Body\":\"\"}]}",
                &m, &n),
        SL_OK);
    assert_int_equal(n, 1);
    assert_int_equal(m[0].md5_of_body.len, 0);
    assert_int_equal(m[0].body.len, 0);
    assert_int_equal(m[0].sent_at_ms, 0);
    assert_int_equal(m[0].receive_count, 0);
    assert_int_equal(m[0].attributes_n, 0);
}

static void no_messages_is_no_failure(void **state)
{
    static const char *const texts[] = { "{}", "{\"Messages\":[]}", "{\"Messages\":null}",
                                         " {\"ResponseMetadata\":{}} " };
    struct sl_sqs_message *m = NULL;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        unsigned n = 99;

        assert_int_equal(receive(*state, texts[i], &m, &n), SL_OK);
        assert_int_equal(n, 0);
    }
}

static void more_than_ten_messages_are_taken(void **state)
{
    SL_AUTO(sl_buf_done) struct sl_buf b;
    struct sl_sqs_message *m = NULL;
    unsigned n = 0;

    sl_buf_init(&b, 4096);
    sl_buf_printf(&b, "{\"Messages\":[");
    for (unsigned i = 0; i < 12; i++) {
        sl_buf_printf(&b, "%s{\"MessageId\":\"m%u\",\"ReceiptHandle\":\"h\",\"Body\":\"x\"}",
                      i > 0 ? "," : "", i);
    }
    sl_buf_add(&b, "]}", 3);
    assert_int_equal(receive(*state, b.ptr, &m, &n), SL_OK);
    assert_int_equal(n, 12);
    assert_str(m[11].message_id, "m11");
}

static void reads_sent_timestamps_of_every_kind_of_server(void **state)
{
    static const struct {
        const char *json;
        int64_t at_ms;
    } cases[] = {
        { "\"1700000000123\"", 1700000000123 },
        { "1700000000123", 1700000000123 },
        { "\"1700000000\"", 1700000000000 },
        { "1700000000.5", 1700000000500 },
        { "\"1700000000.123456\"", 1700000000123 },
        { "\"1700000000123.9\"", 1700000000123 },
        { "\"99999999999\"", 99999999999000 },
        { "\"100000000000\"", 100000000000 },
        { "\"\"", 0 },
        { "\"-5\"", 0 },
        { "\"1e12\"", 0 },
        { "\"17000000x\"", 0 },
        { "null", 0 },
        { "\"99999999999999999999999\"", 0 },
        { "\"17.1x\"", 0 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        SL_AUTO(sl_buf_done) struct sl_buf b;
        struct sl_sqs_message *m = NULL;
        unsigned n = 0;

        sl_buf_init(&b, 4096);
        sl_buf_printf(&b,
                      "{\"Messages\":[{\"MessageId\":\"a\",\"ReceiptHandle\":\"h\",\"Body\":\"\","
                      "\"Attributes\":{\"SentTimestamp\":%s}}]}",
                      cases[i].json);
        sl_buf_add_char(&b, '\0');
        assert_int_equal(receive(*state, b.ptr, &m, &n), SL_OK);
        assert_int_equal(m[0].sent_at_ms, cases[i].at_ms);
    }
}

static void a_reply_that_sqs_would_not_send_is_an_outage(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "[]",
        "null",
        "<html><body>500 Internal Server Error</body></html>",
        "{\"Messages\":[{\"MessageId\":\"a\",\"ReceiptHandle\":\"h\",\"Bo",
        "{\"Messages\":{}}",
        "{\"Messages\":[1]}",
        "{\"Messages\":[{\"ReceiptHandle\":\"h\",\"Body\":\"canary\"}]}",
        "{\"Messages\":[{\"MessageId\":\"\",\"ReceiptHandle\":\"h\",\"Body\":\"canary\"}]}",
        "{\"Messages\":[{\"MessageId\":\"a b\",\"ReceiptHandle\":\"h\",\"Body\":\"canary\"}]}",
        "{\"Messages\":[{\"MessageId\":\"a\\u0000\",\"ReceiptHandle\":\"h\",\"Body\":\"x\"}]}",
        "{\"Messages\":[{\"MessageId\":\"a\",\"Body\":\"canary\"}]}",
        "{\"Messages\":[{\"MessageId\":\"a\",\"ReceiptHandle\":\"h\"}]}",
        "{\"Messages\":[{\"MessageId\":\"a\",\"ReceiptHandle\":\"h\",\"Body\":{\"x\":1}}]}",
    };
    struct reading *r = *state;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct sl_sqs_message *m = NULL;
        unsigned n = 77;

        assert_int_equal(receive(r, texts[i], &m, &n), SL_UNAVAILABLE);
        assert_int_equal(n, 77);
        assert_null(m);
        assert_null(strstr(r->err.msg, "canary"));
    }
}

static void message_ids_have_1_to_128_bytes(void **state)
{
    for (unsigned len = 127; len <= 129; len++) {
        SL_AUTO(sl_buf_done) struct sl_buf b;
        struct sl_sqs_message *m = NULL;
        unsigned n = 0;

        sl_buf_init(&b, 4096);
        sl_buf_printf(&b, "{\"Messages\":[{\"MessageId\":\"");
        for (unsigned i = 0; i < len; i++) {
            sl_buf_add_char(&b, 'x');
        }
        sl_buf_printf(&b, "\",\"ReceiptHandle\":\"h\",\"Body\":\"x\"}]}");
        sl_buf_add_char(&b, '\0');
        assert_int_equal(receive(*state, b.ptr, &m, &n), len <= 128 ? SL_OK : SL_UNAVAILABLE);
    }
}

static void a_body_that_is_no_text_does_not_fail_its_neighbours(void **state)
{
    struct sl_sqs_message *m = NULL;
    unsigned n = 0;

    assert_int_equal(receive(*state,
                             "{\"Messages\":[{\"MessageId\":\"a\",\"ReceiptHandle\":\"h\","
                             "\"Body\":\"\\ud800\"},{\"MessageId\":\"b\",\"ReceiptHandle\":\"h\","
                             "\"Body\":\"fine\"}]}",
                             &m, &n),
                     SL_OK);
    assert_int_equal(n, 2);
    assert_str(sl_cleartext_publish(m[1].body), "fine");
}

static void an_arena_that_is_full_is_memory_not_an_outage(void **state)
{
    struct reading *r = *state;
    struct sl_sqs_message *m = NULL;
    unsigned n = 0;

    sl_arena_done(&r->arena);
    sl_arena_init(&r->arena, 16, 16);
    assert_int_equal(receive(r,
                             "{\"Messages\":[{\"MessageId\":\"a\",\"ReceiptHandle\":\"h\","
                             "\"Body\":\"x\"}]}",
                             &m, &n),
                     SL_NOMEM);
}

static void finds_every_entry_that_failed(void **state)
{
    struct sl_sqs_result of[SL_SQS_BATCH] = { [0] = { .is_sender_fault = true } };

    assert_int_equal(batch(*state, "{\"Successful\":[{\"Id\":\"0\"},{\"Id\":\"1\"}]}", 2, of),
                     SL_OK);
    assert_str(of[0].code, "");
    assert_str(of[1].code, "");

    assert_int_equal(
        batch(*state,
              "{\"Successful\":[{\"Id\":\"1\"}],\"Failed\":[{\"Id\":\"2\",\"SenderFault\":true,"
              "\"Code\":\"ReceiptHandleIsInvalid\",\"Message\":\"no\"},{\"Id\":\"0\"}]}",
              3, of),
        SL_OK);
    assert_str(of[0].code, "Unknown");
    assert_false(of[0].is_sender_fault);
    assert_str(of[1].code, "");
    assert_str(of[2].code, "ReceiptHandleIsInvalid");
    assert_true(of[2].is_sender_fault);
}

static void an_entry_without_an_answer_has_failed(void **state)
{
    struct sl_sqs_result of[SL_SQS_BATCH];

    assert_int_equal(batch(*state,
                           "{\"Successful\":[{\"Id\":\"1\"},{\"Id\":\"7\"},{\"Id\":\"x\"},"
                           "{\"Id\":\"-1\"},{}],\"Failed\":[{\"Id\":\"4294967296\"}]}",
                           3, of),
                     SL_OK);
    assert_str(of[0].code, "NotAnswered");
    assert_str(of[1].code, "");
    assert_str(of[2].code, "NotAnswered");
    assert_int_equal(batch(*state, "{}", SL_SQS_BATCH, of), SL_OK);
    for (unsigned i = 0; i < SL_SQS_BATCH; i++) {
        assert_str(of[i].code, "NotAnswered");
    }
}

static void an_entry_in_both_lists_has_failed(void **state)
{
    struct sl_sqs_result of[SL_SQS_BATCH];

    assert_int_equal(batch(*state,
                           "{\"Failed\":[{\"Id\":\"0\",\"Code\":\"InternalError\"}],"
                           "\"Successful\":[{\"Id\":\"0\"}]}",
                           1, of),
                     SL_OK);
    assert_str(of[0].code, "InternalError");
}

static void a_batch_answer_that_is_none_is_an_outage(void **state)
{
    struct sl_sqs_result of[SL_SQS_BATCH] = { [0] = { .code = SL_STR("as it was") } };

    assert_int_equal(batch(*state, "", 1, of), SL_UNAVAILABLE);
    assert_int_equal(batch(*state, "<html>", 1, of), SL_UNAVAILABLE);
    assert_int_equal(batch(*state, "{\"Successful\":7}", 1, of), SL_UNAVAILABLE);
    assert_int_equal(batch(*state, "{}", 11, of), SL_BUG);
    assert_str(of[0].code, "as it was");
}

static sl_rc attributes(struct reading *r, const char *text, struct sl_sqs_attributes *ret)
{
    return sl_sqs_read_attributes(r->parser, pad(r, text), &r->arena, ret, &r->err);
}

static void reads_the_attributes_of_a_queue(void **state)
{
    struct sl_sqs_attributes q = { 0 };

    assert_int_equal(attributes(*state,
                                "{\"Attributes\":{\"ApproximateNumberOfMessages\":\"12\","
                                "\"ApproximateNumberOfMessagesNotVisible\":\"3\","
                                "\"ApproximateNumberOfMessagesDelayed\":\"4\","
                                "\"VisibilityTimeout\":\"30\",\"MessageRetentionPeriod\":345600,"
                                "\"FifoQueue\":\"true\",\"RedrivePolicy\":\"{}\"}}",
                                &q),
                     SL_OK);
    assert_int_equal(q.visible, 12);
    assert_int_equal(q.not_visible, 3);
    assert_int_equal(q.delayed, 4);
    assert_int_equal(q.visibility_timeout_s, 30);
    assert_int_equal(q.retention_s, 345600);
    assert_true(q.is_fifo);
    assert_true(q.has_redrive);

    assert_int_equal(attributes(*state,
                                "{\"Attributes\":{\"ApproximateNumberOfMessages\":\"0\","
                                "\"ApproximateNumberOfMessagesNotVisible\":\"0\"}}",
                                &q),
                     SL_OK);
    assert_int_equal(q.visible, 0);
    assert_int_equal(q.delayed, 0);
    assert_false(q.is_fifo);
    assert_false(q.has_redrive);
}

static void a_missing_count_does_not_read_as_an_empty_queue(void **state)
{
    struct sl_sqs_attributes q = { .visible = 42 };

    assert_int_equal(attributes(*state, "{}", &q), SL_UNAVAILABLE);
    assert_int_equal(
        attributes(*state, "{\"Attributes\":{\"ApproximateNumberOfMessages\":\"0\"}}", &q),
        SL_UNAVAILABLE);
    assert_int_equal(attributes(*state, "", &q), SL_UNAVAILABLE);
    assert_int_equal(q.visible, 42);
}

static void a_count_below_zero_does_not_make_others_vanish(void **state)
{
    struct sl_sqs_attributes q = { .visible = 42 };

    assert_int_equal(attributes(*state,
                                "{\"Attributes\":{\"ApproximateNumberOfMessages\":\"5\","
                                "\"ApproximateNumberOfMessagesNotVisible\":\"-5\"}}",
                                &q),
                     SL_UNAVAILABLE);
    assert_int_equal(attributes(*state,
                                "{\"Attributes\":{\"ApproximateNumberOfMessages\":\"-5\","
                                "\"ApproximateNumberOfMessagesNotVisible\":\"5\"}}",
                                &q),
                     SL_UNAVAILABLE);
    assert_int_equal(q.visible, 42);
}

static void every_spelling_of_an_error_is_understood(void **state)
{
    static const struct {
        int status;
        const char *header;
        const char *text;
        sl_rc rc;
        const char *says;
    } cases[] = {
        { 400, "AWS.SimpleQueueService.NonExistentQueue",
          "{\"__type\":\"com.amazonaws.sqs#QueueDoesNotExist\",\"message\":\"no such queue\"}",
          SL_NOT_FOUND, "the queue does not exist (AWS.SimpleQueueService.NonExistentQueue)" },
        { 400, "", "{\"__type\":\"com.amazonaws.sqs#QueueDoesNotExist\"}", SL_NOT_FOUND,
          "the queue does not exist (QueueDoesNotExist)" },
        { 400, "AWS.SimpleQueueService.NonExistentQueue;Sender", "", SL_NOT_FOUND,
          "the queue does not exist (AWS.SimpleQueueService.NonExistentQueue)" },
        { 403, "",
          "<?xml version=\"1.0\"?>\n<ErrorResponse><Error><Code>InvalidClientTokenId</Code>"
          "<Message>The security token included in the request is invalid.</Message></Error>"
          "</ErrorResponse>",
          SL_DENIED,
          "SQS refuses these credentials (InvalidClientTokenId): check the access key, secret and "
          "region" },
        { 400, "", "{\"__type\":\"ThrottlingException:http://internal.amazon.com/\"}", SL_THROTTLED,
          "SQS asks to slow down (ThrottlingException)" },
        { 400, "", "{\"code\":\"OverLimit\"}", SL_THROTTLED,
          "too many messages of the queue are in flight (OverLimit)" },
        { 503, "", "{\"__type\":\"InternalFailure\"}", SL_UNAVAILABLE,
          "SQS could not serve (InternalFailure)" },
        { 400, "InvalidParameterValue",
          "{\"message\":\"Value 99 for parameter WaitTimeSeconds is invalid.\"}", SL_BUG,
          "SQS refuses the request (InvalidParameterValue); SQS says: Value 99 for parameter "
          "WaitTimeSeconds is invalid." },
        { 500, "InvalidParameterValue", "{}", SL_UNAVAILABLE,
          "SQS refuses the request (InvalidParameterValue)" },
        { 400, "", "{\"__type\":\"InvalidMessageContents\",\"message\":\"bad: canary\"}", SL_BUG,
          "SQS refuses a message because of its characters (InvalidMessageContents)" },
        { 418, "", "{\"__type\":\"Teapot\",\"Message\":\"short and stout\"}", SL_UNAVAILABLE,
          "SQS answers with an unknown error (HTTP 418, Teapot); SQS says: short and stout" },
        { 403, "", "{\"__type\":\"Teapot\",\"message\":\"caf\xc3\xa9\"}", SL_DENIED,
          "SQS answers with an unknown error (HTTP 403, Teapot)" },
        { 500, "", "<!doctype html><title>500 Internal Server Error</title>", SL_UNAVAILABLE,
          "SQS could not serve, or the endpoint is not one (HTTP 500 without an error code of "
          "SQS)" },
        { 502, "", "", SL_UNAVAILABLE,
          "SQS could not serve, or the endpoint is not one (HTTP 502 without an error code of "
          "SQS)" },
        { 403, "", "[1]", SL_DENIED,
          "SQS refuses these credentials (HTTP 403 without an error code of SQS)" },
        { 429, "", "{\"__type\":7}", SL_THROTTLED, NULL },
        { 404, "", "<Code>unfinished", SL_UNAVAILABLE, NULL },
    };
    struct reading *r = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        r->err = (struct sl_err){ 0 };
        assert_int_equal(sl_sqs_read_error(r->parser, cases[i].status, sl_str_of(cases[i].header),
                                           pad(r, cases[i].text), &r->err),
                         cases[i].rc);
        assert_int_equal(r->err.rc, cases[i].rc);
        assert_int_equal(r->err.http_status, cases[i].status);
        if (cases[i].says != NULL) {
            assert_string_equal(r->err.msg, cases[i].says);
        }
    }
}

static void an_error_needs_no_report_and_is_never_ok(void **state)
{
    struct reading *r = *state;

    assert_int_equal(sl_sqs_read_error(r->parser, 400, SL_STR("OverLimit"), pad(r, "{}"), NULL),
                     SL_THROTTLED);
    assert_int_equal(sl_sqs_read_error(r->parser, 301, (sl_str){ 0 }, (sl_str){ 0 }, NULL),
                     SL_UNAVAILABLE);
}

static void a_long_message_of_the_server_is_left_out(void **state)
{
    struct reading *r = *state;
    SL_AUTO(sl_buf_done) struct sl_buf b;

    sl_buf_init(&b, 4096);
    sl_buf_printf(&b, "{\"__type\":\"Teapot\",\"message\":\"canary ");
    for (unsigned i = 0; i < 100; i++) {
        sl_buf_add_char(&b, 'x');
    }
    sl_buf_printf(&b, "\"}");
    sl_buf_add_char(&b, '\0');
    assert_int_equal(sl_sqs_read_error(r->parser, 400, (sl_str){ 0 }, pad(r, b.ptr), &r->err),
                     SL_UNAVAILABLE);
    assert_null(strstr(r->err.msg, "canary"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, reading_new, reading_free)

static void reads_the_url_of_a_queue(void **state)
{
    static const char *const wrong[] = { "{}", "{\"QueueUrl\":\"\"}", "{\"QueueUrl\":7}",
                                         "{\"QueueUrl\":\"http://h/a b\"}" };
    struct reading *r = *state;
    sl_str url = SL_STR("before");

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(
            sl_sqs_read_queue_url(r->parser, pad(r, wrong[i]), &r->arena, &url, &r->err),
            SL_UNAVAILABLE);
        assert_str(url, "before");
    }
    assert_int_equal(sl_sqs_read_queue_url(r->parser, pad(r, "{\"QueueUrl\":\"" URL "\"}"),
                                           &r->arena, &url, &r->err),
                     SL_OK);
    assert_str(url, URL);
    assert_int_equal(
        sl_sqs_read_queue_url(r->parser,
                              pad(r, "<GetQueueUrlResponse><GetQueueUrlResult><QueueUrl>" URL
                                     "</QueueUrl></GetQueueUrlResult></GetQueueUrlResponse>"),
                              &r->arena, &url, &r->err),
        SL_OK);
    assert_str(url, URL);
}

static void knows_an_error_of_a_server_that_speaks_json(void **state)
{
    static const struct {
        const char *header_code;
        const char *text;
        bool is_json;
    } cases[] = {
        { "", "{\"__type\":\"com.amazonaws.sqs#QueueDoesNotExist\"}", true },
        { "AWS.SimpleQueueService.NonExistentQueue", "", true },
        { "", "{\"code\":\"InternalFailure\"}", true },
        { "", "{\"__type\":\"com.amazon.coral.service#UnknownOperationException\"}", false },
        { "", "{\"status\":\"running\"}", false },
        { "", "", false },
        { "", "<html></html>", false },
        { "", "<ErrorResponse><Error><Code>InvalidAction</Code></Error></ErrorResponse>", false },
    };
    struct reading *r = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(
            sl_sqs_error_is_json(r->parser, sl_str_of(cases[i].header_code), pad(r, cases[i].text)),
            cases[i].is_json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(asks_for_messages_with_both_names_of_the_attributes),
        TEST(asks_for_the_trace_only_when_it_is_wanted),
        TEST(names_batch_entries_by_their_index),
        TEST(sends_attributes_but_for_empty_ones),
        TEST(reads_a_message_with_all_its_facts),
        TEST(the_trace_is_that_of_the_sender_or_else_that_of_aws),
        TEST(a_message_may_have_no_md5_and_no_facts),
        TEST(no_messages_is_no_failure),
        TEST(more_than_ten_messages_are_taken),
        TEST(reads_sent_timestamps_of_every_kind_of_server),
        TEST(a_reply_that_sqs_would_not_send_is_an_outage),
        TEST(message_ids_have_1_to_128_bytes),
        TEST(a_body_that_is_no_text_does_not_fail_its_neighbours),
        TEST(an_arena_that_is_full_is_memory_not_an_outage),
        TEST(finds_every_entry_that_failed),
        TEST(an_entry_without_an_answer_has_failed),
        TEST(an_entry_in_both_lists_has_failed),
        TEST(a_batch_answer_that_is_none_is_an_outage),
        TEST(reads_the_attributes_of_a_queue),
        TEST(a_missing_count_does_not_read_as_an_empty_queue),
        TEST(a_count_below_zero_does_not_make_others_vanish),
        TEST(every_spelling_of_an_error_is_understood),
        TEST(an_error_needs_no_report_and_is_never_ok),
        TEST(a_long_message_of_the_server_is_left_out),
        TEST(reads_the_url_of_a_queue),
        TEST(knows_an_error_of_a_server_that_speaks_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
