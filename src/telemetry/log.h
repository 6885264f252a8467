/* telemetry/log.h - one line an event, on stderr, as text or JSON; keys are ECS names.
 *
 * Fields take sl_str and numbers; there is none for sl_cleartext, on purpose.
 * Source:  Elastic Common Schema 8, https://www.elastic.co/guide/en/ecs/current/
 */
#ifndef SLUICE_TELEMETRY_LOG_H
#define SLUICE_TELEMETRY_LOG_H

#include "base/err.h"
#include "base/str.h"
#include "telemetry/recent.h"

enum sl_log_level { SL_LOG_DEBUG, SL_LOG_INFO, SL_LOG_WARN, SL_LOG_ERROR };

enum sl_log_format { SL_LOG_TEXT, SL_LOG_JSON, SL_LOG_EMF /* JSON, and metrics */ };

struct sl_field {
    const char *key; /* "queue.url", "sluice.stage", static */
    bool is_number;
    sl_str text;
    int64_t number;
};

static inline struct sl_field sl_field_str(const char *key, sl_str text)
{
    return (struct sl_field){ .key = key, .text = text };
}

static inline struct sl_field sl_field_int(const char *key, int64_t number)
{
    return (struct sl_field){ .key = key, .is_number = true, .number = number };
}

/* Choose format and lowest level, once, before any thread is started.  Where stderr is the journal
 * of systemd ($JOURNAL_STREAM), lines begin with their priority, which the journal takes off.
 * Source:  sd-daemon(3), systemd.exec(5) */
void sl_log_init(enum sl_log_format format, enum sl_log_level lowest);

/* What stands before a line of that level where stderr is the journal: "<4>"; "" elsewhere. */
const char *sl_log_priority(enum sl_log_level level);

/* Name the pipeline, in every line of JSON from now on; "" for none.  Threads: any */
void sl_log_pipeline(sl_str name);

/* Write one line, whole, with one write(2).
 *
 * Shape:   message lower case, no period; control characters in texts are escaped
 * Threads: any; Blocks: as stderr does
 */
void sl_log_fields(enum sl_log_level level, const char *message, const struct sl_field *fields,
                   size_t n);

/* The same at level info, whatever the lowest level is: what a person did. */
void sl_log_act(const char *message, const struct sl_field *fields, size_t n);

/* SL_LOG(SL_LOG_INFO, "loaded a batch", sl_field_int("sluice.rows", n)); at least one field. */
#define SL_LOG(level, message, ...)                                             \
    sl_log_fields((level), (message), (const struct sl_field[]){ __VA_ARGS__ }, \
                  sizeof((const struct sl_field[]){ __VA_ARGS__ }) / sizeof(struct sl_field))

/* A report as a line: message, then error.code, error.message, sqlstate, where in the code. */
void sl_log_err(enum sl_log_level level, const char *message, const struct sl_err *e);

/* What was warned of and failed of late, the newest first; also what was left out of the log.
 * Threads: any */
void sl_log_recent(struct sl_recent *ret);

/* Say the first few warnings of a kind as they are and leave out what more there is of it in a
 * minute, until the end, where what was left out is told.  Other levels are always said. */
void sl_log_repeats_begin(void);
void sl_log_repeats_end(void);

/* Tell what was left out in minutes that are over; call it now and then.  Threads: any */
void sl_log_repeats_look(void);

/* True when metrics are wanted in the log. */
bool sl_log_wants_metrics(void);

/* Write a line of JSON with these members, whatever the lowest level is. */
void sl_log_metrics(sl_str members);

/* Keep log lines whole beside a progress bar: `text` is redrawn below each line; "" for none. */
void sl_log_status_line(const char *text);

#endif
