/* sink/pg_stuck.h - sessions of ours that have stopped in a load, and hold their keys against all. */
#ifndef SLUICE_SINK_PG_STUCK_H
#define SLUICE_SINK_PG_STUCK_H

#include "sink/pg_conn.h"

/* Terminate every other session of this role and application that has kept the server waiting in
 * a load, for COPY data or for COMMIT, past the deadline that it sets itself: its program was
 * stopped, or its machine is gone.
 * A program that goes on later finds its connection lost, and loads the batch again.
 *
 * Call it after a lock was not to be had (55P03), outside of a transaction.
 * Errors:  those of sl_pg_exec
 */
sl_rc sl_pg_stuck_end(struct sl_pg_conn *c, struct sl_err *e) SL_MUST_CHECK;

#endif
