/* tests/unit/test_key_edit.c - what may be done to a key file, and that it stays whole. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "keys/key_edit.h"
#include "keys/key_file.h"

#define KEY_1   "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define CHECK_1 "c21d3b07"
#define LINE_1  "k1 active " KEY_1 " " CHECK_1 "\n"
#define KEY_2   "fIXOSUgcLfFZpUnApk5zUWSvXYWJhF7b4qYA6xpXPns="
#define CHECK_2 "4e52bebd"
#define LINE_2  "k2 decrypt " KEY_2 " " CHECK_2 "\n"

enum { NOBODY = 65534, KILLS = 40, EDITS = 6 };

static char dir[64];
static char path[128];
static char text[70000];

static int dir_begin(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof dir, "/tmp/sluice_test_key_edit.XXXXXX");
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "%s/keys", dir);
    return chmod(dir, 0755);
}

static void remove_one(const char *suffix)
{
    char name[160];

    (void)snprintf(name, sizeof name, "%s%s", path, suffix);
    (void)unlink(name);
}

static int dir_end(void **state)
{
    (void)state;
    (void)chmod(dir, 0755);
    remove_one("");
    remove_one(".link");
    return rmdir(dir); /* fails if anything was left beside the file */
}

static void ring_done(struct sl_keyring **ring)
{
    sl_keyring_free(*ring);
}

static void put_file(const char *content)
{
    FILE *f = fopen(path, "we");

    assert_non_null(f);
    assert_true(fputs(content, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

static const char *get_file(void)
{
    FILE *f = fopen(path, "re");
    size_t n;

    assert_non_null(f);
    n = fread(text, 1, sizeof text - 1, f);
    (void)fclose(f);
    text[n] = '\0';
    return text;
}

static sl_rc change(enum sl_key_change what, const char *kid, struct sl_err *e)
{
    SL_AUTO(ring_done) struct sl_keyring *ring = NULL;
    const struct sl_key_edit edit = { .change = what, .kid = sl_str_of(kid) };

    return sl_key_edit(path, &edit, &ring, e);
}

/* And the file is as it was, and nothing lies beside it (dir_end). */
static void assert_refused(enum sl_key_change what, const char *kid, const char *why)
{
    struct sl_err e = { 0 };
    char before[sizeof text];

    memcpy(before, get_file(), sizeof before);
    assert_int_equal(change(what, kid, &e), SL_KEY);
    if (strstr(e.msg, why) == NULL) {
        fail_msg("'%s' does not say '%s'", e.msg, why);
    }
    assert_null(strstr(e.msg, "AAECAw"));
    assert_string_equal(get_file(), before);
}

static void adds_a_key_that_only_decrypts(void **state)
{
    SL_AUTO(ring_done) struct sl_keyring *ring = NULL;
    const struct sl_key_edit edit = { .change = SL_KEY_ADD };
    const struct sl_key *key;

    (void)state;
    put_file("# mine\n" LINE_1);
    assert_int_equal(sl_key_edit(path, &edit, &ring, NULL), SL_OK);
    assert_int_equal(sl_keyring_n(ring), 2);
    assert_string_equal(sl_keyring_active(ring)->id, "k1");
    key = sl_keyring_at(ring, 1);
    assert_string_equal(key->id, "k2");
    assert_int_equal(key->state, SL_KEY_DECRYPT);
    assert_string_not_equal(key->check, CHECK_1);
    assert_true(strncmp(get_file(), "# mine\n" LINE_1 "k2 decrypt ", 80) == 0);
    assert_non_null(strstr(text, key->check));
    sl_keyring_free(ring);
    ring = NULL;
    assert_int_equal(sl_key_file_open(path, &ring, NULL), SL_OK);
    assert_int_equal(sl_keyring_n(ring), 2);
}

static void adds_another_key_each_time(void **state)
{
    (void)state;
    put_file(LINE_1);
    assert_int_equal(change(SL_KEY_ADD, "", NULL), SL_OK);
    assert_int_equal(change(SL_KEY_ADD, "", NULL), SL_OK);
    (void)get_file();
    assert_memory_not_equal(strstr(text, "k2 decrypt ") + 11, strstr(text, "k3 decrypt ") + 11, 44);
}

static void names_the_id_after_the_highest(void **state)
{
    static const struct {
        const char *before;
        const char *id;
    } cases[] = {
        { LINE_1, "k2" },
        { "k9 active " KEY_1 " " CHECK_1 "\n" LINE_2, "k10" },
        { "main active " KEY_1 " " CHECK_1 "\n", "k1" },
        { LINE_1 "k7 retired destroyed " CHECK_2 "\n", "k8" },
        { "k2026 active " KEY_1 " " CHECK_1 "\nkx9 decrypt " KEY_2 " " CHECK_2 "\n", "k2027" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[32];

        put_file(cases[i].before);
        assert_int_equal(change(SL_KEY_ADD, "", NULL), SL_OK);
        (void)snprintf(line, sizeof line, "\n%s decrypt ", cases[i].id);
        assert_non_null(strstr(get_file(), line));
    }
    put_file("k9999999 active " KEY_1 " " CHECK_1 "\n");
    assert_refused(SL_KEY_ADD, "", "say --kid");
    assert_int_equal(change(SL_KEY_ADD, "mine", NULL), SL_OK);
}

static void adds_a_line_after_a_last_line_without_an_end(void **state)
{
    (void)state;
    put_file("k1 active " KEY_1 " " CHECK_1);
    assert_int_equal(change(SL_KEY_ADD, "k5", NULL), SL_OK);
    assert_true(strncmp(get_file(), LINE_1 "k5 decrypt ", 75) == 0);
}

static void never_uses_an_id_again(void **state)
{
    (void)state;
    put_file(LINE_1 "k0 retired destroyed " CHECK_2 "\nk3 retired " KEY_2 " " CHECK_2 "\n");
    assert_refused(SL_KEY_ADD, "k1", "never used again");
    assert_refused(SL_KEY_ADD, "k0", "never used again");
    assert_refused(SL_KEY_ADD, "k3", "never used again");
    assert_refused(SL_KEY_ADD, "K4", "1 to 8 of a-z");
}

static void adds_no_key_that_a_ring_cannot_hold(void **state)
{
    char big[SL_KEYRING_MAX * 80] = LINE_1;

    (void)state;
    for (int i = 2; i <= SL_KEYRING_MAX; i++) {
        const size_t n = strlen(big);

        (void)snprintf(big + n, sizeof big - n, "k%d decrypt " KEY_2 " " CHECK_2 "\n", i);
    }
    put_file(big);
    assert_refused(SL_KEY_ADD, "", "more than 64 keys");
}

static void makes_no_file_that_is_too_large_to_read(void **state)
{
    static char big[64 * 1024 + 1];

    (void)state;
    memset(big, '\n', sizeof big - 1);
    memcpy(big, LINE_1, strlen(LINE_1));
    put_file(big);
    assert_refused(SL_KEY_ADD, "", "over 65536 bytes");
}

static void activates_one_key_and_lets_the_other_decrypt(void **state)
{
    (void)state;
    put_file(LINE_1 LINE_2);
    assert_int_equal(change(SL_KEY_ACTIVATE, "k2", NULL), SL_OK);
    assert_string_equal(get_file(),
                        "k1 decrypt " KEY_1 " " CHECK_1 "\nk2 active " KEY_2 " " CHECK_2 "\n");
    assert_int_equal(change(SL_KEY_ACTIVATE, "k1", NULL), SL_OK);
    assert_string_equal(get_file(), LINE_1 LINE_2);
}

static void activates_only_a_key_that_decrypts(void **state)
{
    (void)state;
    put_file(LINE_1 "k2 retired " KEY_2 " " CHECK_2 "\nk3 retired destroyed " CHECK_2 "\n");
    assert_refused(SL_KEY_ACTIVATE, "k1", "active already");
    assert_refused(SL_KEY_ACTIVATE, "k2", "is retired");
    assert_refused(SL_KEY_ACTIVATE, "k3", "is destroyed");
    assert_refused(SL_KEY_ACTIVATE, "k4", "no key with that id");
    assert_refused(SL_KEY_ACTIVATE, "", "no key with that id");
}

static void retires_a_key_that_decrypts(void **state)
{
    (void)state;
    put_file(LINE_1 LINE_2);
    assert_int_equal(change(SL_KEY_RETIRE, "k2", NULL), SL_OK);
    assert_string_equal(get_file(), LINE_1 "k2 retired " KEY_2 " " CHECK_2 "\n");
    assert_refused(SL_KEY_RETIRE, "k2", "retired already");
}

static void never_retires_or_destroys_the_active_key(void **state)
{
    (void)state;
    put_file(LINE_1 LINE_2);
    assert_refused(SL_KEY_RETIRE, "k1", "k1 is active: activate another one first");
    assert_refused(SL_KEY_DESTROY, "k1", "k1 is active: activate another one first");
    assert_refused(SL_KEY_RETIRE, "k3", "no key with that id");
    assert_refused(SL_KEY_DESTROY, "k3", "no key with that id");
}

static void destroys_the_bytes_and_keeps_the_id(void **state)
{
    static const char *const before[] = { LINE_1 LINE_2,
                                          LINE_1 "k2 retired " KEY_2 " " CHECK_2 "\n" };

    (void)state;
    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
        put_file(before[i]);
        assert_int_equal(change(SL_KEY_DESTROY, "k2", NULL), SL_OK);
        assert_string_equal(get_file(), LINE_1 "k2 retired destroyed " CHECK_2 "\n");
    }
    assert_refused(SL_KEY_DESTROY, "k2", "k2 is destroyed");
    assert_refused(SL_KEY_RETIRE, "k2", "k2 is destroyed");
}

static void writes_zeros_over_the_file_that_held_a_destroyed_key(void **state)
{
    char old[512] = "";
    int fd;

    (void)state;
    put_file(LINE_1 LINE_2);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(change(SL_KEY_DESTROY, "k2", NULL), SL_OK);
    assert_int_equal(pread(fd, old, sizeof old, 0), strlen(LINE_1 LINE_2));
    for (size_t i = 0; i < strlen(LINE_1 LINE_2); i++) {
        assert_int_equal(old[i], 0);
    }
    assert_int_equal(close(fd), 0);
}

static void destroys_no_key_that_stands_there_twice(void **state)
{
    (void)state;
    put_file("# was: " KEY_2 "\n" LINE_1 LINE_2);
    assert_refused(SL_KEY_DESTROY, "k2", "a second time");
    put_file(LINE_1 LINE_2 "k3 decrypt " KEY_2 " " CHECK_2 "\n");
    assert_refused(SL_KEY_DESTROY, "k2", "a second time");
}

static void keeps_comments_order_and_blanks(void **state)
{
    (void)state;
    put_file("\n# k2 active is a comment\r\n  k2\tdecrypt  " KEY_2 "\t" CHECK_2 " \r\n\n"
             "   # more\n\tk1   active " KEY_1 "  " CHECK_1 "\n# end, without a line end");
    assert_int_equal(change(SL_KEY_ACTIVATE, "k2", NULL), SL_OK);
    assert_string_equal(
        get_file(), "\n# k2 active is a comment\r\n  k2\tactive  " KEY_2 "\t" CHECK_2 " \r\n\n"
                    "   # more\n\tk1   decrypt " KEY_1 "  " CHECK_1 "\n# end, without a line end");
    assert_int_equal(change(SL_KEY_DESTROY, "k1", NULL), SL_OK);
    assert_string_equal(
        get_file(), "\n# k2 active is a comment\r\n  k2\tactive  " KEY_2 "\t" CHECK_2 " \r\n\n"
                    "   # more\n\tk1   retired destroyed  " CHECK_1 "\n# end, without a line end");
}

static void changes_nothing_when_only_asked_whether_it_could(void **state)
{
    SL_AUTO(ring_done) struct sl_keyring *ring = NULL;
    const struct sl_key_edit edit = { SL_KEY_DESTROY, SL_STR("k2"), .is_dry = true };

    (void)state;
    put_file(LINE_1 LINE_2);
    assert_int_equal(sl_key_edit(path, &edit, &ring, NULL), SL_OK);
    assert_null(sl_keyring_at(ring, 1)->master);
    assert_string_equal(get_file(), LINE_1 LINE_2);
}

static void changes_no_file_that_a_run_would_refuse(void **state)
{
    (void)state;
    put_file("k1 active " KEY_1 " " CHECK_2 "\n");
    assert_refused(SL_KEY_ADD, "", "check value differs");
    put_file("nonsense\n" LINE_1);
    assert_refused(SL_KEY_ADD, "", "four words");
    put_file("");
    assert_refused(SL_KEY_ADD, "", "no key is active");
    put_file("{\"active\":\"k1\",\"keys\":{\"k1\":\"" KEY_1 "\"}}");
    assert_refused(SL_KEY_ADD, "", "is JSON");
    put_file(LINE_1);
    assert_int_equal(chmod(path, 0604), 0);
    assert_refused(SL_KEY_ADD, "", "chmod 6");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(change(SL_KEY_ADD, "", NULL), SL_KEY);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(change(SL_KEY_ADD, "", NULL), SL_KEY);
}

static void refuses_a_file_with_a_second_name(void **state)
{
    char link_path[160];

    (void)state;
    (void)snprintf(link_path, sizeof link_path, "%s.link", path);
    put_file(LINE_1 LINE_2);
    assert_int_equal(link(path, link_path), 0);
    assert_refused(SL_KEY_DESTROY, "k2", "second name");
}

static void changes_the_file_behind_a_symbolic_link(void **state)
{
    SL_AUTO(ring_done) struct sl_keyring *ring = NULL;
    const struct sl_key_edit edit = { SL_KEY_ACTIVATE, SL_STR("k2"), false };
    char link_path[160];
    struct stat st;

    (void)state;
    (void)snprintf(link_path, sizeof link_path, "%s.link", path);
    put_file(LINE_1 LINE_2);
    assert_int_equal(symlink(path, link_path), 0);
    assert_int_equal(sl_key_edit(link_path, &edit, &ring, NULL), SL_OK);
    assert_int_equal(lstat(link_path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_non_null(strstr(get_file(), "k2 active"));
}

static void keeps_mode_owner_and_group(void **state)
{
    struct stat st;

    (void)state;
    put_file(LINE_1 LINE_2);
    assert_int_equal(change(SL_KEY_ADD, "", NULL), SL_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(chmod(path, 0400), 0);
    assert_int_equal(change(SL_KEY_ADD, "", NULL), SL_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0400);
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(chown(path, 0, NOBODY), 0); /* a service reads it through its group */
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(change(SL_KEY_ADD, "", NULL), SL_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(st.st_uid, 0);
    assert_int_equal(st.st_gid, NOBODY);
    assert_int_equal(chmod(path, 0660), 0);
    assert_refused(SL_KEY_ADD, "", "others may use it");
}

static void leaves_the_old_file_when_it_may_not_keep_its_owner(void **state)
{
    struct sl_err e = { 0 };
    sl_rc rc;

    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    put_file(LINE_1);
    assert_int_equal(chown(path, 0, NOBODY), 0);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(chown(dir, NOBODY, NOBODY), 0);
    assert_int_equal(setegid(NOBODY), 0);
    assert_int_equal(seteuid(NOBODY), 0);
    rc = change(SL_KEY_ADD, "", &e);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(setegid(0), 0);
    assert_int_equal(rc, SL_IO);
    assert_non_null(strstr(e.msg, "cannot keep owner"));
    assert_string_equal(get_file(), LINE_1);
}

static void leaves_the_old_file_when_there_is_no_room(void **state)
{
    struct rlimit limit;
    struct rlimit was;
    struct sl_err e = { 0 };
    sl_rc rc;

    (void)state;
    put_file(LINE_1 LINE_2);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    limit = (struct rlimit){ .rlim_cur = 40, .rlim_max = was.rlim_max };
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    rc = change(SL_KEY_DESTROY, "k2", &e);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    assert_int_equal(rc, SL_IO);
    assert_non_null(strstr(e.msg, "File too large"));
    assert_string_equal(get_file(), LINE_1 LINE_2);
}

static void removes_what_a_killed_change_left(void **state)
{
    char left[160];
    FILE *f;

    (void)state;
    put_file(LINE_1);
    (void)snprintf(left, sizeof left, "%s.rewrite", path);
    f = fopen(left, "we");
    assert_non_null(f);
    assert_true(fputs("k1 active half", f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(change(SL_KEY_ADD, "", NULL), SL_OK);
    assert_int_equal(access(left, F_OK), -1);
    assert_non_null(strstr(get_file(), "k2 decrypt"));
}

/* Turns the keys over and over, a byte into the pipe after each turn. */
static _Noreturn void turn_forever(int done)
{
    for (int i = 0;; i++) {
        if (change(SL_KEY_ACTIVATE, i % 2 == 0 ? "k2" : "k1", NULL) != SL_OK &&
            change(SL_KEY_ACTIVATE, i % 2 == 0 ? "k1" : "k2", NULL) != SL_OK) {
            _exit(1);
        }
        if (write(done, "", 1) != 1) {
            _exit(1);
        }
    }
}

static void kill_one_that_turns(int turns)
{
    char byte;
    int ends[2];
    int status = 0;
    pid_t child;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        turn_forever(ends[1]);
    }
    assert_int_equal(close(ends[1]), 0);
    for (int i = 0; i < turns; i++) {
        assert_int_equal(read(ends[0], &byte, 1), 1);
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(close(ends[0]), 0);
}

static void loses_nothing_when_killed(void **state)
{
    (void)state;
    put_file("# mine\n" LINE_1 LINE_2);
    for (int i = 0; i < KILLS; i++) {
        SL_AUTO(ring_done) struct sl_keyring *ring = NULL;

        kill_one_that_turns(1 + i % 5);
        assert_int_equal(sl_key_file_open(path, &ring, NULL), SL_OK);
        assert_int_equal(sl_keyring_n(ring), 2);
        assert_string_equal(sl_keyring_at(ring, 0)->check, CHECK_1);
        assert_string_equal(sl_keyring_at(ring, 1)->check, CHECK_2);
        assert_int_equal(strncmp(get_file(), "# mine\n", 7), 0);
    }
    remove_one(".rewrite"); /* of the last one that was killed, perhaps */
}

static void loses_no_key_when_many_add_at_once(void **state)
{
    SL_AUTO(ring_done) struct sl_keyring *ring = NULL;
    pid_t children[EDITS];

    (void)state;
    put_file(LINE_1);
    for (int i = 0; i < EDITS; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            _exit(change(SL_KEY_ADD, "", NULL) == SL_OK && change(SL_KEY_ADD, "", NULL) == SL_OK
                      ? 0
                      : 1);
        }
    }
    for (int i = 0; i < EDITS; i++) {
        int status = 1;

        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(sl_key_file_open(path, &ring, NULL), SL_OK);
    assert_int_equal(sl_keyring_n(ring), 1 + 2 * EDITS);
}

#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, dir_begin, dir_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST(adds_a_key_that_only_decrypts),
        FILE_TEST(adds_another_key_each_time),
        FILE_TEST(names_the_id_after_the_highest),
        FILE_TEST(adds_a_line_after_a_last_line_without_an_end),
        FILE_TEST(never_uses_an_id_again),
        FILE_TEST(adds_no_key_that_a_ring_cannot_hold),
        FILE_TEST(makes_no_file_that_is_too_large_to_read),
        FILE_TEST(activates_one_key_and_lets_the_other_decrypt),
        FILE_TEST(activates_only_a_key_that_decrypts),
        FILE_TEST(retires_a_key_that_decrypts),
        FILE_TEST(never_retires_or_destroys_the_active_key),
        FILE_TEST(destroys_the_bytes_and_keeps_the_id),
        FILE_TEST(writes_zeros_over_the_file_that_held_a_destroyed_key),
        FILE_TEST(destroys_no_key_that_stands_there_twice),
        FILE_TEST(keeps_comments_order_and_blanks),
        FILE_TEST(changes_nothing_when_only_asked_whether_it_could),
        FILE_TEST(changes_no_file_that_a_run_would_refuse),
        FILE_TEST(refuses_a_file_with_a_second_name),
        FILE_TEST(changes_the_file_behind_a_symbolic_link),
        FILE_TEST(keeps_mode_owner_and_group),
        FILE_TEST(leaves_the_old_file_when_it_may_not_keep_its_owner),
        FILE_TEST(leaves_the_old_file_when_there_is_no_room),
        FILE_TEST(removes_what_a_killed_change_left),
        FILE_TEST(loses_nothing_when_killed),
        FILE_TEST(loses_no_key_when_many_add_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
