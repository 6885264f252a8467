/* pipeline/mask.c - cleartext becomes tokens, and refused bodies are sealed. */
#include "pipeline/convert.h"
#include "pipeline/pipeline.h"
#include "telemetry/log.h"

/* A value that its method refuses. */
static struct sl_verdict refused(const struct sl_column *column)
{
    return (struct sl_verdict){ .reason = column->masking.method == SL_MASK_SIV
                                              ? SL_REASON_TOO_LONG_TO_MASK
                                              : SL_REASON_NOT_IN_FORM,
                                .field = column->from_text };
}

/* What a method made becomes the value of the column. */
static struct sl_verdict column_fill(const struct sl_column *column, sl_str masked,
                                     struct sl_value *v)
{
    struct sl_value made = { .kind = SL_VALUE_TEXT, .text = masked };
    enum sl_reason reason = SL_REASON_NONE;

    if (masked.ptr == NULL) {
        made.kind = SL_VALUE_NULL;
    } else if (column->type == SL_TYPE_INET) {
        made.kind = SL_VALUE_INET;
        reason = sl_convert_inet(masked, &made.inet);
    } else if (column->type == SL_TYPE_INTEGER) {
        made.kind = SL_VALUE_INT;
        reason = sl_convert_integer(masked, INT32_MIN, INT32_MAX, &made.i);
    } else if (column->type == SL_TYPE_VARCHAR && sl_str_chars(masked) > column->max_chars) {
        reason = SL_REASON_RESULT_TOO_LONG;
    }
    *v = made;
    if (reason == SL_REASON_NONE) {
        return (struct sl_verdict){ 0 };
    }
    return (struct sl_verdict){ .reason = reason, .field = column->from_text };
}

/* What cannot be brought back from its token goes to the vault, if there is one. */
static sl_rc vault_add(struct sl_pipeline *p, struct sl_batch *b, const struct sl_column *column,
                       sl_cleartext value, sl_str token, struct sl_err *e)
{
    struct sl_vault_entry *entry;

    if (p->vault == NULL || (sl_mask_flags(column->masking.method) & SL_MASK_ONE_WAY) == 0 ||
        token.len == 0) {
        return SL_OK;
    }
    entry = sl_arena_calloc(&b->arena, 1, sizeof *entry);
    if (entry == NULL) {
        return SL_FAIL(e, SL_NOMEM, "no room for what goes to the vault");
    }
    entry->token = token;
    entry->context = column->masking.context;
    SL_TRY(sl_seal_original(p->masks.masker, token, value, &b->arena, &entry->sealed, e));
    entry->next = b->vault;
    b->vault = entry;
    b->vault_n++;
    return SL_OK;
}

static sl_rc record_mask(struct sl_pipeline *p, struct sl_record *r, struct sl_batch *b,
                         struct sl_err *e)
{
    for (unsigned i = 0; i < p->cfg->columns_n && r->verdict.reason == SL_REASON_NONE; i++) {
        struct sl_value *v = &r->values[i];
        sl_str masked;
        sl_rc rc;

        if (v->kind != SL_VALUE_CLEARTEXT) {
            continue;
        }
        rc = sl_column_mask_value(p->masks.of[i], v->cleartext, &b->arena, &masked, e);
        if (rc == SL_VALUE) {
            r->verdict = refused(&p->cfg->columns[i]);
            return SL_OK;
        }
        SL_TRY(rc);
        SL_TRY(vault_add(p, b, &p->cfg->columns[i], v->cleartext, masked, e));
        r->verdict = column_fill(&p->cfg->columns[i], masked, v);
    }
    return SL_OK;
}

sl_rc sl_seal_verdicts(struct sl_pipeline *p, struct sl_batch *b, struct sl_err *e)
{
    for (unsigned i = 0; i < b->n; i++) {
        struct sl_record *r = b->records[i];

        if (r->verdict.reason != SL_REASON_NONE && r->sealed.len == 0) {
            SL_TRY(sl_seal_body(p->masks.masker, r->message_id, r->body, &b->arena, &r->sealed, e));
        }
    }
    return SL_OK;
}

void sl_masks_refresh(struct sl_pipeline *p)
{
    struct sl_keyring *ring = p->keys != NULL ? sl_key_share_take(p->keys) : NULL;
    struct sl_masks masks = { 0 };
    struct sl_err e = { 0 };

    if (ring == NULL || ring == p->masks_ring) {
        sl_keyring_free(ring);
        return;
    }
    if (sl_masks_open(p->cfg, ring, &masks, &e) != SL_OK) {
        sl_log_err(SL_LOG_ERROR, "could not take the new keys; keeping the old ones", &e);
        sl_masks_close(&masks);
        sl_keyring_free(ring);
        return;
    }
    sl_masks_close(&p->masks);
    sl_keyring_free(p->masks_ring);
    p->masks = masks;
    p->masks_ring = ring;
}

/* A batch has one active key: here is where it is chosen. */
sl_rc sl_stage_mask(struct sl_pipeline *p, struct sl_batch *b, struct sl_err *e)
{
    sl_masks_refresh(p);
    for (unsigned i = 0; i < b->n; i++) {
        if (b->records[i]->verdict.reason == SL_REASON_NONE) {
            SL_TRY(record_mask(p, b->records[i], b, e));
        }
    }
    return sl_seal_verdicts(p, b, e);
}
