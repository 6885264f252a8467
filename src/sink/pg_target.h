/* sink/pg_target.h - the target table: as it would be created, and as it is. */
#ifndef SLUICE_SINK_PG_TARGET_H
#define SLUICE_SINK_PG_TARGET_H

#include "base/arena.h"
#include "base/buf.h"
#include "config/config.h"
#include "sink/pg_conn.h"

/* The target as the catalog has it. */
struct sl_pg_target {
    sl_str schema;   /* bare */
    sl_str name;     /* bare */
    sl_str copy_sql; /* COPY "schema"."table" ("column", ...) FROM STDIN (FORMAT binary) */
    /* COMMIT, if the columns still have the types that rows were encoded for */
    sl_str commit_sql;
    sl_str pipeline; /* name in the ledger: configured, else schema.table */
};

/* Write CREATE TABLE for the target of a configuration. */
void sl_pg_target_sql(struct sl_buf *out, const struct sl_config *cfg);

/* Write ALTER TABLE that adds those columns which the table lacks, nullable: the rows that are there
 * have no value. */
void sl_pg_target_add_sql(struct sl_buf *out, const struct sl_config *cfg);

/* Write an expression that is the target's oid, or NULL where there is no such table. */
void sl_pg_target_regclass(struct sl_buf *out, const struct sl_config *cfg);

/* Whether the target lacks a column of the configuration.
 * Errors: those of sl_pg_exec */
sl_rc sl_pg_target_lacks(struct sl_pg_conn *c, const struct sl_config *cfg, bool *ret,
                         struct sl_err *e) SL_MUST_CHECK;

/* Compare the target with the columns of the configuration.
 *
 * Shape:   every mismatch is one line in `mismatches`; none leaves it empty.  Warnings (an
 *          unlogged table, fsync off, a column that a start would add) go to `warnings`, one a
 *          line; NULL if nobody wants them
 * Owns:    *ret lives in `a`
 * Errors:  SL_SCHEMA (stop)  there is no such table; those of sl_pg_exec
 */
sl_rc sl_pg_target_check(struct sl_pg_conn *c, const struct sl_config *cfg, struct sl_arena *a,
                         struct sl_pg_target *ret, struct sl_buf *mismatches,
                         struct sl_buf *warnings, struct sl_err *e) SL_MUST_CHECK;

#endif
