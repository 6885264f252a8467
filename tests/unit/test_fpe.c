/* tests/unit/test_fpe.c - alphabets and formats over FF1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "masking/ff1.h"
#include "masking/fpe.h"

#define SSN   "ddd-dd-dddd"
#define LOWER "abcdefghijklmnopqrstuvwxyz"

struct world {
    struct sl_arena arena;
};

static const unsigned char key[SL_FPE_KEY_BYTES] = "an example key of thirty-two by";

static int world_begin(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    sl_arena_init(&w->arena, 1024UL * 1024, 4096);
    *state = w;
    return 0;
}

static int world_end(void **state)
{
    struct world *w = *state;

    sl_arena_done(&w->arena);
    free(w);
    return 0;
}

static struct sl_fpe *fpe(const char *alphabet, const char *format)
{
    struct sl_fpe *f = NULL;

    assert_int_equal(
        sl_fpe_new(key, SL_STR("device_id"), sl_str_of(alphabet), sl_str_of(format), &f, NULL),
        SL_OK);
    return f;
}

static sl_str mask(struct world *w, struct sl_fpe *f, sl_str value)
{
    sl_str token = { 0 };

    assert_int_equal(sl_fpe_mask(f, sl_cleartext_of(value), &w->arena, &token, NULL), SL_OK);
    return token;
}

/* Mask, unmask, compare.  Returns: the token. */
static sl_str check(struct world *w, struct sl_fpe *f, sl_str value)
{
    const sl_str token = mask(w, f, value);
    sl_cleartext back = { 0 };

    assert_int_equal(token.len, value.len);
    assert_int_equal(sl_fpe_unmask(f, token, &w->arena, &back, NULL), SL_OK);
    assert_true(sl_str_eq(sl_cleartext_publish(back), value));
    return token;
}

static void a_token_has_the_format_of_its_value(void **state)
{
    struct world *w = *state;
    struct sl_fpe *f = fpe("", SSN);
    char value[32];

    for (unsigned i = 0; i < 500; i++) {
        const int n =
            snprintf(value, sizeof value, "%03u-%02u-%04u", i % 1000, i * 7 % 100, i * 97 % 10000);
        const sl_str token = check(w, f, (sl_str){ value, (size_t)n });

        assert_false(sl_str_eq(token, sl_str_of(value)));
        for (size_t at = 0; at < token.len; at++) {
            const bool is_digit = token.ptr[at] >= '0' && token.ptr[at] <= '9';

            assert_true(SSN[at] == 'd' ? is_digit : token.ptr[at] == '-');
        }
    }
    sl_fpe_free(f);
}

static void the_token_is_ff1_over_the_places_of_the_alphabet(void **state)
{
    struct world *w = *state;
    struct sl_fpe *f = fpe("", SSN);
    struct sl_ff1 *plain = NULL;
    uint8_t digits[9] = { 5, 9, 3, 4, 7, 5, 9, 2, 8 };
    char want[32];

    assert_int_equal(sl_ff1_new(key, sizeof key, 10, &plain, NULL), SL_OK);
    assert_int_equal(sl_ff1_encrypt(plain, SL_STR("device_id"), digits, 9, NULL), SL_OK);
    (void)snprintf(want, sizeof want, "%u%u%u-%u%u-%u%u%u%u", digits[0], digits[1], digits[2],
                   digits[3], digits[4], digits[5], digits[6], digits[7], digits[8]);
    assert_true(sl_str_eq(mask(w, f, SL_STR("593-47-5928")), sl_str_of(want)));
    sl_ff1_free(plain);
    sl_fpe_free(f);
}

static void equal_values_give_equal_tokens(void **state)
{
    struct world *w = *state;
    struct sl_fpe *one = fpe("", SSN);
    struct sl_fpe *two = fpe("0123456789", SSN);
    const sl_str token = mask(w, one, SL_STR("593-47-5928"));

    assert_true(sl_str_eq(mask(w, one, SL_STR("593-47-5928")), token));
    assert_true(sl_str_eq(mask(w, two, SL_STR("593-47-5928")), token));
    assert_false(sl_str_eq(mask(w, one, SL_STR("593-47-5929")), token));
    sl_fpe_free(one);
    sl_fpe_free(two);
}

static void other_keys_tweaks_and_alphabets_give_other_tokens(void **state)
{
    static const unsigned char other_key[SL_FPE_KEY_BYTES] = "another key of thirty-two bytes";
    struct world *w = *state;
    struct sl_fpe *f = fpe("", SSN);
    struct sl_fpe *turned = fpe("9876543210", SSN);
    struct sl_fpe *keyed = NULL;
    struct sl_fpe *tweaked = NULL;
    const sl_str value = SL_STR("593-47-5928");
    const sl_str token = mask(w, f, value);

    assert_int_equal(
        sl_fpe_new(other_key, SL_STR("device_id"), SL_STR(""), SL_STR(SSN), &keyed, NULL), SL_OK);
    assert_int_equal(sl_fpe_new(key, SL_STR("ssn"), SL_STR(""), SL_STR(SSN), &tweaked, NULL),
                     SL_OK);
    assert_false(sl_str_eq(mask(w, keyed, value), token));
    assert_false(sl_str_eq(mask(w, tweaked, value), token));
    assert_false(sl_str_eq(mask(w, turned, value), token));
    sl_fpe_free(f);
    sl_fpe_free(turned);
    sl_fpe_free(keyed);
    sl_fpe_free(tweaked);
}

static void without_a_format_every_length_from_a_million_values_up_is_masked(void **state)
{
    struct world *w = *state;
    struct sl_fpe *f = fpe(LOWER, "");
    char value[SL_FF1_DIGITS_MAX];

    for (size_t n = 5; n <= sizeof value; n++) {
        for (size_t i = 0; i < n; i++) {
            value[i] = LOWER[(i * 11 + n) % 26];
        }
        const sl_str token = check(w, f, (sl_str){ value, n });

        for (size_t i = 0; i < n; i++) {
            assert_true(token.ptr[i] >= 'a' && token.ptr[i] <= 'z');
        }
    }
    sl_fpe_free(f);
}

static void the_largest_alphabet_takes_any_printable_text(void **state)
{
    struct world *w = *state;
    char alphabet[SL_FPE_ALPHABET_MAX + 1] = { 0 };

    for (int i = 0; i < SL_FPE_ALPHABET_MAX; i++) {
        alphabet[i] = (char)('!' + i);
    }
    struct sl_fpe *f = fpe(alphabet, "");

    (void)check(w, f, SL_STR("\"~\\d%s!"));
    (void)check(w, f, sl_str_of(alphabet));
    sl_fpe_free(f);
}

static void literals_stay_and_a_backslash_makes_one(void **state)
{
    static const struct {
        const char *format;
        const char *value;
        const char *head; /* of the token as well */
    } cases[] = {
        { "i\\d\\d-dddddd", "idd-123456", "idd-" },
        { "\\\\dddddd", "\\123456", "\\" },
        { "+49 (0) dddddd", "+49 (0) 123456", "+49 (0) " },
        { "№ dddddd", "№ 123456", "№ " },
        { "\\0dddddd", "0123456", "0" },
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sl_fpe *f = fpe("", cases[i].format);

        assert_true(
            sl_str_starts(check(w, f, sl_str_of(cases[i].value)), sl_str_of(cases[i].head)));
        sl_fpe_free(f);
    }
}

static void empty_stays_empty(void **state)
{
    static const char *const formats[] = { "", SSN };
    struct world *w = *state;

    for (size_t i = 0; i < 2; i++) {
        struct sl_fpe *f = fpe("", formats[i]);

        assert_int_equal(check(w, f, SL_STR("")).len, 0);
        assert_int_equal(mask(w, f, (sl_str){ 0 }).len, 0);
        sl_fpe_free(f);
    }
}

struct misfit {
    const char *alphabet;
    const char *format;
    sl_str value;
    const char *why;
};

#define LITERAL(text)            \
    {                            \
        (text), sizeof(text) - 1 \
    }

static const struct misfit misfits[] = {
    { "", SSN, LITERAL("593-47-592"), "it ends after character 10 of 11" },
    { "", SSN, LITERAL("5"), "it ends after character 1 of 11" },
    { "", SSN, LITERAL("593-47-59280"), "it goes on after character 11, the last" },
    { "", SSN, LITERAL("593-47-592x"), "character 11 is not in the alphabet" },
    { "", SSN, LITERAL("593 47-5928"), "character 4 is not the one that the format has there" },
    { "", SSN, LITERAL("5934475928"), "character 4 is not the one that the format has there" },
    { "", SSN, LITERAL("59\0-47-5928"), "character 3 is not in the alphabet" },
    { "", SSN,
      LITERAL("593\0"
              "47-5928"),
      "character 4 is not the one that the format has there" },
    { "", SSN, LITERAL("593-47-5928\0"), "it goes on after character 11, the last" },
    { "", "№-dddddd", LITERAL("№-12345"), "it ends after character 7 of 8" },
    { "", "№-dddddd", LITERAL("№-1234é6"), "character 7 is not in the alphabet" },
    { "", "", LITERAL("12345"),
      "it has 5 characters, with 10 in the alphabet 6 to 128 can be masked" },
    { "", "", LITERAL("12 456"), "character 3 is not in the alphabet" },
    { "", "", LITERAL("123456\0"), "character 7 is not in the alphabet" },
    { "", "", LITERAL("ééé456"), "character 1 is not in the alphabet" },
    { "", "", LITERAL("12345é"), "character 6 is not in the alphabet" },
    { LOWER, "", LITERAL("abcdE"), "character 5 is not in the alphabet" },
    { "01", "", LITERAL("0101010101010101010"),
      "it has 19 characters, with 2 in the alphabet 20 to 128 can be masked" },
};

static void check_misfit(struct world *w, const struct misfit *misfit)
{
    struct sl_fpe *f = fpe(misfit->alphabet, misfit->format);
    sl_str token = SL_STR("untouched");
    sl_cleartext back = sl_cleartext_of(token);
    char want[160];
    struct sl_err e;

    (void)snprintf(want, sizeof want, "value does not fit: %s", misfit->why);
    assert_int_equal(sl_fpe_mask(f, sl_cleartext_of(misfit->value), &w->arena, &token, &e),
                     SL_VALUE);
    assert_string_equal(e.msg, want);
    assert_true(sl_str_eq(token, SL_STR("untouched")));
    (void)snprintf(want, sizeof want, "token does not fit: %s", misfit->why);
    assert_int_equal(sl_fpe_unmask(f, misfit->value, &w->arena, &back, &e), SL_VALUE);
    assert_string_equal(e.msg, want);
    assert_true(sl_str_eq(sl_cleartext_publish(back), SL_STR("untouched")));
    sl_fpe_free(f);
}

static void refuses_what_does_not_fit_and_says_where(void **state)
{
    for (size_t i = 0; i < sizeof misfits / sizeof misfits[0]; i++) {
        check_misfit(*state, &misfits[i]);
    }
}

static void refuses_a_value_that_is_too_long(void **state)
{
    struct world *w = *state;
    struct sl_fpe *f = fpe("", "");
    char value[SL_FF1_DIGITS_MAX + 1];
    sl_str token = { 0 };

    memset(value, '7', sizeof value);
    assert_int_equal(
        sl_fpe_mask(f, sl_cleartext_of((sl_str){ value, sizeof value }), &w->arena, &token, NULL),
        SL_VALUE);
    (void)check(w, f, (sl_str){ value, sizeof value - 1 });
    sl_fpe_free(f);
}

static void a_full_arena_is_an_outage(void **state)
{
    struct sl_fpe *f = fpe("", SSN);
    struct sl_arena none;
    sl_str token = { 0 };

    (void)state;
    sl_arena_init(&none, 0, 4096);
    assert_int_equal(sl_fpe_mask(f, sl_cleartext_of(SL_STR("593-47-5928")), &none, &token, NULL),
                     SL_NOMEM);
    sl_arena_done(&none);
    sl_fpe_free(f);
}

struct unusable {
    sl_str alphabet;
    sl_str format;
    const char *why;
};

static const struct unusable unusables[] = {
    { LITERAL("a"), LITERAL(""), "alphabet has 1 characters, 2 to 94 are allowed" },
    { LITERAL("01234567890"), LITERAL(""), "alphabet has the character 0 twice" },
    { LITERAL("01 "), LITERAL(""), "alphabet: character 3 is a blank or not printable ASCII" },
    { LITERAL("0\0"
              "1"),
      LITERAL(""), "alphabet: character 2 is a blank or not printable ASCII" },
    { LITERAL("0\x7f"), LITERAL(""), "alphabet: character 2 is a blank or not printable ASCII" },
    { LITERAL("é"), LITERAL(""), "alphabet: character 1 is a blank or not printable ASCII" },
    { LITERAL(""), LITERAL("dddddd\\"), "format ends in a backslash without a character" },
    { LITERAL(""), LITERAL("ddd\tddd"), "format: character 4 is a control character" },
    { LITERAL(""), LITERAL("é\n"), "format: character 2 is a control character" },
    { LITERAL(""), LITERAL("dddddd\0"), "format: character 7 is a control character" },
    { LITERAL(""), LITERAL("dddd"),
      "format has 4 places of the alphabet (d), with 10 characters at least 6 are needed: under a "
      "million values could all be tried" },
    { LITERAL("01"), LITERAL("ddd-dd-dddd"),
      "format has 9 places of the alphabet (d), with 2 characters at least 20 are needed: under a "
      "million values could all be tried" },
    { LITERAL(""), LITERAL("xxx"),
      "format has 0 places of the alphabet (d), with 10 characters at least 6 are needed: under a "
      "million values could all be tried" },
};

static void names_what_is_wrong_with_an_alphabet_or_a_format(void **state)
{
    struct sl_fpe *f = NULL;
    struct sl_err e;

    (void)state;
    for (size_t i = 0; i < sizeof unusables / sizeof unusables[0]; i++) {
        const struct unusable *u = &unusables[i];

        assert_int_equal(sl_fpe_check(u->alphabet, u->format, &e), SL_CONFIG);
        assert_string_equal(e.msg, u->why);
        assert_int_equal(sl_fpe_new(key, SL_STR(""), u->alphabet, u->format, &f, NULL), SL_CONFIG);
        assert_null(f);
    }
}

static void a_format_has_its_limits(void **state)
{
    char format[2 * SL_FPE_FORMAT_MAX + 1];
    const char all[] = "0123456789012345678901234567890123456789012345678901234567890123456789"
                       "0123456789012345678901234";

    (void)state;
    memset(format, 'd', sizeof format);
    assert_int_equal(sl_fpe_check(SL_STR(""), (sl_str){ format, SL_FF1_DIGITS_MAX }, NULL), SL_OK);
    assert_int_equal(sl_fpe_check(SL_STR(""), (sl_str){ format, SL_FF1_DIGITS_MAX + 1 }, NULL),
                     SL_CONFIG);
    memset(format + 6, '-', sizeof format - 6);
    assert_int_equal(sl_fpe_check(SL_STR(""), (sl_str){ format, SL_FPE_FORMAT_MAX }, NULL), SL_OK);
    assert_int_equal(sl_fpe_check(SL_STR(""), (sl_str){ format, SL_FPE_FORMAT_MAX + 1 }, NULL),
                     SL_CONFIG);
    assert_int_equal(strlen(all), SL_FPE_ALPHABET_MAX + 1);
    assert_int_equal(sl_fpe_check(sl_str_of(all), SL_STR(""), NULL), SL_CONFIG);
}

static void a_tweak_has_its_limit(void **state)
{
    char tweak[SL_FPE_TWEAK_MAX + 1] = { 0 };
    struct sl_fpe *f = NULL;

    (void)state;
    assert_int_equal(
        sl_fpe_new(key, (sl_str){ tweak, sizeof tweak }, SL_STR(""), SL_STR(""), &f, NULL), SL_BUG);
    assert_null(f);
    assert_int_equal(
        sl_fpe_new(key, (sl_str){ tweak, sizeof tweak - 1 }, SL_STR(""), SL_STR(""), &f, NULL),
        SL_OK);
    sl_fpe_free(f);
    sl_fpe_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_has_the_format_of_its_value),
        cmocka_unit_test(the_token_is_ff1_over_the_places_of_the_alphabet),
        cmocka_unit_test(equal_values_give_equal_tokens),
        cmocka_unit_test(other_keys_tweaks_and_alphabets_give_other_tokens),
        cmocka_unit_test(without_a_format_every_length_from_a_million_values_up_is_masked),
        cmocka_unit_test(the_largest_alphabet_takes_any_printable_text),
        cmocka_unit_test(literals_stay_and_a_backslash_makes_one),
        cmocka_unit_test(empty_stays_empty),
        cmocka_unit_test(refuses_what_does_not_fit_and_says_where),
        cmocka_unit_test(refuses_a_value_that_is_too_long),
        cmocka_unit_test(a_full_arena_is_an_outage),
        cmocka_unit_test(names_what_is_wrong_with_an_alphabet_or_a_format),
        cmocka_unit_test(a_format_has_its_limits),
        cmocka_unit_test(a_tweak_has_its_limit),
    };

    return cmocka_run_group_tests(tests, world_begin, world_end);
}
