/* tests/unit/test_sqs_query.c - what is asked of SQS in the Query protocol. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "source/sqs_wire.h"

#define URL          "http://q:9/0/a"
#define URL_ENCODED  "http%3A%2F%2Fq%3A9%2F0%2Fa"
#define HEAD(ACTION) "Action=" ACTION "&Version=2012-11-05&QueueUrl=" URL_ENCODED

static void assert_form(struct sl_buf *b, const char *expect)
{
    sl_buf_add_char(b, '\0');
    assert_int_equal(sl_buf_rc(b, NULL), SL_OK);
    assert_string_equal(b->ptr, expect);
    sl_buf_reset(b);
}

static void asks_for_messages_by_a_form(void **state)
{
    const sl_str wanted[] = { SL_STR("tenant"), SL_STR("a b") };
    struct sl_sqs_receive request = { .queue_url = SL_STR(URL), .max_messages = 10 };
    SL_AUTO(sl_buf_done) struct sl_buf b;

    (void)state;
    sl_buf_init(&b, 4096);
    sl_sqs_query.write_receive(&b, &request);
    assert_form(&b, HEAD("ReceiveMessage") "&MaxNumberOfMessages=10&WaitTimeSeconds=0"
                                           "&AttributeName.1=SentTimestamp"
                                           "&AttributeName.2=ApproximateReceiveCount");
    request.wait_time_s = 20;
    request.visibility_timeout_s = 30;
    request.attributes = wanted;
    request.attributes_n = 2;
    sl_sqs_query.write_receive(&b, &request);
    assert_form(&b, HEAD("ReceiveMessage") "&MaxNumberOfMessages=10&WaitTimeSeconds=20"
                                           "&VisibilityTimeout=30"
                                           "&AttributeName.1=SentTimestamp"
                                           "&AttributeName.2=ApproximateReceiveCount"
                                           "&MessageAttributeName.1=tenant"
                                           "&MessageAttributeName.2=a%20b");
    request = (struct sl_sqs_receive){
        .queue_url = SL_STR(URL), .max_messages = 1, .is_fifo = true, .attempt_id = SL_STR("0f")
    };
    sl_sqs_query.write_receive(&b, &request);
    assert_form(&b, HEAD("ReceiveMessage") "&MaxNumberOfMessages=1&WaitTimeSeconds=0"
                                           "&AttributeName.1=SentTimestamp"
                                           "&AttributeName.2=ApproximateReceiveCount"
                                           "&AttributeName.3=MessageGroupId"
                                           "&ReceiveRequestAttemptId=0f");
    request = (struct sl_sqs_receive){ .queue_url = SL_STR(URL), .wants_trace = true };
    sl_sqs_query.write_receive(&b, &request);
    assert_form(&b, HEAD("ReceiveMessage") "&MaxNumberOfMessages=0&WaitTimeSeconds=0"
                                           "&AttributeName.1=SentTimestamp"
                                           "&AttributeName.2=ApproximateReceiveCount"
                                           "&AttributeName.3=AWSTraceHeader");
}

static void escapes_all_but_unreserved_characters(void **state)
{
    const struct sl_sqs_entry entries[] = {
        { .receipt_handle = SL_STR("AZaz09-_.~+/= &%?#\n\xc3\xa9") },
        { .receipt_handle = SL_STR("h2") },
    };
    SL_AUTO(sl_buf_done) struct sl_buf b;

    (void)state;
    sl_buf_init(&b, 4096);
    sl_sqs_query.write_delete(&b, SL_STR(URL), entries, 2);
    assert_form(&b, HEAD("DeleteMessageBatch") "&DeleteMessageBatchRequestEntry.1.Id=0"
                                               "&DeleteMessageBatchRequestEntry.1.ReceiptHandle="
                                               "AZaz09-_.~%2B%2F%3D%20%26%25%3F%23%0A%C3%A9"
                                               "&DeleteMessageBatchRequestEntry.2.Id=1"
                                               "&DeleteMessageBatchRequestEntry.2.ReceiptHandle="
                                               "h2");
    sl_sqs_query.write_visibility(&b, SL_STR(URL), entries + 1, 1, 30);
    assert_form(&b, HEAD("ChangeMessageVisibilityBatch") //
                "&ChangeMessageVisibilityBatchRequestEntry.1.Id=0"
                "&ChangeMessageVisibilityBatchRequestEntry.1.VisibilityTimeout=30"
                "&ChangeMessageVisibilityBatchRequestEntry.1.ReceiptHandle=h2");
    sl_sqs_query.write_attributes(&b, SL_STR(URL));
    assert_form(&b, HEAD("GetQueueAttributes") "&AttributeName.1=All");
    sl_sqs_query.write_queue_url(&b, SL_STR("q.fifo"), SL_STR(""));
    assert_form(&b, "Action=GetQueueUrl&Version=2012-11-05&QueueName=q.fifo");
    sl_sqs_query.write_queue_url(&b, SL_STR("q"), SL_STR("000000000000"));
    assert_form(&b, "Action=GetQueueUrl&Version=2012-11-05&QueueName=q"
                    "&QueueOwnerAWSAccountId=000000000000");
}

static void sends_attributes_but_for_empty_ones(void **state)
{
    const struct sl_sqs_attribute some[] = { { "a", SL_STR("1") },
                                             { "b", SL_STR("") },
                                             { "c", SL_STR("\"3") } };
    const struct sl_sqs_entry entries[] = {
        { .body = SL_STR("{}"), .attributes = some, .attributes_n = 3 },
        { .body = SL_STR("y"), .fifo_id = SL_STR("m1"), .delay_s = 901 },
    };
    SL_AUTO(sl_buf_done) struct sl_buf b;

    (void)state;
    sl_buf_init(&b, 4096);
    sl_sqs_query.write_send(&b, SL_STR(URL), entries, 2);
#define ONE "&SendMessageBatchRequestEntry.1."
#define TWO "&SendMessageBatchRequestEntry.2."
    assert_form(&b,
                HEAD("SendMessageBatch") ONE "Id=0" ONE "MessageBody=%7B%7D" //
                ONE "MessageAttribute.1.Name=a" ONE "MessageAttribute.1.Value.DataType=String" ONE
                                             "MessageAttribute.1.Value.StringValue=1" //
                ONE "MessageAttribute.2.Name=c" ONE "MessageAttribute.2.Value.DataType=String" ONE
                                             "MessageAttribute.2.Value.StringValue=%223" //
                TWO "Id=1" TWO "MessageBody=y" TWO "MessageGroupId=m1" TWO
                                             "MessageDeduplicationId=m1" TWO "DelaySeconds=901");
}

static void fails_once_where_there_is_no_room(void **state)
{
    const struct sl_sqs_entry entry = { .receipt_handle = SL_STR("======") };
    SL_AUTO(sl_buf_done) struct sl_buf b;

    (void)state;
    sl_buf_init(&b, sizeof HEAD("DeleteMessageBatch") + 80);
    sl_sqs_query.write_delete(&b, SL_STR(URL), &entry, 1);
    assert_int_equal(sl_buf_rc(&b, NULL), SL_NOMEM);
}

static void the_configuration_chooses_a_row_or_leaves_it(void **state)
{
    (void)state;
    assert_ptr_equal(sl_sqs_wire_of(SL_SQS_PROTOCOL_JSON), &sl_sqs_json);
    assert_ptr_equal(sl_sqs_wire_of(SL_SQS_PROTOCOL_QUERY), &sl_sqs_query);
    assert_null(sl_sqs_wire_of(SL_SQS_PROTOCOL_AUTO));
    assert_string_equal(sl_sqs_json.name, "json");
    assert_string_equal(sl_sqs_query.name, "query");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_for_messages_by_a_form),
        cmocka_unit_test(escapes_all_but_unreserved_characters),
        cmocka_unit_test(sends_attributes_but_for_empty_ones),
        cmocka_unit_test(fails_once_where_there_is_no_room),
        cmocka_unit_test(the_configuration_chooses_a_row_or_leaves_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
