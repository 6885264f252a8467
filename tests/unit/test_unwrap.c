/* tests/unit/test_unwrap.c - what comes out of an envelope and an encoding, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/base64.h"
#include "pipeline/unwrap.h"

struct world {
    struct sl_config cfg;
    struct sl_json_parser *parser;
    struct sl_arena a;
    struct sl_content c;
    struct sl_attribute of_queue;
};

static int world_new(void **state)
{
    static struct world w;

    w = (struct world){ .of_queue = { SL_STR("a"), { "queue", 5 } } };
    sl_arena_init(&w.a, 512 << 20, 4096);
    *state = &w;
    return (int)sl_json_parser_new(SL_CONTENT_MAX, &w.parser, NULL);
}

static int world_free(void **state)
{
    struct world *w = *state;

    sl_json_parser_free(w->parser);
    sl_arena_done(&w->a);
    return 0;
}

static enum sl_reason unwrap(struct world *w, sl_str body)
{
    enum sl_reason reason = SL_REASON_NONE;
    struct sl_record r = { .attributes = &w->of_queue, .attributes_n = 1 };

    w->c = (struct sl_content){ 0 };
    assert_int_equal(sl_json_padded(sl_cleartext_of(body), &w->a, &r.body, NULL), SL_OK);
    assert_int_equal(sl_unwrap(&w->cfg, w->parser, &r, &w->a, &w->c, &reason, NULL), SL_OK);
    return reason;
}

static void gives(struct world *w, const char *body, const char *content)
{
    assert_string_equal(sl_reason_code(unwrap(w, sl_str_of(body))), "");
    assert_int_equal(w->c.body.len, strlen(content));
    assert_memory_equal(w->c.body.secret, content, w->c.body.len);
}

static void refuses(struct world *w, const char *body, enum sl_reason reason)
{
    assert_string_equal(sl_reason_code(unwrap(w, sl_str_of(body))), sl_reason_code(reason));
}

static void attribute_is(const struct world *w, const char *name, const char *value)
{
    const sl_cleartext *found = sl_content_attribute(&w->c, sl_str_of(name));

    if (value == NULL) {
        assert_null(found);
        return;
    }
    assert_non_null(found);
    assert_int_equal(found->len, strlen(value));
    assert_memory_equal(found->secret, value, found->len);
}

/* ---- no envelope ------------------------------------------------------------------------------- */

static void a_body_without_an_envelope_stays_as_it_is(void **state)
{
    struct world *w = *state;

    gives(w, "{\"Type\":\"Notification\",\"Message\":\"x\"}",
          "{\"Type\":\"Notification\",\"Message\":\"x\"}");
    attribute_is(w, "a", "queue");
    gives(w, "", "");
    gives(w, "[", "[");
}

/* ---- sns ---------------------------------------------------------------------------------------- */

/* Of the page that the header names, shortened. */
#define NOTIFICATION(message, attributes)                                                     \
    "{\"Type\":\"Notification\",\"MessageId\":\"22b80b92-fdea\","                             \
    "\"TopicArn\":\"arn:aws:sns:us-west-2:123456789012:T\",\"Subject\":\"My First Message\"," \
    "\"Message\":" message ",\"Timestamp\":\"2012-05-02T00:54:06.655Z\","                     \
    "\"SignatureVersion\":\"1\"" attributes "}"

static void the_message_of_a_notification_is_the_body(void **state)
{
    struct world *w = *state;

    w->cfg.envelope = SL_ENVELOPE_SNS;
    gives(w, NOTIFICATION("\"{\\\"f\\\": \\\"\\\\u00e9\\\"}\"", ""), "{\"f\": \"\\u00e9\"}");
    gives(w, NOTIFICATION("\"\"", ""), "");
    gives(w, NOTIFICATION("\"hello\"", ""), "hello");
}

static void attributes_of_a_notification_take_the_place_of_the_queues(void **state)
{
    struct world *w = *state;

    w->cfg.envelope = SL_ENVELOPE_SNS;
    gives(w,
          NOTIFICATION("\"{}\"", ",\"MessageAttributes\":{"
                                 "\"tenant\":{\"Type\":\"String\",\"Value\":\"blue\"},"
                                 "\"n\":{\"Type\":\"Number\",\"Value\":\"17\"},"
                                 "\"Subject\":{\"Type\":\"String\",\"Value\":\"its own\"},"
                                 "\"raw\":{\"Type\":\"Binary\",\"Value\":\"AA==\"},\"odd\":1}"),
          "{}");
    attribute_is(w, "tenant", "blue");
    attribute_is(w, "n", "17");
    attribute_is(w, "Subject", "its own");
    attribute_is(w, "raw", NULL);
    attribute_is(w, "odd", NULL);
    attribute_is(w, "a", NULL);
    attribute_is(w, "MessageId", "22b80b92-fdea");
    attribute_is(w, "Timestamp", "2012-05-02T00:54:06.655Z");
    gives(w, NOTIFICATION("\"{}\"", ",\"MessageAttributes\":[1]"), "{}");
    attribute_is(w, "TopicArn", "arn:aws:sns:us-west-2:123456789012:T");
}

/* Else it could reach a column that is not masked without being allowed to. */
static void the_message_itself_is_no_attribute(void **state)
{
    struct world *w = *state;

    w->cfg.envelope = SL_ENVELOPE_SNS;
    gives(w, NOTIFICATION("\"{}\"", ""), "{}");
    attribute_is(w, "Message", NULL);
}

static void what_is_no_notification_is_refused(void **state)
{
    static const char *const bodies[] = {
        "",
        "{",
        "[]",
        "1",
        "{}",
        "{\"user_id\":\"u\"}",
        "{\"Message\":\"{}\"}",
        "{\"Type\":\"SubscriptionConfirmation\",\"Message\":\"You have chosen ...\"}",
        "{\"Type\":\"Notification\"}",
        "{\"Type\":[],\"Message\":\"{}\"}",
        NOTIFICATION("{}", ""),
        NOTIFICATION("null", ""),
        NOTIFICATION("\"\\ud800\"", ""),
        NOTIFICATION("\"{}\"", ",\"Message\":\"{}\""),
    };
    struct world *w = *state;

    w->cfg.envelope = SL_ENVELOPE_SNS;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        refuses(w, bodies[i], SL_REASON_BAD_ENVELOPE);
    }
}

/* ---- eventbridge -------------------------------------------------------------------------------- */

static void the_detail_of_an_event_is_the_body(void **state)
{
    struct world *w = *state;

    w->cfg.envelope = SL_ENVELOPE_EVENTBRIDGE;
    gives(w,
          "{\"version\":\"0\",\"id\":\"6a7e8feb\",\"detail-type\":\"login\",\"source\":\"app\","
          "\"resources\":[\"r\"],\"time\":\"2026-01-31T00:00:00Z\",\"detail\": { \"f\" : [1] } }",
          "{ \"f\" : [1] }");
    attribute_is(w, "detail-type", "login");
    attribute_is(w, "id", "6a7e8feb");
    attribute_is(w, "resources", NULL);
    attribute_is(w, "detail", NULL);
    attribute_is(w, "a", NULL);
    refuses(w, "{\"f\":1}", SL_REASON_BAD_ENVELOPE);
    refuses(w, "[{\"detail\":{}}]", SL_REASON_BAD_ENVELOPE);
    refuses(w, "{\"detail\":{}", SL_REASON_BAD_ENVELOPE);
}

/* ---- gzip+base64 -------------------------------------------------------------------------------- */

/* As a producer packs it. */
static sl_str packed(struct world *w, const void *bytes, size_t n)
{
    char *room = sl_arena_alloc(&w->a, n + 1024);
    char *text = sl_arena_alloc(&w->a, 2 * n + 2048);
    z_stream z = { 0 };

    assert_non_null(room);
    assert_non_null(text);
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (z_const Bytef *)bytes;
    z.avail_in = (uInt)n;
    z.next_out = (Bytef *)room;
    z.avail_out = (uInt)n + 1024;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    n = sl_base64_encode(SL_BASE64, room, z.total_out, text);
    assert_int_equal(deflateEnd(&z), Z_OK);
    text[n] = '\0';
    return (sl_str){ text, n };
}

static void a_packed_body_is_unpacked(void **state)
{
    struct world *w = *state;

    w->cfg.encoding = SL_ENCODING_GZIP_BASE64;
    gives(w, packed(w, "{\"f\":\"x\"}", 9).ptr, "{\"f\":\"x\"}");
    attribute_is(w, "a", "queue");
    gives(w, packed(w, "", 0).ptr, "");
    /* printf '{"f":1}' | gzip -n | base64, whose last line ends */
    gives(w, "H4sIAAAAAAAAA6tWSlOyMqwFAL9wO+QHAAAA\n", "{\"f\":1}");
    gives(w, "H4sIAAAAAAAAA6tWSlOy\r\n MqwFAL9wO+QHAAAA", "{\"f\":1}");
}

static void what_is_not_packed_is_refused(void **state)
{
    struct world *w = *state;

    w->cfg.encoding = SL_ENCODING_GZIP_BASE64;
    refuses(w, "", SL_REASON_BAD_ENCODING);
    refuses(w, "{\"f\":1}", SL_REASON_BAD_ENCODING);
    refuses(w, "eyJmIjoxfQ==", SL_REASON_BAD_ENCODING);                             /* no gzip */
    refuses(w, "H4sIAAAAAAAAA6tWSlOyMqwFAL9wO+QHAA==", SL_REASON_BAD_ENCODING);     /* cut off */
    refuses(w, "H4sIAAAAAAAAA6tWSlOyMqwFAL5wO+QHAAAA", SL_REASON_BAD_ENCODING);     /* its CRC */
    refuses(w, "H4sIAAAAAAAAA6tWSlOyMqwFAL9wO+QHAAAAeHg=", SL_REASON_BAD_ENCODING); /* behind it */
    refuses(w, "H4sIAAAAAAAAA6tWSlOyMqwFAL9wO+QHAAA", SL_REASON_BAD_ENCODING);
}

static void a_body_that_grows_without_end_is_given_up(void **state)
{
    struct world *w = *state;
    char *zeros = sl_arena_calloc(&w->a, 1, SL_CONTENT_MAX + 1);
    sl_str bomb;

    w->cfg.encoding = SL_ENCODING_GZIP_BASE64;
    assert_non_null(zeros);
    assert_string_equal(sl_reason_code(unwrap(w, packed(w, zeros, SL_CONTENT_MAX))), "");
    assert_int_equal(w->c.body.len, SL_CONTENT_MAX);
    bomb = packed(w, zeros, SL_CONTENT_MAX + 1);
    assert_in_range(bomb.len, 1, 32 << 10);
    assert_string_equal(sl_reason_code(unwrap(w, bomb)),
                        sl_reason_code(SL_REASON_CONTENT_TOO_LARGE));
}

static void a_packed_body_may_be_in_a_notification(void **state)
{
    struct world *w = *state;

    w->cfg.envelope = SL_ENVELOPE_SNS;
    w->cfg.encoding = SL_ENCODING_GZIP_BASE64;
    gives(w, NOTIFICATION("\"H4sIAAAAAAAAA6tWSlOyMqwFAL9wO+QHAAAA\"", ""), "{\"f\":1}");
    attribute_is(w, "MessageId", "22b80b92-fdea");
    refuses(w, NOTIFICATION("\"{}\"", ""), SL_REASON_BAD_ENCODING);
    refuses(w, "H4sIAAAAAAAAA6tWSlOyMqwFAL9wO+QHAAAA", SL_REASON_BAD_ENVELOPE);
}

/* ---- memory ------------------------------------------------------------------------------------- */

/* Wherever it runs out, it is no fault of the body's. */
static void memory_that_runs_out_is_no_verdict(void **state)
{
    struct world *w = *state;
    const char *body =
        NOTIFICATION("\"H4sIAAAAAAAAA6tWSlOyMqwFAL9wO+QHAAAA\"", ",\"MessageAttributes\":{}");
    struct sl_record r = { 0 };
    sl_rc rc = SL_NOMEM;

    w->cfg.envelope = SL_ENVELOPE_SNS;
    w->cfg.encoding = SL_ENCODING_GZIP_BASE64;
    assert_int_equal(sl_json_padded(sl_cleartext_of(sl_str_of(body)), &w->a, &r.body, NULL), SL_OK);
    for (size_t max_bytes = 64; rc == SL_NOMEM && max_bytes < 1 << 20; max_bytes += 64) {
        enum sl_reason reason = SL_REASON_REFUSED;
        struct sl_arena small;

        sl_arena_init(&small, max_bytes, 64);
        rc = sl_unwrap(&w->cfg, w->parser, &r, &small, &w->c, &reason, NULL);
        assert_int_equal(reason, rc == SL_OK ? SL_REASON_NONE : SL_REASON_REFUSED);
        sl_arena_done(&small);
    }
    assert_int_equal(rc, SL_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_new, world_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_body_without_an_envelope_stays_as_it_is),
        TEST(the_message_of_a_notification_is_the_body),
        TEST(attributes_of_a_notification_take_the_place_of_the_queues),
        TEST(the_message_itself_is_no_attribute),
        TEST(what_is_no_notification_is_refused),
        TEST(the_detail_of_an_event_is_the_body),
        TEST(a_packed_body_is_unpacked),
        TEST(what_is_not_packed_is_refused),
        TEST(a_body_that_grows_without_end_is_given_up),
        TEST(a_packed_body_may_be_in_a_notification),
        TEST(memory_that_runs_out_is_no_verdict),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
