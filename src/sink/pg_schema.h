/* sink/pg_schema.h - the database objects: sluice's own, and the target table as it is. */
#ifndef SLUICE_SINK_PG_SCHEMA_H
#define SLUICE_SINK_PG_SCHEMA_H

#include "base/arena.h"
#include "base/buf.h"
#include "config/config.h"
#include "keys/keyring.h"
#include "sink/pg_conn.h"

/* The target as the catalog has it. */
struct sl_pg_target {
    sl_str schema;   /* bare */
    sl_str name;     /* bare */
    sl_str copy_sql; /* COPY "schema"."table" ("column", ...) FROM STDIN (FORMAT binary) */
    sl_str pipeline; /* name in the ledger: configured, else schema.table */
};

/* Takes the lock under which objects are created, until the transaction ends: concurrent CREATE IF
 * NOT EXISTS fails. */
extern const char sl_pg_lock_sql[];

/* Write CREATE TABLE for the target of a configuration. */
void sl_pg_target_sql(struct sl_buf *out, const struct sl_config *cfg);

/* What is there. */
struct sl_pg_objects {
    unsigned version; /* of schema sluice; 0 = it is not there */
    bool has_target;
};

/* Find sluice's objects and the target; change nothing.
 * Errors: SL_SCHEMA (stop) the objects are of a newer sluice; those of sl_pg_exec */
sl_rc sl_pg_objects_find(struct sl_pg_conn *c, const struct sl_config *cfg,
                         struct sl_pg_objects *ret, struct sl_err *e) SL_MUST_CHECK;

/* Say what is to be done about objects that are missing or of an older version, where nothing may be
 * created: SL_SCHEMA (stop).  Errors: none if nothing is */
sl_rc sl_pg_objects_require(const struct sl_pg_objects *o, const struct sl_config *cfg,
                            struct sl_err *e) SL_MUST_CHECK;

/* As sl_pg_objects_find; *ret_schema: they are there, and of the version of this program. */
sl_rc sl_pg_schema_find(struct sl_pg_conn *c, const struct sl_config *cfg, bool *ret_schema,
                        bool *ret_target, struct sl_err *e) SL_MUST_CHECK;

/* Find sluice's objects and the target; create what is missing where the configuration says so.
 *
 * Errors:  SL_SCHEMA (stop)  something is missing and may not be created, or the objects are of a
 *                            newer sluice
 *          those of sl_pg_exec
 * Blocks:  in the wait; creating takes an advisory lock, since CREATE IF NOT EXISTS races
 */
sl_rc sl_pg_schema_prepare(struct sl_pg_conn *c, const struct sl_config *cfg, struct sl_err *e)
    SL_MUST_CHECK;

/* Compare the target with the columns of the configuration.
 *
 * Shape:   every mismatch is one line in `mismatches`; none leaves it empty.  Warnings (an
 *          unlogged table, fsync off) go to `warnings`, one a line; NULL if nobody wants them
 * Owns:    *ret lives in `a`
 * Errors:  SL_SCHEMA (stop)  there is no such table; those of sl_pg_exec
 */
sl_rc sl_pg_target_check(struct sl_pg_conn *c, const struct sl_config *cfg, struct sl_arena *a,
                         struct sl_pg_target *ret, struct sl_buf *mismatches,
                         struct sl_buf *warnings, struct sl_err *e) SL_MUST_CHECK;

/* Compare the keys with those this database has seen.
 * Errors: SL_KEY (stop) another key under a known id; those of sl_pg_exec */
sl_rc sl_pg_key_compare(struct sl_pg_conn *c, const struct sl_keyring *ring, struct sl_err *e)
    SL_MUST_CHECK;

/* As sl_pg_key_compare, and remember new ones.
 * Errors: SL_KEY (stop) another key under a known id; those of sl_pg_exec */
sl_rc sl_pg_key_check(struct sl_pg_conn *c, const struct sl_keyring *ring, struct sl_err *e)
    SL_MUST_CHECK;

#endif
