/* keys/key_file.c - a key ring in a file. */
#include "keys/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "base/base64.h"
#include "base/buf.h"
#include "keys/keyring_build.h"

enum {
    FILE_MAX = 64 * 1024, /* bytes */
    KEY_CHARS = 44,       /* base64 of SL_KEY_BYTES */
};

static const char file_head[] =
    "# sluice key ring: the keys that turn masked values back into the originals.\n"
    "# Whoever has this file can read them; if it is lost, so are the originals, for good.\n"
    "# Keep a copy elsewhere, away from the data, readable by nobody else (mode 0600).\n"
    "# id state key check_value; states: active (exactly one), decrypt, retired\n";

static const struct {
    const char *name;
    enum sl_key_state state;
} states[] = {
    { "active", SL_KEY_ACTIVE },
    { "decrypt", SL_KEY_DECRYPT },
    { "retired", SL_KEY_RETIRED },
};

struct key_line {
    sl_str id;
    sl_str state;
    sl_str key;
    sl_str check;
};

static sl_str line_word(sl_str *rest)
{
    sl_str word;

    *rest = sl_str_trim(*rest);
    word = (sl_str){ rest->ptr, 0 };
    while (word.len < rest->len && rest->ptr[word.len] != ' ' && rest->ptr[word.len] != '\t') {
        word.len++;
    }
    if (word.len > 0) {
        rest->ptr += word.len;
        rest->len -= word.len;
    }
    return word;
}

/* No message quotes the line: a slip may have put the key into any of its fields. */
static sl_rc line_split(sl_str text, struct key_line *ret, struct sl_err *e)
{
    struct key_line line;

    line.id = line_word(&text);
    line.state = line_word(&text);
    line.key = line_word(&text);
    line.check = line_word(&text);
    if (line.check.len == 0 || sl_str_trim(text).len > 0) {
        return SL_FAIL(e, SL_KEY, "a line is four words: id state key check_value");
    }
    *ret = line;
    return SL_OK;
}

static sl_rc line_state(sl_str word, enum sl_key_state *ret, struct sl_err *e)
{
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (sl_str_eq(word, sl_str_of(states[i].name))) {
            *ret = states[i].state;
            return SL_OK;
        }
    }
    return SL_FAIL(e, SL_KEY, "the second word must be active, decrypt or retired");
}

static sl_rc line_master(sl_str word, unsigned char master[static SL_KEY_BYTES], struct sl_err *e)
{
    size_t n = 0;

    if (word.len != KEY_CHARS || !sl_base64_decode(SL_BASE64, word, master, SL_KEY_BYTES, &n) ||
        n != SL_KEY_BYTES) {
        return SL_FAIL(e, SL_KEY, "the third word must be base64 of %d bytes, %d characters",
                       SL_KEY_BYTES, KEY_CHARS);
    }
    return SL_OK;
}

/* Fills `master`, which the caller wipes. */
static sl_rc line_add(struct sl_keyring *ring, sl_str text,
                      unsigned char master[static SL_KEY_BYTES], struct sl_err *e)
{
    enum sl_key_state state = SL_KEY_RETIRED;
    struct key_line line = { 0 };
    const struct sl_key *key;

    SL_TRY(line_split(text, &line, e));
    SL_TRY(line_state(line.state, &state, e));
    SL_TRY(line_master(line.key, master, e));
    SL_TRY(sl_keyring_add(ring, line.id, state, master, e));
    key = sl_keyring_at(ring, sl_keyring_n(ring) - 1);
    if (!sl_str_eq(line.check, sl_str_of(key->check))) {
        return SL_FAIL(e, SL_KEY,
                       "the key is not the one that key %s was: its check value differs; "
                       "restore the line from a copy",
                       key->id);
    }
    return SL_OK;
}

static sl_rc file_fill(const char *name, sl_str text, struct sl_keyring *ring, struct sl_err *e)
{
    unsigned char master[SL_KEY_BYTES];
    struct sl_err why = { 0 };
    unsigned number = 0;
    sl_rc rc = SL_OK;

    while (rc == SL_OK && text.len > 0) {
        const sl_str line = sl_str_trim(sl_str_cut(&text, '\n'));

        number++;
        if (line.len > 0 && line.ptr[0] != '#') {
            rc = line_add(ring, line, master, &why);
        }
    }
    OPENSSL_cleanse(master, sizeof master);
    if (rc != SL_OK) {
        return SL_FAIL(e, rc, "key file %s:%u: %s", name, number, why.msg);
    }
    rc = sl_keyring_finish(ring, &why);
    if (rc != SL_OK) {
        return SL_FAIL(e, rc, "key file %s: %s", name, why.msg);
    }
    return SL_OK;
}

sl_rc sl_key_file_parse(const char *name, sl_str text, struct sl_keyring **ret, struct sl_err *e)
{
    struct sl_keyring *ring;
    sl_rc rc;

    SL_TRY(sl_keyring_new(&ring, e));
    rc = file_fill(name, text, ring, e);
    if (rc != SL_OK) {
        sl_keyring_free(ring);
        return rc;
    }
    *ret = ring;
    return SL_OK;
}

static void fd_done(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
}

/* Asked of the open descriptor, so that nobody swaps the file in between. */
static sl_rc file_check(const char *path, int fd, struct sl_err *e)
{
    const uid_t self = geteuid();
    mode_t forbidden = S_IRWXG | S_IRWXO;
    struct stat st;

    if (fstat(fd, &st) != 0) {
        return SL_FAIL(e, SL_KEY, "cannot look at key file %s: %s", path, strerrordesc_np(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        return SL_FAIL(e, SL_KEY, "key file %s is not a regular file", path);
    }
    if (st.st_uid != self && st.st_uid != 0) {
        return SL_FAIL(e, SL_KEY,
                       "key file %s belongs to user %u: it must belong to user %u, who runs this, "
                       "or to root; chown it",
                       path, (unsigned)st.st_uid, (unsigned)self);
    }
    if (st.st_uid == 0 && self != 0) {
        forbidden &= ~(mode_t)S_IRGRP; /* how a service gets a file of root's */
    }
    if ((st.st_mode & forbidden) != 0) {
        return SL_FAIL(e, SL_KEY, "key file %s has mode %04o, so others may use it: chmod %s it",
                       path, (unsigned)(st.st_mode & 07777), st.st_uid == self ? "600" : "640");
    }
    if (st.st_size > FILE_MAX) {
        return SL_FAIL(e, SL_KEY, "key file %s is over %d bytes", path, FILE_MAX);
    }
    return SL_OK;
}

static sl_rc file_read(const char *path, int fd, struct sl_buf *text, struct sl_err *e)
{
    char *place = sl_buf_reserve(text, FILE_MAX + 1);
    ssize_t got = 1;

    if (place == NULL) {
        return sl_buf_rc(text, e);
    }
    while (got > 0 && text->len <= FILE_MAX) {
        got = read(fd, place + text->len, FILE_MAX + 1 - text->len);
        if (got < 0 && errno == EINTR) {
            got = 1;
            continue;
        }
        if (got < 0) {
            return SL_FAIL(e, SL_KEY, "cannot read key file %s: %s", path, strerrordesc_np(errno));
        }
        text->len += (size_t)got;
    }
    if (text->len > FILE_MAX) {
        return SL_FAIL(e, SL_KEY, "key file %s is over %d bytes", path, FILE_MAX);
    }
    return SL_OK;
}

sl_rc sl_key_file_open(const char *path, struct sl_keyring **ret, struct sl_err *e)
{
    /* O_NONBLOCK: a fifo must not hang the start, it is refused below. */
    SL_AUTO(fd_done) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    SL_AUTO(sl_buf_done) struct sl_buf text = { .max_bytes = FILE_MAX + 1 };

    if (fd < 0 && errno == ENOENT) {
        return SL_FAIL(e, SL_KEY, "there is no key file %s: make one with 'sluice keys new'", path);
    }
    if (fd < 0) {
        return SL_FAIL(e, SL_KEY, "cannot open key file %s: %s", path, strerrordesc_np(errno));
    }
    SL_TRY(file_check(path, fd, e));
    SL_TRY(file_read(path, fd, &text, e));
    return sl_key_file_parse(path, sl_buf_str(&text), ret, e);
}

/* A whole file with one new key. */
static sl_rc file_text(sl_str id, struct sl_buf *out, struct sl_err *e)
{
    unsigned char master[SL_KEY_BYTES];
    char check[SL_KEY_CHECK_CHARS + 1];
    char *place;
    sl_rc rc;

    if (RAND_priv_bytes(master, sizeof master) != 1) {
        return SL_FAIL(e, SL_CRYPTO, "cannot make a key: libcrypto has no random bytes");
    }
    rc = sl_key_check_value(master, check, e);
    if (rc == SL_OK) {
        sl_buf_printf(out, "%s%" SL_FMT " active ", file_head, SL_ARG(id));
        place = sl_buf_reserve(out, KEY_CHARS);
        if (place != NULL) {
            out->len += sl_base64_encode(SL_BASE64, master, sizeof master, place);
        }
        sl_buf_printf(out, " %s\n", check);
        rc = sl_buf_rc(out, e);
    }
    OPENSSL_cleanse(master, sizeof master);
    return rc;
}

/* The name must survive a power cut as well as the bytes.  A file system that cannot sync a
 * directory is no reason to refuse. */
static void file_sync_name(const char *path)
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

static sl_rc file_write(const char *path, int fd, sl_str text, struct sl_err *e)
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

sl_rc sl_key_file_create(const char *path, sl_str id, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf text = { .max_bytes = FILE_MAX };
    SL_AUTO(fd_done) int fd = -1;
    sl_rc rc;

    if (!sl_key_id_is_valid(id)) {
        return SL_FAIL(e, SL_KEY, "a key id is 1 to %d of a-z and 0-9", SL_KEY_ID_MAX);
    }
    SL_TRY(file_text(id, &text, e));
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, S_IRUSR | S_IWUSR);
    if (fd < 0 && errno == EEXIST) {
        return SL_FAIL(e, SL_KEY, "%s exists: a key file is never overwritten", path);
    }
    if (fd < 0) {
        return SL_FAIL(e, SL_IO, "cannot create key file %s: %s", path, strerrordesc_np(errno));
    }
    rc = file_write(path, fd, sl_buf_str(&text), e);
    if (rc != SL_OK) {
        (void)unlink(path); /* ours alone: O_EXCL made it, and half a key is no key */
        return rc;
    }
    file_sync_name(path);
    return SL_OK;
}
