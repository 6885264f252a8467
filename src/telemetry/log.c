/* telemetry/log.c - one line an event, on stderr, as text or JSON. */
#include "telemetry/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "telemetry/repeats.h"

enum {
    FIELD_MAX_BYTES = 2048, /* longer ones are cut, so that a line always has its end */
    LINE_MAX_BYTES = 128 << 10,
};

/* The one log of the process. */
static struct {
    pthread_mutex_t lock;
    enum sl_log_format format;
    enum sl_log_level lowest;
    bool is_journal; /* of systemd, at the other end of stderr */
    bool leaves_out; /* warnings that come again and again */
    struct sl_repeats repeats;
    pthread_mutex_t recent_lock; /* of what follows; never held while stderr is written to */
    struct sl_recent recent;
    char pipeline[160];
    char status[256];
} log_state = { .lock = PTHREAD_MUTEX_INITIALIZER,
                .recent_lock = PTHREAD_MUTEX_INITIALIZER,
                .lowest = SL_LOG_INFO };

static const char *const level_names[] = { "debug", "info", "warn", "error" };

/* $JOURNAL_STREAM names the device and inode of what a service was started with; stderr may have
 * become something else since. */
static bool is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    sl_str inode = sl_str_of(stream != NULL ? stream : "");
    const sl_str device = sl_str_cut(&inode, ':');
    int64_t device_n = 0;
    int64_t inode_n = 0;
    struct stat st;

    return sl_str_to_i64(device, &device_n) && sl_str_to_i64(inode, &inode_n) &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == (dev_t)device_n &&
           st.st_ino == (ino_t)inode_n;
}

void sl_log_init(enum sl_log_format format, enum sl_log_level lowest)
{
    log_state.format = format;
    log_state.lowest = lowest;
    log_state.is_journal = is_journal();
}

const char *sl_log_priority(enum sl_log_level level)
{
    static const char *const priorities[] = { "<7>", "<6>", "<4>", "<3>" };

    return log_state.is_journal ? priorities[level] : "";
}

void sl_log_pipeline(sl_str name)
{
    (void)pthread_mutex_lock(&log_state.lock);
    (void)snprintf(log_state.pipeline, sizeof log_state.pipeline, "%" SL_FMT, SL_ARG(name));
    (void)pthread_mutex_unlock(&log_state.lock);
}

static void write_all(const char *bytes, size_t n)
{
    while (n > 0) {
        const ssize_t done = write(STDERR_FILENO, bytes, n);

        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return; /* nobody is left to tell */
        }
        bytes += done;
        n -= (size_t)done;
    }
}

static sl_str cut(sl_str text)
{
    return (sl_str){ text.ptr, text.len < FIELD_MAX_BYTES ? text.len : FIELD_MAX_BYTES };
}

static void add_key_json(struct sl_buf *line, const char *key, sl_str text)
{
    sl_buf_printf(line, ",\"%s\":", key);
    sl_buf_add_json(line, text);
}

/* The first three stand first, in this order, for whoever reads lines with their eyes. */
static void line_json_begin(struct sl_buf *line, enum sl_log_level level, const char *message)
{
    char at[32];

    sl_clock_text(sl_clock_at_ms(), at);
    sl_buf_printf(line, "{\"@timestamp\":\"%s\",\"log.level\":\"%s\"", at, level_names[level]);
    add_key_json(line, "message", sl_str_of(message));
    sl_buf_printf(line,
                  ",\"ecs.version\":\"8.11.0\",\"service.name\":\"sluice\",\"service.version\":"
                  "\"" SLUICE_VERSION "\",\"event.dataset\":\"sluice.log\",\"process.pid\":%lld",
                  (long long)getpid());
    if (log_state.pipeline[0] != '\0') {
        add_key_json(line, "sluice.pipeline", sl_str_of(log_state.pipeline));
    }
}

static void line_json(struct sl_buf *line, enum sl_log_level level, const char *message,
                      const struct sl_field *fields, size_t n)
{
    line_json_begin(line, level, message);
    for (size_t i = 0; i < n; i++) {
        if (fields[i].is_number) {
            sl_buf_printf(line, ",\"%s\":%lld", fields[i].key, (long long)fields[i].number);
        } else {
            add_key_json(line, fields[i].key, cut(fields[i].text));
        }
    }
    sl_buf_add_str(line, SL_STR("}\n"));
}

static bool needs_quotes(sl_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.ptr[i] <= ' ' || s.ptr[i] == '"' || s.ptr[i] == '\\' ||
            (unsigned char)s.ptr[i] >= 0x7f) {
            return true;
        }
    }
    return s.len == 0;
}

static void line_text(struct sl_buf *line, enum sl_log_level level, const char *message,
                      const struct sl_field *fields, size_t n)
{
    char at[32];

    sl_clock_text(sl_clock_at_ms(), at);
    sl_buf_printf(line, "%s %-5s %s", at, level_names[level], message);
    for (size_t i = 0; i < n; i++) {
        sl_buf_printf(line, " %s=", fields[i].key);
        if (fields[i].is_number) {
            sl_buf_printf(line, "%lld", (long long)fields[i].number);
        } else if (needs_quotes(fields[i].text)) {
            sl_buf_add_json(line, cut(fields[i].text));
        } else {
            sl_buf_add_str(line, cut(fields[i].text));
        }
    }
    sl_buf_add_char(line, '\n');
}

/* ---- a line, under the lock ------------------------------------------------------------------ */

static void line_begin(struct sl_buf *line, enum sl_log_level level)
{
    sl_buf_init(line, LINE_MAX_BYTES);
    if (log_state.status[0] != '\0') {
        sl_buf_add_str(line, SL_STR("\r\033[K"));
    }
    sl_buf_add_str(line, sl_str_of(sl_log_priority(level)));
}

static void line_end(struct sl_buf *line)
{
    sl_buf_add_str(line, sl_str_of(log_state.status));
    write_all(line->ptr, line->len);
    sl_buf_done(line);
}

static void say(enum sl_log_level level, const char *message, const struct sl_field *fields,
                size_t n)
{
    struct sl_buf line;

    line_begin(&line, level);
    if (log_state.format == SL_LOG_TEXT) {
        line_text(&line, level, message, fields, n);
    } else {
        line_json(&line, level, message, fields, n);
    }
    line_end(&line);
}

static void say_left_out(bool is_end)
{
    struct sl_repeat left;

    while (sl_repeats_due(&log_state.repeats, sl_clock_now_ms(), is_end, &left)) {
        const struct sl_field fields[] = {
            sl_field_int("sluice.left_out", left.left_out),
            sl_field_str("sluice.warning", sl_str_of(left.message)),
            sl_field_str("error.code", sl_str_of(left.code)),
        };

        say(SL_LOG_WARN, "left out warnings of one kind", fields, left.code[0] != '\0' ? 3 : 2);
    }
}

/* The text of a field; `room` is for that of a number. */
static sl_str field_text(const struct sl_field *field, char room[static 24])
{
    if (!field->is_number) {
        return field->text;
    }
    (void)snprintf(room, 24, "%lld", (long long)field->number);
    return sl_str_of(room);
}

/* What there is to say of it besides: the report's text, else the fields. */
static void detail_write(char *out, size_t max, const struct sl_field *fields, size_t n)
{
    size_t at = 0;

    for (size_t i = 0; i < n && at + 1 < max; i++) {
        char room[24];
        const sl_str text = field_text(&fields[i], room);
        const bool is_report = sl_str_eq(sl_str_of(fields[i].key), SL_STR("error.message"));
        int added;

        if (is_report) {
            at = 0;
        }
        added = snprintf(out + at, max - at, "%s%s%s%" SL_FMT, at > 0 ? ", " : "",
                         is_report ? "" : fields[i].key, is_report ? "" : " ", SL_ARG(text));
        at += added > 0 ? (size_t)added : 0;
        if (is_report) {
            return;
        }
    }
}

static void remember(enum sl_log_level level, const char *message, sl_str code,
                     const struct sl_field *fields, size_t n)
{
    struct sl_recent_kind said = { .level = level };

    (void)snprintf(said.message, sizeof said.message, "%s", message);
    (void)snprintf(said.code, sizeof said.code, "%" SL_FMT, SL_ARG(code));
    detail_write(said.detail, sizeof said.detail, fields, n);
    (void)pthread_mutex_lock(&log_state.recent_lock);
    sl_recent_add(&log_state.recent, &said, sl_clock_at_ms());
    (void)pthread_mutex_unlock(&log_state.recent_lock);
}

/* `code` tells apart what has the same message; "" = nothing does. */
static void line_write(enum sl_log_level level, const char *message, sl_str code,
                       const struct sl_field *fields, size_t n)
{
    if (level < log_state.lowest && level < SL_LOG_WARN) {
        return;
    }
    if (level >= SL_LOG_WARN) {
        remember(level, message, code, fields, n);
    }
    (void)pthread_mutex_lock(&log_state.lock);
    say_left_out(false);
    if (level >= log_state.lowest &&
        (!log_state.leaves_out || level != SL_LOG_WARN ||
         sl_repeats_let(&log_state.repeats, message, code, sl_clock_now_ms()))) {
        say(level, message, fields, n);
    }
    (void)pthread_mutex_unlock(&log_state.lock);
}

void sl_log_fields(enum sl_log_level level, const char *message, const struct sl_field *fields,
                   size_t n)
{
    line_write(level, message, SL_STR(""), fields, n);
}

void sl_log_act(const char *message, const struct sl_field *fields, size_t n)
{
    (void)pthread_mutex_lock(&log_state.lock);
    say(SL_LOG_INFO, message, fields, n);
    (void)pthread_mutex_unlock(&log_state.lock);
}

/* ---- what is left out ------------------------------------------------------------------------ */

void sl_log_repeats_begin(void)
{
    (void)pthread_mutex_lock(&log_state.lock); /* signals are heard by now, and may be logged */
    log_state.leaves_out = true;
    (void)pthread_mutex_unlock(&log_state.lock);
}

void sl_log_repeats_look(void)
{
    (void)pthread_mutex_lock(&log_state.lock);
    say_left_out(false);
    (void)pthread_mutex_unlock(&log_state.lock);
}

void sl_log_repeats_end(void)
{
    (void)pthread_mutex_lock(&log_state.lock);
    log_state.leaves_out = false;
    say_left_out(true);
    (void)pthread_mutex_unlock(&log_state.lock);
}

/* ---- what was warned of ---------------------------------------------------------------------- */

void sl_log_recent(struct sl_recent *ret)
{
    (void)pthread_mutex_lock(&log_state.recent_lock);
    *ret = log_state.recent;
    (void)pthread_mutex_unlock(&log_state.recent_lock);
    sl_recent_sort(ret);
}

/* ---- metrics --------------------------------------------------------------------------------- */

bool sl_log_wants_metrics(void)
{
    return log_state.format == SL_LOG_EMF;
}

void sl_log_metrics(sl_str members)
{
    struct sl_buf line;

    (void)pthread_mutex_lock(&log_state.lock);
    line_begin(&line, SL_LOG_INFO);
    line_json_begin(&line, SL_LOG_INFO, "metrics");
    sl_buf_add_str(&line, SL_STR(",\"event.kind\":\"metric\","));
    sl_buf_add_str(&line, members);
    sl_buf_add_str(&line, SL_STR("}\n"));
    line_end(&line);
    (void)pthread_mutex_unlock(&log_state.lock);
}

/* ---- reports and the bar --------------------------------------------------------------------- */

/* "src/x.c:12" as ECS has it: a name, and a line, which is a number.  Compilers write the name as
 * they were given it, from the folder of the build. */
static bool origin_of(const char *at, sl_str *ret_name, int64_t *ret_line)
{
    const char *colon = at != NULL ? strrchr(at, ':') : NULL;

    if (colon == NULL || !sl_str_to_i64(sl_str_of(colon + 1), ret_line)) {
        return false;
    }
    while (strncmp(at, "../", 3) == 0) {
        at += 3;
    }
    *ret_name = (sl_str){ at, (size_t)(colon - at) };
    return true;
}

void sl_log_err(enum sl_log_level level, const char *message, const struct sl_err *e)
{
    const sl_str code = sl_str_of(sl_rc_name(e->rc));
    struct sl_field fields[6] = { sl_field_str("error.code", code),
                                  sl_field_str("error.message", sl_str_of(e->msg)) };
    int64_t file_line = 0;
    sl_str file;
    size_t n = 2;

    if (e->sqlstate[0] != '\0') {
        fields[n++] = sl_field_str("db.response.status_code", sl_str_of(e->sqlstate));
    }
    if (e->http_status != 0) {
        fields[n++] = sl_field_int("http.response.status_code", e->http_status);
    }
    if (origin_of(e->at, &file, &file_line)) {
        fields[n++] = sl_field_str("log.origin.file.name", file);
        fields[n++] = sl_field_int("log.origin.file.line", file_line);
    }
    line_write(level, message, code, fields, n);
}

void sl_log_status_line(const char *text)
{
    struct sl_buf line;

    sl_buf_init(&line, 1024);
    (void)pthread_mutex_lock(&log_state.lock);
    (void)snprintf(log_state.status, sizeof log_state.status, "%s", text);
    sl_buf_printf(&line, "\r\033[K%s", log_state.status);
    write_all(line.ptr, line.len);
    (void)pthread_mutex_unlock(&log_state.lock);
    sl_buf_done(&line);
}
