/* pipeline/worker.c - a thread around the flow; the fate of a failed batch is decided here. */
#include "pipeline/worker.h"

#include <time.h>

#include "base/clock.h"
#include "telemetry/log.h"

enum {
    LOOK_UP_MS = 500,  /* between two looks at the stop flag while nothing comes */
    FLUSH_MS = 20000,  /* five of them for the receives still out */
    REPEAT_MS = 60000, /* between two lines about the same lasting failure */
    PAUSE_MS = 1000,   /* after a batch that failed by no outage */
};

static bool should_stop(const struct sl_worker *w)
{
    return atomic_load(&w->stop->is_asked);
}

/* What failed is tried again, by the source or with the messages handed back; say so once, then
 * now and then. */
static void say_again(const struct sl_err *e, unsigned n, struct sl_err *last, int64_t *last_ms)
{
    const int64_t now_ms = sl_clock_now_ms();

    if (e->rc != last->rc || now_ms - *last_ms >= REPEAT_MS) {
        sl_log_err(SL_LOG_WARN,
                   n > 0 ? "a batch failed and is handed back; trying again"
                         : "could not receive; trying again",
                   e);
        *last_ms = now_ms;
    }
    *last = *e;
}

/* What was handed back is there again at once; memory needs time to be free. */
static void pause_after(struct sl_worker *w)
{
    const struct sl_wait *wait = &w->pipeline.source.wait;
    const int64_t due_ms = sl_clock_now_ms() + PAUSE_MS;

    while (!should_stop(w) && sl_clock_now_ms() < due_ms) {
        (void)wait->until(wait->self, -1, 0, due_ms);
    }
}

/* Between two batches, what was received has an end or waits in the source: promise 7. */
static void reconcile(struct sl_worker *w)
{
    const struct sl_source *source = &w->pipeline.source;
    const uint64_t in_flight = source->ops->in_flight(source->self);
    struct sl_counts c = { 0 };

    sl_counts_add(&c, &w->counters);
    if (c.received == sl_counts_ended(&c) + in_flight) {
        return;
    }
    sl_count(&w->counters.mismatches, 1);
    if (!w->is_mismatch_said) {
        w->is_mismatch_said = true;
        SL_LOG(SL_LOG_ERROR, "the counts do not add up: please report this",
               sl_field_int("sluice.received", (int64_t)c.received),
               sl_field_int("sluice.loaded", (int64_t)c.loaded),
               sl_field_int("sluice.duplicates", (int64_t)c.duplicates),
               sl_field_int("sluice.dead_lettered", (int64_t)c.dead_lettered),
               sl_field_int("sluice.returned", (int64_t)c.returned),
               sl_field_int("sluice.in_flight", (int64_t)in_flight));
    }
}

static void report(struct sl_worker *w)
{
    const struct sl_source *source = &w->pipeline.source;

    reconcile(w);
    atomic_store(&w->is_idle, source->ops->is_idle(source->self));
}

static void follow(struct sl_worker *w)
{
    struct sl_err last = { 0 };
    int64_t last_ms = 0;

    while (!should_stop(w)) {
        struct sl_err e = { 0 };
        unsigned n = 0;
        sl_rc rc;

        sl_masks_refresh(&w->pipeline);
        rc = sl_pipeline_run_once(&w->pipeline, sl_clock_now_ms() + LOOK_UP_MS, &n, &e);

        report(w);
        if (rc == SL_OK) {
            last.rc = n > 0 ? SL_OK : last.rc;
        } else if (rc == SL_OUTAGE && !w->exits_on_outage) {
            sl_log_err(SL_LOG_WARN, "handed back what was held; waiting without it", &e);
            sl_pipeline_await_sink(&w->pipeline);
        } else if (rc != SL_OUTAGE && sl_rc_fate(rc) == SL_FATE_RETRY) {
            say_again(&e, n, &last, &last_ms);
            if (n > 0 || rc == SL_NOMEM) {
                pause_after(w);
            }
        } else {
            w->failure = e;
            return;
        }
    }
}

/* What is held is loaded and deleted; what cannot be is handed back. */
static void finish(struct sl_worker *w)
{
    struct sl_err e = { 0 };
    sl_rc rc = SL_OK;
    unsigned n = 1;

    while (rc == SL_OK && n > 0) {
        rc = sl_pipeline_run_once(&w->pipeline, sl_clock_now_ms() + FLUSH_MS, &n, &e);
    }
    if (rc != SL_OK && sl_rc_fate(rc) != SL_FATE_RETRY) {
        w->failure = e;
    }
}

/* Being told to stop in an outage is no failure: nothing is lost. */
static void judge(struct sl_worker *w)
{
    if (w->failure.rc == SL_STOPPED) {
        SL_LOG(SL_LOG_WARN, "what was held is handed back",
               sl_field_str("error.message", sl_str_of(w->failure.msg)));
        w->failure = (struct sl_err){ 0 };
    } else if (w->failure.rc != SL_OK) {
        sl_log_err(SL_LOG_ERROR, "cannot go on", &w->failure);
        sl_stop_ask(w->stop, true);
    }
}

static void *worker_main(void *ctx)
{
    struct sl_worker *w = ctx;
    struct sl_source *source = &w->pipeline.source;

    follow(w);
    if (w->failure.rc == SL_OK) {
        finish(w);
    }
    judge(w);
    sl_pulse_enter(&w->pipeline.pulse, SL_STAGE_ack);
    source->ops->flush(source->self, sl_clock_now_ms() + FLUSH_MS);
    report(w);
    atomic_store(&w->has_ended, true);
    return NULL;
}

static short worker_wait(void *self, int fd, short events, int64_t due_ms)
{
    struct sl_worker *w = self;
    const struct sl_wait *wait = &w->pipeline.source.wait;
    const short ready = wait->until(wait->self, fd, events, due_ms);

    if (ready != 0) {
        sl_pulse_beat(&w->pipeline.pulse);
    }
    return ready;
}

struct sl_wait sl_worker_wait(struct sl_worker *w)
{
    return (struct sl_wait){ .self = w, .until = worker_wait };
}

sl_rc sl_worker_start(struct sl_worker *w, struct sl_err *e)
{
    if (pthread_create(&w->thread, NULL, worker_main, w) != 0) {
        return SL_FAIL(e, SL_NOMEM, "could not start a thread");
    }
    w->is_started = true;
    return SL_OK;
}

bool sl_worker_join(struct sl_worker *w, unsigned wait_ms)
{
    struct timespec until;

    if (!w->is_started) {
        return true;
    }
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    if (pthread_timedjoin_np(w->thread, NULL, &until) != 0) {
        return false;
    }
    w->is_started = false;
    return true;
}
