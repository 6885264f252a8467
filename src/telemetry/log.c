/* telemetry/log.c - one line an event, on stderr, as text or JSON. */
#include "telemetry/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

enum {
    FIELD_MAX_BYTES = 2048, /* longer ones are cut, so that a line always has its end */
    LINE_MAX_BYTES = 128 << 10,
};

/* The one log of the process. */
static struct {
    pthread_mutex_t lock;
    enum sl_log_format format;
    enum sl_log_level lowest;
    char status[256];
} log_state = { .lock = PTHREAD_MUTEX_INITIALIZER, .lowest = SL_LOG_INFO };

static const char *const level_names[] = { "debug", "info", "warn", "error" };

void sl_log_init(enum sl_log_format format, enum sl_log_level lowest)
{
    log_state.format = format;
    log_state.lowest = lowest;
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

static void line_json(struct sl_buf *line, enum sl_log_level level, const char *message,
                      const struct sl_field *fields, size_t n)
{
    char at[32];

    sl_clock_text(sl_clock_at_ms(), at);
    sl_buf_printf(line, "{\"@timestamp\":\"%s\",\"log.level\":\"%s\",\"message\":", at,
                  level_names[level]);
    sl_buf_add_json(line, sl_str_of(message));
    sl_buf_add_str(line, SL_STR(",\"ecs.version\":\"8.11.0\",\"service.name\":\"sluice\""));
    for (size_t i = 0; i < n; i++) {
        sl_buf_printf(line, ",\"%s\":", fields[i].key);
        if (fields[i].is_number) {
            sl_buf_printf(line, "%lld", (long long)fields[i].number);
        } else {
            sl_buf_add_json(line, cut(fields[i].text));
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

void sl_log_fields(enum sl_log_level level, const char *message, const struct sl_field *fields,
                   size_t n)
{
    struct sl_buf line;

    if (level < log_state.lowest) {
        return;
    }
    sl_buf_init(&line, LINE_MAX_BYTES);
    (void)pthread_mutex_lock(&log_state.lock);
    if (log_state.status[0] != '\0') {
        sl_buf_add_str(&line, SL_STR("\r\033[K"));
    }
    if (log_state.format == SL_LOG_JSON) {
        line_json(&line, level, message, fields, n);
    } else {
        line_text(&line, level, message, fields, n);
    }
    sl_buf_add_str(&line, sl_str_of(log_state.status));
    write_all(line.ptr, line.len);
    (void)pthread_mutex_unlock(&log_state.lock);
    sl_buf_done(&line);
}

void sl_log_err(enum sl_log_level level, const char *message, const struct sl_err *e)
{
    struct sl_field fields[5] = { sl_field_str("error.code", sl_str_of(sl_rc_name(e->rc))),
                                  sl_field_str("error.message", sl_str_of(e->msg)) };
    size_t n = 2;

    if (e->sqlstate[0] != '\0') {
        fields[n++] = sl_field_str("db.response.status_code", sl_str_of(e->sqlstate));
    }
    if (e->http_status != 0) {
        fields[n++] = sl_field_int("http.response.status_code", e->http_status);
    }
    fields[n++] = sl_field_str("log.origin.file", sl_str_of(e->at != NULL ? e->at : ""));
    sl_log_fields(level, message, fields, n);
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
