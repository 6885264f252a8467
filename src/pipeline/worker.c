/* pipeline/worker.c - a thread around the flow; the fate of a failed batch is decided here. */
#include "pipeline/worker.h"

#include "base/clock.h"
#include "telemetry/log.h"

enum {
    LOOK_UP_MS = 500,    /* between two looks at the stop flag while nothing comes */
    POLLS_END_MS = 5000, /* an aborted long poll hides what it would have brought */
    FLUSH_MS = 15000,
    REPEAT_MS = 60000, /* between two lines about the same lasting failure */
};

/* A receive that fails is tried again by the source; say so once, then now and then. */
static void receive_failed(const struct sl_err *e, struct sl_err *last, int64_t *last_ms)
{
    const int64_t now_ms = sl_clock_now_ms();

    if (e->rc != last->rc || now_ms - *last_ms >= REPEAT_MS) {
        sl_log_err(SL_LOG_WARN, "could not receive; trying again", e);
        *last_ms = now_ms;
    }
    *last = *e;
}

static void report(struct sl_worker *w)
{
    const struct sl_source *source = &w->pipeline.source;

    atomic_store(&w->in_flight, source->ops->in_flight(source->self));
    atomic_store(&w->is_idle, source->ops->is_idle(source->self));
}

static void follow(struct sl_worker *w)
{
    struct sl_err last = { 0 };
    int64_t last_ms = 0;

    while (!atomic_load(w->should_stop)) {
        struct sl_err e = { 0 };
        unsigned n = 0;
        const sl_rc rc = sl_pipeline_run_once(&w->pipeline, sl_clock_now_ms() + LOOK_UP_MS, &n, &e);

        report(w);
        if (rc == SL_OK) {
            last.rc = n > 0 ? SL_OK : last.rc;
        } else if (sl_rc_fate(rc) == SL_FATE_RETRY) {
            receive_failed(&e, &last, &last_ms);
        } else {
            w->failure = e;
            return;
        }
    }
}

/* What is held is loaded and deleted; what cannot be is handed back. */
static void finish(struct sl_worker *w)
{
    struct sl_source *source = &w->pipeline.source;
    const int64_t due_ms = sl_clock_now_ms() + POLLS_END_MS;
    unsigned n = 1;

    source->ops->stop(source->self);
    while (n > 0 && w->failure.rc == SL_OK && sl_clock_now_ms() < due_ms) {
        struct sl_err e = { 0 };

        n = 0;
        if (sl_pipeline_run_once(&w->pipeline, due_ms, &n, &e) != SL_OK && e.rc != SL_STOPPED &&
            sl_rc_fate(e.rc) == SL_FATE_STOP) {
            w->failure = e;
        }
    }
    source->ops->flush(source->self, sl_clock_now_ms() + FLUSH_MS);
    report(w);
}

static void *worker_main(void *ctx)
{
    struct sl_worker *w = ctx;

    follow(w);
    if (w->failure.rc == SL_STOPPED) {
        SL_LOG(SL_LOG_WARN, "what was held is handed back",
               sl_field_str("error.message", sl_str_of(w->failure.msg)));
        w->failure = (struct sl_err){ 0 };
    } else if (w->failure.rc != SL_OK) {
        sl_log_err(SL_LOG_ERROR, "cannot go on", &w->failure);
        atomic_store(w->should_stop, true);
    }
    finish(w);
    return NULL;
}

sl_rc sl_worker_start(struct sl_worker *w, struct sl_err *e)
{
    if (pthread_create(&w->thread, NULL, worker_main, w) != 0) {
        return SL_FAIL(e, SL_NOMEM, "could not start a thread");
    }
    w->is_started = true;
    return SL_OK;
}

void sl_worker_join(struct sl_worker *w)
{
    if (w->is_started) {
        (void)pthread_join(w->thread, NULL);
        w->is_started = false;
    }
}
