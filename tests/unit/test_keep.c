/* tests/unit/test_keep.c - parts of values: settings, characters, networks, domains and years. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "masking/keep.h"

enum { ARENA_MAX = 1024 * 1024 };

struct sample {
    const char *keep;
    const char *value;
    const char *want; /* NULL: refused */
};

static int arena_begin(void **state)
{
    struct sl_arena *a = calloc(1, sizeof *a);

    assert_non_null(a);
    sl_arena_init(a, ARENA_MAX, 4096);
    *state = a;
    return 0;
}

static int arena_end(void **state)
{
    sl_arena_done(*state);
    free(*state);
    return 0;
}

static struct sl_keep keep_of(const char *text)
{
    struct sl_keep k = { 0 };

    if (!sl_keep_parse(sl_str_of(text), &k)) {
        fail_msg("refused: %s", text);
    }
    return k;
}

/* An own block of memory for each value, so that sanitizers see a read behind it. */
static void assert_kept(struct sl_arena *a, const struct sample *s)
{
    const struct sl_keep k = keep_of(s->keep);
    const size_t n = strlen(s->value);
    char *value = malloc(n);
    struct sl_err e = { 0 };
    sl_str got = { 0 };
    sl_rc rc;

    assert_true(value != NULL || n == 0);
    if (n > 0) {
        memcpy(value, s->value, n);
    }
    rc = sl_keep_mask(&k, (sl_cleartext){ value, n }, a, &got, &e);
    free(value); /* what is kept is a copy */
    if (s->want == NULL) {
        if (rc != SL_VALUE) {
            fail_msg("%s: accepted %s as %.*s", s->keep, s->value, (int)got.len, got.ptr);
        }
        assert_null(got.ptr);
        assert_true(strlen(e.msg) > 0);
        assert_true(n < 4 || strstr(e.msg, s->value) == NULL);
        return;
    }
    if (rc != SL_OK || got.len != strlen(s->want) || memcmp(got.ptr, s->want, got.len) != 0) {
        fail_msg("%s of %s is %.*s, not %s (%s)", s->keep, s->value, (int)got.len,
                 got.ptr != NULL ? got.ptr : "", s->want, e.msg);
    }
}

#define ASSERT_ALL(a, samples)                                          \
    for (size_t i = 0; i < sizeof(samples) / sizeof(*(samples)); i++) { \
        assert_kept((a), &(samples)[i]);                                \
    }

static void reads_what_to_keep(void **state)
{
    static const struct {
        const char *text;
        struct sl_keep want;
    } cases[] = {
        { "first 1", { SL_KEEP_FIRST, 1, 0 } },     { "first 64", { SL_KEEP_FIRST, 64, 0 } },
        { " last   4 ", { SL_KEEP_LAST, 4, 0 } },   { "/24", { SL_KEEP_NETWORK, 24, 48 } },
        { "/1", { SL_KEEP_NETWORK, 1, 48 } },       { "/31", { SL_KEEP_NETWORK, 31, 48 } },
        { "/32", { SL_KEEP_NETWORK, 24, 32 } },     { "/48", { SL_KEEP_NETWORK, 24, 48 } },
        { "/127", { SL_KEEP_NETWORK, 24, 127 } },   { "/16 /32", { SL_KEEP_NETWORK, 16, 32 } },
        { "/24 /24", { SL_KEEP_NETWORK, 24, 24 } }, { "/8  /1", { SL_KEEP_NETWORK, 8, 1 } },
        { "domain", { SL_KEEP_DOMAIN, 0, 0 } },     { "year", { SL_KEEP_YEAR, 0, 0 } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct sl_keep k = keep_of(cases[i].text);

        assert_int_equal(k.kind, cases[i].want.kind);
        assert_int_equal(k.n, cases[i].want.n);
        assert_int_equal(k.n6, cases[i].want.n6);
    }
}

static void refuses_settings_that_it_does_not_know(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "first",
        "first 0",
        "first 65",
        "first -1",
        "first 01",
        "first4",
        "first x",
        "first 4x",
        "first 999999999999999999999",
        "last",
        "last 0",
        "last +4",
        "last 4 4",
        "FIRST 4",
        "middle 4",
        "/",
        "/0",
        "/128",
        "/024",
        "/x",
        "24",
        "/24/48",
        "/24,/48",
        "/32 /48",
        "/24 /0",
        "/24 /128",
        "/24 48",
        "/24 /48 /64",
        "/48 /24",
        "domains",
        "domain x",
        "year 2",
        "Year",
        "/-1",
        "/ 24",
    };
    struct sl_keep k = { .n = 77 };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (sl_keep_parse(sl_str_of(texts[i]), &k)) {
            fail_msg("accepted: %s", texts[i]);
        }
        assert_int_equal(k.n, 77);
    }
}

static void keeps_the_first_characters(void **state)
{
    static const struct sample samples[] = {
        { "first 3", "593-47-5928", "593" }, { "first 1", "ab", "a" },
        { "first 2", "日本語", "日本" },     { "first 1", "ü!", "ü" },
        { "first 1", "e\u0301x", "e" },      { "first 4", "12345", "1234" },
    };

    ASSERT_ALL(*state, samples);
}

static void keeps_the_last_characters(void **state)
{
    static const struct sample samples[] = {
        { "last 4", "593-47-5928", "5928" },
        { "last 1", "ab", "b" },
        { "last 2", "日本語", "本語" },
        { "last 1", "!ü", "ü" },
        { "last 1", "😀😁", "😁" },
    };

    ASSERT_ALL(*state, samples);
}

static void never_passes_a_whole_value(void **state)
{
    static const struct sample samples[] = {
        { "first 4", "1234", "" },  { "first 4", "123", "" },    { "last 4", "1234", "" },
        { "last 64", "short", "" }, { "first 3", "日本語", "" }, { "last 3", "日本語", "" },
        { "first 1", "x", "" },
    };

    ASSERT_ALL(*state, samples);
}

static void never_passes_a_whole_value_even_if_it_is_no_utf8(void **state)
{
    struct sl_arena *a = *state;
    char value[12];

    for (unsigned seed = 0; seed < 4096; seed++) {
        for (size_t i = 0; i < sizeof value; i++) {
            value[i] = (char)(seed >> i & 1 ? 0x80 : 0xc3);
        }
        for (unsigned n = 1; n < 12; n++) {
            const struct sl_keep k = { seed & 1 ? SL_KEEP_FIRST : SL_KEEP_LAST, n, 0 };
            sl_str got = { 0 };

            assert_int_equal(sl_keep_mask(&k, (sl_cleartext){ value, sizeof value }, a, &got, NULL),
                             SL_OK);
            assert_true(got.len < sizeof value);
        }
        sl_arena_reset(a);
    }
}

static void keeps_networks(void **state)
{
    static const struct sample samples[] = {
        { "/24", "203.0.113.77", "203.0.113.0" },
        { "/24", "255.255.255.255", "255.255.255.0" },
        { "/16", "203.0.113.77", "203.0.0.0" },
        { "/1", "203.0.113.77", "128.0.0.0" },
        { "/31", "203.0.113.77", "203.0.113.76" },
        { "/20", "10.20.255.255", "10.20.240.0" },
        { "/8", "10.20.30.40", "10.0.0.0" },
        { "/24", "2001:db8:1:2:3:4:5:6", "2001:db8:1::" },
        { "/48", "2001:0DB8:0001:0002::6", "2001:db8:1::" },
        { "/48", "203.0.113.77", "203.0.113.0" },
        { "/16 /32", "2001:db8:1:2:3:4:5:6", "2001:db8::" },
        { "/16 /127", "2001:db8::ffff", "2001:db8::fffe" },
        { "/24 /1", "ffff::1", "8000::" },
        { "/24", "::ffff:203.0.113.77", "203.0.113.0" },
        { "/24", "::FFFF:CB00:714D", "203.0.113.0" },
        { "/24", "::1", "::" },
        { "/24", "127.0.0.1", "127.0.0.0" },
    };

    ASSERT_ALL(*state, samples);
}

static void refuses_networks_of_what_is_no_address(void **state)
{
    static const struct sample samples[] = {
        { "/24", "203.0.113", NULL },
        { "/24", "203.0.113.256", NULL },
        { "/24", "203.0.113.077", NULL },
        { "/24", "203.0.113.77:80", NULL },
        { "/24", "203.0.113.77/24", NULL },
        { "/24", " 203.0.113.77", NULL },
        { "/24", "fe80::1%eth0", NULL },
        { "/24", "[::1]", NULL },
        { "/24", "localhost", NULL },
        { "/24", "3405803853", NULL },
        { "/24", "1:2:3:4:5:6:7:8:9", NULL },
        { "/24", "2001:0db8:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", NULL },
        { "/24", ":", NULL },
        { "/24", "0x7f.1.2.3", NULL },
    };

    ASSERT_ALL(*state, samples);
}

static void refuses_an_address_with_something_behind_a_nul(void **state)
{
    static const char value[] = "203.0.113.77\0and more";
    const struct sl_keep k = { SL_KEEP_NETWORK, 24, 48 };
    sl_str got = { 0 };

    assert_int_equal(
        sl_keep_mask(&k, (sl_cleartext){ value, sizeof value - 1 }, *state, &got, NULL), SL_VALUE);
    assert_null(got.ptr);
}

static void keeps_the_domain_of_a_mail_address(void **state)
{
    static const struct sample samples[] = {
        { "domain", "jo@example.com", "example.com" },
        { "domain", "Jo.Doe+x@Mail.EXAMPLE.org", "mail.example.org" },
        { "domain", "\"a@b\"@example.com", "example.com" },
        { "domain", "jo@BÜCHER.example", "bücher.example" },
        { "domain", "jo@localhost", "localhost" },
        { "domain", "jo@7.example", "7.example" },
    };

    ASSERT_ALL(*state, samples);
}

static void refuses_domains_of_what_is_no_mail_address(void **state)
{
    static const struct sample samples[] = {
        { "domain", "example.com", NULL },
        { "domain", "@example.com", NULL },
        { "domain", "jo@", NULL },
        { "domain", "@", NULL },
        { "domain", "jo@example.com, Jo Doe", NULL },
        { "domain", "Jo Doe <jo@example.com>", NULL },
        { "domain", "jo@example.com ", NULL },
        { "domain", "jo@[203.0.113.77]", NULL },
        { "domain", "jo@203.0.113.77", NULL },
        { "domain", "jo@example.com:25", NULL },
        { "domain", "jo@exa_mple.com", NULL },
        { "domain", "jo@\xff\xfe.com", NULL },
        { "domain",
          "jo@"
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
          "aa"
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
          "aaaaa"
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example."
          "com",
          NULL },
    };

    ASSERT_ALL(*state, samples);
}

static void keeps_the_year_of_a_date(void **state)
{
    static const struct sample samples[] = {
        { "year", "1984-05-01", "1984" },
        { "year", "1984-05", "1984" },
        { "year", "1984", "1984" },
        { "year", "19840501", "1984" },
        { "year", "2024-02-29", "2024" },
        { "year", "2000-02-29T23:59:59.999Z", "2000" },
        { "year", "2024-01-01T00:30:00+02:00", "2024" }, /* as it is written there */
        { "year", "2024-12-31 23:59", "2024" },
        { "year", "20241231T235959Z", "2024" },
        { "year", "0001-01-01", "0001" },
        { "year", "9999-12-31", "9999" },
    };

    ASSERT_ALL(*state, samples);
}

static void keeps_the_year_of_a_number(void **state)
{
    static const struct sample samples[] = {
        { "year", "0", "1970" },
        { "year", "1704067199", "2023" },
        { "year", "1704067200", "2024" },
        { "year", "1704067199999", "2023" },
        { "year", "1704067200000", "2024" },
        { "year", "-1", "1969" },
        { "year", "-315619201", "1959" },
        { "year", "-315619200", "1960" },
        { "year", "-2208988800000", "1900" },
        { "year", "-2208988800001", "1899" },
        { "year", "7258118399", "2199" },
        { "year", "-5364662400", "1800" },
        { "year", "100000000000", "1973" }, /* the first number of milliseconds */
    };

    ASSERT_ALL(*state, samples);
}

static void refuses_years_of_what_is_no_date(void **state)
{
    static const struct sample samples[] = {
        { "year", "2023-02-29", NULL },
        { "year", "1900-02-29", NULL },
        { "year", "2023-13-01", NULL },
        { "year", "2023-00-10", NULL },
        { "year", "2023-04-31", NULL },
        { "year", "2023-04-00", NULL },
        { "year", "2023-4-1", NULL },
        { "year", "2023-04-0", NULL },
        { "year", "2023-", NULL },
        { "year", "2023-04-", NULL },
        { "year", "2023-04x", NULL },
        { "year", "2023-W05-1", NULL },
        { "year", "2023-123", NULL },
        { "year", "05/01/1984", NULL },
        { "year", "1.5.1984", NULL },
        { "year", "1984-05-01 Jo", NULL },
        { "year", "1984-05-01Jo", NULL },
        { "year", "1984-05-01T", NULL },
        { "year", "1984-05-01T9", NULL },
        { "year", "84-05-01", NULL },
        { "year", "0000-01-01", NULL },
        { "year", "0000", NULL },
        { "year", "19841301", NULL },
        { "year", "73526400", NULL }, /* ambiguous */
        { "year", "7258118400", NULL },
        { "year", "-5364662401", NULL },
        { "year", "20240131235959", NULL },
        { "year", "1704067200000000", NULL },
        { "year", "9223372036854775807", NULL },
        { "year", "-9223372036854775808", NULL },
        { "year", "99999999999999999999", NULL },
        { "year", "1704067200.5", NULL },
        { "year", "1e9", NULL },
        { "year", "+170406720", NULL },
        { "year", " 1984", NULL },
        { "year", "-", NULL },
        { "year", "19 ", NULL },
    };

    ASSERT_ALL(*state, samples);
}

static void leaves_nothing_as_nothing(void **state)
{
    static const struct sample samples[] = {
        { "first 4", "", "" }, { "last 4", "", "" }, { "/24", "", "" },
        { "domain", "", "" },  { "year", "", "" },
    };

    ASSERT_ALL(*state, samples);
}

static void needs_room(void **state)
{
    static const struct {
        const char *keep;
        const char *value;
    } cases[] = {
        { "first 1", "abc" },           { "last 1", "abc" },      { "/24", "1.2.3.4" },
        { "domain", "jo@Example.com" }, { "year", "1984-05-01" }, { "first 9", "abc" },
    };
    struct sl_arena none;

    (void)state;
    sl_arena_init(&none, 0, 8);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct sl_keep k = keep_of(cases[i].keep);
        sl_str got = { 0 };

        assert_int_equal(
            sl_keep_mask(&k, sl_cleartext_of(sl_str_of(cases[i].value)), &none, &got, NULL),
            SL_NOMEM);
        assert_null(got.ptr);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_to_keep),
        cmocka_unit_test(refuses_settings_that_it_does_not_know),
        cmocka_unit_test(keeps_the_first_characters),
        cmocka_unit_test(keeps_the_last_characters),
        cmocka_unit_test(never_passes_a_whole_value),
        cmocka_unit_test(never_passes_a_whole_value_even_if_it_is_no_utf8),
        cmocka_unit_test(keeps_networks),
        cmocka_unit_test(refuses_networks_of_what_is_no_address),
        cmocka_unit_test(refuses_an_address_with_something_behind_a_nul),
        cmocka_unit_test(keeps_the_domain_of_a_mail_address),
        cmocka_unit_test(refuses_domains_of_what_is_no_mail_address),
        cmocka_unit_test(keeps_the_year_of_a_date),
        cmocka_unit_test(keeps_the_year_of_a_number),
        cmocka_unit_test(refuses_years_of_what_is_no_date),
        cmocka_unit_test(leaves_nothing_as_nothing),
        cmocka_unit_test(needs_room),
    };

    return cmocka_run_group_tests(tests, arena_begin, arena_end);
}
