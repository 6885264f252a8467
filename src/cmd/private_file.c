/* cmd/private_file.c - a file for cleartext that another program must open. */
#include "cmd/private_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static const char file_name[] = "body.json";

void sl_private_places(const char *ret[static 3])
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    unsigned n = 0;

    if (runtime != NULL && runtime[0] == '/') {
        ret[n++] = runtime;
    }
    ret[n++] = "/dev/shm";
    ret[n] = NULL;
}

/* ---- making it ------------------------------------------------------------------------------------ */

static bool is_in_memory(int fd)
{
    struct statfs about;

    return fstatfs(fd, &about) == 0 && (about.f_type == TMPFS_MAGIC || about.f_type == RAMFS_MAGIC);
}

/* mkdtemp makes it for this user alone, under a name that nobody has. */
static bool dir_make(struct sl_private_file *f, const char *place)
{
    const int n = snprintf(f->dir, sizeof f->dir - sizeof file_name, "%s/sluice-XXXXXX", place);

    if (n < 0 || (size_t)n >= sizeof f->dir - sizeof file_name || mkdtemp(f->dir) == NULL) {
        f->dir[0] = '\0';
        return false;
    }
    f->dir_fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (f->dir_fd >= 0 && is_in_memory(f->dir_fd)) {
        return true;
    }
    if (f->dir_fd >= 0) {
        (void)close(f->dir_fd);
    }
    (void)rmdir(f->dir);
    f->dir[0] = '\0';
    return false;
}

static sl_rc write_all(int fd, sl_str text, struct sl_err *e)
{
    while (text.len > 0) {
        const ssize_t n = write(fd, text.ptr, text.len);

        if (n < 0 && errno != EINTR) {
            return SL_FAIL(e, SL_IO, "could not write a file in memory: %s",
                           strerrordesc_np(errno));
        }
        text.ptr += n > 0 ? n : 0;
        text.len -= n > 0 ? (size_t)n : 0;
    }
    return SL_OK;
}

static sl_rc file_make(struct sl_private_file *f, sl_str text, struct sl_err *e)
{
    const int fd =
        openat(f->dir_fd, file_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    sl_rc rc;

    if (fd < 0) {
        return SL_FAIL(e, SL_IO, "could not make a file in %s: %s", f->dir, strerrordesc_np(errno));
    }
    (void)snprintf(f->path, sizeof f->path, "%.*s/%s", (int)(sizeof f->dir - sizeof file_name - 1),
                   f->dir, file_name);
    rc = write_all(fd, text, e);
    (void)close(fd);
    return rc;
}

sl_rc sl_private_file_open(struct sl_private_file *f, const char *const *places, sl_str text,
                           struct sl_err *e)
{
    sl_rc rc;

    *f = (struct sl_private_file){ .dir_fd = -1 };
    while (*places != NULL && !dir_make(f, *places)) {
        places++;
    }
    if (*places == NULL) {
        return SL_FAIL(e, SL_IO,
                       "no place in memory for the cleartext, which must not reach a disk: mount a "
                       "tmpfs on /dev/shm, or let XDG_RUNTIME_DIR name one");
    }
    rc = file_make(f, text, e);
    if (rc != SL_OK) {
        (void)!sl_private_file_close(f, NULL);
    }
    return rc;
}

/* ---- reading it ----------------------------------------------------------------------------------- */

/* Editors replace a file as well as write into it: it is found by its name. */
static sl_rc read_all(int fd, struct sl_buf *out, struct sl_err *e)
{
    struct stat about;
    ssize_t n = 1;

    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        return SL_FAIL(e, SL_IO, "what the editor left is no file");
    }
    sl_buf_reset(out);
    while (n > 0) {
        char *at = sl_buf_reserve(out, 64 << 10);

        SL_TRY(sl_buf_rc(out, e));
        n = read(fd, at, 64 << 10);
        out->len += n > 0 ? (size_t)n : 0;
        n = n < 0 && errno == EINTR ? 1 : n;
    }
    return n < 0 ? SL_FAIL(e, SL_IO, "could not read what the editor left: %s",
                           strerrordesc_np(errno))
                 : SL_OK;
}

sl_rc sl_private_file_read(const struct sl_private_file *f, struct sl_buf *out, struct sl_err *e)
{
    const int fd = openat(f->dir_fd, file_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    sl_rc rc;

    if (fd < 0) {
        return SL_FAIL(e, SL_IO, "could not read what the editor left: %s", strerrordesc_np(errno));
    }
    rc = read_all(fd, out, e);
    (void)close(fd);
    return rc;
}

/* ---- wiping it ------------------------------------------------------------------------------------ */

static void wipe(int dir_fd, const char *name)
{
    static const char zeros[4096];
    const int fd = openat(dir_fd, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat about;
    off_t at = 0;

    if (fd < 0) {
        return;
    }
    if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode)) {
        while (at < about.st_size) {
            const ssize_t n = pwrite(fd, zeros, sizeof zeros, at);

            at = n > 0 ? at + n : about.st_size;
        }
    }
    (void)close(fd);
}

static void wipe_all(int dir_fd)
{
    DIR *dir = fdopendir(dir_fd);
    const struct dirent *name;

    while (dir != NULL && (name = readdir(dir)) != NULL) {
        wipe(dir_fd, name->d_name);
        (void)unlinkat(dir_fd, name->d_name, 0);
    }
    if (dir != NULL) {
        (void)closedir(dir);
    } else {
        (void)close(dir_fd);
    }
}

sl_rc sl_private_file_close(struct sl_private_file *f, struct sl_err *e)
{
    if (f->dir[0] == '\0') {
        return SL_OK;
    }
    wipe_all(f->dir_fd);
    if (rmdir(f->dir) != 0) {
        return SL_FAIL(e, SL_IO, "could not remove %s, which may hold cleartext: %s", f->dir,
                       strerrordesc_np(errno));
    }
    f->dir[0] = '\0';
    return SL_OK;
}
