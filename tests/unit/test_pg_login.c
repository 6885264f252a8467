/* tests/unit/test_pg_login.c - what a secret says of a database, and what its URL does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sink/pg_login.h"

static struct sl_config config_of(const char *url)
{
    return (struct sl_config){ .postgres = { .url = sl_str_of(url),
                                             .url_secret = SL_STR("arn:not-asked") } };
}

static void becomes(const char *url, const char *secret, const char *expect)
{
    const struct sl_config cfg = config_of(url);
    SL_AUTO(sl_buf_done) struct sl_buf words = { .max_bytes = 4096 };
    SL_AUTO(sl_buf_done) struct sl_buf out = { .max_bytes = 4096 };

    assert_int_equal(sl_pg_login_parse(sl_str_of(secret), &words, NULL), SL_OK);
    assert_int_equal(sl_pg_login_write(&cfg, &words, NULL, &out, NULL), SL_OK);
    assert_string_equal(out.ptr, expect);
}

static void refused(const char *secret)
{
    SL_AUTO(sl_buf_done) struct sl_buf words = { .max_bytes = 4096 };
    struct sl_err e = { 0 };

    assert_int_equal(sl_pg_login_parse(sl_str_of(secret), &words, &e), SL_DENIED);
    assert_null(strstr(e.msg, "hunter2"));
}

static void takes_the_whole_of_a_url_from_the_secret(void **state)
{
    (void)state;
    becomes("", " postgresql://u:p%2Fw@h:6543/d?sslmode=require\n",
            "user='u' password='p/w' dbname='d' host='h' port='6543' sslmode='require' ");
    becomes("", "host=h user=u password=p", "user='u' password='p' host='h' ");
}

static void takes_what_rds_keeps_there(void **state)
{
    (void)state;
    becomes("",
            "{\"engine\":\"postgres\",\"username\":\"u\",\"password\":\"it's \\\\ me\","
            "\"host\":\"h\",\"port\":6543,\"dbname\":\"d\",\"dbInstanceIdentifier\":\"x\"}",
            "user='u' password='it\\'s \\\\ me' dbname='d' host='h' port='6543' ");
    becomes("postgresql://h/d?sslmode=require", "{\"username\":\"u\",\"password\":\"p\"}",
            "user='u' password='p' dbname='d' host='h' sslmode='require' ");
}

static void lets_the_url_say_where_and_the_secret_say_who(void **state)
{
    (void)state;
    becomes("postgresql://old@proxy:6432/d",
            "{\"username\":\"u\",\"password\":\"p\",\"host\":\"h\",\"port\":\"5432\"}",
            "user='u' password='p' dbname='d' host='proxy' port='6432' ");
}

static void refuses_what_is_no_login_and_never_says_it(void **state)
{
    (void)state;
    refused("hunter2");
    refused("postgresql://u:hunter2@[/d");
    refused("{\"password\":\"hunter2\"}");
    refused("{\"username\":\"u\",\"password\":\"hunter2\",\"engine\":\"mysql\"}");
    refused("{\"username\":\"u\",\"password\":\"hunter2\"");
}

static void a_token_needs_a_host_a_user_and_tls(void **state)
{
    static const char *const urls[] = { "postgresql://u@h/d",
                                        "postgresql://u@h/d?sslmode=prefer",
                                        "postgresql://h/d?sslmode=require",
                                        "postgresql://u@/d?sslmode=require",
                                        "postgresql://u@a,b/d?sslmode=require",
                                        "host=/tmp user=u sslmode=require" };

    (void)state;
    unsetenv("PGUSER");
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        const struct sl_config cfg = { .postgres = { .url = sl_str_of(urls[i]),
                                                     .auth = SL_AUTH_IAM } };
        SL_AUTO(sl_buf_done) struct sl_buf secret = { .max_bytes = 4096 };
        SL_AUTO(sl_buf_done) struct sl_buf out = { .max_bytes = 4096 };

        assert_int_equal(sl_pg_login_write(&cfg, &secret, NULL, &out, NULL), SL_CONFIG);
    }
}

/* libpq would take the mode of a service file before that of the environment. */
static void a_token_says_itself_that_it_goes_over_tls(void **state)
{
    const struct sl_config cfg = {
        .sqs = { .access_key_id = SL_STR("AKIDEXAMPLE"), .secret_access_key = SL_STR("secret") },
        .postgres = { .url = SL_STR("host=db.x.eu-west-1.rds.amazonaws.com user=u service=mine"),
                      .auth = SL_AUTH_IAM },
    };
    SL_AUTO(sl_buf_done) struct sl_buf secret = { .max_bytes = 4096 };
    SL_AUTO(sl_buf_done) struct sl_buf out = { .max_bytes = 4096 };

    (void)state;
    (void)setenv("PGSSLMODE", "require", 1);
    assert_int_equal(sl_pg_login_write(&cfg, &secret, NULL, &out, NULL), SL_OK);
    unsetenv("PGSSLMODE");
    assert_non_null(strstr(out.ptr, "' sslmode='require' "));
}

static void leaves_a_url_alone_where_nothing_else_is_asked_for(void **state)
{
    const struct sl_config cfg = { .postgres = { .url = SL_STR("postgresql://u@h/d") } };
    SL_AUTO(sl_buf_done) struct sl_buf secret = { .max_bytes = 4096 };
    SL_AUTO(sl_buf_done) struct sl_buf out = { .max_bytes = 4096 };

    (void)state;
    assert_int_equal(sl_pg_login_write(&cfg, &secret, NULL, &out, NULL), SL_OK);
    assert_string_equal(out.ptr, "postgresql://u@h/d");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_whole_of_a_url_from_the_secret),
        cmocka_unit_test(takes_what_rds_keeps_there),
        cmocka_unit_test(lets_the_url_say_where_and_the_secret_say_who),
        cmocka_unit_test(refuses_what_is_no_login_and_never_says_it),
        cmocka_unit_test(a_token_needs_a_host_a_user_and_tls),
        cmocka_unit_test(a_token_says_itself_that_it_goes_over_tls),
        cmocka_unit_test(leaves_a_url_alone_where_nothing_else_is_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
