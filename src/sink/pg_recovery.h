/* sink/pg_recovery.h - recovery inside PostgreSQL: the functions, and the keys they need. */
#ifndef SLUICE_SINK_PG_RECOVERY_H
#define SLUICE_SINK_PG_RECOVERY_H

#include "base/buf.h"
#include "keys/keyring.h"

/* Write the SQL of recovery: roles, key table and functions; recovery.sql as it stands. */
void sl_pg_recovery_sql(struct sl_buf *out);

/* Write what psql reads to load the keys of these contexts, and only those, into sluice.field_key.
 *
 *     k_mac || k_enc = sl_key_derive(key, "siv", context, 64)   of every key not retired
 *
 * Keys stand in COPY's data, never in a statement, so that no log of statements has them; what was
 * loaded for a context before is replaced.
 *
 * Shape:   contexts 1..64 printable ASCII bytes each; one that is named twice is loaded once
 * Owns:    nothing; `out` holds keys when it returns SL_OK, and wipes them when it ends
 * Errors:  SL_USAGE (stop)   no context, or one that is sluice's own: dead_letter, vault
 *          SL_KEY (stop), SL_BUG (stop), SL_CRYPTO (stop)  those of sl_key_derive
 *          SL_NOMEM (retry)  `out` is full
 *          On failure `out` may hold some of it, keys among it.
 * Threads: any
 */
sl_rc sl_pg_recovery_keys(const struct sl_keyring *ring, const sl_str *contexts, unsigned n,
                          struct sl_buf *out, struct sl_err *e) SL_MUST_CHECK;

#endif
