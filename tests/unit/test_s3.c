/* tests/unit/test_s3.c - what is a pointer to an object, and where it points. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "net/aws_call.h"
#include "source/s3.h"

#define NOW  "software.amazon.payloadoffloading.PayloadS3Pointer"
#define THEN "com.amazon.sqs.javamessaging.MessageS3Pointer"

static enum sl_reason read_pointer(const char *body, char path[static 4096])
{
    SL_AUTO(sl_json_parser_freep) struct sl_json_parser *parser = NULL;
    SL_AUTO(sl_arena_done) struct sl_arena a;
    enum sl_reason reason = SL_REASON_REFUSED;
    sl_cleartext padded;
    sl_str found;

    sl_arena_init(&a, 1 << 20, 4096);
    assert_int_equal(sl_json_parser_new(16 << 10, &parser, NULL), SL_OK);
    assert_int_equal(sl_json_padded(sl_cleartext_of(sl_str_of(body)), &a, &padded, NULL), SL_OK);
    assert_int_equal(sl_s3_pointer(parser, padded, &a, &found, &reason, NULL), SL_OK);
    (void)snprintf(path, 4096, "%" SL_FMT, SL_ARG(found));
    return reason;
}

static void points_to(const char *body, const char *path)
{
    char found[4096];

    assert_string_equal(sl_reason_code(read_pointer(body, found)), "");
    assert_string_equal(found, path);
}

static void pointers_of_both_clients_are_read(void **state)
{
    (void)state;
    points_to("[\"" NOW "\",{\"s3BucketName\":\"logins\",\"s3Key\":\"0f-17\"}]", "logins/0f-17");
    points_to(" [ \"" THEN "\", {\"s3Key\":\"k\",\"s3BucketName\":\"a.b-c\"} ]\n", "a.b-c/k");
}

static void a_key_is_encoded_as_in_a_url(void **state)
{
    (void)state;
    points_to("[\"" NOW "\",{\"s3BucketName\":\"abc\",\"s3Key\":\"a/b c+\\u00fc%?#&=~../\"}]",
              "abc/a/b%20c%2B%C3%BC%25%3F%23%26%3D~../");
}

static void other_bodies_are_no_pointers(void **state)
{
    static const char *const bodies[] = {
        "",
        " ",
        "{}",
        "{\"s3BucketName\":\"abc\",\"s3Key\":\"k\"}",
        "[",
        "[]",
        "[1,2]",
        "[\"" NOW "\"]",
        "[\"" NOW "\",{},{}]",
        "[\"PayloadS3Pointer\",{}]",
        "[{},\"" NOW "\"]",
        "\"" NOW "\"",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        points_to(bodies[i], "");
    }
}

static void a_pointer_to_nowhere_is_refused(void **state)
{
    static const char *const places[] = {
        "{}",
        "[]",
        "1",
        "{\"s3BucketName\":\"abc\"}",
        "{\"s3Key\":\"k\"}",
        "{\"s3BucketName\":\"abc\",\"s3Key\":\"\"}",
        "{\"s3BucketName\":\"abc\",\"s3Key\":1}",
        "{\"s3BucketName\":\"ab\",\"s3Key\":\"k\"}",
        "{\"s3BucketName\":\"a/b\",\"s3Key\":\"k\"}",
        "{\"s3BucketName\":\"a%2fb\",\"s3Key\":\"k\"}",
        "{\"s3BucketName\":\"abc\\u0000\",\"s3Key\":\"k\"}",
    };
    char body[256];
    char path[4096];

    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        (void)snprintf(body, sizeof body, "[\"" NOW "\",%s]", places[i]);
        assert_string_equal(sl_reason_code(read_pointer(body, path)), "bad_envelope");
        assert_string_equal(path, "");
    }
}

/* ---- in place of net/aws_call.c: an S3 that is away, or has one bucket for us ---- */

static bool is_away;

static void answer(const struct sl_aws_call *call, int status, const char *body)
{
    struct sl_http_reply reply = { .status = status };

    sl_buf_init(&reply.body, 1024);
    sl_buf_add_str(&reply.body, sl_str_of(body));
    call->done(call->ctx, &reply);
    sl_buf_done(&reply.body);
}

sl_rc sl_aws_call_start(struct sl_aws_caller *c, const struct sl_aws_call *call, struct sl_err *e)
{
    (void)c;
    if (is_away) {
        return SL_FAIL(e, SL_DISCONNECTED, "nobody is there");
    }
    if (sl_str_starts(call->path, SL_STR("ours/"))) {
        answer(call, 206, "{}");
    } else if (sl_str_starts(call->path, SL_STR("elsewhere/"))) {
        answer(call, 301, "<Error><Code>PermanentRedirect</Code></Error>");
    } else {
        answer(call, 403, "<Error><Code>AccessDenied</Code></Error>");
    }
    return SL_OK;
}

bool sl_aws_clock_learn(const struct sl_aws_target *target, int64_t server_at_s)
{
    (void)target;
    (void)server_at_s;
    return false;
}

static sl_rc fetch(const char *const *buckets, struct sl_record *records, unsigned n)
{
    const struct sl_aws_target target = { 0 };
    const struct sl_s3_settings settings = { .target = &target, .object_max_bytes = 1 << 20 };
    SL_AUTO(sl_batch_done) struct sl_batch b = { 0 };
    struct sl_s3 *s = NULL;
    bool has_more = true;
    sl_rc rc;

    is_away = false;
    assert_int_equal(sl_s3_open(&settings, &s, NULL), SL_OK);
    assert_int_equal(sl_batch_init(&b, n, 128 << 10, NULL), SL_OK);
    for (unsigned i = 0; i < n; i++) {
        char body[256];

        (void)snprintf(body, sizeof body, "[\"" NOW "\",{\"s3BucketName\":\"%s\",\"s3Key\":\"k\"}]",
                       buckets[i]);
        records[i] = (struct sl_record){ 0 };
        assert_int_equal(
            sl_json_padded(sl_cleartext_of(sl_str_of(body)), &b.arena, &records[i].body, NULL),
            SL_OK);
        b.records[b.n++] = &records[i];
    }
    rc = sl_s3_fetch(s, &b, &has_more, NULL);
    assert_true(rc != SL_OK || !has_more);
    sl_s3_close(s);
    return rc;
}

/* Who may send to the queue may name any bucket. */
static void an_object_that_is_not_for_us_costs_itself_only(void **state)
{
    static const char *const buckets[] = { "theirs", "ours", "elsewhere", "ours" };
    struct sl_record records[4];

    (void)state;
    assert_int_equal(fetch(buckets, records, 4), SL_OK);
    assert_string_equal(sl_reason_code(records[0].verdict.reason), "object_missing");
    assert_string_equal(sl_reason_code(records[2].verdict.reason), "object_missing");
    assert_true(records[1].has_object && records[3].has_object);
    assert_int_equal(records[1].verdict.reason, SL_REASON_NONE);
}

static void objects_that_are_all_refused_are_waited_for(void **state)
{
    static const char *const buckets[] = { "theirs", "theirs" };
    struct sl_record records[2];

    (void)state;
    assert_int_equal(fetch(buckets, records, 2), SL_DENIED);
    assert_int_equal(records[0].verdict.reason, SL_REASON_NONE);
}

static void an_outage_costs_no_memory(void **state)
{
    const struct sl_aws_target target = { 0 };
    const struct sl_s3_settings settings = { .target = &target, .object_max_bytes = 1 << 20 };
    SL_AUTO(sl_batch_done) struct sl_batch b = { 0 };
    struct sl_record r = { 0 };
    struct sl_s3 *s = NULL;
    bool has_more = true;

    (void)state;
    is_away = true;
    assert_int_equal(sl_s3_open(&settings, &s, NULL), SL_OK);
    assert_int_equal(sl_batch_init(&b, 1, 128 << 10, NULL), SL_OK);
    assert_int_equal(
        sl_json_padded(sl_cleartext_of(SL_STR(
                           "[\"" NOW "\",{\"s3BucketName\":\"logins\",\"s3Key\":\"0f-17\"}]")),
                       &b.arena, &r.body, NULL),
        SL_OK);
    b.records[b.n++] = &r;
    for (unsigned i = 0; i < 20000; i++) {
        assert_int_equal(sl_s3_fetch(s, &b, &has_more, NULL), SL_DISCONNECTED);
    }
    sl_s3_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pointers_of_both_clients_are_read),
        cmocka_unit_test(a_key_is_encoded_as_in_a_url),
        cmocka_unit_test(other_bodies_are_no_pointers),
        cmocka_unit_test(a_pointer_to_nowhere_is_refused),
        cmocka_unit_test(an_object_that_is_not_for_us_costs_itself_only),
        cmocka_unit_test(objects_that_are_all_refused_are_waited_for),
        cmocka_unit_test(an_outage_costs_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
