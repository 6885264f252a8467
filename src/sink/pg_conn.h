/* sink/pg_conn.h - one PostgreSQL connection that never blocks the worker: libpq, non-blocking,
 * waiting in the worker's one wait. */
#ifndef SLUICE_SINK_PG_CONN_H
#define SLUICE_SINK_PG_CONN_H

#include <libpq-fe.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/stop.h"
#include "base/str.h"
#include "config/config.h"
#include "net/wait.h"
#include "sink/pg_err.h"

enum {
    SL_PG_STATEMENT_MS = 120000, /* for one: the server knows no timeout while it waits for COPY */
};

struct sl_pg_conn {
    PGconn *pg; /* NULL when not connected */
    struct sl_wait wait;
    const struct sl_stop *stop;  /* NULL: nobody stops it */
    unsigned statement_ms;       /* for one statement; 0: SL_PG_STATEMENT_MS */
    const struct sl_config *cfg; /* whose sink.postgres it is; NULL: `url` says it all */
    const char *url;             /* "" = libpq's environment */
    struct sl_buf said;          /* by its secret, as it was read last */
    char table[64];              /* bare name of the target, for reading CONTEXT */
    struct sl_pg_fault fault;    /* of the last failure */
};

/* One parameter of a statement, in binary. */
struct sl_pg_param {
    Oid type;
    const char *bytes; /* NULL for null */
    size_t len;
};

static inline struct sl_pg_param sl_pg_param_of(Oid type, sl_str bytes)
{
    return (struct sl_pg_param){ .type = type, .bytes = bytes.ptr, .len = bytes.len };
}

/* Begins a transaction that writes: its commit waits for the disk, a lock is waited for only so long.
 * Set in each transaction, not in the session: behind a pooler every transaction may have another
 * one, which then is somebody else's. */
#define SL_PG_BEGIN                                              \
    "BEGIN ISOLATION LEVEL READ COMMITTED;"                      \
    "SET LOCAL lock_timeout = '10s';"                            \
    "SELECT set_config('synchronous_commit', 'on', true) WHERE " \
    "current_setting('synchronous_commit') NOT IN ('on', 'remote_apply');"

/* Connect if there is no connection: UTF8, keepalives.
 *
 * Where the database refuses who comes in, a secret is read again, and what it says now is tried.
 *
 * Errors:  SL_DISCONNECTED, SL_TIMEOUT, SL_UNAVAILABLE, SL_DENIED (retry); those of sl_pg_login_write
 * Blocks:  in the wait, up to 10 s; besides that as sl_pg_login_write
 */
sl_rc sl_pg_connect(struct sl_pg_conn *c, struct sl_err *e) SL_MUST_CHECK;

/* Close, whatever state it is in, and wipe the secret.  Takes a closed one, too. */
void sl_pg_close(struct sl_pg_conn *c);

/* Run a statement and hand over its last result.
 *
 * Shape:   without parameters `sql` may hold several statements; with them, one
 * Owns:    *ret is the caller's to PQclear; may be NULL when nobody wants it
 * Errors:  as sl_pg_err_result judges for `step`; SL_TIMEOUT (retry), SL_DISCONNECTED (retry);
 *          after those two, and in a session that is read-only, the connection is closed
 * Blocks:  in the wait, up to 120 s or statement_ms; 15 s more at most after an urgent stop
 */
sl_rc sl_pg_exec(struct sl_pg_conn *c, enum sl_pg_step step, const char *sql,
                 const struct sl_pg_param *params, unsigned params_n, PGresult **ret,
                 struct sl_err *e) SL_MUST_CHECK;

/* As sl_pg_exec with the SQL of a buffer and no parameters.  Errors: SL_NOMEM, too */
sl_rc sl_pg_run(struct sl_pg_conn *c, struct sl_buf *sql, PGresult **ret, struct sl_err *e)
    SL_MUST_CHECK;

/* As sl_pg_exec with one statement, in a transaction of its own if none is open: committed when it
 * returns SL_OK. */
sl_rc sl_pg_write(struct sl_pg_conn *c, enum sl_pg_step step, const char *sql,
                  const struct sl_pg_param *params, unsigned params_n, PGresult **ret,
                  struct sl_err *e) SL_MUST_CHECK;

/* End a transaction that failed, if one is open; close the connection if that fails, too. */
void sl_pg_rollback(struct sl_pg_conn *c);

/* Connect if need be, and ask whether writes are taken.
 * Errors:  SL_UNAVAILABLE (retry) it is read-only; those of sl_pg_connect and sl_pg_exec */
sl_rc sl_pg_probe(struct sl_pg_conn *c, struct sl_err *e) SL_MUST_CHECK;

/* Run `sql`, which ends in COPY ... FROM STDIN, and send it `data`, whole.  Same errors. */
sl_rc sl_pg_copy(struct sl_pg_conn *c, enum sl_pg_step step, const char *sql, sl_str data,
                 struct sl_err *e) SL_MUST_CHECK;

/* For SL_AUTO. */
void sl_pg_clear(PGresult **result);

#endif
