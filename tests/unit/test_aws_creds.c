/* tests/unit/test_aws_creds.c - which identity, region and endpoint win. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/aws_target.h"
#include "net/ini.h"

#define QUEUE "https://sqs.eu-west-1.amazonaws.com/123456789012/logins"
#define LOCAL "http://127.0.0.1:9324/000000000000/logins"

/* A home directory of its own, no AWS variables, and a configuration to change. */
struct home {
    char dir[64];
    char credentials[96];
    char config[96];
    struct sl_config cfg;
    struct sl_arena arena;
    struct sl_aws_target target;
    struct sl_aws_creds creds;
    struct sl_err err;
};

static const char *const variables[] = { "AWS_ACCESS_KEY_ID",
                                         "AWS_SECRET_ACCESS_KEY",
                                         "AWS_SESSION_TOKEN",
                                         "AWS_SECURITY_TOKEN",
                                         "AWS_PROFILE",
                                         "AWS_DEFAULT_PROFILE",
                                         "AWS_REGION",
                                         "AWS_DEFAULT_REGION",
                                         "AWS_ENDPOINT_URL",
                                         "AWS_ENDPOINT_URL_SQS",
                                         "AWS_SHARED_CREDENTIALS_FILE",
                                         "AWS_CONFIG_FILE" };

static int home_new(void **state)
{
    static struct home h;
    char aws[80];

    h = (struct home){ .dir = "/tmp/sluice-creds-XXXXXX", .cfg.sqs.queue_url = SL_STR(QUEUE) };
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        (void)unsetenv(variables[i]);
    }
    if (mkdtemp(h.dir) == NULL || setenv("HOME", h.dir, 1) != 0 ||
        setenv("AWS_EC2_METADATA_DISABLED", "true", 1) != 0) {
        return -1;
    }
    (void)snprintf(aws, sizeof aws, "%s/.aws", h.dir);
    (void)snprintf(h.credentials, sizeof h.credentials, "%s/credentials", aws);
    (void)snprintf(h.config, sizeof h.config, "%s/config", aws);
    sl_arena_init(&h.arena, 1 << 20, 4096);
    *state = &h;
    return mkdir(aws, 0700);
}

static int home_free(void **state)
{
    struct home *h = *state;
    char aws[80];

    (void)snprintf(aws, sizeof aws, "%s/.aws", h->dir);
    (void)unlink(h->credentials);
    (void)rmdir(h->credentials);
    (void)unlink(h->config);
    (void)rmdir(aws);
    sl_arena_done(&h->arena);
    return rmdir(h->dir);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

static sl_rc find(struct home *h)
{
    h->err = (struct sl_err){ 0 };
    h->target = (struct sl_aws_target){ 0 };
    SL_TRY(sl_aws_target_find(&h->cfg, &h->arena, &h->target, &h->err));
    return sl_aws_creds_find(&h->cfg, h->target.region, NULL, &h->arena, &h->creds, &h->err);
}

static void assert_str(sl_str s, const char *expect)
{
    assert_non_null(s.ptr);
    assert_string_equal(s.ptr, expect); /* copies have a NUL behind them */
    assert_int_equal(s.len, strlen(expect));
}

static void assert_says(const struct home *h, const char *part)
{
    if (strstr(h->err.msg, part) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", h->err.msg, part);
    }
}

static void set_env_creds(void)
{
    (void)setenv("AWS_ACCESS_KEY_ID", "env-id", 1);
    (void)setenv("AWS_SECRET_ACCESS_KEY", "env-secret", 1);
}

static void the_configuration_comes_first(void **state)
{
    struct home *h = *state;

    set_env_creds();
    (void)setenv("AWS_SESSION_TOKEN", "env-token", 1);
    (void)setenv("AWS_REGION", "us-west-2", 1);
    (void)setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1", 1);
    h->cfg.sqs.access_key_id = SL_STR("cfg-id");
    h->cfg.sqs.secret_access_key = SL_STR("cfg-secret");
    h->cfg.sqs.region = SL_STR("ap-south-1");
    h->cfg.sqs.endpoint = SL_STR("http://127.0.0.1:2/");
    assert_int_equal(find(h), SL_OK);
    assert_str(h->creds.access_key_id, "cfg-id");
    assert_str(h->creds.secret_access_key, "cfg-secret");
    assert_str(h->creds.session_token, "");
    assert_str(h->creds.from, "the configuration");
    assert_str(h->target.region, "ap-south-1");
    assert_str(h->target.endpoint, "http://127.0.0.1:2");
}

static void a_configured_profile_comes_before_the_environment(void **state)
{
    struct home *h = *state;

    set_env_creds();
    write_file(h->credentials, "[loader]\naws_access_key_id = file-id\n"
                               "aws_secret_access_key = file/secret+=\n"
                               "aws_session_token=file-token\n");
    h->cfg.sqs.profile = SL_STR("loader");
    assert_int_equal(find(h), SL_OK);
    assert_str(h->creds.access_key_id, "file-id");
    assert_str(h->creds.secret_access_key, "file/secret+=");
    assert_str(h->creds.session_token, "file-token");
}

static void the_environment_comes_before_the_profile_of_the_environment(void **state)
{
    struct home *h = *state;

    set_env_creds();
    (void)setenv("AWS_PROFILE", "loader", 1);
    (void)setenv("AWS_SECURITY_TOKEN", "old-token\n", 1);
    write_file(h->credentials,
               "[loader]\naws_access_key_id=file-id\naws_secret_access_key=file-secret\n");
    assert_int_equal(find(h), SL_OK);
    assert_str(h->creds.access_key_id, "env-id");
    assert_str(h->creds.session_token, "old-token");
    (void)setenv("AWS_SESSION_TOKEN", "new-token", 1);
    assert_int_equal(find(h), SL_OK);
    assert_str(h->creds.session_token, "new-token");

    (void)unsetenv("AWS_ACCESS_KEY_ID");
    (void)unsetenv("AWS_SECRET_ACCESS_KEY");
    assert_int_equal(find(h), SL_OK);
    assert_str(h->creds.access_key_id, "file-id");
    assert_str(h->creds.session_token, "");
}

static void the_default_profile_needs_no_naming(void **state)
{
    struct home *h = *state;

    h->cfg.sqs.queue_url = SL_STR(LOCAL);
    write_file(h->config, "[default]\r\nregion = eu-north-1 # where it is\r\n"
                          "AWS_ACCESS_KEY_ID = id\r\naws_secret_access_key = secret\r\n");
    assert_int_equal(find(h), SL_OK);
    assert_str(h->creds.access_key_id, "id");
    assert_str(h->creds.secret_access_key, "secret");
    assert_str(h->target.region, "eu-north-1");
    assert_str(h->target.endpoint, "http://127.0.0.1:9324");
}

static void sections_of_the_config_file_are_named_profile_x(void **state)
{
    struct home *h = *state;

    h->cfg.sqs.queue_url = SL_STR(LOCAL);
    (void)setenv("AWS_PROFILE", "two words", 1);
    write_file(h->config, "[two words]\naws_access_key_id = wrong\nregion = xx-wrong-1\n"
                          "[profile  'two  words' ]\nregion = eu-north-1\n");
    write_file(h->credentials,
               "; a comment\n[two words]\naws_access_key_id = id\naws_secret_access_key = s\n");
    assert_int_equal(find(h), SL_OK);
    assert_str(h->creds.access_key_id, "id");
    assert_str(h->target.region, "eu-north-1");
}

static void the_credentials_file_wins_over_the_config_file(void **state)
{
    struct home *h = *state;

    write_file(h->config, "[default]\naws_access_key_id=config\naws_secret_access_key=config\n");
    write_file(h->credentials, "[default]\naws_access_key_id=creds\naws_secret_access_key=creds\n");
    assert_int_equal(find(h), SL_OK);
    assert_str(h->creds.access_key_id, "creds");
    assert_str(h->creds.secret_access_key, "creds");
}

static void variables_name_other_files(void **state)
{
    struct home *h = *state;

    write_file(h->config, "[x]\naws_access_key_id=id\naws_secret_access_key=s\n");
    (void)setenv("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/config", 1);
    (void)setenv("AWS_CONFIG_FILE", "/nowhere/config", 1);
    (void)setenv("AWS_PROFILE", "x", 1);
    assert_int_equal(find(h), SL_OK);
    assert_str(h->creds.access_key_id, "id");
}

static void endpoints_are_looked_for_in_order(void **state)
{
    struct home *h = *state;

    set_env_creds();
    assert_int_equal(find(h), SL_OK);
    assert_str(h->target.endpoint, "https://sqs.eu-west-1.amazonaws.com");
    write_file(h->config, "[default]\nendpoint_url = http://profile:1\n");
    assert_int_equal(find(h), SL_OK);
    assert_str(h->target.endpoint, "http://profile:1");
    write_file(h->config, "[default]\nendpoint_url = http://profile:1\nservices = local\n"
                          "[services local]\ns3 =\n  endpoint_url = http://s3:1\n"
                          "sqs =\n  endpoint_url = http://sqs:1/\n");
    assert_int_equal(find(h), SL_OK);
    assert_str(h->target.endpoint, "http://sqs:1");
    (void)setenv("AWS_ENDPOINT_URL", "http://env:1/", 1);
    assert_int_equal(find(h), SL_OK);
    assert_str(h->target.endpoint, "http://env:1");
    (void)setenv("AWS_ENDPOINT_URL_SQS", "http://env-sqs:1", 1);
    assert_int_equal(find(h), SL_OK);
    assert_str(h->target.endpoint, "http://env-sqs:1");
    assert_str(h->target.region, "eu-west-1");
}

static void regions_are_looked_for_in_order(void **state)
{
    struct home *h = *state;

    set_env_creds();
    h->cfg.sqs.queue_url = SL_STR(LOCAL);
    write_file(h->config, "[default]\nregion = eu-north-1\n");
    assert_int_equal(find(h), SL_OK);
    assert_str(h->target.region, "eu-north-1");
    (void)setenv("AWS_DEFAULT_REGION", "eu-west-2", 1);
    assert_int_equal(find(h), SL_OK);
    assert_str(h->target.region, "eu-west-2");
    (void)setenv("AWS_REGION", "eu-west-3", 1);
    assert_int_equal(find(h), SL_OK);
    assert_str(h->target.region, "eu-west-3");
    h->cfg.sqs.queue_url = SL_STR(QUEUE);
    assert_int_equal(find(h), SL_OK);
    assert_str(h->target.region, "eu-west-1");
}

static void says_where_it_looked_for_credentials(void **state)
{
    struct home *h = *state;

    assert_int_equal(find(h), SL_CONFIG);
    assert_says(h, "no AWS credentials: not sqs.access_key_id, not AWS_ACCESS_KEY_ID, not in "
                   "profile default of ");
    assert_says(h, h->credentials);
    assert_says(h, "(No such file or directory)");
    assert_null(h->creds.access_key_id.ptr);

    assert_int_equal(mkdir(h->credentials, 0700), 0);
    assert_int_equal(find(h), SL_CONFIG);
    assert_says(h, "credentials (Is a directory)");
}

static void says_where_it_looked_for_a_region(void **state)
{
    struct home *h = *state;

    set_env_creds();
    h->cfg.sqs.queue_url = SL_STR(LOCAL);
    assert_int_equal(find(h), SL_CONFIG);
    assert_says(h, "no AWS region: not sqs.region, not in the queue URL, not AWS_REGION");
    assert_says(h, h->config);
}

static void a_profile_asked_for_must_be_there(void **state)
{
    struct home *h = *state;

    write_file(h->credentials, "[default]\naws_access_key_id=id\naws_secret_access_key=s\n");
    (void)setenv("AWS_PROFILE", "absent", 1);
    assert_int_equal(find(h), SL_CONFIG);
    assert_says(h, "there is no AWS profile absent in ");
    h->cfg.sqs.profile = SL_STR("missing");
    set_env_creds();
    assert_int_equal(find(h), SL_CONFIG);
    assert_says(h, "there is no AWS profile missing in ");
}

static void half_a_key_pair_is_a_mistake(void **state)
{
    struct home *h = *state;

    (void)setenv("AWS_ACCESS_KEY_ID", "id", 1);
    assert_int_equal(find(h), SL_CONFIG);
    assert_string_equal(h->err.msg,
                        "the environment has an AWS access key id and no secret access key");
    (void)unsetenv("AWS_ACCESS_KEY_ID");
    write_file(h->credentials, "[default]\naws_secret_access_key=canary\n");
    assert_int_equal(find(h), SL_CONFIG);
    assert_string_equal(h->err.msg,
                        "AWS profile default has an AWS secret access key and no access key id");
}

static void a_line_break_in_a_key_is_refused(void **state)
{
    struct home *h = *state;

    (void)setenv("AWS_ACCESS_KEY_ID", "id", 1);
    (void)setenv("AWS_SECRET_ACCESS_KEY", "canary\r\nX-Evil: 1", 1);
    assert_int_equal(find(h), SL_CONFIG);
    assert_says(h, "the environment");
    assert_null(strstr(h->err.msg, "canary"));
}

static void an_endpoint_must_be_a_url(void **state)
{
    static const char *const wrong[] = { "localhost:4566", "ftp://x", "http://", "http:///x",
                                         "http://a b" };
    struct home *h = *state;

    set_env_creds();
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        (void)setenv("AWS_ENDPOINT_URL", wrong[i], 1);
        assert_int_equal(find(h), SL_CONFIG);
        assert_says(h, "is not an http or https URL");
    }
}

static void finds_the_region_in_every_form_of_queue_url(void **state)
{
    static const struct {
        const char *url;
        const char *region;
    } cases[] = {
        { "https://sqs.us-east-1.amazonaws.com/1/q", "us-east-1" },
        { "https://sqs.us-gov-west-1.amazonaws.com/1/q", "us-gov-west-1" },
        { "https://sqs.cn-north-1.amazonaws.com.cn/1/q", "cn-north-1" },
        { "https://ap-southeast-2.queue.amazonaws.com/1/q", "ap-southeast-2" },
        { "https://cn-northwest-1.queue.amazonaws.com.cn/1/q", "cn-northwest-1" },
        { "https://queue.amazonaws.com/1/q", "us-east-1" },
        { "https://sqs.eu-west-1.api.aws/1/q", "eu-west-1" },
        { "https://sqs-fips.us-east-2.amazonaws.com/1/q", "us-east-2" },
        { "https://vpce-0a1b-x.sqs.eu-central-1.vpce.amazonaws.com/1/q", "eu-central-1" },
        { "http://sqs.us-east-1.localhost:9324/000000000000/q", "us-east-1" },
        { "http://sqs.us-east-1.localhost.localstack.cloud:4566/0/q", "us-east-1" },
        { "http://us-west-2.queue.localhost.localstack.cloud:4566/0/q", "us-west-2" },
        { "http://127.0.0.1:9328/000000000000/q", "" },
        { "http://localhost:4566/sqs.us-east-1.amazonaws.com/q", "" },
        { "http://[::1]:4566/q", "" },
        { "https://sqs.internal.example.com/q", "" },
        { "https://sqs.US-EAST-1.example.com/q", "" },
        { "queue", "" },
        { "", "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const sl_str region = sl_aws_region_of_url(sl_str_of(cases[i].url));

        assert_int_equal(region.len, strlen(cases[i].region));
        assert_true(sl_str_eq(region, sl_str_of(cases[i].region)));
    }
}

static void a_profile_file_may_be_untidy(void **state)
{
    struct home *h = *state;
    const sl_str text = SL_STR("\xef\xbb\xbf"
                               "stray = 1\n[ a ]\nk=v=w\n  # indented comment\nk2 = x;y ;z\n"
                               "no pair\n[a]\nk = later\nbroken\n[b\nk=b\n[]\nk=none\nlast = 1");
    struct sl_ini ini;

    assert_int_equal(sl_ini_parse(text, &h->arena, &ini, NULL), SL_OK);
    assert_true(sl_str_eq(sl_ini_get(&ini, SL_STR("a"), SL_STR("k")), SL_STR("later")));
    assert_true(sl_str_eq(sl_ini_get(&ini, SL_STR("a"), SL_STR("k2")), SL_STR("x;y")));
    assert_true(sl_str_eq(sl_ini_get(&ini, SL_STR("b"), SL_STR("k")), SL_STR("b")));
    assert_int_equal(sl_ini_get(&ini, SL_STR("a"), SL_STR("stray")).len, 0);
    assert_true(sl_ini_has(&ini, SL_STR("b")));
    assert_false(sl_ini_has(&ini, SL_STR("c")));
}

static void a_quote_leaves_no_blank_in_the_name_of_a_section(void **state)
{
    struct home *h = *state;
    struct sl_ini ini;

    assert_int_equal(
        sl_ini_parse(SL_STR("[profile 'x y ']\nk = 1\n[z ']\nk = 2\n"), &h->arena, &ini, NULL),
        SL_OK);
    assert_true(sl_ini_has(&ini, SL_STR("profile x y")));
    assert_true(sl_ini_has(&ini, SL_STR("z")));
}

static void little_memory_is_reported(void **state)
{
    struct home *h = *state;

    set_env_creds();
    sl_arena_done(&h->arena);
    sl_arena_init(&h->arena, 32, 16);
    assert_int_equal(find(h), SL_NOMEM);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, home_new, home_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_configuration_comes_first),
        TEST(a_configured_profile_comes_before_the_environment),
        TEST(the_environment_comes_before_the_profile_of_the_environment),
        TEST(the_default_profile_needs_no_naming),
        TEST(sections_of_the_config_file_are_named_profile_x),
        TEST(the_credentials_file_wins_over_the_config_file),
        TEST(variables_name_other_files),
        TEST(endpoints_are_looked_for_in_order),
        TEST(regions_are_looked_for_in_order),
        TEST(says_where_it_looked_for_credentials),
        TEST(says_where_it_looked_for_a_region),
        TEST(a_profile_asked_for_must_be_there),
        TEST(half_a_key_pair_is_a_mistake),
        TEST(a_line_break_in_a_key_is_refused),
        TEST(an_endpoint_must_be_a_url),
        TEST(finds_the_region_in_every_form_of_queue_url),
        TEST(a_profile_file_may_be_untidy),
        TEST(a_quote_leaves_no_blank_in_the_name_of_a_section),
        TEST(little_memory_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
