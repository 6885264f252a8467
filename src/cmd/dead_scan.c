/* cmd/dead_scan.c - every dead letter of a pipeline, opened one at a time. */
#include "cmd/dead_scan.h"

#include "base/buf.h"
#include "sink/pg_sql.h"

enum {
    SQL_MAX = 16 << 10,
    ARENA_MAX = 512 << 20, /* of one body: its bytes, and the tree that is made of them */
    ARENA_BLOCK = 64 << 10,
};

static sl_rc scan_begin(const struct sl_dead_scan *s, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf sql = { .max_bytes = SQL_MAX };
    SL_AUTO(sl_buf_done) struct sl_buf of_pipeline = { .max_bytes = SQL_MAX };

    sl_buf_add_str(&of_pipeline, SL_STR(" FROM sluice.dead_letter WHERE pipeline = "));
    sl_sql_literal(&of_pipeline, s->pipeline);
    sl_buf_add_str(&sql, SL_STR("DECLARE sluice_dead BINARY NO SCROLL CURSOR FOR"
                                " SELECT id, message_id, sealed_body"));
    sl_buf_add_str(&sql, sl_buf_str(&of_pipeline));
    if (s->sample > 0) {
        sl_buf_add_str(&sql, SL_STR(" AND id = ANY (ARRAY(SELECT id"));
        sl_buf_add_str(&sql, sl_buf_str(&of_pipeline));
        sl_buf_printf(&sql, " ORDER BY random() LIMIT %u))", s->sample);
    }
    sl_buf_add_char(&sql, '\0');
    SL_TRY(sl_buf_rc(&of_pipeline, e));
    SL_TRY(sl_buf_rc(&sql, e));
    return sl_pg_exec(s->conn, SL_PG_SESSION, sql.ptr, NULL, 0, NULL, e);
}

static struct sl_dead_body scan_read(const PGresult *rows, int row)
{
    struct sl_dead_body d = {
        .message_id = { PQgetvalue(rows, row, 1), (size_t)PQgetlength(rows, row, 1) },
        .sealed = { PQgetvalue(rows, row, 2), (size_t)PQgetlength(rows, row, 2) },
    };
    uint64_t wire = 0;

    memcpy(&wire, PQgetvalue(rows, row, 0), sizeof wire);
    d.id = (int64_t)__builtin_bswap64(wire);
    return d;
}

static sl_rc scan_one(const struct sl_dead_scan *s, const PGresult *rows, int row,
                      struct sl_arena *a, struct sl_err *e)
{
    struct sl_dead_body d = scan_read(rows, row);
    struct sl_err why = { 0 };
    const sl_rc rc = sl_open_body(s->masker, d.message_id, d.sealed, a, &d.body, &why);

    if (rc != SL_OK && rc != SL_VALUE) {
        return SL_FAIL(e, rc, "%s", why.msg);
    }
    d.is_open = rc == SL_OK;
    return s->each(s->ctx, &d, a, e);
}

sl_rc sl_dead_scan(const struct sl_dead_scan *s, struct sl_err *e)
{
    SL_AUTO(sl_arena_done) struct sl_arena a = { 0 };
    int n = 1;

    sl_arena_init(&a, ARENA_MAX, ARENA_BLOCK);
    SL_TRY(scan_begin(s, e));
    while (n > 0) {
        SL_AUTO(sl_pg_clear) PGresult *rows = NULL;

        /* 16 bodies of 1 MiB, the most that SQS takes, are the most in memory. */
        SL_TRY(sl_pg_exec(s->conn, SL_PG_SESSION, "FETCH 16 FROM sluice_dead", NULL, 0, &rows, e));
        n = PQntuples(rows);
        for (int row = 0; row < n; row++) {
            SL_TRY(scan_one(s, rows, row, &a, e));
            sl_arena_reset(&a);
        }
    }
    return sl_pg_exec(s->conn, SL_PG_SESSION, "CLOSE sluice_dead", NULL, 0, NULL, e);
}
