/* tests/unit/test_key_source.c - keys from each of their sources, and nothing left behind. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "keys/key_source.h"

#define KEY_1   "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define CHECK_1 "c21d3b07"
#define LINE_1  "k1 active " KEY_1 " " CHECK_1 "\n"
#define JSON_1  "{\"active\":\"k1\",\"keys\":{\"k1\":\"" KEY_1 "\"}}"

#define OF(member, text)                 \
    {                                    \
        .fd = -1, .member = SL_STR(text) \
    }

enum { TOO_MUCH = 64 * 1024 + 1 };

static char dir[64];
static char path[128];

static int dir_begin(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof dir, "/tmp/sluice_test_key_source.XXXXXX");
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "%s/keys", dir);
    return setenv("CREDENTIALS_DIRECTORY", dir, 1);
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

static void put_file(const char *name, const char *content, mode_t mode)
{
    FILE *f = fopen(name, "we");

    assert_non_null(f);
    assert_true(fputs(content, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(name, mode), 0);
}

static void assert_opens(const struct sl_key_source *source)
{
    SL_AUTO(ring_done) struct sl_keyring *ring = NULL;
    struct sl_err e = { 0 };

    if (sl_keys_open(source, &ring, &e) != SL_OK) {
        fail_msg("%s", e.msg);
    }
    assert_string_equal(sl_keyring_active(ring)->check, CHECK_1);
}

static void assert_refused(const struct sl_key_source *source, sl_rc rc, const char *why)
{
    struct sl_keyring *ring = NULL;
    struct sl_err e = { 0 };

    assert_int_equal(sl_keys_open(source, &ring, &e), rc);
    assert_null(ring);
    if (strstr(e.msg, why) == NULL) {
        fail_msg("'%s' does not say '%s'", e.msg, why);
    }
    assert_null(strstr(e.msg, "AAECAw"));
}

static void takes_exactly_one_source(void **state)
{
    const struct sl_key_source none = SL_KEY_SOURCE_NONE;
    const struct sl_key_source two = { .fd = -1, .file = SL_STR("x"), .env = SL_STR("Y") };
    const struct sl_key_source other = { .fd = 0, .command = SL_STR("true") };

    (void)state;
    assert_refused(&none, SL_CONFIG, "nothing says where");
    assert_refused(&two, SL_CONFIG, "not from file and env");
    assert_refused(&other, SL_CONFIG, "not from fd and command");
}

static void reads_a_file_with_all_its_checks(void **state)
{
    struct sl_key_source source = SL_KEY_SOURCE_NONE;

    (void)state;
    source.file = sl_str_of(path);
    assert_refused(&source, SL_KEY, "sluice keys new");
    put_file(path, LINE_1, 0600);
    assert_opens(&source);
    assert_opens(&source);
    put_file(path, JSON_1, 0600);
    assert_opens(&source);
    put_file(path, LINE_1, 0604);
    assert_refused(&source, SL_KEY, "chmod 600");
}

static void a_path_needs_no_end(void **state)
{
    char longer[160];
    struct sl_key_source source = SL_KEY_SOURCE_NONE;

    (void)state;
    put_file(path, LINE_1, 0600);
    (void)snprintf(longer, sizeof longer, "%sXYZ", path);
    source.file = (sl_str){ longer, strlen(path) };
    assert_opens(&source);
}

static void takes_a_variable_out_of_the_environment(void **state)
{
    const struct sl_key_source source = OF(env, "SLUICE_TEST_KEYS");
    const char *value;

    (void)state;
    assert_int_equal(setenv("SLUICE_TEST_KEYS", LINE_1, 1), 0);
    value = getenv("SLUICE_TEST_KEYS");
    assert_opens(&source);
    assert_null(getenv("SLUICE_TEST_KEYS"));
    for (size_t i = 0; i < strlen(LINE_1); i++) {
        assert_int_equal(value[i], 0); /* setenv never frees what it has copied */
    }
    assert_refused(&source, SL_KEY, "no keys in $SLUICE_TEST_KEYS: it is not set");
}

static void wipes_a_variable_that_it_refuses(void **state)
{
    static char big[TOO_MUCH + 1];
    const struct sl_key_source source = OF(env, "SLUICE_TEST_KEYS");

    (void)state;
    assert_int_equal(setenv("SLUICE_TEST_KEYS", "k1 active " KEY_1, 1), 0);
    assert_refused(&source, SL_KEY, "keys from $SLUICE_TEST_KEYS:1: a line is four words");
    assert_null(getenv("SLUICE_TEST_KEYS"));
    assert_int_equal(setenv("SLUICE_TEST_KEYS", "", 1), 0);
    assert_refused(&source, SL_KEY, "no key is active");
    memset(big, '#', TOO_MUCH);
    assert_int_equal(setenv("SLUICE_TEST_KEYS", big, 1), 0);
    assert_refused(&source, SL_KEY, "over 65536 bytes");
    assert_null(getenv("SLUICE_TEST_KEYS"));
}

static int pipe_of(const char *text, size_t n)
{
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_true(fcntl(ends[1], F_SETPIPE_SZ, 256 * 1024) > 0);
    assert_int_equal(write(ends[1], text, n), n);
    assert_int_equal(close(ends[1]), 0);
    return ends[0];
}

static void reads_a_descriptor_to_its_end_and_closes_it(void **state)
{
    static char big[TOO_MUCH];
    struct sl_key_source source = SL_KEY_SOURCE_NONE;

    (void)state;
    source.fd = pipe_of(LINE_1, strlen(LINE_1));
    assert_opens(&source);
    assert_int_equal(fcntl(source.fd, F_GETFD), -1);
    assert_refused(&source, SL_KEY, "Bad file descriptor");
    source.fd = pipe_of("", 0);
    assert_refused(&source, SL_KEY, "no key is active");
    memset(big, '\n', sizeof big);
    source.fd = pipe_of(big, sizeof big);
    assert_refused(&source, SL_KEY, "over 65536 bytes");
    assert_int_equal(fcntl(source.fd, F_GETFD), -1);
    source.fd = pipe_of(big, sizeof big - 1);
    assert_refused(&source, SL_KEY, "no key is active");
}

static void reads_what_a_command_prints(void **state)
{
    struct sl_key_source source = SL_KEY_SOURCE_NONE;
    char command[160];

    (void)state;
    put_file(path, LINE_1, 0600);
    (void)snprintf(command, sizeof command, " cat\t--  %s \n", path);
    source.command = sl_str_of(command);
    assert_opens(&source);
    assert_opens(&source);
}

static void starts_no_shell(void **state)
{
    const struct sl_key_source quoted = OF(command, "echo 'k1;k2' $HOME");
    const struct sl_key_source piped = OF(command, "true|cat");

    (void)state;
    assert_refused(&quoted, SL_KEY, "a line is four words"); /* three, quotes and all */
    assert_refused(&piped, SL_KEY, "cannot run key command true|cat: No such file");
}

static void gives_a_command_an_empty_stdin_and_plain_signals(void **state)
{
    const struct sl_key_source source = OF(command, "cat");
    const struct sl_key_source ignored = OF(command, "grep SigIgn:.*1000$ /proc/self/status");

    (void)state;
    assert_refused(&source, SL_KEY, "no key is active");
    assert_true(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    assert_refused(&ignored, SL_KEY, "exit status 1"); /* 1 = no line: SIGPIPE is not ignored */
    assert_true(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
}

static void gives_a_command_no_other_descriptor(void **state)
{
    const struct sl_key_source source = OF(command, "test -e /proc/self/fd/57");

    (void)state;
    assert_int_equal(dup2(STDERR_FILENO, 57), 57);
    assert_refused(&source, SL_KEY, "exit status 1"); /* 1 = it is not there */
    assert_int_equal(close(57), 0);
}

static void refuses_a_command_that_fails_even_with_keys(void **state)
{
    struct sl_key_source source = SL_KEY_SOURCE_NONE;
    char script[160];
    char text[256];

    (void)state;
    (void)snprintf(script, sizeof script, "%s", path);
    (void)snprintf(text, sizeof text, "#!/bin/sh\necho '%s'\nexit 3\n",
                   "k1 active " KEY_1 " " CHECK_1);
    put_file(script, text, 0700);
    source.command = sl_str_of(script);
    assert_refused(&source, SL_KEY, "failed with exit status 3");
    put_file(script, "#!/bin/sh\nkill -9 $$\n", 0700);
    assert_refused(&source, SL_KEY, "was ended by signal 9");
    put_file(script, "#!/bin/sh\nexit 3\n", 0600);
    assert_refused(&source, SL_KEY, "Permission denied");
}

static void says_nothing_of_a_commands_arguments(void **state)
{
    const struct sl_key_source source = OF(command, "false --token " KEY_1);

    (void)state;
    assert_refused(&source, SL_KEY, "key command false failed with exit status 1");
}

static void kills_a_command_that_takes_too_long(void **state)
{
    struct sl_key_source slow = OF(command, "sleep 60");
    struct sl_key_source silent = SL_KEY_SOURCE_NONE;
    const int64_t began_ms = sl_clock_now_ms();

    (void)state;
    slow.command_ms = 50;
    assert_refused(&slow, SL_TIMEOUT, "key command sleep did not end within 50 ms");
    /* It has said all it will, and stays. */
    put_file(path, "#!/bin/sh\nexec sleep 60 >/dev/null\n", 0700);
    silent.command = sl_str_of(path);
    silent.command_ms = 50;
    assert_refused(&silent, SL_TIMEOUT, "did not end within 50 ms");
    assert_true(sl_clock_now_ms() - began_ms < 20000);
}

static void stops_a_command_that_does_not_stop(void **state)
{
    const struct sl_key_source source = OF(command, "yes");

    (void)state;
    assert_refused(&source, SL_KEY, "over 65536 bytes");
}

static void refuses_a_command_without_words_or_with_too_many(void **state)
{
    struct sl_key_source source = OF(command, "  \t ");
    char many[2 * 66 + 1];

    (void)state;
    assert_refused(&source, SL_CONFIG, "empty");
    for (size_t i = 0; i < sizeof many - 1; i++) {
        many[i] = i % 2 == 0 ? 'x' : ' ';
    }
    many[sizeof many - 1] = '\0';
    source.command = sl_str_of(many);
    assert_refused(&source, SL_CONFIG, "more than 64 words");
}

static void reads_a_credential_whatever_its_mode(void **state)
{
    const struct sl_key_source source = OF(credential, "keys");

    (void)state;
    assert_refused(&source, SL_KEY, "cannot open credential keys: No such file");
    put_file(path, JSON_1, 0444);
    assert_opens(&source);
    assert_opens(&source);
}

static void refuses_a_credential_that_is_no_plain_file_there(void **state)
{
    const struct sl_key_source source = OF(credential, "keys");
    const struct sl_key_source elsewhere = OF(credential, "../etc/passwd");
    const struct sl_key_source up = OF(credential, "..");

    (void)state;
    assert_refused(&elsewhere, SL_CONFIG, "no '/'");
    assert_refused(&up, SL_KEY, "not a regular file");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_refused(&source, SL_KEY, "not a regular file");
    assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
    assert_refused(&source, SL_KEY, "CREDENTIALS_DIRECTORY is not set");
}

static int open_descriptors(void)
{
    int n = 0;

    for (int fd = 0; fd < 256; fd++) {
        n += fcntl(fd, F_GETFD) >= 0;
    }
    return n;
}

static void leaves_no_descriptor_open(void **state)
{
    const struct sl_key_source sources[] = {
        OF(command, "true"),    OF(command, "false"),      OF(command, "/nowhere/x"),
        OF(file, "/nowhere/x"), OF(file, "/dev/null"),     OF(credential, "nowhere"),
        OF(credential, ".."),   OF(env, "SLUICE_NOT_SET"),
    };
    const int before = open_descriptors();

    (void)state;
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        struct sl_keyring *ring = NULL;

        assert_int_equal(sl_keys_open(&sources[i], &ring, NULL), SL_KEY);
    }
    assert_int_equal(open_descriptors(), before);
}

#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, dir_begin, dir_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_exactly_one_source),
        FILE_TEST(reads_a_file_with_all_its_checks),
        FILE_TEST(a_path_needs_no_end),
        cmocka_unit_test(takes_a_variable_out_of_the_environment),
        cmocka_unit_test(wipes_a_variable_that_it_refuses),
        cmocka_unit_test(reads_a_descriptor_to_its_end_and_closes_it),
        FILE_TEST(reads_what_a_command_prints),
        cmocka_unit_test(starts_no_shell),
        cmocka_unit_test(gives_a_command_an_empty_stdin_and_plain_signals),
        cmocka_unit_test(gives_a_command_no_other_descriptor),
        FILE_TEST(refuses_a_command_that_fails_even_with_keys),
        cmocka_unit_test(says_nothing_of_a_commands_arguments),
        FILE_TEST(kills_a_command_that_takes_too_long),
        cmocka_unit_test(stops_a_command_that_does_not_stop),
        cmocka_unit_test(refuses_a_command_without_words_or_with_too_many),
        FILE_TEST(reads_a_credential_whatever_its_mode),
        FILE_TEST(refuses_a_credential_that_is_no_plain_file_there),
        FILE_TEST(leaves_no_descriptor_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
