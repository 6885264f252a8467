/* tests/fakes/fake_action_message.c - send, receive, delete, change the visibility. */
#include "base/base64.h"
#include "fake_action.h"
#include "fake_attempt.h"

/* ------------------------------------------------------------------------- send */

size_t fake_send_bytes(const struct sl_json *entry)
{
    const struct sl_json *all = sl_json_member(entry, SL_STR("MessageAttributes"));
    size_t n = fake_text_of(entry, "MessageBody").len;

    for (const struct sl_json *j = all != NULL ? all->child : NULL; j != NULL; j = j->next) {
        n += j->name.len + fake_text_of(j, "DataType").len + fake_text_of(j, "StringValue").len +
             fake_text_of(j, "BinaryValue").len / 4 * 3;
    }
    return n;
}

/* #x9 #xA #xD #x20-#xD7FF #xE000-#xFFFD #x10000-#x10FFFF; that it is UTF-8 is known. */
static bool body_is_good(sl_str body)
{
    for (size_t i = 0; i < body.len; i++) {
        const unsigned char c = (unsigned char)body.ptr[i];

        if (c < 0x20 && c != '\t' && c != '\n' && c != '\r') {
            return false;
        }
        if (c == 0xef && memcmp(body.ptr + i, "\xef\xbf", 2) == 0 &&
            (unsigned char)body.ptr[i + 2] >= 0xbe) {
            return false;
        }
    }
    return true;
}

/* What stands in the answer: broken on purpose, or as it is. */
static void body_md5_write(struct fake_call *c, const struct fake_message *m, struct sl_buf *out)
{
    unsigned char md5[FAKE_MD5_BYTES];

    memcpy(md5, m->md5, sizeof md5);
    if (c->fault->kind == FAKE_FAULT_WRONG_MD5) {
        md5[0] ^= 0xff;
        c->fault->kind = FAKE_FAULT_NONE; /* the first message only */
    }
    fake_write_md5(out, md5);
}

static void id_write(struct fake_call *c, const struct fake_message *m, struct sl_buf *out)
{
    char id[FAKE_ID_CHARS];

    fake_message_id(&c->queues->store, m->serial, id);
    sl_buf_add(out, id, sizeof id);
}

static void send_answer(struct fake_call *c, const struct fake_message *m, struct sl_buf *out)
{
    sl_buf_add_str(out, SL_STR("\"MessageId\":\""));
    id_write(c, m, out);
    sl_buf_add_str(out, SL_STR("\",\"MD5OfMessageBody\":\""));
    body_md5_write(c, m, out);
    sl_buf_add_char(out, '"');
    if (m->extra != NULL) {
        fake_attributes_md5_write(c, m->extra, out);
    }
    if (c->queue->is_fifo) {
        sl_buf_printf(out, ",\"SequenceNumber\":\"%020u\"", m->serial);
    }
}

/* The deduplication id that counts: the one given, or the digest of the body.
 * Returns: false when there must be one and is not */
static bool dedup_id_of(struct fake_call *c, const struct sl_json *entry, sl_str body, sl_str *ret)
{
    unsigned char md5[FAKE_MD5_BYTES];
    char *hex;

    *ret = fake_text_of(entry, "MessageDeduplicationId");
    if (!c->queue->is_fifo || ret->len > 0) {
        return true;
    }
    hex = sl_arena_alloc(c->arena, sl_base64_chars(SL_BASE64, sizeof md5));
    if (!c->queue->dedups_by_content || hex == NULL) {
        return false;
    }
    fake_md5(&c->queues->store, body, md5);
    *ret = (sl_str){ hex, sl_base64_encode(SL_BASE64, md5, sizeof md5, hex) };
    return true;
}

enum fake_error fake_send_one(struct fake_call *c, const struct sl_json *entry, struct sl_buf *out)
{
    const sl_str body = fake_text_of(entry, "MessageBody");
    const sl_str group = fake_text_of(entry, "MessageGroupId");
    const struct sl_json *j = sl_json_member(entry, SL_STR("MessageBody"));
    struct fake_send send = { .group_id = "", .delay_s = c->queue->delay_s };
    enum fake_error error;

    if (j != NULL && j->type == SL_JSON_LONE_SURROGATE) {
        return FAKE_ERROR_BAD_CONTENTS;
    }
    if (body.len == 0 || (c->queue->is_fifo && group.len == 0)) {
        return FAKE_ERROR_MISSING;
    }
    if (!body_is_good(body)) {
        return FAKE_ERROR_BAD_CONTENTS;
    }
    if (fake_send_bytes(entry) > (size_t)c->queue->message_max_bytes ||
        !fake_number_of(entry, "DelaySeconds", 0, 900, &send.delay_s) ||
        !dedup_id_of(c, entry, body, &send.dedup_id)) {
        return FAKE_ERROR_BAD_VALUE;
    }
    error = fake_extra_read(entry, &send.extra);
    if (error != FAKE_OK) {
        return error;
    }
    if (c->queue->is_fifo) {
        send.group_id = send.extra->group_id.ptr; /* copied by the arena, with its NUL */
    } else {
        send.dedup_id = (sl_str){ 0 };
    }
    send.body = fake_alloc(body.len, 1);
    send.body_bytes = body.len;
    memcpy(send.body, body.ptr, body.len);
    send_answer(c, fake_queue_send(c->queues, c->queue, &send), out);
    return FAKE_OK;
}

/* ---------------------------------------------------------------------- receive */

static bool system_is_wanted(const struct fake_call *c, const char *name)
{
    return fake_list_names(sl_json_member(c->request, SL_STR("MessageSystemAttributeNames")),
                           sl_str_of(name)) ||
           fake_list_names(sl_json_member(c->request, SL_STR("AttributeNames")), sl_str_of(name));
}

static void system_begin(struct sl_buf *out, const char *name)
{
    sl_buf_add_str(out, out->ptr[out->len - 1] == '{' ? SL_STR("\"") : SL_STR(",\""));
    sl_buf_add_str(out, sl_str_of(name));
    sl_buf_add_str(out, SL_STR("\":"));
}

static void system_number(const struct fake_call *c, const char *name, int64_t n,
                          struct sl_buf *out)
{
    char digits[24];
    char *at = digits + sizeof digits;

    if (!system_is_wanted(c, name)) {
        return;
    }
    system_begin(out, name);
    *--at = '"';
    do {
        *--at = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    *--at = '"';
    sl_buf_add(out, at, (size_t)(digits + sizeof digits - at));
}

static void system_text(const struct fake_call *c, const char *name, sl_str text,
                        struct sl_buf *out)
{
    if (text.len > 0 && system_is_wanted(c, name)) {
        system_begin(out, name);
        fake_write_text(out, text);
    }
}

static void system_write(struct fake_call *c, const struct fake_message *m, struct sl_buf *out)
{
    sl_buf_add_str(out, SL_STR(",\"Attributes\":{"));
    system_number(c, "SentTimestamp", m->sent_at_ms, out);
    system_number(c, "ApproximateReceiveCount", m->received_n, out);
    system_number(c, "ApproximateFirstReceiveTimestamp", m->first_received_at_ms, out);
    system_text(c, "SenderId", SL_STR("AIDAFAKESQS"), out);
    if (c->queue->is_fifo && system_is_wanted(c, "SequenceNumber")) {
        system_begin(out, "SequenceNumber");
        sl_buf_printf(out, "\"%020u\"", m->serial);
    }
    if (c->queue->is_fifo) {
        system_text(c, "MessageGroupId", sl_str_of(m->group->id), out);
    } else if (m->extra != NULL) {
        system_text(c, "MessageGroupId", m->extra->group_id, out);
    }
    if (m->extra != NULL) {
        system_text(c, "MessageDeduplicationId", m->extra->dedup_id, out);
        system_text(c, "AWSTraceHeader", m->extra->trace, out);
    }
    if (m->source != NULL && system_is_wanted(c, "DeadLetterQueueSourceArn")) {
        system_begin(out, "DeadLetterQueueSourceArn");
        sl_buf_printf(out, "\"arn:aws:sqs:us-east-1:000000000000:%s\"", m->source->name);
    }
    sl_buf_add_char(out, '}');
}

static void message_write(struct fake_call *c, const struct fake_message *m)
{
    struct sl_buf *out = c->out;
    char handle[FAKE_HANDLE_CHARS];

    sl_buf_add_str(out, out->ptr[out->len - 1] == '[' ? SL_STR("{\"MessageId\":\"")
                                                      : SL_STR(",{\"MessageId\":\""));
    id_write(c, m, out);
    fake_handle_write(&c->queues->store, m, handle);
    sl_buf_add_str(out, SL_STR("\",\"ReceiptHandle\":\""));
    sl_buf_add(out, handle, sizeof handle);
    sl_buf_add_str(out, SL_STR("\",\"MD5OfBody\":\""));
    body_md5_write(c, m, out);
    sl_buf_add_str(out, SL_STR("\",\"Body\":"));
    fake_write_text(out, (sl_str){ m->body, m->body_bytes });
    if (sl_json_member(c->request, SL_STR("AttributeNames")) != NULL ||
        sl_json_member(c->request, SL_STR("MessageSystemAttributeNames")) != NULL) {
        system_write(c, m, out);
    }
    if (m->extra != NULL) {
        fake_attributes_write(c, m->extra, out);
    }
    sl_buf_add_char(out, '}');
}

/* What was given before to whoever asks by the same id, or what there is. */
static unsigned messages_take(struct fake_call *c, unsigned max, int64_t visibility_ms,
                              struct fake_message *list[static FAKE_RECEIVE_MAX])
{
    const sl_str id = fake_text_of(c->request, "ReceiveRequestAttemptId");
    const bool has_id = c->queue->is_fifo && id.len > 0;
    unsigned n = has_id ? fake_attempt_repeat(c->queues, c->queue, id, visibility_ms, list) : 0;

    if (n == 0) {
        n = fake_queue_receive(c->queues, c->queue, max, visibility_ms,
                               c->fault->kind == FAKE_FAULT_OUT_OF_ORDER, list);
        if (has_id && n > 0) {
            fake_attempt_keep(c->queues, c->queue, id, list, n);
        }
    }
    return n;
}

enum fake_error fake_receive(struct fake_call *c)
{
    struct fake_message *list[FAKE_RECEIVE_MAX];
    int64_t max = 1;
    int64_t wait_s = c->queue->wait_s;
    int64_t visibility_s = c->queue->visibility_s;
    unsigned n;

    if (!fake_number_of(c->request, "MaxNumberOfMessages", 1, FAKE_RECEIVE_MAX, &max) ||
        !fake_number_of(c->request, "WaitTimeSeconds", 0, 20, &wait_s) ||
        !fake_number_of(c->request, "VisibilityTimeout", 0, FAKE_VISIBILITY_MAX_S, &visibility_s)) {
        return FAKE_ERROR_BAD_VALUE;
    }
    if (wait_s == 0 && !c->queue->is_fifo &&
        c->queue->counts[FAKE_IN_FLIGHT] >= FAKE_IN_FLIGHT_MAX) {
        return FAKE_ERROR_OVER_LIMIT;
    }
    n = messages_take(c, (unsigned)max, visibility_s * 1000, list);
    if (n == 0) {
        c->wait_ms = wait_s * 1000;
        sl_buf_add_str(c->out, SL_STR("{}"));
        return wait_s > 0 && !c->is_last ? FAKE_WAIT : FAKE_OK;
    }
    sl_buf_add_str(c->out, SL_STR("{\"Messages\":["));
    for (unsigned i = 0; i < n; i++) {
        message_write(c, list[i]);
    }
    if (c->fault->kind == FAKE_FAULT_TWICE) {
        list[0]->received_n++; /* the second one has a handle of its own */
        c->queue->receives++;
        message_write(c, list[0]);
    }
    sl_buf_add_str(c->out, SL_STR("]}"));
    for (unsigned i = 0; i < n && c->fault->kind == FAKE_FAULT_DUPLICATE; i++) {
        fake_queue_hide(c->queues, list[i], 0);
    }
    return FAKE_OK;
}

/* ---------------------------------------------------------------- after a receive */

/* The message of a handle, and whether the handle is its newest. */
static enum fake_error handle_find(struct fake_call *c, const struct sl_json *entry,
                                   struct fake_message **ret, bool *ret_is_newest)
{
    const sl_str handle = fake_text_of(entry, "ReceiptHandle");
    uint32_t serial;
    uint32_t received_n;
    struct fake_message *m;

    if (handle.ptr == NULL) {
        return FAKE_ERROR_MISSING;
    }
    if (c->fault->kind == FAKE_FAULT_EXPIRED_HANDLE) {
        return c->queue->is_fifo ? FAKE_ERROR_HANDLE_EXPIRED : FAKE_ERROR_NO_HANDLE;
    }
    if (!fake_handle_read(&c->queues->store, handle, &serial, &received_n)) {
        return FAKE_ERROR_NO_HANDLE;
    }
    m = fake_message_at(&c->queues->store, serial);
    if (m->group->queue != c->queue) {
        return FAKE_ERROR_NO_HANDLE;
    }
    *ret = m;
    *ret_is_newest = received_n == m->received_n;
    return FAKE_OK;
}

/* A stale handle gets success and deletes nothing; one whose time is over, but without a newer
 * one, still deletes from a standard queue and is refused by a FIFO queue. */
enum fake_error fake_delete_one(struct fake_call *c, const struct sl_json *entry,
                                struct sl_buf *out)
{
    struct fake_message *m;
    bool is_newest;
    const enum fake_error error = handle_find(c, entry, &m, &is_newest);

    (void)out;
    if (error != FAKE_OK || fake_message_is_over(m)) {
        return error;
    }
    if (c->queue->is_fifo && (!is_newest || m->state != FAKE_IN_FLIGHT)) {
        return FAKE_ERROR_HANDLE_EXPIRED;
    }
    if (!is_newest) {
        c->queue->stale_deletes++;
        return FAKE_OK;
    }
    if (c->fault->kind == FAKE_FAULT_DUPLICATE) {
        c->queue->undone_deletes++;
        fake_queue_hide(c->queues, m, 0);
        return FAKE_OK;
    }
    fake_queue_delete(c->queues, m);
    return FAKE_OK;
}

enum fake_error fake_hide_one(struct fake_call *c, const struct sl_json *entry, struct sl_buf *out)
{
    struct fake_message *m;
    bool is_newest;
    int64_t seconds = -1;
    const enum fake_error error = handle_find(c, entry, &m, &is_newest);

    (void)out;
    if (error != FAKE_OK) {
        return error;
    }
    if (!fake_number_of(entry, "VisibilityTimeout", 0, FAKE_VISIBILITY_MAX_S, &seconds)) {
        return FAKE_ERROR_BAD_VALUE;
    }
    if (seconds < 0) {
        return FAKE_ERROR_MISSING;
    }
    if (fake_message_is_over(m)) {
        return FAKE_ERROR_NOT_AVAILABLE;
    }
    if (!is_newest || m->state != FAKE_IN_FLIGHT) {
        return FAKE_ERROR_NOT_IN_FLIGHT;
    }
    if (c->queues->now_ms - m->received_ms + seconds * 1000 > FAKE_VISIBILITY_MAX_S * 1000LL) {
        return FAKE_ERROR_BAD_VALUE; /* twelve hours in all */
    }
    fake_queue_hide(c->queues, m, seconds * 1000);
    return FAKE_OK;
}
