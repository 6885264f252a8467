/* tests/unit/test_aws_role.c - roles: who becomes them, what STS is asked and what it may answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "net/aws_creds.h"
#include "net/aws_sts.h"
#include "net/http_fetch.h"

#define ARN "arn:aws:iam::123456789012:role/loader"

/* ---- in place of the network --------------------------------------------------------------------- */

enum { ASKED_MAX = 8 };

static struct asked {
    char url[128];
    char body[1024];
    char headers[2048];
} asked[ASKED_MAX];

static unsigned asked_n;
static int answer_status;
static int64_t ahead_s;         /* of STS's clock, which refuses ours once; 0: it does not */
static const char *answer_body; /* NULL: as STS does, keys numbered from 1 */

static void write_answer(struct sl_buf *b, const char *action)
{
    sl_buf_printf(b,
                  "<%sResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><%sResult>"
                  "<Credentials><AccessKeyId>ID%u</AccessKeyId><SecretAccessKey>S</SecretAccessKey>"
                  "<SessionToken>T</SessionToken><Expiration>2030-01-01T00:00:00Z</Expiration>"
                  "</Credentials></%sResult></%sResponse>",
                  action, action, asked_n, action, action);
}

sl_rc sl_http_fetch(const struct sl_http_request *request, const struct sl_stop *stop,
                    struct sl_http_reply *ret, struct sl_err *e)
{
    struct asked *now = &asked[asked_n++];
    size_t len = 0;

    (void)stop;
    assert_true(asked_n <= ASKED_MAX);
    (void)snprintf(now->url, sizeof now->url, "%s", request->url);
    (void)snprintf(now->body, sizeof now->body, "%" SL_FMT, SL_ARG(request->body));
    for (const char *const *h = request->headers; *h != NULL; h++) {
        len += (size_t)snprintf(now->headers + len, sizeof now->headers - len, "%s\n", *h);
    }
    if (answer_status == 0) {
        return SL_FAIL(e, SL_DISCONNECTED, "nobody is there");
    }
    *ret = (struct sl_http_reply){ .status = answer_status };
    if (ahead_s != 0 && asked_n == 1) {
        const time_t at_s = (time_t)(sl_clock_at_ms() / 1000 + ahead_s);
        struct tm t;

        *ret = (struct sl_http_reply){ .status = 403 };
        (void)strftime(ret->date, sizeof ret->date, "%a, %d %b %Y %H:%M:%S GMT",
                       gmtime_r(&at_s, &t));
    }
    sl_buf_init(&ret->body, 1 << 16);
    if (answer_body != NULL) {
        sl_buf_printf(&ret->body, "%s", answer_body);
    } else {
        write_answer(&ret->body, strstr(now->body, "WebIdentity") != NULL
                                     ? "AssumeRoleWithWebIdentity"
                                     : "AssumeRole");
    }
    return SL_OK;
}

/* ---- a home of one's own --------------------------------------------------------------------------- */

static char file[] = "/tmp/sluice-role-XXXXXX";
static char token_file[] = "/tmp/sluice-token-XXXXXX";
static struct sl_config cfg;
static struct sl_arena arena;
static struct sl_aws_creds creds;
static struct sl_err err;

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static int files_new(void **state)
{
    const int a = mkstemp(file);
    const int b = mkstemp(token_file);

    (void)state;
    return a < 0 || b < 0 || close(a) != 0 || close(b) != 0;
}

static int files_free(void **state)
{
    (void)state;
    return unlink(file) | unlink(token_file);
}

static int home_new(void **state)
{
    (void)state;
    (void)clearenv();
    (void)setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
    (void)setenv("AWS_CONFIG_FILE", file, 1);
    write_file(file, "");
    write_file(token_file, "the.web/token=\n");
    cfg = (struct sl_config){ 0 };
    creds = (struct sl_aws_creds){ 0 };
    asked_n = 0;
    answer_status = 200;
    ahead_s = 0;
    answer_body = NULL;
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
    return sl_aws_creds_find(&cfg, SL_STR("eu-west-1"), NULL, &arena, &creds, &err);
}

static void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" does not have \"%s\"", text, part);
    }
}

#define BASE                                                         \
    "[profile base]\naws_access_key_id=BASE\naws_secret_access_key=" \
    "canary\n"

/* ---- roles of profiles ------------------------------------------------------------------------------ */

static void a_role_is_assumed_as_its_source(void **state)
{
    (void)state;
    write_file(file, BASE "[default]\nrole_arn=" ARN "\nsource_profile=base\nexternal_id=a b&c\n"
                          "role_session_name=me\nduration_seconds=900\n");
    assert_int_equal(find(), SL_OK);
    assert_int_equal(asked_n, 1);
    assert_string_equal(asked[0].url, "https://sts.eu-west-1.amazonaws.com/");
    assert_string_equal(asked[0].body,
                        "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1234567"
                        "89012%3Arole%2Floader&RoleSessionName=me&DurationSeconds=900"
                        "&ExternalId=a%20b%26c");
    assert_has(asked[0].headers, "Credential=BASE/");
    assert_has(asked[0].headers, "/eu-west-1/sts/aws4_request");
    assert_string_equal(creds.access_key_id.ptr, "ID1");
    assert_string_equal(creds.session_token.ptr, "T");
    assert_true(creds.expires_at_ms == INT64_C(1893456000000));
    assert_string_equal(creds.from.ptr, ARN ", as AWS profile base");
}

static void a_source_may_be_a_role_itself(void **state)
{
    (void)state;
    write_file(file, BASE "[profile mid]\nrole_arn=mid\nsource_profile=base\n"
                          "[default]\nrole_arn=top\nsource_profile=mid\n");
    assert_int_equal(find(), SL_OK);
    assert_int_equal(asked_n, 2);
    assert_has(asked[0].body, "RoleArn=mid&");
    assert_has(asked[0].headers, "Credential=BASE/");
    assert_has(asked[1].body, "RoleArn=top&RoleSessionName=sluice");
    assert_has(asked[1].headers, "Credential=ID1/");
    assert_has(asked[1].headers, "x-amz-security-token: T\n");
    assert_string_equal(creds.access_key_id.ptr, "ID2");
}

static void the_keys_of_a_source_come_before_its_role(void **state)
{
    (void)state;
    write_file(file, BASE "role_arn=never\nsource_profile=absent\n"
                          "[default]\nrole_arn=top\nsource_profile=base\n");
    assert_int_equal(find(), SL_OK);
    assert_int_equal(asked_n, 1);
    assert_has(asked[0].headers, "Credential=BASE/");
}

static void a_role_may_be_assumed_with_the_keys_beside_it(void **state)
{
    (void)state;
    write_file(file, "[default]\nrole_arn=top\nsource_profile=default\naws_access_key_id=SELF\n"
                     "aws_secret_access_key=s\n");
    assert_int_equal(find(), SL_OK);
    assert_has(asked[0].headers, "Credential=SELF/");
    assert_string_equal(creds.access_key_id.ptr, "ID1");
}

static void profiles_that_cannot_be_followed_are_refused(void **state)
{
    static const struct {
        const char *profile;
        const char *says;
    } cases[] = {
        { "[default]\nrole_arn=x\nsource_profile=b\n[profile "
          "b]\nrole_arn=y\nsource_profile=default\n",
          "AWS profiles are a circle: source_profile of b is default" },
        { "[default]\nrole_arn=x\nsource_profile=default\n",
          "AWS profile default, the source of default, has no credentials" },
        { "[default]\nrole_arn=x\nsource_profile=nowhere\n", "there is no AWS profile nowhere" },
        { "[default]\nrole_arn=x\n", "who is to become it" },
        { BASE "[default]\nrole_arn=x\nsource_profile=base\nmfa_serial=y\n", "mfa_serial" },
        { BASE "[default]\nrole_arn=x\nsource_profile=base\nduration_seconds=899\n",
          "duration_seconds is 900 to 43200" },
        { "[default]\nsso_session=x\n",
          "credential_process = aws configure export-credentials --profile default" },
        { "[default]\nrole_arn=x\nsource_profile=b\n[profile b]\nsso_start_url=x\n",
          "--profile b" },
        { "[default]\nrole_arn=x\nsource_profile=b\n[profile b]\nregion=x\n",
          "AWS profile b, the source of default, has no credentials" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_file(file, cases[i].profile);
        assert_int_equal(find(), SL_CONFIG);
        assert_has(err.msg, cases[i].says);
    }
    assert_int_equal(asked_n, 0);
}

static void a_chain_of_roles_is_bounded(void **state)
{
    char text[2048] = "[default]\nrole_arn=x\nsource_profile=p0\n";
    size_t len = strlen(text);

    (void)state;
    for (int i = 0; i < 8; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len,
                                "[profile p%d]\nrole_arn=x\nsource_profile=p%d\n", i, i + 1);
    }
    write_file(file, text);
    assert_int_equal(find(), SL_CONFIG);
    assert_has(err.msg, "more than 8 AWS roles");
}

/* ---- programs ---------------------------------------------------------------------------------------- */

static void a_program_prints_an_identity(void **state)
{
    char text[512];

    (void)state;
    write_file(token_file, "{\"Version\": 1, \"AccessKeyId\": \"PROCESS\", \"SecretAccessKey\": "
                           "\"s\", \"Expiration\": \"2030-01-01T00:00:00Z\"}");
    (void)snprintf(text, sizeof text, "[default]\ncredential_process = cat  \"%s\"\n", token_file);
    write_file(file, text);
    assert_int_equal(find(), SL_OK);
    assert_string_equal(creds.access_key_id.ptr, "PROCESS");
    assert_string_equal(creds.session_token.ptr, "");
    assert_true(creds.expires_at_ms == INT64_C(1893456000000));
    assert_string_equal(creds.from.ptr, "the program cat");

    (void)snprintf(text, sizeof text,
                   "[default]\nrole_arn = arn\nsource_profile = p\n"
                   "[profile p]\ncredential_process = cat '%s'\n",
                   token_file);
    write_file(file, text);
    assert_int_equal(find(), SL_OK);
    assert_has(asked[0].headers, "Credential=PROCESS/");
}

static void a_program_that_prints_none_is_refused_without_its_words(void **state)
{
    static const struct {
        const char *words;
        sl_rc rc;
        const char *says;
    } cases[] = {
        { "echo {\"Version\": 2, \"canary\": 1}", SL_UNAVAILABLE, "credential_process echo: the" },
        { "echo '{\"Version\": 2, \"canary\": 1}'", SL_UNAVAILABLE, "does not say Version 1" },
        { "echo '{\"Version\": 1}'", SL_UNAVAILABLE, "no AccessKeyId" },
        { "false canary", SL_UNAVAILABLE, "credential_process false failed with exit status 1" },
        { "/nowhere/x canary", SL_UNAVAILABLE,
          "cannot run credential_process /nowhere/x: No such" },
        { "echo 'canary", SL_CONFIG, "a quote in the credential_process is not closed" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[128];

        (void)snprintf(text, sizeof text, "[default]\ncredential_process = %s\n", cases[i].words);
        write_file(file, text);
        assert_int_equal(find(), cases[i].rc);
        assert_has(err.msg, cases[i].says);
        assert_null(strstr(err.msg, "canary"));
    }
}

/* ---- web identity ------------------------------------------------------------------------------------ */

static void a_web_identity_is_shown_unsigned_and_read_each_time(void **state)
{
    (void)state;
    (void)setenv("AWS_ROLE_ARN", "arn", 1);
    (void)setenv("AWS_WEB_IDENTITY_TOKEN_FILE", token_file, 1);
    assert_int_equal(find(), SL_OK);
    assert_string_equal(asked[0].body,
                        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn"
                        "&RoleSessionName=sluice&WebIdentityToken=the.web%2Ftoken%3D");
    assert_null(strstr(asked[0].headers, "uthorization"));
    assert_string_equal(creds.from.ptr, "arn, by a web identity");
    write_file(token_file, "another");
    (void)setenv("AWS_ROLE_SESSION_NAME", "pod", 1);
    assert_int_equal(find(), SL_OK);
    assert_has(asked[1].body, "&RoleSessionName=pod&WebIdentityToken=another");
}

static void a_web_identity_may_stand_in_a_profile(void **state)
{
    char text[256];

    (void)state;
    (void)snprintf(text, sizeof text, "[default]\nrole_arn=p\nweb_identity_token_file=%s\n",
                   token_file);
    write_file(file, text);
    assert_int_equal(find(), SL_OK);
    assert_has(asked[0].body, "RoleArn=p&");
    assert_has(asked[0].body, "WebIdentityToken=the.web");
}

static void a_token_file_has_one_token(void **state)
{
    static const char *const wrong[] = { "", " \n", "canary\r\nX: y", "can\x1b[31mary",
                                         "canary\x80" };

    (void)state;
    (void)setenv("AWS_ROLE_ARN", "arn", 1);
    (void)setenv("AWS_WEB_IDENTITY_TOKEN_FILE", token_file, 1);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        write_file(token_file, wrong[i]);
        assert_int_equal(find(), SL_CONFIG);
        assert_has(err.msg, "has no token");
        assert_null(strstr(err.msg, "canary"));
    }
    (void)setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token", 1);
    assert_int_equal(find(), SL_CONFIG);
    assert_has(err.msg, "cannot read the token of /nowhere/token: No such file");
    (void)unsetenv("AWS_ROLE_ARN");
    assert_int_equal(find(), SL_CONFIG);
    assert_has(err.msg, "needs AWS_ROLE_ARN");
    assert_int_equal(asked_n, 0);
}

static void environment_and_profile_come_before_a_web_identity(void **state)
{
    (void)state;
    (void)setenv("AWS_ROLE_ARN", "arn", 1);
    (void)setenv("AWS_WEB_IDENTITY_TOKEN_FILE", token_file, 1);
    write_file(file, "[default]\naws_access_key_id=FILE\naws_secret_access_key=s\n");
    assert_int_equal(find(), SL_OK);
    assert_string_equal(creds.access_key_id.ptr, "FILE");
    (void)setenv("AWS_ACCESS_KEY_ID", "ENV", 1);
    (void)setenv("AWS_SECRET_ACCESS_KEY", "s", 1);
    assert_int_equal(find(), SL_OK);
    assert_string_equal(creds.access_key_id.ptr, "ENV");
    assert_int_equal(asked_n, 0);
}

/* ---- the role of the configuration -------------------------------------------------------------------- */

static void the_configured_role_is_assumed_as_whoever_was_found(void **state)
{
    (void)state;
    (void)setenv("AWS_ACCESS_KEY_ID", "ENV", 1);
    (void)setenv("AWS_SECRET_ACCESS_KEY", "s", 1);
    (void)setenv("AWS_ENDPOINT_URL_STS", "http://localhost:1/", 1);
    cfg.sqs.role_arn = SL_STR(ARN);
    cfg.sqs.external_id = SL_STR("outside");
    assert_int_equal(find(), SL_OK);
    assert_string_equal(asked[0].url, "http://localhost:1/");
    assert_has(asked[0].body, "&RoleSessionName=sluice&ExternalId=outside");
    assert_has(asked[0].headers, "Credential=ENV/");
    assert_string_equal(creds.from.ptr, ARN ", as the environment");
}

static void a_clock_that_sts_refuses_is_corrected_by_its_own(void **state)
{
    const char *const day = "x-amz-date: ";
    const char *first;
    const char *second;

    (void)state;
    (void)setenv("AWS_ACCESS_KEY_ID", "ENV", 1);
    (void)setenv("AWS_SECRET_ACCESS_KEY", "s", 1);
    cfg.sqs.role_arn = SL_STR(ARN);
    ahead_s = 2 * 86400;
    assert_int_equal(find(), SL_OK);
    assert_int_equal(asked_n, 2);
    first = strstr(asked[0].headers, day);
    second = strstr(asked[1].headers, day);
    assert_non_null(first);
    assert_non_null(second);
    assert_true(strncmp(first, second, strlen(day) + 8) != 0);
}

static void china_has_a_domain_of_its_own(void **state)
{
    const struct sl_aws_sts sts = { .region = SL_STR("cn-north-1") };
    const struct sl_aws_role role = { .arn = SL_STR("arn") };
    const struct sl_aws_creds as = { .access_key_id = SL_STR("a"),
                                     .secret_access_key = SL_STR("b") };

    (void)state;
    assert_int_equal(sl_aws_sts_assume(&sts, &role, &as, &arena, &creds, NULL), SL_OK);
    assert_string_equal(asked[0].url, "https://sts.cn-north-1.amazonaws.com.cn/");
}

/* ---- answers --------------------------------------------------------------------------------------------- */

static void answers_that_are_none_are_told_apart(void **state)
{
    static const struct {
        int status;
        const char *body;
        sl_rc rc;
        const char *says;
    } cases[] = {
        { 403,
          "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: arn:me "
          "is not authorized</Message></Error></ErrorResponse>",
          SL_DENIED, "could not become " ARN ": STS refuses (AccessDenied): User: arn:me is not" },
        { 400,
          "<ErrorResponse><Error><Code>ExpiredToken</Code><Message>canary</Message></Error>"
          "</ErrorResponse>",
          SL_DENIED, "STS refuses (ExpiredToken)" },
        { 400, "<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>",
          SL_THROTTLED, "STS refuses (Throttling)" },
        { 400, "<ErrorResponse><Error><Code>IDPCommunicationError</Code></Error></ErrorResponse>",
          SL_UNAVAILABLE, "IDPCommunicationError" },
        { 503, "<ErrorResponse><Error><Code>ServiceUnavailable</Code></Error></ErrorResponse>",
          SL_UNAVAILABLE, "ServiceUnavailable" },
        { 502, "<html>canary", SL_UNAVAILABLE, "STS could not serve" },
        { 404, "canary", SL_UNAVAILABLE, "the endpoint is not one (HTTP 404)" },
        { 200, "canary", SL_UNAVAILABLE, "not well-formed XML" },
        { 200, "<AssumeRoleResponse/>", SL_UNAVAILABLE, "STS gave no credentials" },
        { 200,
          "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>canary</AccessKeyId>"
          "<SecretAccessKey>canary</SecretAccessKey><SessionToken>canary</SessionToken>"
          "<Expiration>soon</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>",
          SL_UNAVAILABLE, "STS gave no credentials" },
        { 0, "", SL_DISCONNECTED, "nobody is there" },
    };

    (void)state;
    write_file(file, BASE "[default]\nrole_arn=" ARN "\nsource_profile=base\n");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        asked_n = 0;
        answer_status = cases[i].status;
        answer_body = cases[i].body;
        assert_int_equal(find(), cases[i].rc);
        assert_has(err.msg, cases[i].says);
        assert_null(strstr(err.msg, "canary"));
        assert_null(creds.access_key_id.ptr);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, home_new, home_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_role_is_assumed_as_its_source),
        TEST(a_source_may_be_a_role_itself),
        TEST(the_keys_of_a_source_come_before_its_role),
        TEST(a_role_may_be_assumed_with_the_keys_beside_it),
        TEST(profiles_that_cannot_be_followed_are_refused),
        TEST(a_chain_of_roles_is_bounded),
        TEST(a_program_prints_an_identity),
        TEST(a_program_that_prints_none_is_refused_without_its_words),
        TEST(a_web_identity_is_shown_unsigned_and_read_each_time),
        TEST(a_web_identity_may_stand_in_a_profile),
        TEST(a_token_file_has_one_token),
        TEST(environment_and_profile_come_before_a_web_identity),
        TEST(the_configured_role_is_assumed_as_whoever_was_found),
        TEST(a_clock_that_sts_refuses_is_corrected_by_its_own),
        TEST(china_has_a_domain_of_its_own),
        TEST(answers_that_are_none_are_told_apart),
    };

    return cmocka_run_group_tests(tests, files_new, files_free);
}
