/* app.c - builds every object of a run from the configuration, owns them, and stops them. */
#include "app.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "keys/key_file.h"
#include "sink/ndjson.h"
#include "sink/pg.h"
#include "telemetry/log.h"

enum {
    TICK_MS = 100,
    LOOK_MS = 300, /* between two looks at a queue that seems empty */
    PROGRESS_MS = 250,
    REMAINING_MS = 2000,     /* between two looks at how much is left */
    PROGRESS_LOG_MS = 10000, /* without a terminal */
    OTHERS_GRACE_S = 5,
    UNTIL_EMPTY_WAIT_S = 1, /* a long poll still asks every server, and the end comes soon */
    VISIBILITY_S = 30,      /* asked for where the queue's own is 0: nothing would be ours at all */
    PARSER_MAX = 16 << 20,
    BAR_CELLS = 20,
};

/* ---- both ends --------------------------------------------------------------------------------------------- */

static sl_rc ask_queue(struct sl_app *app, struct sl_err *e)
{
    return sl_sqs_ask(app->cfg, &app->aws, &app->queue, e);
}

static sl_rc key_check(struct sl_app *app, struct sl_pg_conn *conn, struct sl_err *e)
{
    return app->ring == NULL ? SL_OK : sl_pg_key_check(conn, app->ring, e);
}

static sl_rc target_check(struct sl_app *app, struct sl_pg_conn *conn, struct sl_err *e)
{
    struct sl_buf mismatches;
    sl_rc rc;

    sl_buf_init(&mismatches, 64 << 10);
    rc = sl_pg_target_check(conn, app->cfg, &app->arena, &app->target, &mismatches, NULL, e);
    if (rc == SL_OK && mismatches.len > 0) {
        for (size_t i = 0; i < mismatches.len; i++) {
            if (mismatches.ptr[i] == '\n') {
                mismatches.ptr[i] = ';';
            }
        }
        rc = SL_FAIL(e, SL_SCHEMA, "table %" SL_FMT " does not fit the columns: %.*s",
                     SL_ARG(app->cfg->postgres.table), (int)mismatches.len - 1, mismatches.ptr);
    }
    sl_buf_done(&mismatches);
    return rc;
}

static sl_rc prepare_database(struct sl_app *app, struct sl_err *e)
{
    struct sl_pg_conn conn = { .wait = sl_wait_plain(), .url = app->cfg->postgres.url.ptr };
    sl_rc rc;

    rc = sl_pg_schema_prepare(&conn, app->cfg, e);
    if (rc == SL_OK) {
        rc = target_check(app, &conn, e);
    }
    if (rc == SL_OK) {
        rc = key_check(app, &conn, e);
    }
    sl_pg_close(&conn);
    return rc;
}

/* Try until it works, the fault is nobody's who could come up yet, or the time is over. */
static sl_rc wait_for(struct sl_app *app, const char *what,
                      sl_rc (*attempt)(struct sl_app *app, struct sl_err *e), struct sl_err *e)
{
    const int64_t due_ms = sl_clock_now_ms() + (int64_t)app->options.wait_s * 1000;
    struct sl_backoff backoff = { .base_ms = 100, .cap_ms = 2000, .random = (uint64_t)due_ms };
    struct sl_wait wait = sl_wait_plain();

    for (;;) {
        struct sl_err failure = { 0 };
        const sl_rc rc = attempt(app, &failure);

        if (rc == SL_OK || sl_rc_fate(rc) != SL_FATE_RETRY || rc == SL_DENIED || rc == SL_TABLE ||
            sl_clock_now_ms() >= due_ms) {
            if (e != NULL) {
                *e = failure;
            }
            return rc;
        }
        if (backoff.tries == 0) {
            sl_log_err(SL_LOG_INFO, what, &failure);
        }
        (void)wait.until(wait.self, -1, 0, sl_clock_now_ms() + sl_backoff_next(&backoff));
    }
}

/* ---- workers -------------------------------------------------------------------------------------------------- */

static unsigned workers_wanted(const struct sl_app *app)
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (app->options.is_dry_run) {
        return 1;
    }
    if (app->cfg->workers > 0) {
        return app->cfg->workers;
    }
    return cores < 1 ? 1 : (unsigned)cores;
}

static struct sl_sqs_settings source_settings(struct sl_app *app)
{
    const struct sl_config *cfg = app->cfg;
    const unsigned queue_s = (unsigned)app->queue.visibility_timeout_s;
    const unsigned own_s = cfg->sqs.visibility_timeout_s;
    const bool ends = app->options.until_empty || app->options.is_dry_run;

    return (struct sl_sqs_settings){
        .cfg = cfg,
        .target = &app->aws,
        .shared = &app->shared,
        .stop = &app->stop,
        .sets_visibility = own_s != 0 || queue_s == 0,
        .returns_at_end = app->options.is_dry_run,
        .visibility_timeout_s = own_s != 0     ? own_s
                                : queue_s != 0 ? queue_s
                                               : VISIBILITY_S,
        .wait_time_s = ends && cfg->sqs.wait_time_s > UNTIL_EMPTY_WAIT_S ? UNTIL_EMPTY_WAIT_S
                                                                         : cfg->sqs.wait_time_s,
        .memory_bytes = cfg->memory_bytes / app->workers_n,
    };
}

static sl_rc worker_open(struct sl_app *app, struct sl_worker *w, struct sl_err *e)
{
    const struct sl_sqs_settings settings = source_settings(app);
    struct sl_pipeline *p = &w->pipeline;

    *p = (struct sl_pipeline){ .cfg = app->cfg,
                               .counters = &app->counters,
                               .stop = &app->stop,
                               .batch_rows = SL_BATCH_ROWS,
                               .backoff = { .base_ms = 100,
                                            .cap_ms = 5000,
                                            .random = (uint64_t)sl_clock_at_ms() + w->number } };
    w->stop = &app->stop;
    sl_arena_init(&p->scratch, SL_BATCH_BYTES, 64 << 10);
    SL_TRY(sl_sqs_open(&settings, &p->source, e));
    SL_TRY(sl_json_parser_new(PARSER_MAX, &p->parser, e));
    SL_TRY(sl_masker_new(app->ring, &p->masker, e));
    if (app->options.is_dry_run) {
        return sl_ndjson_open(app->cfg, &p->sink, e);
    }
    return sl_pg_open(app->cfg, &app->target, p->source.wait, &app->stop, &p->sink, e);
}

static void worker_close(struct sl_worker *w)
{
    struct sl_pipeline *p = &w->pipeline;

    if (p->sink.ops != NULL) {
        p->sink.ops->close(p->sink.self);
    }
    sl_masker_free(p->masker);
    sl_json_parser_free(p->parser);
    if (p->source.ops != NULL) {
        p->source.ops->close(p->source.self);
    }
    sl_arena_done(&p->scratch);
}

static sl_rc open_workers(struct sl_app *app, struct sl_err *e)
{
    app->workers_n = workers_wanted(app);
    app->workers = calloc(app->workers_n, sizeof *app->workers);
    if (app->workers == NULL) {
        app->workers_n = 0;
        return SL_FAIL(e, SL_NOMEM, "could not make room for the workers");
    }
    for (unsigned i = 0; i < app->workers_n; i++) {
        app->workers[i].number = i;
        SL_TRY(worker_open(app, &app->workers[i], e));
    }
    return SL_OK;
}

sl_rc sl_app_open(struct sl_app *app, const struct sl_config *cfg,
                  const struct sl_app_options *options, struct sl_err *e)
{
    *app = (struct sl_app){ .cfg = cfg, .options = *options };
    sl_arena_init(&app->arena, 16 << 20, 16 << 10);
    sl_sqs_shared_init(&app->shared, &app->counters, options->max_messages);
    SL_TRY(sl_key_file_open(cfg->keys.file.ptr, &app->ring, e));
    if (!sl_keyring_is_locked(app->ring)) {
        SL_LOG(SL_LOG_WARN,
               "the keys cannot be locked in memory and may reach swap: raise the memlock limit",
               sl_field_str("sluice.keys", cfg->keys.file));
    }
    SL_TRY(sl_aws_target_find(cfg, &app->arena, &app->aws, e));
    SL_TRY(wait_for(app, "waiting for the queue", ask_queue, e));
    if (!options->is_dry_run) {
        SL_TRY(wait_for(app, "waiting for the database", prepare_database, e));
    }
    return open_workers(app, e);
}

void sl_app_close(struct sl_app *app)
{
    for (unsigned i = 0; i < app->workers_n; i++) {
        worker_close(&app->workers[i]);
    }
    free(app->workers);
    sl_keyring_free(app->ring);
    sl_sqs_shared_done(&app->shared);
    sl_arena_done(&app->arena);
}

/* ---- running ---------------------------------------------------------------------------------------------------- */

static void stop_all(struct sl_app *app, bool is_urgent)
{
    sl_stop_ask(&app->stop, is_urgent);
    for (unsigned i = 0; i < app->workers_n; i++) {
        sl_sqs_wake(&app->workers[i].pipeline.source);
    }
}

static sigset_t stop_signals(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    return set;
}

/* All signals come here.  The second one ends the process: what is committed stays, what is not
 * was not deleted.  The thread is cancelled in sigwait and nowhere else. */
static void *signal_main(void *ctx)
{
    const sigset_t set = stop_signals();
    bool is_second = false;
    int state;
    int sig;

    while (sigwait(&set, &sig) == 0) {
        (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
        if (is_second) {
            _exit(128 + sig);
        }
        is_second = true;
        SL_LOG(SL_LOG_INFO, "stopping: finishing what is held",
               sl_field_int("process.signal", sig));
        stop_all(ctx, true);
        (void)pthread_setcancelstate(state, NULL);
    }
    return NULL;
}

static sl_rc signals_start(struct sl_app *app, pthread_t *ret, struct sl_err *e)
{
    const sigset_t set = stop_signals();

    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0 ||
        pthread_create(ret, NULL, signal_main, app) != 0) {
        return SL_FAIL(e, SL_NOMEM, "could not start a thread");
    }
    return SL_OK;
}

/* It must not wake workers that are gone. */
static void signals_end(pthread_t thread)
{
    (void)pthread_cancel(thread);
    (void)pthread_join(thread, NULL);
}

static bool all_idle(const struct sl_app *app)
{
    for (unsigned i = 0; i < app->workers_n; i++) {
        if (!atomic_load(&app->workers[i].is_idle)) {
            return false;
        }
    }
    return true;
}

/* Messages whose end is known. */
static uint64_t accounted_for(const struct sl_app *app)
{
    const struct sl_counters *c = &app->counters;

    return sl_counted(&c->loaded) + sl_counted(&c->duplicates) + sl_counted(&c->dead_lettered) +
           sl_counted(&c->returned);
}

/* What has been seen of a queue that may be empty. */
struct emptiness {
    int64_t next_look_ms;
    int64_t others_since_ms; /* 0 = nobody else holds anything */
    uint64_t received;       /* at the last look */
    unsigned looks;          /* in a row that found nothing */
};

/* Nothing but what others hold: wait until that must have come back or gone. */
static bool others_time_out(struct sl_app *app, struct emptiness *seen, int64_t held)
{
    const int64_t now_ms = sl_clock_now_ms();
    const int64_t patience_ms = (app->queue.visibility_timeout_s + OTHERS_GRACE_S) * 1000;

    if (seen->others_since_ms == 0) {
        seen->others_since_ms = now_ms;
        SL_LOG(SL_LOG_INFO, "waiting for messages that somebody else has in flight",
               sl_field_int("sluice.messages", held));
    }
    if (now_ms - seen->others_since_ms < patience_ms) {
        return false;
    }
    SL_LOG(SL_LOG_WARN, "ending although somebody else still has messages in flight",
           sl_field_int("sluice.messages", held));
    return true;
}

static bool is_empty(struct sl_app *app, struct emptiness *seen)
{
    const uint64_t received = sl_counted(&app->counters.received);
    struct sl_sqs_attributes now;
    int64_t left;

    if (!all_idle(app) || received != accounted_for(app)) {
        *seen = (struct emptiness){ .next_look_ms = seen->next_look_ms };
        return false;
    }
    if (sl_clock_now_ms() < seen->next_look_ms ||
        sl_sqs_ask(app->cfg, &app->aws, &now, NULL) != SL_OK) {
        return false;
    }
    seen->next_look_ms = sl_clock_now_ms() + LOOK_MS;
    if (received != seen->received) {
        *seen = (struct emptiness){ .next_look_ms = seen->next_look_ms, .received = received };
    }
    left = now.visible + now.delayed + now.not_visible - (int64_t)sl_sqs_left(&app->shared);
    if (left > 0) {
        seen->looks = 0;
        return now.visible + now.delayed == 0 && others_time_out(app, seen, left);
    }
    seen->others_since_ms = 0;
    return ++seen->looks >= 2;
}

static double seconds_since(int64_t start_ms, int64_t end_ms)
{
    return end_ms <= start_ms ? 0 : (double)(end_ms - start_ms) / 1000;
}

static void progress_bar(struct sl_app *app, int64_t remaining)
{
    const uint64_t received = sl_counted(&app->counters.received);
    const double elapsed = seconds_since(app->started_ms, sl_clock_now_ms());
    const double total = (double)received + (double)(remaining > 0 ? remaining : 0);
    const int full = total > 0 ? (int)((double)received / total * BAR_CELLS) : 0;
    char text[200];

    (void)snprintf(text, sizeof text,
                   "[%.*s%.*s] %" PRIu64 " received, %" PRIu64 " loaded, %.0f/s, about %" PRId64
                   " left",
                   full, "####################", BAR_CELLS - full, "....................", received,
                   sl_counted(&app->counters.loaded),
                   elapsed > 0 ? (double)received / elapsed : 0.0, remaining);
    sl_log_status_line(text);
}

static void progress_line(struct sl_app *app)
{
    SL_LOG(SL_LOG_INFO, "progress",
           sl_field_int("sluice.received", (int64_t)sl_counted(&app->counters.received)),
           sl_field_int("sluice.loaded", (int64_t)sl_counted(&app->counters.loaded)),
           sl_field_int("sluice.duplicates", (int64_t)sl_counted(&app->counters.duplicates)),
           sl_field_int("sluice.dead_lettered", (int64_t)sl_counted(&app->counters.dead_lettered)),
           sl_field_int("sluice.returned", (int64_t)sl_counted(&app->counters.returned)));
}

struct progress {
    bool has_terminal;
    int64_t next_ms;
    int64_t next_ask_ms;
    int64_t remaining;
};

static void show_progress(struct sl_app *app, struct progress *p)
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
    if (now_ms >= p->next_ask_ms) {
        p->next_ask_ms = now_ms + REMAINING_MS;
        if (sl_sqs_ask(app->cfg, &app->aws, &now, NULL) == SL_OK) {
            p->remaining = now.visible + now.delayed;
        }
    }
    progress_bar(app, p->remaining);
}

static bool is_done(struct sl_app *app, struct emptiness *seen)
{
    if (app->options.max_messages != INT64_MAX &&
        sl_counted(&app->counters.received) >= (uint64_t)app->options.max_messages) {
        return true;
    }
    if (app->options.is_dry_run) {
        return all_idle(app);
    }
    return app->options.until_empty && is_empty(app, seen);
}

static void watch(struct sl_app *app)
{
    struct progress progress = { .has_terminal = isatty(STDERR_FILENO) == 1,
                                 .next_ms = app->started_ms + PROGRESS_MS,
                                 .remaining = app->queue.visible + app->queue.delayed };
    struct emptiness seen = { 0 };
    struct sl_wait wait = sl_wait_plain();

    if (!progress.has_terminal) {
        progress.next_ms = app->started_ms + PROGRESS_LOG_MS;
    }
    while (!atomic_load(&app->stop.is_asked) && !is_done(app, &seen)) {
        show_progress(app, &progress);
        (void)wait.until(wait.self, -1, 0, sl_clock_now_ms() + TICK_MS);
    }
    if (progress.has_terminal) {
        sl_log_status_line("");
    }
}

/* received = loaded + duplicates + dead-lettered + returned; nothing is in flight any more. */
static sl_rc reconcile(const struct sl_app *app, struct sl_err *e)
{
    const uint64_t received = sl_counted(&app->counters.received);
    const uint64_t ended = accounted_for(app);

    if (received != ended) {
        return SL_FAIL(e, SL_BUG,
                       "the counts do not add up: %" PRIu64 " received, %" PRIu64 " accounted for",
                       received, ended);
    }
    return SL_OK;
}

/* The first failure is the run's; there may be several. */
static sl_rc join_workers(struct sl_app *app, sl_rc rc, struct sl_err *e)
{
    for (unsigned i = 0; i < app->workers_n; i++) {
        sl_worker_join(&app->workers[i]);
        if (rc == SL_OK && app->workers[i].failure.rc != SL_OK) {
            rc = app->workers[i].failure.rc;
            if (e != NULL) {
                *e = app->workers[i].failure;
            }
        }
    }
    return rc;
}

sl_rc sl_app_run(struct sl_app *app, struct sl_err *e)
{
    pthread_t signals;
    sl_rc rc = SL_OK;

    SL_TRY(signals_start(app, &signals, e));
    app->started_ms = sl_clock_now_ms();
    for (unsigned i = 0; i < app->workers_n && rc == SL_OK; i++) {
        rc = sl_worker_start(&app->workers[i], e);
    }
    if (rc == SL_OK) {
        watch(app);
    }
    stop_all(app, rc != SL_OK);
    rc = join_workers(app, rc, e);
    signals_end(signals);
    return rc != SL_OK ? rc : reconcile(app, e);
}
