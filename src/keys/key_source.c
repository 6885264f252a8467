/* keys/key_source.c - where the keys come from. */
#include "keys/key_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "keys/key_command.h"
#include "keys/key_file.h"
#include "keys/key_io.h"
#include "keys/key_kms.h"
#include "net/aws_secret.h"

enum { COMMAND_PRESET_MS = 30000 };

/* One opening: what a source reads into, and what to call it in messages. */
struct reading {
    const struct sl_key_source *source;
    struct sl_arena arena;
    struct sl_buf text;
    sl_str name;
};

static void reading_done(struct reading *r)
{
    sl_buf_done(&r->text);
    sl_arena_done(&r->arena);
}

/* The arena puts a NUL behind each. */
static sl_rc reading_check(sl_str s, struct sl_err *e)
{
    return s.ptr != NULL ? SL_OK : SL_FAIL(e, SL_NOMEM, "could not copy the name of a key source");
}

static sl_rc source_file(struct reading *r, struct sl_err *e)
{
    SL_AUTO(sl_key_io_done) int fd = -1;

    r->name = sl_arena_copy(&r->arena, r->source->file);
    SL_TRY(reading_check(r->name, e));
    SL_TRY(sl_key_io_open(r->name.ptr, &fd, e));
    SL_TRY(sl_key_io_check("key file", r->name.ptr, fd, e));
    return sl_key_io_read(r->name.ptr, fd, &r->text, e);
}

/* Wiped where it stands: /proc shows the place to the same user, and children inherit it. */
static sl_rc source_env(struct reading *r, struct sl_err *e)
{
    char *value;
    size_t n;

    r->name = sl_arena_printf(&r->arena, "$%" SL_FMT, SL_ARG(r->source->env));
    SL_TRY(reading_check(r->name, e));
    value = getenv(r->name.ptr + 1);
    if (value == NULL) {
        return SL_FAIL(e, SL_KEY, "there are no keys in %s: it is not set", r->name.ptr);
    }
    n = strlen(value);
    if (n <= SL_KEY_FILE_MAX) {
        sl_buf_add(&r->text, value, n);
    }
    explicit_bzero(value, n);
    (void)unsetenv(r->name.ptr + 1);
    if (n > SL_KEY_FILE_MAX) {
        return SL_FAIL(e, SL_KEY, "keys from %s are over %d bytes", r->name.ptr, SL_KEY_FILE_MAX);
    }
    return sl_buf_rc(&r->text, e);
}

static sl_rc source_fd(struct reading *r, struct sl_err *e)
{
    SL_AUTO(sl_key_io_done) int fd = r->source->fd;

    r->name = sl_arena_printf(&r->arena, "descriptor %d", fd);
    SL_TRY(reading_check(r->name, e));
    return sl_key_io_read(r->name.ptr, fd, &r->text, e);
}

static sl_rc source_command(struct reading *r, struct sl_err *e)
{
    const struct sl_key_command command = {
        .words = r->source->command,
        .limit_ms = r->source->command_ms != 0 ? r->source->command_ms : COMMAND_PRESET_MS,
        .stop = r->source->stop,
    };

    return sl_key_command_read(&command, &r->arena, &r->name, &r->text, e);
}

static sl_rc credential_check(const char *name, int fd, struct sl_err *e)
{
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0) {
        return SL_FAIL(e, SL_KEY, "cannot open %s: %s", name, strerrordesc_np(errno));
    }
    return S_ISREG(st.st_mode) ? SL_OK : SL_FAIL(e, SL_KEY, "%s is not a regular file", name);
}

static sl_rc source_credential(struct reading *r, struct sl_err *e)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    const sl_str name = r->source->credential;
    SL_AUTO(sl_key_io_done) int fd = -1;
    sl_str path;

    if (memchr(name.ptr, '/', name.len) != NULL) {
        return SL_FAIL(e, SL_CONFIG, "the name of a credential has no '/'");
    }
    if (folder == NULL || folder[0] != '/') {
        return SL_FAIL(e, SL_KEY,
                       "there is no credential %" SL_FMT ": CREDENTIALS_DIRECTORY is not set; "
                       "systemd sets it for a unit with LoadCredential=",
                       SL_ARG(name));
    }
    r->name = sl_arena_printf(&r->arena, "credential %" SL_FMT, SL_ARG(name));
    path = sl_arena_printf(&r->arena, "%s/%" SL_FMT, folder, SL_ARG(name));
    SL_TRY(reading_check(r->name, e));
    SL_TRY(reading_check(path, e));
    fd = open(path.ptr, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    SL_TRY(credential_check(r->name.ptr, fd, e));
    return sl_key_io_read(r->name.ptr, fd, &r->text, e);
}

/* Nobody else may choose the keys, but all may see the file. */
static sl_rc wrapped_check(const char *path, int fd, struct sl_err *e)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return SL_FAIL(e, SL_KEY, "key file %s is not a regular file", path);
    }
    if ((st.st_uid != geteuid() && st.st_uid != 0) || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return SL_FAIL(e, SL_KEY,
                       "others may write key file %s: it must belong to user %u or root, with mode "
                       "0644 at most",
                       path, (unsigned)geteuid());
    }
    return SL_OK;
}

static sl_rc source_kms(struct reading *r, struct sl_err *e)
{
    SL_AUTO(sl_key_io_done) int fd = -1;
    SL_AUTO(sl_buf_done) struct sl_buf wrapped = sl_key_io_buf();
    const struct sl_key_source *s = r->source;

    r->name = sl_arena_copy(&r->arena, s->kms_file);
    SL_TRY(reading_check(r->name, e));
    SL_TRY(sl_key_io_open(r->name.ptr, &fd, e));
    SL_TRY(wrapped_check(r->name.ptr, fd, e));
    SL_TRY(sl_key_io_read(r->name.ptr, fd, &wrapped, e));
    return sl_key_kms_unwrap(r->name.ptr, sl_buf_str(&wrapped), s->aws, s->stop, &r->text, e);
}

static sl_rc source_secret(struct reading *r, struct sl_err *e)
{
    const struct sl_key_source *s = r->source;
    struct sl_err why = { 0 };
    sl_rc rc;

    r->name = sl_arena_printf(&r->arena, "secret %" SL_FMT, SL_ARG(s->secret_arn));
    SL_TRY(reading_check(r->name, e));
    rc = sl_aws_secret_read(s->aws, s->secret_arn, SL_KEY, s->stop, &r->text, &why);
    return rc == SL_OK ? SL_OK : SL_FAIL(e, rc, "keys from %s: %.1000s", r->name.ptr, why.msg);
}

/* A new source is one row, and a function that reads it. */
static sl_rc reading_read(struct reading *r, struct sl_err *e)
{
    const struct sl_key_source *s = r->source;

    const struct {
        const char *name;
        bool is_set;
        sl_rc (*read)(struct reading *r, struct sl_err *e);
    } sources[] = {
        { "file", s->file.len > 0, source_file },
        { "env", s->env.len > 0, source_env },
        { "fd", s->fd >= 0, source_fd },
        { "command", s->command.len > 0, source_command },
        { "credential", s->credential.len > 0, source_credential },
        { "kms.file", s->kms_file.len > 0, source_kms },
        { "secret", s->secret_arn.len > 0, source_secret },
    };

    const size_t n = sizeof sources / sizeof sources[0];
    size_t chosen = n;

    for (size_t i = 0; i < n; i++) {
        if (sources[i].is_set && chosen < n) {
            return SL_FAIL(e, SL_CONFIG, "keys come from one place, not from %s and %s",
                           sources[chosen].name, sources[i].name);
        }
        if (sources[i].is_set) {
            chosen = i;
        }
    }
    return chosen < n ? sources[chosen].read(r, e)
                      : SL_FAIL(e, SL_CONFIG, "nothing says where the keys come from");
}

sl_rc sl_keys_open(const struct sl_key_source *source, struct sl_keyring **ret, struct sl_err *e)
{
    SL_AUTO(reading_done) struct reading r = { .source = source, .text = sl_key_io_buf() };

    sl_arena_init(&r.arena, 256 << 10, 4 << 10);
    SL_TRY(reading_read(&r, e));
    return sl_key_file_parse(r.name.ptr, sl_buf_str(&r.text), ret, e);
}
