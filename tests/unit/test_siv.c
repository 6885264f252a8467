/* tests/unit/test_siv.c - RFC 5297 against its own vector and against EVP's AES-256-SIV. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>

#include "masking/siv.h"

enum { TAG = SL_SIV_BLOCK, LENGTH_MAX = 300, BIG = 1024 * 1024 + 3 };

struct world {
    EVP_CIPHER *aes;
    struct sl_siv *siv;
    struct sl_siv_aad aad;
    unsigned char key[SL_SIV_KEY_BYTES];
};

static const char aad_text[] = "v1.k1.ip";

/* Repeatable bytes without a pattern. */
static void fill(unsigned char *out, size_t n, uint32_t seed)
{
    uint32_t x = seed * 2654435761U + 12345;

    for (size_t i = 0; i < n; i++) {
        x = x * 1664525 + 1013904223;
        out[i] = (unsigned char)(x >> 24);
    }
}

static size_t unhex(const char *hex, unsigned char *out)
{
    size_t n = 0;

    for (; hex[2 * n] != '\0'; n++) {
        const char pair[3] = { hex[2 * n], hex[2 * n + 1], '\0' };

        out[n] = (unsigned char)strtoul(pair, NULL, 16);
    }
    return n;
}

static int world_begin(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    fill(w->key, sizeof w->key, 1);
    assert_int_equal(sl_siv_fetch(sizeof w->key, &w->aes, NULL), SL_OK);
    assert_int_equal(sl_siv_new(w->aes, w->key, &w->siv, NULL), SL_OK);
    assert_int_equal(sl_siv_aad_init(&w->aad, w->siv, sl_str_of(aad_text), NULL), SL_OK);
    *state = w;
    return 0;
}

static int world_end(void **state)
{
    struct world *w = *state;

    sl_siv_free(w->siv);
    EVP_CIPHER_free(w->aes);
    free(w);
    return 0;
}

/* EVP's cipher, used the one plainly correct way: a fresh context with the key for each message. */
static void oracle_seal(const struct world *w, const unsigned char *p, size_t n, unsigned char *out)
{
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-SIV", NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, out, TAG),
        OSSL_PARAM_construct_end(),
    };
    int len = 0;

    assert_non_null(cipher);
    assert_non_null(ctx);
    assert_int_equal(EVP_EncryptInit_ex2(ctx, cipher, w->key, NULL, NULL), 1);
    assert_int_equal(
        EVP_EncryptUpdate(ctx, NULL, &len, (const unsigned char *)aad_text, (int)strlen(aad_text)),
        1);
    assert_int_equal(EVP_EncryptUpdate(ctx, out + TAG, &len, p, (int)n), 1);
    assert_int_equal(len, n);
    assert_int_equal(EVP_EncryptFinal_ex(ctx, out + TAG + n, &len), 1);
    assert_int_equal(EVP_CIPHER_CTX_get_params(ctx, params), 1);
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(cipher);
}

static void gives_the_answer_of_rfc_5297_a_1(void **state)
{
    unsigned char key[32];
    unsigned char ad[32];
    unsigned char p[32];
    unsigned char want[64];
    unsigned char got[64];
    EVP_CIPHER *aes = NULL;
    struct sl_siv *siv = NULL;
    struct sl_siv_aad aad;

    (void)state;
    (void)unhex("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", key);
    const size_t ad_n = unhex("101112131415161718191a1b1c1d1e1f2021222324252627", ad);
    const size_t n = unhex("112233445566778899aabbccddee", p);
    (void)unhex("85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c", want);

    assert_int_equal(sl_siv_fetch(sizeof key, &aes, NULL), SL_OK);
    assert_int_equal(sl_siv_new(aes, key, &siv, NULL), SL_OK);
    assert_int_equal(sl_siv_aad_init(&aad, siv, (sl_str){ (const char *)ad, ad_n }, NULL), SL_OK);
    assert_int_equal(sl_siv_seal(siv, &aad, p, n, got, NULL), SL_OK);
    assert_memory_equal(got, want, n + TAG);
    assert_int_equal(sl_siv_open(siv, &aad, want, n + TAG, got, NULL), SL_OK);
    assert_memory_equal(got, p, n);
    sl_siv_free(siv);
    EVP_CIPHER_free(aes);
}

static void check_against_oracle(const struct world *w, size_t n)
{
    unsigned char *p = malloc(n);
    unsigned char *got = malloc(n + TAG);
    unsigned char *want = malloc(n + TAG);

    assert_true(p != NULL && got != NULL && want != NULL);
    fill(p, n, (uint32_t)n);
    oracle_seal(w, p, n, want);
    assert_int_equal(sl_siv_seal(w->siv, &w->aad, p, n, got, NULL), SL_OK);
    assert_memory_equal(got, want, n + TAG);
    memset(got, 0, n + TAG);
    assert_int_equal(sl_siv_open(w->siv, &w->aad, want, n + TAG, got, NULL), SL_OK);
    assert_memory_equal(got, p, n);
    /* Where it stands. */
    memcpy(got + TAG, p, n);
    assert_int_equal(sl_siv_seal(w->siv, &w->aad, got + TAG, n, got, NULL), SL_OK);
    assert_memory_equal(got, want, n + TAG);
    free(p);
    free(got);
    free(want);
}

static void equals_evp_aes_256_siv_for_lengths_1_to_300(void **state)
{
    for (size_t n = 1; n <= LENGTH_MAX; n++) {
        check_against_oracle(*state, n);
    }
}

static void equals_evp_aes_256_siv_around_its_chunks_and_for_a_large_body(void **state)
{
    static const size_t lengths[] = { 496, 511, 512, 513, 527, 528, 529, 1023, 1024, 1025, BIG };

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        check_against_oracle(*state, lengths[i]);
    }
}

static void refuses_every_one_bit_forgery(void **state)
{
    const struct world *w = *state;
    unsigned char p[LENGTH_MAX];
    unsigned char sealed[LENGTH_MAX + TAG];
    unsigned char out[LENGTH_MAX];

    for (size_t n = 1; n <= LENGTH_MAX; n++) {
        /* Every bit of short ones, a bit of every byte of the others. */
        const size_t step = n <= 48 ? 1 : 7;

        fill(p, n, (uint32_t)n + 1000);
        assert_int_equal(sl_siv_seal(w->siv, &w->aad, p, n, sealed, NULL), SL_OK);
        for (size_t bit = 0; bit < 8 * (n + TAG); bit += step) {
            sealed[bit / 8] ^= (unsigned char)(1U << bit % 8);
            assert_int_equal(sl_siv_open(w->siv, &w->aad, sealed, n + TAG, out, NULL), SL_VALUE);
            sealed[bit / 8] ^= (unsigned char)(1U << bit % 8);
        }
        assert_int_equal(sl_siv_open(w->siv, &w->aad, sealed, n + TAG, out, NULL), SL_OK);
    }
}

static void leaves_nothing_behind_when_it_refuses(void **state)
{
    const struct world *w = *state;
    static const unsigned char zero[100];
    unsigned char p[100];
    unsigned char sealed[100 + TAG];
    unsigned char out[100];

    fill(p, sizeof p, 7);
    assert_int_equal(sl_siv_seal(w->siv, &w->aad, p, sizeof p, sealed, NULL), SL_OK);
    sealed[50] ^= 1;
    assert_int_equal(sl_siv_open(w->siv, &w->aad, sealed, sizeof sealed, out, NULL), SL_VALUE);
    assert_memory_equal(out, zero, sizeof out);
}

static void one_key_serves_many_associated_data(void **state)
{
    const struct world *w = *state;
    const unsigned char p[] = "the same bytes";
    unsigned char one[sizeof p + TAG];
    unsigned char two[sizeof p + TAG];
    unsigned char out[sizeof p];
    struct sl_siv_aad other;

    assert_int_equal(sl_siv_aad_init(&other, w->siv, SL_STR("v1.k1.dead_letter.x"), NULL), SL_OK);
    assert_int_equal(sl_siv_seal(w->siv, &w->aad, p, sizeof p, one, NULL), SL_OK);
    assert_int_equal(sl_siv_seal(w->siv, &other, p, sizeof p, two, NULL), SL_OK);
    assert_memory_not_equal(one, two, sizeof one);
    assert_int_equal(sl_siv_open(w->siv, &other, two, sizeof two, out, NULL), SL_OK);
    assert_int_equal(sl_siv_open(w->siv, &other, one, sizeof one, out, NULL), SL_VALUE);
    assert_int_equal(sl_siv_open(w->siv, &w->aad, two, sizeof two, out, NULL), SL_VALUE);
}

static void refuses_what_has_no_answer(void **state)
{
    const struct world *w = *state;
    unsigned char bytes[64] = { 0 };
    struct sl_siv_aad aad;
    EVP_CIPHER *aes = NULL;

    assert_int_equal(sl_siv_seal(w->siv, &w->aad, bytes, 0, bytes, NULL), SL_BUG);
    assert_int_equal(sl_siv_aad_init(&aad, w->siv, SL_STR(""), NULL), SL_BUG);
    assert_int_equal(sl_siv_fetch(48, &aes, NULL), SL_BUG);
    assert_null(aes);
    for (size_t n = 0; n <= TAG; n++) {
        assert_int_equal(sl_siv_open(w->siv, &w->aad, bytes, n, bytes + 32, NULL), SL_VALUE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_answer_of_rfc_5297_a_1),
        cmocka_unit_test(equals_evp_aes_256_siv_for_lengths_1_to_300),
        cmocka_unit_test(equals_evp_aes_256_siv_around_its_chunks_and_for_a_large_body),
        cmocka_unit_test(refuses_every_one_bit_forgery),
        cmocka_unit_test(leaves_nothing_behind_when_it_refuses),
        cmocka_unit_test(one_key_serves_many_associated_data),
        cmocka_unit_test(refuses_what_has_no_answer),
    };

    return cmocka_run_group_tests(tests, world_begin, world_end);
}
