/* tests/unit/test_fernet.c - Fernet against the vectors of its specification and another
 * implementation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/clock.h"
#include "masking/fernet.h"

enum { ARENA_MAX = 1024 * 1024 };

#define SPEC_KEY "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="
#define SPEC_TOKEN                                                                                 \
    "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU" \
    "4IwqDA=="

struct world {
    struct sl_fernet *spec;
    struct sl_fernet *fernet; /* key 00 01 .. 1f */
    struct sl_arena arena;
};

static struct sl_fernet *keyed(const char *text)
{
    unsigned char key[SL_FERNET_KEY_BYTES];
    struct sl_fernet *f = NULL;

    assert_int_equal(sl_fernet_key(sl_str_of(text), key, NULL), SL_OK);
    assert_int_equal(sl_fernet_new(key, &f, NULL), SL_OK);
    memset(key, 0, sizeof key);
    return f;
}

static int world_begin(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    sl_arena_init(&w->arena, ARENA_MAX, 4096);
    w->spec = keyed(SPEC_KEY);
    w->fernet = keyed("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    *state = w;
    return 0;
}

static int world_end(void **state)
{
    struct world *w = *state;

    sl_fernet_free(w->spec);
    sl_fernet_free(w->fernet);
    sl_fernet_free(NULL);
    sl_arena_done(&w->arena);
    free(w);
    return 0;
}

static void assert_text(sl_str got, const char *want)
{
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.ptr, want, got.len);
}

static void iv_from(unsigned first, unsigned char iv[static SL_FERNET_IV_BYTES])
{
    for (unsigned i = 0; i < SL_FERNET_IV_BYTES; i++) {
        iv[i] = (unsigned char)(first + i);
    }
}

static void assert_opens(struct world *w, struct sl_fernet *f, const char *token, const char *want)
{
    sl_cleartext back = { 0 };

    assert_int_equal(sl_fernet_open(f, sl_str_of(token), &w->arena, &back, NULL), SL_OK);
    assert_text(sl_cleartext_publish(back), want);
}

/* generate.json and verify.json */
static void seals_and_opens_the_vector_of_the_specification(void **state)
{
    struct world *w = *state;
    unsigned char iv[SL_FERNET_IV_BYTES];
    sl_str token = { 0 };

    iv_from(0, iv);
    assert_int_equal(sl_fernet_seal(w->spec, sl_cleartext_of(SL_STR("hello")), 499162800, iv,
                                    &w->arena, &token, NULL),
                     SL_OK);
    assert_text(token, SPEC_TOKEN);
    assert_opens(w, w->spec, SPEC_TOKEN, "hello");
}

static void assert_refused(struct world *w, struct sl_fernet *f, sl_str token, const char *why)
{
    sl_cleartext back = { 0 };
    struct sl_err e = { 0 };

    if (sl_fernet_open(f, token, &w->arena, &back, &e) != SL_VALUE) {
        fail_msg("accepted: %.*s", (int)token.len, token.ptr);
    }
    assert_null(back.secret);
    if (why != NULL) {
        assert_string_equal(e.msg, why);
    }
}

static const char no_token[] = "not a Fernet token";
static const char altered[] = "Fernet token is altered, or of another key";
static const char no_padding[] = "Fernet token is genuine but its padding is not";

/* invalid.json, but for the two that are too old or too new. */
static void refuses_what_the_specification_calls_invalid(void **state)
{
    static const struct {
        const char *token;
        const char *why;
    } cases[] = {
        { "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykQUFB"
          "QUFBQUFBQQ==",
          altered },
        { "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPA==", no_token },
        { "%%%%%%%%%%%%%AECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfs"
          "H-p1YsUD2Q==",
          no_token },
        { "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPOm73QeoCk9uGib28Xe5vz6oxq5nmxbx_v7m"
          "rfyudzUm",
          no_token },
        { "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0ODz4LEpdELGQAad7aNEHbf-JkLPIpuiYRLQ3RtXatOYREu2FWke6CnJNY"
          "IbkuKNqOhw==",
          no_padding },
        { "gAAAAAAdwJ6xBQECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAkLhFLHpGtDBRLRTZeUfWgHSv49TF2AUEZ1"
          "TIvcZjK1zQ==",
          no_padding },
        { SPEC_TOKEN "trailingdata", no_token },
        { "*gAAAAAAdwJ6wAAECAwQFBgcI!CQoLDA0ODy021?cpGVWKZ_eEwC@GM4BLLF_5CV9dOPmrhuVUPgJobwOz7Jcbmr"
          "R64jVmpU4IwqDA==",
          no_token },
        { "gAAAAAAdwJ6wAAEC/AwQFBgcICQoLDA0ODy+021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR6"
          "4jVmpU4IwqDA==",
          no_token },
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_refused(w, w->spec, sl_str_of(cases[i].token), cases[i].why);
    }
}

/* The other two of invalid.json: they are only so for readers with a time to live.
 * Both seal "". */
static void opens_tokens_of_any_age(void **state)
{
    struct world *w = *state;

    assert_opens(
        w, w->spec,
        "gAAAAAAdwStRAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAnja1xKYyhd-Y6mSkTOyTGJmw2Xc2a6"
        "kBd-iX9b_qXQcw==",
        "");
    assert_opens(
        w, w->spec,
        "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1Ydyk"
        "RtfsH-p1YsUD2Q==",
        "");
}

/* Made by Python's cryptography 50.0: Fernet._encrypt_from_parts(value, at, iv), where the IV of
 * the n-th starts with 16 * n. */
static const struct {
    const char *value;
    int64_t at_s;
    const char *token;
} others[] = {
    { "1", 1700000000,
      "gAAAAABlU_"
      "EAAAECAwQFBgcICQoLDA0ODw2t6a8frvqMVafAeN8Q3Ah836tkSO60uASon3m2xvAvTdt7Lq0KcW4tMPgWJND44g="
      "=" },
    { "1.2.3.4", 1712345678,
      "gAAAAABmEFJOEBESExQVFhcYGRobHB0eH1tDxHA1Z_2K1YG4HLGbTXXiPX9MGRi6F_"
      "KRTeZEPSiPSz818pIHlNxRvHV13WSx5Q==" },
    { "199.172.168.100", 1724691356,
      "gAAAAABmzLOcICEiIyQlJicoKSorLC0uLwAyibcRTi5tkpV2z8JmlMMgRU0HZiTxLrW7GlPP8InYTkT7_"
      "8jVFqNIt0pT4KP2Ug==" },
    { "255.255.255.255", 1737037034,
      "gAAAAABniRTqMDEyMzQ1Njc4OTo7PD0-P1zIXqe8EYLtcCGV4rczcnKphovJ38pwmj5Gih9WFDWpvF0GIv0KqZ2O-_"
      "UJKe11iQ==" },
    { "593-47-5928", 1749382712,
      "gAAAAABoRXY4QEFCQ0RFRkdISUpLTE1OT3X-3VKBJVJbl4hrK1GJi3yUTuQ6b-k2gi_"
      "6c84mzAHUknDyiZfya5DyrzeKbG7lYQ==" },
    { "fifteen bytes..", 1761728390,
      "gAAAAABpAdeGUFFSU1RVVldYWVpbXF1eXwQFGuDDMpQE3shRF6nPsPGnHE-"
      "QEbeTk3w0H3OiAuhvdodiIfMxiItiEV760baHuQ==" },
    { "sixteen bytes...", 1774074068,
      "gAAAAABpvjjUYGFiY2RlZmdoaWprbG1ubwwlJp1bv8FC8SvYIXkQA5dtNqZUJQ2fwzO45JYiuzNSdgLLuozB5HfImI2S"
      "TQqkhxjT7_P-UU1Va9eA_zokH3Y=" },
    { "seventeen bytes..", 1786419746,
      "gAAAAABqepoicHFyc3R1dnd4eXp7fH1-fw9eJOmGSWQZSGBg_"
      "UXk1hTmYOqNZ7JdQuxvkvYMqe2f59gNLDILVyrspbWLVZtg4GpxFRhyODkeAk9lJxuPbGQ=" },
    { "2001:db8:85a3::8a2e:370:7334", 1798765424,
      "gAAAAABrNvtwgIGCg4SFhoeIiYqLjI2Oj2JMkrOHMjJWqGskpsurissad1FVBcqAKhDpCvn4iT4Z9NVNJa5KAzXDEcN_"
      "RqqgGkW8dqH-NXGJ0BmRc5R_0x4=" },
    { "0b0c7b2e-7f0c-4f5e-9a51-6d0f2f4f6b1a", 1811111102,
      "gAAAAABr81y-kJGSk5SVlpeYmZqbnJ2en2pCVOnxVdysVbYboyJ1vYdnzBdM8xOIIEVvV7QGgC3daCvWpE-"
      "IpIlsujGxcomgBl7JI_2cPaEPHUUKRabc4v187mklBtcVjjwwISzou3pj" },
    { "a value of thirty-one bytes 123", 1823456780,
      "gAAAAABsr74MoKGio6SlpqeoqaqrrK2ur4U2wh9Jrq6MVeE5IJOKJMu218zGrx7qzkb5nJf_"
      "GtB3AKM4JzDuANdvIEzn8W9uJjxtD92gMsSK4K639rZ_4Y4=" },
    { "a value of thirty-two bytes 1234", 1835802458,
      "gAAAAABtbB9asLGys7S1tre4ubq7vL2-v2RuTGvj4a-hjAtvZ8hh8ub64Yj11JmKR6foi7JKXJ_"
      "P8B907NipSsXQsm3N7FKN-wnmsLncUY5ZsMSDsT8to5_ApemLBGe_Ckgm8s9k266j" },
    { "jürgen@example.com", 1848148136,
      "gAAAAABuKICowMHCw8TFxsfIycrLzM3Oz_i0JZEbH2QLbImPFQWElXbRXqj-"
      "EpucE8zuVJwtU14vPxHjNaw7Sdsm2lD001dmYiZjMJPaBGZ_qnKixYt5ZBk=" },
    { "日本語のテキスト", 1860493814,
      "gAAAAABu5OH20NHS09TV1tfY2drb3N3e3yE0fA2nmhWD9rTQsxfhp9AuYb2nOF9AuVD34v_"
      "trlhYoJ6VX0iw5OeSVammx1Yn9scJBG0cb3ct4AJQjk18qTo=" },
};

static void agrees_with_another_implementation_both_ways(void **state)
{
    struct world *w = *state;

    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const sl_cleartext value = sl_cleartext_of(sl_str_of(others[i].value));
        unsigned char iv[SL_FERNET_IV_BYTES];
        sl_str token = { 0 };

        iv_from((unsigned)i * 16, iv);
        assert_int_equal(
            sl_fernet_seal(w->fernet, value, others[i].at_s, iv, &w->arena, &token, NULL), SL_OK);
        assert_text(token, others[i].token);
        assert_opens(w, w->fernet, others[i].token, others[i].value);
    }
}

static void brings_back_values_of_every_length(void **state)
{
    struct world *w = *state;
    char bytes[100];

    for (size_t n = 1; n <= sizeof bytes; n++) {
        sl_cleartext back = { 0 };
        sl_str token = { 0 };

        memset(bytes, (int)n, n);
        assert_int_equal(
            sl_fernet_mask(w->fernet, (sl_cleartext){ bytes, n }, &w->arena, &token, NULL), SL_OK);
        assert_int_equal(token.len, (57 + n / 16 * 16 + 16 + 2) / 3 * 4);
        assert_int_equal(sl_fernet_open(w->fernet, token, &w->arena, &back, NULL), SL_OK);
        assert_int_equal(back.len, n);
        assert_memory_equal(back.secret, bytes, n);
    }
}

static void opens_a_sealed_nothing_yet_nothing_is_no_token_and_stays_nothing(void **state)
{
    struct world *w = *state;
    unsigned char iv[SL_FERNET_IV_BYTES] = { 0 };
    sl_cleartext back = { "x", 1 };
    sl_str token = { 0 };

    assert_int_equal(sl_fernet_seal(w->fernet, (sl_cleartext){ 0 }, 0, iv, &w->arena, &token, NULL),
                     SL_OK);
    assert_int_equal(token.len, 100);
    assert_int_equal(sl_fernet_open(w->fernet, token, &w->arena, &back, NULL), SL_OK);
    assert_int_equal(back.len, 0);
    assert_refused(w, w->fernet, SL_STR(""), no_token);
    assert_int_equal(sl_fernet_mask(w->fernet, (sl_cleartext){ 0 }, &w->arena, &token, NULL),
                     SL_OK);
    assert_text(token, "");
}

static void never_gives_the_same_token_twice(void **state)
{
    struct world *w = *state;
    const sl_cleartext value = sl_cleartext_of(SL_STR("1.2.3.4"));
    sl_str tokens[50];

    for (size_t i = 0; i < 50; i++) {
        assert_int_equal(sl_fernet_mask(w->fernet, value, &w->arena, &tokens[i], NULL), SL_OK);
        for (size_t k = 0; k < i; k++) {
            assert_false(sl_str_eq(tokens[i], tokens[k]));
        }
    }
}

static void writes_the_time_into_the_token(void **state)
{
    struct world *w = *state;
    const int64_t before_s = sl_clock_at_ms() / 1000;
    unsigned char head[9];
    int64_t at_s = 0;
    sl_str token = { 0 };
    size_t n = 0;

    assert_int_equal(
        sl_fernet_mask(w->fernet, sl_cleartext_of(SL_STR("x")), &w->arena, &token, NULL), SL_OK);
    assert_true(sl_base64_decode(SL_BASE64URL, (sl_str){ token.ptr, 12 }, head, sizeof head, &n));
    assert_int_equal(n, sizeof head);
    assert_int_equal(head[0], 0x80);
    for (size_t i = 1; i < n; i++) {
        at_s = at_s << 8 | head[i];
    }
    assert_in_range(at_s, before_s, sl_clock_at_ms() / 1000);
}

static void refuses_a_token_with_any_bit_changed(void **state)
{
    struct world *w = *state;
    unsigned char raw[73];
    char token[100];
    size_t n = 0;

    /* Without the padding, which is not of the bytes. */
    assert_true(sl_base64_decode(SL_BASE64URL, (sl_str){ SPEC_TOKEN, 98 }, raw, sizeof raw, &n));
    assert_int_equal(n, sizeof raw);
    memset(token, '=', sizeof token);
    for (unsigned bit = 0; bit < 8 * sizeof raw; bit++) {
        raw[bit / 8] ^= (unsigned char)(1U << bit % 8);
        sl_base64_encode(SL_BASE64URL, raw, sizeof raw, token);
        assert_refused(w, w->spec, (sl_str){ token, sizeof token }, bit < 8 ? no_token : altered);
        raw[bit / 8] ^= (unsigned char)(1U << bit % 8);
    }
}

static void refuses_a_token_with_any_character_changed(void **state)
{
    struct world *w = *state;
    char token[] = SPEC_TOKEN;

    for (size_t i = 0; i < sizeof token - 1; i++) {
        for (int c = 0; c < 256; c++) {
            const char was = token[i];

            if ((char)c != was) {
                token[i] = (char)c;
                assert_refused(w, w->spec, (sl_str){ token, sizeof token - 1 }, NULL);
                token[i] = was;
            }
        }
        sl_arena_reset(&w->arena);
    }
}

static void refuses_every_truncation_and_other_paddings(void **state)
{
    static const char *const ends[] = { "", "=", "===", "==\n", "== ", "====", "==A" };
    struct world *w = *state;
    char token[sizeof SPEC_TOKEN + 8];

    for (size_t n = 0; n < sizeof SPEC_TOKEN - 1; n++) {
        assert_refused(w, w->spec, (sl_str){ SPEC_TOKEN, n }, no_token);
    }
    for (size_t n = 0; n < 120; n++) { /* 96..119 have blocks, and a part of one */
        assert_refused(w, w->fernet, (sl_str){ others[6].token, n }, no_token);
    }
    memcpy(token, SPEC_TOKEN, 98);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        memcpy(token + 98, ends[i], strlen(ends[i]));
        assert_refused(w, w->spec, (sl_str){ token, 98 + strlen(ends[i]) }, no_token);
    }
}

static void refuses_tokens_of_another_key(void **state)
{
    struct world *w = *state;

    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_refused(w, w->spec, sl_str_of(others[i].token), altered);
    }
}

static void refuses_other_spellings_of_a_key_without_quoting_them(void **state)
{
    static const char *const texts[] = {
        "",
        "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4",
        "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e5=",
        "cw/0x689RpI+jtRR7oE8h/eQsKImvJapLeSbXpwF4e4=",
        "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4==",
        "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=\n",
        "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4Q==",
        "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4A",
        "730ff4c7af3d46923e8ed451ee813c87f790b0a226bc96a92de49b5e9c05e1ee",
    };
    const unsigned char zeros[SL_FERNET_KEY_BYTES] = { 0 };
    unsigned char key[SL_FERNET_KEY_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct sl_err e = { 0 };

        memset(key, 1, sizeof key);
        assert_int_equal(sl_fernet_key(sl_str_of(texts[i]), key, &e), SL_CONFIG);
        assert_memory_equal(key, zeros, sizeof key);
        assert_string_equal(e.msg, "not a Fernet key: give 32 bytes as base64url, 44 characters");
    }
}

static void needs_room_and_a_time(void **state)
{
    struct world *w = *state;
    const sl_cleartext value = sl_cleartext_of(SL_STR("1.2.3.4"));
    unsigned char iv[SL_FERNET_IV_BYTES] = { 0 };
    struct sl_arena none;
    sl_cleartext back = { 0 };
    sl_str token = { 0 };

    sl_arena_init(&none, 8, 8);
    assert_int_equal(sl_fernet_mask(w->spec, value, &none, &token, NULL), SL_NOMEM);
    assert_int_equal(sl_fernet_open(w->spec, SL_STR(SPEC_TOKEN), &none, &back, NULL), SL_NOMEM);
    assert_int_equal(sl_fernet_seal(w->spec, value, -1, iv, &w->arena, &token, NULL), SL_BUG);
    assert_null(token.ptr);
    assert_null(back.secret);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seals_and_opens_the_vector_of_the_specification),
        cmocka_unit_test(refuses_what_the_specification_calls_invalid),
        cmocka_unit_test(opens_tokens_of_any_age),
        cmocka_unit_test(agrees_with_another_implementation_both_ways),
        cmocka_unit_test(brings_back_values_of_every_length),
        cmocka_unit_test(opens_a_sealed_nothing_yet_nothing_is_no_token_and_stays_nothing),
        cmocka_unit_test(never_gives_the_same_token_twice),
        cmocka_unit_test(writes_the_time_into_the_token),
        cmocka_unit_test(refuses_a_token_with_any_bit_changed),
        cmocka_unit_test(refuses_a_token_with_any_character_changed),
        cmocka_unit_test(refuses_every_truncation_and_other_paddings),
        cmocka_unit_test(refuses_tokens_of_another_key),
        cmocka_unit_test(refuses_other_spellings_of_a_key_without_quoting_them),
        cmocka_unit_test(needs_room_and_a_time),
    };

    return cmocka_run_group_tests(tests, world_begin, world_end);
}
