/* sink/pg_stuck.c - sessions of ours that have stopped in a load, and hold their keys against all.
 *
 * pg_blocking_pids knows who blocks only while somebody waits, and whoever waits cannot ask.  What
 * it could add is known without it: a batch is encoded whole before COPY begins, so a session that
 * the server waits for, past the deadline of a statement, has nobody behind it who would go on.
 */
#include "sink/pg_stuck.h"

#include <stdio.h>

#include "base/fault_point.h"
#include "telemetry/log.h"

enum { GRACE_MS = 5000 }; /* a session ends itself at its deadline; leave it the time */

static void say(const PGresult *ended)
{
    for (int row = 0; row < PQntuples(ended); row++) {
        SL_LOG(SL_LOG_WARN, "ended a session of sluice that was stuck in a load",
               sl_field_str("sluice.backend_pid", sl_str_of(PQgetvalue(ended, row, 0))),
               sl_field_str("sluice.since", sl_str_of(PQgetvalue(ended, row, 1))));
    }
}

sl_rc sl_pg_stuck_end(struct sl_pg_conn *c, struct sl_err *e)
{
    SL_AUTO(sl_pg_clear) PGresult *ended = NULL;
    char sql[1024];

    /* OFFSET 0 keeps the order: who is meant is settled before anybody is terminated. */
    (void)snprintf(
        sql, sizeof sql,
        "SELECT pid, since, pg_terminate_backend(pid) FROM ("
        "SELECT pid, to_char(query_start AT TIME ZONE 'UTC',"
        " 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS since"
        " FROM pg_stat_activity"
        " WHERE datname = current_database() AND usename = current_user"
        " AND application_name = current_setting('application_name')"
        " AND pid <> pg_backend_pid() AND wait_event = 'ClientRead'"
        " AND state IN ('active', 'idle in transaction')"
        " AND (query LIKE '%%COPY %% FROM STDIN%%' OR query LIKE 'INSERT INTO sluice.%%')"
        " AND query_start < clock_timestamp() - interval '%u milliseconds'"
        " OFFSET 0) AS stuck",
        SL_FAULT_MS(SL_PG_STATEMENT_MS) + GRACE_MS);
    SL_TRY(sl_pg_exec(c, SL_PG_SESSION, sql, NULL, 0, &ended, e));
    say(ended);
    return SL_OK;
}
