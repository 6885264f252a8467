/* sink/pg_secret.c - the key of a pipeline's ledger of keys, sealed, as the database holds it. */
#include "sink/pg_secret.h"

#include "sink/pg_oid.h"

sl_rc sl_pg_secret_get(struct sl_pg_conn *c, sl_str pipeline, struct sl_arena *a, sl_str *ret,
                       struct sl_err *e)
{
    static const char sql[] = "SELECT sealed FROM sluice.ledger_secret WHERE pipeline = $1";
    const struct sl_pg_param param = sl_pg_param_of(SL_OID_TEXT, pipeline);
    SL_AUTO(sl_pg_clear) PGresult *result = NULL;
    sl_str copy = { 0 };

    SL_TRY(sl_pg_connect(c, e));
    SL_TRY(sl_pg_exec(c, SL_PG_SESSION, sql, &param, 1, &result, e));
    if (PQntuples(result) > 0) {
        copy = sl_arena_copy(
            a, (sl_str){ PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0) });
        if (copy.ptr == NULL) {
            return SL_FAIL(e, SL_NOMEM, "no room for the ledger's key");
        }
    }
    *ret = copy;
    return SL_OK;
}

sl_rc sl_pg_secret_put(struct sl_pg_conn *c, sl_str pipeline, sl_str sealed, struct sl_err *e)
{
    static const char sql[] = "INSERT INTO sluice.ledger_secret (pipeline, sealed) VALUES ($1, $2)"
                              " ON CONFLICT (pipeline) DO NOTHING";
    const struct sl_pg_param params[2] = { sl_pg_param_of(SL_OID_TEXT, pipeline),
                                           sl_pg_param_of(SL_OID_BYTEA, sealed) };

    SL_TRY(sl_pg_connect(c, e));
    return sl_pg_write(c, SL_PG_SESSION, sql, params, 2, NULL, e);
}
