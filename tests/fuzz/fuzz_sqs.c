/* tests/fuzz/fuzz_sqs.c - any bytes as what SQS answers: a message that is taken has all that is
 * relied on and can be written again, a count is never below zero, and a refusal quotes nothing
 * long.
 *
 * The first byte of the input chooses the request that is answered, the second a number for it.
 */
#include "base/buf.h"
#include "fuzz.h"
#include "source/sqs_json.h"

enum { REPLY_MAX = 256 << 10, QUOTE_MAX = 100 /* bytes of a server's own words */ };

static struct world {
    struct sl_json_parser *parser;
    struct sl_arena arena;
} world;

static bool is_visible(sl_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] <= ' ' || s.ptr[i] > '~') {
            return false;
        }
    }
    return s.len > 0;
}

static void check_refusal(sl_rc rc, const struct sl_err *e)
{
    must(rc == SL_UNAVAILABLE, "a refusal of another kind");
    must_say(e, rc);
}

/* ---- ReceiveMessage ---------------------------------------------------------------------------- */

static void write_member(struct sl_buf *out, const char *name, sl_str value)
{
    sl_buf_printf(out, "\"%s\":", name);
    sl_buf_add_json(out, value);
    sl_buf_add_char(out, ',');
}

static void write_message(const struct sl_sqs_message *m, struct sl_buf *out)
{
    sl_buf_add_char(out, '{');
    write_member(out, "MessageId", m->message_id);
    write_member(out, "ReceiptHandle", m->receipt_handle);
    write_member(out, "MD5OfBody", m->md5_of_body);
    write_member(out, "Body", sl_cleartext_publish(m->body));
    sl_buf_printf(out,
                  "\"Attributes\":{\"SentTimestamp\":\"%lld\",\"ApproximateReceiveCount\":%u},"
                  "\"MessageAttributes\":{",
                  (long long)m->sent_at_ms, m->receive_count);
    for (unsigned i = 0; i < m->attributes_n; i++) {
        sl_buf_add_str(out, i > 0 ? SL_STR(",") : SL_STR(""));
        sl_buf_add_json(out, m->attributes[i].name);
        sl_buf_add_str(out, SL_STR(":{\"DataType\":\"String\",\"StringValue\":"));
        sl_buf_add_json(out, sl_cleartext_publish(m->attributes[i].value));
        sl_buf_add_char(out, '}');
    }
    sl_buf_add_str(out, SL_STR("}}"));
}

static void check_message(const struct sl_sqs_message *m)
{
    must(is_visible(m->message_id) && m->message_id.len <= 128, "a message without an id");
    must(m->receipt_handle.len > 0, "a message without a handle");
    must(m->sent_at_ms >= 0, "a message from before 1970");
    must(m->body.secret != NULL, "a message without a body");
}

static void check_same(const struct sl_sqs_message *a, const struct sl_sqs_message *b)
{
    /* A moment under 1e11 ms is written as one, and read as seconds. */
    const bool has_moment = a->sent_at_ms == 0 || a->sent_at_ms >= INT64_C(100000000000);

    must(sl_str_eq(a->message_id, b->message_id) &&
             sl_str_eq(a->receipt_handle, b->receipt_handle) &&
             sl_str_eq(a->md5_of_body, b->md5_of_body),
         "another message came back");
    must(sl_str_eq(sl_cleartext_publish(a->body), sl_cleartext_publish(b->body)),
         "another body came back");
    must(!has_moment || a->sent_at_ms == b->sent_at_ms, "another moment came back");
    must(a->receive_count == b->receive_count, "another count came back");
    must(a->attributes_n == b->attributes_n, "another number of attributes came back");
    for (unsigned i = 0; i < a->attributes_n; i++) {
        must(sl_str_eq(a->attributes[i].name, b->attributes[i].name) &&
                 sl_str_eq(sl_cleartext_publish(a->attributes[i].value),
                           sl_cleartext_publish(b->attributes[i].value)),
             "another attribute came back");
    }
}

static void check_again(const struct sl_sqs_message *messages, unsigned n)
{
    SL_AUTO(sl_buf_done) struct sl_buf reply = { 0 };
    struct sl_sqs_message *again = NULL;
    unsigned again_n = 0;

    sl_buf_init(&reply, 16 << 20);
    sl_buf_add_str(&reply, SL_STR("{\"Messages\":["));
    for (unsigned i = 0; i < n; i++) {
        sl_buf_add_str(&reply, i > 0 ? SL_STR(",") : SL_STR(""));
        write_message(&messages[i], &reply);
    }
    sl_buf_add_str(&reply, SL_STR("]}"));
    must(sl_buf_rc(&reply, NULL) == SL_OK, "memory");
    must(sl_sqs_read_receive(world.parser, padded(&world.arena, sl_buf_str(&reply), '\0'),
                             &world.arena, &again, &again_n, NULL) == SL_OK &&
             again_n == n,
         "messages that cannot be written");
    for (unsigned i = 0; i < n; i++) {
        check_same(&messages[i], &again[i]);
    }
}

static void check_receive(sl_str reply, unsigned number)
{
    struct sl_sqs_message *messages = NULL;
    struct sl_err e = { 0 };
    unsigned n = 0;
    const sl_rc rc = sl_sqs_read_receive(world.parser, reply, &world.arena, &messages, &n, &e);

    (void)number;
    if (rc != SL_OK) {
        must(messages == NULL && n == 0, "messages of a refused reply");
        check_refusal(rc, &e);
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        check_message(&messages[i]);
    }
    check_again(messages, n);
}

/* ---- batches, attributes, errors --------------------------------------------------------------- */

static void check_batch(sl_str reply, unsigned number)
{
    const struct sl_sqs_result none = { .code = SL_STR("as it was") };
    struct sl_sqs_result of[SL_SQS_BATCH] = { none, none };
    struct sl_err e = { 0 };
    const unsigned sent_n = number % SL_SQS_BATCH + 1;
    const sl_rc rc = sl_sqs_read_batch(world.parser, reply, &world.arena, sent_n, of, &e);

    if (rc != SL_OK) {
        must(of[0].code.ptr == none.code.ptr, "results of a refused reply");
        check_refusal(rc, &e);
        return;
    }
    for (unsigned i = 0; i < sent_n; i++) {
        must(of[i].code.len > 0 || !of[i].is_sender_fault, "a fault of nothing");
    }
    must(sent_n > 1 || of[1].code.ptr == none.code.ptr, "a result of what was not sent");
}

static void check_attributes(sl_str reply, unsigned number)
{
    struct sl_sqs_attributes facts = { .visible = -77 };
    struct sl_err e = { 0 };
    const sl_rc rc = sl_sqs_read_attributes(world.parser, reply, &world.arena, &facts, &e);

    (void)number;
    if (rc != SL_OK) {
        must(facts.visible == -77, "attributes of a refused reply");
        check_refusal(rc, &e);
        return;
    }
    must(facts.visible >= 0 && facts.not_visible >= 0 && facts.delayed >= 0 &&
             facts.visibility_timeout_s >= 0 && facts.retention_s >= 0,
         "less than nothing in the queue");
}

static void check_error(sl_str reply, unsigned number)
{
    static const int statuses[] = { 400, 401, 403, 404, 429, 500, 503, 0 };
    struct sl_err e = { 0 };
    const int status = statuses[number % (sizeof statuses / sizeof *statuses)];
    sl_str rest = reply;
    const sl_str header = number < 128 ? (sl_str){ 0 } : sl_str_cut(&rest, '\n');
    const sl_rc rc =
        sl_sqs_read_error(world.parser, status, header, padded(&world.arena, rest, '\0'), &e);

    must(rc == SL_NOT_FOUND || rc == SL_THROTTLED || rc == SL_DENIED || rc == SL_UNAVAILABLE ||
             rc == SL_BUG,
         "an error that is none");
    must_say(&e, rc);
    must(e.http_status == status, "another status");
    for (size_t i = 0; i + QUOTE_MAX < reply.len; i++) {
        must(strlen(e.msg) <= QUOTE_MAX ||
                 !has(sl_str_of(e.msg), (sl_str){ reply.ptr + i, QUOTE_MAX + 1 }),
             "a refusal that quotes");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static void (*const checks[])(sl_str reply, unsigned number) = { check_receive, check_batch,
                                                                     check_attributes,
                                                                     check_error };

    if (n < 2 || n > REPLY_MAX) {
        return 0;
    }
    if (world.parser == NULL) {
        must(sl_json_parser_new(16 << 20, &world.parser, NULL) == SL_OK, "memory");
        sl_arena_init(&world.arena, 256 << 20, 64 << 10);
    }
    checks[data[0] % 4](padded(&world.arena, (sl_str){ (const char *)data + 2, n - 2 }, '\0'),
                        data[1]);
    sl_arena_reset(&world.arena);
    return 0;
}
