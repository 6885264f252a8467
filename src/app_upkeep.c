/* app_upkeep.c - now and then, what is old is removed from the database. */
#include "app_upkeep.h"

#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "sink/pg_dead.h"
#include "sink/pg_upkeep.h"
#include "telemetry/log.h"

enum {
    FIRST_MS = 60000,    /* and up to as long again: not all of a fleet at once */
    EVERY_MS = 3000000,  /* 50 minutes, and up to */
    SPREAD_MS = 1200000, /* 20 more */
    LAST_MS = 5000,      /* for the round at the end of a drain */
};

static void say(struct sl_app_upkeep *u, const struct sl_pg_upkeep *done, uint64_t letters)
{
    if (done->slots_n > 0 || done->rows_n > 0 || letters > 0) {
        SL_LOG(SL_LOG_INFO, "removed what is old", sl_field_int("sluice.slots", done->slots_n),
               sl_field_int("sluice.rows", done->rows_n),
               sl_field_int("sluice.dead_letters", (int64_t)letters));
    }
    if (done->may_not && !u->has_said) {
        u->has_said = true;
        sl_log_fields(SL_LOG_WARN,
                      "this role may not remove what is old from the ledger, which grows: sluice "
                      "check says what to grant",
                      NULL, 0);
    }
}

/* A round that fails is no harm: there is another one. */
static void round_log(sl_rc rc, const struct sl_err *e)
{
    if (rc != SL_OK) {
        sl_log_err(SL_LOG_INFO, "could not remove what is old; trying again later", e);
    }
}

static void upkeep_round(struct sl_app_upkeep *u, const struct sl_stop *stop, int64_t due_ms)
{
    const struct sl_config *cfg = u->app->cfg;
    struct sl_pg_conn conn = { .wait = sl_wait_plain(), .stop = stop, .cfg = cfg };
    struct sl_pg_upkeep job = { .conn = &conn,
                                .cfg = cfg,
                                .pipeline = u->app->target.pipeline,
                                .at_ms = sl_clock_at_ms(),
                                .due_ms = due_ms };
    struct sl_err e = { 0 };
    uint64_t letters = 0;
    sl_rc rc;

    u->has_run = true;
    rc = sl_pg_upkeep_run(&job, &e);
    round_log(rc, &e);
    sl_count(&u->app->slots_emptied, (uint64_t)job.slots_n);
    if (rc == SL_OK) {
        atomic_store(&u->app->upkeep_at_ms, sl_clock_at_ms());
    }
    round_log(sl_pg_dead_expire(&conn, job.pipeline, cfg->dead_letter_days, &letters, &e), &e);
    say(u, &job, letters);
    sl_pg_close(&conn);
}

static int64_t spread_ms(unsigned most_ms)
{
    uint32_t random = 0;

    (void)!getrandom(&random, sizeof random, 0);
    return random % most_ms;
}

/* Returns: false when the thread shall end. */
static bool wait_until(struct sl_app_upkeep *u, int64_t due_ms)
{
    const struct timespec due = { .tv_sec = due_ms / 1000, .tv_nsec = due_ms % 1000 * 1000000 };
    int timed_out = 0;

    (void)pthread_mutex_lock(&u->lock);
    while (!atomic_load(&u->stop.is_asked) && timed_out == 0) {
        timed_out = pthread_cond_timedwait(&u->wake, &u->lock, &due);
    }
    (void)pthread_mutex_unlock(&u->lock);
    return !atomic_load(&u->stop.is_asked);
}

static void *upkeep_main(void *ctx)
{
    struct sl_app_upkeep *u = ctx;
    int64_t due_ms = sl_clock_now_ms() + FIRST_MS + spread_ms(FIRST_MS);

    while (wait_until(u, due_ms)) {
        upkeep_round(u, &u->stop, INT64_MAX);
        due_ms = sl_clock_now_ms() + EVERY_MS + spread_ms(SPREAD_MS);
    }
    return NULL;
}

sl_rc sl_app_upkeep_start(struct sl_app_upkeep *u, struct sl_app *app, struct sl_err *e)
{
    pthread_condattr_t attributes;

    *u = (struct sl_app_upkeep){ .app = app };
    if (app->options.is_dry_run) {
        return SL_OK;
    }
    (void)pthread_mutex_init(&u->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&u->wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    if (pthread_create(&u->thread, NULL, upkeep_main, u) != 0) {
        return SL_FAIL(e, SL_NOMEM, "could not start a thread");
    }
    u->is_started = true;
    return SL_OK;
}

static void upkeep_join(struct sl_app_upkeep *u)
{
    (void)pthread_mutex_lock(&u->lock);
    sl_stop_ask(&u->stop, true);
    (void)pthread_cond_signal(&u->wake);
    (void)pthread_mutex_unlock(&u->lock);
    (void)pthread_join(u->thread, NULL);
    (void)pthread_cond_destroy(&u->wake);
    (void)pthread_mutex_destroy(&u->lock);
}

void sl_app_upkeep_end(struct sl_app_upkeep *u, bool is_well)
{
    if (!u->is_started) {
        return;
    }
    u->is_started = false;
    upkeep_join(u);
    if (is_well && !u->has_run && !atomic_load(&u->app->stop.is_urgent)) {
        upkeep_round(u, &u->app->stop, sl_clock_now_ms() + LAST_MS);
    }
}
