/* sink/pg_key_uses.h - what could not be read any more without a key. */
#ifndef SLUICE_SINK_PG_KEY_USES_H
#define SLUICE_SINK_PG_KEY_USES_H

#include "config/config.h"
#include "sink/pg_conn.h"

struct sl_key_uses {
    int64_t values_n;
    int64_t staying_n; /* of the values: those that a rewrap leaves as they are */
    int64_t dead_letters_n;
    int64_t originals_n;
    int64_t ledger_keys_n;
};

/* Count the uses of a key.  Values of mask: ip and fpe cannot say whose key they are under: all of
 * such a column are under the key that the configuration gives it.
 *
 * Shape:   a column of these that has no kid counts as every key's
 * Errors:  those of sl_pg_connect and sl_pg_tokens_count
 * Cost:    reads all of the tables
 */
sl_rc sl_pg_key_uses(struct sl_pg_conn *c, const struct sl_config *cfg, sl_str kid,
                     struct sl_key_uses *ret, struct sl_err *e) SL_MUST_CHECK;

#endif
