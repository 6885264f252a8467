/* app_health.c - is it well, is it ready, and why not. */
#include "app_health.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"

/* What is wrong, one after the other. */
struct reasons {
    struct sl_buf *out;
    bool is_text;
    unsigned n;
};

struct sl_worker_state sl_worker_state_of(const struct sl_app *app, unsigned i)
{
    const struct sl_worker *w = &app->workers[i];
    const struct sl_pulse *pulse = &w->pipeline.pulse;
    const int64_t at_ms = atomic_load(&pulse->at_ms);
    const int64_t since_ms = atomic_load(&pulse->outage_since_ms);
    const int64_t now_ms = sl_clock_now_ms();
    const bool has_ended = atomic_load(&w->has_ended);
    const enum sl_stage stage = (enum sl_stage)atomic_load(&pulse->stage);
    const sl_rc queue_rc = (sl_rc)atomic_load(&w->counters.receive_rc);
    const int64_t still_ms = at_ms == 0 || has_ended || now_ms < at_ms ? 0 : now_ms - at_ms;

    return (struct sl_worker_state){
        .stage = stage,
        .still_ms = still_ms,
        .is_stalled = still_ms >= (int64_t)app->cfg->stall_after_s * 1000,
        .is_idle = atomic_load(&w->is_idle) && stage == SL_STAGE_receive,
        .queue_rc = queue_rc,
        .is_queue_up = queue_rc == SL_OK || queue_rc == SL_THROTTLED, /* which is an answer, too */
        .outage_ms = since_ms == 0 || now_ms < since_ms ? 0 : now_ms - since_ms + 1,
        .outage_rc = (sl_rc)atomic_load(&pulse->outage),
        .awaited = atomic_load(&pulse->awaited),
    };
}

int64_t sl_worker_age_ms(const struct sl_app *app, unsigned i)
{
    const struct sl_counters *c = &app->workers[i].counters;
    const int64_t sent_at_ms = atomic_load(&c->oldest_sent_at_ms);

    if (sent_at_ms > 0) {
        return sl_clock_at_ms() - sent_at_ms;
    }
    return atomic_load(&app->workers[i].is_idle) ? 0 : atomic_load(&c->last_age_ms);
}

static void reason_add(struct reasons *r, const char *fmt, ...) SL_PRINTF(2, 3);

static void reason_add(struct reasons *r, const char *fmt, ...)
{
    char text[256];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    r->n++;
    if (r->is_text) {
        sl_buf_printf(r->out, "not ready: %s\n", text);
        return;
    }
    sl_buf_add_str(r->out, r->n > 1 ? SL_STR(",") : SL_STR(""));
    sl_buf_add_json(r->out, sl_str_of(text));
}

static void add_stalls(const struct sl_app *app, struct reasons *r)
{
    for (unsigned i = 0; i < app->workers_n; i++) {
        const struct sl_worker_state w = sl_worker_state_of(app, i);

        if (w.is_stalled) {
            reason_add(r, "worker %u has made no progress in %s for %" PRId64 " s", i,
                       sl_stage_name(w.stage), w.still_ms / 1000);
        }
    }
}

static void add_ends(const struct sl_app *app, struct reasons *r)
{
    for (unsigned i = 0; i < app->workers_n; i++) {
        const struct sl_worker_state w = sl_worker_state_of(app, i);

        if (w.outage_ms > 0) {
            reason_add(r, "worker %u: %s has taken nothing for %" PRId64 " s (%s)", i, w.awaited,
                       w.outage_ms / 1000, sl_rc_name(w.outage_rc));
        }
        if (!w.is_queue_up) {
            reason_add(r, "worker %u: the queue cannot be asked (%s)", i, sl_rc_name(w.queue_rc));
        }
    }
}

static void add_all(const struct sl_app *app, struct reasons *r)
{
    const char *waiting = atomic_load(&app->waiting);

    if (!atomic_load(&app->is_running)) {
        reason_add(r, "starting%s%s", waiting != NULL ? ": " : "", waiting != NULL ? waiting : "");
        return;
    }
    if (atomic_load(&app->stop.is_asked)) {
        reason_add(r, "stopping");
    }
    add_stalls(app, r);
    add_ends(app, r);
}

bool sl_app_reasons(const struct sl_app *app, struct sl_buf *out)
{
    struct reasons r = { .out = out };

    add_all(app, &r);
    return r.n == 0;
}

bool sl_app_is_healthy(const struct sl_app *app, struct sl_buf *out)
{
    SL_AUTO(sl_buf_done) struct sl_buf text = { .max_bytes = 64 << 10 };
    struct reasons r = { .out = &text };

    if (atomic_load(&app->is_running)) {
        add_stalls(app, &r);
    }
    sl_buf_printf(out, "{\"status\":\"%s\",\"reasons\":[%" SL_FMT "]}\n",
                  r.n == 0 ? "ok" : "stalled", SL_ARG(sl_buf_str(&text)));
    return r.n == 0;
}

/* ---- what is there to say besides ---------------------------------------------------------------- */

static int64_t asked_s_ago(const struct sl_app *app)
{
    const int64_t at_ms = atomic_load(&app->depth.asked_at_ms);

    return at_ms == 0 ? -1 : (sl_clock_at_ms() - at_ms) / 1000;
}

static void workers_json(const struct sl_app *app, struct sl_buf *out)
{
    sl_buf_add_str(out, SL_STR(",\"workers\":["));
    for (unsigned i = 0; i < app->workers_n; i++) {
        const struct sl_worker_state w = sl_worker_state_of(app, i);

        sl_buf_printf(out, "%s{\"worker\":%u,\"stage\":\"%s\",\"still_s\":%" PRId64 ",\"idle\":%s}",
                      i > 0 ? "," : "", i, sl_stage_name(w.stage), w.still_ms / 1000,
                      w.is_idle ? "true" : "false");
    }
    sl_buf_add_char(out, ']');
}

static void details_json(const struct sl_app *app, struct sl_buf *out)
{
    const struct sl_counts c = sl_app_counts(app);

    sl_buf_printf(out,
                  ",\"received\":%" PRIu64 ",\"loaded\":%" PRIu64 ",\"duplicates\":%" PRIu64
                  ",\"dead_lettered\":%" PRIu64 ",\"returned\":%" PRIu64 ",\"in_flight\":%" PRIu64,
                  c.received, c.loaded, c.duplicates, c.dead_lettered, c.returned,
                  sl_counts_in_flight(&c));
    if (asked_s_ago(app) >= 0) {
        sl_buf_printf(out,
                      ",\"queue\":{\"visible\":%" PRId64 ",\"in_flight\":%" PRId64
                      ",\"delayed\":%" PRId64 ",\"asked_s_ago\":%" PRId64 "}",
                      atomic_load(&app->depth.visible), atomic_load(&app->depth.in_flight),
                      atomic_load(&app->depth.delayed), asked_s_ago(app));
    }
    workers_json(app, out);
}

static void details_text(const struct sl_app *app, struct sl_buf *out)
{
    const struct sl_counts c = sl_app_counts(app);

    sl_buf_printf(out,
                  "received %" PRIu64 ", loaded %" PRIu64 ", duplicates %" PRIu64
                  ", dead-lettered %" PRIu64 ", returned %" PRIu64 ", in flight %" PRIu64 "\n",
                  c.received, c.loaded, c.duplicates, c.dead_lettered, c.returned,
                  sl_counts_in_flight(&c));
    if (asked_s_ago(app) >= 0) {
        sl_buf_printf(out,
                      "queue: %" PRId64 " visible, %" PRId64 " in flight, %" PRId64
                      " delayed; asked %" PRId64 " s ago\n",
                      atomic_load(&app->depth.visible), atomic_load(&app->depth.in_flight),
                      atomic_load(&app->depth.delayed), asked_s_ago(app));
    }
    for (unsigned i = 0; i < app->workers_n; i++) {
        const struct sl_worker_state w = sl_worker_state_of(app, i);

        sl_buf_printf(out, "worker %u: %s%s, last progress %" PRId64 " s ago\n", i,
                      sl_stage_name(w.stage), w.is_idle ? ", idle" : "", w.still_ms / 1000);
    }
}

static void ready_json(const struct sl_app *app, const struct reasons *r, struct sl_buf *out)
{
    sl_buf_printf(out, "{\"status\":\"%s\",\"reasons\":[%" SL_FMT "]",
                  r->n == 0 ? "ready" : "not ready", SL_ARG(sl_buf_str(r->out)));
    if (atomic_load(&app->is_running)) {
        details_json(app, out);
    }
    sl_buf_add_str(out, SL_STR("}\n"));
}

static void ready_text(const struct sl_app *app, const struct reasons *r, struct sl_buf *out)
{
    sl_buf_add_str(out, r->n == 0 ? SL_STR("ready\n") : sl_buf_str(r->out));
    if (atomic_load(&app->is_running)) {
        details_text(app, out);
    }
}

bool sl_app_is_ready(const struct sl_app *app, bool is_text, struct sl_buf *out)
{
    SL_AUTO(sl_buf_done) struct sl_buf text = { .max_bytes = 256 << 10 };
    struct reasons r = { .out = &text, .is_text = is_text };

    add_all(app, &r);
    if (out != NULL && is_text) {
        ready_text(app, &r, out);
    } else if (out != NULL) {
        ready_json(app, &r, out);
    }
    return r.n == 0;
}
