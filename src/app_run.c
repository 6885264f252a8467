/* app_run.c - a run from its first worker to its last: signals, progress, when it is done. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "app.h"
#include "base/clock.h"
#include "keys/key_config.h"
#include "telemetry/log.h"

enum {
    TICK_MS = 100,
    LOOK_MS = 300, /* between two looks at a queue that seems empty */
    PROGRESS_MS = 250,
    REMAINING_MS = 2000,     /* between two looks at how much is left */
    PROGRESS_LOG_MS = 10000, /* without a terminal */
    OTHERS_GRACE_S = 5,
    BAR_CELLS = 20,
};

static void stop_all(struct sl_app *app, bool is_urgent)
{
    sl_stop_ask(&app->stop, is_urgent);
    for (unsigned i = 0; i < app->workers_n; i++) {
        sl_sqs_wake(&app->workers[i].pipeline.source);
    }
}

static sigset_t own_signals(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    return set;
}

/* A wrong key under a known id must not come in by the back door. */
static sl_rc compare_keys(struct sl_app *app, const struct sl_keyring *ring, struct sl_err *e)
{
    struct sl_pg_conn conn = { .wait = sl_wait_plain(),
                               .stop = &app->stop,
                               .url = app->cfg->postgres.url.ptr };
    sl_rc rc = app->options.is_dry_run ? SL_OK : sl_pg_key_check(&conn, ring, e);

    sl_pg_close(&conn);
    return rc;
}

/* Nor one that the columns cannot be masked with. */
static sl_rc try_keys(struct sl_app *app, const struct sl_keyring *ring, struct sl_err *e)
{
    struct sl_masks masks;
    const sl_rc rc = sl_masks_open(app->cfg, ring, &masks, e);

    sl_masks_close(&masks);
    return rc == SL_OK ? compare_keys(app, ring, e) : rc;
}

static sl_rc read_keys(struct sl_app *app, struct sl_keyring **ret, struct sl_err *e)
{
    struct sl_keyring *ring = NULL;
    sl_rc rc;

    if (!sl_keys_can_reload(app->cfg)) {
        return SL_FAIL(e, SL_KEY, "keys.env and keys.fd cannot be read a second time");
    }
    SL_TRY(sl_keys_again(app->cfg, &app->stop, &ring, e));
    rc = try_keys(app, ring, e);
    if (rc != SL_OK) {
        sl_keyring_free(ring);
        return rc;
    }
    *ret = ring;
    return SL_OK;
}

static void reload_keys(struct sl_app *app)
{
    struct sl_keyring *ring = NULL;
    struct sl_err e = { 0 };

    if (read_keys(app, &ring, &e) != SL_OK) {
        sl_log_err(SL_LOG_ERROR, "could not read the keys again; keeping the old ones", &e);
        return;
    }
    SL_LOG(SL_LOG_INFO, "the keys were read again",
           sl_field_str("sluice.kid", sl_str_of(sl_keyring_active(ring)->id)),
           sl_field_int("sluice.keys", (int64_t)sl_keyring_n(ring)));
    sl_key_share_change(&app->keys, ring);
}

/* SIGHUP: each worker takes the new ring before its next batch.  A thread of its own, since a
 * program that prints keys, or the database, may take its time. */
static void *reload_main(void *ctx)
{
    struct sl_app *app = ctx;

    while (!atomic_load(&app->has_ended)) {
        if (sem_wait(&app->reloads) == 0 && !atomic_load(&app->has_ended)) {
            reload_keys(app);
        }
    }
    return NULL;
}

static void take_stop(struct sl_app *app, int sig)
{
    if (app->has_signal) {
        _exit(128 + sig);
    }
    app->has_signal = true;
    SL_LOG(SL_LOG_INFO, "stopping: finishing what is held", sl_field_int("process.signal", sig));
    stop_all(app, true);
}

/* All signals come here.  The second one that stops ends the process: what is committed stays, what
 * is not was not deleted. */
static void *signal_main(void *ctx)
{
    const sigset_t set = own_signals();
    struct sl_app *app = ctx;
    int sig;

    while (sigwait(&set, &sig) == 0 && !atomic_load(&app->has_ended)) {
        if (sig == SIGHUP) {
            (void)sem_post(&app->reloads);
        } else {
            take_stop(app, sig);
        }
    }
    return NULL;
}

/* What runs beside the workers. */
struct helpers {
    pthread_t signals;
    pthread_t reload;
};

void sl_app_block_signals(void)
{
    sigset_t hangup;

    (void)sigemptyset(&hangup);
    (void)sigaddset(&hangup, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &hangup, NULL);
}

static sl_rc helpers_start(struct sl_app *app, struct helpers *ret, struct sl_err *e)
{
    const sigset_t set = own_signals();

    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0 || sem_init(&app->reloads, 0, 0) != 0 ||
        pthread_create(&ret->signals, NULL, signal_main, app) != 0) {
        return SL_FAIL(e, SL_NOMEM, "could not start a thread");
    }
    if (pthread_create(&ret->reload, NULL, reload_main, app) != 0) {
        atomic_store(&app->has_ended, true);
        (void)pthread_kill(ret->signals, SIGHUP);
        (void)pthread_join(ret->signals, NULL);
        return SL_FAIL(e, SL_NOMEM, "could not start a thread");
    }
    return SL_OK;
}

/* They must not touch workers that are gone.  Any signal ends the wait for one. */
static void helpers_end(struct sl_app *app, const struct helpers *h)
{
    atomic_store(&app->has_ended, true);
    (void)pthread_kill(h->signals, SIGHUP);
    (void)pthread_join(h->signals, NULL);
    sl_stop_ask(&app->stop, true);
    (void)sem_post(&app->reloads);
    (void)pthread_join(h->reload, NULL);
    (void)sem_destroy(&app->reloads);
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
    struct helpers helpers;
    sl_rc rc = SL_OK;

    SL_TRY(helpers_start(app, &helpers, e));
    app->started_ms = sl_clock_now_ms();
    for (unsigned i = 0; i < app->workers_n && rc == SL_OK; i++) {
        rc = sl_worker_start(&app->workers[i], e);
    }
    if (rc == SL_OK) {
        watch(app);
    }
    stop_all(app, rc != SL_OK);
    rc = join_workers(app, rc, e);
    helpers_end(app, &helpers);
    return rc != SL_OK ? rc : reconcile(app, e);
}
