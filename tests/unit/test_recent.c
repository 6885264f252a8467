/* tests/unit/test_recent.c - each kind of warning once, the newest first, in a fixed room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "telemetry/recent.h"

static struct sl_recent_kind kind(const char *message, const char *code, const char *detail)
{
    struct sl_recent_kind k = { .level = 2 };

    (void)snprintf(k.message, sizeof k.message, "%s", message);
    (void)snprintf(k.code, sizeof k.code, "%s", code);
    (void)snprintf(k.detail, sizeof k.detail, "%s", detail);
    return k;
}

static void say(struct sl_recent *r, const char *message, const char *code, const char *detail,
                int64_t now_ms)
{
    const struct sl_recent_kind k = kind(message, code, detail);

    sl_recent_add(r, &k, now_ms);
}

static void a_kind_is_counted_and_says_the_last(void **state)
{
    struct sl_recent r = { 0 };

    (void)state;
    say(&r, "away", "TIMEOUT", "one", 5);
    say(&r, "away", "DENIED", "other", 6);
    say(&r, "away", "TIMEOUT", "two", 7);
    sl_recent_sort(&r);
    assert_string_equal(r.kinds[0].detail, "two");
    assert_int_equal(r.kinds[0].n, 2);
    assert_int_equal(r.kinds[0].first_ms, 5);
    assert_int_equal(r.kinds[0].last_ms, 7);
    assert_string_equal(r.kinds[1].code, "DENIED");
    assert_int_equal(r.kinds[1].n, 1);
    assert_int_equal(r.kinds[2].n, 0);
}

static void the_one_that_is_longest_ago_makes_room(void **state)
{
    struct sl_recent r = { 0 };
    char message[24];

    (void)state;
    for (int i = 0; i < SL_RECENT_KINDS + 1; i++) {
        (void)snprintf(message, sizeof message, "kind %d", i);
        say(&r, message, "", "", 100 + i);
        say(&r, "kind 0", "", "", 100 + i);
    }
    sl_recent_sort(&r);
    assert_int_equal(r.kinds[SL_RECENT_KINDS - 1].last_ms, 102); /* "kind 1" is gone */
    for (unsigned i = 0; i < SL_RECENT_KINDS; i++) {
        assert_string_not_equal(r.kinds[i].message, "kind 1");
    }
}

static void advice_is_known_by_the_message(void **state)
{
    (void)state;
    assert_non_null(strstr(sl_recent_advice("the table takes nothing; waiting"), "sluice check"));
    assert_string_equal(sl_recent_advice("nothing of the kind"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kind_is_counted_and_says_the_last),
        cmocka_unit_test(the_one_that_is_longest_ago_makes_room),
        cmocka_unit_test(advice_is_known_by_the_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
