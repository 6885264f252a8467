/* source/sqs_json_write.c - the wire format of SQS, AWS JSON 1.0: what it is asked. */
#include "source/sqs_wire.h"

static void add_name(struct sl_buf *out, const char *name)
{
    sl_buf_add_str(out, SL_STR(",\""));
    sl_buf_add_str(out, sl_str_of(name));
    sl_buf_add_str(out, SL_STR("\":"));
}

static void add_names(struct sl_buf *out, const char *member, const sl_str *names, unsigned n)
{
    add_name(out, member);
    sl_buf_add_char(out, '[');
    for (unsigned i = 0; i < n; i++) {
        if (i > 0) {
            sl_buf_add_char(out, ',');
        }
        sl_buf_add_json(out, names[i]);
    }
    sl_buf_add_char(out, ']');
}

static void add_queue_url(struct sl_buf *out, sl_str queue_url)
{
    sl_buf_add_str(out, SL_STR("{\"QueueUrl\":"));
    sl_buf_add_json(out, queue_url);
}

static void add_member(struct sl_buf *out, const char *name, sl_str value)
{
    add_name(out, name);
    sl_buf_add_json(out, value);
}

static void add_number(struct sl_buf *out, const char *name, unsigned number)
{
    add_name(out, name);
    sl_buf_add_unsigned(out, number);
}

static void json_receive(struct sl_buf *out, const struct sl_sqs_receive *request)
{
    sl_str system[4] = { SL_STR("SentTimestamp"), SL_STR("ApproximateReceiveCount") };
    unsigned system_n = 2;

    if (request->is_fifo) {
        system[system_n++] = SL_STR("MessageGroupId");
    }
    if (request->wants_trace) {
        system[system_n++] = SL_STR("AWSTraceHeader");
    }
    add_queue_url(out, request->queue_url);
    /* A wait of 0 is said, too: it stands against the queue's own preset. */
    add_number(out, "MaxNumberOfMessages", request->max_messages);
    add_number(out, "WaitTimeSeconds", request->wait_time_s);
    if (request->visibility_timeout_s > 0) {
        add_number(out, "VisibilityTimeout", request->visibility_timeout_s);
    }
    /* Older servers know the second name only. */
    add_names(out, "MessageSystemAttributeNames", system, system_n);
    add_names(out, "AttributeNames", system, system_n);
    if (request->attributes_n > 0) {
        add_names(out, "MessageAttributeNames", request->attributes, request->attributes_n);
    }
    if (request->attempt_id.len > 0) {
        add_member(out, "ReceiveRequestAttemptId", request->attempt_id);
    }
    sl_buf_add_char(out, '}');
}

/* Ids are digits: a batch has ten entries at most. */
static void begin_entry(struct sl_buf *out, unsigned i)
{
    sl_buf_add_str(out, i > 0 ? SL_STR(",{\"Id\":\"") : SL_STR("{\"Id\":\""));
    sl_buf_add_char(out, (char)('0' + i));
    sl_buf_add_char(out, '"');
}

static void json_delete(struct sl_buf *out, sl_str queue_url, const struct sl_sqs_entry *entries,
                        unsigned n)
{
    add_queue_url(out, queue_url);
    sl_buf_add_str(out, SL_STR(",\"Entries\":["));
    for (unsigned i = 0; i < n; i++) {
        begin_entry(out, i);
        add_member(out, "ReceiptHandle", entries[i].receipt_handle);
        sl_buf_add_char(out, '}');
    }
    sl_buf_add_str(out, SL_STR("]}"));
}

static void json_visibility(struct sl_buf *out, sl_str queue_url,
                            const struct sl_sqs_entry *entries, unsigned n, unsigned timeout_s)
{
    add_queue_url(out, queue_url);
    sl_buf_add_str(out, SL_STR(",\"Entries\":["));
    for (unsigned i = 0; i < n; i++) {
        begin_entry(out, i);
        add_member(out, "ReceiptHandle", entries[i].receipt_handle);
        add_number(out, "VisibilityTimeout", timeout_s);
        sl_buf_add_char(out, '}');
    }
    sl_buf_add_str(out, SL_STR("]}"));
}

static void add_attributes(struct sl_buf *out, const struct sl_sqs_attribute *attributes,
                           unsigned n)
{
    const char *before = ",\"MessageAttributes\":{";

    for (unsigned i = 0; i < n; i++) {
        if (attributes[i].value.len > 0) {
            sl_buf_printf(out, "%s\"%s\":{\"DataType\":\"String\"", before, attributes[i].name);
            add_member(out, "StringValue", attributes[i].value);
            sl_buf_add_char(out, '}');
            before = ",";
        }
    }
    sl_buf_add_str(out, before[1] == '\0' ? SL_STR("}") : SL_STR(""));
}

static void json_send(struct sl_buf *out, sl_str queue_url, const struct sl_sqs_entry *entries,
                      unsigned n)
{
    add_queue_url(out, queue_url);
    sl_buf_add_str(out, SL_STR(",\"Entries\":["));
    for (unsigned i = 0; i < n; i++) {
        begin_entry(out, i);
        add_member(out, "MessageBody", entries[i].body);
        add_attributes(out, entries[i].attributes, entries[i].attributes_n);
        if (entries[i].fifo_id.len > 0) {
            add_member(out, "MessageGroupId", entries[i].fifo_id);
            add_member(out, "MessageDeduplicationId", entries[i].fifo_id);
        }
        if (entries[i].delay_s > 0) {
            add_number(out, "DelaySeconds", entries[i].delay_s);
        }
        sl_buf_add_char(out, '}');
    }
    sl_buf_add_str(out, SL_STR("]}"));
}

/* All, because asking a standard queue for FifoQueue by name is an error with some servers. */
static void json_attributes(struct sl_buf *out, sl_str queue_url)
{
    add_queue_url(out, queue_url);
    sl_buf_add_str(out, SL_STR(",\"AttributeNames\":[\"All\"]}"));
}

static void json_queue_url(struct sl_buf *out, sl_str name, sl_str owner)
{
    sl_buf_add_str(out, SL_STR("{\"QueueName\":"));
    sl_buf_add_json(out, name);
    if (owner.len > 0) {
        add_member(out, "QueueOwnerAWSAccountId", owner);
    }
    sl_buf_add_char(out, '}');
}

const struct sl_sqs_wire sl_sqs_json = {
    .name = "json",
    .content_type = "application/x-amz-json-1.0",
    .has_target = true,
    .write_receive = json_receive,
    .write_delete = json_delete,
    .write_visibility = json_visibility,
    .write_send = json_send,
    .write_attributes = json_attributes,
    .write_queue_url = json_queue_url,
};
