/* keys/key_file.c - a key ring in a file. */
#include "keys/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keys/key_io.h"
#include "keys/key_json.h"
#include "keys/key_line.h"
#include "keys/keyring_build.h"

static const char file_head[] =
    "# sluice key ring: the keys that turn masked values back into the originals.\n"
    "# Whoever has this file can read them; if it is lost, so are the originals, for good.\n"
    "# Keep a copy elsewhere, away from the data, readable by nobody else (mode 0600).\n"
    "# id state key check_value; states: active (exactly one), decrypt, retired\n";

static sl_rc file_fill(const char *name, sl_str text, struct sl_keyring *ring, struct sl_err *e)
{
    struct sl_err why = { 0 };
    unsigned number = 0;

    while (text.len > 0) {
        const sl_str line = sl_str_cut(&text, '\n');
        sl_rc rc;

        number++;
        if (sl_key_line_is_plain(line)) {
            continue;
        }
        rc = sl_key_line_read(sl_str_trim(line), ring, &why);
        if (rc != SL_OK) {
            return SL_FAIL(e, rc, "keys from %s:%u: %s", name, number, why.msg);
        }
    }
    return SL_OK;
}

static sl_rc file_parse(const char *name, sl_str text, struct sl_keyring *ring, struct sl_err *e)
{
    struct sl_err why = { 0 };
    sl_rc rc = SL_OK;

    if (sl_key_json_is(text)) {
        rc = sl_key_json_read(text, ring, &why);
    } else {
        SL_TRY(file_fill(name, text, ring, e));
    }
    if (rc == SL_OK) {
        rc = sl_keyring_finish(ring, &why);
    }
    return rc == SL_OK ? SL_OK : SL_FAIL(e, rc, "keys from %s: %s", name, why.msg);
}

sl_rc sl_key_file_parse(const char *name, sl_str text, struct sl_keyring **ret, struct sl_err *e)
{
    struct sl_keyring *ring;
    sl_rc rc;

    SL_TRY(sl_keyring_new(&ring, e));
    rc = file_parse(name, text, ring, e);
    if (rc != SL_OK) {
        sl_keyring_free(ring);
        return rc;
    }
    *ret = ring;
    return SL_OK;
}

sl_rc sl_key_file_open(const char *path, struct sl_keyring **ret, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf text = sl_key_io_buf();
    SL_AUTO(sl_key_io_done) int fd = -1;

    SL_TRY(sl_key_io_open(path, &fd, e));
    SL_TRY(sl_key_io_check("key file", path, fd, e));
    SL_TRY(sl_key_io_read(path, fd, &text, e));
    return sl_key_file_parse(path, sl_buf_str(&text), ret, e);
}

sl_rc sl_key_file_create(const char *path, sl_str id, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf text = sl_key_io_buf();
    SL_AUTO(sl_key_io_done) int fd = -1;
    sl_rc rc;

    if (!sl_key_id_is_valid(id)) {
        return SL_FAIL(e, SL_KEY, "a key id is 1 to %d of a-z and 0-9", SL_KEY_ID_MAX);
    }
    sl_buf_add_str(&text, sl_str_of(file_head));
    SL_TRY(sl_key_line_new(id, SL_KEY_ACTIVE, &text, e));
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, S_IRUSR | S_IWUSR);
    if (fd < 0 && errno == EEXIST) {
        return SL_FAIL(e, SL_KEY, "%s exists: a key file is never overwritten", path);
    }
    if (fd < 0) {
        return SL_FAIL(e, SL_IO, "cannot create key file %s: %s", path, strerrordesc_np(errno));
    }
    rc = sl_key_io_write(path, fd, sl_buf_str(&text), e);
    if (rc != SL_OK) {
        (void)unlink(path); /* ours alone: O_EXCL made it, and half a key is no key */
        return rc;
    }
    sl_key_io_sync_name(path);
    return SL_OK;
}
