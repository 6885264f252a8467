/* pipeline/dead_letters.c - bad records that do not go to the table: left in their queue, or sent on
 * to another one.  What the ledger knows already is a duplicate, whatever its body looks like now. */
#include "pipeline/pipeline.h"

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
    sl_record_tell(r, "a bad message is left in the queue");
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
