/* tests/unit/test_ipcrypt.c - ipcrypt against the vectors of its draft and a bit-by-bit oracle. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "masking/ipcrypt.h"

enum { IP = 16, BITS = 128, V4_BITS = 32, PAIRS = 100, RANDOM_N = 300, PRINTED_N = 50000 };

#define KEY_1 "0123456789abcdeffedcba9876543210"
#define KEY_2 "1032547698badcfeefcdab8967452301"
#define KEY_3 "2b7e151628aed2a6abf7158809cf4f3c"
#define PFX_1 KEY_1 KEY_2
#define PFX_2 KEY_3 "a9f5ba40db214c3798f2e1c23456789a"

struct world {
    struct sl_arena arena;
    struct sl_ipcrypt *det;
    struct sl_ipcrypt *pfx;
    uint32_t random;
};

struct vector {
    enum sl_ipcrypt_kind kind;
    const char *key;
    const char *plain;
    const char *masked;
};

/* draft-denis-ipcrypt-13, appendices A.1 and A.2. */
static const struct vector vectors[] = {
    { SL_IPCRYPT_DETERMINISTIC, KEY_1, "0.0.0.0", "bde9:6789:d353:824c:d7c6:f58a:6bd2:26eb" },
    { SL_IPCRYPT_DETERMINISTIC, KEY_2, "255.255.255.255",
      "aed2:92f6:ea23:58c3:48fd:8b8:74e8:45d8" },
    { SL_IPCRYPT_DETERMINISTIC, KEY_3, "192.0.2.1", "1dbd:c1b9:fff1:7586:7d0b:67b4:e76e:4777" },
    { SL_IPCRYPT_PREFIX, PFX_1, "0.0.0.0", "151.82.155.134" },
    { SL_IPCRYPT_PREFIX, PFX_1, "255.255.255.255", "94.185.169.89" },
    { SL_IPCRYPT_PREFIX, PFX_1, "192.0.2.1", "100.115.72.131" },
    { SL_IPCRYPT_PREFIX, PFX_1, "2001:db8::1", "c180:5dd4:2587:3524:30ab:fa65:6ab6:f88" },
    { SL_IPCRYPT_PREFIX, PFX_2, "10.0.0.47", "19.214.210.244" },
    { SL_IPCRYPT_PREFIX, PFX_2, "10.0.0.129", "19.214.210.80" },
    { SL_IPCRYPT_PREFIX, PFX_2, "10.0.0.234", "19.214.210.30" },
    { SL_IPCRYPT_PREFIX, PFX_2, "172.16.5.193", "210.78.229.136" },
    { SL_IPCRYPT_PREFIX, PFX_2, "172.16.97.42", "210.78.179.241" },
    { SL_IPCRYPT_PREFIX, PFX_2, "172.16.248.177", "210.78.121.215" },
    { SL_IPCRYPT_PREFIX, PFX_2, "2001:db8::a5c9:4e2f:bb91:5a7d",
      "7cec:702c:1243:f70:1956:125:b9bd:1aba" },
    { SL_IPCRYPT_PREFIX, PFX_2, "2001:db8::7234:d8f1:3c6e:9a52",
      "7cec:702c:1243:f70:a3ef:c8e:95c1:cd0d" },
    { SL_IPCRYPT_PREFIX, PFX_2, "2001:db8::f1e0:937b:26d4:8c1a",
      "7cec:702c:1243:f70:443c:c8e:6a62:b64d" },
    { SL_IPCRYPT_PREFIX, PFX_2, "2001:db8:3a5c:0:e7d1:4b9f:2c8a:f673",
      "7cec:702c:3503:bef:e616:96bd:be33:a9b9" },
    { SL_IPCRYPT_PREFIX, PFX_2, "2001:db8:9f27:0:b4e2:7a3d:5f91:c8e6",
      "7cec:702c:a504:b74e:194a:3d90:b047:2d1a" },
    { SL_IPCRYPT_PREFIX, PFX_2, "2001:db8:d8b4:0:193c:a5e7:8b2f:46d1",
      "7cec:702c:f840:aa67:1b8:e84f:ac9d:77fb" },
};

static void unhex(const char *hex, unsigned char *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char pair[3] = { hex[2 * i], hex[2 * i + 1], '\0' };

        out[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
}

static struct sl_ipcrypt *cipher(enum sl_ipcrypt_kind kind, const char *hex)
{
    unsigned char key[32];
    struct sl_ipcrypt *c = NULL;

    unhex(hex, key, strlen(hex) / 2);
    assert_int_equal(sl_ipcrypt_new(kind, key, &c, NULL), SL_OK);
    return c;
}

static int world_begin(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    sl_arena_init(&w->arena, 64UL * 1024 * 1024, 65536);
    w->det = cipher(SL_IPCRYPT_DETERMINISTIC, KEY_1);
    w->pfx = cipher(SL_IPCRYPT_PREFIX, PFX_1);
    *state = w;
    return 0;
}

static int world_end(void **state)
{
    struct world *w = *state;

    sl_ipcrypt_free(w->det);
    sl_ipcrypt_free(w->pfx);
    sl_arena_done(&w->arena);
    free(w);
    return 0;
}

static void fill(struct world *w, unsigned char *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        w->random = w->random * 1664525 + 1013904223;
        out[i] = (unsigned char)(w->random >> 24);
    }
}

static sl_str mask(struct world *w, struct sl_ipcrypt *c, sl_str text)
{
    sl_str token = { 0 };

    assert_int_equal(sl_ipcrypt_mask(c, sl_cleartext_of(text), &w->arena, &token, NULL), SL_OK);
    return token;
}

static sl_str unmask(struct world *w, struct sl_ipcrypt *c, sl_str token)
{
    sl_cleartext value = { 0 };

    assert_int_equal(sl_ipcrypt_unmask(c, token, &w->arena, &value, NULL), SL_OK);
    return sl_cleartext_publish(value);
}

/* What inet_ntop prints, with IPv4-mapped addresses as dotted quads. */
static sl_str printed(struct world *w, const unsigned char ip[static IP])
{
    static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
    const bool v4 = memcmp(ip, mapped, sizeof mapped) == 0;
    char text[INET6_ADDRSTRLEN];

    assert_non_null(inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? ip + 12 : ip, text, sizeof text));
    return sl_arena_copy(&w->arena, sl_str_of(text));
}

/* Text of `n` address bytes, 4 or 16. */
static sl_str text_of(struct world *w, const unsigned char *bytes, size_t n)
{
    unsigned char ip[IP] = { [10] = 0xff, [11] = 0xff };

    memcpy(ip + IP - n, bytes, n);
    return printed(w, ip);
}

static void bytes_of(sl_str text, size_t n, unsigned char *bytes)
{
    char copy[64];

    assert_true(text.len < sizeof copy);
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    assert_int_equal(inet_pton(n == 4 ? AF_INET : AF_INET6, copy, bytes), 1);
}

static void gives_the_answers_of_the_draft(void **state)
{
    struct world *w = *state;

    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        const struct vector *v = &vectors[i];
        struct sl_ipcrypt *c = cipher(v->kind, v->key);
        unsigned char ip[IP];
        const size_t n = strchr(v->plain, ':') != NULL ? IP : 4;

        assert_true(sl_str_eq(mask(w, c, sl_str_of(v->plain)), sl_str_of(v->masked)));
        bytes_of(sl_str_of(v->plain), n, ip);
        assert_true(sl_str_eq(unmask(w, c, sl_str_of(v->masked)), text_of(w, ip, n)));
        sl_ipcrypt_free(c);
    }
}

static void check_round_trip(struct world *w, struct sl_ipcrypt *c, size_t n)
{
    unsigned char ip[IP];

    for (unsigned i = 0; i < RANDOM_N; i++) {
        fill(w, ip, n);
        const sl_str text = text_of(w, ip, n);
        const sl_str token = mask(w, c, text);

        assert_false(sl_str_eq(token, text));
        assert_true(token.len <= SL_IPCRYPT_CHARS_MAX);
        assert_true(sl_str_eq(mask(w, c, text), token));
        assert_true(sl_str_eq(unmask(w, c, token), text));
        /* The other way round as well: any address is some address's token. */
        assert_true(sl_str_eq(mask(w, c, unmask(w, c, text)), text));
    }
}

static void recovers_every_address(void **state)
{
    struct world *w = *state;

    check_round_trip(w, w->det, 4);
    check_round_trip(w, w->det, IP);
    check_round_trip(w, w->pfx, 4);
    check_round_trip(w, w->pfx, IP);
}

static void a_prefix_token_is_of_the_family_of_its_value(void **state)
{
    struct world *w = *state;
    unsigned char ip[IP];

    for (unsigned i = 0; i < RANDOM_N; i++) {
        fill(w, ip, sizeof ip);
        const sl_str four = mask(w, w->pfx, text_of(w, ip, 4));

        assert_null(memchr(four.ptr, ':', four.len));
        const sl_str six = mask(w, w->pfx, text_of(w, ip, IP));

        assert_non_null(memchr(six.ptr, ':', six.len));
    }
}

static unsigned bit_of(const unsigned char *bytes, unsigned i)
{
    return (unsigned)bytes[i / 8] >> (7 - i % 8) & 1;
}

static unsigned common_bits(const unsigned char *a, const unsigned char *b, unsigned bits)
{
    unsigned n = 0;

    while (n < bits && bit_of(a, n) == bit_of(b, n)) {
        n++;
    }
    return n;
}

/* Two random addresses that share just `n` bits give two that share just as many. */
static void check_pair(struct world *w, unsigned n, size_t bytes)
{
    unsigned char a[IP];
    unsigned char b[IP];
    unsigned char masked_a[IP];
    unsigned char masked_b[IP];

    fill(w, a, bytes);
    fill(w, b, bytes);
    for (unsigned i = 0; i <= n && i < 8 * bytes; i++) {
        const unsigned want = bit_of(a, i) ^ (i == n);

        b[i / 8] = (unsigned char)((b[i / 8] & ~(0x80U >> i % 8)) | want << (7 - i % 8));
    }
    assert_int_equal(common_bits(a, b, (unsigned)(8 * bytes)), n);
    bytes_of(mask(w, w->pfx, text_of(w, a, bytes)), bytes, masked_a);
    bytes_of(mask(w, w->pfx, text_of(w, b, bytes)), bytes, masked_b);
    assert_int_equal(common_bits(masked_a, masked_b, (unsigned)(8 * bytes)), n);
}

static void equal_first_bits_stay_equal_and_no_more_of_them(void **state)
{
    for (unsigned n = 0; n <= V4_BITS; n++) {
        for (unsigned i = 0; i < PAIRS; i++) {
            check_pair(*state, n, 4);
        }
    }
    for (unsigned n = 0; n <= BITS; n++) {
        for (unsigned i = 0; i < PAIRS / 10; i++) {
            check_pair(*state, n, IP);
        }
    }
}

static unsigned oracle_aes(const unsigned char *key, const unsigned char block[static IP])
{
    EVP_CIPHER *aes = EVP_CIPHER_fetch(NULL, "AES-128-ECB", NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    unsigned char out[2 * IP];
    int len = 0;

    assert_int_equal(EVP_EncryptInit_ex2(ctx, aes, key, NULL, NULL), 1);
    assert_int_equal(EVP_EncryptUpdate(ctx, out, &len, block, IP), 1);
    assert_int_equal(len, IP);
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(aes);
    return out[IP - 1] & 1;
}

/* The draft's section 9.6 for IPv6, bit after bit, for any address at all: also for those that
 * read as IPv4 before or after. */
static void oracle_prefix(const unsigned char key[static 32], unsigned char ip[static IP],
                          bool is_mask)
{
    unsigned char p[IP] = { [IP - 1] = 1 };

    for (unsigned i = 0; i < BITS; i++) {
        const unsigned shift = 7 - i % 8;
        const unsigned cipher_bit = oracle_aes(key, p) ^ oracle_aes(key + IP, p);
        const unsigned before = bit_of(ip, i);

        ip[i / 8] ^= (unsigned char)(cipher_bit << shift);
        for (int at = 0; at < IP; at++) {
            p[at] = (unsigned char)(p[at] << 1 | (at + 1 < IP ? p[at + 1] >> 7 : 0));
        }
        p[IP - 1] = (unsigned char)(p[IP - 1] | (is_mask ? before : bit_of(ip, i)));
    }
}

static void equals_the_draft_bit_by_bit(void **state)
{
    struct world *w = *state;
    unsigned char key[32];
    unsigned char ip[IP];

    unhex(PFX_1, key, sizeof key);
    for (unsigned i = 0; i < 20; i++) {
        fill(w, ip, sizeof ip);
        const sl_str token = mask(w, w->pfx, printed(w, ip));

        oracle_prefix(key, ip, true);
        assert_true(sl_str_eq(token, printed(w, ip)));
    }
}

static void refuses_the_addresses_that_would_come_back_as_others(void **state)
{
    struct world *w = *state;
    unsigned char ip[IP] = { [10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 1 };
    unsigned char key[32];
    sl_str token = SL_STR("untouched");
    sl_cleartext value = sl_cleartext_of(token);
    struct sl_err e;

    unhex(PFX_1, key, sizeof key);
    oracle_prefix(key, ip, false);
    assert_int_equal(
        sl_ipcrypt_mask(w->pfx, sl_cleartext_of(printed(w, ip)), &w->arena, &token, &e), SL_VALUE);
    assert_string_equal(e.msg, "value is an IPv6 address that would become one of IPv4");
    assert_true(sl_str_eq(token, SL_STR("untouched")));
    oracle_prefix(key, ip, true);
    oracle_prefix(key, ip, true);
    assert_int_equal(sl_ipcrypt_unmask(w->pfx, printed(w, ip), &w->arena, &value, &e), SL_VALUE);
    assert_string_equal(e.msg, "token is an IPv6 address that would become one of IPv4");
    assert_true(sl_str_eq(sl_cleartext_publish(value), SL_STR("untouched")));
}

static void a_token_that_is_ipv4_mapped_is_a_dotted_quad_and_comes_back(void **state)
{
    struct world *w = *state;
    const sl_str before = unmask(w, w->det, SL_STR("192.0.2.1"));

    assert_non_null(memchr(before.ptr, ':', before.len));
    assert_true(sl_str_eq(mask(w, w->det, before), SL_STR("192.0.2.1")));
    assert_true(sl_str_eq(unmask(w, w->det, SL_STR("::ffff:192.0.2.1")), before));
}

static void all_spellings_of_an_address_give_one_token(void **state)
{
    static const char *const spellings[][4] = {
        { "1.2.3.4", "::ffff:1.2.3.4", "::FFFF:102:304", "0:0:0:0:0:ffff:1.2.3.4" },
        { "2001:db8::1", "2001:DB8::1", "2001:0db8:0:0:0:0:0:1", "2001:db8:0::0.0.0.1" },
        { "::", "0::", "::0.0.0.0", "0000:0000:0000:0000:0000:0000:000:0" },
        { "::1.2.3.4", "::102:304", "0::0102:0304", "0000:0000:0000:0000:0000:0000:1.2.3.4" },
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
        const sl_str first = sl_str_of(spellings[i][0]);
        const sl_str det = mask(w, w->det, first);
        const sl_str pfx = mask(w, w->pfx, first);

        for (size_t k = 1; k < 4; k++) {
            assert_true(sl_str_eq(mask(w, w->det, sl_str_of(spellings[i][k])), det));
            assert_true(sl_str_eq(mask(w, w->pfx, sl_str_of(spellings[i][k])), pfx));
        }
        assert_true(sl_str_eq(unmask(w, w->det, det), first));
        assert_true(sl_str_eq(unmask(w, w->pfx, pfx), first));
    }
}

/* Addresses with many zero groups, where the printing is decided. */
static void fill_with_zeros(struct world *w, unsigned char ip[static IP])
{
    unsigned char zero[8];

    fill(w, ip, IP);
    fill(w, zero, sizeof zero);
    for (size_t i = 0; i < sizeof zero; i++) {
        if (zero[i] % 3 != 0) {
            ip[2 * i] = 0;
            ip[2 * i + 1] &= zero[i] % 3 == 1 ? 0 : 0x0f;
        }
    }
    if (zero[0] % 7 == 0) {
        memset(ip, 0, 12);
    }
}

static void prints_as_inet_ntop_does(void **state)
{
    struct world *w = *state;

    for (unsigned i = 0; i < PRINTED_N; i++) {
        unsigned char ip[IP];

        fill_with_zeros(w, ip);
        const sl_str text = printed(w, ip);

        assert_true(sl_str_eq(unmask(w, w->det, mask(w, w->det, text)), text));
        if (i % 1000 == 0) {
            sl_arena_reset(&w->arena);
        }
    }
}

#define LITERAL(text)            \
    {                            \
        (text), sizeof(text) - 1 \
    }

static const sl_str no_addresses[] = {
    LITERAL("1.2.3"),
    LITERAL("1.2.3.4.5"),
    LITERAL("1.2.3.256"),
    LITERAL("01.2.3.4"),
    LITERAL("1.2.3.4 "),
    LITERAL(" 1.2.3.4"),
    LITERAL("1.2.3.4\n"),
    LITERAL("1.2.3.4/24"),
    LITERAL("1.2.3.4:80"),
    LITERAL("0x1.2.3.4"),
    LITERAL("16909060"),
    LITERAL("-1.2.3.4"),
    LITERAL("1.2.3.4\0"),
    LITERAL("1.2\0.3.4"),
    LITERAL("\0"),
    LITERAL("localhost"),
    LITERAL(":"),
    LITERAL(":::"),
    LITERAL("1::2::3"),
    LITERAL("1:2:3:4:5:6:7"),
    LITERAL("1:2:3:4:5:6:7:8:9"),
    LITERAL("12345::"),
    LITERAL("g::"),
    LITERAL("fe80::1%eth0"),
    LITERAL("::1/128"),
    LITERAL("[::1]"),
    LITERAL("::1\0"),
    LITERAL("::1 "),
    LITERAL("::ffff:1.2.3"),
    LITERAL("::ffff:1.2.3.256"),
    LITERAL("1.2.3.4::"),
    LITERAL("１.2.3.4"),
    LITERAL("0000:0000:0000:0000:0000:0000:255.255.255.2555"),
    LITERAL("00000000000000000000000000000000000000000000000000000000000001.2.3.4"),
};

static void refuses_what_is_no_address(void **state)
{
    struct world *w = *state;
    struct sl_ipcrypt *const ciphers[] = { w->det, w->pfx };

    for (size_t i = 0; i < 2 * sizeof no_addresses / sizeof no_addresses[0]; i++) {
        const sl_str text = no_addresses[i / 2];
        sl_str token = SL_STR("untouched");
        sl_cleartext value = sl_cleartext_of(token);
        struct sl_err e;

        assert_int_equal(
            sl_ipcrypt_mask(ciphers[i % 2], sl_cleartext_of(text), &w->arena, &token, &e),
            SL_VALUE);
        assert_string_equal(e.msg, "value is not an IPv4 or IPv6 address");
        assert_true(sl_str_eq(token, SL_STR("untouched")));
        assert_int_equal(sl_ipcrypt_unmask(ciphers[i % 2], text, &w->arena, &value, &e), SL_VALUE);
        assert_string_equal(e.msg, "token is not an IPv4 or IPv6 address");
        assert_true(sl_str_eq(sl_cleartext_publish(value), SL_STR("untouched")));
    }
}

static void empty_stays_empty(void **state)
{
    struct world *w = *state;

    assert_int_equal(mask(w, w->det, SL_STR("")).len, 0);
    assert_int_equal(mask(w, w->pfx, (sl_str){ 0 }).len, 0);
    assert_int_equal(unmask(w, w->pfx, SL_STR("")).len, 0);
    assert_int_equal(unmask(w, w->det, (sl_str){ 0 }).len, 0);
}

static void a_full_arena_is_an_outage(void **state)
{
    struct world *w = *state;
    struct sl_arena none;
    sl_str token = { 0 };

    sl_arena_init(&none, 0, 4096);
    assert_int_equal(
        sl_ipcrypt_mask(w->det, sl_cleartext_of(SL_STR("1.2.3.4")), &none, &token, NULL), SL_NOMEM);
    sl_arena_done(&none);
}

static void refuses_a_prefix_key_of_two_equal_halves(void **state)
{
    unsigned char key[32];
    struct sl_ipcrypt *c = NULL;

    (void)state;
    unhex(KEY_1 KEY_1, key, sizeof key);
    assert_int_equal(sl_ipcrypt_new(SL_IPCRYPT_PREFIX, key, &c, NULL), SL_KEY);
    assert_null(c);
    key[31] ^= 1;
    assert_int_equal(sl_ipcrypt_new(SL_IPCRYPT_PREFIX, key, &c, NULL), SL_OK);
    sl_ipcrypt_free(c);
    sl_ipcrypt_free(NULL);
}

static void a_deterministic_key_has_sixteen_bytes(void **state)
{
    struct world *w = *state;
    unsigned char *key = malloc(SL_IPCRYPT_DETERMINISTIC_KEY_BYTES);
    struct sl_ipcrypt *c = NULL;

    /* On the heap, so that a byte read past it is noticed. */
    assert_non_null(key);
    unhex(KEY_1, key, SL_IPCRYPT_DETERMINISTIC_KEY_BYTES);
    assert_int_equal(sl_ipcrypt_new(SL_IPCRYPT_DETERMINISTIC, key, &c, NULL), SL_OK);
    assert_true(sl_str_eq(mask(w, c, SL_STR("0.0.0.0")), sl_str_of(vectors[0].masked)));
    sl_ipcrypt_free(c);
    free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_answers_of_the_draft),
        cmocka_unit_test(recovers_every_address),
        cmocka_unit_test(a_prefix_token_is_of_the_family_of_its_value),
        cmocka_unit_test(equal_first_bits_stay_equal_and_no_more_of_them),
        cmocka_unit_test(equals_the_draft_bit_by_bit),
        cmocka_unit_test(refuses_the_addresses_that_would_come_back_as_others),
        cmocka_unit_test(a_token_that_is_ipv4_mapped_is_a_dotted_quad_and_comes_back),
        cmocka_unit_test(all_spellings_of_an_address_give_one_token),
        cmocka_unit_test(prints_as_inet_ntop_does),
        cmocka_unit_test(refuses_what_is_no_address),
        cmocka_unit_test(empty_stays_empty),
        cmocka_unit_test(a_full_arena_is_an_outage),
        cmocka_unit_test(refuses_a_prefix_key_of_two_equal_halves),
        cmocka_unit_test(a_deterministic_key_has_sixteen_bytes),
    };

    return cmocka_run_group_tests(tests, world_begin, world_end);
}
