/* pipeline/load.c - a batch is committed, however long that takes.
 *
 * An outage is not a bad record: nothing new is received, what is held stays invisible, and the
 * same batch is tried until it is committed or somebody says stop.
 */
#include "base/clock.h"
#include "pipeline/pipeline.h"
#include "telemetry/log.h"

/* Count what has been decided since the last look. */
static void count_outcomes(struct sl_pipeline *p, struct sl_batch *b)
{
    uint64_t n[SL_OUTCOME_DEAD_LETTERED + 1] = { 0 };

    for (unsigned i = 0; i < b->n; i++) {
        struct sl_record *r = b->records[i];

        if (!r->is_counted && r->outcome != SL_OUTCOME_NONE) {
            n[r->outcome]++;
            r->is_counted = true;
        }
    }
    sl_count(&p->counters->loaded, n[SL_OUTCOME_LOADED]);
    sl_count(&p->counters->duplicates, n[SL_OUTCOME_DUPLICATE]);
    sl_count(&p->counters->dead_lettered, n[SL_OUTCOME_DEAD_LETTERED]);
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
        (void)p->source.wait.until(p->source.wait.self, -1, 0, due_ms);
    }
}

/* Say it when it begins, when it becomes another one, and now and then while it lasts. */
static void outage_log(struct sl_pipeline *p, const struct sl_err *now, struct sl_err *last)
{
    if (strcmp(now->msg, last->msg) != 0 || p->backoff.tries % 16 == 15) {
        sl_log_err(SL_LOG_WARN,
                   now->rc == SL_TABLE ? "the table takes nothing; waiting"
                                       : "the database is away; waiting",
                   now);
    }
    *last = *now;
}

static void outage_over(struct sl_pipeline *p, const struct sl_err *last)
{
    if (last->rc != SL_OK) {
        SL_LOG(SL_LOG_INFO, "the database is back",
               sl_field_int("sluice.retries", (int64_t)p->backoff.tries));
    }
    sl_backoff_reset(&p->backoff);
    p->source.ops->pause(p->source.self, false);
}

/* The vault comes first: a token whose original is nowhere could never be recovered. */
static sl_rc load_once(struct sl_pipeline *p, struct sl_batch *b, struct sl_err *e)
{
    if (p->vault != NULL) {
        SL_TRY(sl_vault_put(p->vault, b, e));
    }
    return p->sink.ops->load(p->sink.self, b, e);
}

sl_rc sl_stage_load(struct sl_pipeline *p, struct sl_batch *b, struct sl_err *e)
{
    struct sl_err failure;
    struct sl_err last = { 0 };

    for (;;) {
        sl_rc rc;

        /* Before each attempt: one that failed may have given verdicts. */
        SL_TRY(sl_seal_verdicts(p, b, e));
        rc = load_once(p, b, &failure);
        count_outcomes(p, b);
        if (rc == SL_OK) {
            break;
        }
        if (rc == SL_ROW) {
            continue;
        }
        if (sl_rc_fate(rc) != SL_FATE_RETRY || gives_up(p)) {
            if (e != NULL) {
                *e = failure;
            }
            return sl_rc_fate(rc) != SL_FATE_RETRY
                       ? rc
                       : SL_FAIL(e, SL_STOPPED, "stopped during an outage: %.900s", failure.msg);
        }
        sl_count(&p->counters->retries, 1);
        p->source.ops->pause(p->source.self, true);
        outage_log(p, &failure, &last);
        wait_out(p, sl_backoff_next(&p->backoff));
    }
    outage_over(p, &last);
    sl_count(&p->counters->batches, 1);
    SL_LOG(SL_LOG_DEBUG, "a batch is committed", sl_field_int("sluice.messages", b->n));
    return SL_OK;
}
