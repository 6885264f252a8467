/* sink/pg_schema.h - the database objects: found, and created where they are missing. */
#ifndef SLUICE_SINK_PG_SCHEMA_H
#define SLUICE_SINK_PG_SCHEMA_H

#include "config/config.h"
#include "keys/keyring.h"
#include "sink/pg_conn.h"

/* Takes the lock under which objects are created, until the transaction ends: concurrent CREATE IF
 * NOT EXISTS fails. */
extern const char sl_pg_lock_sql[];

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

/* Find sluice's objects and the target; create what is missing, columns included, where the
 * configuration says so.
 *
 * Errors:  SL_SCHEMA (stop)  something is missing and may not be created, or the objects are of a
 *                            newer sluice
 *          those of sl_pg_exec
 * Blocks:  in the wait; creating takes an advisory lock, since CREATE IF NOT EXISTS races
 */
sl_rc sl_pg_schema_prepare(struct sl_pg_conn *c, const struct sl_config *cfg, struct sl_err *e)
    SL_MUST_CHECK;

/* Compare the keys with those this database has seen.
 * Errors: SL_KEY (stop) another key under a known id; those of sl_pg_exec */
sl_rc sl_pg_key_compare(struct sl_pg_conn *c, const struct sl_keyring *ring, struct sl_err *e)
    SL_MUST_CHECK;

/* As sl_pg_key_compare, and remember new ones.
 * Errors: SL_KEY (stop) another key under a known id; those of sl_pg_exec */
sl_rc sl_pg_key_check(struct sl_pg_conn *c, const struct sl_keyring *ring, struct sl_err *e)
    SL_MUST_CHECK;

#endif
