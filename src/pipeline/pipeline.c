/* pipeline/pipeline.c - the flow.  The order below is the whole promise: a message is forgotten by
 * the source only after the sink has it for good. */
#include "pipeline/pipeline.h"

#include "base/fault_point.h"

/* A batch is through a stage, and the next one begins. */
static void stage_end(struct sl_pipeline *p, const struct sl_batch *b, enum sl_stage stage)
{
    const int64_t now_us = sl_clock_now_us();
    struct sl_tally took = { 0 };

    sl_tally_add(&took, &sl_bounds_stage, now_us - p->stage_us);
    sl_histogram_add(&p->counters->stages[stage], &took);
    sl_count(&p->counters->stage_messages[stage], b->n);
    p->stage_us = now_us;
}

static int64_t oldest_sent_at_ms(const struct sl_batch *b)
{
    int64_t oldest_ms = INT64_MAX;

    for (unsigned i = 0; i < b->n; i++) {
        const int64_t sent_at_ms = b->records[i]->sent_at_ms;

        oldest_ms = sent_at_ms > 0 && sent_at_ms < oldest_ms ? sent_at_ms : oldest_ms;
    }
    return oldest_ms == INT64_MAX ? 0 : oldest_ms;
}

/* For whoever asks how old the messages are. */
static void batch_hold(struct sl_pipeline *p, const struct sl_batch *b)
{
    stage_end(p, b, SL_STAGE_receive);
    atomic_store(&p->counters->oldest_sent_at_ms, oldest_sent_at_ms(b));
}

static void batch_end(struct sl_pipeline *p, const struct sl_batch *b)
{
    const int64_t sent_at_ms = atomic_load(&p->counters->oldest_sent_at_ms);

    stage_end(p, b, SL_STAGE_ack);
    atomic_store(&p->counters->last_age_ms, sent_at_ms > 0 ? sl_clock_at_ms() - sent_at_ms : 0);
    atomic_store(&p->counters->oldest_sent_at_ms, 0);
}

static sl_rc batch_run(struct sl_pipeline *p, struct sl_batch *b, struct sl_err *e)
{
    SL_FAULT_POINT(received);
    sl_pulse_enter(&p->pulse, SL_STAGE_decode);
    SL_TRY(sl_objects_fetch(p, b, e));
    SL_TRY(sl_stage_decode(p, b, e)); /* 2 decode */
    stage_end(p, b, SL_STAGE_decode);
    SL_FAULT_POINT(decoded);
    sl_pulse_enter(&p->pulse, SL_STAGE_mask);
    SL_TRY(sl_stage_mask(p, b, e)); /* 3 mask   */
    stage_end(p, b, SL_STAGE_mask);
    SL_FAULT_POINT(masked);
    SL_TRY(sl_stage_load(p, b, e)); /* 4 load   */
    stage_end(p, b, SL_STAGE_load);
    return SL_OK;
}

/* What is too much for memory as a whole, as small bodies that unpack to large ones are, is taken in
 * smaller batches: the same again would fail again. */
static void batch_size(struct sl_pipeline *p, unsigned n, sl_rc rc)
{
    const unsigned most = p->s3 != NULL ? SL_BATCH_ROWS_S3 : SL_BATCH_ROWS;

    if (rc == SL_NOMEM && n > 0) {
        p->batch_rows = n / 2 < SL_BATCH_ROWS_MIN ? SL_BATCH_ROWS_MIN : n / 2;
    } else if (rc == SL_OK && n > 0 && p->batch_rows < most) {
        p->batch_rows = p->batch_rows > most / 2 ? most : 2 * p->batch_rows;
    }
}

sl_rc sl_pipeline_run_once(struct sl_pipeline *p, int64_t due_ms, unsigned *ret_n, struct sl_err *e)
{
    SL_AUTO(sl_batch_done) struct sl_batch b = { 0 };
    sl_rc rc;

    sl_pulse_enter(&p->pulse, SL_STAGE_receive);
    p->stage_us = sl_clock_now_us();
    SL_TRY(sl_batch_init(&b, p->batch_rows, SL_BATCH_BYTES, e));
    rc = p->source.ops->receive(p->source.self, &b, due_ms, e); /* 1 receive */
    if (rc == SL_OK && b.n > 0) {
        batch_hold(p, &b);
        rc = batch_run(p, &b, e);
    }
    if (rc != SL_OK) {
        p->stage_us = sl_clock_now_us(); /* a stage that failed is no part of the ack */
    }
    SL_FAULT_POINT(before_ack);
    sl_pulse_enter(&p->pulse, SL_STAGE_ack);
    p->source.ops->ack(p->source.self, &b); /* 5 ack: only what has an outcome, so is committed */
    p->source.ops->release(p->source.self,
                           &b); /* and the rest goes back: nothing, if all is well */
    sl_objects_delete(p, &b);
    if (b.n > 0) {
        batch_end(p, &b);
    }
    batch_size(p, b.n, rc);
    *ret_n = b.n;
    return rc;
}
