/* sink/pg_dead.h - dead letters, read back. */
#ifndef SLUICE_SINK_PG_DEAD_H
#define SLUICE_SINK_PG_DEAD_H

#include "sink/pg_conn.h"

/* Ask for the newest dead letters, without their bodies.
 *
 * Shape:   rows of text: id, status, received_at, pipeline, message_id, stage, reason, field,
 *          sqlstate
 * Owns:    *ret is the caller's to PQclear
 * Errors:  those of sl_pg_exec
 */
sl_rc sl_pg_dead_list(struct sl_pg_conn *c, unsigned limit, PGresult **ret, struct sl_err *e)
    SL_MUST_CHECK;

/* Ask for one.
 *
 * Shape:   one row in binary: message_id, sealed_body
 * Errors:  SL_VALUE (dead letter) there is no such id; those of sl_pg_exec
 */
sl_rc sl_pg_dead_get(struct sl_pg_conn *c, int64_t id, PGresult **ret, struct sl_err *e)
    SL_MUST_CHECK;

#endif
