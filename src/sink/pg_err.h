/* sink/pg_err.h - the only reader of server messages.
 *
 * PostgreSQL quotes rows in them (22P02 in the message, COPY in CONTEXT, 23505 in DETAIL, 23514
 * the whole row), so only SQLSTATE and the names of things leave this file.
 */
#ifndef SLUICE_SINK_PG_ERR_H
#define SLUICE_SINK_PG_ERR_H

#include <libpq-fe.h>

#include "base/buf.h"
#include "base/err.h"

/* What was being done when the server refused. */
enum sl_pg_step {
    SL_PG_SESSION, /* connecting, settings, catalog */
    SL_PG_LEDGER,
    SL_PG_ROWS,
    SL_PG_DEAD_LETTERS,
    SL_PG_VAULT,
    SL_PG_COMMIT, /* deferred constraints speak here */
};

struct sl_pg_fault {
    char sqlstate[6];
    char schema[64];
    char table[64];
    char column[64];
    char constraint[64];
    unsigned long line; /* of COPY, from 1; 0 = not said */
};

/* Judge a failed result: whose fault is it?
 *
 * Shape:   `table` is the target's bare name, as COPY's CONTEXT has it
 * Returns: SL_ROW (dead letter)  in SL_PG_ROWS and SL_PG_COMMIT only: taking a row out may help
 *          SL_DISCONNECTED, SL_UNAVAILABLE, SL_DENIED, SL_TABLE (retry)
 *          *ret_fault is filled always, e names SQLSTATE, table, column and constraint
 */
sl_rc sl_pg_err_result(const PGresult *result, enum sl_pg_step step, const char *table,
                       struct sl_pg_fault *ret_fault, struct sl_err *e) SL_MUST_CHECK;

/* Judge a connection that could not be made or was lost. */
sl_rc sl_pg_err_connection(const PGconn *conn, struct sl_err *e) SL_MUST_CHECK;

/* True for a unique violation in a table of schema sluice: the ledger knows the key. */
bool sl_pg_err_is_ledger(const struct sl_pg_fault *fault);

/* Print the table of SQLSTATEs (Markdown). */
void sl_pg_err_manual(struct sl_buf *out);

#endif
