/* tests/unit/test_sqs_xml.c - how SQS's answers are read that are XML. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "source/sqs_json.h"

#define ATTRIBUTE(NAME, VALUE) \
    "<Attribute><Name>" NAME "</Name><Value>" VALUE "</Value></Attribute>"
#define MESSAGE(ID, BODY, MORE)                                                                  \
    "<Message><MessageId>" ID "</MessageId><ReceiptHandle>h+/=" ID "</ReceiptHandle><Body>" BODY \
    "</Body>" MORE "</Message>\n"
#define RECEIVED(MESSAGES)                                                                     \
    "<?xml version=\"1.0\"?>\n<ReceiveMessageResponse xmlns=\"http://queue.amazonaws.com/doc/" \
    "2012-11-05/\">\n  <ReceiveMessageResult>\n" MESSAGES                                      \
    "</ReceiveMessageResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>"     \
    "</ReceiveMessageResponse>\n"

struct reading {
    struct sl_json_parser *parser;
    struct sl_arena arena;
    struct sl_buf text;
    struct sl_err err;
    struct sl_sqs_message *messages;
    unsigned n;
};

static int reading_new(void **state)
{
    static struct reading r;

    r = (struct reading){ 0 };
    sl_arena_init(&r.arena, 16 << 20, 4096);
    sl_buf_init(&r.text, 8 << 20);
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

static sl_rc receive(struct reading *r, const char *text)
{
    sl_buf_reset(&r->text);
    sl_buf_add_str(&r->text, sl_str_of(text));
    return sl_sqs_read_receive(r->parser, sl_buf_str(&r->text), &r->arena, &r->messages, &r->n,
                               &r->err);
}

static void assert_str(sl_str s, const char *expect)
{
    assert_int_equal(s.len, strlen(expect));
    assert_memory_equal(s.ptr, expect, s.len);
}

static void reads_messages_with_all_their_facts(void **state)
{
    struct reading *r = *state;

    assert_int_equal(
        receive(
            r,
            RECEIVED(MESSAGE(
                "m-1", "{&quot;a&quot;: &quot;&lt;&#xe9;&#13;\n]]&gt;&quot;}",
                "<MD5OfBody>0a1b</MD5OfBody>" ATTRIBUTE("SentTimestamp", "1700000000123") ATTRIBUTE(
                    "ApproximateReceiveCount",
                    "3") "<MessageAttribute>"
                         "<Name>tenant</Name><Value><DataType>String</DataType>"
                         "<StringValue>t &amp; 7</StringValue></Value></MessageAttribute>"
                         "<MessageAttribute><Name>blob</Name><Value><BinaryValue>AAEC</BinaryValue>"
                         "<DataType>Binary</DataType></Value></MessageAttribute>")
                         MESSAGE("m-2", "", ""))),
        SL_OK);
    assert_int_equal(r->n, 2);
    assert_str(r->messages[0].message_id, "m-1");
    assert_str(r->messages[0].receipt_handle, "h+/=m-1");
    assert_str(r->messages[0].md5_of_body, "0a1b");
    assert_str(sl_cleartext_publish(r->messages[0].body), "{\"a\": \"<\xc3\xa9\r\n]]>\"}");
    assert_int_equal(r->messages[0].sent_at_ms, 1700000000123);
    assert_int_equal(r->messages[0].receive_count, 3);
    assert_int_equal(r->messages[0].attributes_n, 1);
    assert_str(r->messages[0].attributes[0].name, "tenant");
    assert_str(sl_cleartext_publish(r->messages[0].attributes[0].value), "t & 7");
    assert_str(r->messages[1].message_id, "m-2");
    assert_str(sl_cleartext_publish(r->messages[1].body), "");
    assert_int_equal(r->messages[1].sent_at_ms, 0);
}

static void a_body_can_be_parsed_where_it_stands(void **state)
{
    struct reading *r = *state;
    const struct sl_json *root = NULL;
    enum sl_json_fault fault = SL_JSON_EMPTY;

    assert_int_equal(receive(r, RECEIVED(MESSAGE("m", "[1,{&quot;a&quot;:2}]", ""))), SL_OK);
    assert_int_equal(sl_json_parse(r->parser, r->messages[0].body, &r->arena, &root, &fault, NULL),
                     SL_OK);
    assert_int_equal(fault, SL_JSON_OK);
    for (unsigned i = 0; i < SL_JSON_PADDING; i++) { /* a sanitizer sees what is not there */
        assert_int_equal(sl_cleartext_publish(r->messages[0].body).ptr[r->messages[0].body.len + i],
                         0);
    }
}

static void a_time_in_seconds_or_with_a_fraction_is_read_as_milliseconds(void **state)
{
    struct reading *r = *state;

    assert_int_equal(
        receive(r, RECEIVED(MESSAGE("a", "x", ATTRIBUTE("SentTimestamp", "1700000000"))
                                MESSAGE("b", "x", ATTRIBUTE("SentTimestamp", "1700000000.25")))),
        SL_OK);
    assert_int_equal(r->messages[0].sent_at_ms, 1700000000000);
    assert_int_equal(r->messages[1].sent_at_ms, 1700000000250);
}

static void nothing_received_is_no_messages(void **state)
{
    struct reading *r = *state;

    r->n = 7;
    assert_int_equal(receive(r, "<ReceiveMessageResponse><ReceiveMessageResult/>"
                                "</ReceiveMessageResponse>"),
                     SL_OK);
    assert_int_equal(r->n, 0);
    r->n = 7;
    assert_int_equal(receive(r, "\n <ReceiveMessageResponse/>"), SL_OK);
    assert_int_equal(r->n, 0);
}

static void reads_what_became_of_each_entry(void **state)
{
    static const char text[] =
        "<DeleteMessageBatchResponse><DeleteMessageBatchResult>"
        "<DeleteMessageBatchResultEntry><Id>0</Id></DeleteMessageBatchResultEntry>"
        "<BatchResultErrorEntry><Id>1</Id><Code>ReceiptHandleIsInvalid</Code>"
        "<SenderFault>true</SenderFault><Message>m</Message></BatchResultErrorEntry>"
        "<BatchResultErrorEntry><Id>2</Id><Code>InternalError</Code>"
        "<SenderFault>false</SenderFault></BatchResultErrorEntry>"
        "</DeleteMessageBatchResult></DeleteMessageBatchResponse>";
    struct reading *r = *state;
    struct sl_sqs_result of[SL_SQS_BATCH];

    assert_int_equal(sl_sqs_read_batch(r->parser, sl_str_of(text), &r->arena, 4, of, &r->err),
                     SL_OK);
    assert_str(of[0].code, "");
    assert_str(of[1].code, "ReceiptHandleIsInvalid");
    assert_true(of[1].is_sender_fault);
    assert_str(of[2].code, "InternalError");
    assert_false(of[2].is_sender_fault);
    assert_str(of[3].code, "NotAnswered");
}

static void reads_the_queue_s_attributes(void **state)
{
    static const char text[] = "<GetQueueAttributesResponse><GetQueueAttributesResult>" //
        ATTRIBUTE("ApproximateNumberOfMessages", "12")                                  //
        ATTRIBUTE("ApproximateNumberOfMessagesNotVisible", "3")                         //
        ATTRIBUTE("VisibilityTimeout", "30") ATTRIBUTE("RedrivePolicy", "{&quot;a&quot;:1}")
            ATTRIBUTE("FifoQueue", "true") "</GetQueueAttributesResult>"
                                           "</GetQueueAttributesResponse>";
    struct reading *r = *state;
    struct sl_sqs_attributes queue;

    assert_int_equal(sl_sqs_read_attributes(r->parser, sl_str_of(text), &r->arena, &queue, &r->err),
                     SL_OK);
    assert_int_equal(queue.visible, 12);
    assert_int_equal(queue.not_visible, 3);
    assert_int_equal(queue.visibility_timeout_s, 30);
    assert_true(queue.has_redrive);
    assert_true(queue.is_fifo);
}

/* A text of a million bytes comes in pieces, as expat is fed. */
static void a_mebibyte_is_read_whole(void **state)
{
    struct reading *r = *state;

    sl_buf_add_str(&r->text, SL_STR("<ReceiveMessageResponse><ReceiveMessageResult><Message>"
                                    "<MessageId>m</MessageId><ReceiptHandle>h</ReceiptHandle>"
                                    "<Body>"));
    for (unsigned i = 0; i < 1 << 20; i++) {
        sl_buf_add_str(&r->text, i % 3 == 0 ? SL_STR("&quot;") : SL_STR("x"));
    }
    sl_buf_add_str(&r->text, SL_STR("</Body></Message></ReceiveMessageResult>"
                                    "</ReceiveMessageResponse>"));
    assert_int_equal(sl_sqs_read_receive(r->parser, sl_buf_str(&r->text), &r->arena, &r->messages,
                                         &r->n, &r->err),
                     SL_OK);
    assert_int_equal(r->n, 1);
    assert_int_equal(r->messages[0].body.len, 1 << 20);
    for (unsigned i = 0; i < 1 << 20; i++) {
        assert_int_equal(sl_cleartext_publish(r->messages[0].body).ptr[i], i % 3 == 0 ? '"' : 'x');
    }
}

static void refuses_what_sqs_does_not_answer(void **state)
{
    static const char *const texts[] = {
        "<!DOCTYPE html><html><body>It works!</body></html>",
        "<html><body>It works!</body></html>",
        "<ReceiveMessageResponse><ReceiveMessageResult>",
        "<ReceiveMessageResponse></ReceiveMessageResult>",
        "<ReceiveMessageResponse/> and more",
        "<ErrorResponse><Error><Code>X</Code></Error></ErrorResponse>",
        "<!DOCTYPE a [<!ENTITY b \"bbbb\"><!ENTITY c \"&b;&b;&b;&b;\">]>"
        "<ReceiveMessageResponse>&c;</ReceiveMessageResponse>",
        "<ReceiveMessageResponse>&unknown;</ReceiveMessageResponse>",
        "<ReceiveMessageResponse>\xff</ReceiveMessageResponse>",
        "<aResponse><b><c><d><e><f><g><h><i/></h></g></f></e></d></c></b></aResponse>",
        RECEIVED("<Message/>"),
        RECEIVED("<Message><MessageId>m</MessageId></Message>"),
        RECEIVED("<Messages>text</Messages>"),
        "<",
    };
    struct reading *r = *state;

    r->n = 7;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(receive(r, texts[i]), SL_UNAVAILABLE);
        assert_int_equal(r->n, 7);
    }
}

static void refuses_more_elements_than_there_can_be(void **state)
{
    struct reading *r = *state;

    sl_buf_add_str(&r->text, SL_STR("<ReceiveMessageResponse>"));
    for (unsigned i = 0; i < 10000; i++) {
        sl_buf_add_str(&r->text, SL_STR("<a/>"));
    }
    sl_buf_add_str(&r->text, SL_STR("</ReceiveMessageResponse>"));
    assert_int_equal(sl_sqs_read_receive(r->parser, sl_buf_str(&r->text), &r->arena, &r->messages,
                                         &r->n, &r->err),
                     SL_UNAVAILABLE);
}

static void says_when_memory_runs_out(void **state)
{
    struct reading *r = *state;
    struct sl_arena small;

    sl_arena_init(&small, 1024, 256);
    sl_buf_add_str(&r->text, SL_STR(RECEIVED(MESSAGE("a", "x", "") MESSAGE("b", "x", ""))));
    assert_int_equal(
        sl_sqs_read_receive(r->parser, sl_buf_str(&r->text), &small, &r->messages, &r->n, &r->err),
        SL_NOMEM);
    sl_arena_done(&small);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, reading_new, reading_free)
    const struct CMUnitTest tests[] = {
        T(reads_messages_with_all_their_facts),
        T(a_body_can_be_parsed_where_it_stands),
        T(a_time_in_seconds_or_with_a_fraction_is_read_as_milliseconds),
        T(nothing_received_is_no_messages),
        T(reads_what_became_of_each_entry),
        T(reads_the_queue_s_attributes),
        T(a_mebibyte_is_read_whole),
        T(refuses_what_sqs_does_not_answer),
        T(refuses_more_elements_than_there_can_be),
        T(says_when_memory_runs_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
