/* tests/unit/test_ff1.c - FF1 against the samples of NIST and against another implementation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "masking/ff1.h"

enum { N_MAX = SL_FF1_DIGITS_MAX, LINE_SIZE = 2048, VECTORS_MIN = 150, SAMPLED = 20000 };

#define VECTORS SL_TEST_DIR "/vectors/ff1.txt"
#define KEY_128 "2B7E151628AED2A6ABF7158809CF4F3C"
#define KEY_192 KEY_128 "EF4359D8D580AA4F"
#define KEY_256 KEY_192 "7F036D6F04FC6A94"
#define TWEAK   "39383736353433323130"
#define TWEAK36 "3737373770717273373737"

static const unsigned radices[] = { 2, 10, 26, 36, 62, 256 };

struct sample {
    const char *key;
    const char *tweak;
    unsigned radix;
    const char *plain;
    const char *masked;
};

static const struct sample samples[] = {
    { KEY_128, "", 10, "0123456789", "2433477484" },
    { KEY_128, TWEAK, 10, "0123456789", "6124200773" },
    { KEY_128, TWEAK36, 36, "0123456789abcdefghi", "a9tv40mll9kdu509eum" },
    { KEY_192, "", 10, "0123456789", "2830668132" },
    { KEY_192, TWEAK, 10, "0123456789", "2496655549" },
    { KEY_192, TWEAK36, 36, "0123456789abcdefghi", "xbj3kv35jrawxv32ysr" },
    { KEY_256, "", 10, "0123456789", "6657667009" },
    { KEY_256, TWEAK, 10, "0123456789", "1001623463" },
    { KEY_256, TWEAK36, 36, "0123456789abcdefghi", "xs8a0azh2avyalyzuwd" },
};

static size_t unhex(sl_str hex, unsigned char *out, size_t max)
{
    assert_true(hex.len % 2 == 0 && hex.len / 2 <= max);
    for (size_t i = 0; i < hex.len / 2; i++) {
        const char pair[3] = { hex.ptr[2 * i], hex.ptr[2 * i + 1], '\0' };

        out[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
    return hex.len / 2;
}

static struct sl_ff1 *cipher(const char *key_hex, unsigned radix)
{
    unsigned char key[32];
    const size_t n = unhex(sl_str_of(key_hex), key, sizeof key);
    struct sl_ff1 *f = NULL;

    assert_int_equal(sl_ff1_new(key, n, radix, &f, NULL), SL_OK);
    return f;
}

static uint32_t next(uint32_t *x)
{
    *x = *x * 1664525 + 1013904223;
    return *x >> 16;
}

static void fill(uint8_t *digits, unsigned n, unsigned radix, uint32_t seed)
{
    uint32_t x = seed;

    for (unsigned i = 0; i < n; i++) {
        digits[i] = (uint8_t)(next(&x) % radix);
    }
}

static unsigned numerals(const char *text, uint8_t *digits)
{
    unsigned n = 0;

    for (; text[n] != '\0'; n++) {
        const char c = text[n];

        digits[n] = (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return n;
}

static void check_sample(const struct sample *sample)
{
    struct sl_ff1 *f = cipher(sample->key, sample->radix);
    unsigned char bytes[32];
    const sl_str tweak = { (const char *)bytes,
                           unhex(sl_str_of(sample->tweak), bytes, sizeof bytes) };
    uint8_t plain[N_MAX];
    uint8_t masked[N_MAX];
    uint8_t got[N_MAX];
    const unsigned n = numerals(sample->plain, plain);

    assert_int_equal(numerals(sample->masked, masked), n);
    memcpy(got, plain, n);
    assert_int_equal(sl_ff1_encrypt(f, tweak, got, n, NULL), SL_OK);
    assert_memory_equal(got, masked, n);
    assert_int_equal(sl_ff1_decrypt(f, tweak, got, n, NULL), SL_OK);
    assert_memory_equal(got, plain, n);
    sl_ff1_free(f);
}

static void gives_the_answers_of_all_nine_nist_samples(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        check_sample(&samples[i]);
    }
}

static void check_vector(const char *line)
{
    sl_str rest = sl_str_of(line);
    const unsigned radix = (unsigned)strtoul(line, NULL, 10);
    unsigned char key[32];
    unsigned char tweak[64];
    uint8_t plain[N_MAX];
    uint8_t want[N_MAX];
    uint8_t got[N_MAX];
    struct sl_ff1 *f = NULL;

    rest = sl_str_cut(&rest, '\n');
    (void)sl_str_cut(&rest, '\t');
    const size_t key_n = unhex(sl_str_cut(&rest, '\t'), key, sizeof key);
    const size_t tweak_n = unhex(sl_str_cut(&rest, '\t'), tweak, sizeof tweak);
    const unsigned n = (unsigned)unhex(sl_str_cut(&rest, '\t'), plain, sizeof plain);
    const sl_str t = { (const char *)tweak, tweak_n };

    assert_int_equal(unhex(rest, want, sizeof want), n);
    assert_int_equal(sl_ff1_new(key, key_n, radix, &f, NULL), SL_OK);
    memcpy(got, plain, n);
    assert_int_equal(sl_ff1_encrypt(f, t, got, n, NULL), SL_OK);
    assert_memory_equal(got, want, n);
    assert_int_equal(sl_ff1_decrypt(f, t, got, n, NULL), SL_OK);
    assert_memory_equal(got, plain, n);
    sl_ff1_free(f);
}

static void equals_another_implementation_for_every_vector(void **state)
{
    static char line[LINE_SIZE];
    FILE *f = fopen(VECTORS, "re");
    unsigned n = 0;

    (void)state;
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL) {
        if (line[0] != '#') {
            check_vector(line);
            n++;
        }
    }
    (void)fclose(f);
    assert_true(n >= VECTORS_MIN);
}

static void check_round_trips(struct sl_ff1 *f, unsigned radix)
{
    const sl_str tweak = SL_STR("device_id");
    uint8_t plain[N_MAX];
    uint8_t got[N_MAX];

    for (unsigned n = sl_ff1_digits_min(radix); n <= N_MAX; n++) {
        fill(plain, n, radix, n);
        memcpy(got, plain, n);
        assert_int_equal(sl_ff1_encrypt(f, tweak, got, n, NULL), SL_OK);
        assert_memory_not_equal(got, plain, n);
        for (unsigned i = 0; i < n; i++) {
            assert_true(got[i] < radix);
        }
        assert_int_equal(sl_ff1_decrypt(f, tweak, got, n, NULL), SL_OK);
        assert_memory_equal(got, plain, n);
        /* The other way round, it is a permutation as well. */
        assert_int_equal(sl_ff1_decrypt(f, tweak, got, n, NULL), SL_OK);
        assert_int_equal(sl_ff1_encrypt(f, tweak, got, n, NULL), SL_OK);
        assert_memory_equal(got, plain, n);
    }
}

static void recovers_every_length_odd_and_even(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof radices / sizeof radices[0]; i++) {
        struct sl_ff1 *f = cipher(KEY_256, radices[i]);

        check_round_trips(f, radices[i]);
        sl_ff1_free(f);
    }
}

static void recovers_every_radix(void **state)
{
    (void)state;
    for (unsigned radix = 2; radix <= SL_FF1_RADIX_MAX; radix++) {
        struct sl_ff1 *f = cipher(KEY_256, radix);
        uint8_t plain[N_MAX];
        uint8_t got[N_MAX];

        memset(plain, (int)radix - 1, sizeof plain);
        memcpy(got, plain, sizeof got);
        assert_int_equal(sl_ff1_encrypt(f, SL_STR("t"), got, N_MAX, NULL), SL_OK);
        assert_memory_not_equal(got, plain, N_MAX);
        assert_int_equal(sl_ff1_decrypt(f, SL_STR("t"), got, N_MAX, NULL), SL_OK);
        assert_memory_equal(got, plain, N_MAX);
        sl_ff1_free(f);
    }
}

/* The number of different results for the first `count` runs of `n` numerals. */
static unsigned count_results(unsigned radix, unsigned n, unsigned count, unsigned domain)
{
    struct sl_ff1 *f = cipher(KEY_128, radix);
    bool *seen = calloc(domain, sizeof *seen);
    unsigned different = 0;

    assert_non_null(seen);
    for (unsigned value = 0; value < count; value++) {
        uint8_t digits[N_MAX];
        unsigned result = 0;
        unsigned rest = value;

        for (unsigned i = n; i > 0; i--, rest /= radix) {
            digits[i - 1] = (uint8_t)(rest % radix);
        }
        assert_int_equal(sl_ff1_encrypt(f, SL_STR(""), digits, n, NULL), SL_OK);
        for (unsigned i = 0; i < n; i++) {
            result = result * radix + digits[i];
        }
        assert_true(result < domain);
        different += !seen[result];
        seen[result] = true;
    }
    free(seen);
    sl_ff1_free(f);
    return different;
}

static void is_a_permutation_of_a_whole_small_domain(void **state)
{
    (void)state;
    assert_int_equal(count_results(2, 20, 1U << 20, 1U << 20), 1U << 20);
}

static void never_gives_two_values_one_result(void **state)
{
    (void)state;
    assert_int_equal(count_results(10, 6, SAMPLED, 1000000), SAMPLED);
    assert_int_equal(count_results(101, 3, SAMPLED, 101 * 101 * 101), SAMPLED);
}

static void other_tweaks_keys_and_lengths_give_other_results(void **state)
{
    struct sl_ff1 *f = cipher(KEY_256, 10);
    struct sl_ff1 *other = cipher(KEY_128, 10);
    uint8_t plain[N_MAX];
    uint8_t one[N_MAX];
    uint8_t two[N_MAX];

    (void)state;
    fill(plain, 20, 10, 5);
    memcpy(one, plain, 20);
    assert_int_equal(sl_ff1_encrypt(f, SL_STR("ip"), one, 20, NULL), SL_OK);
    memcpy(two, plain, 20);
    assert_int_equal(sl_ff1_encrypt(f, SL_STR("id"), two, 20, NULL), SL_OK);
    assert_memory_not_equal(one, two, 20);
    memcpy(two, plain, 20);
    assert_int_equal(sl_ff1_encrypt(f, SL_STR("ip\0"), two, 20, NULL), SL_OK);
    assert_memory_not_equal(one, two, 20);
    memcpy(two, plain, 20);
    assert_int_equal(sl_ff1_encrypt(other, SL_STR("ip"), two, 20, NULL), SL_OK);
    assert_memory_not_equal(one, two, 20);
    memcpy(two, plain, 20);
    assert_int_equal(sl_ff1_encrypt(f, SL_STR("ip"), two, 19, NULL), SL_OK);
    assert_memory_not_equal(one, two, 19);
    /* What was kept for another length does not come into it. */
    memcpy(two, plain, 20);
    assert_int_equal(sl_ff1_encrypt(f, SL_STR("ip"), two, 20, NULL), SL_OK);
    assert_memory_equal(one, two, 20);
    sl_ff1_free(f);
    sl_ff1_free(other);
}

static void allows_domains_of_a_million_and_no_smaller_ones(void **state)
{
    static const struct {
        unsigned radix;
        unsigned n;
    } least[] = { { 2, 20 }, { 10, 6 },  { 26, 5 }, { 36, 4 },
                  { 62, 4 }, { 100, 3 }, { 99, 4 }, { 256, 3 } };

    (void)state;
    for (size_t i = 0; i < sizeof least / sizeof least[0]; i++) {
        assert_int_equal(sl_ff1_digits_min(least[i].radix), least[i].n);
        assert_true(sl_ff1_domain_is_allowed(least[i].radix, least[i].n));
        assert_true(sl_ff1_domain_is_allowed(least[i].radix, N_MAX));
        assert_false(sl_ff1_domain_is_allowed(least[i].radix, least[i].n - 1));
    }
    assert_false(sl_ff1_domain_is_allowed(10, 0));
    assert_false(sl_ff1_domain_is_allowed(1, N_MAX));
    assert_false(sl_ff1_domain_is_allowed(0, N_MAX));
}

static void refuses_small_domains_and_leaves_the_numerals_alone(void **state)
{
    struct sl_ff1 *f = cipher(KEY_256, 10);
    const uint8_t plain[N_MAX + 1] = { 1, 2, 3, 4, 5, 6 };
    uint8_t digits[N_MAX + 1];
    struct sl_err e;

    (void)state;
    memcpy(digits, plain, sizeof digits);
    for (unsigned n = 0; n < 6; n++) {
        assert_int_equal(sl_ff1_encrypt(f, SL_STR(""), digits, n, &e), SL_VALUE);
        assert_int_equal(sl_ff1_decrypt(f, SL_STR(""), digits, n, NULL), SL_VALUE);
    }
    assert_string_equal(e.msg, "5 characters of 10 kinds cannot be masked, 6 to 128 can");
    assert_int_equal(sl_ff1_encrypt(f, SL_STR(""), digits, N_MAX + 1, NULL), SL_VALUE);
    digits[2] = 10;
    assert_int_equal(sl_ff1_encrypt(f, SL_STR(""), digits, 6, NULL), SL_BUG);
    digits[2] = 3;
    assert_memory_equal(digits, plain, sizeof digits);
    sl_ff1_free(f);
}

static void refuses_keys_and_radices_that_do_not_exist(void **state)
{
    static const size_t lengths[] = { 0, 8, 15, 17, 31, 33, 64 };
    const unsigned char key[64] = { 1 };
    struct sl_ff1 *f = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        assert_int_equal(sl_ff1_new(key, lengths[i], 10, &f, NULL), SL_BUG);
    }
    assert_int_equal(sl_ff1_new(key, 32, 0, &f, NULL), SL_BUG);
    assert_int_equal(sl_ff1_new(key, 32, 1, &f, NULL), SL_BUG);
    assert_int_equal(sl_ff1_new(key, 32, SL_FF1_RADIX_MAX + 1, &f, NULL), SL_BUG);
    assert_null(f);
    sl_ff1_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_answers_of_all_nine_nist_samples),
        cmocka_unit_test(equals_another_implementation_for_every_vector),
        cmocka_unit_test(recovers_every_length_odd_and_even),
        cmocka_unit_test(recovers_every_radix),
        cmocka_unit_test(is_a_permutation_of_a_whole_small_domain),
        cmocka_unit_test(never_gives_two_values_one_result),
        cmocka_unit_test(other_tweaks_keys_and_lengths_give_other_results),
        cmocka_unit_test(allows_domains_of_a_million_and_no_smaller_ones),
        cmocka_unit_test(refuses_small_domains_and_leaves_the_numerals_alone),
        cmocka_unit_test(refuses_keys_and_radices_that_do_not_exist),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
