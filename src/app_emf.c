/* app_emf.c - the counts of a run as metrics of CloudWatch: a line a minute, and one at the end. */
#include "app_emf.h"

#include "base/clock.h"
#include "telemetry/emf.h"
#include "telemetry/log.h"

enum { EVERY_MS = 60000, LINE_MAX_BYTES = 16 << 10 };

static void say(struct sl_app *app, struct sl_app_emf *emf)
{
    const struct sl_counts now = sl_app_counts(app);
    const struct sl_counts counted = sl_counts_since(&now, &emf->said);
    SL_AUTO(sl_buf_done) struct sl_buf members;

    sl_buf_init(&members, LINE_MAX_BYTES);
    sl_emf_write(&members, app->target.pipeline, sl_clock_at_ms(), &counted);
    sl_log_metrics(sl_buf_str(&members));
    emf->said = now;
}

void sl_app_emf_look(struct sl_app *app, struct sl_app_emf *emf, bool is_end)
{
    const int64_t now_ms = sl_clock_now_ms();

    if (!sl_log_wants_metrics() || app->options.is_dry_run) {
        return;
    }
    if (emf->next_ms == 0) {
        emf->next_ms = app->started_ms + EVERY_MS;
    }
    if (is_end || now_ms >= emf->next_ms) {
        say(app, emf);
        emf->next_ms += EVERY_MS;
    }
}
