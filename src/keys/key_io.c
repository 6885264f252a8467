/* keys/key_io.c - the files that keys stand in. */
#include "keys/key_io.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

void sl_key_io_done(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
    *fd = -1;
}

sl_rc sl_key_io_open(const char *path, int *ret_fd, struct sl_err *e)
{
    /* O_NONBLOCK: a fifo must not hang the start, it is refused later. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT) {
        return SL_FAIL(e, SL_KEY, "there is no key file %s: make one with 'sluice keys new'", path);
    }
    if (fd < 0) {
        return SL_FAIL(e, SL_KEY, "cannot open key file %s: %s", path, strerrordesc_np(errno));
    }
    *ret_fd = fd;
    return SL_OK;
}

/* The bits that nobody may have.  Through its group a service gets a file of root's. */
static mode_t io_forbidden(const struct stat *st)
{
    return (S_IRWXG | S_IRWXO) & ~(st->st_uid == 0 ? (mode_t)S_IRGRP : 0);
}

/* Root may look at what a service reads: what it is told must leave that service its file. */
static const char *io_advice(const struct stat *st)
{
    const bool has_group = st->st_uid == 0 && (geteuid() != 0 || (st->st_mode & S_IRGRP) != 0);

    return has_group ? "640" : "600";
}

sl_rc sl_key_io_check(const char *what, const char *path, int fd, struct sl_err *e)
{
    const uid_t self = geteuid();
    struct stat st;

    if (fstat(fd, &st) != 0) {
        return SL_FAIL(e, SL_KEY, "cannot look at %s %s: %s", what, path, strerrordesc_np(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        return SL_FAIL(e, SL_KEY, "%s %s is not a regular file", what, path);
    }
    if (st.st_uid != self && st.st_uid != 0) {
        return SL_FAIL(e, SL_KEY,
                       "%s %s belongs to user %u: it must belong to user %u, who runs this, "
                       "or to root; chown it",
                       what, path, (unsigned)st.st_uid, (unsigned)self);
    }
    if ((st.st_mode & io_forbidden(&st)) != 0) {
        return SL_FAIL(e, SL_KEY, "%s %s has mode %04o, so others may use it: chmod %s it", what,
                       path, (unsigned)(st.st_mode & 07777), io_advice(&st));
    }
    if (st.st_size > SL_KEY_FILE_MAX) {
        return SL_FAIL(e, SL_KEY, "%s %s is over %d bytes", what, path, SL_KEY_FILE_MAX);
    }
    return SL_OK;
}

struct sl_buf sl_key_io_buf(void)
{
    return (struct sl_buf){ .max_bytes = SL_KEY_FILE_MAX + 1 };
}

sl_rc sl_key_io_read(const char *name, int fd, struct sl_buf *text, struct sl_err *e)
{
    char *place = sl_buf_reserve(text, SL_KEY_FILE_MAX + 1);
    ssize_t got = 1;

    if (place == NULL) {
        return sl_buf_rc(text, e);
    }
    while (got > 0 && text->len <= SL_KEY_FILE_MAX) {
        got = read(fd, place + text->len, SL_KEY_FILE_MAX + 1 - text->len);
        if (got < 0 && errno == EINTR) {
            got = 1;
            continue;
        }
        if (got < 0) {
            return SL_FAIL(e, SL_KEY, "cannot read keys from %s: %s", name, strerrordesc_np(errno));
        }
        text->len += (size_t)got;
    }
    if (text->len > SL_KEY_FILE_MAX) {
        return SL_FAIL(e, SL_KEY, "keys from %s are over %d bytes", name, SL_KEY_FILE_MAX);
    }
    return SL_OK;
}

sl_rc sl_key_io_write(const char *path, int fd, sl_str text, struct sl_err *e)
{
    while (text.len > 0) {
        const ssize_t n = write(fd, text.ptr, text.len);

        if (n < 0 && errno != EINTR) {
            return SL_FAIL(e, SL_IO, "cannot write key file %s: %s", path, strerrordesc_np(errno));
        }
        if (n > 0) {
            text.ptr += n;
            text.len -= (size_t)n;
        }
    }
    if (fsync(fd) != 0) {
        return SL_FAIL(e, SL_IO, "cannot write key file %s: %s", path, strerrordesc_np(errno));
    }
    return SL_OK;
}

void sl_key_io_sync_name(const char *path)
{
    char copy[PATH_MAX];
    int fd;

    if (snprintf(copy, sizeof copy, "%s", path) >= (int)sizeof copy) {
        return;
    }
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
}
