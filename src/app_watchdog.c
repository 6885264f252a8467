/* app_watchdog.c - workers that make no progress: said, and in the end the program ends for them. */
#include "app_watchdog.h"

#include "base/clock.h"
#include "base/notify.h"
#include "telemetry/log.h"

/* How long a worker has shown no progress, in ms. */
static int64_t still_for_ms(const struct sl_worker *w, int64_t now_ms)
{
    const int64_t at_ms = atomic_load(&w->pipeline.pulse.at_ms);

    return !w->is_started || atomic_load(&w->has_ended) || at_ms == 0 ? 0 : now_ms - at_ms;
}

static sl_str stage_of(const struct sl_worker *w)
{
    return sl_str_of(sl_stage_name((enum sl_stage)atomic_load(&w->pipeline.pulse.stage)));
}

static void say(struct sl_worker *w, int64_t still_ms)
{
    sl_count(&w->counters.stalls, 1);
    SL_LOG(SL_LOG_ERROR, "a worker makes no progress", sl_field_str("sluice.stage", stage_of(w)),
           sl_field_int("sluice.worker", w->number),
           sl_field_int("sluice.seconds", still_ms / 1000));
}

/* Returns: true when this one is stuck. */
static bool worker_look(struct sl_worker *w, int64_t still_ms, int64_t stall_ms)
{
    const bool is_stalled = still_ms >= stall_ms;

    if (is_stalled && !w->is_stalled) {
        say(w, still_ms);
    } else if (!is_stalled && w->is_stalled) {
        SL_LOG(SL_LOG_INFO, "the worker goes on", sl_field_int("sluice.worker", w->number));
    }
    w->is_stalled = is_stalled;
    return is_stalled;
}

static void ping(struct sl_watchdog *dog, int64_t now_ms)
{
    const int64_t every_ms = sl_notify_watchdog_ms();

    if (every_ms > 0 && !dog->is_stalled && now_ms >= dog->next_ping_ms) {
        dog->next_ping_ms = now_ms + every_ms;
        sl_notify("WATCHDOG=1");
    }
}

sl_rc sl_watchdog_look(struct sl_app *app, struct sl_watchdog *dog, struct sl_err *e)
{
    const int64_t stall_ms = (int64_t)app->cfg->stall_after_s * 1000;
    const int64_t now_ms = sl_clock_now_ms();

    dog->is_stalled = false;
    for (unsigned i = 0; i < app->workers_n; i++) {
        struct sl_worker *w = &app->workers[i];
        const int64_t still_ms = still_for_ms(w, now_ms);

        dog->is_stalled = worker_look(w, still_ms, stall_ms) || dog->is_stalled;
        if (still_ms >= 2 * stall_ms) {
            return SL_FAIL(e, SL_STALLED,
                           "worker %u has been stuck in %" SL_FMT " for %lld s: ending, to be "
                           "started anew; nothing is lost",
                           w->number, SL_ARG(stage_of(w)), (long long)(still_ms / 1000));
        }
    }
    ping(dog, now_ms);
    return SL_OK;
}
