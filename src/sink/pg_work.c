/* sink/pg_work.c - what one load has to decide. */
#include "sink/pg_work.h"

#include <stdlib.h>

int sl_pg_entry_cmp(const void *a, const void *b)
{
    const struct sl_pg_entry *x = a;
    const struct sl_pg_entry *y = b;

    return sl_ledger_key_cmp(&x->key, &y->key);
}

bool sl_pg_entry_is_dead(const struct sl_pg_entry *entry)
{
    return entry->r->verdict.reason != SL_REASON_NONE;
}

bool sl_pg_entry_is_row(const struct sl_pg_entry *entry)
{
    return !entry->is_known && !sl_pg_entry_is_dead(entry);
}

/* Sorted entries: the first of each key stays, the others become its repeats. */
static void set_repeats_apart(struct sl_pg_work *w, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (w->n > 0 && sl_pg_entry_cmp(&w->entries[w->n - 1], &w->entries[i]) == 0) {
            w->repeats[w->repeats_n++] =
                (struct sl_pg_repeat){ .r = w->entries[i].r, .first = w->entries[w->n - 1].r };
        } else {
            w->entries[w->n++] = w->entries[i];
        }
    }
}

sl_rc sl_pg_work_init(struct sl_pg_work *w, struct sl_batch *b, const struct sl_config *cfg,
                      struct sl_arena *a, struct sl_err *e)
{
    unsigned n = 0;

    *w = (struct sl_pg_work){
        .entries = sl_arena_calloc(a, b->n + 1, sizeof *w->entries),
        .repeats = sl_arena_calloc(a, b->n + 1, sizeof *w->repeats),
        .batch_id = b->id,
    };
    if (w->entries == NULL || w->repeats == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not sort a batch of %u", b->n);
    }
    for (unsigned i = 0; i < b->n; i++) {
        struct sl_record *r = b->records[i];

        if (r->outcome == SL_OUTCOME_NONE) {
            w->entries[n++] = (struct sl_pg_entry){ .key = sl_ledger_key_of(cfg, r), .r = r };
        }
    }
    qsort(w->entries, n, sizeof *w->entries, sl_pg_entry_cmp);
    set_repeats_apart(w, n);
    return SL_OK;
}

void sl_pg_work_decide_repeats(struct sl_pg_work *w)
{
    for (unsigned i = 0; i < w->repeats_n; i++) {
        if (w->repeats[i].first->outcome != SL_OUTCOME_NONE) {
            w->repeats[i].r->outcome = SL_OUTCOME_DUPLICATE;
        }
    }
}

void sl_pg_work_forget_refusals(struct sl_pg_work *w)
{
    for (unsigned i = 0; i < w->n; i++) {
        struct sl_record *r = w->entries[i].r;

        if (r->outcome == SL_OUTCOME_NONE && r->verdict.reason == SL_REASON_REFUSED &&
            !r->is_sent) {
            r->verdict = (struct sl_verdict){ 0 };
            r->sealed = (sl_str){ 0 };
        }
    }
}
