/* tests/unit/test_key_file.c - which key files are taken, and what a new one is. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "keys/key_file.h"

#define KEY_1   "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define CHECK_1 "c21d3b07"
#define LINE_1  "k1 active " KEY_1 " " CHECK_1 "\n"
#define KEY_2   "fIXOSUgcLfFZpUnApk5zUWSvXYWJhF7b4qYA6xpXPns="
#define CHECK_2 "4e52bebd"
#define LINE_2  "k2 decrypt " KEY_2 " " CHECK_2 "\n"

enum { NOBODY = 65534 };

static char dir[64];
static char path[128];

static int dir_begin(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof dir, "/tmp/sluice_test_key_file.XXXXXX");
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "%s/keys", dir);
    return chmod(dir, 0755);
}

static int dir_end(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(dir);
}

static void ring_done(struct sl_keyring **ring)
{
    sl_keyring_free(*ring);
}

static void put_file(const char *text, mode_t mode)
{
    FILE *f = fopen(path, "we");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static sl_rc open_file(struct sl_err *e)
{
    SL_AUTO(ring_done) struct sl_keyring *ring = NULL;

    return sl_key_file_open(path, &ring, e);
}

static sl_rc parse(const char *text, struct sl_err *e)
{
    SL_AUTO(ring_done) struct sl_keyring *ring = NULL;

    return sl_key_file_parse("x.keys", sl_str_of(text), &ring, e);
}

static void assert_refused(const char *text, const char *why)
{
    struct sl_err e = { 0 };

    assert_int_equal(parse(text, &e), SL_KEY);
    if (strstr(e.msg, why) == NULL) {
        fail_msg("'%s' does not say '%s'", e.msg, why);
    }
    assert_null(strstr(e.msg, "AAECAw"));
    assert_null(strstr(e.msg, "fIXOSU"));
}

static void reads_keys_in_order_with_their_states(void **state)
{
    SL_AUTO(ring_done) struct sl_keyring *ring = NULL;

    (void)state;
    assert_int_equal(sl_key_file_parse("x.keys",
                                       SL_STR("# a comment\n\n  \t\r\n" LINE_2
                                              "\tk1   active\t" KEY_1 "  " CHECK_1 " \r\n"
                                              "k3 retired " KEY_1 " " CHECK_1),
                                       &ring, NULL),
                     SL_OK);
    assert_int_equal(sl_keyring_n(ring), 3);
    assert_string_equal(sl_keyring_at(ring, 0)->id, "k2");
    assert_string_equal(sl_keyring_active(ring)->id, "k1");
    assert_string_equal(sl_keyring_active(ring)->check, CHECK_1);
    assert_int_equal(sl_keyring_at(ring, 2)->state, SL_KEY_RETIRED);
    for (int i = 0; i < SL_KEY_BYTES; i++) {
        assert_int_equal(sl_keyring_active(ring)->master[i], i);
    }
}

static void refuses_a_line_that_is_not_four_words(void **state)
{
    (void)state;
    assert_refused("k1 active " KEY_1 "\n", "x.keys:1: a line is four words");
    assert_refused("# x\n" LINE_2 "k1 active " KEY_1 " " CHECK_1 " more\n", "x.keys:3: ");
    assert_refused("k1\n", "four words");
    assert_refused(KEY_1 "\n", "four words");
}

static void refuses_an_unknown_state(void **state)
{
    (void)state;
    assert_refused("k1 Active " KEY_1 " " CHECK_1 "\n", "must be active, decrypt or retired");
    assert_refused("k1 " KEY_1 " active " CHECK_1 "\n", "must be active, decrypt or retired");
}

static void refuses_a_bad_id(void **state)
{
    (void)state;
    assert_refused("K1 active " KEY_1 " " CHECK_1 "\n", "1 to 8 of a-z and 0-9");
    assert_refused("k12345678 active " KEY_1 " " CHECK_1 "\n", "1 to 8 of a-z and 0-9");
}

static void refuses_a_key_that_is_not_32_bytes_of_strict_base64(void **state)
{
    (void)state;
    assert_refused("k1 active AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg== " CHECK_1 "\n", "32");
    assert_refused("k1 active AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g " CHECK_1 "\n", "32");
    assert_refused("k1 active AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8 " CHECK_1 "\n", "32");
    /* The same bytes, spelled otherwise. */
    assert_refused("k1 active AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9= " CHECK_1 "\n", "32");
}

static void refuses_an_all_zero_key(void **state)
{
    (void)state;
    assert_refused("k1 active AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= 00000000\n",
                   "all zeros");
}

static void refuses_a_wrong_check_value(void **state)
{
    (void)state;
    assert_refused("k1 active " KEY_1 " c21d3b08\n", "check value differs");
    assert_refused("k1 active " KEY_1 " C21D3B07\n", "check value differs");
    assert_refused("k1 active " KEY_1 " c21d3b\n", "check value differs");
    assert_refused("k1 active " KEY_2 " " CHECK_1 "\n", "check value differs");
}

static void refuses_an_id_twice(void **state)
{
    (void)state;
    assert_refused(LINE_1 "k1 decrypt " KEY_2 " " CHECK_2 "\n", "x.keys:2: key k1 is there twice");
}

static void refuses_a_file_without_exactly_one_active_key(void **state)
{
    (void)state;
    assert_refused("", "no key is active");
    assert_refused(LINE_2, "no key is active");
    assert_refused(LINE_1 "k2 active " KEY_2 " " CHECK_2 "\n", "both active");
}

static void keeps_the_id_of_a_destroyed_key(void **state)
{
    SL_AUTO(ring_done) struct sl_keyring *ring = NULL;
    unsigned char out[32] = { 1 };
    struct sl_err e = { 0 };

    (void)state;
    assert_int_equal(sl_key_file_parse("x.keys",
                                       SL_STR("k0 retired destroyed " CHECK_2 "\n" LINE_1), &ring,
                                       NULL),
                     SL_OK);
    assert_int_equal(sl_keyring_n(ring), 2);
    assert_string_equal(sl_keyring_at(ring, 0)->id, "k0");
    assert_string_equal(sl_keyring_at(ring, 0)->check, CHECK_2);
    assert_int_equal(sl_keyring_at(ring, 0)->state, SL_KEY_RETIRED);
    assert_null(sl_keyring_at(ring, 0)->master);
    assert_null(sl_keyring_find(ring, SL_STR("k0")));
    assert_string_equal(sl_keyring_active(ring)->id, "k1");
    assert_int_equal(sl_keyring_active(ring)->master[31], 31);
    assert_int_equal(
        sl_key_derive(sl_keyring_at(ring, 0), "siv", SL_STR("ip"), out, sizeof out, &e), SL_KEY);
    assert_non_null(strstr(e.msg, "k0 is destroyed"));
    assert_int_equal(out[0], 1);
}

static void refuses_a_destroyed_key_that_is_not_done_with(void **state)
{
    (void)state;
    assert_refused("k0 active destroyed " CHECK_2 "\n", "must be retired");
    assert_refused("k0 decrypt destroyed " CHECK_2 "\n" LINE_1, "must be retired");
    assert_refused("k0 retired Destroyed " CHECK_2 "\n" LINE_1, "32");
    assert_refused("k0 retired destroyed\n" LINE_1, "four words");
    assert_refused("k0 retired destroyed 4E52BEBD\n" LINE_1, "check value");
    assert_refused("k0 retired destroyed 4e52beb\n" LINE_1, "check value");
    assert_refused("k0 retired destroyed 4e52bebd0\n" LINE_1, "check value");
    assert_refused("k1 retired destroyed " CHECK_2 "\n" LINE_1, "k1 is there twice");
    assert_refused(LINE_1 "k1 retired destroyed " CHECK_2 "\n", "k1 is there twice");
    assert_refused("k0 retired destroyed " CHECK_2 "\n", "no key is active");
}

static void reads_the_json_of_a_secret_store(void **state)
{
    static const char *const texts[] = {
        "{\"active\":\"k1\",\"keys\":{\"k2\":\"" KEY_2 "\",\"k1\":\"" KEY_1 "\"}}",
        " \n\t{ \"keys\" : {\"k2\":\"" KEY_2 "\",\"k1\":\"" KEY_1 "\"}, \"active\":\"k1\" }\r\n",
        "{\"active\":\"\\u006b1\",\"keys\":{\"k2\":\"" KEY_2 "\",\"k\\u0031\":\"" KEY_1 "\"}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        SL_AUTO(ring_done) struct sl_keyring *ring = NULL;

        assert_int_equal(sl_key_file_parse("x", sl_str_of(texts[i]), &ring, NULL), SL_OK);
        assert_int_equal(sl_keyring_n(ring), 2);
        assert_string_equal(sl_keyring_at(ring, 0)->id, "k2");
        assert_string_equal(sl_keyring_at(ring, 0)->check, CHECK_2);
        assert_int_equal(sl_keyring_at(ring, 0)->state, SL_KEY_DECRYPT);
        assert_string_equal(sl_keyring_active(ring)->id, "k1");
        assert_string_equal(sl_keyring_active(ring)->check, CHECK_1);
    }
}

#define JSON(active, keys) "{\"active\":" active ",\"keys\":" keys "}"
#define ZEROS              "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static void refuses_json_that_is_not_exactly_that(void **state)
{
    static const char good[] = "{\"k1\":\"" KEY_1 "\"}";
    char text[512];

    (void)state;
    assert_refused("{", "not JSON");
    assert_refused("{}", "it must be {\"active\"");
    assert_refused("{\"active\":\"k1\"}", "it must be");
    assert_refused("{\"keys\":{\"k1\":\"" KEY_1 "\"}}", "it must be");
    assert_refused(JSON("1", "{\"k1\":\"" KEY_1 "\"}"), "it must be");
    assert_refused(JSON("\"k1\"", "[\"" KEY_1 "\"]"), "it must be");
    assert_refused("{\"active\":\"k1\",\"more\":1,\"keys\":{\"k1\":\"" KEY_1 "\"}}", "it must be");
    assert_refused("{\"Active\":\"k1\",\"keys\":{\"k1\":\"" KEY_1 "\"}}", "it must be");
    assert_refused(JSON("\"k1\"", "{}"), "id of one of the keys");
    assert_refused(JSON("\"k2\"", "{\"k1\":\"" KEY_1 "\"}"), "id of one of the keys");
    assert_refused(JSON("\"\"", "{\"k1\":\"" KEY_1 "\"}"), "id of one of the keys");
    assert_refused(JSON("\"k1\"", "{\"k1\":\"" KEY_1 "\",\"k1\":\"" KEY_2 "\"}"), "twice");
    assert_refused("{\"active\":\"k1\",\"active\":\"k1\",\"keys\":{\"k1\":\"" KEY_1 "\"}}",
                   "twice");
    assert_refused(JSON("\"k1\"", "{\"k1\":7}"), "key number 1: a key must be a string");
    assert_refused(JSON("\"k1\"", "{\"k1\":\"AAECAw==\"}"), "32 bytes");
    assert_refused(JSON("\"k1\"", "{\"k1\":\"" KEY_1 " \"}"), "32 bytes");
    assert_refused(JSON("\"k1\"", "{\"k1\":\"destroyed\"}"), "32 bytes");
    assert_refused(JSON("\"k1\"", "{\"k1\":\"" ZEROS "\"}"), "all zeros");
    assert_refused(JSON("\"k1\"", "{\"" KEY_1 "\":\"" KEY_1 "\"}"), "1 to 8 of a-z");
    assert_refused(JSON("\"k1\"", "{\"k1\":\"" KEY_1 "\",\"K2\":\"" KEY_2 "\"}"),
                   "key number 2: a key id is 1 to 8");
    (void)snprintf(text, sizeof text, JSON("\"k1\"", "%s") " x", good);
    assert_refused(text, "not JSON");
    assert_refused("{\"active\":\"k\xff\"}", "not UTF-8");
}

static void refuses_a_key_file_that_others_can_use(void **state)
{
    static const mode_t good[] = { 0600, 0400 };
    static const mode_t bad[] = { 0604, 0620, 0602, 0610, 0601 };
    struct sl_err e = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        put_file(LINE_1, good[i]);
        assert_int_equal(open_file(&e), SL_OK);
        assert_int_equal(unlink(path), 0);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        put_file(LINE_1, bad[i]);
        assert_int_equal(open_file(&e), SL_KEY);
        assert_non_null(strstr(e.msg, "chmod 600"));
        assert_int_equal(unlink(path), 0);
    }
}

/* Through its group a service reads a file of root's; root, who only looks, must not take that away. */
static void lets_the_group_read_a_file_of_roots_and_no_other(void **state)
{
    static const mode_t of_group[] = { 0640, 0440 };
    static const mode_t bad[] = { 0644, 0660, 0666, 0444, 0650 };
    const bool is_root = geteuid() == 0;
    struct sl_err e = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof of_group / sizeof of_group[0]; i++) {
        put_file(LINE_1, of_group[i]);
        assert_int_equal(open_file(&e), is_root ? SL_OK : SL_KEY);
        assert_int_equal(unlink(path), 0);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        put_file(LINE_1, bad[i]);
        assert_int_equal(open_file(&e), SL_KEY);
        assert_non_null(strstr(e.msg, is_root ? "chmod 640" : "chmod 600"));
        assert_int_equal(unlink(path), 0);
    }
}

static void refuses_a_key_file_of_another_user(void **state)
{
    struct sl_err e = { 0 };

    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    put_file(LINE_1, 0600);
    assert_int_equal(chown(path, NOBODY, NOBODY), 0);
    assert_int_equal(open_file(&e), SL_KEY);
    assert_non_null(strstr(e.msg, "belongs to user 65534"));
}

static sl_rc open_as_nobody(mode_t mode, struct sl_err *e)
{
    sl_rc rc;

    put_file(LINE_1, mode);
    assert_int_equal(chown(path, 0, NOBODY), 0);
    assert_int_equal(setegid(NOBODY), 0);
    assert_int_equal(seteuid(NOBODY), 0);
    rc = open_file(e);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(setegid(0), 0);
    return rc;
}

static void lets_a_service_read_a_file_of_roots_through_its_group(void **state)
{
    struct sl_err e = { 0 };

    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(open_as_nobody(0640, &e), SL_OK);
    assert_int_equal(open_as_nobody(0440, &e), SL_OK);
    assert_int_equal(open_as_nobody(0660, &e), SL_KEY);
    assert_non_null(strstr(e.msg, "chmod 640"));
    assert_int_equal(open_as_nobody(0644, &e), SL_KEY);
    assert_int_equal(open_as_nobody(0600, &e), SL_KEY);
    assert_non_null(strstr(e.msg, "Permission denied"));
}

static void refuses_what_is_not_a_regular_file_without_waiting(void **state)
{
    SL_AUTO(ring_done) struct sl_keyring *ring = NULL;
    struct sl_err e = { 0 };

    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(open_file(&e), SL_KEY);
    assert_non_null(strstr(e.msg, "not a regular file"));
    assert_int_equal(sl_key_file_open(dir, &ring, &e), SL_KEY);
    assert_non_null(strstr(e.msg, "not a regular file"));
    assert_int_equal(sl_key_file_open("/dev/null", &ring, &e), SL_KEY);
    assert_null(ring);
}

static void follows_a_symbolic_link(void **state)
{
    SL_AUTO(ring_done) struct sl_keyring *ring = NULL;
    char link[160];

    (void)state;
    put_file(LINE_1, 0600);
    (void)snprintf(link, sizeof link, "%s.link", path);
    assert_int_equal(symlink(path, link), 0);
    assert_int_equal(sl_key_file_open(link, &ring, NULL), SL_OK);
    assert_int_equal(unlink(link), 0);
}

static void says_what_to_do_when_there_is_no_file(void **state)
{
    struct sl_err e = { 0 };

    (void)state;
    assert_int_equal(open_file(&e), SL_KEY);
    assert_non_null(strstr(e.msg, path));
    assert_non_null(strstr(e.msg, "sluice keys new"));
}

static void refuses_a_file_over_64_kib(void **state)
{
    static char text[64 * 1024 + 2];
    struct sl_err e = { 0 };

    (void)state;
    memset(text, '\n', sizeof text - 1);
    memcpy(text, LINE_1, strlen(LINE_1));
    put_file(text, 0600);
    assert_int_equal(open_file(&e), SL_KEY);
    assert_non_null(strstr(e.msg, "over 65536 bytes"));
    text[sizeof text - 2] = '\0';
    put_file(text, 0600);
    assert_int_equal(open_file(&e), SL_OK);
}

static void makes_a_file_that_opens_again(void **state)
{
    SL_AUTO(ring_done) struct sl_keyring *ring = NULL;
    struct stat st;

    (void)state;
    assert_int_equal(sl_key_file_create(path, SL_STR("k7"), NULL), SL_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(sl_key_file_open(path, &ring, NULL), SL_OK);
    assert_int_equal(sl_keyring_n(ring), 1);
    assert_string_equal(sl_keyring_active(ring)->id, "k7");
}

static void makes_another_key_each_time(void **state)
{
    SL_AUTO(ring_done) struct sl_keyring *one = NULL;
    SL_AUTO(ring_done) struct sl_keyring *two = NULL;

    (void)state;
    assert_int_equal(sl_key_file_create(path, SL_STR("k1"), NULL), SL_OK);
    assert_int_equal(sl_key_file_open(path, &one, NULL), SL_OK);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(sl_key_file_create(path, SL_STR("k1"), NULL), SL_OK);
    assert_int_equal(sl_key_file_open(path, &two, NULL), SL_OK);
    assert_memory_not_equal(sl_keyring_active(one)->master, sl_keyring_active(two)->master,
                            SL_KEY_BYTES);
}

static void never_overwrites_a_key_file(void **state)
{
    char text[16] = { 0 };
    struct sl_err e = { 0 };
    FILE *f;

    (void)state;
    put_file("precious", 0600);
    assert_int_equal(sl_key_file_create(path, SL_STR("k1"), &e), SL_KEY);
    assert_non_null(strstr(e.msg, "never overwritten"));
    f = fopen(path, "re");
    assert_non_null(f);
    assert_non_null(fgets(text, sizeof text, f));
    (void)fclose(f);
    assert_string_equal(text, "precious");
}

static void makes_no_file_for_a_bad_id(void **state)
{
    (void)state;
    assert_int_equal(sl_key_file_create(path, SL_STR("K 1"), NULL), SL_KEY);
    assert_int_equal(access(path, F_OK), -1);
}

static void says_when_a_file_cannot_be_made(void **state)
{
    char nowhere[160];
    struct sl_err e = { 0 };

    (void)state;
    (void)snprintf(nowhere, sizeof nowhere, "%s/no/keys", dir);
    assert_int_equal(sl_key_file_create(nowhere, SL_STR("k1"), &e), SL_IO);
    assert_non_null(strstr(e.msg, "No such file or directory"));
}

#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, dir_begin, dir_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_keys_in_order_with_their_states),
        cmocka_unit_test(refuses_a_line_that_is_not_four_words),
        cmocka_unit_test(refuses_an_unknown_state),
        cmocka_unit_test(refuses_a_bad_id),
        cmocka_unit_test(refuses_a_key_that_is_not_32_bytes_of_strict_base64),
        cmocka_unit_test(refuses_an_all_zero_key),
        cmocka_unit_test(refuses_a_wrong_check_value),
        cmocka_unit_test(refuses_an_id_twice),
        cmocka_unit_test(refuses_a_file_without_exactly_one_active_key),
        cmocka_unit_test(keeps_the_id_of_a_destroyed_key),
        cmocka_unit_test(refuses_a_destroyed_key_that_is_not_done_with),
        cmocka_unit_test(reads_the_json_of_a_secret_store),
        cmocka_unit_test(refuses_json_that_is_not_exactly_that),
        FILE_TEST(refuses_a_key_file_that_others_can_use),
        FILE_TEST(lets_the_group_read_a_file_of_roots_and_no_other),
        FILE_TEST(refuses_a_key_file_of_another_user),
        FILE_TEST(lets_a_service_read_a_file_of_roots_through_its_group),
        FILE_TEST(refuses_what_is_not_a_regular_file_without_waiting),
        FILE_TEST(follows_a_symbolic_link),
        FILE_TEST(says_what_to_do_when_there_is_no_file),
        FILE_TEST(refuses_a_file_over_64_kib),
        FILE_TEST(makes_a_file_that_opens_again),
        FILE_TEST(makes_another_key_each_time),
        FILE_TEST(never_overwrites_a_key_file),
        FILE_TEST(makes_no_file_for_a_bad_id),
        FILE_TEST(says_when_a_file_cannot_be_made),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
