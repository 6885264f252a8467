/* sink/pg_work.c - what one load has to decide. */
#include "sink/pg_work.h"

#include <stdlib.h>

/* Those of one key in the order received: the first of them stays. */
static int entry_cmp(const void *a, const void *b)
{
    const struct sl_pg_entry *x = a;
    const struct sl_pg_entry *y = b;
    const int order = sl_ledger_key_cmp(&x->key, &y->key);

    return order != 0 ? order : (x->place > y->place) - (x->place < y->place);
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
        struct sl_pg_entry *last = w->n > 0 ? &w->sorted[w->n - 1] : NULL;

        if (last != NULL && sl_ledger_key_cmp(&last->key, &w->sorted[i].key) == 0) {
            w->repeats[w->repeats_n++] =
                (struct sl_pg_repeat){ .r = w->sorted[i].r, .first = last->r };
        } else {
            w->sorted[w->n++] = w->sorted[i];
        }
    }
}

/* Back into the order received, without those that are gone. */
static void put_in_order(struct sl_pg_work *w, unsigned batch_n)
{
    unsigned n = 0;

    for (unsigned i = 0; i < w->n; i++) {
        w->entries[w->sorted[i].place] = &w->sorted[i];
    }
    for (unsigned i = 0; i < batch_n; i++) {
        if (w->entries[i] != NULL) {
            w->entries[i]->place = n;
            w->entries[n++] = w->entries[i];
        }
    }
}

sl_rc sl_pg_work_init(struct sl_pg_work *w, struct sl_batch *b, const struct sl_config *cfg,
                      struct sl_arena *a, struct sl_err *e)
{
    unsigned n = 0;

    *w = (struct sl_pg_work){
        .entries = sl_arena_calloc(a, b->n + 1, sizeof(struct sl_pg_entry *)),
        .sorted = sl_arena_calloc(a, b->n + 1, sizeof *w->sorted),
        .keys = sl_arena_calloc(a, b->n + 1, sizeof(struct sl_pg_entry *)),
        .repeats = sl_arena_calloc(a, b->n + 1, sizeof *w->repeats),
        .batch_id = b->id,
    };
    if (w->entries == NULL || w->sorted == NULL || w->keys == NULL || w->repeats == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not sort a batch of %u", b->n);
    }
    for (unsigned i = 0; i < b->n; i++) {
        struct sl_record *r = b->records[i];

        if (r->outcome == SL_OUTCOME_NONE) {
            w->sorted[n++] =
                (struct sl_pg_entry){ .key = sl_ledger_key_of(cfg, r), .r = r, .place = i };
        }
    }
    qsort(w->sorted, n, sizeof *w->sorted, entry_cmp);
    set_repeats_apart(w, n);
    put_in_order(w, b->n);
    return SL_OK;
}

struct sl_pg_range sl_pg_work_range(struct sl_pg_work *w, struct sl_pg_entry *const *entries,
                                    unsigned n)
{
    const unsigned from = n > 0 ? entries[0]->place : 0;
    struct sl_pg_range range = { .keys = w->keys, .batch_id = w->batch_id };

    for (unsigned i = 0; i < w->n && range.n < n; i++) {
        struct sl_pg_entry *entry = &w->sorted[i];

        if (entry->place >= from && entry->place - from < n) {
            range.keys[range.n++] = entry;
        }
    }
    return range;
}

static int key_cmp(const void *key, const void *member)
{
    struct sl_pg_entry *const *entry = member;

    return sl_ledger_key_cmp(key, &(*entry)->key);
}

struct sl_pg_entry *sl_pg_range_find(const struct sl_pg_range *range,
                                     const struct sl_ledger_key *key)
{
    struct sl_pg_entry **found =
        bsearch(key, range->keys, range->n, sizeof(struct sl_pg_entry *), key_cmp);

    return found == NULL ? NULL : *found;
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
        struct sl_record *r = w->entries[i]->r;

        if (r->outcome == SL_OUTCOME_NONE && r->verdict.reason == SL_REASON_REFUSED &&
            !r->is_sent) {
            r->verdict = (struct sl_verdict){ 0 };
            r->sealed = (sl_str){ 0 };
        }
    }
    w->refused_n = 0;
}
