/* tests/unit/test_masker.c - tokens and sealed bodies against those of another implementation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "keys/keyring_build.h"
#include "masking/masker.h"

enum { KEYS_MAX = 8, LINE_SIZE = 4096, BYTES_MAX = 2048, TOKENS_MIN = 200 };

#define VECTORS SL_TEST_DIR "/vectors/tokens.txt"
#define KNOWN   "v1.k1.F0htGjCivSZeRv3G_6zOgOS2ygCcJmYQ34YS70DCRuE"

struct vector_key {
    char id[SL_KEY_ID_MAX + 1];
    char check[SL_KEY_CHECK_CHARS + 1];
    unsigned char master[SL_KEY_BYTES];
};

struct world {
    struct vector_key keys[KEYS_MAX];
    unsigned n_keys;
    struct sl_keyring *rings[KEYS_MAX]; /* the n-th key is active, the others decrypt */
    struct sl_masker *maskers[KEYS_MAX];
    struct sl_arena arena;
};

struct vector {
    sl_str word[5];
};

static size_t unhex(sl_str hex, void *out, size_t max)
{
    unsigned char *bytes = out;

    assert_true(hex.len % 2 == 0 && hex.len / 2 <= max);
    for (size_t i = 0; i < hex.len / 2; i++) {
        const char pair[3] = { hex.ptr[2 * i], hex.ptr[2 * i + 1], '\0' };

        bytes[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
    return hex.len / 2;
}

static struct vector vector_split(const char *line)
{
    sl_str rest = sl_str_of(line);
    struct vector v = { 0 };

    rest = sl_str_cut(&rest, '\n');
    for (size_t i = 0; i < 5; i++) {
        v.word[i] = sl_str_cut(&rest, '\t');
    }
    return v;
}

/* Call `use` for each line of a kind.  Returns: how many there were. */
static unsigned each_vector(struct world *w, sl_str kind,
                            void (*use)(struct world *w, const struct vector *v))
{
    static char line[LINE_SIZE];
    FILE *f = fopen(VECTORS, "re");
    unsigned n = 0;

    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL) {
        const struct vector v = vector_split(line);

        if (sl_str_eq(v.word[0], kind)) {
            use(w, &v);
            n++;
        }
    }
    (void)fclose(f);
    return n;
}

static void use_key(struct world *w, const struct vector *v)
{
    struct vector_key *key = &w->keys[w->n_keys];

    assert_true(w->n_keys < KEYS_MAX);
    assert_true(v->word[1].len <= SL_KEY_ID_MAX);
    assert_int_equal(v->word[3].len, SL_KEY_CHECK_CHARS);
    memcpy(key->id, v->word[1].ptr, v->word[1].len);
    memcpy(key->check, v->word[3].ptr, v->word[3].len);
    assert_int_equal(unhex(v->word[2], key->master, SL_KEY_BYTES), SL_KEY_BYTES);
    w->n_keys++;
}

static struct sl_keyring *ring_with_active(const struct world *w, unsigned active)
{
    struct sl_keyring *ring = NULL;

    assert_int_equal(sl_keyring_new(&ring, NULL), SL_OK);
    for (unsigned i = 0; i < w->n_keys; i++) {
        assert_int_equal(sl_keyring_add(ring, sl_str_of(w->keys[i].id),
                                        i == active ? SL_KEY_ACTIVE : SL_KEY_DECRYPT,
                                        w->keys[i].master, NULL),
                         SL_OK);
        assert_string_equal(sl_keyring_at(ring, i)->check, w->keys[i].check);
    }
    assert_int_equal(sl_keyring_finish(ring, NULL), SL_OK);
    return ring;
}

static int world_begin(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    assert_true(each_vector(w, SL_STR("key"), use_key) >= 2);
    for (unsigned i = 0; i < w->n_keys; i++) {
        w->rings[i] = ring_with_active(w, i);
        assert_int_equal(sl_masker_new(w->rings[i], &w->maskers[i], NULL), SL_OK);
    }
    sl_arena_init(&w->arena, 16 << 20, 64 << 10);
    *state = w;
    return 0;
}

static int world_end(void **state)
{
    struct world *w = *state;

    for (unsigned i = 0; i < w->n_keys; i++) {
        sl_masker_free(w->maskers[i]);
        sl_keyring_free(w->rings[i]);
    }
    sl_arena_done(&w->arena);
    free(w);
    return 0;
}

/* The masker whose active key is `id`. */
static struct sl_masker *masker_of(const struct world *w, sl_str id)
{
    for (unsigned i = 0; i < w->n_keys; i++) {
        if (sl_str_eq(sl_str_of(w->keys[i].id), id)) {
            return w->maskers[i];
        }
    }
    fail_msg("no such key in the vectors");
    return NULL;
}

static sl_cleartext cleartext(const char *s)
{
    return sl_cleartext_of(sl_str_of(s));
}

static void assert_str(sl_str got, sl_str want)
{
    assert_int_equal(got.len, want.len);
    assert_memory_equal(got.ptr, want.ptr, want.len);
}

static sl_str mask(struct world *w, const char *context, sl_cleartext value)
{
    sl_str token = { 0 };

    assert_int_equal(sl_mask_siv(w->maskers[0], sl_str_of(context), value, &w->arena, &token, NULL),
                     SL_OK);
    return token;
}

static sl_rc unmask(struct world *w, const char *context, sl_str token)
{
    const sl_cleartext before = cleartext("untouched");
    sl_cleartext value = before;
    const sl_rc rc =
        sl_unmask_siv(w->maskers[0], sl_str_of(context), token, &w->arena, &value, NULL);

    if (rc != SL_OK) {
        assert_ptr_equal(value.secret, before.secret);
    }
    return rc;
}

static void use_token(struct world *w, const struct vector *v)
{
    unsigned char bytes[BYTES_MAX];
    const sl_str value = { (const char *)bytes, unhex(v->word[3], bytes, sizeof bytes) };
    sl_cleartext back = { 0 };
    sl_str token = { 0 };

    assert_int_equal(sl_mask_siv(masker_of(w, v->word[1]), v->word[2], sl_cleartext_of(value),
                                 &w->arena, &token, NULL),
                     SL_OK);
    assert_str(token, v->word[4]);
    /* Whichever key is active. */
    for (unsigned i = 0; i < w->n_keys; i++) {
        assert_int_equal(
            sl_unmask_siv(w->maskers[i], v->word[2], v->word[4], &w->arena, &back, NULL), SL_OK);
        assert_str(sl_cleartext_publish(back), value);
    }
}

static void makes_and_opens_the_tokens_of_another_implementation(void **state)
{
    assert_true(each_vector(*state, SL_STR("token"), use_token) >= TOKENS_MIN);
}

static void use_body(struct world *w, const struct vector *v)
{
    unsigned char bytes[BYTES_MAX];
    unsigned char sealed[BYTES_MAX];
    const sl_str body = { (const char *)bytes, unhex(v->word[3], bytes, sizeof bytes) };
    const sl_str want = { (const char *)sealed, unhex(v->word[4], sealed, sizeof sealed) };
    sl_cleartext back = { 0 };
    sl_str got = { 0 };

    assert_int_equal(sl_seal_body(masker_of(w, v->word[1]), v->word[2], sl_cleartext_of(body),
                                  &w->arena, &got, NULL),
                     SL_OK);
    assert_str(got, want);
    assert_int_equal(sl_open_body(w->maskers[0], v->word[2], want, &w->arena, &back, NULL), SL_OK);
    assert_str(sl_cleartext_publish(back), body);
}

static void makes_and_opens_the_sealed_bodies_of_another_implementation(void **state)
{
    assert_true(each_vector(*state, SL_STR("body"), use_body) >= 10);
}

static void gives_the_known_answers(void **state)
{
    struct world *w = *state;

    assert_str(mask(w, "ip", cleartext("1.2.3.4")), SL_STR(KNOWN));
    assert_str(mask(w, "device_id", cleartext("593-47-5928")),
               SL_STR("v1.k1.VBzKnNsjWQiWnAa2fDw15jG9chu8LPV3bmgLhNvkOKc"));
}

static void equal_values_give_equal_tokens_only_within_a_context(void **state)
{
    struct world *w = *state;

    assert_str(mask(w, "ip", cleartext("1.2.3.4")), mask(w, "ip", cleartext("1.2.3.4")));
    assert_false(
        sl_str_eq(mask(w, "ip", cleartext("1.2.3.4")), mask(w, "last_ip", cleartext("1.2.3.4"))));
    assert_false(
        sl_str_eq(mask(w, "ip", cleartext("1.2.3.4")), mask(w, "ip", cleartext("1.2.3.5"))));
}

static void a_token_has_49_characters_for_1_to_15_bytes_and_fits_varchar_256(void **state)
{
    static const char value[SL_MASK_VALUE_MAX + 1];
    struct sl_keyring *ring = NULL;
    struct sl_masker *m = NULL;
    struct world *w = *state;
    sl_str token = { 0 };

    for (size_t n = 1; n <= 15; n++) {
        assert_int_equal(mask(w, "ip", (sl_cleartext){ value, n }).len, 49);
    }
    assert_int_equal(mask(w, "ip", (sl_cleartext){ value, 16 }).len, 70);
    assert_int_equal(mask(w, "ip", (sl_cleartext){ value, 159 }).len, 241);

    assert_int_equal(sl_keyring_new(&ring, NULL), SL_OK);
    assert_int_equal(
        sl_keyring_add(ring, SL_STR("12345678"), SL_KEY_ACTIVE, w->keys[0].master, NULL), SL_OK);
    assert_int_equal(sl_masker_new(ring, &m, NULL), SL_OK);
    assert_int_equal(
        sl_mask_siv(m, SL_STR("ip"), (sl_cleartext){ value, 159 }, &w->arena, &token, NULL), SL_OK);
    assert_int_equal(token.len, SL_MASK_TOKEN_MAX);
    sl_masker_free(m);
    sl_keyring_free(ring);
}

static void refuses_a_value_of_160_bytes_without_quoting_it(void **state)
{
    struct world *w = *state;
    char value[SL_MASK_VALUE_MAX + 1];
    struct sl_err e = { 0 };
    sl_str token = { 0 };

    memset(value, 'q', sizeof value);
    assert_int_equal(sl_mask_siv(w->maskers[0], SL_STR("ip"), (sl_cleartext){ value, sizeof value },
                                 &w->arena, &token, &e),
                     SL_VALUE);
    assert_null(token.ptr);
    assert_null(strstr(e.msg, "qq"));
    assert_non_null(strstr(e.msg, "160"));
}

static void an_empty_string_stays_one(void **state)
{
    struct world *w = *state;
    sl_cleartext value = cleartext("x");

    assert_int_equal(mask(w, "ip", cleartext("")).len, 0);
    assert_int_equal(
        sl_unmask_siv(w->maskers[0], SL_STR("ip"), SL_STR(""), &w->arena, &value, NULL), SL_OK);
    assert_int_equal(value.len, 0);
}

/* Made with Python's AESSIV under k1 and ip: padding alone, none, and two with a block too
 * much of it. */
static void refuses_a_genuine_token_of_nothing_or_without_padding(void **state)
{
    static const char *const bad[] = {
        "v1.k1.788rnaciKtbmNWEQRzmuMcyLmwfEIIYAxHCDkmdXQTg",
        "v1.k1.jhfiQIeIWNVfwLGtK9K6i3XDb-lqZhyWppsQvid6FYU",
        "v1.k1.jETpUTZdUdxS6piNAv4C_m-LZ_ppONKD6HmhrJLi8kilZJALOkDgOtjBf-E6t80t",
        "v1.k1.4L1VqRXaXlF0ZThVH2r9kaZ4_cFBzY7o12MHr1nIzOas1E0Pi1DYQHn5NJsW7_Yc",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(unmask(*state, "ip", sl_str_of(bad[i])), SL_VALUE);
    }
}

static void accepts_no_change_of_any_character(void **state)
{
    static const char all[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ ";
    char token[] = KNOWN;

    for (size_t i = 0; token[i] != '\0'; i++) {
        const char right = token[i];

        for (const char *c = all; *c != '\0'; c++) {
            if (*c != right) {
                token[i] = *c;
                assert_int_equal(unmask(*state, "ip", sl_str_of(token)), SL_VALUE);
            }
        }
        token[i] = right;
    }
    assert_int_equal(unmask(*state, "ip", sl_str_of(token)), SL_OK);
}

static void refuses_tokens_cut_short_or_made_longer(void **state)
{
    static const char *const bad[] = {
        KNOWN "A",
        KNOWN "AAAA",
        KNOWN "=",
        KNOWN "\n",
        " " KNOWN,
        "v1.k1.",
        "v1.k1",
        "v1.",
        "v",
        "v1..AAAA",
        "v1.toolongid.AAA",
        "v2.k1.F0htGjCivSZeRv3G",
        "1.2.3.4",
        "v1.k1.AAAAAAA",
        "V1.K1.AAAA",
        "v1.k1.x.y",
        KNOWN "." KNOWN,
    };
    const sl_str whole = SL_STR(KNOWN);

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(unmask(*state, "ip", sl_str_of(bad[i])), SL_VALUE);
    }
    for (size_t n = 1; n < whole.len; n++) {
        assert_int_equal(unmask(*state, "ip", (sl_str){ whole.ptr, n }), SL_VALUE);
    }
}

static void refuses_a_token_of_another_context_or_key(void **state)
{
    struct world *w = *state;
    char moved[] = KNOWN;

    assert_int_equal(unmask(w, "device_id", SL_STR(KNOWN)), SL_VALUE);
    moved[4] = '2'; /* k2 is in the ring, too */
    assert_int_equal(unmask(w, "ip", sl_str_of(moved)), SL_VALUE);
}

static void names_a_key_that_is_unknown_or_retired(void **state)
{
    struct world *w = *state;
    struct sl_keyring *ring = NULL;
    struct sl_masker *m = NULL;
    struct sl_err e = { 0 };
    sl_cleartext value = { 0 };

    assert_int_equal(sl_keyring_new(&ring, NULL), SL_OK);
    assert_int_equal(sl_keyring_add(ring, SL_STR("k2"), SL_KEY_ACTIVE, w->keys[1].master, NULL),
                     SL_OK);
    assert_int_equal(sl_masker_new(ring, &m, NULL), SL_OK);
    assert_int_equal(sl_unmask_siv(m, SL_STR("ip"), SL_STR(KNOWN), &w->arena, &value, &e),
                     SL_VALUE);
    assert_non_null(strstr(e.msg, "key k1 is not in the key ring"));
    assert_int_equal(sl_keyring_add(ring, SL_STR("k1"), SL_KEY_RETIRED, w->keys[0].master, NULL),
                     SL_OK);
    assert_int_equal(sl_unmask_siv(m, SL_STR("ip"), SL_STR(KNOWN), &w->arena, &value, &e),
                     SL_VALUE);
    assert_non_null(strstr(e.msg, "retired"));
    assert_null(value.secret);
    sl_masker_free(m);
    sl_keyring_free(ring);
}

static void refuses_a_bad_context_even_for_an_empty_value(void **state)
{
    struct world *w = *state;
    struct sl_err e = { 0 };
    sl_cleartext value = { 0 };
    sl_str token = { 0 };

    assert_int_equal(
        sl_mask_siv(w->maskers[0], SL_STR("a\nb"), cleartext(""), &w->arena, &token, &e), SL_KEY);
    assert_int_equal(sl_unmask_siv(w->maskers[0], SL_STR(""), SL_STR(KNOWN), &w->arena, &value, &e),
                     SL_KEY);
}

static void gives_the_same_tokens_with_more_contexts_than_it_keeps(void **state)
{
    struct world *w = *state;
    const sl_str first = mask(w, "ip", cleartext("1.2.3.4"));
    char context[24];

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 300; i++) {
            (void)snprintf(context, sizeof context, "context_%d", i);
            assert_int_equal(unmask(w, context, mask(w, context, cleartext("x"))), SL_OK);
        }
        assert_str(mask(w, "ip", cleartext("1.2.3.4")), first);
    }
}

static void a_sealed_body_belongs_to_its_message(void **state)
{
    struct world *w = *state;
    sl_cleartext back = { 0 };
    sl_str sealed = { 0 };
    char changed[64];

    assert_int_equal(
        sl_seal_body(w->maskers[0], SL_STR("id-1"), cleartext("{}"), &w->arena, &sealed, NULL),
        SL_OK);
    assert_int_equal(sl_open_body(w->maskers[0], SL_STR("id-2"), sealed, &w->arena, &back, NULL),
                     SL_VALUE);
    assert_int_equal(sl_open_body(w->maskers[0], SL_STR("id-1\0"), sealed, &w->arena, &back, NULL),
                     SL_VALUE);
    assert_true(sealed.len <= sizeof changed);
    for (size_t i = 0; i < sealed.len; i++) {
        memcpy(changed, sealed.ptr, sealed.len);
        changed[i] ^= 1;
        assert_int_equal(sl_open_body(w->maskers[0], SL_STR("id-1"),
                                      (sl_str){ changed, sealed.len }, &w->arena, &back, NULL),
                         SL_VALUE);
        assert_int_equal(sl_open_body(w->maskers[0], SL_STR("id-1"), (sl_str){ sealed.ptr, i },
                                      &w->arena, &back, NULL),
                         SL_VALUE);
    }
    assert_null(back.secret);
    assert_int_equal(sl_open_body(w->maskers[0], SL_STR("id-1"), sealed, &w->arena, &back, NULL),
                     SL_OK);
    assert_str(sl_cleartext_publish(back), SL_STR("{}"));
}

static void seals_a_body_of_a_mebibyte(void **state)
{
    enum { BODY = 1024 * 1024 };
    struct world *w = *state;
    char *body = malloc(BODY);
    sl_cleartext back = { 0 };
    sl_str sealed = { 0 };

    assert_non_null(body);
    for (size_t i = 0; i < BODY; i++) {
        body[i] = (char)(i * 31 >> 3);
    }
    assert_int_equal(sl_seal_body(w->maskers[0], SL_STR("id"), (sl_cleartext){ body, BODY },
                                  &w->arena, &sealed, NULL),
                     SL_OK);
    assert_int_equal(sealed.len, 6 + 16 + BODY + 16);
    assert_int_equal(sl_open_body(w->maskers[0], SL_STR("id"), sealed, &w->arena, &back, NULL),
                     SL_OK);
    assert_str(sl_cleartext_publish(back), (sl_str){ body, BODY });
    free(body);
}

static void says_nomem_when_the_arena_is_full(void **state)
{
    struct world *w = *state;
    struct sl_arena small;
    sl_cleartext value = { 0 };
    sl_str out = { 0 };

    sl_arena_init(&small, 16, 16);
    assert_int_equal(
        sl_mask_siv(w->maskers[0], SL_STR("ip"), cleartext("1.2.3.4"), &small, &out, NULL),
        SL_NOMEM);
    assert_int_equal(
        sl_unmask_siv(w->maskers[0], SL_STR("ip"), SL_STR(KNOWN), &small, &value, NULL), SL_NOMEM);
    assert_int_equal(sl_seal_body(w->maskers[0], SL_STR("x"), cleartext("{}"), &small, &out, NULL),
                     SL_NOMEM);
    assert_null(out.ptr);
    assert_null(value.secret);
    sl_arena_done(&small);
}

static void prints_a_row_for_every_method(void **state)
{
    struct sl_buf out;

    (void)state;
    sl_buf_init(&out, 64 * 1024);
    sl_masking_manual(&out);
    sl_buf_add_char(&out, '\0');
    assert_int_equal(sl_buf_rc(&out, NULL), SL_OK);
    assert_non_null(strstr(out.ptr, "| `siv` | v1.<kid>.<base64url> |"));
    assert_non_null(strstr(out.ptr, "\n## `siv`\n"));
    sl_buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_and_opens_the_tokens_of_another_implementation),
        cmocka_unit_test(makes_and_opens_the_sealed_bodies_of_another_implementation),
        cmocka_unit_test(gives_the_known_answers),
        cmocka_unit_test(equal_values_give_equal_tokens_only_within_a_context),
        cmocka_unit_test(a_token_has_49_characters_for_1_to_15_bytes_and_fits_varchar_256),
        cmocka_unit_test(refuses_a_value_of_160_bytes_without_quoting_it),
        cmocka_unit_test(an_empty_string_stays_one),
        cmocka_unit_test(refuses_a_genuine_token_of_nothing_or_without_padding),
        cmocka_unit_test(accepts_no_change_of_any_character),
        cmocka_unit_test(refuses_tokens_cut_short_or_made_longer),
        cmocka_unit_test(refuses_a_token_of_another_context_or_key),
        cmocka_unit_test(names_a_key_that_is_unknown_or_retired),
        cmocka_unit_test(refuses_a_bad_context_even_for_an_empty_value),
        cmocka_unit_test(gives_the_same_tokens_with_more_contexts_than_it_keeps),
        cmocka_unit_test(a_sealed_body_belongs_to_its_message),
        cmocka_unit_test(seals_a_body_of_a_mebibyte),
        cmocka_unit_test(says_nomem_when_the_arena_is_full),
        cmocka_unit_test(prints_a_row_for_every_method),
    };

    return cmocka_run_group_tests(tests, world_begin, world_end);
}
