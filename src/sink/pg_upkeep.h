/* sink/pg_upkeep.h - what is old leaves the ledger, and no load waits for it.
 *
 * The ledger of message ids goes slot by slot: 32 partitions by day, and one whose newest message is too
 * old to come again is emptied whole.  A lock that is not to be had at once is not waited for: the
 * next time will do.  What is on no partition, or may not be truncated, is deleted bit by bit.
 */
#ifndef SLUICE_SINK_PG_UPKEEP_H
#define SLUICE_SINK_PG_UPKEEP_H

#include "config/config.h"
#include "sink/pg_conn.h"

struct sl_pg_upkeep {
    struct sl_pg_conn *conn;
    const struct sl_config *cfg;
    sl_str pipeline;
    int64_t
        at_ms; /* wall clock of this machine; the earlier one, once the server is asked for its own */
    int64_t due_ms; /* monotonic: the rest is for the next time */

    /* What was done. */
    unsigned slots_n; /* emptied whole */
    unsigned busy_n;  /* left, because somebody uses them */
    int64_t rows_n;   /* deleted, of either ledger */
    bool may_not;     /* something is old, and this role has no right to remove it */
};

/* Whether all messages that a slot may hold from its last round are older than `days` at a moment.
 * Shape:   slot 0..31; never true of the slots of yesterday, today and tomorrow */
bool sl_pg_slot_is_old(int slot, int64_t at_ms, unsigned days);

/* Remove from the ledger of this configuration what is older than it has to remember.
 *
 * Errors:  those of sl_pg_exec; what was removed until then stays so
 * Blocks:  in the connection's wait; up to 100 ms for a lock
 */
sl_rc sl_pg_upkeep_run(struct sl_pg_upkeep *u, struct sl_err *e) SL_MUST_CHECK;

#endif
