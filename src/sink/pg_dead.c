/* sink/pg_dead.c - dead letters: found, read, counted, deleted. */
#include "sink/pg_dead.h"

#include <inttypes.h>

#include "base/clock.h"
#include "sink/pg_sql.h"

enum {
    SQL_MAX = 4 << 20, /* ids come from a command line */
    PURGE_ROWS = 1000, /* in one transaction */
    DAY_MS = 86400000,
    OID_INT8 = 20, /* pg_type.dat */
};

static void where_text(struct sl_buf *out, const char *before, sl_str text)
{
    if (text.len > 0) {
        sl_buf_add_str(out, sl_str_of(before));
        sl_sql_literal(out, text);
    }
}

/* In whole milliseconds, as they were written. */
static void where_moment(struct sl_buf *out, const char *before, int64_t at_ms)
{
    if (at_ms != 0) {
        sl_buf_printf(out, "%s 'epoch'::timestamptz + %" PRId64 " * interval '1 millisecond'",
                      before, at_ms);
    }
}

void sl_pg_dead_where(struct sl_buf *out, const struct sl_pg_dead_filter *f)
{
    sl_buf_add_str(out, SL_STR(" WHERE pipeline = "));
    sl_sql_literal(out, f->pipeline);
    if (f->ids.len > 0) {
        sl_buf_printf(out, " AND id = ANY ('{%" SL_FMT "}')", SL_ARG(f->ids));
    }
    where_text(out, " AND reason = ", f->code);
    where_text(out, " AND field = ", f->field);
    where_text(out, " AND status = ", f->status);
    where_moment(out, " AND received_at >=", f->since_ms);
    where_moment(out, " AND received_at <", f->until_ms);
    if (f->before_id > 0) {
        sl_buf_printf(out, " AND id < %" PRId64, f->before_id);
    }
}

static void add_limit(struct sl_buf *out, const struct sl_pg_dead_filter *f)
{
    if (f->limit > 0) {
        sl_buf_printf(out, " LIMIT %u", f->limit);
    }
}

static sl_rc sql_run(struct sl_pg_conn *c, struct sl_buf *sql, PGresult **ret, struct sl_err *e)
{
    sl_buf_add_char(sql, '\0');
    SL_TRY(sl_buf_rc(sql, e));
    return sl_pg_exec(c, SL_PG_DEAD_LETTERS, sql->ptr, NULL, 0, ret, e);
}

/* ---- reading -------------------------------------------------------------------------------------- */

static sl_rc is_missing(const struct sl_pg_dead_filter *f, const char *id, struct sl_err *e)
{
    return SL_FAIL(e, SL_VALUE, "there is no dead letter %s of pipeline %" SL_FMT, id,
                   SL_ARG(f->pipeline));
}

sl_rc sl_pg_dead_find(struct sl_pg_conn *c, const struct sl_pg_dead_filter *f, struct sl_err *e)
{
    const struct sl_pg_dead_filter only_ids = { .pipeline = f->pipeline, .ids = f->ids };
    SL_AUTO(sl_pg_clear) PGresult *result = NULL;
    SL_AUTO(sl_buf_done) struct sl_buf sql = { .max_bytes = SQL_MAX };

    if (f->ids.len == 0) {
        return SL_OK;
    }
    sl_buf_printf(&sql, "SELECT unnest('{%" SL_FMT "}'::bigint[]) EXCEPT SELECT id",
                  SL_ARG(f->ids));
    sl_buf_add_str(&sql, SL_STR(" FROM sluice.dead_letter"));
    sl_pg_dead_where(&sql, &only_ids);
    sl_buf_add_str(&sql, SL_STR(" ORDER BY 1 LIMIT 1"));
    SL_TRY(sql_run(c, &sql, &result, e));
    return PQntuples(result) == 0 ? SL_OK : is_missing(f, PQgetvalue(result, 0, 0), e);
}

sl_rc sl_pg_dead_list(struct sl_pg_conn *c, const struct sl_pg_dead_filter *f, PGresult **ret,
                      struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf sql = { .max_bytes = SQL_MAX };

    sl_buf_add_str(&sql, SL_STR("SELECT id, status, to_char(received_at AT TIME ZONE 'UTC',"
                                " 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), message_id, reason,"
                                " coalesce(field, ''), coalesce(sqlstate, '')"
                                " FROM sluice.dead_letter"));
    sl_pg_dead_where(&sql, f);
    sl_buf_add_str(&sql, SL_STR(" ORDER BY id DESC"));
    add_limit(&sql, f);
    return sql_run(c, &sql, ret, e);
}

sl_rc sl_pg_dead_reasons(struct sl_pg_conn *c, sl_str pipeline, PGresult **ret, struct sl_err *e)
{
    const struct sl_pg_dead_filter all = { .pipeline = pipeline };
    SL_AUTO(sl_buf_done) struct sl_buf sql = { .max_bytes = SQL_MAX };

    sl_buf_add_str(&sql, SL_STR("SELECT reason, coalesce(field, ''),"
                                " count(*) FILTER (WHERE status <> 'retried') AS n,"
                                " count(*) FILTER (WHERE status = 'retried')"
                                " FROM sluice.dead_letter"));
    sl_pg_dead_where(&sql, &all);
    sl_buf_add_str(&sql, SL_STR(" GROUP BY 1, 2 ORDER BY n DESC, 1, 2 LIMIT 100"));
    return sql_run(c, &sql, ret, e);
}

sl_rc sl_pg_dead_get(struct sl_pg_conn *c, const struct sl_pg_dead_filter *f, PGresult **ret,
                     struct sl_err *e)
{
    int64_t id = 0;
    uint64_t wire;
    struct sl_pg_param param = { .type = OID_INT8, .len = sizeof wire };
    SL_AUTO(sl_pg_clear) PGresult *result = NULL;

    SL_TRY(sl_pg_dead_find(c, f, e));
    (void)sl_str_to_i64(f->ids, &id);
    wire = __builtin_bswap64((uint64_t)id);
    param.bytes = (const char *)&wire;
    SL_TRY(sl_pg_exec(c, SL_PG_DEAD_LETTERS,
                      "SELECT message_id, sealed_body FROM sluice.dead_letter WHERE id = $1",
                      &param, 1, &result, e));
    if (PQntuples(result) == 0) {
        return SL_FAIL(e, SL_VALUE, "there is no dead letter %" PRId64, id);
    }
    *ret = result;
    result = NULL;
    return SL_OK;
}

sl_rc sl_pg_dead_export(struct sl_pg_conn *c, const struct sl_pg_dead_filter *f, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf sql = { .max_bytes = SQL_MAX };

    sl_buf_add_str(&sql, SL_STR("BEGIN READ ONLY; SET LOCAL timezone = 'UTC';"
                                "DECLARE sluice_export NO SCROLL CURSOR FOR SELECT row_to_json(t)"
                                " FROM (SELECT id, pipeline, message_id, sent_at, received_at,"
                                " stage, reason, field, sqlstate, status, done_at,"
                                " translate(encode(sealed_body, 'base64'), E'\\n', '')"
                                " AS sealed_body FROM sluice.dead_letter"));
    sl_pg_dead_where(&sql, f);
    sl_buf_add_str(&sql, SL_STR(" ORDER BY id"));
    add_limit(&sql, f);
    sl_buf_add_str(&sql, SL_STR(") AS t"));
    return sql_run(c, &sql, NULL, e);
}

sl_rc sl_pg_dead_export_next(struct sl_pg_conn *c, PGresult **ret, struct sl_err *e)
{
    /* 16 bodies of 1 MiB, the most that SQS takes, are the most in memory. */
    return sl_pg_exec(c, SL_PG_DEAD_LETTERS, "FETCH 16 FROM sluice_export", NULL, 0, ret, e);
}

/* ---- deleting ------------------------------------------------------------------------------------- */

sl_rc sl_pg_dead_count(struct sl_pg_conn *c, const struct sl_pg_dead_filter *f,
                       struct sl_pg_dead_counts *ret, struct sl_err *e)
{
    struct sl_pg_dead_counts counts = { 0 };
    SL_AUTO(sl_pg_clear) PGresult *result = NULL;
    SL_AUTO(sl_buf_done) struct sl_buf sql = { .max_bytes = SQL_MAX };

    sl_buf_add_str(&sql, SL_STR("SELECT count(*) FILTER (WHERE status <> 'retried'),"
                                " count(*) FILTER (WHERE status = 'retried'),"
                                " coalesce(max(id), 0)"
                                " FROM (SELECT id, status FROM sluice.dead_letter"));
    sl_pg_dead_where(&sql, f);
    sl_buf_add_str(&sql, SL_STR(" ORDER BY id"));
    add_limit(&sql, f);
    sl_buf_add_str(&sql, SL_STR(") AS t"));
    SL_TRY(sql_run(c, &sql, &result, e));
    (void)sl_str_to_i64(sl_str_of(PQgetvalue(result, 0, 0)), &counts.new_n);
    (void)sl_str_to_i64(sl_str_of(PQgetvalue(result, 0, 1)), &counts.retried_n);
    (void)sl_str_to_i64(sl_str_of(PQgetvalue(result, 0, 2)), &counts.last_id);
    *ret = counts;
    return SL_OK;
}

/* An array, for PostgreSQL may look up a subquery under IN more than once, and the limit with it. */
static void purge_sql(struct sl_buf *out, const struct sl_pg_dead_filter *f, int64_t last_id,
                      uint64_t most)
{
    sl_buf_add_str(out, SL_STR("DELETE FROM sluice.dead_letter WHERE id = ANY (ARRAY("
                               "SELECT id FROM sluice.dead_letter"));
    sl_pg_dead_where(out, f);
    sl_buf_printf(out,
                  " AND id <= %" PRId64 " ORDER BY id LIMIT %" PRIu64 " FOR UPDATE SKIP LOCKED))",
                  last_id, most);
}

/* Some of them; *ret_n is how many. */
static sl_rc purge_some(struct sl_pg_conn *c, const struct sl_pg_dead_filter *f, int64_t last_id,
                        uint64_t most, uint64_t *ret_n, struct sl_err *e)
{
    SL_AUTO(sl_pg_clear) PGresult *result = NULL;
    SL_AUTO(sl_buf_done) struct sl_buf sql = { .max_bytes = SQL_MAX };
    int64_t n = 0;

    purge_sql(&sql, f, last_id, most);
    sl_buf_add_char(&sql, '\0');
    SL_TRY(sl_buf_rc(&sql, e));
    SL_TRY(sl_pg_write(c, SL_PG_DEAD_LETTERS, sql.ptr, NULL, 0, &result, e));
    (void)sl_str_to_i64(sl_str_of(PQcmdTuples(result)), &n);
    *ret_n = (uint64_t)n;
    return SL_OK;
}

sl_rc sl_pg_dead_purge(struct sl_pg_conn *c, const struct sl_pg_dead_filter *f,
                       const struct sl_pg_dead_counts *counted, uint64_t *ret_n, struct sl_err *e)
{
    const uint64_t all = (uint64_t)(counted->new_n + counted->retried_n);
    uint64_t most;
    uint64_t n;

    *ret_n = 0;
    do {
        if (*ret_n > 0 && c->stop != NULL && atomic_load(&c->stop->is_urgent)) {
            return SL_FAIL(e, SL_STOPPED, "stopped: the others are as they were");
        }
        most = all - *ret_n < PURGE_ROWS ? all - *ret_n : PURGE_ROWS;
        SL_TRY(purge_some(c, f, counted->last_id, most, &n, e));
        *ret_n += n;
    } while (n == most && *ret_n < all);
    return SL_OK;
}

sl_rc sl_pg_dead_expire(struct sl_pg_conn *c, sl_str pipeline, unsigned days, uint64_t *ret_n,
                        struct sl_err *e)
{
    const struct sl_pg_dead_filter old = { .pipeline = pipeline,
                                           .until_ms = sl_clock_at_ms() - (int64_t)days * DAY_MS };

    const struct sl_pg_dead_counts all = { .new_n = INT64_MAX, .last_id = INT64_MAX };

    *ret_n = 0;
    if (days == 0) {
        return SL_OK;
    }
    SL_TRY(sl_pg_connect(c, e));
    return sl_pg_dead_purge(c, &old, &all, ret_n, e);
}
