/* app_state.c - a whole run at one moment, for the console. */
#include "app_state.h"

#include <inttypes.h>

#include "app_console.h"
#include "app_health.h"
#include "app_queue.h"
#include "base/clock.h"
#include "telemetry/log.h"

enum { REASONS_MAX = 256 << 10 };

static const char *const level_names[] = { "debug", "info", "warn", "error" };

static void add_known(struct sl_buf *out, const char *name, int64_t n, bool is_known)
{
    if (is_known) {
        sl_buf_printf(out, ",\"%s\":%" PRId64, name, n);
    } else {
        sl_buf_printf(out, ",\"%s\":null", name);
    }
}

/* ---- both ends ----------------------------------------------------------------------------------- */

static void add_source(const struct sl_app *app, struct sl_buf *out)
{
    const struct sl_app_depth *d = &app->depth;
    const int64_t asked_at_ms = atomic_load(&d->asked_at_ms);
    const int64_t at_ms = sl_clock_at_ms();
    const bool is_known = sl_app_depth_is_fresh(d, at_ms);
    const bool has_files = sl_config_reads_files(app->cfg);

    sl_buf_printf(out, ",\"source\":{\"kind\":\"%s\"", has_files ? "files" : "sqs");
    sl_app_page_text(out, "name", has_files ? app->cfg->files.path : sl_app_queue_name(app->cfg));
    add_known(out, "visible", atomic_load(&d->visible), is_known);
    add_known(out, "in_flight", atomic_load(&d->in_flight), is_known);
    add_known(out, "delayed", atomic_load(&d->delayed), is_known);
    add_known(out, "asked_s_ago", (at_ms - asked_at_ms) / 1000, asked_at_ms > 0);
    sl_buf_add_char(out, '}');
}

static void add_target(const struct sl_app *app, struct sl_buf *out)
{
    sl_buf_add_str(out, SL_STR(",\"target\":{\"kind\":\"postgres\""));
    sl_app_page_text(out, "name", app->cfg->postgres.table);
    sl_buf_add_char(out, '}');
}

/* ---- between them -------------------------------------------------------------------------------- */

static void add_counts(const struct sl_app *app, struct sl_buf *out)
{
    const struct sl_counts c = sl_app_counts(app);

    sl_buf_printf(out, ",\"counts\":{\"in_flight\":%" PRIu64, sl_counts_in_flight(&c));
#define X(name, ...) sl_buf_printf(out, ",\"" #name "\":%" PRIu64, c.name);
#include "telemetry/metrics.def"
#undef X
    sl_buf_add_char(out, '}');
}

static void add_worker(const struct sl_app *app, unsigned i, struct sl_buf *out)
{
    const struct sl_worker_state w = sl_worker_state_of(app, i);
    const bool has_outage = w.outage_ms > 0;

    sl_buf_printf(
        out, "{\"worker\":%u,\"stage\":\"%s\",\"still_s\":%" PRId64 ",\"idle\":%s,\"stalled\":%s",
        i, sl_stage_name(w.stage), w.still_ms / 1000, w.is_idle ? "true" : "false",
        w.is_stalled ? "true" : "false");
    add_known(out, "outage_s", w.outage_ms / 1000, has_outage);
    sl_app_page_text(out, "outage", sl_str_of(has_outage ? sl_rc_name(w.outage_rc) : ""));
    sl_app_page_text(out, "awaited", sl_str_of(has_outage ? w.awaited : ""));
    sl_app_page_text(out, "queue_error", sl_str_of(w.is_queue_up ? "" : sl_rc_name(w.queue_rc)));
    sl_buf_add_char(out, '}');
}

static void add_workers(const struct sl_app *app, struct sl_buf *out)
{
    int64_t oldest_ms = 0;

    sl_buf_add_str(out, SL_STR(",\"workers\":["));
    for (unsigned i = 0; i < app->workers_n; i++) {
        const int64_t age_ms = sl_worker_age_ms(app, i);

        oldest_ms = age_ms > oldest_ms ? age_ms : oldest_ms;
        sl_buf_add_str(out, i > 0 ? SL_STR(",") : SL_STR(""));
        add_worker(app, i, out);
    }
    sl_buf_add_char(out, ']');
    add_known(out, "oldest_s", oldest_ms / 1000, oldest_ms > 0);
}

static void add_keys(struct sl_app *app, struct sl_buf *out)
{
    struct sl_keyring *ring = sl_key_share_take(&app->keys);

    sl_buf_add_str(out, SL_STR(",\"keys\":["));
    for (unsigned i = 0; i < sl_keyring_n(ring); i++) {
        sl_buf_add_str(out, i > 0 ? SL_STR(",") : SL_STR(""));
        sl_buf_add_json(out, sl_str_of(sl_keyring_at(ring, i)->id));
    }
    sl_buf_add_char(out, ']');
    sl_keyring_free(ring);
}

static void add_run(struct sl_app *app, struct sl_buf *out)
{
    sl_app_page_text(out, "pipeline", app->target.pipeline);
    add_source(app, out);
    add_target(app, out);
    add_counts(app, out);
    add_workers(app, out);
    add_keys(app, out);
}

static void add_no_run(struct sl_buf *out)
{
    sl_buf_add_str(out, SL_STR(",\"pipeline\":null,\"source\":null,\"target\":null,\"counts\":null"
                               ",\"workers\":[],\"oldest_s\":null,\"keys\":[]"));
}

/* ---- what goes wrong ----------------------------------------------------------------------------- */

static void add_error(const struct sl_recent_kind *k, struct sl_buf *out)
{
    sl_buf_printf(
        out, "{\"first_ms\":%" PRId64 ",\"last_ms\":%" PRId64 ",\"n\":%" PRIu64 ",\"level\":\"%s\"",
        k->first_ms, k->last_ms, k->n, level_names[k->level]);
    sl_app_page_text(out, "message", sl_str_of(k->message));
    sl_app_page_text(out, "code", sl_str_of(k->code));
    sl_app_page_text(out, "detail", sl_str_of(k->detail));
    sl_app_page_text(out, "remedy", sl_str_of(sl_recent_advice(k->message)));
    sl_buf_add_char(out, '}');
}

static void add_errors(struct sl_buf *out)
{
    struct sl_recent recent;

    sl_log_recent(&recent);
    sl_buf_add_str(out, SL_STR(",\"errors\":["));
    for (unsigned i = 0; i < SL_RECENT_KINDS && recent.kinds[i].n > 0; i++) {
        sl_buf_add_str(out, i > 0 ? SL_STR(",") : SL_STR(""));
        add_error(&recent.kinds[i], out);
    }
    sl_buf_add_char(out, ']');
}

void sl_app_state(struct sl_app *app, struct sl_buf *out)
{
    SL_AUTO(sl_buf_done) struct sl_buf reasons = { .max_bytes = REASONS_MAX };
    const bool is_ready = sl_app_reasons(app, &reasons);

    sl_buf_printf(out,
                  "{\"version\":\"" SLUICE_VERSION "\",\"started_at_ms\":%" PRId64
                  ",\"now_ms\":%" PRId64 ",\"status\":\"%s\",\"reasons\":[%" SL_FMT "]",
                  app->opened_at_ms, sl_clock_at_ms(), is_ready ? "ready" : "not ready",
                  SL_ARG(sl_buf_str(&reasons)));
    if (atomic_load(&app->is_running)) {
        add_run(app, out);
    } else {
        add_no_run(out);
    }
    add_errors(out);
    sl_buf_printf(out, ",\"actions\":%s}\n", app->token.is_set ? "true" : "false");
}
