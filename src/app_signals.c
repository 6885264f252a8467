/* app_signals.c - signals while a run goes on: stop, and read the keys again. */
#include "app_signals.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "keys/key_config.h"
#include "sink/pg_schema.h"
#include "telemetry/log.h"

/* One stop that comes twice: timeout(1) sends to its child and then to its group, a terminal to all who
 * hand it on, too. */
enum { SAME_STOP_MS = 500 };

/* Between two looks whether keys can be read, once they could not for want of a peer. */
enum { AGAIN_S = 5 };

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
    struct sl_pg_conn conn = { .wait = sl_wait_plain(), .stop = &app->stop, .cfg = app->cfg };
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

/* Returns: whether it is to be tried again, since what was away will be back. */
static bool reload_keys(struct sl_app *app, struct sl_err *last)
{
    struct sl_keyring *ring = NULL;
    struct sl_err e = { 0 };

    if (read_keys(app, &ring, &e) != SL_OK) {
        const bool may_work_later = sl_rc_fate(e.rc) == SL_FATE_RETRY;

        if (!may_work_later || strcmp(e.msg, last->msg) != 0) {
            sl_log_err(SL_LOG_ERROR, "could not read the keys again; keeping the old ones", &e);
        }
        *last = e;
        return may_work_later;
    }
    *last = (struct sl_err){ 0 };
    SL_LOG(SL_LOG_INFO, "the keys were read again",
           sl_field_str("sluice.kid", sl_str_of(sl_keyring_active(ring)->id)),
           sl_field_int("sluice.keys", (int64_t)sl_keyring_n(ring)));
    sl_key_share_change(&app->keys, ring);
    return false;
}

/* Wait for a SIGHUP, or, if something was away, not for long. */
static void await_reload(struct sl_app *app, bool is_short, struct sl_err *last)
{
    struct timespec due = { 0 };
    int rc;

    (void)clock_gettime(CLOCK_MONOTONIC, &due);
    due.tv_sec += AGAIN_S;
    do {
        rc = is_short ? sem_clockwait(&app->reloads, CLOCK_MONOTONIC, &due)
                      : sem_wait(&app->reloads);
    } while (rc != 0 && errno == EINTR);
    if (rc == 0) {
        *last = (struct sl_err){ 0 }; /* whoever asks again is told again */
    }
}

/* SIGHUP: each worker takes the new ring before its next batch.  A thread of its own, since a
 * program that prints keys, or the database, may take its time. */
static void *reload_main(void *ctx)
{
    struct sl_app *app = ctx;
    struct sl_err last = { 0 };
    bool again = false;

    while (!atomic_load(&app->has_ended)) {
        await_reload(app, again, &last);
        again = !atomic_load(&app->has_ended) && reload_keys(app, &last);
    }
    return NULL;
}

static void take_stop(struct sl_app *app, int sig)
{
    const int64_t now_ms = sl_clock_now_ms();

    if (app->signal_ms != 0) {
        if (now_ms - app->signal_ms >= SAME_STOP_MS) {
            _exit(128 + sig);
        }
        return;
    }
    app->signal_ms = now_ms;
    SL_LOG(SL_LOG_INFO, "stopping: finishing what is held", sl_field_int("sluice.signal", sig));
    sl_app_stop(app, true);
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

static void end_at_once(int sig)
{
    _exit(128 + sig);
}

/* The first process of a container gets only the signals that it has handlers for. */
void sl_app_signals_prepare(void)
{
    sigset_t hangup;

    (void)signal(SIGTERM, end_at_once);
    (void)signal(SIGINT, end_at_once);
    (void)sigemptyset(&hangup);
    (void)sigaddset(&hangup, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &hangup, NULL);
}

sl_rc sl_app_signals_start(struct sl_app *app, struct sl_app_signals *ret, struct sl_err *e)
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
void sl_app_signals_end(struct sl_app *app, const struct sl_app_signals *h)
{
    atomic_store(&app->has_ended, true);
    (void)pthread_kill(h->signals, SIGHUP);
    (void)pthread_join(h->signals, NULL);
    sl_stop_ask(&app->stop, true);
    (void)sem_post(&app->reloads);
    (void)pthread_join(h->reload, NULL);
    (void)sem_destroy(&app->reloads);
}
