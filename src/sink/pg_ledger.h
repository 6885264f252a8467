/* sink/pg_ledger.h - what is already loaded: the keys of a load, written and asked about.
 *
 * Keys go in the order of the primary key in every statement, or two overlapping batches deadlock.
 */
#ifndef SLUICE_SINK_PG_LEDGER_H
#define SLUICE_SINK_PG_LEDGER_H

#include "sink/pg_conn.h"
#include "sink/pg_work.h"

/* The ledger as one sink uses it: which of the two tables, and its statements' buffers. */
struct sl_pg_ledger {
    bool is_keyed; /* sluice.ledger_key */
    sl_str pipeline;
    struct sl_buf copy;
    struct sl_buf params[3];
};

/* Owns: the pipeline's name is borrowed; end with sl_pg_ledger_done */
void sl_pg_ledger_init(struct sl_pg_ledger *l, bool is_keyed, sl_str pipeline);
void sl_pg_ledger_done(struct sl_pg_ledger *l);

/* Encode the keys of a range, before the transaction begins: a server that waits for COPY data knows
 * no timeout, and would hold the keys against everybody.
 * Errors: SL_NOMEM (retry) */
sl_rc sl_pg_ledger_encode(struct sl_pg_ledger *l, const struct sl_pg_range *range, struct sl_err *e)
    SL_MUST_CHECK;

/* Begin the transaction and COPY what was encoded.
 * Errors: those of sl_pg_copy; sl_pg_err_is_ledger when a key is known, see sl_pg_ledger_ask */
sl_rc sl_pg_ledger_copy(struct sl_pg_ledger *l, struct sl_pg_conn *c, struct sl_err *e)
    SL_MUST_CHECK;

/* Begin a transaction and insert what is not known yet; is_known and is_ours of each entry say
 * what was.
 * Errors: those of sl_pg_exec */
sl_rc sl_pg_ledger_ask(struct sl_pg_ledger *l, struct sl_pg_conn *c,
                       const struct sl_pg_range *range, struct sl_err *e) SL_MUST_CHECK;

/* Set is_known of those that another batch than this one has put there.
 * Errors: those of sl_pg_exec */
sl_rc sl_pg_ledger_recognize(struct sl_pg_ledger *l, struct sl_pg_conn *c,
                             const struct sl_pg_range *range, struct sl_err *e) SL_MUST_CHECK;

#endif
