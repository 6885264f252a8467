/* tests/unit/test_keyring.c - the key ring, its page, and what is derived from it. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "keys/hkdf.h"
#include "keys/keyring.h"
#include "keys/keyring_build.h"

/* The sanitizers turn mlock into nothing. */
#if defined(__has_feature)
#    if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#        define MLOCK_DOES_NOTHING 1
#    endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#    define MLOCK_DOES_NOTHING 1
#endif

static const unsigned char master[SL_KEY_BYTES] = { 0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
                                                    11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
                                                    22, 23, 24, 25, 26, 27, 28, 29, 30, 31 };

static void ring_done(struct sl_keyring **ring)
{
    sl_keyring_free(*ring);
}

/* k1 active, k2 decrypt, k3 retired; not finished. */
static struct sl_keyring *ring_of_three(void)
{
    struct sl_keyring *ring = NULL;

    assert_int_equal(sl_keyring_new(&ring, NULL), SL_OK);
    assert_int_equal(sl_keyring_add(ring, SL_STR("k2"), SL_KEY_DECRYPT, master, NULL), SL_OK);
    assert_int_equal(sl_keyring_add(ring, SL_STR("k1"), SL_KEY_ACTIVE, master, NULL), SL_OK);
    assert_int_equal(sl_keyring_add(ring, SL_STR("k3"), SL_KEY_RETIRED, master, NULL), SL_OK);
    return ring;
}

static void assert_hex(const unsigned char *bytes, size_t n, const char *hex)
{
    char pair[3];

    assert_int_equal(strlen(hex), 2 * n);
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(pair, sizeof pair, "%02x", bytes[i]);
        assert_memory_equal(pair, hex + 2 * i, 2);
    }
}

static void hkdf_gives_the_answer_of_rfc_5869_case_1(void **state)
{
    unsigned char ikm[22];
    const struct sl_hkdf in = {
        .ikm = ikm,
        .ikm_n = sizeof ikm,
        .salt = SL_STR("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c"),
        .info = SL_STR("\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9"),
    };
    unsigned char out[42];

    (void)state;
    memset(ikm, 0x0b, sizeof ikm);
    assert_int_equal(sl_hkdf_sha256(&in, out, sizeof out, NULL), SL_OK);
    assert_hex(out, sizeof out,
               "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
               "34007208d5b887185865");
}

static void hkdf_refuses_more_than_it_can_give(void **state)
{
    const struct sl_hkdf in = { master, sizeof master, SL_STR("sluice"), SL_STR("x") };
    static unsigned char out[255 * 32 + 1];
    struct sl_err e = { 0 };

    (void)state;
    assert_int_equal(sl_hkdf_sha256(&in, out, sizeof out - 1, &e), SL_OK);
    assert_int_equal(sl_hkdf_sha256(&in, out, sizeof out, &e), SL_CRYPTO);
    assert_int_equal(out[0] | out[100], 0);
}

static void derives_the_known_subkey(void **state)
{
    SL_AUTO(ring_done) struct sl_keyring *ring = ring_of_three();
    unsigned char out[64];

    (void)state;
    assert_int_equal(
        sl_key_derive(sl_keyring_active(ring), "siv", SL_STR("ip"), out, sizeof out, NULL), SL_OK);
    assert_hex(out, sizeof out,
               "9a5121b87eb27365961921d47886ea5deb43b0b5de2ae0acfa0871ca0678ffe9"
               "badd708dc6047157212668bbc0b2fad8939d87563a5211eec1abd7323f7bb957");
}

static void derives_another_key_for_each_mode_id_and_context(void **state)
{
    SL_AUTO(ring_done) struct sl_keyring *ring = ring_of_three();
    const struct sl_key *k1 = sl_keyring_active(ring);
    const struct sl_key *k2 = sl_keyring_find(ring, SL_STR("k2"));
    unsigned char out[4][32];

    (void)state;
    assert_int_equal(sl_key_derive(k1, "siv", SL_STR("ip"), out[0], 32, NULL), SL_OK);
    assert_int_equal(sl_key_derive(k1, "hmac", SL_STR("ip"), out[1], 32, NULL), SL_OK);
    assert_int_equal(sl_key_derive(k2, "siv", SL_STR("ip"), out[2], 32, NULL), SL_OK);
    assert_int_equal(sl_key_derive(k1, "siv", SL_STR("ip2"), out[3], 32, NULL), SL_OK);
    for (int i = 0; i < 4; i++) {
        for (int j = i + 1; j < 4; j++) {
            assert_memory_not_equal(out[i], out[j], 32);
        }
    }
}

static void refuses_a_context_that_is_not_1_to_64_printable_ascii(void **state)
{
    SL_AUTO(ring_done) struct sl_keyring *ring = ring_of_three();
    const struct sl_key *key = sl_keyring_active(ring);
    static const char *const bad[] = { "", "a\tb", "a\x7f", "\xc3\xa4", "a\n" };
    char longest[SL_CONTEXT_MAX + 1];
    unsigned char out[64];

    (void)state;
    memset(longest, '~', sizeof longest);
    assert_int_equal(
        sl_key_derive(key, "siv", (sl_str){ longest, SL_CONTEXT_MAX }, out, sizeof out, NULL),
        SL_OK);
    assert_int_equal(
        sl_key_derive(key, "siv", (sl_str){ longest, SL_CONTEXT_MAX + 1 }, out, sizeof out, NULL),
        SL_KEY);
    assert_int_equal(sl_key_derive(key, "siv", SL_STR("a\0b"), out, sizeof out, NULL), SL_KEY);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(sl_key_derive(key, "siv", sl_str_of(bad[i]), out, sizeof out, NULL),
                         SL_KEY);
    }
}

static void gives_the_known_check_value(void **state)
{
    char check[SL_KEY_CHECK_CHARS + 1];

    (void)state;
    assert_int_equal(sl_key_check_value(master, check, NULL), SL_OK);
    assert_string_equal(check, "c21d3b07");
}

static void finds_keys_by_id_unless_they_are_retired(void **state)
{
    SL_AUTO(ring_done) struct sl_keyring *ring = ring_of_three();

    (void)state;
    assert_int_equal(sl_keyring_finish(ring, NULL), SL_OK);
    assert_string_equal(sl_keyring_active(ring)->id, "k1");
    assert_ptr_equal(sl_keyring_find(ring, SL_STR("k1")), sl_keyring_active(ring));
    assert_string_equal(sl_keyring_find(ring, SL_STR("k2"))->id, "k2");
    assert_null(sl_keyring_find(ring, SL_STR("k3")));
    assert_null(sl_keyring_find(ring, SL_STR("k")));
    assert_null(sl_keyring_find(ring, SL_STR("k11")));
    assert_int_equal(sl_keyring_n(ring), 3);
    assert_string_equal(sl_keyring_at(ring, 0)->id, "k2");
    assert_string_equal(sl_keyring_at(ring, 2)->id, "k3");
    assert_null(sl_keyring_at(ring, 3));
}

static void refuses_keys_that_cannot_be_meant(void **state)
{
    SL_AUTO(ring_done) struct sl_keyring *ring = ring_of_three();
    static const char *const bad_ids[] = { "", "K1", "k_1", "k.1", "123456789", "k 1", "\xc3\xa4" };
    static const unsigned char zero[SL_KEY_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof bad_ids / sizeof bad_ids[0]; i++) {
        assert_int_equal(sl_keyring_add(ring, sl_str_of(bad_ids[i]), SL_KEY_DECRYPT, master, NULL),
                         SL_KEY);
    }
    assert_int_equal(sl_keyring_add(ring, SL_STR("k3"), SL_KEY_DECRYPT, master, NULL), SL_KEY);
    assert_int_equal(sl_keyring_add(ring, SL_STR("k4"), SL_KEY_DECRYPT, zero, NULL), SL_KEY);
    assert_int_equal(sl_keyring_add(ring, SL_STR("k4"), SL_KEY_ACTIVE, master, NULL), SL_KEY);
    assert_int_equal(sl_keyring_n(ring), 3);
    assert_int_equal(sl_keyring_add(ring, SL_STR("12345678"), SL_KEY_DECRYPT, master, NULL), SL_OK);
}

static void holds_64_keys_and_no_more(void **state)
{
    SL_AUTO(ring_done) struct sl_keyring *ring = NULL;
    char id[16];

    (void)state;
    assert_int_equal(sl_keyring_new(&ring, NULL), SL_OK);
    for (int i = 0; i < SL_KEYRING_MAX; i++) {
        (void)snprintf(id, sizeof id, "k%d", i);
        assert_int_equal(sl_keyring_add(ring, sl_str_of(id), SL_KEY_DECRYPT, master, NULL), SL_OK);
    }
    assert_int_equal(sl_keyring_add(ring, SL_STR("more"), SL_KEY_DECRYPT, master, NULL), SL_KEY);
    assert_memory_equal(sl_keyring_at(ring, SL_KEYRING_MAX - 1)->master, master, sizeof master);
}

static void is_no_ring_without_an_active_key(void **state)
{
    SL_AUTO(ring_done) struct sl_keyring *ring = NULL;
    struct sl_err e = { 0 };

    (void)state;
    assert_int_equal(sl_keyring_new(&ring, NULL), SL_OK);
    assert_int_equal(sl_keyring_finish(ring, &e), SL_KEY);
    assert_int_equal(sl_keyring_add(ring, SL_STR("k1"), SL_KEY_DECRYPT, master, NULL), SL_OK);
    assert_int_equal(sl_keyring_finish(ring, &e), SL_KEY);
    assert_int_equal(sl_keyring_add(ring, SL_STR("k2"), SL_KEY_ACTIVE, master, NULL), SL_OK);
    assert_int_equal(sl_keyring_finish(ring, &e), SL_OK);
}

/* VmFlags of the mapping that holds `at`, from /proc/self/smaps. */
static bool page_flags(const void *at, char *out, size_t n)
{
    FILE *f = fopen("/proc/self/smaps", "re");
    bool is_ours = false;
    bool is_found = false;
    char line[512];

    if (f == NULL) {
        return false;
    }
    while (!is_found && fgets(line, sizeof line, f) != NULL) {
        uintptr_t from;
        uintptr_t to;

        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &from, &to) == 2) {
            is_ours = (uintptr_t)at >= from && (uintptr_t)at < to;
        } else if (is_ours && strncmp(line, "VmFlags:", 8) == 0) {
            (void)snprintf(out, n, "%s", line);
            is_found = true;
        }
    }
    (void)fclose(f);
    return is_found;
}

static void keeps_masters_in_a_page_that_is_locked_read_only_and_not_dumped(void **state)
{
    SL_AUTO(ring_done) struct sl_keyring *ring = ring_of_three();
    char flags[512];

    (void)state;
    assert_int_equal(sl_keyring_finish(ring, NULL), SL_OK);
    if (!sl_keyring_is_locked(ring) ||
        !page_flags(sl_keyring_active(ring)->master, flags, sizeof flags)) {
        skip();
    }
#ifndef MLOCK_DOES_NOTHING
    assert_non_null(strstr(flags, " lo ")); /* locked */
#endif
    assert_non_null(strstr(flags, " dd ")); /* not in core files */
    assert_non_null(strstr(flags, " wf ")); /* wiped on fork */
    assert_null(strstr(flags, " wr "));     /* not writable */
}

static void a_forked_child_has_no_keys_and_is_told_so(void **state)
{
    SL_AUTO(ring_done) struct sl_keyring *ring = ring_of_three();
    unsigned char out[64];
    int status = 0;
    pid_t child;

    (void)state;
    if (!sl_keyring_is_locked(ring)) {
        skip();
    }
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit((int)sl_key_derive(sl_keyring_active(ring), "siv", SL_STR("ip"), out, sizeof out,
                                 NULL));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), SL_BUG);
    assert_memory_equal(sl_keyring_active(ring)->master, master, sizeof master);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hkdf_gives_the_answer_of_rfc_5869_case_1),
        cmocka_unit_test(hkdf_refuses_more_than_it_can_give),
        cmocka_unit_test(derives_the_known_subkey),
        cmocka_unit_test(derives_another_key_for_each_mode_id_and_context),
        cmocka_unit_test(refuses_a_context_that_is_not_1_to_64_printable_ascii),
        cmocka_unit_test(gives_the_known_check_value),
        cmocka_unit_test(finds_keys_by_id_unless_they_are_retired),
        cmocka_unit_test(refuses_keys_that_cannot_be_meant),
        cmocka_unit_test(holds_64_keys_and_no_more),
        cmocka_unit_test(is_no_ring_without_an_active_key),
        cmocka_unit_test(keeps_masters_in_a_page_that_is_locked_read_only_and_not_dumped),
        cmocka_unit_test(a_forked_child_has_no_keys_and_is_told_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
