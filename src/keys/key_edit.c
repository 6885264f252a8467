/* keys/key_edit.c - changing a key file. */
#include "keys/key_edit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keys/key_file.h"
#include "keys/key_io.h"
#include "keys/key_json.h"
#include "keys/key_line.h"

enum {
    TEXT_MAX = SL_KEY_FILE_MAX + 256, /* one line more than may be, to say so */
    SWAPS_MAX = 100,                  /* other changes that finished while this one waited */
};

/* The file, locked, and what takes its place. */
struct edit_place {
    char path[PATH_MAX]; /* without symbolic links */
    char next[PATH_MAX];
    int fd; /* holds the lock */
    struct stat st;
};

static void place_done(struct edit_place *place)
{
    sl_key_io_done(&place->fd);
}

static void ring_done(struct sl_keyring **ring)
{
    sl_keyring_free(*ring);
}

/* ---- the file ---------------------------------------------------------------------------- */

static sl_rc place_lock(struct edit_place *place, struct sl_err *e)
{
    int rc;

    do {
        rc = flock(place->fd, LOCK_EX);
    } while (rc != 0 && errno == EINTR);
    if (rc != 0 || fstat(place->fd, &place->st) != 0) {
        return SL_FAIL(e, SL_IO, "cannot lock key file %s: %s", place->path,
                       strerrordesc_np(errno));
    }
    return SL_OK;
}

/* While it waited for the lock, another change may have put a new file under the name. */
static bool place_is_current(const struct edit_place *place)
{
    struct stat now;

    return stat(place->path, &now) == 0 && now.st_dev == place->st.st_dev &&
           now.st_ino == place->st.st_ino;
}

static sl_rc place_find(const char *path, struct edit_place *place, struct sl_err *e)
{
    int n;

    if (realpath(path, place->path) == NULL) {
        return errno == ENOENT
                   ? SL_FAIL(e, SL_KEY, "there is no key file %s: make one with 'sluice keys new'",
                             path)
                   : SL_FAIL(e, SL_KEY, "cannot open key file %s: %s", path,
                             strerrordesc_np(errno));
    }
    n = snprintf(place->next, sizeof place->next, "%s.rewrite", place->path);
    if (n < 0 || (size_t)n >= sizeof place->next) {
        return SL_FAIL(e, SL_KEY, "the path of key file %s is too long", path);
    }
    return SL_OK;
}

static sl_rc place_open(const char *path, struct edit_place *place, struct sl_err *e)
{
    SL_TRY(place_find(path, place, e));
    for (int i = 0; i < SWAPS_MAX; i++) {
        SL_TRY(sl_key_io_open(place->path, &place->fd, e));
        SL_TRY(sl_key_io_check("key file", path, place->fd, e));
        SL_TRY(place_lock(place, e));
        if (place_is_current(place)) {
            return place->st.st_nlink == 1
                       ? SL_OK
                       : SL_FAIL(e, SL_KEY,
                                 "key file %s has a second name (hard link), which would keep the "
                                 "old keys: remove that",
                                 path);
        }
        sl_key_io_done(&place->fd);
    }
    return SL_FAIL(e, SL_IO, "could not lock key file %s: it changes all the time", path);
}

/* As the old one: a service may read its keys through owner or group. */
static sl_rc next_keep_rights(const struct edit_place *place, int fd, struct sl_err *e)
{
    const struct stat *was = &place->st;
    struct stat st;

    if (fstat(fd, &st) != 0 ||
        (st.st_uid != was->st_uid && fchown(fd, was->st_uid, (gid_t)-1) != 0) ||
        (st.st_gid != was->st_gid && fchown(fd, (uid_t)-1, was->st_gid) != 0 &&
         (was->st_mode & S_IRWXG) != 0) ||
        fchmod(fd, was->st_mode & (S_IRWXU | S_IRWXG | S_IRWXO)) != 0) {
        return SL_FAIL(e, SL_IO, "cannot keep owner, group and mode of key file %s: %s",
                       place->path, strerrordesc_np(errno));
    }
    return SL_OK;
}

static sl_rc next_write(const struct edit_place *place, sl_str text, struct sl_err *e)
{
    SL_AUTO(sl_key_io_done) int fd = -1;

    (void)unlink(place->next); /* of a change that was killed: nobody else holds the lock */
    fd = open(place->next, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, S_IRUSR | S_IWUSR);
    if (fd < 0) {
        return SL_FAIL(e, SL_IO, "cannot create %s: %s", place->next, strerrordesc_np(errno));
    }
    SL_TRY(next_keep_rights(place, fd, e));
    SL_TRY(sl_key_io_write(place->next, fd, text, e));
    if (rename(place->next, place->path) != 0) {
        return SL_FAIL(e, SL_IO, "cannot replace key file %s: %s", place->path,
                       strerrordesc_np(errno));
    }
    return SL_OK;
}

/* Zeros over the file that was; the name is another's by now.  As far as the disk lets us. */
static void place_shred(const struct edit_place *place, int fd)
{
    static const char zeros[4096];
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0 || st.st_ino != place->st.st_ino ||
        st.st_dev != place->st.st_dev) {
        return;
    }
    for (off_t at = 0; at < st.st_size; at += (off_t)sizeof zeros) {
        const off_t left = st.st_size - at;

        (void)!pwrite(fd, zeros, left < (off_t)sizeof zeros ? (size_t)left : sizeof zeros, at);
    }
    (void)fsync(fd);
}

static sl_rc place_replace(const struct edit_place *place, sl_str text, bool is_shredded,
                           struct sl_err *e)
{
    SL_AUTO(sl_key_io_done)
    int old = is_shredded ? open(place->path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    const sl_rc rc = next_write(place, text, e);

    if (rc != SL_OK) {
        (void)unlink(place->next);
        return rc;
    }
    sl_key_io_sync_name(place->path);
    place_shred(place, old);
    return SL_OK;
}

/* ---- the text ---------------------------------------------------------------------------- */

static sl_rc may_add(const struct sl_key *key, sl_str kid, struct sl_err *e)
{
    if (!sl_key_id_is_valid(kid)) {
        return SL_FAIL(e, SL_KEY, "a key id is 1 to %d of a-z and 0-9", SL_KEY_ID_MAX);
    }
    return key == NULL
               ? SL_OK
               : SL_FAIL(e, SL_KEY, "there is a key %s: an id is never used again", key->id);
}

static sl_rc may_activate(const struct sl_key *key, struct sl_err *e)
{
    if (key->state == SL_KEY_ACTIVE) {
        return SL_FAIL(e, SL_KEY, "key %s is active already", key->id);
    }
    if (key->state == SL_KEY_RETIRED) {
        return SL_FAIL(e, SL_KEY,
                       "key %s is retired: let it be decrypt in every copy of the file first",
                       key->id);
    }
    return SL_OK;
}

static sl_rc may_retire(const struct sl_key *key, bool is_destroyed, struct sl_err *e)
{
    if (key->state == SL_KEY_ACTIVE) {
        return SL_FAIL(e, SL_KEY, "key %s is active: activate another one first", key->id);
    }
    if (key->state == SL_KEY_RETIRED && !is_destroyed) {
        return SL_FAIL(e, SL_KEY, "key %s is retired already", key->id);
    }
    return SL_OK;
}

static sl_rc edit_check(const struct sl_keyring *ring, const struct sl_key_edit *edit,
                        struct sl_err *e)
{
    const struct sl_key *key = sl_keyring_get(ring, edit->kid);

    if (edit->change == SL_KEY_ADD) {
        return may_add(key, edit->kid, e);
    }
    if (key == NULL) {
        return SL_FAIL(e, SL_KEY, "there is no key with that id: 'sluice keys list' shows them");
    }
    if (key->master == NULL) {
        return SL_FAIL(e, SL_KEY, "key %s is destroyed", key->id);
    }
    return edit->change == SL_KEY_ACTIVATE ? may_activate(key, e)
                                           : may_retire(key, edit->change == SL_KEY_DESTROY, e);
}

/* The id after the highest kN, so that none is used twice, even if a line was taken out. */
static sl_rc edit_next_id(const struct sl_keyring *ring, char out[static SL_KEY_ID_MAX + 1],
                          struct sl_err *e)
{
    int64_t highest = 0;
    int n;

    for (unsigned i = 0; i < sl_keyring_n(ring); i++) {
        const char *id = sl_keyring_at(ring, i)->id;
        int64_t number = 0;

        if (id[0] == 'k' && sl_str_to_i64(sl_str_of(id + 1), &number) && number > highest) {
            highest = number;
        }
    }
    n = snprintf(out, SL_KEY_ID_MAX + 1, "k%lld", (long long)highest + 1);
    return n <= SL_KEY_ID_MAX
               ? SL_OK
               : SL_FAIL(e, SL_KEY, "there is no id after k%lld: say --kid", (long long)highest);
}

/* The state that a line has after the change. */
static sl_str line_state(const struct sl_key_line *line, const struct sl_key_edit *edit)
{
    const bool is_meant = sl_str_eq(line->id, edit->kid);

    if (edit->change == SL_KEY_ACTIVATE && is_meant) {
        return SL_STR("active");
    }
    if (edit->change == SL_KEY_ACTIVATE && sl_str_eq(line->state, SL_STR("active"))) {
        return SL_STR("decrypt");
    }
    return is_meant ? SL_STR("retired") : line->state;
}

static sl_str part(const char *from, const char *to)
{
    return (sl_str){ from, (size_t)(to - from) };
}

/* Two words may change; the rest stays as it is, byte for byte. */
static void line_edit(sl_str text, const struct sl_key_edit *edit, struct sl_buf *out)
{
    struct sl_key_line line = { 0 };
    sl_str key;

    if (sl_key_line_is_plain(text) || sl_key_line_split(text, &line, NULL) != SL_OK) {
        sl_buf_add_str(out, text);
        return;
    }
    key = edit->change == SL_KEY_DESTROY && sl_str_eq(line.id, edit->kid) ? SL_STR(SL_KEY_DESTROYED)
                                                                          : line.key;
    sl_buf_add_str(out, part(text.ptr, line.state.ptr));
    sl_buf_add_str(out, line_state(&line, edit));
    sl_buf_add_str(out, part(line.state.ptr + line.state.len, line.key.ptr));
    sl_buf_add_str(out, key);
    sl_buf_add_str(out, part(line.key.ptr + line.key.len, text.ptr + text.len));
}

static void text_edit(sl_str text, const struct sl_key_edit *edit, struct sl_buf *out)
{
    const char *const end = text.ptr + text.len;

    while (text.len > 0) {
        const sl_str line = sl_str_cut(&text, '\n');

        line_edit(line, edit, out);
        if (line.ptr + line.len < end) {
            sl_buf_add_char(out, '\n');
        }
    }
}

static sl_rc text_add(sl_str text, sl_str kid, struct sl_buf *out, struct sl_err *e)
{
    sl_buf_add_str(out, text);
    if (text.len > 0 && text.ptr[text.len - 1] != '\n') {
        sl_buf_add_char(out, '\n');
    }
    return sl_key_line_new(kid, SL_KEY_DECRYPT, out, e);
}

/* Somebody may have kept the key in a comment, or under a second id. */
static sl_rc text_check_destroyed(sl_str before, sl_str after, sl_str kid, struct sl_err *e)
{
    struct sl_key_line line = { 0 };

    while (before.len > 0) {
        const sl_str text = sl_str_cut(&before, '\n');

        if (!sl_key_line_is_plain(text) && sl_key_line_split(text, &line, NULL) == SL_OK &&
            sl_str_eq(line.id, kid)) {
            break;
        }
    }
    if (memmem(after.ptr, after.len, line.key.ptr, line.key.len) != NULL) {
        return SL_FAIL(e, SL_KEY,
                       "key %" SL_FMT " stands in the file a second time, in a comment or under "
                       "another id: take that out first",
                       SL_ARG(kid));
    }
    return SL_OK;
}

static sl_rc text_change(sl_str text, const struct sl_key_edit *edit, struct sl_buf *out,
                         struct sl_err *e)
{
    if (edit->change == SL_KEY_ADD) {
        SL_TRY(text_add(text, edit->kid, out, e));
    } else {
        text_edit(text, edit, out);
    }
    SL_TRY(sl_buf_rc(out, e));
    if (out->len > SL_KEY_FILE_MAX) {
        return SL_FAIL(e, SL_KEY, "it would be over %d bytes", SL_KEY_FILE_MAX);
    }
    return edit->change == SL_KEY_DESTROY
               ? text_check_destroyed(text, sl_buf_str(out), edit->kid, e)
               : SL_OK;
}

/* ---- both -------------------------------------------------------------------------------- */

static sl_rc edit_text(const char *path, sl_str text, struct sl_key_edit *edit, struct sl_buf *out,
                       struct sl_err *e)
{
    SL_AUTO(ring_done) struct sl_keyring *ring = NULL;
    char next_id[SL_KEY_ID_MAX + 1];
    struct sl_err why = { 0 };
    sl_rc rc;

    if (sl_key_json_is(text)) {
        return SL_FAIL(e, SL_KEY, "key file %s is JSON: change it where it comes from", path);
    }
    SL_TRY(sl_key_file_parse(path, text, &ring, e));
    if (edit->change == SL_KEY_ADD && edit->kid.len == 0) {
        SL_TRY(edit_next_id(ring, next_id, e));
        edit->kid = sl_str_of(next_id);
    }
    rc = edit_check(ring, edit, &why);
    if (rc == SL_OK) {
        rc = text_change(text, edit, out, &why);
    }
    edit->kid = (sl_str){ 0 }; /* it may point here */
    return rc == SL_OK ? SL_OK : SL_FAIL(e, rc, "key file %s: %s", path, why.msg);
}

sl_rc sl_key_edit(const char *path, const struct sl_key_edit *edit, struct sl_keyring **ret,
                  struct sl_err *e)
{
    SL_AUTO(place_done) struct edit_place place = { .fd = -1 };
    SL_AUTO(sl_buf_done) struct sl_buf before = sl_key_io_buf();
    SL_AUTO(sl_buf_done) struct sl_buf after = { .max_bytes = TEXT_MAX };
    SL_AUTO(ring_done) struct sl_keyring *ring = NULL;
    struct sl_key_edit todo = *edit;

    SL_TRY(place_open(path, &place, e));
    SL_TRY(sl_key_io_read(path, place.fd, &before, e));
    SL_TRY(edit_text(path, sl_buf_str(&before), &todo, &after, e));
    /* Nothing is written that would not be read. */
    SL_TRY(sl_key_file_parse(path, sl_buf_str(&after), &ring, e));
    if (!edit->is_dry) {
        SL_TRY(place_replace(&place, sl_buf_str(&after), edit->change == SL_KEY_DESTROY, e));
    }
    *ret = ring;
    ring = NULL;
    return SL_OK;
}
