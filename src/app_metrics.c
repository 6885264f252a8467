/* app_metrics.c - what a run has counted, and how it is, for Prometheus. */
#include "app_metrics.h"

#include <inttypes.h>
#include <stdio.h>

#include "app_health.h"
#include "app_queue.h"
#include "base/clock.h"
#include "telemetry/exposition.h"
#include "telemetry/process.h"

enum { NUMBER_MAX = 24 };

static const char *const action_names[] = {
#define X(name, action) action,
#include "telemetry/sqs_actions.def"
#undef X
};

static struct sl_labels label(const char *name, sl_str value)
{
    return (struct sl_labels){ { { name, value } } };
}

static struct sl_labels label_two(const char *name, sl_str value, const char *second,
                                  sl_str second_value)
{
    return (struct sl_labels){ { { name, value }, { second, second_value } } };
}

/* ---- sums over the workers ----------------------------------------------------------------------- */

static void expose_dead_letters(const struct sl_app *app, const struct sl_exposition *x)
{
    sl_expose_family(x, SL_FAMILY_dead_letters);
    for (unsigned reason = 1; reason < SL_REASONS_N; reason++) {
        const char *stage = sl_reason_stage((enum sl_reason)reason);
        const char *code = sl_reason_code((enum sl_reason)reason);
        const struct sl_labels labels =
            label_two("stage", sl_str_of(stage), "reason", sl_str_of(code));
        uint64_t n = 0;

        for (unsigned i = 0; i < app->workers_n; i++) {
            n += sl_counted(&app->workers[i].counters.dead_letters[reason]);
        }
        sl_expose_sample(x, SL_FAMILY_dead_letters, &labels, (double)n);
    }
}

static void expose_load_failures(const struct sl_app *app, const struct sl_exposition *x)
{
    sl_expose_family(x, SL_FAMILY_load_failures);
    for (unsigned rc = 1; rc < SL_RCS_N; rc++) {
        const struct sl_labels labels = label("code", sl_str_of(sl_rc_name((sl_rc)rc)));
        uint64_t n = 0;

        for (unsigned i = 0; i < app->workers_n; i++) {
            n += sl_counted(&app->workers[i].counters.load_failures[rc]);
        }
        if (n > 0) {
            sl_expose_sample(x, SL_FAMILY_load_failures, &labels, (double)n);
        }
    }
}

static uint64_t requests_n(const struct sl_app *app, unsigned action, unsigned rc)
{
    uint64_t n = sl_counted(&app->requests.n[action][rc]);

    for (unsigned i = 0; i < app->workers_n; i++) {
        n += sl_counted(&app->workers[i].counters.requests.n[action][rc]);
    }
    return n;
}

/* Good answers always, so that a rate has somewhere to begin; failures once there are any. */
static void expose_requests(const struct sl_app *app, const struct sl_exposition *x)
{
    sl_expose_family(x, SL_FAMILY_sqs_requests);
    for (unsigned action = 0; action < SL_SQS_ACTIONS_N; action++) {
        for (unsigned rc = 0; rc < SL_RCS_N; rc++) {
            const uint64_t n = requests_n(app, action, rc);
            const struct sl_labels labels = label_two("action", sl_str_of(action_names[action]),
                                                      "result", sl_str_of(sl_rc_name((sl_rc)rc)));

            if (n > 0 || rc == SL_OK) {
                sl_expose_sample(x, SL_FAMILY_sqs_requests, &labels, (double)n);
            }
        }
    }
}

static void expose_stage_messages(const struct sl_app *app, const struct sl_exposition *x)
{
    sl_expose_family(x, SL_FAMILY_stage_messages);
    for (unsigned stage = 0; stage < SL_STAGES_N; stage++) {
        const struct sl_labels labels =
            label("stage", sl_str_of(sl_stage_name((enum sl_stage)stage)));
        uint64_t n = 0;

        for (unsigned i = 0; i < app->workers_n; i++) {
            n += sl_counted(&app->workers[i].counters.stage_messages[stage]);
        }
        sl_expose_sample(x, SL_FAMILY_stage_messages, &labels, (double)n);
    }
}

static void expose_histograms(const struct sl_app *app, const struct sl_exposition *x)
{
    struct sl_tally latency = { 0 };

    sl_expose_family(x, SL_FAMILY_stages);
    for (unsigned stage = 0; stage < SL_STAGES_N; stage++) {
        const struct sl_labels labels =
            label("stage", sl_str_of(sl_stage_name((enum sl_stage)stage)));
        struct sl_tally tally = { 0 };

        for (unsigned i = 0; i < app->workers_n; i++) {
            sl_tally_take(&tally, &app->workers[i].counters.stages[stage]);
        }
        sl_expose_tally(x, SL_FAMILY_stages, &labels, &sl_bounds_stage, &tally);
    }
    for (unsigned i = 0; i < app->workers_n; i++) {
        sl_tally_take(&latency, &app->workers[i].counters.latency);
    }
    sl_expose_family(x, SL_FAMILY_latency);
    sl_expose_tally(x, SL_FAMILY_latency, NULL, &sl_bounds_latency, &latency);
}

static void expose_counts(const struct sl_app *app, const struct sl_exposition *x)
{
    const struct sl_counts c = sl_app_counts(app);

    sl_expose_counts(x, &c);
    sl_expose(x, SL_FAMILY_in_flight, (double)sl_counts_in_flight(&c));
}

/* ---- how it is ----------------------------------------------------------------------------------- */

static void expose_ends(const struct sl_app *app, const struct sl_exposition *x)
{
    bool is_queue_up = true;
    int64_t outage_ms = 0;
    int64_t oldest_ms = 0;

    for (unsigned i = 0; i < app->workers_n; i++) {
        const struct sl_worker_state w = sl_worker_state_of(app, i);
        const int64_t age = sl_worker_age_ms(app, i);

        is_queue_up = is_queue_up && w.is_queue_up;
        outage_ms = w.outage_ms > outage_ms ? w.outage_ms : outage_ms;
        oldest_ms = age > oldest_ms ? age : oldest_ms;
    }
    sl_expose(x, SL_FAMILY_oldest, (double)oldest_ms / 1000);
    sl_expose(x, SL_FAMILY_queue_up, is_queue_up);
    sl_expose(x, SL_FAMILY_database_up, outage_ms == 0);
    sl_expose(x, SL_FAMILY_outage, (double)outage_ms / 1000);
}

static void expose_depth(const struct sl_app *app, const struct sl_exposition *x)
{
    const struct sl_app_depth *d = &app->depth;

    const struct {
        const char *state;
        int64_t n;
    } states[] = { { "visible", atomic_load(&d->visible) },
                   { "in_flight", atomic_load(&d->in_flight) },
                   { "delayed", atomic_load(&d->delayed) } };

    const int64_t asked_at_ms = atomic_load(&d->asked_at_ms);
    const int64_t retention_s = atomic_load(&d->retention_s);

    if (asked_at_ms == 0) {
        return;
    }
    sl_expose_family(x, SL_FAMILY_queue);
    for (unsigned i = 0; i < sizeof states / sizeof *states; i++) {
        const struct sl_labels labels = label("state", sl_str_of(states[i].state));

        sl_expose_sample(x, SL_FAMILY_queue, &labels, (double)states[i].n);
    }
    sl_expose(x, SL_FAMILY_queue_asked, (double)asked_at_ms / 1000);
    sl_expose_family(x, SL_FAMILY_queue_retention);
    if (retention_s > 0) { /* not every server says it */
        sl_expose_sample(x, SL_FAMILY_queue_retention, NULL, (double)retention_s);
    }
}

static void expose_credentials(struct sl_app *app, const struct sl_exposition *x)
{
    const int64_t expires_at_ms = sl_aws_refresher_expires_at_ms(&app->refresher);

    sl_expose_family(x, SL_FAMILY_credentials);
    if (expires_at_ms > 0) {
        sl_expose_sample(x, SL_FAMILY_credentials, NULL, (double)expires_at_ms / 1000);
    }
}

static void expose_worker_stages(const struct sl_app *app, const struct sl_exposition *x)
{
    sl_expose_family(x, SL_FAMILY_worker_stage);
    for (unsigned i = 0; i < app->workers_n; i++) {
        const struct sl_worker_state w = sl_worker_state_of(app, i);
        char number[NUMBER_MAX];

        (void)snprintf(number, sizeof number, "%u", i);
        for (unsigned stage = 0; stage < SL_STAGES_N; stage++) {
            const char *name = sl_stage_name((enum sl_stage)stage);
            const struct sl_labels labels =
                label_two("worker", sl_str_of(number), "stage", sl_str_of(name));

            sl_expose_sample(x, SL_FAMILY_worker_stage, &labels, w.stage == stage);
        }
    }
}

static void expose_worker(const struct sl_app *app, const struct sl_exposition *x,
                          enum sl_family family)
{
    sl_expose_family(x, family);
    for (unsigned i = 0; i < app->workers_n; i++) {
        const struct sl_worker_state w = sl_worker_state_of(app, i);
        char number[NUMBER_MAX];
        struct sl_labels labels;

        (void)snprintf(number, sizeof number, "%u", i);
        labels = label("worker", sl_str_of(number));
        sl_expose_sample(x, family, &labels,
                         family == SL_FAMILY_worker_stall ? (double)w.is_stalled
                                                          : (double)w.still_ms / 1000);
    }
}

/* ---- what it is ---------------------------------------------------------------------------------- */

static void expose_keys(struct sl_app *app, const struct sl_exposition *x)
{
    struct sl_keyring *ring = sl_key_share_take(&app->keys);

    sl_expose_family(x, SL_FAMILY_key);
    for (unsigned i = 0; i < sl_keyring_n(ring); i++) {
        const struct sl_key *key = sl_keyring_at(ring, i);
        const struct sl_labels labels =
            label_two("kid", sl_str_of(key->id), "state", sl_str_of(sl_key_state_name(key->state)));

        sl_expose_sample(x, SL_FAMILY_key, &labels, 1);
    }
    sl_keyring_free(ring);
}

static void expose_pipeline(const struct sl_app *app, const struct sl_exposition *x)
{
    const struct sl_labels labels = { { { "pipeline", app->target.pipeline },
                                        { "queue", sl_app_queue_name(app->cfg) },
                                        { "table", app->cfg->postgres.table } } };

    sl_expose_family(x, SL_FAMILY_pipeline);
    sl_expose_sample(x, SL_FAMILY_pipeline, &labels, 1);
}

static void expose_process(const struct sl_app *app, const struct sl_exposition *x)
{
    const struct sl_labels labels = label("version", SL_STR(SLUICE_VERSION));

    sl_expose_family(x, SL_FAMILY_build);
    sl_expose_sample(x, SL_FAMILY_build, &labels, 1);
    sl_expose(x, SL_FAMILY_cpu, sl_process_cpu_s());
    sl_expose(x, SL_FAMILY_rss, sl_process_rss_bytes());
    sl_expose(x, SL_FAMILY_start, (double)app->opened_at_ms / 1000);
}

static void expose_run(struct sl_app *app, const struct sl_exposition *x)
{
    expose_counts(app, x);
    expose_dead_letters(app, x);
    expose_load_failures(app, x);
    expose_requests(app, x);
    expose_stage_messages(app, x);
    expose_histograms(app, x);
    expose_ends(app, x);
    expose_depth(app, x);
    expose_credentials(app, x);
    expose_worker_stages(app, x);
    expose_worker(app, x, SL_FAMILY_worker_still);
    expose_worker(app, x, SL_FAMILY_worker_stall);
    sl_expose(x, SL_FAMILY_slots, (double)sl_counted(&app->slots_emptied));
    sl_expose(x, SL_FAMILY_upkeep, (double)atomic_load(&app->upkeep_at_ms) / 1000);
    expose_keys(app, x);
    expose_pipeline(app, x);
}

void sl_app_metrics(struct sl_app *app, bool is_openmetrics, struct sl_buf *out)
{
    const struct sl_exposition x = { .out = out, .is_openmetrics = is_openmetrics };

    if (atomic_load(&app->is_running)) {
        expose_run(app, &x);
    }
    sl_expose(&x, SL_FAMILY_ready, sl_app_is_ready(app, false, NULL));
    expose_process(app, &x);
    sl_expose_end(&x);
}
