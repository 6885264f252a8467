/* tests/unit/test_cbc.c - AES-CBC against NIST SP 800-38A, openssl and another implementation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base64.h"
#include "masking/cbc.h"

enum { BLOCK = SL_CBC_BLOCK, ARENA_MAX = 1024 * 1024 };

struct world {
    struct sl_cbc *cbc; /* key 00 01 .. 1f, IV f0 f1 .. ff */
    unsigned char iv[BLOCK];
    struct sl_arena arena;
};

static const char refused[] = "not a value of AES-CBC in base64 under this key and IV";

static int world_begin(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    unsigned char key[SL_CBC_KEY_BYTES];

    assert_non_null(w);
    sl_arena_init(&w->arena, ARENA_MAX, 4096);
    for (unsigned i = 0; i < sizeof key; i++) {
        key[i] = (unsigned char)i;
    }
    for (unsigned i = 0; i < BLOCK; i++) {
        w->iv[i] = (unsigned char)(0xf0 + i);
    }
    assert_int_equal(sl_cbc_new(key, w->iv, &w->cbc, NULL), SL_OK);
    *state = w;
    return 0;
}

static int world_end(void **state)
{
    struct world *w = *state;

    sl_cbc_free(w->cbc);
    sl_cbc_free(NULL);
    sl_arena_done(&w->arena);
    free(w);
    return 0;
}

static void assert_text(sl_str got, const char *want)
{
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.ptr, want, got.len);
}

static size_t unhex(const char *hex, unsigned char *out)
{
    const size_t n = strlen(hex) / 2;

    assert_int_equal(sl_cbc_bytes(sl_str_of(hex), n, out, NULL), SL_OK);
    return n;
}

/* NIST pads nothing, so its four blocks are followed by one of padding here. */
static void assert_nist(const struct sl_cbc *c, const char *sealed_hex)
{
    static const char plain_hex[] =
        "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
        "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";
    unsigned char plain[64];
    unsigned char want[64];
    unsigned char sealed[80];
    unsigned char iv[BLOCK];
    size_t n = 0;

    unhex("000102030405060708090a0b0c0d0e0f", iv);
    unhex(plain_hex, plain);
    unhex(sealed_hex, want);
    assert_int_equal(sl_cbc_padded(sizeof plain), sizeof sealed);
    assert_int_equal(
        sl_cbc_seal(c, iv, (sl_cleartext){ (char *)plain, sizeof plain }, sealed, NULL), SL_OK);
    assert_memory_equal(sealed, want, sizeof want);
    assert_int_equal(sl_cbc_open(c, iv, sealed, sizeof sealed, &n, NULL), SL_OK);
    assert_int_equal(n, sizeof plain);
    assert_memory_equal(sealed, plain, n);
}

/* SP 800-38A F.2.5 and F.2.1. */
static void has_the_blocks_of_nist(void **state)
{
    const unsigned char zeros[BLOCK] = { 0 };
    unsigned char key[SL_CBC_KEY_BYTES];
    struct sl_cbc *c = NULL;

    (void)state;
    unhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", key);
    assert_int_equal(sl_cbc_new(key, zeros, &c, NULL), SL_OK);
    assert_nist(c, "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
                   "39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b");
    sl_cbc_free(c);
    unhex("2b7e151628aed2a6abf7158809cf4f3c", key);
    assert_int_equal(sl_cbc_new_128(key, &c, NULL), SL_OK);
    assert_nist(c, "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
                   "73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7");
    sl_cbc_free(c);
}

/* Made by Python's cryptography 50.0 (AES, CBC, PKCS7); `openssl enc` gives the same for each:
 * printf %s VALUE | openssl enc -aes-256-cbc -a -A -iv f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff
 *   -K 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f */
static const struct {
    const char *value;
    const char *token;
} others[] = {
    { "1", "XRE3rJdNZcK42cvBPMRbUQ==" },
    { "1.2.3.4", "0+3g+c2Zv88wfJPlzTqdwQ==" },
    { "199.172.168.100", "uV+xtXauHkPz9a69kvqDEw==" },
    { "255.255.255.255", "SNPlsyzYat79cibVI/h+Yw==" },
    { "593-47-5928", "1hSbRYTrL3PlU43UOaaELg==" },
    { "fifteen bytes..", "8VS2Pq95TlE/exDgTpljzw==" },
    { "sixteen bytes...", "syTohNJ2+eT4y6eyimP30XluFOVKZcwLDqSDiS9hF5Q=" },
    { "seventeen bytes..", "JaoJsqFLlweO3nCwLvaRFmFDlYaAHd7+k6RvE236Vhk=" },
    { "2001:db8:85a3::8a2e:370:7334", "mmJJRorDPk0cvoojD9+moVSk5DX7xEfyj0pEb4eS0dY=" },
    { "0b0c7b2e-7f0c-4f5e-9a51-6d0f2f4f6b1a",
      "fR99SnodBY92I2QqjPzWLEzjzjIKK68NHflSgVUy9NG97SZ3qzsyZOeXIg4Ptzpx" },
    { "a value of thirty-one bytes 123", "cKiGOnrrM9TD7lbUJbOePKYqYsHMkQS8tBYQBZPucgo=" },
    { "a value of thirty-two bytes 1234",
      "cKiGOnrrM9TD7lbUJbOePI8+v8Rzk1dPQHfBrVBdbzNAZf57zT2desIGBFsBAlmt" },
    { "jürgen@example.com", "VAAkptP7/C/HM6BzaLX7+1j90fSbWpEiGJpYPuAI8ZI=" },
    { "日本語のテキスト", "dHF4bM33XeBPirACZmmes2iHZmbYuSvyRoN+CdCNrBc=" },
    { "someone+tag@mail.example.org", "d+QmHNHOA6NwHv3BUUpVk2SkB6KqyRPnFOKrMl8GlY8=" },
    { "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
      "xxxxxxxx",
      "wpDvAe6X9wD45F7+76h7+tDrwXFJtDCQlzSlxGNlho/"
      "AazMO34uJM8jBbCIH19CLFafebdM3iqpOMe7u2xqEIVhflwrdEFFkMhEMGqW5xVZR0Sd5EZ3brWpdNtmT1FpzD55GzAy"
      "U0tRzEOmfK5lJtA==" },
};

static void agrees_with_other_implementations_both_ways(void **state)
{
    struct world *w = *state;

    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const sl_cleartext value = sl_cleartext_of(sl_str_of(others[i].value));
        sl_cleartext back = { 0 };
        sl_str token = { 0 };

        assert_int_equal(sl_cbc_mask(w->cbc, value, &w->arena, &token, NULL), SL_OK);
        assert_text(token, others[i].token);
        assert_int_equal(sl_cbc_unmask(w->cbc, sl_str_of(others[i].token), &w->arena, &back, NULL),
                         SL_OK);
        assert_text(sl_cleartext_publish(back), others[i].value);
    }
}

/* The command above without -A breaks lines. */
static void reads_what_openssl_breaks_into_lines(void **state)
{
    static const char token[] = "BoxNCO2AIqhc7uIwA9QotTsz5k/kvfU7c2Gama4KzNT1jabTN0LkX/30VCw96iun\n"
                                "TfoX+7YJY0TANSDsJnPiT74l6tkoZyI4NV8e/EdEdRA=\n";
    struct world *w = *state;
    sl_cleartext back = { 0 };

    assert_int_equal(sl_cbc_unmask(w->cbc, sl_str_of(token), &w->arena, &back, NULL), SL_OK);
    assert_text(sl_cleartext_publish(back),
                "line one is long enough that openssl breaks its base64 into lines");
}

static void brings_back_values_of_every_length(void **state)
{
    struct world *w = *state;
    char bytes[100];

    for (size_t n = 1; n <= sizeof bytes; n++) {
        sl_cleartext back = { 0 };
        sl_str token = { 0 };
        sl_str again = { 0 };

        memset(bytes, (int)n, n); /* looks like padding all through, up to 16 */
        assert_int_equal(sl_cbc_mask(w->cbc, (sl_cleartext){ bytes, n }, &w->arena, &token, NULL),
                         SL_OK);
        assert_int_equal(token.len, (n / 16 * 16 + 16 + 2) / 3 * 4);
        assert_int_equal(sl_cbc_mask(w->cbc, (sl_cleartext){ bytes, n }, &w->arena, &again, NULL),
                         SL_OK);
        assert_true(sl_str_eq(token, again));
        assert_int_equal(sl_cbc_unmask(w->cbc, token, &w->arena, &back, NULL), SL_OK);
        assert_int_equal(back.len, n);
        assert_memory_equal(back.secret, bytes, n);
    }
}

static void leaves_nothing_as_nothing(void **state)
{
    struct world *w = *state;
    sl_cleartext back = { 0 };
    sl_str token = { "x", 1 };

    assert_int_equal(sl_cbc_mask(w->cbc, (sl_cleartext){ 0 }, &w->arena, &token, NULL), SL_OK);
    assert_int_equal(token.len, 0);
    assert_int_equal(sl_cbc_unmask(w->cbc, token, &w->arena, &back, NULL), SL_OK);
    assert_int_equal(back.len, 0);
}

/* Others do encrypt "": sixteen bytes of padding. */
static void reads_an_encrypted_nothing(void **state)
{
    struct world *w = *state;
    unsigned char block[BLOCK];
    char text[24];
    sl_cleartext back = { "x", 1 };

    assert_int_equal(sl_cbc_seal(w->cbc, w->iv, (sl_cleartext){ 0 }, block, NULL), SL_OK);
    assert_int_equal(sl_base64_encode(SL_BASE64, block, BLOCK, text), sizeof text);
    assert_int_equal(sl_cbc_unmask(w->cbc, (sl_str){ text, sizeof text }, &w->arena, &back, NULL),
                     SL_OK);
    assert_int_equal(back.len, 0);
}

static void assert_refused(struct world *w, sl_str token)
{
    sl_cleartext back = { 0 };
    struct sl_err e = { 0 };

    if (sl_cbc_unmask(w->cbc, token, &w->arena, &back, &e) != SL_VALUE) {
        fail_msg("accepted: %.*s", (int)token.len, token.ptr);
    }
    assert_null(back.secret);
    assert_string_equal(e.msg, refused); /* whatever the cause */
}

static void refuses_other_spellings_and_lengths(void **state)
{
    static const char *const tokens[] = {
        "0+3g+c2Zv88wfJPlzTqdwQ",
        "0+3g+c2Zv88wfJPlzTqdwQ=",
        "0+3g+c2Zv88wfJPlzTqdwR==",
        "0-3g-c2Zv88wfJPlzTqdwQ==",
        "0+3g+c2Zv88wfJPlzTqdwQ== ",
        " 0+3g+c2Zv88wfJPlzTqdwQ==",
        "0+3g+c2Zv88wfJPlzTqdwQ==\n\n",
        "0+3g+c2Zv88wfJPl\nzTqdwQ==",
        "0+3g+c2Zv88wfJPlzTqdwQ===",
        "0+3g+c2Zv88wfJPlzTqd",
        "0+3g+c2Zv88wfJPlzTqdwQAA",
        "MQ==",
        "not base64",
        "=",
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        assert_refused(w, sl_str_of(tokens[i]));
    }
}

static void refuses_every_truncation(void **state)
{
    struct world *w = *state;
    const sl_str whole = sl_str_of(others[11].token); /* three blocks */

    for (size_t n = 1; n < whole.len; n++) {
        assert_refused(w, (sl_str){ whole.ptr, n });
    }
}

/* A block that decrypts to the padding of a case, with the value's other bytes 0xee. */
static sl_rc open_padded(struct world *w, const unsigned char last[static BLOCK], size_t *ret_n)
{
    unsigned char block[2 * BLOCK];
    unsigned char *sealed = block;

    /* Sealing 16 bytes and cutting off the padding block behind them seals them as they are. */
    assert_int_equal(
        sl_cbc_seal(w->cbc, w->iv, (sl_cleartext){ (const char *)last, BLOCK }, sealed, NULL),
        SL_OK);
    return sl_cbc_open(w->cbc, w->iv, sealed, BLOCK, ret_n, NULL);
}

static void knows_all_paddings(void **state)
{
    struct world *w = *state;
    unsigned char last[BLOCK];
    size_t n = 99;

    for (unsigned pad = 0; pad < 256; pad++) {
        memset(last, 0xee, BLOCK);
        last[BLOCK - 1] = (unsigned char)pad;
        for (unsigned i = 0; i < pad && i < BLOCK; i++) {
            last[BLOCK - 1 - i] = (unsigned char)pad;
        }
        n = 99;
        assert_int_equal(open_padded(w, last, &n), pad >= 1 && pad <= BLOCK ? SL_OK : SL_VALUE);
        assert_int_equal(n, pad >= 1 && pad <= BLOCK ? BLOCK - pad : 99);
        for (unsigned i = 1; i < pad && pad <= BLOCK; i++) {
            last[BLOCK - 1 - i] ^= 0x10;
            assert_int_equal(open_padded(w, last, &n), SL_VALUE);
            last[BLOCK - 1 - i] ^= 0x10;
        }
    }
}

/* Not authenticated: a changed bit may open, as something else.  It never opens as the value. */
static void never_opens_an_altered_value_as_the_value(void **state)
{
    static const char text[] = "199.172.168.100, twice";
    const sl_cleartext value = { text, sizeof text - 1 };
    struct world *w = *state;
    unsigned char sealed[2 * BLOCK];
    unsigned char altered[2 * BLOCK];
    unsigned refusals = 0;

    assert_int_equal(sl_cbc_seal(w->cbc, w->iv, value, sealed, NULL), SL_OK);
    for (unsigned bit = 0; bit < 8 * sizeof sealed; bit++) {
        size_t n = 0;

        memcpy(altered, sealed, sizeof sealed);
        altered[bit / 8] ^= (unsigned char)(1U << bit % 8);
        if (sl_cbc_open(w->cbc, w->iv, altered, sizeof altered, &n, NULL) != SL_OK) {
            const unsigned char zeros[2 * BLOCK] = { 0 };

            assert_memory_equal(altered, zeros, sizeof zeros);
            refusals++;
        } else {
            assert_false(n == value.len && memcmp(altered, text, n) == 0);
        }
    }
    assert_in_range(refusals, 128, 256); /* all of the last block's bits, nearly */
}

static void does_not_open_under_another_key(void **state)
{
    struct world *w = *state;
    unsigned char key[SL_CBC_KEY_BYTES] = { 1 };
    struct sl_cbc *other = NULL;
    sl_cleartext back = { 0 };

    assert_int_equal(sl_cbc_new(key, w->iv, &other, NULL), SL_OK);
    /* With another key, one in 256 has a padding by chance; none of these has. */
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_int_equal(sl_cbc_unmask(other, sl_str_of(others[i].token), &w->arena, &back, NULL),
                         SL_VALUE);
    }
    assert_null(back.secret);
    sl_cbc_free(other);
}

static void needs_room(void **state)
{
    struct world *w = *state;
    struct sl_arena none;
    sl_cleartext back = { 0 };
    sl_str token = { 0 };

    sl_arena_init(&none, 8, 8);
    assert_int_equal(sl_cbc_mask(w->cbc, sl_cleartext_of(SL_STR("1.2.3.4")), &none, &token, NULL),
                     SL_NOMEM);
    assert_int_equal(sl_cbc_unmask(w->cbc, sl_str_of(others[0].token), &none, &back, NULL),
                     SL_NOMEM);
    assert_null(token.ptr);
    assert_null(back.secret);
}

static void refuses_what_is_too_long(void **state)
{
    struct world *w = *state;
    const sl_cleartext value = { "x", (size_t)SL_CBC_VALUE_MAX + 1 }; /* its bytes are not read */
    unsigned char out[1] = { 7 };

    assert_int_equal(sl_cbc_seal(w->cbc, w->iv, value, out, NULL), SL_VALUE);
    assert_int_equal(out[0], 7);
}

static void reads_keys_in_hex_and_in_base64(void **state)
{
    static const char *const texts[] = {
        "00112233445566778899aAbBcCdDeEfF",
        "ABEiM0RVZneImaq7zN3u/w==",
    };
    unsigned char out[BLOCK];

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        memset(out, 1, sizeof out);
        assert_int_equal(sl_cbc_bytes(sl_str_of(texts[i]), sizeof out, out, NULL), SL_OK);
        for (unsigned k = 0; k < BLOCK; k++) {
            assert_int_equal(out[k], k * 0x11);
        }
    }
}

static void refuses_keys_of_another_form_without_quoting_them(void **state)
{
    static const char *const texts[] = {
        "",
        "00112233445566778899aabbccddeef",
        "00112233445566778899aabbccddeeff0",
        "00112233445566778899aabbccddeeff00",
        "00112233445566778899aabbccddeefg",
        "00112233445566778899aabbccddee f",
        "ABEiM0RVZneImaq7zN3u/w",
        "ABEiM0RVZneImaq7zN3u/x==",
        "ABEiM0RVZneImaq7zN3u_w==",
        "ABEiM0RVZneImaq7zN3u",
        "ABEiM0RVZneImaq7zN3u//8=",
        "ABEiM0RVZneImaq7zN3u/w==\n",
    };
    unsigned char zeros[BLOCK] = { 0 };
    unsigned char out[BLOCK];

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct sl_err e = { 0 };

        memset(out, 1, sizeof out);
        assert_int_equal(sl_cbc_bytes(sl_str_of(texts[i]), sizeof out, out, &e), SL_CONFIG);
        assert_memory_equal(out, zeros, sizeof out);
        assert_string_equal(e.msg, "not 16 bytes: give 32 hex digits, or base64 of 24 characters");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_the_blocks_of_nist),
        cmocka_unit_test(agrees_with_other_implementations_both_ways),
        cmocka_unit_test(reads_what_openssl_breaks_into_lines),
        cmocka_unit_test(brings_back_values_of_every_length),
        cmocka_unit_test(leaves_nothing_as_nothing),
        cmocka_unit_test(reads_an_encrypted_nothing),
        cmocka_unit_test(refuses_other_spellings_and_lengths),
        cmocka_unit_test(refuses_every_truncation),
        cmocka_unit_test(knows_all_paddings),
        cmocka_unit_test(never_opens_an_altered_value_as_the_value),
        cmocka_unit_test(does_not_open_under_another_key),
        cmocka_unit_test(needs_room),
        cmocka_unit_test(refuses_what_is_too_long),
        cmocka_unit_test(reads_keys_in_hex_and_in_base64),
        cmocka_unit_test(refuses_keys_of_another_form_without_quoting_them),
    };

    return cmocka_run_group_tests(tests, world_begin, world_end);
}
