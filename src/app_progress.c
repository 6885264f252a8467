/* app_progress.c - how far a run is: a bar on a terminal, a line now and then elsewhere. */
#include "app_progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "app_queue.h"
#include "base/clock.h"
#include "telemetry/log.h"

enum {
    PROGRESS_MS = 250,
    REMAINING_MS = 2000,     /* between two looks at how much is left */
    PROGRESS_LOG_MS = 10000, /* without a terminal */
    BAR_CELLS = 20,
};

static double seconds_since(int64_t start_ms, int64_t end_ms)
{
    return end_ms <= start_ms ? 0 : (double)(end_ms - start_ms) / 1000;
}

/* `done`: how much of the whole, 0 to 1; `left`: what remains, in words. */
static void progress_bar(struct sl_app *app, double done, const char *left)
{
    const struct sl_counts c = sl_app_counts(app);
    const uint64_t received = c.received;
    const double elapsed = seconds_since(app->started_ms, sl_clock_now_ms());
    const int full = (int)((done < 1 ? done : 1) * BAR_CELLS);
    char text[200];

    (void)snprintf(text, sizeof text,
                   "[%.*s%.*s] %" PRIu64 " received, %" PRIu64 " loaded, %.0f/s%.60s", full,
                   "####################", BAR_CELLS - full, "....................", received,
                   c.loaded, elapsed > 0 ? (double)received / elapsed : 0.0, left);
    sl_log_status_line(text);
}

static void queue_bar(struct sl_app *app, int64_t remaining)
{
    const double received = (double)sl_app_counts(app).received;
    const double total = received + (double)(remaining > 0 ? remaining : 0);
    char left[60];

    (void)snprintf(left, sizeof left, ", about %" PRId64 " left", remaining);
    progress_bar(app, total > 0 ? received / total : 0, left);
}

/* By bytes, as they lie in the files; nobody knows how many come on stdin. */
static void files_bar(struct sl_app *app)
{
    const double read = (double)atomic_load(&app->files.read_bytes);
    const double total = (double)app->files.bytes;
    char left[60] = "";

    if (total > 0) {
        (void)snprintf(left, sizeof left, ", %.0f of %.0f MB", read / 1e6, total / 1e6);
    }
    progress_bar(app, total > 0 ? read / total : 0, left);
}

static void progress_line(struct sl_app *app)
{
    const struct sl_counts c = sl_app_counts(app);

    SL_LOG(SL_LOG_INFO, "progress", sl_field_int("sluice.received", (int64_t)c.received),
           sl_field_int("sluice.loaded", (int64_t)c.loaded),
           sl_field_int("sluice.duplicates", (int64_t)c.duplicates),
           sl_field_int("sluice.dead_lettered", (int64_t)c.dead_lettered),
           sl_field_int("sluice.returned", (int64_t)c.returned));
}

struct sl_progress sl_progress_begin(const struct sl_app *app)
{
    const bool has_terminal = isatty(STDERR_FILENO) == 1;

    return (struct sl_progress){
        .has_terminal = has_terminal,
        .next_ms = app->started_ms + (has_terminal ? PROGRESS_MS : PROGRESS_LOG_MS),
        .remaining = app->queue.visible + app->queue.delayed,
    };
}

void sl_progress_end(const struct sl_progress *p)
{
    if (p->has_terminal) {
        sl_log_status_line("");
    }
}

void sl_progress_show(struct sl_app *app, struct sl_progress *p)
{
    const int64_t now_ms = sl_clock_now_ms();
    struct sl_sqs_attributes now;

    if (now_ms < p->next_ms) {
        return;
    }
    p->next_ms = now_ms + (p->has_terminal ? PROGRESS_MS : PROGRESS_LOG_MS);
    if (!p->has_terminal) {
        progress_line(app);
        return;
    }
    if (sl_config_reads_files(app->cfg)) {
        files_bar(app);
        return;
    }
    if (now_ms >= p->next_ask_ms) {
        p->next_ask_ms = now_ms + REMAINING_MS;
        if (sl_app_queue_ask(app, &now, NULL) == SL_OK) {
            p->remaining = now.visible + now.delayed;
        }
    }
    queue_bar(app, p->remaining);
}
