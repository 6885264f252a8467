/* app_queue.c - how long the queue is: asked, counted, and remembered for those who watch. */
#include "app_queue.h"

#include <time.h>

#include "base/clock.h"

enum {
    EVERY_MS = 30000, /* each question costs money */
    FRESH_MS = 90000, /* two answers may fail to come */
};

sl_rc sl_app_queue_ask(struct sl_app *app, struct sl_sqs_attributes *ret, struct sl_err *e)
{
    const sl_rc rc = sl_sqs_ask(app->cfg, &app->aws, &app->wire, ret, e);

    sl_count_request(&app->requests, SL_SQS_ACTION_attributes, rc);
    if (rc == SL_OK) {
        atomic_store(&app->depth.visible, ret->visible);
        atomic_store(&app->depth.in_flight, ret->not_visible);
        atomic_store(&app->depth.delayed, ret->delayed);
        atomic_store(&app->depth.retention_s, ret->retention_s);
        atomic_store(&app->depth.asked_at_ms, sl_clock_at_ms());
    }
    return rc;
}

bool sl_app_depth_is_fresh(const struct sl_app_depth *depth, int64_t at_ms)
{
    const int64_t asked_at_ms = atomic_load(&depth->asked_at_ms);

    return asked_at_ms > 0 && at_ms - asked_at_ms <= FRESH_MS;
}

sl_str sl_app_queue_name(const struct sl_config *cfg)
{
    sl_str rest = cfg->sqs.queue_url;
    sl_str name = SL_STR("");

    while (rest.len > 0) {
        name = sl_str_cut(&rest, '/');
    }
    return name;
}

/* Returns: false when the thread shall end. */
static bool asker_wait(struct sl_app_asker *asker)
{
    const int64_t due_ms = sl_clock_now_ms() + EVERY_MS;
    const struct timespec due = { .tv_sec = due_ms / 1000, .tv_nsec = due_ms % 1000 * 1000000 };
    int timed_out = 0;
    bool goes_on;

    (void)pthread_mutex_lock(&asker->lock);
    while (!asker->is_over && timed_out == 0) {
        timed_out = pthread_cond_timedwait(&asker->wake, &asker->lock, &due);
    }
    goes_on = !asker->is_over;
    (void)pthread_mutex_unlock(&asker->lock);
    return goes_on;
}

static void *asker_main(void *ctx)
{
    struct sl_app_asker *asker = ctx;
    struct sl_sqs_attributes now;

    while (asker_wait(asker)) {
        (void)!sl_app_queue_ask(asker->app, &now, NULL); /* the age of the answer tells */
    }
    return NULL;
}

void sl_app_asker_start(struct sl_app_asker *asker, struct sl_app *app)
{
    pthread_condattr_t attributes;

    *asker = (struct sl_app_asker){ .app = app };
    if (app->server.daemon == NULL || sl_config_reads_files(app->cfg)) {
        return;
    }
    (void)pthread_mutex_init(&asker->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&asker->wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    asker->is_started = pthread_create(&asker->thread, NULL, asker_main, asker) == 0;
}

void sl_app_asker_end(struct sl_app_asker *asker)
{
    if (!asker->is_started) {
        return;
    }
    (void)pthread_mutex_lock(&asker->lock);
    asker->is_over = true;
    (void)pthread_cond_signal(&asker->wake);
    (void)pthread_mutex_unlock(&asker->lock);
    (void)pthread_join(asker->thread, NULL);
    (void)pthread_cond_destroy(&asker->wake);
    (void)pthread_mutex_destroy(&asker->lock);
}
