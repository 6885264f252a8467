/* sink/pg.h - the sink "postgres": ledger, rows and dead letters in one transaction. */
#ifndef SLUICE_SINK_PG_H
#define SLUICE_SINK_PG_H

#include "config/config.h"
#include "sink/pg_target.h"
#include "sink/sink.h"

/* Make the sink of one worker; it connects when it first loads.
 *
 * Owns:    cfg, target and stop are borrowed for as long as the sink lives
 * Errors:  SL_NOMEM (retry)
 * Threads: one per sink
 */
sl_rc sl_pg_open(const struct sl_config *cfg, const struct sl_pg_target *target,
                 struct sl_wait wait, const struct sl_stop *stop, struct sl_sink *ret,
                 struct sl_err *e) SL_MUST_CHECK;

#endif
