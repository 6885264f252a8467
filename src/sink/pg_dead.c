/* sink/pg_dead.c - dead letters, read back. */
#include "sink/pg_dead.h"

#include <inttypes.h>
#include <stdio.h>

enum { OID_INT8 = 20 };

sl_rc sl_pg_dead_list(struct sl_pg_conn *c, unsigned limit, PGresult **ret, struct sl_err *e)
{
    char sql[512];

    (void)snprintf(sql, sizeof sql,
                   "SELECT id, status, to_char(received_at AT TIME ZONE 'UTC',"
                   " 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), pipeline, message_id, stage, reason,"
                   " coalesce(field, ''), coalesce(sqlstate, '') FROM sluice.dead_letter"
                   " ORDER BY id DESC LIMIT %u",
                   limit);
    return sl_pg_exec(c, SL_PG_SESSION, sql, NULL, 0, ret, e);
}

sl_rc sl_pg_dead_get(struct sl_pg_conn *c, int64_t id, PGresult **ret, struct sl_err *e)
{
    const uint64_t wire = __builtin_bswap64((uint64_t)id);
    const struct sl_pg_param param = { .type = OID_INT8,
                                       .bytes = (const char *)&wire,
                                       .len = sizeof wire };
    SL_AUTO(sl_pg_clear) PGresult *result = NULL;

    SL_TRY(sl_pg_exec(c, SL_PG_SESSION,
                      "SELECT message_id, sealed_body FROM sluice.dead_letter WHERE id = $1",
                      &param, 1, &result, e));
    if (PQntuples(result) == 0) {
        return SL_FAIL(e, SL_VALUE, "there is no dead letter %" PRId64, id);
    }
    *ret = result;
    result = NULL;
    return SL_OK;
}
