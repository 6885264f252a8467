/* tests/unit/test_redact.c - no password of a connection is ever printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "config/config.h"

static void check(const char *url, const char *redacted)
{
    struct sl_arena a;
    sl_str out;

    sl_arena_init(&a, 1 << 20, 4096);
    out = sl_config_redact(sl_str_of(url), &a);
    assert_non_null(out.ptr);
    assert_string_equal(out.ptr, redacted);
    assert_int_equal(out.len, strlen(redacted));
    assert_int_equal(sl_config_has_password(sl_str_of(url)), strcmp(url, redacted) != 0);
    sl_arena_done(&a);
}

static void hides_the_password_of_a_url(void **state)
{
    (void)state;
    check("postgresql://me:secret@host:5432/db", "postgresql://me:***@host:5432/db");
    check("postgres://me:secret@host/db?sslmode=require",
          "postgres://me:***@host/db?sslmode=require");
    check("postgresql://:secret@host/db", "postgresql://:***@host/db");
    check("postgresql://me:s:e:c@[::1]:5432/db", "postgresql://me:***@[::1]:5432/db");
    check("postgresql://me:s%40x@a:1,b:2/db", "postgresql://me:***@a:1,b:2/db");
}

static void hides_the_password_of_a_query(void **state)
{
    (void)state;
    check("postgresql://host/db?password=secret", "postgresql://host/db?password=***");
    check("postgresql://host/db?user=me&password=secret&sslmode=disable",
          "postgresql://host/db?user=me&password=***&sslmode=disable");
    check("postgresql://host/db?pass%77ord=secret", "postgresql://host/db?pass%77ord=***");
    check("postgresql://host/db?PASSWORD=secret&sslpassword=two",
          "postgresql://host/db?PASSWORD=***&sslpassword=***");
    check("postgresql://me:one@host/db?password=two", "postgresql://me:***@host/db?password=***");
}

static void hides_the_password_of_a_conninfo(void **state)
{
    (void)state;
    check("host=h password=secret dbname=d", "host=h password=*** dbname=d");
    check("password = secret", "password = ***");
    check("host=h password='a b \\' c' user=me", "host=h password=*** user=me");
    check("password=a\\ b user=me", "password=*** user=me");
    check("password='never closed", "password=***");
    check("host='x password=y' password=secret", "host='x password=y' password=***");
    check("junk password=secret", "junk password=***");
}

/* Odd ones, where it is better to hide too much. */
static void hides_the_password_of_a_spoilt_url(void **state)
{
    (void)state;
    check("postgresql://me:p@ss@host/db", "postgresql://me:***@host/db");
    check("postgresql://me:p/ss@host/db", "postgresql://me:***@host/db");
    check("postgresql://me:p?ss@host/db", "postgresql://me:***@host/db");
    check("postgresql://host:5432/db?password=x@y", "postgresql://host:***");
    check("postgresql:// me:secret@host/db", "postgresql:// me:***@host/db");
    check("psql://me:secret@host/db", "psql://me:***@host/db");
    check("host=h x='a://b' password=secret", "host=h x='a://b' password=***");
}

static void leaves_alone_what_has_no_password(void **state)
{
    (void)state;
    check("", "");
    check("postgresql://", "postgresql://");
    check("postgresql://me@host:5432/db", "postgresql://me@host:5432/db");
    check("postgresql://me:@host/db", "postgresql://me:@host/db");
    check("postgresql://host:5432/db?passfile=/x", "postgresql://host:5432/db?passfile=/x");
    check("postgresql://host/db?password=", "postgresql://host/db?password=");
    check("host=h passfile=/x", "host=h passfile=/x");
    check("password", "password");
    check("password=", "password=");
    check("service=logins", "service=logins");
}

static void hides_more_passwords_than_anybody_has(void **state)
{
    char url[2048] = "postgresql://h/d?a=b";
    struct sl_arena a;

    (void)state;
    for (size_t n = strlen(url), i = 0; i < 40; i++) {
        n += (size_t)snprintf(url + n, sizeof url - n, "&password=secret%zu", i);
    }
    sl_arena_init(&a, 1 << 20, 4096);
    assert_null(strstr(sl_config_redact(sl_str_of(url), &a).ptr, "secret"));
    sl_arena_done(&a);
}

static void hides_a_password_that_is_found_after_more_than_anybody_has(void **state)
{
    /* Those of the query are found before those of the words around it. */
    char url[2048] = "password=secret host=x://h/d?a=b";
    struct sl_arena a;

    (void)state;
    for (size_t n = strlen(url), i = 0; i < 40; i++) {
        n += (size_t)snprintf(url + n, sizeof url - n, "&password=secret%zu", i);
    }
    sl_arena_init(&a, 1 << 20, 4096);
    assert_null(strstr(sl_config_redact(sl_str_of(url), &a).ptr, "secret"));
    sl_arena_done(&a);
}

static void gives_nothing_when_memory_runs_out(void **state)
{
    struct sl_arena a;

    (void)state;
    sl_arena_init(&a, 8, 8);
    assert_null(sl_config_redact(SL_STR("postgresql://me:secret@host/db"), &a).ptr);
    sl_arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hides_the_password_of_a_url),
        cmocka_unit_test(hides_the_password_of_a_query),
        cmocka_unit_test(hides_the_password_of_a_conninfo),
        cmocka_unit_test(hides_the_password_of_a_spoilt_url),
        cmocka_unit_test(leaves_alone_what_has_no_password),
        cmocka_unit_test(hides_more_passwords_than_anybody_has),
        cmocka_unit_test(hides_a_password_that_is_found_after_more_than_anybody_has),
        cmocka_unit_test(gives_nothing_when_memory_runs_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
