/* tests/unit/test_private_file.c - cleartext for another program is in memory, one user's alone, and
 * wiped. */
#include <fcntl.h>
#include <linux/magic.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

#include "cmd/private_file.h"

static const char *const in_memory[] = { "/dev/shm", NULL };

static struct sl_private_file file_of(const char *text)
{
    struct sl_private_file f;

    assert_int_equal(sl_private_file_open(&f, in_memory, sl_str_of(text), NULL), SL_OK);
    return f;
}

/* A file that an editor puts beside the one it was given, open to read. */
static int beside(const struct sl_private_file *f, const char *name, sl_str text)
{
    const int fd = openat(f->dir_fd, name, O_RDWR | O_CREAT | O_EXCL, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text.ptr, text.len), (ssize_t)text.len);
    return fd;
}

static void it_is_for_one_user_and_in_memory(void **state)
{
    struct sl_private_file f = file_of("secret");
    struct stat file;
    struct stat dir;
    struct statfs system;

    (void)state;
    assert_int_equal(stat(f.path, &file), 0);
    assert_int_equal(stat(f.dir, &dir), 0);
    assert_int_equal(statfs(f.path, &system), 0);
    assert_int_equal(file.st_mode & 07777, 0600);
    assert_int_equal(dir.st_mode & 07777, 0700);
    assert_true(file.st_uid == geteuid() && dir.st_uid == geteuid());
    assert_true(system.f_type == TMPFS_MAGIC);
    assert_int_equal(sl_private_file_close(&f, NULL), SL_OK);
    assert_int_not_equal(access(f.path, F_OK), 0);
}

static void a_place_on_a_disk_is_refused_and_nothing_is_left_there(void **state)
{
    char place[] = "private-XXXXXX";
    const char *places[] = { "/nowhere", "/proc", mkdtemp(place), NULL };
    struct sl_private_file f;
    struct statfs system;
    struct sl_err e = { 0 };

    (void)state;
    assert_non_null(places[2]);
    if (statfs(place, &system) != 0 || system.f_type == TMPFS_MAGIC) {
        (void)rmdir(place);
        skip(); /* built in memory: there is no disk to refuse */
    }
    assert_int_equal(sl_private_file_open(&f, places, SL_STR("secret"), &e), SL_IO);
    assert_non_null(strstr(e.msg, "tmpfs"));
    assert_int_equal(rmdir(place), 0); /* which an empty one lets do */
    assert_int_equal(sl_private_file_close(&f, NULL), SL_OK);
}

static void the_first_place_in_memory_is_taken(void **state)
{
    const char *places[] = { "/proc", "/dev/shm", NULL };
    struct sl_private_file f;

    (void)state;
    assert_int_equal(sl_private_file_open(&f, places, SL_STR("x"), NULL), SL_OK);
    assert_memory_equal(f.path, "/dev/shm/sluice-", 16);
    assert_int_equal(sl_private_file_close(&f, NULL), SL_OK);
}

static void it_is_read_back_whoever_replaced_it(void **state)
{
    struct sl_private_file f = file_of("before");
    SL_AUTO(sl_buf_done) struct sl_buf out = { .max_bytes = 1 << 20 };

    (void)state;
    assert_int_equal(sl_private_file_read(&f, &out, NULL), SL_OK);
    assert_true(sl_str_eq(sl_buf_str(&out), SL_STR("before")));
    (void)close(beside(&f, "new", SL_STR("after")));
    assert_int_equal(renameat(f.dir_fd, "new", f.dir_fd, strrchr(f.path, '/') + 1), 0);
    assert_int_equal(sl_private_file_read(&f, &out, NULL), SL_OK);
    assert_true(sl_str_eq(sl_buf_str(&out), SL_STR("after")));
    assert_int_equal(unlink(f.path), 0);
    assert_int_equal(sl_private_file_read(&f, &out, NULL), SL_IO);
    assert_int_equal(sl_private_file_close(&f, NULL), SL_OK);
}

static void more_than_the_limit_is_not_read(void **state)
{
    struct sl_private_file f = file_of("");
    SL_AUTO(sl_buf_done) struct sl_buf out = { .max_bytes = 200 << 10 };

    (void)state;
    assert_int_equal(truncate(f.path, 300 << 10), 0);
    assert_int_equal(sl_private_file_read(&f, &out, NULL), SL_NOMEM);
    assert_int_equal(sl_private_file_close(&f, NULL), SL_OK);
}

static void all_that_stands_beside_it_is_overwritten_and_gone(void **state)
{
    struct sl_private_file f = file_of("secret");
    char text[10000];
    char wiped[sizeof text];
    int fd;

    (void)state;
    memset(text, 's', sizeof text);
    fd = beside(&f, ".body.json.swp", (sl_str){ text, sizeof text });
    assert_int_equal(symlinkat("/etc/hostname", f.dir_fd, "link"), 0);
    assert_int_equal(sl_private_file_close(&f, NULL), SL_OK);
    assert_int_equal(access(f.path, F_OK), -1);
    assert_true(pread(fd, wiped, sizeof wiped, 0) == (ssize_t)sizeof wiped);
    for (size_t i = 0; i < sizeof wiped; i++) {
        assert_int_equal(wiped[i], 0);
    }
    (void)close(fd);
    assert_int_equal(access("/etc/hostname", F_OK), 0);
}

static void what_cannot_be_removed_is_named(void **state)
{
    struct sl_private_file f = file_of("secret");
    char dir[SL_PRIVATE_PATH_MAX];
    char left[SL_PRIVATE_PATH_MAX + 8];
    struct sl_err e = { 0 };

    (void)state;
    assert_int_equal(mkdirat(f.dir_fd, "left", 0700), 0);
    memcpy(dir, f.dir, sizeof dir);
    assert_int_equal(sl_private_file_close(&f, &e), SL_IO);
    assert_non_null(strstr(e.msg, dir));
    (void)snprintf(left, sizeof left, "%s/left", dir);
    assert_int_equal(rmdir(left), 0);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_for_one_user_and_in_memory),
        cmocka_unit_test(a_place_on_a_disk_is_refused_and_nothing_is_left_there),
        cmocka_unit_test(the_first_place_in_memory_is_taken),
        cmocka_unit_test(it_is_read_back_whoever_replaced_it),
        cmocka_unit_test(more_than_the_limit_is_not_read),
        cmocka_unit_test(all_that_stands_beside_it_is_overwritten_and_gone),
        cmocka_unit_test(what_cannot_be_removed_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
