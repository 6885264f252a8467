/* source/file.c - the source "file": the lines of files, each a message. */
#include "source/file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/clock.h"
#include "base/hex.h"
#include "source/line_reader.h"
#include "telemetry/log.h"

enum {
    LABEL_MAX = 80,  /* bytes of a file's name in a message id */
    LABEL_HASH = 16, /* digits in its place */
    ARENA_BLOCK = 256 << 10,
};

/* A line that a batch has, or had: kept until all of its batch have an end. */
struct file_line {
    struct file_line *next;
    sl_str message_id;
    sl_cleartext body;
    bool is_too_long;
    bool is_returned; /* its batch failed: the next one gets it */
};

struct file_source {
    struct sl_file_settings settings;
    int wake_fd;
    bool is_over; /* no file is left, or lines enough were taken */
    bool is_open;
    int fd; /* of the file that is open */
    char label[LABEL_MAX + 1];
    struct sl_line_reader reader;
    struct sl_arena arena;   /* of the lines */
    struct file_line *lines; /* in the order read */
    struct file_line **lines_last;
    struct sl_err error; /* met behind lines that go first; rc SL_OK for none */
};

static bool is_stopping(const struct file_source *s)
{
    return atomic_load(&s->settings.stop->is_asked);
}

/* ---- the one wait ------------------------------------------------------------------------------------ */

static short source_wait(void *self, int fd, short events, int64_t due_ms)
{
    const struct file_source *s = self;
    const int64_t wait_ms = due_ms - sl_clock_now_ms();
    struct pollfd p[] = { { .fd = s->wake_fd, .events = POLLIN },
                          { .fd = fd, .events = events } }; /* poll passes over -1 */
    uint64_t woken;

    if (poll(p, 2, wait_ms < 0 ? 0 : wait_ms > INT32_MAX ? INT32_MAX : (int)wait_ms) <= 0) {
        return 0;
    }
    if (p[0].revents != 0) {
        (void)!read(s->wake_fd, &woken, sizeof woken);
    }
    return p[1].revents;
}

static void source_wake(const void *self)
{
    const struct file_source *s = self;
    const uint64_t once = 1;

    (void)!write(s->wake_fd, &once, sizeof once);
}

/* ---- one file after the other ---------------------------------------------------------------------------- */

static sl_str base_name(sl_str path)
{
    const char *slash = memrchr(path.ptr, '/', path.len);

    return slash == NULL ? path : (sl_str){ slash + 1, path.len - (size_t)(slash + 1 - path.ptr) };
}

static bool is_visible(sl_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (isgraph((unsigned char)text.ptr[i]) == 0) {
            return false;
        }
    }
    return true;
}

static sl_rc label_hash(sl_str name, char out[static LABEL_HASH + 1], struct sl_err *e)
{
    unsigned char digest[EVP_MAX_MD_SIZE];

    if (EVP_Digest(name.ptr, name.len, digest, NULL, EVP_sha256(), NULL) != 1) {
        return SL_FAIL(e, SL_CRYPTO, "cannot hash a file's name");
    }
    sl_hex(digest, LABEL_HASH / 2, out);
    out[LABEL_HASH] = '\0';
    return SL_OK;
}

/* How message ids call the file: without its folder, so that a file may be moved and read again. */
static sl_rc label_of(struct file_source *s, sl_str path, struct sl_err *e)
{
    const sl_str name = sl_file_is_stdin(path) ? SL_STR("stdin") : base_name(path);

    if (name.len > LABEL_MAX || !is_visible(name)) {
        return label_hash(name, s->label, e);
    }
    memcpy(s->label, name.ptr, name.len);
    s->label[name.len] = '\0';
    return SL_OK;
}

static sl_rc file_failed(sl_str path, int reason, struct sl_err *e)
{
    return SL_FAIL(e, SL_IO, "cannot read %" SL_FMT ": %s", SL_ARG(path), strerrordesc_np(reason));
}

static sl_rc file_open(struct file_source *s, sl_str path, struct sl_err *e)
{
    SL_TRY(label_of(s, path, e));
    /* O_NONBLOCK: a fifo that nobody writes to is waited for where a stop is heard. */
    s->fd = sl_file_is_stdin(path) ? STDIN_FILENO
                                   : open(path.ptr, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (s->fd < 0) {
        return file_failed(path, errno, e);
    }
    sl_line_reader_init(&s->reader, path, SL_LINE_MAX_BYTES);
    s->is_open = true;
    SL_LOG(SL_LOG_INFO, "reading a file", sl_field_str("file.path", path),
           sl_field_str("sluice.file_id", sl_str_of(s->label)));
    return SL_OK;
}

static void file_close(struct file_source *s)
{
    if (!s->is_open) {
        return;
    }
    sl_line_reader_done(&s->reader);
    if (s->fd != STDIN_FILENO) {
        (void)close(s->fd);
    }
    s->is_open = false;
}

/* Wait for bytes and read them; false when none came in time. */
static sl_rc file_read(struct file_source *s, int64_t due_ms, bool *ret_has, struct sl_err *e)
{
    size_t room_n = 0;
    char *room = sl_line_reader_room(&s->reader, &room_n);
    ssize_t n;

    *ret_has = source_wait(s, s->fd, POLLIN, due_ms) != 0;
    if (!*ret_has) {
        return SL_OK;
    }
    if (room == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not make room for a file");
    }
    n = read(s->fd, room, room_n);
    if (n < 0 && errno != EINTR && errno != EAGAIN) {
        return file_failed(s->reader.name, errno, e);
    }
    if (n >= 0) {
        sl_line_reader_fed(&s->reader, (size_t)n);
        atomic_fetch_add(&s->settings.files->read_bytes, (uint64_t)n);
    }
    return SL_OK;
}

/* The next line of any file; *ret_has false when none came before `due_ms`, or none is left. */
static sl_rc line_next(struct file_source *s, int64_t due_ms, struct sl_line *ret, bool *ret_has,
                       struct sl_err *e)
{
    bool has_bytes = true;
    sl_str path;

    *ret_has = false;
    while (!*ret_has && has_bytes && !s->is_over) {
        if (!s->is_open) {
            if (!sl_file_list_next(s->settings.files, &path)) {
                s->is_over = true;
                break;
            }
            SL_TRY(file_open(s, path, e));
        }
        SL_TRY(sl_line_reader_next(&s->reader, &s->arena, ret, ret_has, e));
        if (!*ret_has && s->reader.is_over) {
            file_close(s);
        } else if (!*ret_has) {
            SL_TRY(file_read(s, due_ms, &has_bytes, e));
        }
    }
    return SL_OK;
}

/* ---- a batch is filled ------------------------------------------------------------------------------------ */

static sl_rc line_keep(struct file_source *s, const struct sl_line *line, struct file_line **ret,
                       struct sl_err *e)
{
    struct file_line *kept = sl_arena_calloc(&s->arena, 1, sizeof *kept);
    const sl_str id = sl_arena_printf(&s->arena, "%s:%" PRIu64, s->label, line->number);

    if (kept == NULL ||
        id.ptr == NULL) { /* it is out of its file: the run ends rather than lose it */
        return SL_FAIL(e, SL_IO, "%" SL_FMT ": memory ran out at line %" PRIu64,
                       SL_ARG(s->reader.name), line->number);
    }
    kept->message_id = id;
    kept->body = line->text;
    kept->is_too_long = line->is_too_long;
    kept->is_returned = true; /* until a batch has it */
    *s->lines_last = kept;
    s->lines_last = &kept->next;
    *ret = kept;
    return SL_OK;
}

static sl_rc batch_add(struct file_source *s, struct sl_batch *b, struct file_line *line,
                       struct sl_err *e)
{
    struct sl_record *r = sl_arena_calloc(&b->arena, 1, sizeof *r);

    if (r == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not take a line into a batch");
    }
    *r = (struct sl_record){ .message_id = line->message_id,
                             .received_at_ms = sl_clock_at_ms(),
                             .body = line->body,
                             .is_line = true,
                             .lease = line };
    r->verdict.reason = line->is_too_long ? SL_REASON_LINE_TOO_LONG : SL_REASON_NONE;
    line->is_returned = false;
    b->records[b->n++] = r;
    sl_count(&s->settings.counters->received, 1);
    return SL_OK;
}

/* What a batch before could not end, which may have been larger than this one may be. */
static sl_rc add_returned(struct file_source *s, struct sl_batch *b, struct sl_err *e)
{
    for (struct file_line *line = s->lines; line != NULL && b->n < b->cap; line = line->next) {
        if (line->is_returned) {
            SL_TRY(batch_add(s, b, line, e));
        }
    }
    return SL_OK;
}

static void forget_lines(struct file_source *s)
{
    sl_arena_reset(&s->arena);
    s->lines = NULL;
    s->lines_last = &s->lines;
}

static bool has_room(const struct file_source *s, const struct sl_batch *b)
{
    return b->n < b->cap && (b->n == 0 || s->arena.held_bytes < s->settings.memory_bytes / 4);
}

/* Read until the batch is full, or nothing more comes for a while. */
static sl_rc add_lines(struct file_source *s, struct sl_batch *b, int64_t due_ms, struct sl_err *e)
{
    struct sl_line line = { 0 };
    struct file_line *kept = NULL;
    bool has = true;

    while (has && has_room(s, b) && !is_stopping(s)) {
        SL_TRY(line_next(s, due_ms, &line, &has, e));
        if (has && !sl_file_list_take_line(s->settings.files)) {
            s->is_over = true;
            break;
        }
        if (has && b->n == 0) {
            const int64_t linger_ms = sl_clock_now_ms() + s->settings.cfg->linger_ms;

            due_ms = linger_ms < due_ms ? linger_ms : due_ms;
        }
        if (has) {
            SL_TRY(line_keep(s, &line, &kept, e));
            SL_TRY(batch_add(s, b, kept, e));
        }
    }
    return SL_OK;
}

/* What was read before an error is loaded before it is told. */
static sl_rc error_keep(struct file_source *s, const struct sl_batch *b, sl_rc rc, struct sl_err *e)
{
    if (rc == SL_OK || b->n == 0) {
        return rc;
    }
    s->error = *e;
    return SL_OK;
}

static sl_rc source_receive(void *self, struct sl_batch *b, int64_t due_ms, struct sl_err *e)
{
    struct file_source *s = self;
    struct sl_err why = { 0 };
    sl_rc rc;

    if (is_stopping(s)) {
        return SL_OK;
    }
    rc = add_returned(s, b, &why);
    if (rc == SL_OK && b->n == 0) {
        forget_lines(s);
        rc = s->error.rc;
        why = s->error;
        if (rc == SL_OK) {
            rc = error_keep(s, b, add_lines(s, b, due_ms, &why), &why);
        }
        s->error.rc = b->n > 0 ? s->error.rc : SL_OK;
    }
    if (rc != SL_OK && e != NULL) {
        *e = why;
    }
    return rc;
}

/* ---- what becomes of them ------------------------------------------------------------------------------------ */

static void source_ack(void *self, const struct sl_batch *b)
{
    const struct file_source *s = self;

    if (b->n > 0) {
        atomic_store(&s->settings.counters->last_ack_due_ms, sl_clock_now_ms());
    }
}

static void source_release(void *self, const struct sl_batch *b)
{
    const struct file_source *s = self;

    for (unsigned i = 0; i < b->n; i++) {
        struct file_line *line = b->records[i]->lease;

        if (b->records[i]->outcome == SL_OUTCOME_NONE) {
            line->is_returned = !s->settings.is_dry_run;
            sl_count(&s->settings.counters->returned, 1);
        }
    }
}

/* A file waits as long as it takes: there is nothing to pause, to give back, or to wait for. */
static void source_pause(void *self, bool is_paused)
{
    (void)self;
    (void)is_paused;
}

static void source_give_back(void *self)
{
    (void)self;
}

static void source_flush(void *self, int64_t due_ms)
{
    (void)self;
    (void)due_ms;
}

static bool source_is_idle(const void *self)
{
    const struct file_source *s = self;

    for (const struct file_line *line = s->lines; line != NULL; line = line->next) {
        if (line->is_returned) {
            return false;
        }
    }
    return s->is_over && s->error.rc == SL_OK;
}

static uint64_t source_in_flight(const void *self)
{
    (void)self;
    return 0;
}

static void source_close(void *self)
{
    struct file_source *s = self;

    file_close(s);
    sl_arena_done(&s->arena);
    (void)close(s->wake_fd);
    free(s);
}

sl_rc sl_file_open(const struct sl_file_settings *settings, struct sl_source *ret, struct sl_err *e)
{
    static const struct sl_source_ops ops = {
        .receive = source_receive,
        .ack = source_ack,
        .release = source_release,
        .pause = source_pause,
        .give_back = source_give_back,
        .flush = source_flush,
        .is_idle = source_is_idle,
        .in_flight = source_in_flight,
        .wake = source_wake,
        .close = source_close,
    };
    struct file_source *s = calloc(1, sizeof *s);

    if (s == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not make a source");
    }
    s->settings = *settings;
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->wake_fd < 0) {
        free(s);
        return SL_FAIL(e, SL_NOMEM, "could not make a source: no descriptor is left");
    }
    s->lines_last = &s->lines;
    sl_arena_init(&s->arena, settings->memory_bytes / 4 + 4 * (size_t)SL_LINE_MAX_BYTES,
                  ARENA_BLOCK);
    *ret =
        (struct sl_source){ .self = s, .ops = &ops, .wait = { .self = s, .until = source_wait } };
    return SL_OK;
}
