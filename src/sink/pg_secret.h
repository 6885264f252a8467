/* sink/pg_secret.h - the key of a pipeline's ledger of keys, sealed, as the database holds it. */
#ifndef SLUICE_SINK_PG_SECRET_H
#define SLUICE_SINK_PG_SECRET_H

#include "base/arena.h"
#include "sink/pg_conn.h"

/* Read it; *ret has ptr NULL if the pipeline has none yet.
 * Owns:    *ret lives in `a`
 * Errors:  those of sl_pg_exec; SL_NOMEM (retry) */
sl_rc sl_pg_secret_get(struct sl_pg_conn *c, sl_str pipeline, struct sl_arena *a, sl_str *ret,
                       struct sl_err *e) SL_MUST_CHECK;

/* Put one where there is none: whoever was first stays.  Errors: those of sl_pg_exec */
sl_rc sl_pg_secret_put(struct sl_pg_conn *c, sl_str pipeline, sl_str sealed, struct sl_err *e)
    SL_MUST_CHECK;

#endif
