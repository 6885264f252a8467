/* pipeline/mask.c - cleartext becomes tokens, and refused bodies are sealed. */
#include "config/columns.h"
#include "pipeline/pipeline.h"

_Static_assert((int)SL_COLUMN_TOKEN_CHARS == (int)SL_MASK_TOKEN_MAX,
               "the configuration must ask for room for the longest token");

static sl_rc record_mask(struct sl_pipeline *p, struct sl_record *r, struct sl_arena *a,
                         struct sl_err *e)
{
    for (unsigned i = 0; i < p->cfg->columns_n; i++) {
        const struct sl_column *column = &p->cfg->columns[i];
        struct sl_value *v = &r->values[i];
        sl_str token;
        sl_rc rc;

        if (v->kind != SL_VALUE_CLEARTEXT) {
            continue;
        }
        rc = sl_mask_siv(p->masker, column->context, v->cleartext, a, &token, e);
        if (rc == SL_VALUE) {
            r->verdict = (struct sl_verdict){ .reason = SL_REASON_TOO_LONG_TO_MASK,
                                              .field = column->from_text };
            return SL_OK;
        }
        SL_TRY(rc);
        *v = (struct sl_value){ .kind = SL_VALUE_TEXT, .text = token };
    }
    return SL_OK;
}

sl_rc sl_seal_verdicts(struct sl_pipeline *p, struct sl_batch *b, struct sl_err *e)
{
    for (unsigned i = 0; i < b->n; i++) {
        struct sl_record *r = b->records[i];

        if (r->verdict.reason != SL_REASON_NONE && r->sealed.len == 0) {
            SL_TRY(sl_seal_body(p->masker, r->message_id, r->body, &b->arena, &r->sealed, e));
        }
    }
    return SL_OK;
}

sl_rc sl_stage_mask(struct sl_pipeline *p, struct sl_batch *b, struct sl_err *e)
{
    for (unsigned i = 0; i < b->n; i++) {
        if (b->records[i]->verdict.reason == SL_REASON_NONE) {
            SL_TRY(record_mask(p, b->records[i], &b->arena, e));
        }
    }
    return sl_seal_verdicts(p, b, e);
}
