/* tests/unit/test_digest.c - SHA-256 and base64 against FIPS 180-4, RFC 4648 and another
 * implementation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "masking/digest.h"

enum { ARENA_MAX = 1024 * 1024 };

struct world {
    struct sl_digest *digest;
    struct sl_arena arena;
};

static int world_begin(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    sl_arena_init(&w->arena, ARENA_MAX, 4096);
    assert_int_equal(sl_digest_new(&w->digest, NULL), SL_OK);
    *state = w;
    return 0;
}

static int world_end(void **state)
{
    struct world *w = *state;

    sl_digest_free(w->digest);
    sl_digest_free(NULL);
    sl_arena_done(&w->arena);
    free(w);
    return 0;
}

static void assert_text(sl_str got, const char *want)
{
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.ptr, want, got.len);
}

static void assert_digest(struct world *w, sl_cleartext value, const char *want)
{
    sl_str got = { 0 };

    assert_int_equal(sl_digest_of(w->digest, value, &w->arena, &got, NULL), SL_OK);
    assert_text(got, want);
}

/* FIPS 180-4, as NIST's examples and CAVP's SHA256ShortMsg have it. */
static void has_the_digests_of_the_standard(void **state)
{
    struct world *w = *state;
    char million[1000];
    sl_cleartext value = { 0 };

    assert_digest(w, value, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    value = sl_cleartext_of(SL_STR("abc"));
    assert_digest(w, value, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    value = sl_cleartext_of(SL_STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"));
    assert_digest(w, value, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    memset(million, 'a', sizeof million);
    value = (sl_cleartext){ million, sizeof million };
    assert_digest(w, value, "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3");
}

/* Made by Python's cryptography 50.0 and base64. */
static const struct {
    const char *value;
    const char *digest;
    const char *base64;
} others[] = {
    { "1", "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b", "MQ==" },
    { "1.2.3.4", "6694f83c9f476da31f5df6bcc520034e7e57d421d247b9d34f49edbfc84a764c",
      "MS4yLjMuNA==" },
    { "199.172.168.100", "71afc3116326e69e80ccba5c9ece2c8ae776d6656f66a986f27b0485b6236f36",
      "MTk5LjE3Mi4xNjguMTAw" },
    { "255.255.255.255", "f45462bf3cd12ea2b347f32f6c4d0a0d36e01694de332b307af90d42951c5bd6",
      "MjU1LjI1NS4yNTUuMjU1" },
    { "593-47-5928", "4f00c1a807b673887c7af517d0df68e6b41aecf8cbec26c71fe4c580664669ed",
      "NTkzLTQ3LTU5Mjg=" },
    { "fifteen bytes..", "3ba0f70dd54a393b048425729b8c3c6e4022570141095916ca00fe7a369c4a4c",
      "ZmlmdGVlbiBieXRlcy4u" },
    { "sixteen bytes...", "0f1442166d84cb72f5a6f29b63c4e82469086e7d5ebae3082c53050b5c8eb9ae",
      "c2l4dGVlbiBieXRlcy4uLg==" },
    { "seventeen bytes..", "85435d2a922307d56ae15d148e7b9afbf96c4901c109d5a802a63c286ee6edee",
      "c2V2ZW50ZWVuIGJ5dGVzLi4=" },
    { "2001:db8:85a3::8a2e:370:7334",
      "7319aaed651685c95a434c6601a0b5cab9fbe7b159b36f4fb66c9f58742291fa",
      "MjAwMTpkYjg6ODVhMzo6OGEyZTozNzA6NzMzNA==" },
    { "0b0c7b2e-7f0c-4f5e-9a51-6d0f2f4f6b1a",
      "50e92075aebdad6b4c6c2b341341f3530f2501c8f499070b99ec4090e7a85e9d",
      "MGIwYzdiMmUtN2YwYy00ZjVlLTlhNTEtNmQwZjJmNGY2YjFh" },
    { "a value of thirty-one bytes 123",
      "8641aa610b5f3a7fc80fc4c1b84941d025801f7a78965498eb8e9f454c866d26",
      "YSB2YWx1ZSBvZiB0aGlydHktb25lIGJ5dGVzIDEyMw==" },
    { "a value of thirty-two bytes 1234",
      "36b6f947c3865b5ab13ead136edf05257f7460ea19cb1ef3583e448572fd9704",
      "YSB2YWx1ZSBvZiB0aGlydHktdHdvIGJ5dGVzIDEyMzQ=" },
    { "jürgen@example.com", "3d2a5310682ac922a4ba3ffac29753c038ecc44ac4c45c7a3b05ac5e155dd036",
      "asO8cmdlbkBleGFtcGxlLmNvbQ==" },
    { "日本語のテキスト", "d4192d3b01dfa9f5b08388f13e5c7492e3cfdc5611bf8c77784dc97523f03efb",
      "5pel5pys6Kqe44Gu44OG44Kt44K544OI" },
    { "someone+tag@mail.example.org",
      "70024765516b81fd7ee3e9764d110138760c52a5e1c71b29e3779d795380a2c4",
      "c29tZW9uZSt0YWdAbWFpbC5leGFtcGxlLm9yZw==" },
    { "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
      "xxxxxxxx",
      "09ecb6ebc8bcefc733f6f2ec44f791abeed6a99edf0cc31519637898aebd52d8",
      "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4"
      "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eA==" },
};

static void agrees_with_another_implementation(void **state)
{
    struct world *w = *state;

    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const sl_cleartext value = sl_cleartext_of(sl_str_of(others[i].value));
        sl_cleartext back = { 0 };
        sl_str got = { 0 };

        assert_digest(w, value, others[i].digest);
        assert_int_equal(sl_plain_base64(value, &w->arena, &got, NULL), SL_OK);
        assert_text(got, others[i].base64);
        assert_int_equal(sl_plain_base64_back(got, &w->arena, &back, NULL), SL_OK);
        assert_text(sl_cleartext_publish(back), others[i].value);
    }
}

static void brings_back_any_bytes(void **state)
{
    struct world *w = *state;
    char bytes[200];

    for (size_t n = 0; n <= sizeof bytes; n++) {
        sl_cleartext back = { 0 };
        sl_str text = { 0 };

        for (size_t i = 0; i < n; i++) {
            bytes[i] = (char)(i * 7 + n);
        }
        assert_int_equal(sl_plain_base64((sl_cleartext){ bytes, n }, &w->arena, &text, NULL),
                         SL_OK);
        assert_int_equal(text.len, (n + 2) / 3 * 4);
        assert_int_equal(sl_plain_base64_back(text, &w->arena, &back, NULL), SL_OK);
        assert_int_equal(back.len, n);
        assert_memory_equal(back.secret, bytes, n);
        sl_arena_reset(&w->arena);
    }
}

static void assert_refused(struct world *w, sl_str text)
{
    sl_cleartext back = { 0 };
    struct sl_err e = { 0 };

    if (sl_plain_base64_back(text, &w->arena, &back, &e) != SL_VALUE) {
        fail_msg("accepted: %.*s", (int)text.len, text.ptr);
    }
    assert_null(back.secret);
    assert_string_equal(e.msg, "value is not base64 with its padding");
}

static void refuses_other_spellings(void **state)
{
    static const char *const texts[] = {
        "MQ",     "MQ=",      "MQ===",    "MR==",  "MQ==MQ==",     "=",    "====", "MS4=A",
        "MS4",    "MS5=",     "M Q==",    " MQ==", "MQ== ",        "MQ-=", "_-8=", "M\nQ==",
        "\nMQ==", "MQ==\n\n", "MQ==\r\n", "\n\n",  "MQ==\nMQ==\n", "%%%%",
    };
    static const char nul[] = { 'M', 'Q', '=', '\0' };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_refused(w, sl_str_of(texts[i]));
    }
    assert_refused(w, (sl_str){ nul, sizeof nul });
}

static void refuses_every_truncation_that_is_no_whole_group(void **state)
{
    struct world *w = *state;
    const sl_str whole = SL_STR("MTk5LjE3Mi4xNjguMTAw");

    for (size_t n = 1; n < whole.len; n++) {
        sl_cleartext back = { 0 };
        const sl_rc rc = sl_plain_base64_back((sl_str){ whole.ptr, n }, &w->arena, &back, NULL);

        assert_int_equal(rc, n % 4 == 0 ? SL_OK : SL_VALUE);
    }
}

/* What base64 of n bytes is in lines of `line` characters. */
static sl_str broken(struct world *w, size_t n, size_t line, bool ends_line, sl_cleartext *ret)
{
    char *bytes = sl_arena_calloc(&w->arena, n, 1);
    char *out = sl_arena_alloc(&w->arena, 2 * n + 8);
    sl_str text = { 0 };
    size_t len = 0;

    assert_non_null(bytes);
    assert_non_null(out);
    for (size_t i = 0; i < n; i++) {
        bytes[i] = (char)(i * 11);
    }
    *ret = (sl_cleartext){ bytes, n };
    assert_int_equal(sl_plain_base64(*ret, &w->arena, &text, NULL), SL_OK);
    for (size_t i = 0; i < text.len; i++) {
        if (i > 0 && i % line == 0) {
            out[len++] = '\n';
        }
        out[len++] = text.ptr[i];
    }
    if (ends_line) {
        out[len++] = '\n';
    }
    return (sl_str){ out, len };
}

static void reads_the_lines_that_openssl_and_postgresql_break(void **state)
{
    static const size_t sizes[] = { 1, 47, 48, 49, 57, 58, 96, 114, 115, 300, 576, 577, 1000 };
    struct world *w = *state;

    for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
        for (size_t line = 64; line <= 76; line += 12) {
            sl_cleartext value;
            sl_cleartext back = { 0 };
            const sl_str text = broken(w, sizes[i / 2], line, i % 2 == 1, &value);

            assert_int_equal(sl_plain_base64_back(text, &w->arena, &back, NULL), SL_OK);
            assert_int_equal(back.len, value.len);
            assert_memory_equal(back.secret, value.secret, value.len);
        }
    }
}

static void refuses_lines_of_other_lengths(void **state)
{
    struct world *w = *state;
    sl_cleartext value;

    for (size_t line = 4; line < 128; line += 4) {
        if (line != 64 && line != 76) {
            assert_refused(w, broken(w, 300, line, true, &value));
        }
    }
}

static void refuses_a_second_line_end(void **state)
{
    struct world *w = *state;
    sl_cleartext value;

    for (size_t line = 64; line <= 76; line += 12) {
        const sl_str text = broken(w, line / 4 * 3, line, true, &value);
        const sl_str longer = { text.ptr, text.len + 1 };
        char *end = (char *)(uintptr_t)text.ptr + text.len;

        *end = '\n';
        assert_refused(w, longer);
    }
}

/* Padding inside, or a line with one character more or less than the first. */
static void refuses_lines_that_do_not_fit_together(void **state)
{
    struct world *w = *state;
    sl_cleartext value;
    const sl_str text = broken(w, 300, 64, true, &value);
    char *bytes = (char *)(uintptr_t)text.ptr;

    memcpy(bytes + 60, "AA==", 4);
    assert_refused(w, text);
    memcpy(bytes + 60, "AAA=", 4);
    assert_refused(w, text);
    memcpy(bytes + 60, "AAAA", 4);
    bytes[64] = 'A';
    assert_refused(w, text);
    bytes[64] = '\n';
    bytes[128] = '\n';
    assert_refused(w, text);
    bytes[128] = 'A';
    bytes[129] = 'A';
    assert_refused(w, text);
}

static void needs_room(void **state)
{
    struct world *w = *state;
    const sl_cleartext value = sl_cleartext_of(SL_STR("1.2.3.4"));
    struct sl_arena none;
    sl_cleartext back = { 0 };
    sl_str got = { 0 };

    sl_arena_init(&none, 8, 8);
    assert_int_equal(sl_digest_of(w->digest, value, &none, &got, NULL), SL_NOMEM);
    assert_int_equal(sl_plain_base64(value, &none, &got, NULL), SL_NOMEM);
    assert_int_equal(sl_plain_base64_back(SL_STR("MQ=="), &none, &back, NULL), SL_NOMEM);
    assert_null(got.ptr);
    assert_null(back.secret);
}

/* A few minutes on any machine there is; sanitizers and old ones may take an hour or two. */
static void says_how_soon_every_ipv4_address_is_hashed(void **state)
{
    struct world *w = *state;
    const double seconds = sl_digest_ipv4_seconds(w->digest);

    assert_true(seconds > 60);
    assert_true(seconds < 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_the_digests_of_the_standard),
        cmocka_unit_test(agrees_with_another_implementation),
        cmocka_unit_test(brings_back_any_bytes),
        cmocka_unit_test(refuses_other_spellings),
        cmocka_unit_test(refuses_every_truncation_that_is_no_whole_group),
        cmocka_unit_test(reads_the_lines_that_openssl_and_postgresql_break),
        cmocka_unit_test(refuses_lines_of_other_lengths),
        cmocka_unit_test(refuses_a_second_line_end),
        cmocka_unit_test(refuses_lines_that_do_not_fit_together),
        cmocka_unit_test(needs_room),
        cmocka_unit_test(says_how_soon_every_ipv4_address_is_hashed),
    };

    return cmocka_run_group_tests(tests, world_begin, world_end);
}
