/* tests/unit/test_normalize.c - values that mean the same get one spelling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <utf8proc.h>

#include <cmocka.h>

#include "masking/normalize.h"

enum { IP = SL_NORMALIZE_IP, LOWER = SL_NORMALIZE_LOWER, TRIM = SL_NORMALIZE_TRIM };

enum {
    ARENA_MAX = 1024 * 1024,
    NFC = SL_NORMALIZE_NFC,
    ALL = IP | LOWER | TRIM | NFC,
    POINTS = 0x110000
};

struct sample {
    unsigned what;
    const char *value;
    const char *want;
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

/* Each value in an own block of memory, so that sanitizers see a read behind it. */
static void assert_normal(struct sl_arena *a, const struct sample *s)
{
    const size_t n = strlen(s->value);
    char *value = malloc(n);
    sl_cleartext got = { 0 };
    struct sl_err e = { 0 };

    assert_true(value != NULL || n == 0);
    if (n > 0) {
        memcpy(value, s->value, n);
    }
    if (sl_normalize(s->what, (sl_cleartext){ value, n }, a, &got, &e) != SL_OK ||
        got.len != strlen(s->want) || (got.len > 0 && memcmp(got.secret, s->want, got.len) != 0)) {
        fail_msg("%s became %.*s, not %s (%s)", s->value, (int)got.len,
                 got.secret != NULL ? got.secret : "", s->want, e.msg);
    }
    free(value);
}

#define ASSERT_ALL(a, samples)                                          \
    for (size_t i = 0; i < sizeof(samples) / sizeof(*(samples)); i++) { \
        assert_normal((a), &(samples)[i]);                              \
    }

static void reads_words(void **state)
{
    static const struct {
        const char *words;
        unsigned want;
    } cases[] = {
        { "ip", IP },
        { "lower", LOWER },
        { "trim", TRIM },
        { "nfc", NFC },
        { "trim, lower", TRIM | LOWER },
        { "lower,nfc", LOWER | NFC },
        { "ip trim", IP | TRIM },
        { " nfc ,\tlower , trim ip ", ALL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned what = 0;

        assert_true(sl_normalize_parse(sl_str_of(cases[i].words), &what));
        assert_int_equal(what, cases[i].want);
    }
}

static void refuses_unknown_and_double_words(void **state)
{
    static const char *const words[] = {
        "",     " ",           ",",    "IP", "ips", "i", "lower;trim", "ip ip", "trim,lower,trim",
        "nfkc", "lower upper", "ip\n",
    };
    unsigned what = 77;

    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (sl_normalize_parse(sl_str_of(words[i]), &what)) {
            fail_msg("accepted: %s", words[i]);
        }
        assert_int_equal(what, 77);
    }
}

static void changes_nothing_unless_asked(void **state)
{
    static const struct sample samples[] = {
        { 0, " ::FFFF:1.2.3.4 ", " ::FFFF:1.2.3.4 " },
        { 0, "A\u030aÄ", "A\u030aÄ" },
        { TRIM | LOWER | NFC, "::ffff:1.2.3.4", "::ffff:1.2.3.4" },
        { TRIM | NFC | IP, "ÄA", "ÄA" },
        { LOWER | NFC | IP, " a ", " a " },
        { TRIM | LOWER | IP, "a\u0308", "a\u0308" },
        { ALL, "", "" },
    };

    ASSERT_ALL(*state, samples);
}

static void gives_addresses_one_spelling(void **state)
{
    static const struct sample samples[] = {
        { IP, "1.2.3.4", "1.2.3.4" },
        { IP, "255.255.255.255", "255.255.255.255" },
        { IP, "::ffff:1.2.3.4", "1.2.3.4" },
        { IP, "::FFFF:0102:0304", "1.2.3.4" },
        { IP, "0:0:0:0:0:ffff:1.2.3.4", "1.2.3.4" },
        { IP, "2001:0DB8:0000:0000:0000:FF00:0042:8329", "2001:db8::ff00:42:8329" },
        { IP, "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },
        { IP, "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
        { IP, "0:0:0:0:0:0:0:1", "::1" },
        { IP, "::", "::" },
        { IP, "FE80::1", "fe80::1" },
        { IP | TRIM, "\t2001:DB8::1 ", "2001:db8::1" },
        { IP, "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
          "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
    };

    ASSERT_ALL(*state, samples);
}

static void leaves_alone_what_is_no_address(void **state)
{
    static const struct sample samples[] = {
        { IP, "1.2.3", "1.2.3" },
        { IP, "1.2.3.256", "1.2.3.256" },
        { IP, "1.2.3.04", "1.2.3.04" },
        { IP, "1.2.3.4:80", "1.2.3.4:80" },
        { IP, " 1.2.3.4", " 1.2.3.4" },
        { IP, "[2001:DB8::1]", "[2001:DB8::1]" },
        { IP, "FE80::1%eth0", "FE80::1%eth0" },
        { IP, "2001:DB8::/32", "2001:DB8::/32" },
        { IP, "Hello", "Hello" },
        { IP, "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2550",
          "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2550" },
    };
    static const char nul[] = "::FFFF:1.2.3.4\0x";
    sl_cleartext got = { 0 };

    ASSERT_ALL(*state, samples);
    assert_int_equal(sl_normalize(IP, (sl_cleartext){ nul, sizeof nul - 1 }, *state, &got, NULL),
                     SL_OK);
    assert_int_equal(got.len, sizeof nul - 1);
    assert_memory_equal(got.secret, nul, got.len);
}

static void trims_white_space_at_the_ends_only(void **state)
{
    static const struct sample samples[] = {
        { TRIM, " a ", "a" },
        { TRIM, "\t\n\v\f\r a b \r\n", "a b" },
        { TRIM, "\u00a0\u2003x\u3000\u202f", "x" },
        { TRIM, "\xc2\x85\u2028x\u2029\u1680", "x" },
        { TRIM, "   ", "" },
        { TRIM, "\u3000", "" },
        { TRIM, "\u200bx\ufeff", "\u200bx\ufeff" },
        { TRIM, "日本", "日本" },
        { TRIM, " ü", "ü" },
        { TRIM, "ü ", "ü" },
        { TRIM, "\x1cx\x1f", "\x1cx\x1f" },
    };

    ASSERT_ALL(*state, samples);
}

static void maps_each_code_point_to_lower_case(void **state)
{
    static const struct sample samples[] = {
        { LOWER, "Jo.Doe@EXAMPLE.com", "jo.doe@example.com" },
        { LOWER, "[@`{AZaz09", "[@`{azaz09" },
        { LOWER, "ÄÖÜẞ", "äöüß" },
        { LOWER, "Straße", "straße" },
        { LOWER, "ΣΟΦΟΣ", "σοφοσ" }, /* no final sigma */
        { LOWER, "ЖЯ", "жя" },
        { LOWER, "I\u0130", "ii" },                /* no Turkish */
        { LOWER, "\u023a\u023e", "\u2c65\u2c66" }, /* two bytes become three */
        { LOWER, "\u212a\u212b", "k\u00e5" },
        { LOWER, "\U00010400", "\U00010428" },
        { LOWER, "日本", "日本" },
    };

    ASSERT_ALL(*state, samples);
}

/* UAX #15, figures 3 to 5, and others. */
static void composes(void **state)
{
    static const struct sample samples[] = {
        { NFC, "A\u030a", "\u00c5" },
        { NFC, "\u212b", "\u00c5" },
        { NFC, "\u2126", "\u03a9" },
        { NFC, "o\u0302", "\u00f4" },
        { NFC, "s\u0323\u0307", "\u1e69" },
        { NFC, "s\u0307\u0323", "\u1e69" },
        { NFC, "d\u0307\u0323", "\u1e0d\u0307" },
        { NFC, "q\u0307\u0323", "q\u0323\u0307" },
        { NFC, "\ufb01", "\ufb01" }, /* compatibility forms stay */
        { NFC, "\u1100\u1161\u11a8", "\uac01" },
        { NFC, "\U0001d15e", "\U0001d157\U0001d165" }, /* never composed, and longer */
        { NFC, "\u0344", "\u0308\u0301" },
        { NFC, "plain", "plain" },
    };

    ASSERT_ALL(*state, samples);
}

static void composes_again_in_lower_case(void **state)
{
    static const struct sample samples[] = {
        { LOWER | NFC, "J\u030c", "\u01f0" }, /* the capital has no composed form */
        { LOWER | NFC, "A\u0308", "ä" },
        { LOWER | NFC, "I\u0307", "i" }, /* as U+0130, which it is */
        { LOWER, "J\u030c", "j\u030c" },
        { ALL, "\u3000JU\u0308RGEN@Example.COM\n", "jürgen@example.com" },
        { ALL, " ::FFFF:1.2.3.4 ", "1.2.3.4" },
    };

    ASSERT_ALL(*state, samples);
}

/* Private and unassigned code points are many and have nothing to change. */
static bool is_assigned(utf8proc_int32_t c)
{
    const utf8proc_category_t category = utf8proc_category(c);

    return utf8proc_codepoint_valid(c) && category != UTF8PROC_CATEGORY_CN &&
           category != UTF8PROC_CATEGORY_CO;
}

/* Every assigned code point, alone and with marks behind it. */
static void changes_nothing_the_second_time(void **state)
{
    static const char *const tails[] = { "", "\u030c", "\u0301\u0323" };
    struct sl_arena *a = *state;

    for (utf8proc_int32_t c = 0; c < POINTS; c++) {
        for (size_t i = 0; is_assigned(c) && i < 3; i++) {
            char value[16];
            const size_t n = (size_t)utf8proc_encode_char(c, (utf8proc_uint8_t *)value);
            sl_cleartext once = { 0 };
            sl_cleartext twice = { 0 };

            memcpy(value + n, tails[i], strlen(tails[i]));
            assert_int_equal(
                sl_normalize(ALL, (sl_cleartext){ value, n + strlen(tails[i]) }, a, &once, NULL),
                SL_OK);
            assert_int_equal(sl_normalize(ALL, once, a, &twice, NULL), SL_OK);
            assert_int_equal(once.len, twice.len);
            assert_true(once.len == 0 || memcmp(once.secret, twice.secret, once.len) == 0);
        }
        if (c % 256 == 0) {
            sl_arena_reset(a);
        }
    }
}

/* A run of one code point: refused, or quickly ordered.  What decomposes to marks counts as one. */
static void counts_as_marks_all_that_is_ordered_with_them(void **state)
{
    struct sl_arena *a = *state;

    for (utf8proc_int32_t c = 0; c < POINTS; c++) {
        utf8proc_int32_t parts[8] = { 0 };
        char value[4 * 31 + 4];
        sl_cleartext got = { 0 };
        size_t n = 0;
        int boundary = 0;

        if (!is_assigned(c) ||
            utf8proc_decompose_char(c, parts, 8, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE, &boundary) <
                1 ||
            utf8proc_get_property(parts[0])->combining_class == 0) {
            continue;
        }
        for (int i = 0; i < 31; i++) {
            n += (size_t)utf8proc_encode_char(c, (utf8proc_uint8_t *)value + n);
        }
        assert_int_equal(sl_normalize(NFC, (sl_cleartext){ value, n }, a, &got, NULL), SL_VALUE);
        n = n / 31 * 30;
        assert_int_equal(sl_normalize(NFC, (sl_cleartext){ value, n }, a, &got, NULL), SL_OK);
        sl_arena_reset(a);
    }
}

static void refuses_what_is_no_utf8(void **state)
{
    static const char *const values[] = {
        "\xff",
        "a\x80",
        "\xc3",
        "\xc3(",
        "\xc0\xaf",
        "\xe2\x82",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xf0\x9f\x98",
        "\xf4\x90\x80\x80",
        "\xf8\x88\x80\x80\x80",
        " \x80",
        "\x80 ",
        "ok\xe0\x80\xafok",
    };
    struct sl_arena *a = *state;

    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        for (unsigned what = 1; what <= ALL; what++) {
            sl_cleartext got = { 0 };
            struct sl_err e = { 0 };

            assert_int_equal(sl_normalize(what, sl_cleartext_of(sl_str_of(values[i])), a, &got, &e),
                             SL_VALUE);
            assert_null(got.secret);
            assert_string_equal(e.msg, "cannot normalize: value is not UTF-8");
        }
    }
}

static void refuses_what_is_too_long(void **state)
{
    static char value[SL_NORMALIZE_MAX + 1];
    sl_cleartext got = { 0 };

    memset(value, 'A', sizeof value);
    assert_int_equal(sl_normalize(LOWER, (sl_cleartext){ value, sizeof value }, *state, &got, NULL),
                     SL_VALUE);
    assert_null(got.secret);
    assert_int_equal(
        sl_normalize(LOWER, (sl_cleartext){ value, sizeof value - 1 }, *state, &got, NULL), SL_OK);
    assert_int_equal(got.len, sizeof value - 1);
    assert_int_equal(got.secret[got.len - 1], 'a');
}

static void needs_room(void **state)
{
    static const struct {
        unsigned what;
        const char *value;
    } cases[] = { { IP, "::FFFF:1.2.3.4" }, { LOWER, "A" }, { LOWER, "Ä" }, { NFC, "a\u0308" } };
    struct sl_arena none;

    (void)state;
    sl_arena_init(&none, 0, 8);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sl_cleartext got = { 0 };

        assert_int_equal(sl_normalize(cases[i].what, sl_cleartext_of(sl_str_of(cases[i].value)),
                                      &none, &got, NULL),
                         SL_NOMEM);
        assert_null(got.secret);
    }
}

static void writes_every_octet(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        const unsigned char address[4] = { (unsigned char)i, 0, (unsigned char)(255 - i), 9 };
        unsigned char back[16];
        char text[46];
        const size_t n = sl_normalize_address_text(address, 4, text);

        assert_int_equal(n, strlen(text));
        assert_int_equal(sl_normalize_address((sl_cleartext){ text, n }, back), 4);
        assert_memory_equal(back, address, 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_words),
        cmocka_unit_test(refuses_unknown_and_double_words),
        cmocka_unit_test(changes_nothing_unless_asked),
        cmocka_unit_test(gives_addresses_one_spelling),
        cmocka_unit_test(leaves_alone_what_is_no_address),
        cmocka_unit_test(trims_white_space_at_the_ends_only),
        cmocka_unit_test(maps_each_code_point_to_lower_case),
        cmocka_unit_test(composes),
        cmocka_unit_test(composes_again_in_lower_case),
        cmocka_unit_test(changes_nothing_the_second_time),
        cmocka_unit_test(counts_as_marks_all_that_is_ordered_with_them),
        cmocka_unit_test(refuses_what_is_no_utf8),
        cmocka_unit_test(refuses_what_is_too_long),
        cmocka_unit_test(needs_room),
        cmocka_unit_test(writes_every_octet),
    };

    return cmocka_run_group_tests(tests, arena_begin, arena_end);
}
