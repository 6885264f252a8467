/* tests/unit/test_hmac.c - HMAC-SHA-256 against RFC 4231 and another implementation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hmac.h"

static void filled(unsigned char *out, size_t n, unsigned char first, unsigned char step)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = (unsigned char)(first + i * step);
    }
}

static void mac_of(const unsigned char *key, size_t key_n, sl_cleartext value,
                   unsigned char out[static SL_HMAC_BYTES])
{
    struct sl_hmac *h = NULL;

    assert_int_equal(sl_hmac_new(key, key_n, &h, NULL), SL_OK);
    assert_int_equal(sl_hmac_of(h, value, out, NULL), SL_OK);
    sl_hmac_free(h);
}

static void assert_hex(const unsigned char *bytes, const char *hex)
{
    for (size_t i = 0; i < strlen(hex) / 2; i++) {
        const char pair[3] = { hex[2 * i], hex[2 * i + 1], '\0' };

        assert_int_equal(bytes[i], strtoul(pair, NULL, 16));
    }
}

static void has_the_codes_of_rfc_4231(void **state)
{
    static const struct {
        unsigned char key_first, key_step;
        size_t key_n;
        const char *text; /* NULL: 50 times `byte` */
        unsigned char byte;
        const char *mac;
    } cases[] = {
        { 0x0b, 0, 20, "Hi There", 0,
          "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
        { 0xaa, 0, 20, NULL, 0xdd,
          "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
        { 0x01, 1, 25, NULL, 0xcd,
          "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b" },
        { 0x0c, 0, 20, "Test With Truncation", 0, "a3b6167473100ee06e0c796c2955552b" },
        { 0xaa, 0, 131, "Test Using Larger Than Block-Size Key - Hash Key First", 0,
          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
        { 0xaa, 0, 131,
          "This is a test using a larger than block-size key and a larger than block-size data. "
          "The key needs to be hashed before being used by the HMAC algorithm.",
          0, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2" },
    };

    unsigned char mac[SL_HMAC_BYTES];
    unsigned char key[131];
    char bytes[50];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sl_cleartext value = { bytes, sizeof bytes };

        filled(key, cases[i].key_n, cases[i].key_first, cases[i].key_step);
        memset(bytes, cases[i].byte, sizeof bytes);
        if (cases[i].text != NULL) {
            value = sl_cleartext_of(sl_str_of(cases[i].text));
        }
        mac_of(key, cases[i].key_n, value, mac);
        assert_hex(mac, cases[i].mac);
    }
    mac_of((const unsigned char *)"Jefe", 4,
           sl_cleartext_of(SL_STR("what do ya want for nothing?")), mac);
    assert_hex(mac, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

/* Made by Python's cryptography 50.0: HMAC(bytes(range(32)), SHA256()). */
static const struct {
    const char *value;
    const char *mac;
} others[] = {
    { "1", "7761b1cc25227dfca0bd6d972acc52abb62f24ce50ad5a7a430b05c5a6f5497b" },
    { "1.2.3.4", "bcfc4fb90625b2cbd4ab47562c312d33a4b78f83fea529aa0f4128678104570e" },
    { "199.172.168.100", "72efe4f18334a84e8018b693074bf94c8f684c47ebee243b6ffca41270a82f29" },
    { "255.255.255.255", "e81423aa3d9425f285d28e9dd3f5e1ea316f2cba940183248405fc15483092a9" },
    { "593-47-5928", "ba7094e9ba29a10ab42334d73454748d97ec401cfb3ddbe3ea14fdd24e1d368e" },
    { "fifteen bytes..", "efa808996f98d8331ef8694ec1810f43401959e716bc23ecc6c254ee367df680" },
    { "sixteen bytes...", "4edf1eff2553848a8a86d7a32d3f9bab83d400f3102afbb3e272874d3dffc9cc" },
    { "seventeen bytes..", "cfee45e37b4da22ed923e41a19b5def5e3a296b9ae792746147d1e9389a859b4" },
    { "2001:db8:85a3::8a2e:370:7334",
      "413de4628ccf3c51c87cf8f37d82aae288e9a22160757a496e36f1061e098521" },
    { "0b0c7b2e-7f0c-4f5e-9a51-6d0f2f4f6b1a",
      "3ffbce815182ed38162f9fabfd5f6fb998d938cf84183b4797f533ac3ffca53e" },
    { "a value of thirty-one bytes 123",
      "5b2040ad6346f49f45588d7648bf0007bd34be4b03fab318dc79f1d18e1cf503" },
    { "a value of thirty-two bytes 1234",
      "f6637a29b81437c5afcb0468a94ef0bec345b6ad44cd6ee2bb43b23a48685762" },
    { "jürgen@example.com", "3d39c43135f961390cbeb1c6e0915087024ff721e322e43cd0d089514d3dae88" },
    { "日本語のテキスト", "88bcd5089644bf3723a9218786e16e4eb22f4800e27779032c86489600272893" },
    { "someone+tag@mail.example.org",
      "71ef1f334b06add4f924cae26d03980ce5c6208d0554b73f71b59d131c416eb7" },
    { "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
      "xxxxxxxx",
      "d1c86a42d627e0de515d31da2dd2c101f2b49ffba04d04685fe4b05d877c5601" },
};

static void agrees_with_another_implementation_value_after_value(void **state)
{
    unsigned char key[32];
    unsigned char mac[SL_HMAC_BYTES];
    struct sl_hmac *h = NULL;

    (void)state;
    filled(key, sizeof key, 0, 1);
    assert_int_equal(sl_hmac_new(key, sizeof key, &h, NULL), SL_OK);
    memset(key, 0xff, sizeof key); /* it has its own copy */
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
            const sl_cleartext value = sl_cleartext_of(sl_str_of(others[i].value));

            assert_int_equal(sl_hmac_of(h, value, mac, NULL), SL_OK);
            assert_hex(mac, others[i].mac);
        }
    }
    sl_hmac_free(h);
}

static void differs_in_half_of_its_bits_when_one_of_key_or_value_does(void **state)
{
    unsigned char key[32] = { 1 };
    unsigned char value[15] = { 2 };
    unsigned char first[SL_HMAC_BYTES];
    unsigned char mac[SL_HMAC_BYTES];

    (void)state;
    mac_of(key, sizeof key, (sl_cleartext){ (char *)value, sizeof value }, first);
    for (size_t bit = 0; bit < 8 * (sizeof key + sizeof value); bit++) {
        unsigned char *byte = bit < 256 ? key + bit / 8 : value + (bit - 256) / 8;
        int changed = 0;

        *byte ^= (unsigned char)(1U << bit % 8);
        mac_of(key, sizeof key, (sl_cleartext){ (char *)value, sizeof value }, mac);
        *byte ^= (unsigned char)(1U << bit % 8);
        for (size_t i = 0; i < sizeof mac; i++) {
            changed += __builtin_popcount((unsigned)(mac[i] ^ first[i]));
        }
        /* 128 expected, 8 a standard deviation. */
        assert_in_range(changed, 80, 176);
    }
}

static void takes_any_bytes_and_none(void **state)
{
    const unsigned char key[1] = { 0 };
    const char nul[] = { 'a', '\0', 'b' };
    unsigned char cut[SL_HMAC_BYTES];
    unsigned char mac[SL_HMAC_BYTES];

    (void)state;
    mac_of(key, sizeof key, (sl_cleartext){ 0 }, mac);
    /* HMAC pads a key with zeros, so this is the one of an empty key. */
    assert_hex(mac, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
    mac_of(key, sizeof key, (sl_cleartext){ nul, sizeof nul }, mac);
    mac_of(key, sizeof key, (sl_cleartext){ nul, 1 }, cut);
    assert_memory_not_equal(mac, cut, sizeof mac);
}

static void refuses_an_empty_key(void **state)
{
    const unsigned char key[1] = { 0 };
    struct sl_hmac *h = NULL;

    (void)state;
    assert_int_equal(sl_hmac_new(key, 0, &h, NULL), SL_BUG);
    assert_null(h);
    sl_hmac_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_the_codes_of_rfc_4231),
        cmocka_unit_test(agrees_with_another_implementation_value_after_value),
        cmocka_unit_test(differs_in_half_of_its_bits_when_one_of_key_or_value_does),
        cmocka_unit_test(takes_any_bytes_and_none),
        cmocka_unit_test(refuses_an_empty_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
