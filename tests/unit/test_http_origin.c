/* tests/unit/test_http_origin.c - names that another's DNS could lead here are told from addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "net/http_origin.h"

static void addresses_and_localhost_are_plain(void **state)
{
    static const char *const plain[] = { "127.0.0.1",      "127.0.0.1:9464", "localhost",
                                         "LocalHost:9464", "[::1]",          "[::1]:9464",
                                         "10.1.2.3:80" };

    (void)state;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        if (!sl_http_host_is_plain(plain[i])) {
            fail_msg("%s", plain[i]);
        }
    }
}

static void names_and_rubbish_are_not(void **state)
{
    static const char *const names[] = { "",
                                         "evil.example",
                                         "evil.example:9464",
                                         "127.0.0.1.evil.example",
                                         "localhost.evil.example:9464",
                                         "localhost:9464.evil.example",
                                         "127.0.0.1:80:90",
                                         "localhost@evil.example",
                                         "[::1",
                                         "[::1]x",
                                         "[evil.example]",
                                         "::1",
                                         "127.1",
                                         "2130706433",
                                         ":9464",
                                         "127.0.0.1:-1",
                                         "localhost:" };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (sl_http_host_is_plain(names[i])) {
            fail_msg("%s", names[i]);
        }
    }
}

static void an_origin_is_own_with_the_same_host_and_port(void **state)
{
    (void)state;
    assert_true(sl_http_origin_is_own("http://localhost:9464", "localhost:9464"));
    assert_true(sl_http_origin_is_own("https://sluice.example", "Sluice.example"));
    assert_false(sl_http_origin_is_own("http://localhost:80", "localhost:9464"));
    assert_false(sl_http_origin_is_own("http://localhost", "localhost:9464"));
    assert_false(sl_http_origin_is_own("http://evil.example", "localhost:9464"));
    assert_false(sl_http_origin_is_own("http://localhost:9464.evil.example", "localhost:9464"));
    assert_false(sl_http_origin_is_own("null", "localhost:9464"));
    assert_false(sl_http_origin_is_own("", ""));
    assert_false(sl_http_origin_is_own("http://", ""));
}

static void loopback_is_this_machine(void **state)
{
    (void)state;
    assert_true(sl_http_is_loopback("127.0.0.1"));
    assert_true(sl_http_is_loopback("127.9.9.9"));
    assert_true(sl_http_is_loopback("::1"));
    assert_true(sl_http_is_loopback("0:0:0:0:0:0:0:1"));
    assert_true(sl_http_is_loopback("::0001"));
    assert_true(sl_http_is_loopback("::ffff:127.0.0.1"));
    assert_true(sl_http_is_loopback("::ffff:7f00:1"));
    assert_false(sl_http_is_loopback("::ffff:10.0.0.1"));
    assert_false(sl_http_is_loopback("::127.0.0.1"));
    assert_false(sl_http_is_loopback("::2"));
    assert_false(sl_http_is_loopback("0.0.0.0"));
    assert_false(sl_http_is_loopback("::"));
    assert_false(sl_http_is_loopback("12.7.0.1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_and_localhost_are_plain),
        cmocka_unit_test(names_and_rubbish_are_not),
        cmocka_unit_test(an_origin_is_own_with_the_same_host_and_port),
        cmocka_unit_test(loopback_is_this_machine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
