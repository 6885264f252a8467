/* sink/pg_rights.h - what a role lacks, said before a run finds out. */
#ifndef SLUICE_SINK_PG_RIGHTS_H
#define SLUICE_SINK_PG_RIGHTS_H

#include "base/buf.h"
#include "config/config.h"
#include "sink/pg_conn.h"

/* Name, one a line, what this role lacks to load into objects that are there.
 * Errors: those of sl_pg_exec */
sl_rc sl_pg_rights_load(struct sl_pg_conn *c, const struct sl_config *cfg, struct sl_buf *missing,
                        struct sl_err *e) SL_MUST_CHECK;

/* The same to create what is missing: all of it (version 0), what came after a version of the schema,
 * or the target alone.
 * Errors: those of sl_pg_exec */
sl_rc sl_pg_rights_create(struct sl_pg_conn *c, unsigned version, struct sl_buf *missing,
                          struct sl_err *e) SL_MUST_CHECK;

/* The same to remove from the ledger what is old.
 * Errors: those of sl_pg_exec */
sl_rc sl_pg_rights_upkeep(struct sl_pg_conn *c, const struct sl_config *cfg, struct sl_buf *missing,
                          struct sl_err *e) SL_MUST_CHECK;

#endif
