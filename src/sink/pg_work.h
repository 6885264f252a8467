/* sink/pg_work.h - what one load has to decide: records without an outcome, repeats of one message
 * apart.  Rows are loaded in the order received; the ledger has an order of its own. */
#ifndef SLUICE_SINK_PG_WORK_H
#define SLUICE_SINK_PG_WORK_H

#include "record/batch.h"
#include "sink/pg_copy.h"

struct sl_pg_entry {
    struct sl_ledger_key key;
    struct sl_record *r;
    unsigned place; /* in the order received */
    bool is_known;  /* the ledger had it before this transaction */
    bool is_ours;   /* this very batch has put it there, now or before */
};

/* A further delivery of a message in the same batch. */
struct sl_pg_repeat {
    struct sl_record *r;
    const struct sl_record *first;
};

struct sl_pg_work {
    struct sl_pg_entry **entries; /* in the order received */
    unsigned n;
    struct sl_pg_entry *sorted; /* in the order of their keys */
    struct sl_pg_entry **keys;  /* room for those of a range */
    struct sl_pg_repeat *repeats;
    unsigned repeats_n;
    unsigned refused_n; /* rows given a verdict by this attempt */
    const unsigned char *batch_id;
};

/* Some entries, in the order of their keys. */
struct sl_pg_range {
    struct sl_pg_entry **keys;
    unsigned n;
    const unsigned char *batch_id;
};

/* Sort what is left to decide of a batch, for the ledger of a configuration.
 * Owns:    all of it lives in `a`, and borrows the batch
 * Errors:  SL_NOMEM (retry) */
sl_rc sl_pg_work_init(struct sl_pg_work *w, struct sl_batch *b, const struct sl_config *cfg,
                      struct sl_arena *a, struct sl_err *e) SL_MUST_CHECK;

/* The keys of n entries that follow each other in the order received.
 * Owns: the work's room for them; good until the next call */
struct sl_pg_range sl_pg_work_range(struct sl_pg_work *w, struct sl_pg_entry *const *entries,
                                    unsigned n);

/* Whatever became of the rest: what repeats a committed message is a duplicate.  What repeats the key
 * of a row that this attempt has refused is not: it gets an attempt of its own. */
void sl_pg_work_decide_repeats(struct sl_pg_work *w);

/* Take back what is not committed: the next attempt judges anew.  What is sent on is no row. */
void sl_pg_work_forget_refusals(struct sl_pg_work *w);

/* The entry of a key; NULL when the range has none. */
struct sl_pg_entry *sl_pg_range_find(const struct sl_pg_range *range,
                                     const struct sl_ledger_key *key);

/* True for a record that becomes a dead letter, and for one that becomes a row. */
bool sl_pg_entry_is_dead(const struct sl_pg_entry *entry);
bool sl_pg_entry_is_row(const struct sl_pg_entry *entry);

#endif
