/* pipeline/dead_letters.c - bad records that do not go to the table: left in their queue, or sent on
 * to another one.  What the ledger knows already is a duplicate, whatever its body looks like now. */
#include "pipeline/pipeline.h"
#include "telemetry/log.h"

static bool batch_has_strays(const struct sl_batch *b)
{
    for (unsigned i = 0; i < b->n; i++) {
        if (sl_record_is_stray(b->records[i])) {
            return true;
        }
    }
    return false;
}

static void record_leave(struct sl_record *r)
{
    const struct sl_verdict *v = &r->verdict;
    struct sl_field fields[6] = {
        sl_field_str("sluice.stage", sl_str_of(sl_reason_stage(v->reason))),
        sl_field_str("sluice.message_id", r->message_id),
        sl_field_int("sluice.receive_count", r->receive_count),
        sl_field_str("sluice.reason", sl_str_of(sl_reason_code(v->reason))),
    };
    size_t n = 4;

    if (v->field.len > 0) {
        fields[n++] = sl_field_str("sluice.field", v->field);
    }
    if (v->sqlstate[0] != '\0') {
        fields[n++] = sl_field_str("db.response.status_code", sl_str_of(v->sqlstate));
    }
    sl_log_fields(SL_LOG_WARN, "a bad message is left in the queue", fields, n);
    r->outcome = SL_OUTCOME_LEFT;
}

/* In a FIFO queue nothing goes past a message that stays: those behind it in its group do, too. */
static void batch_leave(struct sl_batch *b)
{
    for (unsigned i = 0; i < b->n; i++) {
        struct sl_record *r = b->records[i];

        if (!sl_record_is_stray(r)) {
            continue;
        }
        record_leave(r);
        for (unsigned k = i + 1; k < b->n && r->group != 0; k++) {
            struct sl_record *behind = b->records[k];

            if (behind->group == r->group && behind->outcome == SL_OUTCOME_NONE &&
                !sl_record_is_stray(behind)) {
                behind->outcome = SL_OUTCOME_LEFT;
            }
        }
    }
}

static sl_rc batch_send(struct sl_pipeline *p, struct sl_batch *b, struct sl_err *e)
{
    p->awaited = "the dead-letter queue";
    while (batch_has_strays(b)) {
        SL_TRY(sl_dead_queue_send(p->dead_queue, b, e));
        sl_pulse_beat(&p->pulse);
    }
    return SL_OK;
}

sl_rc sl_dead_letters_route(struct sl_pipeline *p, struct sl_batch *b, struct sl_err *e)
{
    if (p->cfg->dead_letter == SL_DEAD_LETTER_TABLE || p->sink.ops->recognize == NULL ||
        !batch_has_strays(b)) {
        return SL_OK;
    }
    p->awaited = "the database";
    SL_TRY(p->sink.ops->recognize(p->sink.self, b, e));
    if (p->cfg->dead_letter == SL_DEAD_LETTER_QUEUE) {
        return batch_send(p, b, e);
    }
    batch_leave(b);
    return SL_OK;
}
