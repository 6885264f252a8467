/* app_drain.c - when a queue is empty: nothing is there, nothing comes, and nobody holds anything. */
#include "app_drain.h"

#include "app_queue.h"
#include "base/clock.h"
#include "telemetry/log.h"

enum {
    LOOK_MS = 300, /* between two looks at a queue that seems empty */
    OTHERS_GRACE_S = 5,
};

bool sl_app_is_idle(const struct sl_app *app)
{
    for (unsigned i = 0; i < app->workers_n; i++) {
        if (!atomic_load(&app->workers[i].is_idle)) {
            return false;
        }
    }
    return true;
}

/* Nothing but what others hold: wait until that must have come back or gone. */
static bool others_time_out(struct sl_app *app, struct sl_drain *seen, int64_t held)
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

bool sl_drain_is_over(struct sl_app *app, struct sl_drain *seen)
{
    const struct sl_counts counts = sl_app_counts(app);
    struct sl_sqs_attributes now;
    int64_t others;
    int64_t left;

    if (!sl_app_is_idle(app) || counts.received != sl_counts_ended(&counts)) {
        *seen = (struct sl_drain){ .next_look_ms = seen->next_look_ms };
        return false;
    }
    if (sl_clock_now_ms() < seen->next_look_ms || sl_app_queue_ask(app, &now, NULL) != SL_OK) {
        return false;
    }
    seen->next_look_ms = sl_clock_now_ms() + LOOK_MS;
    if (counts.received != seen->received) {
        *seen =
            (struct sl_drain){ .next_look_ms = seen->next_look_ms, .received = counts.received };
    }
    others = now.not_visible - (int64_t)sl_sqs_left(&app->shared, sl_clock_now_ms());
    left = now.visible + now.delayed + (others > 0 ? others : 0);
    if (left > 0) {
        seen->looks = 0;
        return now.visible + now.delayed == 0 && others_time_out(app, seen, left);
    }
    seen->others_since_ms = 0;
    return ++seen->looks >= 2;
}
