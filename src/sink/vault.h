/* sink/vault.h - where the originals of one-way tokens are kept, in a database of their own.
 *
 * What is in it is sealed with the key ring for its token: to recover, one must be able to read
 * the vault and hold the keys.
 */
#ifndef SLUICE_SINK_VAULT_H
#define SLUICE_SINK_VAULT_H

#include "base/stop.h"
#include "config/config.h"
#include "record/batch.h"
#include "sink/pg_conn.h"

struct sl_vault;

/* Make the vault of one worker; it connects when it is first needed.
 *
 * Owns:    cfg and stop are borrowed for as long as it lives
 * Errors:  SL_NOMEM (retry)
 * Threads: one per vault
 */
sl_rc sl_vault_open(const struct sl_config *cfg, struct sl_wait wait, const struct sl_stop *stop,
                    struct sl_vault **ret, struct sl_err *e) SL_MUST_CHECK;
void sl_vault_close(struct sl_vault *v);

/* Commit what a batch brings for the vault; nothing is left in b->vault then.  A token that is
 * there already stays as it is.
 *
 * Errors:  SL_DISCONNECTED, SL_TIMEOUT, SL_UNAVAILABLE, SL_TABLE (retry)  an outage
 * Blocks:  in the wait, with deadlines of its own
 */
sl_rc sl_vault_put(struct sl_vault *v, struct sl_batch *b, struct sl_err *e) SL_MUST_CHECK;

/* Whether its database answers.  Errors: those of sl_vault_put */
sl_rc sl_vault_probe(struct sl_vault *v, struct sl_err *e) SL_MUST_CHECK;

/* Whether its table is there, and may be written to.
 * Errors: SL_DENIED (retry) select or insert is missing; those of sl_pg_exec */
sl_rc sl_vault_find(struct sl_pg_conn *c, const struct sl_config *cfg, bool *ret, struct sl_err *e)
    SL_MUST_CHECK;

/* Find its table; create it where the configuration says so.
 * Errors: SL_SCHEMA (stop) it is missing and may not be created; those of sl_pg_exec */
sl_rc sl_vault_prepare(struct sl_pg_conn *c, const struct sl_config *cfg, struct sl_err *e)
    SL_MUST_CHECK;

/* The SQL of its table. */
void sl_vault_sql(struct sl_buf *out, const struct sl_config *cfg);

/* Read what is kept of some tokens: rows of (token, sealed), in any order.
 *
 * Owns:    *ret is the caller's to PQclear
 * Errors:  those of sl_pg_exec
 */
sl_rc sl_vault_get(struct sl_pg_conn *c, const struct sl_config *cfg, const sl_str *tokens,
                   unsigned n, PGresult **ret, struct sl_err *e) SL_MUST_CHECK;

#endif
