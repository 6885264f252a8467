/* tests/unit/test_ledger_mac.c - keys of messages, and the key that they are made with.
 *
 *     hmac.new(hmac.new(bytes(range(32)), way, "sha256").digest(), value, "sha256")    Python 3.11
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "keys/keyring_build.h"
#include "masking/ledger_mac.h"

struct bench {
    struct sl_keyring *ring;
    struct sl_masker *m;
    struct sl_arena a;
};

static void ring_add(struct sl_keyring *ring, const char *id, enum sl_key_state state, int byte)
{
    unsigned char master[SL_KEY_BYTES];

    memset(master, byte, sizeof master);
    assert_int_equal(sl_keyring_add(ring, sl_str_of(id), state, master, NULL), SL_OK);
}

static void masker_of(struct sl_keyring **ring, struct sl_masker **m)
{
    assert_int_equal(sl_keyring_finish(*ring, NULL), SL_OK);
    assert_int_equal(sl_masker_new(*ring, m, NULL), SL_OK);
}

static int bench_new(void **state)
{
    static struct bench x;

    x = (struct bench){ 0 };
    sl_arena_init(&x.a, 1 << 20, 4096);
    assert_int_equal(sl_keyring_new(&x.ring, NULL), SL_OK);
    ring_add(x.ring, "k1", SL_KEY_ACTIVE, 0x17);
    masker_of(&x.ring, &x.m);
    *state = &x;
    return 0;
}

static int bench_free(void **state)
{
    struct bench *x = *state;

    sl_masker_free(x->m);
    sl_keyring_free(x->ring);
    sl_arena_done(&x->a);
    return 0;
}

/* The key 00 01 02 ... 1f, sealed for pipeline p. */
static sl_str known_key(struct bench *x)
{
    char key[32];
    sl_str sealed;

    for (size_t i = 0; i < sizeof key; i++) {
        key[i] = (char)i;
    }
    assert_int_equal(sl_seal_ledger_key(x->m, SL_STR("p"),
                                        sl_cleartext_of((sl_str){ key, sizeof key }), &x->a,
                                        &sealed, NULL),
                     SL_OK);
    return sealed;
}

static void code_of(struct sl_masker *m, sl_str sealed, const char *way, const char *value,
                    unsigned char out[static SL_HMAC_BYTES])
{
    struct sl_hmac *mac = NULL;

    assert_int_equal(sl_ledger_mac_open(m, SL_STR("p"), sealed, sl_str_of(way), &mac, NULL), SL_OK);
    assert_int_equal(sl_hmac_of(mac, sl_cleartext_of(sl_str_of(value)), out, NULL), SL_OK);
    sl_hmac_free(mac);
}

static void has_the_codes_of_another_implementation(void **state)
{
    static const struct {
        const char *way;
        const char *value;
        const char *hex;
    } cases[] = {
        { "body", "{}", "dfa3158b1a0174cbfb5b97783f4a4112501704ab6d863b16efe44c52c7ce24e3" },
        { "field:order.id", "4711",
          "1218140abc1b909b9c89d951d967e9a230f26ff5434a4c63d4eb5be55b70e8d5" },
    };
    struct bench *x = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char out[SL_HMAC_BYTES];

        code_of(x->m, known_key(x), cases[i].way, cases[i].value, out);
        for (size_t k = 0; k < sizeof out; k++) {
            const char pair[3] = { cases[i].hex[2 * k], cases[i].hex[2 * k + 1], '\0' };

            assert_int_equal(out[k], strtoul(pair, NULL, 16));
        }
    }
}

static void every_key_is_another(void **state)
{
    struct bench *x = *state;
    unsigned char one[SL_HMAC_BYTES];
    unsigned char two[SL_HMAC_BYTES];
    sl_str sealed;

    assert_int_equal(sl_ledger_key_new(x->m, SL_STR("p"), &x->a, &sealed, NULL), SL_OK);
    code_of(x->m, sealed, "body", "x", one);
    assert_int_equal(sl_ledger_key_new(x->m, SL_STR("p"), &x->a, &sealed, NULL), SL_OK);
    code_of(x->m, sealed, "body", "x", two);
    assert_memory_not_equal(one, two, sizeof one);
}

static void the_code_stays_when_the_ring_rotates(void **state)
{
    struct bench *x = *state;
    struct sl_keyring *ring = NULL;
    struct sl_masker *m = NULL;
    unsigned char before[SL_HMAC_BYTES];
    unsigned char after[SL_HMAC_BYTES];

    assert_int_equal(sl_keyring_new(&ring, NULL), SL_OK);
    ring_add(ring, "k1", SL_KEY_DECRYPT, 0x17);
    ring_add(ring, "k2", SL_KEY_ACTIVE, 0x18);
    masker_of(&ring, &m);
    code_of(x->m, known_key(x), "body", "x", before);
    code_of(m, known_key(x), "body", "x", after);
    assert_memory_equal(before, after, sizeof before);
    sl_masker_free(m);
    sl_keyring_free(ring);
}

static void a_key_that_does_not_open_stops_the_start(void **state)
{
    struct bench *x = *state;
    struct sl_keyring *ring = NULL;
    struct sl_masker *m = NULL;
    struct sl_hmac *mac = NULL;
    const sl_str sealed = known_key(x);
    struct sl_err e = { 0 };

    assert_int_equal(sl_ledger_mac_open(x->m, SL_STR("q"), sealed, SL_STR("body"), &mac, &e),
                     SL_KEY);
    assert_non_null(strstr(e.msg, "pipeline q"));
    assert_int_equal(sl_keyring_new(&ring, NULL), SL_OK);
    ring_add(ring, "k2", SL_KEY_ACTIVE, 0x18);
    masker_of(&ring, &m);
    assert_int_equal(sl_ledger_mac_open(m, SL_STR("p"), sealed, SL_STR("body"), &mac, &e), SL_KEY);
    assert_non_null(strstr(e.msg, "key k1"));
    sl_masker_free(m);
    sl_keyring_free(ring);
}

int main(void)
{
#define RULE(f) cmocka_unit_test_setup_teardown(f, bench_new, bench_free)
    const struct CMUnitTest tests[] = {
        RULE(has_the_codes_of_another_implementation),
        RULE(every_key_is_another),
        RULE(the_code_stays_when_the_ring_rotates),
        RULE(a_key_that_does_not_open_stops_the_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
