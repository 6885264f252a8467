/* source/sqs_json.c - the wire format of SQS: what it answers, in JSON or in XML of the same shape. */
#include "source/sqs_json.h"

#include <stdio.h>

#include "base/xml.h"
#include "source/sqs_error.h"
#include "source/sqs_xml.h"

enum {
    MESSAGE_ID_MAX = 128,
    QUEUE_URL_MAX = 1024,
    ERROR_ARENA_BYTES = 256 * 1024,
    ERROR_BLOCK_BYTES = 4096,
};

/* ------------------------------------------------------------------- replies */

/* A member that is the queue's own word (an id, a handle), never a body; "" if it is no string.
 * Strings are unescaped into the arena; a number would point into the reply, which ends. */
static sl_str text_of(const struct sl_json *object, sl_str name)
{
    const struct sl_json *j = sl_json_member(object, name);

    return j != NULL && j->type == SL_JSON_STRING ? sl_cleartext_publish(j->text) : (sl_str){ 0 };
}

/* Some servers send counts and times as numbers; these point into the reply. */
static sl_str digits_of(const struct sl_json *object, sl_str name)
{
    const struct sl_json *j = sl_json_member(object, name);

    return j != NULL && (j->type == SL_JSON_STRING || j->type == SL_JSON_NUMBER)
               ? sl_cleartext_publish(j->text)
               : (sl_str){ 0 };
}

static int64_t count_of(const struct sl_json *object, sl_str name)
{
    int64_t n = 0;

    return sl_str_to_i64(digits_of(object, name), &n) && n > 0 ? n : 0;
}

static sl_rc parse_object(struct sl_json_parser *p, sl_str text, struct sl_arena *a,
                          const struct sl_json **ret, struct sl_err *e)
{
    enum sl_json_fault fault = SL_JSON_EMPTY;
    const struct sl_json *root = NULL;

    if (sl_str_starts(sl_str_trim(text), SL_STR("<"))) {
        return sl_sqs_xml_read(sl_str_trim(text), a, ret, e);
    }
    if (text.len > 0) {
        SL_TRY(sl_json_parse(p, sl_cleartext_of(text), a, &root, &fault, e));
    }
    if (fault == SL_JSON_EMPTY) {
        return SL_FAIL(e, SL_UNAVAILABLE, "the answer of SQS is empty");
    }
    if (fault != SL_JSON_OK || root->type != SL_JSON_OBJECT) {
        return SL_FAIL(e, SL_UNAVAILABLE, "the answer of SQS (%zu bytes) is not a JSON object",
                       text.len);
    }
    *ret = root;
    return SL_OK;
}

/* The list under `name`; NULL when it is not there. */
static sl_rc list_of(const struct sl_json *root, sl_str name, const struct sl_json **ret,
                     struct sl_err *e)
{
    const struct sl_json *list = sl_json_member(root, name);

    if (list != NULL && list->type == SL_JSON_NULL) {
        list = NULL;
    }
    if (list != NULL && list->type != SL_JSON_ARRAY) {
        return SL_FAIL(e, SL_UNAVAILABLE, "%" SL_FMT " in the answer of SQS is not a list",
                       SL_ARG(name));
    }
    *ret = list;
    return SL_OK;
}

static bool is_visible(sl_str s, size_t max)
{
    if (s.len == 0 || s.len > max) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] <= ' ' || s.ptr[i] > '~') {
            return false;
        }
    }
    return true;
}

static size_t digits_n(sl_str s)
{
    size_t n = 0;

    while (n < s.len && s.ptr[n] >= '0' && s.ptr[n] <= '9') {
        n++;
    }
    return n;
}

/* SQS says milliseconds; some servers say seconds, some of them with a fraction. */
static int64_t sent_at_of(sl_str text)
{
    const int64_t first_ms = 100000000000; /* less is seconds: as milliseconds it is 1973 */
    sl_str fraction = text;
    const sl_str whole = sl_str_cut(&fraction, '.');
    const char *at = fraction.ptr;
    int64_t value = 0;

    if (digits_n(whole) != whole.len || digits_n(fraction) != fraction.len ||
        !sl_str_to_i64(whole, &value)) {
        return 0;
    }
    if (value >= first_ms) {
        return value;
    }
    value *= 1000;
    for (int64_t unit = 100; unit > 0 && fraction.len > 0; unit /= 10, fraction.len--) {
        value += (*at++ - '0') * unit;
    }
    return value;
}

static sl_rc read_message_attributes(const struct sl_json *object, struct sl_arena *a,
                                     struct sl_sqs_message *m, struct sl_err *e)
{
    if (object == NULL || object->type != SL_JSON_OBJECT || object->n == 0) {
        return SL_OK;
    }
    m->attributes = sl_arena_calloc(a, object->n, sizeof *m->attributes);
    if (m->attributes == NULL) {
        return SL_FAIL(e, SL_NOMEM, "memory for the attributes of a message ran out");
    }
    for (const struct sl_json *j = object->child; j != NULL; j = j->next) {
        const struct sl_json *value = sl_json_member(j, SL_STR("StringValue"));

        if (value != NULL && value->type == SL_JSON_STRING) { /* binary ones have no column type */
            struct sl_attribute *at = &m->attributes[m->attributes_n++];

            *at = (struct sl_attribute){ sl_cleartext_publish(j->name), value->text };
            if (sl_str_eq(at->name, SL_STR(SL_TRACE_ATTRIBUTE))) {
                (void)sl_trace_read_w3c(sl_cleartext_publish(at->value), &m->trace);
            }
        }
    }
    return SL_OK;
}

/* A body with half a surrogate pair is handed on as it stands, escapes and all: the message fails
 * alone.  It points into the reply, which ends. */
static sl_rc read_body(const struct sl_json *body, struct sl_arena *a, struct sl_sqs_message *m,
                       struct sl_err *e)
{
    const sl_str raw = sl_cleartext_publish(body->text);
    char *copy;

    if (body->type == SL_JSON_STRING) {
        m->body = body->text;
        return SL_OK;
    }
    copy = sl_arena_calloc(a, 1, raw.len + SL_JSON_PADDING);
    if (copy == NULL) {
        return SL_FAIL(e, SL_NOMEM, "memory for a body ran out");
    }
    memcpy(copy, raw.ptr, raw.len);
    m->body = sl_cleartext_of((sl_str){ copy, raw.len });
    return SL_OK;
}

/* What is looked at is whether two are the same (FNV-1a); groups that fall together are held back
 * together. */
static uint64_t group_of(sl_str id)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < id.len; i++) {
        hash = (hash ^ (unsigned char)id.ptr[i]) * UINT64_C(1099511628211);
    }
    return hash != 0 ? hash : 1;
}

static sl_rc read_message(const struct sl_json *j, struct sl_arena *a, struct sl_sqs_message *m,
                          struct sl_err *e)
{
    const struct sl_json *body = sl_json_member(j, SL_STR("Body"));
    const struct sl_json *facts = sl_json_member(j, SL_STR("Attributes"));
    const int64_t count = count_of(facts, SL_STR("ApproximateReceiveCount"));

    m->message_id = text_of(j, SL_STR("MessageId"));
    m->receipt_handle = text_of(j, SL_STR("ReceiptHandle"));
    m->md5_of_body = text_of(j, SL_STR("MD5OfBody"));
    m->sent_at_ms = sent_at_of(digits_of(facts, SL_STR("SentTimestamp")));
    m->receive_count = count > UINT32_MAX ? UINT32_MAX : (unsigned)count;
    m->group = group_of(text_of(facts, SL_STR("MessageGroupId")));
    (void)sl_trace_read_aws(text_of(facts, SL_STR("AWSTraceHeader")), &m->trace);
    /* Ids go into the log, the ledger and the table: nothing but visible ASCII gets that far. */
    if (!is_visible(m->message_id, MESSAGE_ID_MAX)) {
        return SL_FAIL(e, SL_UNAVAILABLE,
                       "a message in the answer of SQS has no MessageId of 1 to %d visible "
                       "characters",
                       MESSAGE_ID_MAX);
    }
    if (m->receipt_handle.len == 0) {
        return SL_FAIL(e, SL_UNAVAILABLE, "message %" SL_FMT " has no ReceiptHandle",
                       SL_ARG(m->message_id));
    }
    if (body == NULL || (body->type != SL_JSON_STRING && body->type != SL_JSON_LONE_SURROGATE)) {
        return SL_FAIL(e, SL_UNAVAILABLE, "message %" SL_FMT " has no Body", SL_ARG(m->message_id));
    }
    SL_TRY(read_body(body, a, m, e));
    return read_message_attributes(sl_json_member(j, SL_STR("MessageAttributes")), a, m, e);
}

sl_rc sl_sqs_read_receive(struct sl_json_parser *p, sl_str text, struct sl_arena *a,
                          struct sl_sqs_message **ret, unsigned *ret_n, struct sl_err *e)
{
    struct sl_sqs_message *messages = NULL;
    const struct sl_json *root = NULL;
    const struct sl_json *list = NULL;
    unsigned n = 0;

    SL_TRY(parse_object(p, text, a, &root, e));
    SL_TRY(list_of(root, SL_STR("Messages"), &list, e));
    if (list != NULL && list->n > 0) {
        messages = sl_arena_calloc(a, list->n, sizeof *messages);
        if (messages == NULL) {
            return SL_FAIL(e, SL_NOMEM, "memory for %u messages ran out", list->n);
        }
        for (const struct sl_json *j = list->child; j != NULL; j = j->next) {
            SL_TRY(read_message(j, a, &messages[n++], e));
        }
    }
    *ret = messages;
    *ret_n = n;
    return SL_OK;
}

/* The entry that an element of Successful or Failed is about; -1 if it is none of ours. */
static int entry_of(const struct sl_json *j, unsigned sent_n)
{
    int64_t id = -1;

    return sl_str_to_i64(text_of(j, SL_STR("Id")), &id) && id >= 0 && id < sent_n ? (int)id : -1;
}

/* What the two lists say of each entry; Failed has the last word. */
static void read_results(const struct sl_json *successful, const struct sl_json *failed,
                         unsigned sent_n, struct sl_sqs_result ret[static SL_SQS_BATCH])
{
    for (unsigned i = 0; i < sent_n; i++) {
        ret[i] = (struct sl_sqs_result){ .code = SL_STR("NotAnswered") };
    }
    for (const struct sl_json *j = successful ? successful->child : NULL; j != NULL; j = j->next) {
        const int i = entry_of(j, sent_n);

        if (i >= 0) {
            ret[i].code = (sl_str){ 0 };
        }
    }
    for (const struct sl_json *j = failed ? failed->child : NULL; j != NULL; j = j->next) {
        const int i = entry_of(j, sent_n);
        const sl_str code = text_of(j, SL_STR("Code"));
        const struct sl_json *fault = sl_json_member(j, SL_STR("SenderFault"));

        if (i >= 0) {
            ret[i].code = code.len > 0 ? code : SL_STR("Unknown");
            ret[i].is_sender_fault =
                fault != NULL && sl_str_eq(sl_cleartext_publish(fault->text), SL_STR("true"));
        }
    }
}

sl_rc sl_sqs_read_batch(struct sl_json_parser *p, sl_str text, struct sl_arena *a, unsigned sent_n,
                        struct sl_sqs_result ret[static SL_SQS_BATCH], struct sl_err *e)
{
    const struct sl_json *root = NULL;
    const struct sl_json *successful = NULL;
    const struct sl_json *failed = NULL;

    if (sent_n == 0 || sent_n > SL_SQS_BATCH) {
        return SL_FAIL(e, SL_BUG, "a batch of %u entries was sent (1..%d)", sent_n, SL_SQS_BATCH);
    }
    SL_TRY(parse_object(p, text, a, &root, e));
    SL_TRY(list_of(root, SL_STR("Successful"), &successful, e));
    SL_TRY(list_of(root, SL_STR("Failed"), &failed, e));
    read_results(successful, failed, sent_n, ret);
    return SL_OK;
}

/* A count that must be there; one below zero is none. */
static bool read_count(const struct sl_json *facts, sl_str name, int64_t *ret)
{
    return sl_str_to_i64(text_of(facts, name), ret) && *ret >= 0;
}

/* "The queue is empty" is decided by these counts, so a missing one must not read as 0. */
sl_rc sl_sqs_read_attributes(struct sl_json_parser *p, sl_str text, struct sl_arena *a,
                             struct sl_sqs_attributes *ret, struct sl_err *e)
{
    const struct sl_json *root = NULL;
    const struct sl_json *facts;
    int64_t visible;
    int64_t not_visible;
    sl_str arn;

    SL_TRY(parse_object(p, text, a, &root, e));
    facts = sl_json_member(root, SL_STR("Attributes"));
    if (!read_count(facts, SL_STR("ApproximateNumberOfMessages"), &visible) ||
        !read_count(facts, SL_STR("ApproximateNumberOfMessagesNotVisible"), &not_visible)) {
        return SL_FAIL(e, SL_UNAVAILABLE, "the queue's attributes lack its number of messages");
    }
    arn = text_of(facts, SL_STR("QueueArn"));
    *ret = (struct sl_sqs_attributes){
        .visible = visible,
        .not_visible = not_visible,
        .delayed = count_of(facts, SL_STR("ApproximateNumberOfMessagesDelayed")),
        .visibility_timeout_s = count_of(facts, SL_STR("VisibilityTimeout")),
        .retention_s = count_of(facts, SL_STR("MessageRetentionPeriod")),
        .is_fifo = sl_str_eq(text_of(facts, SL_STR("FifoQueue")), SL_STR("true")),
        .has_redrive = text_of(facts, SL_STR("RedrivePolicy")).len > 0,
    };
    if (arn.len < sizeof ret->arn) {
        (void)snprintf(ret->arn, sizeof ret->arn, "%" SL_FMT, SL_ARG(arn));
    }
    return SL_OK;
}

sl_rc sl_sqs_read_queue_url(struct sl_json_parser *p, sl_str text, struct sl_arena *a, sl_str *ret,
                            struct sl_err *e)
{
    const struct sl_json *root = NULL;
    sl_str url;

    SL_TRY(parse_object(p, text, a, &root, e));
    url = text_of(root, SL_STR("QueueUrl"));
    if (!is_visible(url, QUEUE_URL_MAX)) {
        return SL_FAIL(e, SL_UNAVAILABLE, "the answer of SQS has no queue URL");
    }
    *ret = url;
    return SL_OK;
}

/* -------------------------------------------------------------------- errors */

/* What an error answer says of itself; both may be "". */
struct sqs_complaint {
    sl_str code;
    sl_str message;
};

static struct sqs_complaint complaint_of_json(const struct sl_json *root)
{
    struct sqs_complaint c = { .code = text_of(root, SL_STR("__type")),
                               .message = text_of(root, SL_STR("message")) };

    if (c.code.len == 0) {
        c.code = text_of(root, SL_STR("code"));
    }
    if (c.message.len == 0) {
        c.message = text_of(root, SL_STR("Message"));
    }
    return c;
}

static struct sqs_complaint complaint_of_xml(sl_str text, struct sl_arena *a)
{
    struct sqs_complaint c = { 0 };
    const struct sl_xml_want wants[] = {
        { "ErrorResponse/Error/Code", &c.code },
        { "ErrorResponse/Error/Message", &c.message },
    };

    return sl_xml_read(text, wants, 2, a, NULL) == SL_OK ? c : (struct sqs_complaint){ 0 };
}

/* NULL when the text is no JSON. */
static const struct sl_json *error_parse(struct sl_json_parser *p, sl_str text, struct sl_arena *a)
{
    enum sl_json_fault fault = SL_JSON_EMPTY;
    const struct sl_json *root = NULL;

    return text.len > 0 &&
                   sl_json_parse(p, sl_cleartext_of(text), a, &root, &fault, NULL) == SL_OK &&
                   fault == SL_JSON_OK
               ? root
               : NULL;
}

bool sl_sqs_error_is_json(struct sl_json_parser *p, sl_str header_code, sl_str text)
{
    SL_AUTO(sl_arena_done) struct sl_arena a;
    const struct sl_json *root;
    sl_str code;

    sl_arena_init(&a, ERROR_ARENA_BYTES, ERROR_BLOCK_BYTES);
    root = error_parse(p, text, &a);
    code = root == NULL ? header_code : complaint_of_json(root).code;
    return code.len > 0 && memmem(code.ptr, code.len, "UnknownOperation", 16) == NULL;
}

sl_rc sl_sqs_read_error(struct sl_json_parser *p, int status, sl_str header_code, sl_str text,
                        struct sl_err *e)
{
    SL_AUTO(sl_arena_done) struct sl_arena a;
    const struct sl_json *root;
    struct sqs_complaint c;

    sl_arena_init(&a, ERROR_ARENA_BYTES, ERROR_BLOCK_BYTES);
    root = error_parse(p, text, &a);
    c = root == NULL ? complaint_of_xml(text, &a) : complaint_of_json(root);
    return sl_sqs_error_report(status, header_code.len > 0 ? header_code : c.code, c.message, e);
}
