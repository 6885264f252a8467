/* tests/unit/test_aws_instance.c - identities of containers and instances: whom is asked, with what,
 * and what may be answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "net/aws_container.h"
#include "net/aws_imds.h"
#include "net/aws_json.h"
#include "net/http_fetch.h"

/* ---- in place of the network: answers in order ----------------------------------------------------- */

enum { ASKED_MAX = 12 };

static struct asked {
    enum sl_http_method method;
    bool is_direct;
    char url[160];
    char headers[256];
} asked[ASKED_MAX];

static struct answer {
    int status; /* 0: none */
    const char *body;
} answers[ASKED_MAX];

static unsigned asked_n;

sl_rc sl_http_fetch(const struct sl_http_request *request, const struct sl_stop *stop,
                    struct sl_http_reply *ret, struct sl_err *e)
{
    struct asked *now = &asked[asked_n];
    const struct answer *answer = &answers[asked_n++];
    size_t len = 0;

    (void)stop;
    assert_true(asked_n <= ASKED_MAX);
    *now = (struct asked){ .method = request->method, .is_direct = request->is_direct };
    (void)snprintf(now->url, sizeof now->url, "%s", request->url);
    for (const char *const *h = request->headers; *h != NULL; h++) {
        len += (size_t)snprintf(now->headers + len, sizeof now->headers - len, "%s\n", *h);
    }
    if (answer->status == 0) {
        return SL_FAIL(e, SL_TIMEOUT, "canary");
    }
    *ret = (struct sl_http_reply){ .status = answer->status };
    sl_buf_init(&ret->body, 1 << 16);
    sl_buf_printf(&ret->body, "%s", answer->body != NULL ? answer->body : "");
    return SL_OK;
}

/* ---- a home of one's own ----------------------------------------------------------------------------- */

static struct sl_config cfg;
static struct sl_arena arena;
static struct sl_aws_creds creds;
static struct sl_err err;
static char token_file[] = "/tmp/sluice-token-XXXXXX";

static int file_new(void **state)
{
    const int fd = mkstemp(token_file);

    (void)state;
    return fd < 0 || close(fd) != 0;
}

static int file_free(void **state)
{
    (void)state;
    return unlink(token_file);
}

static int home_new(void **state)
{
    (void)state;
    (void)clearenv();
    cfg = (struct sl_config){ 0 };
    creds = (struct sl_aws_creds){ 0 };
    memset(answers, 0, sizeof answers);
    asked_n = 0;
    sl_arena_init(&arena, 1 << 20, 4096);
    return 0;
}

static int home_free(void **state)
{
    (void)state;
    sl_arena_done(&arena);
    return 0;
}

static sl_rc find(void)
{
    err = (struct sl_err){ 0 };
    asked_n = 0;
    return sl_aws_creds_find(&cfg, SL_STR("eu-west-1"), NULL, &arena, &creds, &err);
}

static void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" does not have \"%s\"", text, part);
    }
}

static void write_token(const char *text)
{
    FILE *f = fopen(token_file, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

#define KEYS                                                                  \
    "{\"Code\":\"Success\",\"AccessKeyId\":\"ID\",\"SecretAccessKey\":\"S\"," \
    "\"Token\":\"T\",\"Expiration\":\"2099-01-01T00:00:00Z\"}"

/* ---- containers ------------------------------------------------------------------------------------------ */

static void a_container_is_given_its_identity(void **state)
{
    (void)state;
    (void)setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/abc", 1);
    (void)setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "https://not.asked/", 1);
    answers[0] = (struct answer){ 200, KEYS };
    assert_int_equal(find(), SL_OK);
    assert_string_equal(asked[0].url, "http://169.254.170.2/v2/credentials/abc");
    assert_int_equal(asked[0].method, SL_HTTP_GET);
    assert_true(asked[0].is_direct);
    assert_null(strstr(asked[0].headers, "Authorization"));
    assert_string_equal(creds.access_key_id.ptr, "ID");
    assert_string_equal(creds.session_token.ptr, "T");
    assert_string_equal(creds.from.ptr, "the container");
    assert_true(creds.expires_at_ms > sl_clock_at_ms());
}

static void the_token_is_read_each_time_and_its_file_comes_first(void **state)
{
    (void)state;
    (void)setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials", 1);
    (void)setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Basic of the variable", 1);
    answers[0] = (struct answer){ 200, KEYS };
    assert_int_equal(find(), SL_OK);
    assert_has(asked[0].headers, "Authorization: Basic of the variable\n");
    (void)setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token_file, 1);
    write_token("first\n");
    assert_int_equal(find(), SL_OK);
    assert_has(asked[0].headers, "Authorization: first\n");
    write_token("second");
    assert_int_equal(find(), SL_OK);
    assert_has(asked[0].headers, "Authorization: second\n");
}

static void a_line_break_in_a_token_is_refused(void **state)
{
    (void)state;
    (void)setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://localhost/x", 1);
    (void)setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "canary\r\nX: y", 1);
    assert_int_equal(find(), SL_CONFIG);
    assert_null(strstr(err.msg, "canary"));
    (void)setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token_file, 1);
    write_token("canary\nX: y\n");
    assert_int_equal(find(), SL_CONFIG);
    assert_null(strstr(err.msg, "canary"));
    assert_int_equal(asked_n, 0);
}

static void a_token_goes_only_to_those_who_are_near(void **state)
{
    static const char *const near[] = { "https://any.where/x",
                                        "https://10.0.0.1:8443",
                                        "http://localhost/x",
                                        "http://localhost:1",
                                        "http://127.0.0.1:9000/x",
                                        "http://127.255.0.9",
                                        "http://[::1]:1/x",
                                        "http://169.254.170.2/x",
                                        "http://169.254.170.23/v1/credentials",
                                        "http://[fd00:ec2::23]/v1/credentials" };
    static const char *const far[] = { "",
                                       "http://",
                                       "http:///x",
                                       "https://",
                                       "ftp://localhost/",
                                       "localhost/x",
                                       "http://169.254.169.254/x",
                                       "http://10.0.0.1/x",
                                       "http://example.com/x",
                                       "http://localhost.example.com/",
                                       "http://127.0.0.1.example.com/",
                                       "http://127.1/",
                                       "http://0x7f.0.0.1/",
                                       "http://127.0.0.1@example.com/",
                                       "http://x@localhost/",
                                       "http://example.com#@localhost/",
                                       "http://example.com\\@localhost/",
                                       "http://127.0.0.1\\@example.com/",
                                       "http://[::2]/",
                                       "http://[fd00:ec2::24]/",
                                       "http://[::ffff:127.0.0.1]/",
                                       "http://localhost/a b" };

    (void)state;
    for (size_t i = 0; i < sizeof near / sizeof near[0]; i++) {
        assert_true(sl_aws_container_url_is_near(sl_str_of(near[i])));
    }
    for (size_t i = 0; i < sizeof far / sizeof far[0]; i++) {
        if (sl_aws_container_url_is_near(sl_str_of(far[i]))) {
            fail_msg("%s is not near", far[i]);
        }
    }
    (void)setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://example.com/canary", 1);
    assert_int_equal(find(), SL_CONFIG);
    assert_has(err.msg, "must be https");
    assert_int_equal(asked_n, 0);
}

static void an_agent_is_asked_three_times(void **state)
{
    (void)state;
    (void)setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/canary", 1);
    answers[1] = (struct answer){ 500, "canary" };
    answers[2] = (struct answer){ 200, KEYS };
    assert_int_equal(find(), SL_OK);
    assert_int_equal(asked_n, 3);
    answers[2] = (struct answer){ 429, "canary" };
    assert_int_equal(find(), SL_UNAVAILABLE);
    assert_int_equal(asked_n, 3);
    assert_string_equal(err.msg, "the container's agent answers with HTTP 429");
    answers[2] = (struct answer){ 0 };
    assert_int_equal(find(), SL_TIMEOUT);
    assert_string_equal(err.msg, "no answer from the container's agent: the deadline passed");
    answers[0] = (struct answer){ 403, "canary" };
    assert_int_equal(find(), SL_DENIED);
    assert_int_equal(asked_n, 1);
    answers[0] = (struct answer){ 401, "canary" };
    assert_int_equal(find(), SL_DENIED);
    answers[0] = (struct answer){ 200, "canary" };
    assert_int_equal(find(), SL_UNAVAILABLE);
    assert_string_equal(err.msg, "the container's agent: the answer is no JSON object");
}

/* ---- instances ----------------------------------------------------------------------------------------------- */

static void an_instance_is_asked_with_a_token(void **state)
{
    (void)state;
    answers[0] = (struct answer){ 200, "the-token" };
    answers[1] = (struct answer){ 200, "loader\nanother" };
    answers[2] = (struct answer){ 200, KEYS };
    assert_int_equal(find(), SL_OK);
    assert_int_equal(asked_n, 3);
    assert_int_equal(asked[0].method, SL_HTTP_PUT);
    assert_string_equal(asked[0].url, "http://169.254.169.254/latest/api/token");
    assert_has(asked[0].headers, "X-aws-ec2-metadata-token-ttl-seconds: 21600\n");
    assert_string_equal(asked[1].url,
                        "http://169.254.169.254/latest/meta-data/iam/security-credentials/");
    assert_has(asked[1].headers, "X-aws-ec2-metadata-token: the-token\n");
    assert_string_equal(asked[2].url,
                        "http://169.254.169.254/latest/meta-data/iam/security-credentials/loader");
    assert_true(asked[0].is_direct && asked[1].is_direct && asked[2].is_direct);
    assert_string_equal(creds.from.ptr, "the instance's role loader");
}

static void an_instance_may_be_asked_elsewhere_or_not_at_all(void **state)
{
    (void)state;
    (void)setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv6", 1);
    assert_int_equal(find(), SL_CONFIG);
    assert_string_equal(asked[0].url, "http://[fd00:ec2::254]/latest/api/token");
    (void)setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://localhost:1338/", 1);
    assert_int_equal(find(), SL_CONFIG);
    assert_string_equal(asked[0].url, "http://localhost:1338/latest/api/token");
    assert_int_equal(asked_n, 1);
    (void)setenv("AWS_EC2_METADATA_DISABLED", "True", 1);
    assert_int_equal(find(), SL_CONFIG);
    assert_has(err.msg, "not of an instance (AWS_EC2_METADATA_DISABLED is set)");
    assert_int_equal(asked_n, 0);
}

static void a_token_that_ends_is_asked_for_again_once(void **state)
{
    (void)state;
    answers[0] = (struct answer){ 200, "one" };
    answers[1] = (struct answer){ 401, "" };
    answers[2] = (struct answer){ 200, "two" };
    answers[3] = (struct answer){ 200, "loader" };
    answers[4] = (struct answer){ 200, KEYS };
    assert_int_equal(find(), SL_OK);
    assert_has(asked[3].headers, "X-aws-ec2-metadata-token: two\n");
    assert_has(asked[4].headers, "X-aws-ec2-metadata-token: two\n");
    answers[3] = (struct answer){ 401, "" };
    assert_int_equal(find(), SL_DENIED);
    assert_int_equal(asked_n, 4);
}

static void what_an_instance_says_instead_is_told_apart(void **state)
{
    static const struct {
        struct answer answers[3];
        sl_rc rc;
        const char *says;
    } cases[] = {
        { { { 0, "" } }, SL_CONFIG, "not of an instance (no answer from the instance's metadata" },
        { { { 403, "" } }, SL_DENIED, "answers with HTTP 403" },
        { { { 404, "" } }, SL_UNAVAILABLE, "gave no token (HTTP 404)" },
        { { { 200, "can\r\nary" } }, SL_UNAVAILABLE, "gave no token" },
        { { { 200, "t" }, { 404, "" } },
          SL_CONFIG,
          "not of an instance (the instance has no role)" },
        { { { 200, "t" }, { 200, "../x" } }, SL_UNAVAILABLE, "gave no role" },
        { { { 200, "t" }, { 200, "r" }, { 404, "" } }, SL_UNAVAILABLE, "answers with HTTP 404" },
        { { { 200, "t" }, { 200, "r" }, { 200, "{\"Code\":\"AssumeRoleUnauthorizedAccess\"}" } },
          SL_UNAVAILABLE,
          "the code AssumeRoleUnauthorizedAccess and not Success" },
        { { { 200, "t" }, { 200, "r" }, { 200, "<html>canary" } },
          SL_UNAVAILABLE,
          "no JSON object" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        memcpy(answers, cases[i].answers, sizeof cases[i].answers);
        assert_int_equal(find(), cases[i].rc);
        assert_has(err.msg, cases[i].says);
        assert_null(strstr(err.msg, "canary"));
    }
}

static void expired_credentials_that_are_served_are_used_for_a_while(void **state)
{
    const int64_t at = 1700000000000;
    const int64_t minute = 60000;

    (void)state;
    assert_true(sl_aws_imds_until(at + 1, at, 7) == at + 1);
    assert_true(sl_aws_imds_until(at, at, 0) == at + 17 * minute);
    assert_true(sl_aws_imds_until(at - 5, at, 8 * 60000) == at + 25 * minute);
    assert_true(sl_aws_imds_until(at - 5, at, 8 * 60000 + 1) == at + 17 * minute);
    answers[0] = (struct answer){ 200, "t" };
    answers[1] = (struct answer){ 200, "r" };
    answers[2] =
        (struct answer){ 200, "{\"Code\":\"Success\",\"AccessKeyId\":\"ID\",\"SecretAccessKey\""
                              ":\"S\",\"Token\":\"T\",\"Expiration\":\"2020-01-01T00:00:00Z\"}" };
    assert_int_equal(find(), SL_OK);
    assert_true(creds.expires_at_ms >= sl_clock_at_ms() + 16 * minute);
}

/* ---- who may become a role ------------------------------------------------------------------------------------ */

static void a_role_names_the_place_of_its_source(void **state)
{
    static const struct {
        const char *profile;
        const char *says;
    } cases[] = {
        { "credential_source=Environment\n", "where there are no credentials" },
        { "credential_source=EcsContainer\n", "where there are no credentials" },
        { "credential_source=Moon\n", "is Environment, EcsContainer or Ec2InstanceMetadata" },
        { "credential_source=Environment\nsource_profile=x\n", "both source_profile and" },
    };

    (void)state;
    (void)setenv("AWS_CONFIG_FILE", token_file, 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[128];

        (void)snprintf(text, sizeof text, "[default]\nrole_arn=arn\n%s", cases[i].profile);
        write_token(text);
        assert_int_equal(find(), SL_CONFIG);
        assert_has(err.msg, cases[i].says);
    }
    write_token("[default]\nrole_arn=arn\ncredential_source=Ec2InstanceMetadata\n");
    answers[0] = (struct answer){ 200, "t" };
    answers[1] = (struct answer){ 200, "r" };
    answers[2] = (struct answer){ 200, KEYS };
    answers[3] = (struct answer){ 503, "" };
    assert_int_equal(find(), SL_UNAVAILABLE);
    assert_string_equal(asked[3].url, "https://sts.eu-west-1.amazonaws.com/");
}

/* ---- JSON ------------------------------------------------------------------------------------------------------ */

static void json_that_is_no_credentials_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "[]",
        "{}",
        "{\"AccessKeyId\":\"canary\",\"Expiration\":\"2030-01-01T00:00:00Z\"}",
        "{\"AccessKeyId\":1,\"SecretAccessKey\":2,\"Expiration\":\"2030-01-01T00:00:00Z\"}",
        "{\"AccessKeyId\":\"canary\",\"SecretAccessKey\":\"canary\"}",
        "{\"AccessKeyId\":\"canary\",\"SecretAccessKey\":\"canary\",\"Expiration\":\"soon\"}",
        "{\"AccessKeyId\":\"canary\\r\\nx\",\"SecretAccessKey\":\"canary\","
        "\"Expiration\":\"2030-01-01T00:00:00Z\"}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(
            sl_aws_json_read(SL_AWS_JSON_CONTAINER, sl_str_of(wrong[i]), &arena, &creds, &err),
            SL_UNAVAILABLE);
        assert_null(strstr(err.msg, "canary"));
        assert_null(creds.access_key_id.ptr);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, home_new, home_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_container_is_given_its_identity),
        TEST(the_token_is_read_each_time_and_its_file_comes_first),
        TEST(a_line_break_in_a_token_is_refused),
        TEST(a_token_goes_only_to_those_who_are_near),
        TEST(an_agent_is_asked_three_times),
        TEST(an_instance_is_asked_with_a_token),
        TEST(an_instance_may_be_asked_elsewhere_or_not_at_all),
        TEST(a_token_that_ends_is_asked_for_again_once),
        TEST(what_an_instance_says_instead_is_told_apart),
        TEST(expired_credentials_that_are_served_are_used_for_a_while),
        TEST(a_role_names_the_place_of_its_source),
        TEST(json_that_is_no_credentials_is_refused),
    };

    return cmocka_run_group_tests(tests, file_new, file_free);
}
