/* sink/pg_retry.h - dead letters become rows: the row, and the mark that its letter is done, in one
 * transaction.  The ledger knows their messages already; with `dedup: field` or `body` their values
 * may have come with another message, and that is asked in the same transaction. */
#ifndef SLUICE_SINK_PG_RETRY_H
#define SLUICE_SINK_PG_RETRY_H

#include "base/buf.h"
#include "config/config.h"
#include "record/batch.h"
#include "sink/pg_dead.h"
#include "sink/pg_target.h"

/* One that is tried again. */
struct sl_pg_letter {
    int64_t id;
    struct sl_record *r; /* masked, or with a verdict */
    bool is_held;        /* locked by the transaction that is under way */
    bool is_known;       /* its value is loaded already, with another message */
};

struct sl_pg_retry {
    struct sl_pg_conn *conn;
    const struct sl_config *cfg;
    const struct sl_pg_target *target;
    bool is_dry_run;    /* nothing is committed: what is found out stays */
    bool keeps_reasons; /* what is refused was not the body that is kept */
    struct sl_buf rows;
    struct sl_buf params[5];
};

/* Make it ready.  Owns: what its pointers name is borrowed; end with sl_pg_retry_done */
void sl_pg_retry_init(struct sl_pg_retry *t, struct sl_pg_conn *conn, const struct sl_config *cfg,
                      const struct sl_pg_target *target);
void sl_pg_retry_done(struct sl_pg_retry *t);

/* Read the next ones of a filter that are new, behind an id: at most 500, and few when they are
 * large.
 *
 * Shape:   rows in binary: id, sent_at and received_at in milliseconds since 1970 (all int8),
 *          message_id, sealed_body; none at the end
 * Owns:    *ret is the caller's to PQclear
 * Errors:  those of sl_pg_exec
 */
sl_rc sl_pg_retry_read(struct sl_pg_conn *c, const struct sl_pg_dead_filter *f, int64_t after_id,
                       PGresult **ret, struct sl_err *e) SL_MUST_CHECK;

/* Load rows and mark their letters as retried; give those with a verdict the new reason.
 *
 * Returns: in r->outcome: LOADED; DUPLICATE for what another message has brought, which is done as
 *          well; DEAD_LETTERED for what is refused again, as r->verdict says;
 *          NONE for what somebody else holds, or has done meanwhile
 * Errors:  those of sl_pg_exec; what has no outcome is as it was.  SL_ROW only where the mark itself
 *          is refused
 */
sl_rc sl_pg_retry_load(struct sl_pg_retry *t, struct sl_pg_letter *letters, unsigned n,
                       struct sl_err *e) SL_MUST_CHECK;

#endif
