/* app_run.c - a run from its first message to its last. */
#include <inttypes.h>

#include "app.h"
#include "app_drain.h"
#include "app_emf.h"
#include "app_history.h"
#include "app_progress.h"
#include "app_queue.h"
#include "app_signals.h"
#include "app_upkeep.h"
#include "app_watchdog.h"
#include "base/clock.h"
#include "base/notify.h"
#include "telemetry/log.h"

enum {
    TICK_MS = 100,
    ABANDON_MS = 30000,
};

void sl_app_stop(struct sl_app *app, bool is_urgent)
{
    sl_stop_ask(&app->stop, is_urgent);
    for (unsigned i = 0; i < app->workers_n; i++) {
        const struct sl_source *source = &app->workers[i].pipeline.source;

        source->ops->wake(source->self);
    }
}

struct sl_counts sl_app_counts(const struct sl_app *app)
{
    struct sl_counts total = { 0 };

    for (unsigned i = 0; i < app->workers_n; i++) {
        sl_counts_add(&total, &app->workers[i].counters);
    }
    return total;
}

static bool is_done(struct sl_app *app, struct sl_drain *seen)
{
    if (app->options.max_messages != INT64_MAX &&
        sl_app_counts(app).received >= (uint64_t)app->options.max_messages) {
        return true;
    }
    if (app->options.is_dry_run || sl_config_reads_files(app->cfg)) {
        return sl_app_is_idle(app);
    }
    return app->options.until_empty && sl_drain_is_over(app, seen);
}

static void tick(void)
{
    const struct sl_wait wait = sl_wait_plain();

    (void)wait.until(wait.self, -1, 0, sl_clock_now_ms() + TICK_MS);
}

/* What is to be looked at several times a second, until the last worker has ended. */
struct observers {
    struct sl_watchdog dog;
    struct sl_app_emf emf;
};

static void history_look(struct sl_app *app)
{
    const int64_t now_ms = sl_clock_now_ms();

    if (app->server.daemon != NULL && sl_app_history_is_due(&app->history, now_ms)) {
        const int64_t at_ms = sl_clock_at_ms();
        const bool is_fresh = sl_app_depth_is_fresh(&app->depth, at_ms);
        struct sl_app_sample sample = {
            .counts = sl_app_counts(app),
            .visible = is_fresh ? atomic_load(&app->depth.visible) : -1,
        };

        for (unsigned i = 0; i < app->workers_n; i++) {
            sl_tally_take(&sample.latency, &app->workers[i].counters.latency);
        }
        sl_app_history_add(&app->history, &sample, now_ms, at_ms);
    }
}

static sl_rc look(struct sl_app *app, struct observers *o, struct sl_err *e)
{
    sl_log_repeats_look();
    sl_app_emf_look(app, &o->emf, false);
    history_look(app);
    return sl_watchdog_look(app, &o->dog, e);
}

static sl_rc watch(struct sl_app *app, struct observers *o, struct sl_err *e)
{
    struct sl_progress progress = sl_progress_begin(app);
    struct sl_drain seen = { 0 };
    sl_rc rc = SL_OK;

    while (rc == SL_OK && !atomic_load(&app->stop.is_asked) && !is_done(app, &seen)) {
        rc = look(app, o, e);
        sl_progress_show(app, &progress);
        tick();
    }
    sl_progress_end(&progress);
    return rc;
}

/* Wait for each to end.  The first failure is the run's; there may be several. */
static sl_rc join_workers(struct sl_app *app, struct observers *o, struct sl_err *e)
{
    sl_rc rc = SL_OK;

    for (unsigned i = 0; i < app->workers_n; i++) {
        struct sl_worker *w = &app->workers[i];

        while (!sl_worker_join(w, TICK_MS)) {
            SL_TRY(look(app, o, e));
        }
        if (rc == SL_OK && w->failure.rc != SL_OK) {
            rc = w->failure.rc;
            if (e != NULL) {
                *e = w->failure;
            }
        }
    }
    return rc;
}

/* One is stuck for good: the others get the time to finish. */
static void abandon(struct sl_app *app)
{
    const int64_t due_ms = sl_clock_now_ms() + ABANDON_MS;

    for (unsigned i = 0; i < app->workers_n; i++) {
        struct sl_worker *w = &app->workers[i];

        while (!w->is_stalled && !sl_worker_join(w, TICK_MS) && sl_clock_now_ms() < due_ms) {
        }
    }
    app->is_abandoned = true;
}

/* received = loaded + duplicates + dead-lettered + returned; nothing is in flight any more. */
static sl_rc reconcile(const struct sl_app *app, struct sl_err *e)
{
    const struct sl_counts c = sl_app_counts(app);

    if (c.received != sl_counts_ended(&c) || c.mismatches > 0) {
        return SL_FAIL(e, SL_MISMATCH,
                       "the counts do not add up: %" PRIu64 " received, %" PRIu64 " accounted for",
                       c.received, sl_counts_ended(&c));
    }
    return SL_OK;
}

static sl_rc start_workers(struct sl_app *app, struct sl_err *e)
{
    app->started_ms = sl_clock_now_ms();
    for (unsigned i = 0; i < app->workers_n; i++) {
        SL_TRY(sl_worker_start(&app->workers[i], e));
    }
    atomic_store(&app->is_running, true);
    sl_notify("READY=1");
    return SL_OK;
}

sl_rc sl_app_run(struct sl_app *app, struct sl_err *e)
{
    struct sl_app_signals signals;
    struct sl_app_upkeep upkeep;
    struct observers observers = { 0 };
    struct sl_app_asker asker;
    sl_rc rc;

    SL_TRY(sl_app_signals_start(app, &signals, e));
    if (!app->options.is_dry_run) {
        sl_log_repeats_begin(); /* of a dry run every warning is what was asked for */
    }
    rc = sl_app_upkeep_start(&upkeep, app, e);
    if (rc == SL_OK) {
        rc = start_workers(app, e);
    }
    sl_app_asker_start(&asker, app);
    if (rc == SL_OK) {
        rc = watch(app, &observers, e);
    }
    sl_notify("STOPPING=1");
    sl_app_stop(app, rc != SL_OK);
    if (rc != SL_STALLED) {
        const sl_rc ended = join_workers(app, &observers, rc == SL_OK ? e : NULL);

        rc = rc == SL_OK || ended == SL_STALLED ? ended : rc;
    }
    sl_app_asker_end(&asker);
    sl_app_upkeep_end(&upkeep, rc == SL_OK);
    sl_http_desk_stop(&app->server.desk); /* nothing is logged behind the summary */
    if (rc == SL_STALLED) {
        abandon(app);
    }
    sl_aws_refresher_stop(&app->refresher); /* nor by it */
    sl_log_repeats_end();
    sl_app_emf_look(app, &observers.emf, true);
    if (rc == SL_STALLED) {
        return rc;
    }
    sl_app_signals_end(app, &signals);
    return rc != SL_OK ? rc : reconcile(app, e);
}
