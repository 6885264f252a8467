/* tests/unit/test_aws_sigv4.c - signatures as AWS published them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/aws_sigv4.h"

#define SECRET  "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define SERVICE "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request"
#define IAM     "AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request"
#define DATE                       \
    {                              \
        { "x-amz-date", 10 },      \
        {                          \
            "20150830T123600Z", 16 \
        }                          \
    }
#define HEADER(name, value)            \
    {                                  \
        { (name), sizeof(name) - 1 },  \
        {                              \
            (value), sizeof(value) - 1 \
        }                              \
    }
#define HOST HEADER("host", "example.amazonaws.com")
#define TOKEN                                                                             \
    "AQoDYXdzEPT//////////"                                                               \
    "wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPf"            \
    "IeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/"                                                \
    "kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7W"                           \
    "Z0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+" \
    "scqKmlzm8F"                                                                          \
    "DrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="

static const int64_t at_ms = 1440938160000; /* 2015-08-30T12:36:00Z */

struct sigv4_case {
    const char *name;
    const char *method;
    const char *query;
    const char *body;
    const char *service;
    struct sl_sigv4_header headers[4];
    unsigned headers_n;
    const char *expect; /* what follows "Credential=" */
};

/* Source: aws-sig-v4-test-suite, one case a folder of it, by name; iam-list-users is the worked
 * example of the AWS General Reference. */
static const struct sigv4_case cases[] = {
    { "get-vanilla",
      "GET",
      "",
      "",
      "service",
      { HOST, DATE },
      2,
      SERVICE ", SignedHeaders=host;x-amz-date, "
              "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
    { "get-vanilla-query-order-key-case",
      "GET",
      "Param1=value1&Param2=value2",
      "",
      "service",
      { HOST, DATE },
      2,
      SERVICE ", SignedHeaders=host;x-amz-date, "
              "Signature=b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500" },
    { "get-header-key-duplicate",
      "GET",
      "",
      "",
      "service",
      { HOST, HEADER("my-header1", "value2,value2,value1"), DATE },
      3,
      SERVICE ", SignedHeaders=host;my-header1;x-amz-date, "
              "Signature=c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea" },
    { "get-header-value-multiline",
      "GET",
      "",
      "",
      "service",
      { HOST, HEADER("my-header1", "value1,value2,value3"), DATE },
      3,
      SERVICE ", SignedHeaders=host;my-header1;x-amz-date, "
              "Signature=ba17b383a53190154eb5fa66a1b836cc297cc0a3d70a5d00705980573d8ff790" },
    { "post-vanilla",
      "POST",
      "",
      "",
      "service",
      { HOST, DATE },
      2,
      SERVICE ", SignedHeaders=host;x-amz-date, "
              "Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b" },
    { "post-header-key-sort",
      "POST",
      "",
      "",
      "service",
      { HOST, HEADER("my-header1", "value1"), DATE },
      3,
      SERVICE ", SignedHeaders=host;my-header1;x-amz-date, "
              "Signature=c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c" },
    { "post-x-www-form-urlencoded",
      "POST",
      "",
      "Param1=value1",
      "service",
      { HEADER("content-type", "application/x-www-form-urlencoded"), HOST, DATE },
      3,
      SERVICE ", SignedHeaders=content-type;host;x-amz-date, "
              "Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a" },
    { "post-sts-header-before",
      "POST",
      "",
      "",
      "service",
      { HOST, DATE, HEADER("x-amz-security-token", TOKEN) },
      3,
      SERVICE ", SignedHeaders=host;x-amz-date;x-amz-security-token, "
              "Signature=85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead" },
    { "iam-list-users",
      "GET",
      "Action=ListUsers&Version=2010-05-08",
      "",
      "iam",
      { HEADER("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
        HEADER("host", "iam.amazonaws.com"), DATE },
      3,
      IAM ", SignedHeaders=content-type;host;x-amz-date, "
          "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7" },
};

static sl_rc sign(const struct sigv4_case *c, const char *secret, int64_t when_ms,
                  struct sl_sigv4_key *key, struct sl_buf *out)
{
    const struct sl_aws_creds creds = { .access_key_id = SL_STR("AKIDEXAMPLE"),
                                        .secret_access_key = sl_str_of(secret) };
    const struct sl_sigv4_request request = { .method = sl_str_of(c->method),
                                              .path = SL_STR("/"),
                                              .query = sl_str_of(c->query),
                                              .headers = c->headers,
                                              .headers_n = c->headers_n,
                                              .body = sl_str_of(c->body) };

    return sl_sigv4_sign(&request, &creds, SL_STR("us-east-1"), sl_str_of(c->service), when_ms, key,
                         out, NULL);
}

static void signs_as_aws_published(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        SL_AUTO(sl_buf_done) struct sl_buf out;
        SL_AUTO(sl_buf_done) struct sl_buf expect;
        SL_AUTO(sl_sigv4_key_done) struct sl_sigv4_key key = { 0 };

        sl_buf_init(&out, 4096);
        sl_buf_init(&expect, 4096);
        sl_buf_printf(&expect, "AWS4-HMAC-SHA256 Credential=%s", cases[i].expect);
        sl_buf_add_char(&expect, '\0');
        assert_int_equal(sign(&cases[i], SECRET, at_ms, &key, &out), SL_OK);
        sl_buf_add_char(&out, '\0');
        assert_string_equal(out.ptr, expect.ptr);
    }
}

/* Source: "Example: GET Object", Amazon S3 API Reference, "Signature Calculations for the
 * Authorization Header". */
static void signs_the_get_of_an_object_as_aws_published(void **state)
{
    static const struct sl_sigv4_header headers[] = {
        HEADER("host", "examplebucket.s3.amazonaws.com"),
        HEADER("range", "bytes=0-9"),
        HEADER("x-amz-content-sha256",
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        HEADER("x-amz-date", "20130524T000000Z"),
    };
    const struct sl_aws_creds creds = {
        .access_key_id = SL_STR("AKIAIOSFODNN7EXAMPLE"),
        .secret_access_key = SL_STR("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    };
    const struct sl_sigv4_request request = {
        .method = SL_STR("GET"), .path = SL_STR("/test.txt"), .headers = headers, .headers_n = 4
    };
    SL_AUTO(sl_buf_done) struct sl_buf out;
    SL_AUTO(sl_sigv4_key_done) struct sl_sigv4_key key = { 0 };

    (void)state;
    sl_buf_init(&out, 4096);
    assert_int_equal(sl_sigv4_sign(&request, &creds, SL_STR("us-east-1"), SL_STR("s3"),
                                   INT64_C(1369353600000), &key, &out, NULL),
                     SL_OK);
    sl_buf_add_char(&out, '\0');
    assert_string_equal(
        out.ptr, "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/"
                 "aws4_request, SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
                 "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

static void assert_same_key(struct sl_hmac *mac, const unsigned char key[static 32])
{
    const sl_cleartext value = sl_cleartext_of(SL_STR("anything"));
    unsigned char found[SL_HMAC_BYTES];
    unsigned char expect[SL_HMAC_BYTES];
    struct sl_hmac *other = NULL;

    assert_int_equal(sl_hmac_new(key, 32, &other, NULL), SL_OK);
    assert_int_equal(sl_hmac_of(other, value, expect, NULL), SL_OK);
    sl_hmac_free(other);
    assert_int_equal(sl_hmac_of(mac, value, found, NULL), SL_OK);
    assert_memory_equal(found, expect, sizeof found);
}

/* Source: "Examples of how to derive a signing key", AWS General Reference. */
static void derives_the_published_keys(void **state)
{
    static const unsigned char of_2015[32] = { 0xc4, 0xaf, 0xb1, 0xcc, 0x57, 0x71, 0xd8, 0x71,
                                               0x76, 0x3a, 0x39, 0x3e, 0x44, 0xb7, 0x03, 0x57,
                                               0x1b, 0x55, 0xcc, 0x28, 0x42, 0x4d, 0x1a, 0x5e,
                                               0x86, 0xda, 0x6e, 0xd3, 0xc1, 0x54, 0xa4, 0xb9 };
    static const unsigned char of_2012[32] = { 0xf4, 0x78, 0x0e, 0x2d, 0x9f, 0x65, 0xfa, 0x89,
                                               0x5f, 0x9c, 0x67, 0xb3, 0x2c, 0xe1, 0xba, 0xf0,
                                               0xb0, 0xd8, 0xa4, 0x35, 0x05, 0xa0, 0x00, 0xa1,
                                               0xa9, 0xe0, 0x90, 0xd4, 0x14, 0xdb, 0x40, 0x4d };
    const struct sigv4_case *iam = &cases[sizeof cases / sizeof cases[0] - 1];
    SL_AUTO(sl_buf_done) struct sl_buf out;
    SL_AUTO(sl_sigv4_key_done) struct sl_sigv4_key key = { 0 };

    (void)state;
    sl_buf_init(&out, 4096);
    assert_int_equal(sign(iam, SECRET, at_ms, &key, &out), SL_OK);
    assert_string_equal(key.date, "20150830");
    assert_same_key(key.mac, of_2015);

    assert_int_equal(sign(iam, SECRET, 1329264000000, &key, &out), SL_OK);
    assert_string_equal(key.date, "20120215");
    assert_same_key(key.mac, of_2012);
}

/* The second secret is never asked: the cache is the caller's statement that it has not changed. */
static void keeps_the_key_for_a_day_and_no_longer(void **state)
{
    SL_AUTO(sl_buf_done) struct sl_buf first;
    SL_AUTO(sl_buf_done) struct sl_buf again;
    SL_AUTO(sl_buf_done) struct sl_buf next_day;
    SL_AUTO(sl_sigv4_key_done) struct sl_sigv4_key key = { 0 };
    const struct sl_hmac *kept;

    (void)state;
    sl_buf_init(&first, 4096);
    sl_buf_init(&again, 4096);
    sl_buf_init(&next_day, 4096);
    assert_int_equal(sign(&cases[0], SECRET, at_ms, &key, &first), SL_OK);
    kept = key.mac;
    assert_int_equal(sign(&cases[0], "another", at_ms, &key, &again), SL_OK);
    assert_ptr_equal(key.mac, kept);
    assert_true(sl_str_eq(sl_buf_str(&first), sl_buf_str(&again)));

    assert_int_equal(sign(&cases[0], SECRET, at_ms + 86400000, &key, &next_day), SL_OK);
    assert_string_equal(key.date, "20150831");
}

static void signs_the_body(void **state)
{
    struct sigv4_case changed = cases[4];
    SL_AUTO(sl_buf_done) struct sl_buf a;
    SL_AUTO(sl_buf_done) struct sl_buf b;
    SL_AUTO(sl_sigv4_key_done) struct sl_sigv4_key key = { 0 };

    (void)state;
    sl_buf_init(&a, 4096);
    sl_buf_init(&b, 4096);
    changed.body = "x";
    assert_int_equal(sign(&cases[4], SECRET, at_ms, &key, &a), SL_OK);
    assert_int_equal(sign(&changed, SECRET, at_ms, &key, &b), SL_OK);
    assert_false(sl_str_eq(sl_buf_str(&a), sl_buf_str(&b)));
}

static void refuses_a_secret_that_is_no_aws_secret(void **state)
{
    char secret[400];
    SL_AUTO(sl_buf_done) struct sl_buf out;
    SL_AUTO(sl_sigv4_key_done) struct sl_sigv4_key key = { 0 };

    (void)state;
    memset(secret, 's', sizeof secret);
    secret[sizeof secret - 1] = '\0';
    sl_buf_init(&out, 4096);
    assert_int_equal(sign(&cases[0], secret, at_ms, &key, &out), SL_CRYPTO);
    assert_int_equal(out.len, 0);
    assert_string_equal(key.date, "");
}

static void reports_an_output_that_is_full(void **state)
{
    SL_AUTO(sl_buf_done) struct sl_buf out;
    SL_AUTO(sl_sigv4_key_done) struct sl_sigv4_key key = { 0 };

    (void)state;
    sl_buf_init(&out, 100);
    assert_int_equal(sign(&cases[0], SECRET, at_ms, &key, &out), SL_NOMEM);
}

static void writes_the_time_in_basic_iso_8601(void **state)
{
    char out[17];

    (void)state;
    sl_sigv4_date(at_ms, out);
    assert_string_equal(out, "20150830T123600Z");
    sl_sigv4_date(1769903999123, out);
    assert_string_equal(out, "20260131T235959Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_as_aws_published),
        cmocka_unit_test(signs_the_get_of_an_object_as_aws_published),
        cmocka_unit_test(derives_the_published_keys),
        cmocka_unit_test(keeps_the_key_for_a_day_and_no_longer),
        cmocka_unit_test(signs_the_body),
        cmocka_unit_test(refuses_a_secret_that_is_no_aws_secret),
        cmocka_unit_test(reports_an_output_that_is_full),
        cmocka_unit_test(writes_the_time_in_basic_iso_8601),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
