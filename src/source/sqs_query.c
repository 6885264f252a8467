/* source/sqs_query.c - the wire format of SQS, AWS Query: what it is asked, as a form. */
#include <stdio.h>

#include "source/sqs_wire.h"

/* Names are ours and need no escapes; a list counts from 1. */
static void add_value(struct sl_buf *out, sl_str value)
{
    sl_buf_add_char(out, '=');
    sl_buf_add_percent(out, value);
}

static void begin_action(struct sl_buf *out, const char *action, sl_str queue_url)
{
    sl_buf_printf(out, "Action=%s&Version=2012-11-05&QueueUrl", action);
    add_value(out, queue_url);
}

static void query_receive(struct sl_buf *out, const struct sl_sqs_receive *request)
{
    begin_action(out, "ReceiveMessage", request->queue_url);
    sl_buf_printf(out, "&MaxNumberOfMessages=%u&WaitTimeSeconds=%u", request->max_messages,
                  request->wait_time_s);
    if (request->visibility_timeout_s > 0) {
        sl_buf_printf(out, "&VisibilityTimeout=%u", request->visibility_timeout_s);
    }
    /* The older name is the one that every server of this protocol knows. */
    sl_buf_add_str(out, SL_STR("&AttributeName.1=SentTimestamp"
                               "&AttributeName.2=ApproximateReceiveCount"));
    if (request->is_fifo) {
        sl_buf_add_str(out, SL_STR("&AttributeName.3=MessageGroupId"));
    }
    if (request->wants_trace) {
        sl_buf_printf(out, "&AttributeName.%u=AWSTraceHeader", request->is_fifo ? 4 : 3);
    }
    if (request->attempt_id.len > 0) {
        sl_buf_add_str(out, SL_STR("&ReceiveRequestAttemptId"));
        add_value(out, request->attempt_id);
    }
    for (unsigned i = 0; i < request->attributes_n; i++) {
        sl_buf_printf(out, "&MessageAttributeName.%u", i + 1);
        add_value(out, request->attributes[i]);
    }
}

static void query_delete(struct sl_buf *out, sl_str queue_url, const struct sl_sqs_entry *entries,
                         unsigned n)
{
    begin_action(out, "DeleteMessageBatch", queue_url);
    for (unsigned i = 0; i < n; i++) {
        sl_buf_printf(out,
                      "&DeleteMessageBatchRequestEntry.%u.Id=%u"
                      "&DeleteMessageBatchRequestEntry.%u.ReceiptHandle",
                      i + 1, i, i + 1);
        add_value(out, entries[i].receipt_handle);
    }
}

static void query_visibility(struct sl_buf *out, sl_str queue_url,
                             const struct sl_sqs_entry *entries, unsigned n, unsigned timeout_s)
{
    begin_action(out, "ChangeMessageVisibilityBatch", queue_url);
    for (unsigned i = 0; i < n; i++) {
        const char *entry = "ChangeMessageVisibilityBatchRequestEntry";

        sl_buf_printf(out, "&%s.%u.Id=%u&%s.%u.VisibilityTimeout=%u&%s.%u.ReceiptHandle", entry,
                      i + 1, i, entry, i + 1, timeout_s, entry, i + 1);
        add_value(out, entries[i].receipt_handle);
    }
}

static void add_attributes(struct sl_buf *out, unsigned entry,
                           const struct sl_sqs_attribute *attributes, unsigned n)
{
    unsigned sent = 0;

    for (unsigned i = 0; i < n; i++) {
        if (attributes[i].value.len > 0) {
            char name[80];

            (void)snprintf(name, sizeof name,
                           "&SendMessageBatchRequestEntry.%u.MessageAttribute.%u", entry, ++sent);
            sl_buf_printf(out, "%s.Name", name);
            add_value(out, sl_str_of(attributes[i].name));
            sl_buf_printf(out, "%s.Value.DataType=String%s.Value.StringValue", name, name);
            add_value(out, attributes[i].value);
        }
    }
}

static void query_send(struct sl_buf *out, sl_str queue_url, const struct sl_sqs_entry *entries,
                       unsigned n)
{
    begin_action(out, "SendMessageBatch", queue_url);
    for (unsigned i = 0; i < n; i++) {
        const char *entry = "SendMessageBatchRequestEntry";

        sl_buf_printf(out, "&%s.%u.Id=%u&%s.%u.MessageBody", entry, i + 1, i, entry, i + 1);
        add_value(out, entries[i].body);
        add_attributes(out, i + 1, entries[i].attributes, entries[i].attributes_n);
        if (entries[i].fifo_id.len > 0) {
            sl_buf_printf(out, "&%s.%u.MessageGroupId", entry, i + 1);
            add_value(out, entries[i].fifo_id);
            sl_buf_printf(out, "&%s.%u.MessageDeduplicationId", entry, i + 1);
            add_value(out, entries[i].fifo_id);
        }
        if (entries[i].delay_s > 0) {
            sl_buf_printf(out, "&%s.%u.DelaySeconds=%u", entry, i + 1, entries[i].delay_s);
        }
    }
}

static void query_attributes(struct sl_buf *out, sl_str queue_url)
{
    begin_action(out, "GetQueueAttributes", queue_url);
    sl_buf_add_str(out, SL_STR("&AttributeName.1=All"));
}

static void query_queue_url(struct sl_buf *out, sl_str name, sl_str owner)
{
    sl_buf_add_str(out, SL_STR("Action=GetQueueUrl&Version=2012-11-05&QueueName"));
    add_value(out, name);
    if (owner.len > 0) {
        sl_buf_add_str(out, SL_STR("&QueueOwnerAWSAccountId"));
        add_value(out, owner);
    }
}

const struct sl_sqs_wire sl_sqs_query = {
    .name = "query",
    .content_type = "application/x-www-form-urlencoded",
    .waits_again = true,
    .write_receive = query_receive,
    .write_delete = query_delete,
    .write_visibility = query_visibility,
    .write_send = query_send,
    .write_attributes = query_attributes,
    .write_queue_url = query_queue_url,
};

const struct sl_sqs_wire *sl_sqs_wire_of(enum sl_sqs_protocol protocol)
{
    return protocol == SL_SQS_PROTOCOL_JSON    ? &sl_sqs_json
           : protocol == SL_SQS_PROTOCOL_QUERY ? &sl_sqs_query
                                               : NULL;
}
