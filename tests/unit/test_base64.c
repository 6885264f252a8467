/* tests/unit/test_base64.c - RFC 4648, and every spelling that encoding never makes is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/base64.h"

enum { ROOM = 512 };

/* RFC 4648 section 10. */
static const struct {
    const char *bytes;
    const char *base64;
} rfc[] = {
    { "", "" },
    { "f", "Zg==" },
    { "fo", "Zm8=" },
    { "foo", "Zm9v" },
    { "foob", "Zm9vYg==" },
    { "fooba", "Zm9vYmE=" },
    { "foobar", "Zm9vYmFy" },
};

static bool decodes(enum sl_base64 kind, sl_str text)
{
    unsigned char out[ROOM];
    size_t n = 4242;
    const bool is_good = sl_base64_decode(kind, text, out, sizeof out, &n);

    assert_true(is_good || n == 4242);
    return is_good;
}

static void encodes_and_decodes_the_vectors_of_rfc_4648(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rfc / sizeof rfc[0]; i++) {
        const sl_str bytes = sl_str_of(rfc[i].bytes);
        const sl_str text = sl_str_of(rfc[i].base64);
        unsigned char back[ROOM];
        char out[ROOM];
        size_t n = 99;

        assert_int_equal(sl_base64_chars(SL_BASE64, bytes.len), text.len);
        assert_int_equal(sl_base64_encode(SL_BASE64, bytes.ptr, bytes.len, out), text.len);
        assert_memory_equal(out, text.ptr, text.len);
        assert_true(sl_base64_decode(SL_BASE64, text, back, sizeof back, &n));
        assert_int_equal(n, bytes.len);
        assert_memory_equal(back, bytes.ptr, n);
    }
}

static void the_url_form_has_its_own_two_characters_and_no_padding(void **state)
{
    static const unsigned char bytes[] = { 0xfb, 0xef, 0xff, 0xff };
    char out[ROOM];

    (void)state;
    assert_int_equal(sl_base64_encode(SL_BASE64, bytes, sizeof bytes, out), 8);
    assert_memory_equal(out, "++///w==", 8);
    assert_int_equal(sl_base64_encode(SL_BASE64URL, bytes, sizeof bytes, out), 6);
    assert_memory_equal(out, "--___w", 6);
    assert_int_equal(sl_base64_chars(SL_BASE64URL, sizeof bytes), 6);
}

static void every_length_comes_back_in_both_forms(void **state)
{
    unsigned char bytes[ROOM / 2];
    unsigned char back[ROOM];
    char text[ROOM];

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)(i * 37 + 11);
    }
    for (size_t n = 0; n <= sizeof bytes; n++) {
        for (int kind = SL_BASE64; kind <= SL_BASE64URL; kind++) {
            const size_t chars = sl_base64_encode((enum sl_base64)kind, bytes, n, text);
            size_t back_n = 0;

            assert_int_equal(chars, sl_base64_chars((enum sl_base64)kind, n));
            assert_true(sl_base64_decode((enum sl_base64)kind, (sl_str){ text, chars }, back,
                                         sizeof back, &back_n));
            assert_int_equal(back_n, n);
            assert_memory_equal(back, bytes, n);
        }
    }
}

/* Of all texts of two characters, one a byte decodes. */
static void one_spelling_for_each_byte_and_no_other(void **state)
{
    unsigned good[2] = { 0 };

    (void)state;
    for (unsigned i = 0; i < 256 * 256; i++) {
        const char text[4] = { (char)(i / 256), (char)(i % 256), '=', '=' };

        good[SL_BASE64] += decodes(SL_BASE64, (sl_str){ text, 4 });
        good[SL_BASE64URL] += decodes(SL_BASE64URL, (sl_str){ text, 2 });
    }
    assert_int_equal(good[SL_BASE64], 256);
    assert_int_equal(good[SL_BASE64URL], 256);
}

static void refuses_unused_bits_that_are_set(void **state)
{
    (void)state;
    assert_true(decodes(SL_BASE64URL, SL_STR("Zg")));
    assert_false(decodes(SL_BASE64URL, SL_STR("Zh")));
    assert_false(decodes(SL_BASE64URL, SL_STR("Zn")));
    assert_true(decodes(SL_BASE64URL, SL_STR("Zm8")));
    assert_false(decodes(SL_BASE64URL, SL_STR("Zm9")));
    assert_false(decodes(SL_BASE64, SL_STR("Zh==")));
    assert_false(decodes(SL_BASE64, SL_STR("Zm9=")));
}

static void refuses_padding_that_is_missing_too_much_or_inside(void **state)
{
    static const char *const bad[] = { "Zg",   "Zg=",  "Zg===",    "Zm8",  "Zm8==", "Zm9v=",
                                       "=",    "==",   "===",      "====", "Z===",  "Zg==Zg==",
                                       "Z=g=", "=Zg=", "Zm9v====", "A",    "AAAAA", "AAAAA===" };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(decodes(SL_BASE64, sl_str_of(bad[i])));
    }
}

static void the_url_form_refuses_padding_and_lengths_no_encoding_has(void **state)
{
    static const char *const bad[] = { "Zg==", "Zm8=", "Zg=", "=", "A", "AAAAA", "Zm9vY" };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(decodes(SL_BASE64URL, sl_str_of(bad[i])));
    }
}

static void refuses_the_characters_of_the_other_form_and_blanks(void **state)
{
    static const char *const bad[] = { "Zm9 ", "Zm9\n", " Zm9v",   "Zm9v\n", "Zm\r\n9v",
                                       "Zm9.", "Zm9,",  "Zm9\x7f", "Zm9\xc3" };

    (void)state;
    assert_true(decodes(SL_BASE64, SL_STR("++//")));
    assert_true(decodes(SL_BASE64URL, SL_STR("--__")));
    assert_false(decodes(SL_BASE64, SL_STR("--__")));
    assert_false(decodes(SL_BASE64URL, SL_STR("++//")));
    assert_false(decodes(SL_BASE64URL, SL_STR("AA\0A")));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(decodes(SL_BASE64, sl_str_of(bad[i])));
        assert_false(decodes(SL_BASE64URL, sl_str_of(bad[i])));
    }
}

static void writes_no_more_than_there_is_room_for(void **state)
{
    unsigned char out[4] = { 1, 2, 3, 4 };
    size_t n = 4242;

    (void)state;
    assert_false(sl_base64_decode(SL_BASE64, SL_STR("Zm9v"), out, 2, &n));
    assert_int_equal(out[2], 3);
    assert_int_equal(n, 4242);
    assert_true(sl_base64_decode(SL_BASE64, SL_STR("Zm9v"), out, 3, &n));
    assert_int_equal(n, 3);
    assert_int_equal(out[3], 4);
    assert_true(sl_base64_decode(SL_BASE64, SL_STR(""), out, 0, &n));
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodes_and_decodes_the_vectors_of_rfc_4648),
        cmocka_unit_test(the_url_form_has_its_own_two_characters_and_no_padding),
        cmocka_unit_test(every_length_comes_back_in_both_forms),
        cmocka_unit_test(one_spelling_for_each_byte_and_no_other),
        cmocka_unit_test(refuses_unused_bits_that_are_set),
        cmocka_unit_test(refuses_padding_that_is_missing_too_much_or_inside),
        cmocka_unit_test(the_url_form_refuses_padding_and_lengths_no_encoding_has),
        cmocka_unit_test(refuses_the_characters_of_the_other_form_and_blanks),
        cmocka_unit_test(writes_no_more_than_there_is_room_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
