/* pipeline/load.c - a batch is committed, however long that takes.
 *
 * An outage is not a bad record: nothing new is received, what is held stays invisible, and the
 * same batch is tried until it is committed, somebody says stop, or the patience is over.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/fault_point.h"
#include "pipeline/pipeline.h"
#include "telemetry/log.h"

enum { PATIENCE_MAX_S = 39600 }; /* 11 hours: SQS hides a message for 12 at most */

/* Since when nothing is taken, and why. */
struct outage {
    int64_t since_ms; /* 0 = no outage */
    struct sl_err last;
};

static void count_one(struct sl_pipeline *p, const struct sl_record *r, int64_t at_ms,
                      struct sl_tally *latency)
{
    if (r->outcome == SL_OUTCOME_LOADED && r->sent_at_ms > 0) {
        sl_tally_add(latency, &sl_bounds_latency, (at_ms - r->sent_at_ms) * 1000);
    } else if (r->outcome == SL_OUTCOME_DEAD_LETTERED) {
        sl_count(&p->counters->dead_letters[r->verdict.reason], 1);
    }
}

/* Count what has been decided since the last look. */
static void count_outcomes(struct sl_pipeline *p, struct sl_batch *b)
{
    const int64_t at_ms = sl_clock_at_ms();
    uint64_t n[SL_OUTCOME_LEFT + 1] = { 0 };
    struct sl_tally latency = { 0 };

    for (unsigned i = 0; i < b->n; i++) {
        struct sl_record *r = b->records[i];

        if (!r->is_counted && r->outcome != SL_OUTCOME_NONE) {
            n[r->outcome]++;
            r->is_counted = true;
            if (r->outcome == SL_OUTCOME_DEAD_LETTERED && p->cfg->tracing) {
                sl_record_tell(r, "a bad message became a dead letter");
            }
            count_one(p, r, at_ms, &latency);
        }
    }
    sl_histogram_add(&p->counters->latency, &latency);
    sl_count(&p->counters->loaded, n[SL_OUTCOME_LOADED]);
    sl_count(&p->counters->duplicates, n[SL_OUTCOME_DUPLICATE]);
    sl_count(&p->counters->dead_lettered, n[SL_OUTCOME_DEAD_LETTERED]);
    sl_count(&p->counters->returned, n[SL_OUTCOME_LEFT]);
}

static bool gives_up(const struct sl_pipeline *p)
{
    return atomic_load(&p->stop->is_urgent);
}

/* The wait returns whenever a request has been answered; the outage lasts longer. */
static void wait_out(struct sl_pipeline *p, unsigned wait_ms)
{
    const int64_t due_ms = sl_clock_now_ms() + wait_ms;

    while (sl_clock_now_ms() < due_ms && !gives_up(p)) {
        sl_pulse_beat(&p->pulse);
        (void)p->source.wait.until(p->source.wait.self, -1, 0, due_ms);
    }
}

/* Say it when it begins, when it becomes another one, and now and then while it lasts. */
static void outage_log(struct sl_pipeline *p, const struct sl_err *now, struct outage *o)
{
    char text[64];

    if (strcmp(now->msg, o->last.msg) != 0 || p->backoff.tries % 16 == 15) {
        (void)snprintf(text, sizeof text, "%s is away; waiting", p->awaited);
        sl_log_err(SL_LOG_WARN, now->rc == SL_TABLE ? "the table takes nothing; waiting" : text,
                   now);
    }
    o->last = *now;
}

static void outage_over(struct sl_pipeline *p, const struct outage *o)
{
    if (o->last.rc != SL_OK) {
        SL_LOG(SL_LOG_INFO, "loading goes on",
               sl_field_int("sluice.retries", (int64_t)p->backoff.tries));
    }
    sl_pulse_outage_over(&p->pulse);
    sl_backoff_reset(&p->backoff);
    p->source.ops->pause(p->source.self, false);
}

static unsigned patience_s(const struct sl_pipeline *p)
{
    return p->patience_s != 0 ? p->patience_s : p->cfg->outage_patience_s;
}

/* Each hand-back without a commit in between doubles the patience: receive counts are not burned
 * on a database that answers and takes nothing. */
static sl_rc outage_outlasts(struct sl_pipeline *p, const struct outage *o, struct sl_err *e)
{
    const unsigned borne_s = patience_s(p);

    if (sl_clock_now_ms() - o->since_ms < (int64_t)borne_s * 1000) {
        return SL_OK;
    }
    p->patience_s = borne_s > PATIENCE_MAX_S / 2 ? PATIENCE_MAX_S : 2 * borne_s;
    sl_count(&p->counters->outages, 1);
    return SL_FAIL(e, SL_OUTAGE, "nothing was taken for %u s: %.900s", borne_s, o->last.msg);
}

/* One more attempt failed: bear it, or say why not. */
static sl_rc outage_bear(struct sl_pipeline *p, struct outage *o, const struct sl_err *failure,
                         struct sl_err *e)
{
    if (o->since_ms == 0) {
        o->since_ms = sl_clock_now_ms();
    }
    sl_count(&p->counters->retries, 1);
    sl_pulse_outage(&p->pulse, failure->rc, p->awaited);
    p->source.ops->pause(p->source.self, true);
    outage_log(p, failure, o);
    SL_TRY(outage_outlasts(p, o, e));
    wait_out(p, sl_backoff_next(&p->backoff));
    return SL_OK;
}

/* The vault comes first: a token whose original is nowhere could never be recovered.  Bad records
 * are sent on before the ledger says that they are done. */
static sl_rc load_once(struct sl_pipeline *p, struct sl_batch *b, struct sl_err *e)
{
    sl_pulse_enter(&p->pulse, SL_STAGE_load);
    if (p->vault != NULL) {
        p->awaited = "the vault";
        SL_TRY(sl_vault_put(p->vault, b, e));
    }
    SL_TRY(sl_dead_letters_route(p, b, e));
    p->awaited = "the database";
    return p->sink.ops->load(p->sink.self, b, e);
}

/* What ends the attempts, as the caller is to hear it. */
static sl_rc load_failed(const struct sl_err *failure, struct sl_err *e)
{
    if (sl_rc_fate(failure->rc) == SL_FATE_RETRY) {
        return SL_FAIL(e, SL_STOPPED, "stopped during an outage: %.900s", failure->msg);
    }
    if (e != NULL) {
        *e = *failure;
    }
    return failure->rc;
}

sl_rc sl_pipeline_persist(struct sl_pipeline *p, struct sl_batch *b, sl_attempt *once,
                          struct sl_err *e)
{
    struct outage outage = { 0 };
    struct sl_err failure;
    sl_rc rc;

    do {
        /* Before each attempt: one that failed may have given verdicts. */
        SL_TRY(sl_seal_verdicts(p, b, e));
        rc = once(p, b, &failure);
        count_outcomes(p, b);
        if (rc != SL_OK && rc != SL_ROW) {
            sl_count(&p->counters->load_failures[rc], 1);
            if (sl_rc_fate(rc) != SL_FATE_RETRY || gives_up(p)) {
                return load_failed(&failure, e);
            }
            SL_TRY(outage_bear(p, &outage, &failure, e));
        }
    } while (rc != SL_OK);
    outage_over(p, &outage);
    return SL_OK;
}

sl_rc sl_stage_load(struct sl_pipeline *p, struct sl_batch *b, struct sl_err *e)
{
    SL_TRY(sl_pipeline_persist(p, b, load_once, e));
    p->patience_s = 0;
    sl_count(&p->counters->batches, 1);
    SL_LOG(SL_LOG_DEBUG, "a batch is committed", sl_field_int("sluice.messages", b->n));
    return SL_OK;
}

static sl_rc probe(struct sl_pipeline *p, struct sl_err *e)
{
    if (p->vault != NULL) {
        p->awaited = "the vault";
        SL_TRY(sl_vault_probe(p->vault, e));
    }
    if (p->dead_queue != NULL) {
        p->awaited = "the dead-letter queue";
        SL_TRY(sl_dead_queue_probe(p->dead_queue, e));
    }
    p->awaited = "the database";
    return p->sink.ops->probe(p->sink.self, e);
}

void sl_pipeline_await_sink(struct sl_pipeline *p)
{
    struct outage outage = { 0 };
    struct sl_err failure;

    while (!atomic_load(&p->stop->is_asked)) {
        p->source.ops->give_back(p->source.self);
        if (probe(p, &failure) == SL_OK) {
            outage_over(p, &outage);
            return;
        }
        sl_pulse_outage(&p->pulse, failure.rc, p->awaited);
        outage_log(p, &failure, &outage);
        wait_out(p, sl_backoff_next(&p->backoff));
    }
}
