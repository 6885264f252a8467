/* sink/pg_upkeep.c - what is old leaves the ledger, and no load waits for it. */
#include "sink/pg_upkeep.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "sink/pg_copy.h"
#include "sink/pg_oid.h"

enum {
    SLOTS = 32,
    DAY_MS = 86400000,
    ROWS = 1000, /* deleted by one statement: whoever inserts one of their keys waits so long */
    SQL_MAX = 1024,
};

/* One upkeep at a time deletes: two would wait for each other's rows. */
#define ALONE "(SELECT pg_try_advisory_xact_lock(126939412849510))"

bool sl_pg_slot_is_old(int slot, int64_t at_ms, unsigned days)
{
    const int64_t tomorrow = at_ms / DAY_MS + 1;
    const int64_t age = (tomorrow - slot) % SLOTS - 1; /* -1 is tomorrow's own */

    return age > 1 && age > (int64_t)days;
}

static bool is_over(const struct sl_pg_upkeep *u)
{
    return (u->conn->stop != NULL && atomic_load(&u->conn->stop->is_urgent)) ||
           sl_clock_now_ms() >= u->due_ms;
}

/* What was sent before this moment cannot come again. */
static struct sl_pg_param cutoff(const struct sl_pg_upkeep *u, uint64_t *wire)
{
    const int64_t at_ms = u->at_ms - (int64_t)u->cfg->ledger_days * DAY_MS;

    *wire = __builtin_bswap64((uint64_t)sl_pg_timestamp(at_ms));
    return sl_pg_param_of(SL_OID_TIMESTAMPTZ, (sl_str){ (const char *)wire, sizeof *wire });
}

/* ---- deleting --------------------------------------------------------------------------------- */

/* Run a statement that deletes ROWS at most, until there is nothing more. */
static sl_rc delete_all(struct sl_pg_upkeep *u, const char *sql, const struct sl_pg_param *params,
                        unsigned params_n, struct sl_err *e)
{
    int64_t n = ROWS;

    while (n == ROWS && !is_over(u)) {
        SL_AUTO(sl_pg_clear) PGresult *result = NULL;

        SL_TRY(sl_pg_write(u->conn, SL_PG_SESSION, sql, params, params_n, &result, e));
        if (!sl_str_to_i64(sl_str_of(PQcmdTuples(result)), &n)) {
            return SL_FAIL(e, SL_BUG, "the server does not say how many rows it deleted");
        }
        u->rows_n += n;
    }
    return SL_OK;
}

static sl_rc slot_delete(struct sl_pg_upkeep *u, int slot, struct sl_err *e)
{
    char sql[SQL_MAX];
    uint64_t wire;
    const struct sl_pg_param param = cutoff(u, &wire);

    (void)snprintf(sql, sizeof sql,
                   "DELETE FROM sluice.ledger WHERE slot = %d AND (sent_at, message_id, pipeline)"
                   " IN (SELECT sent_at, message_id, pipeline FROM sluice.ledger WHERE slot = %d"
                   " AND sent_at < $1 AND " ALONE " ORDER BY sent_at LIMIT %d)",
                   slot, slot, ROWS);
    return delete_all(u, sql, &param, 1, e);
}

static sl_rc keys_delete(struct sl_pg_upkeep *u, struct sl_err *e)
{
    char sql[SQL_MAX];
    const struct sl_pg_param param = sl_pg_param_of(SL_OID_TEXT, u->pipeline);

    /* loaded_at is the server's own clock */
    (void)snprintf(sql, sizeof sql,
                   "DELETE FROM sluice.ledger_key WHERE pipeline = $1 AND key IN"
                   " (SELECT key FROM sluice.ledger_key WHERE pipeline = $1"
                   " AND loaded_at < now() - interval '%u seconds' AND " ALONE
                   " ORDER BY loaded_at LIMIT %d)",
                   u->cfg->dedup_window_s, ROWS);
    return delete_all(u, sql, &param, 1, e);
}

/* ---- a slot ------------------------------------------------------------------------------------ */

struct slot {
    int number;
    bool is_old; /* it has rows, and none is young */
    bool can_truncate;
    bool can_delete;
};

/* A slot that is no partition, as on PostgreSQL 10, cannot be truncated by itself. */
static sl_rc slot_look(struct sl_pg_upkeep *u, struct slot *s, struct sl_err *e)
{
    SL_AUTO(sl_pg_clear) PGresult *result = NULL;
    char sql[SQL_MAX];
    uint64_t wire;
    const struct sl_pg_param param = cutoff(u, &wire);

    (void)snprintf(sql, sizeof sql,
                   "SELECT sent_at < $1, coalesce(has_table_privilege("
                   "to_regclass('sluice.ledger_%02d'), 'truncate'), false),"
                   " has_table_privilege('sluice.ledger', 'delete')"
                   " FROM sluice.ledger WHERE slot = %d ORDER BY sent_at DESC LIMIT 1",
                   s->number, s->number);
    SL_TRY(sl_pg_exec(u->conn, SL_PG_SESSION, sql, &param, 1, &result, e));
    s->is_old = PQntuples(result) > 0 && *PQgetvalue(result, 0, 0) != 0;
    s->can_truncate = PQntuples(result) > 0 && *PQgetvalue(result, 0, 1) != 0;
    s->can_delete = PQntuples(result) > 0 && *PQgetvalue(result, 0, 2) != 0;
    return SL_OK;
}

/* Look again under the lock: what is loaded meanwhile is young. */
static sl_rc slot_truncate(struct sl_pg_upkeep *u, struct slot *s, struct sl_err *e)
{
    char sql[SQL_MAX];

    (void)snprintf(sql, sizeof sql,
                   "BEGIN; SET LOCAL lock_timeout = '100ms';"
                   " LOCK TABLE ONLY sluice.ledger_%02d IN ACCESS EXCLUSIVE MODE",
                   s->number);
    SL_TRY(sl_pg_exec(u->conn, SL_PG_SESSION, sql, NULL, 0, NULL, e));
    SL_TRY(slot_look(u, s, e));
    if (!s->is_old) {
        return sl_pg_exec(u->conn, SL_PG_SESSION, "ROLLBACK", NULL, 0, NULL, e);
    }
    (void)snprintf(sql, sizeof sql, "TRUNCATE ONLY sluice.ledger_%02d; COMMIT", s->number);
    SL_TRY(sl_pg_exec(u->conn, SL_PG_SESSION, sql, NULL, 0, NULL, e));
    u->slots_n++;
    return SL_OK;
}

/* Somebody loads into it, and must not wait. */
static bool is_busy(const struct sl_pg_conn *c, sl_rc rc)
{
    return rc == SL_UNAVAILABLE && strcmp(c->fault.sqlstate, "55P03") == 0;
}

static sl_rc slot_empty(struct sl_pg_upkeep *u, struct slot *s, struct sl_err *e)
{
    struct sl_err why = { 0 };
    sl_rc rc;

    if (!s->can_truncate) {
        u->may_not = u->may_not || !s->can_delete;
        return s->can_delete ? slot_delete(u, s->number, e) : SL_OK;
    }
    rc = slot_truncate(u, s, &why);
    if (rc != SL_OK && u->conn->pg != NULL) {
        SL_TRY(sl_pg_exec(u->conn, SL_PG_SESSION, "ROLLBACK", NULL, 0, NULL, e));
    }
    if (is_busy(u->conn, rc)) {
        u->busy_n++;
        return SL_OK;
    }
    return rc == SL_OK ? SL_OK : SL_FAIL(e, rc, "%.1000s", why.msg);
}

static sl_rc slots_empty(struct sl_pg_upkeep *u, struct sl_err *e)
{
    for (int number = 0; number < SLOTS && !is_over(u); number++) {
        struct slot s = { .number = number };

        if (!sl_pg_slot_is_old(number, u->at_ms, u->cfg->ledger_days)) {
            continue;
        }
        SL_TRY(slot_look(u, &s, e));
        if (s.is_old) {
            SL_TRY(slot_empty(u, &s, e));
        }
    }
    return SL_OK;
}

/* ---- the ledger of keys ------------------------------------------------------------------------ */

static sl_rc keys_empty(struct sl_pg_upkeep *u, struct sl_err *e)
{
    SL_AUTO(sl_pg_clear) PGresult *result = NULL;

    SL_TRY(sl_pg_exec(u->conn, SL_PG_SESSION,
                      "SELECT 1 WHERE has_table_privilege('sluice.ledger_key', 'delete')", NULL, 0,
                      &result, e));
    u->may_not = PQntuples(result) == 0;
    return u->may_not ? SL_OK : keys_delete(u, e);
}

/* Requests are signed by the queue's clock where this machine's is wrong, so it may be days ahead, and
 * what can still come again would be forgotten: the database has to agree. */
static sl_rc clocks_agree(struct sl_pg_upkeep *u, struct sl_err *e)
{
    SL_AUTO(sl_pg_clear) PGresult *result = NULL;
    int64_t server_ms;

    SL_TRY(sl_pg_exec(u->conn, SL_PG_SESSION, "SELECT (extract(epoch FROM now()) * 1000)::bigint",
                      NULL, 0, &result, e));
    if (PQntuples(result) != 1 || !sl_str_to_i64(sl_str_of(PQgetvalue(result, 0, 0)), &server_ms)) {
        return SL_FAIL(e, SL_BUG, "the server does not tell the time");
    }
    u->at_ms = server_ms < u->at_ms ? server_ms : u->at_ms;
    return SL_OK;
}

sl_rc sl_pg_upkeep_run(struct sl_pg_upkeep *u, struct sl_err *e)
{
    SL_TRY(sl_pg_connect(u->conn, e));
    SL_TRY(clocks_agree(u, e));
    return sl_config_is_keyed(u->cfg) ? keys_empty(u, e) : slots_empty(u, e);
}
