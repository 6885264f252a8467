/* sink/pg_retry.c - dead letters become rows, each once.
 *
 * A letter is locked before its row is written, and only if it is still new: who comes second
 * finds it locked or done, and leaves it.
 */
#include "sink/pg_retry.h"

#include <inttypes.h>

#include "base/fault_point.h"
#include "sink/pg_copy.h"

enum {
    READ_ROWS = 500,
    READ_BYTES = 16 << 20, /* one letter may have more */
    SQL_MAX = 4 << 20,
    BUF_MAX = 1 << 30,
    REASON_COLUMNS = 5, /* id, stage, reason, field, sqlstate */

    /* pg_type.dat: element type, then its array */
    OID_BYTEA = 17,
    OID_INT8 = 20,
    OID_TEXT = 25,
    OID_BYTEA_ARRAY = 1001,
    OID_TEXT_ARRAY = 1009,
    OID_INT8_ARRAY = 1016,
};

void sl_pg_retry_init(struct sl_pg_retry *t, struct sl_pg_conn *conn, const struct sl_config *cfg,
                      const struct sl_pg_target *target)
{
    *t = (struct sl_pg_retry){ .conn = conn, .cfg = cfg, .target = target };
    sl_buf_init(&t->rows, BUF_MAX);
    for (unsigned k = 0; k < REASON_COLUMNS; k++) {
        sl_buf_init(&t->params[k], BUF_MAX);
    }
}

void sl_pg_retry_done(struct sl_pg_retry *t)
{
    sl_buf_done(&t->rows);
    for (unsigned k = 0; k < REASON_COLUMNS; k++) {
        sl_buf_done(&t->params[k]);
    }
}

/* ---- reading -------------------------------------------------------------------------------------- */

sl_rc sl_pg_retry_read(struct sl_pg_conn *c, const struct sl_pg_dead_filter *f, int64_t after_id,
                       PGresult **ret, struct sl_err *e)
{
    const uint64_t after = __builtin_bswap64((uint64_t)after_id);
    const struct sl_pg_param param = { OID_INT8, (const char *)&after, sizeof after };
    const unsigned limit = f->limit > 0 && f->limit < READ_ROWS ? f->limit : READ_ROWS;
    SL_AUTO(sl_buf_done) struct sl_buf sql = { .max_bytes = SQL_MAX };

    /* The sum asks for the lengths only: a body comes from its own file when it is sent. */
    sl_buf_add_str(&sql, SL_STR("SELECT id, (extract(epoch FROM sent_at) * 1000)::bigint,"
                                " (extract(epoch FROM received_at) * 1000)::bigint, message_id,"
                                " sealed_body FROM (SELECT *, sum(octet_length(sealed_body))"
                                " OVER (ORDER BY id) - octet_length(sealed_body) AS before"
                                " FROM (SELECT * FROM sluice.dead_letter"));
    sl_pg_dead_where(&sql, f);
    sl_buf_printf(&sql,
                  " AND status = 'new' AND id > $1 ORDER BY id LIMIT %u) AS t) AS t"
                  " WHERE before < %d ORDER BY id",
                  limit, READ_BYTES);
    sl_buf_add_char(&sql, '\0');
    SL_TRY(sl_buf_rc(&sql, e));
    return sl_pg_exec(c, SL_PG_DEAD_LETTERS, sql.ptr, &param, 1, ret, e);
}

/* ---- one transaction ------------------------------------------------------------------------------ */

static bool is_refused(const struct sl_pg_letter *l)
{
    return l->r->verdict.reason != SL_REASON_NONE;
}

static bool is_row(const struct sl_pg_letter *l)
{
    return l->is_held && !is_refused(l) && !l->is_known;
}

/* What makes its message the same as another one, where that is a value. */
static struct sl_ledger_key key_of(const struct sl_pg_retry *t, const struct sl_pg_letter *l)
{
    return sl_ledger_key_of(t->cfg, l->r);
}

/* Those that are held and come to that end. */
static unsigned count_held(const struct sl_pg_letter *letters, unsigned n, bool refused)
{
    unsigned found = 0;

    for (unsigned i = 0; i < n; i++) {
        found += letters[i].is_held && is_refused(&letters[i]) == refused;
    }
    return found;
}

static struct sl_pg_param array_param(Oid type, const struct sl_buf *bytes)
{
    return (struct sl_pg_param){ .type = type, .bytes = bytes->ptr, .len = bytes->len };
}

static struct sl_pg_letter *letter_of(struct sl_pg_letter *letters, unsigned n, const char *wire)
{
    uint64_t id;
    unsigned i = 0;

    memcpy(&id, wire, sizeof id);
    while (i < n && letters[i].id != (int64_t)__builtin_bswap64(id)) {
        i++;
    }
    return i < n ? &letters[i] : NULL;
}

/* A dry run takes none, or a retry at the same time would pass them over. */
static sl_rc letters_hold(struct sl_pg_retry *t, struct sl_pg_letter *letters, unsigned n,
                          struct sl_err *e)
{
    static const char sql[] = "SELECT id FROM sluice.dead_letter WHERE id = ANY ($1)"
                              " AND status = 'new' ORDER BY id FOR UPDATE SKIP LOCKED";
    SL_AUTO(sl_pg_clear) PGresult *held = NULL;
    struct sl_pg_param param;

    sl_buf_reset(&t->params[0]);
    sl_pg_array_begin(&t->params[0], OID_INT8, n);
    for (unsigned i = 0; i < n; i++) {
        sl_pg_array_add_i64(&t->params[0], letters[i].id);
        letters[i].is_held = t->is_dry_run;
        letters[i].is_known = false;
    }
    SL_TRY(sl_buf_rc(&t->params[0], e));
    if (t->is_dry_run) {
        return SL_OK;
    }
    param = array_param(OID_INT8_ARRAY, &t->params[0]);
    SL_TRY(sl_pg_exec(t->conn, SL_PG_DEAD_LETTERS, sql, &param, 1, &held, e));
    for (int row = 0; row < PQntuples(held); row++) {
        struct sl_pg_letter *l = letter_of(letters, n, PQgetvalue(held, row, 0));

        if (l == NULL) {
            return SL_FAIL(e, SL_BUG, "a dead letter came that was not asked for");
        }
        l->is_held = true;
    }
    return SL_OK;
}

/* The values that this transaction is the first to bring.  Sorted, as in every load. */
static sl_rc keys_insert(struct sl_pg_retry *t, struct sl_pg_letter *letters, unsigned n,
                         PGresult **ret, struct sl_err *e)
{
    static const char sql[] =
        "INSERT INTO sluice.ledger_key (pipeline, key, batch_id)"
        " SELECT $1, k.key, md5(random()::text || clock_timestamp())::uuid"
        " FROM unnest($2) AS k(key) ORDER BY k.key ON CONFLICT DO NOTHING RETURNING key";
    struct sl_pg_param params[2] = { { OID_TEXT, t->target->pipeline.ptr,
                                       t->target->pipeline.len } };

    sl_buf_reset(&t->params[0]);
    sl_pg_array_begin(&t->params[0], OID_BYTEA, count_held(letters, n, false));
    for (unsigned i = 0; i < n; i++) {
        if (letters[i].is_held && !is_refused(&letters[i])) {
            const struct sl_ledger_key key = key_of(t, &letters[i]);

            letters[i].is_known = true;
            sl_pg_array_add_key(&t->params[0], &key);
        }
    }
    SL_TRY(sl_buf_rc(&t->params[0], e));
    params[1] = array_param(OID_BYTEA_ARRAY, &t->params[0]);
    return sl_pg_exec(t->conn, SL_PG_LEDGER, sql, params, 2, ret, e);
}

/* The first letter of each new value becomes a row; others of it are done without one. */
static sl_rc keys_claim(struct sl_pg_retry *t, struct sl_pg_letter *letters, unsigned n,
                        struct sl_err *e)
{
    SL_AUTO(sl_pg_clear) PGresult *new = NULL;

    if (t->cfg->dedup == SL_DEDUP_MESSAGE_ID || count_held(letters, n, false) == 0) {
        return SL_OK;
    }
    SL_TRY(keys_insert(t, letters, n, &new, e));
    for (int row = 0; row < PQntuples(new); row++) {
        const struct sl_ledger_key key = sl_ledger_key_from(
            (sl_str){ PQgetvalue(new, row, 0), (size_t)PQgetlength(new, row, 0) });
        unsigned i = 0;

        for (; i < n; i++) {
            const struct sl_ledger_key own = key_of(t, &letters[i]);

            if (letters[i].is_known && sl_ledger_key_cmp(&own, &key) == 0) {
                letters[i].is_known = false;
                break;
            }
        }
    }
    return SL_OK;
}

static sl_rc rows_copy(struct sl_pg_retry *t, const struct sl_pg_letter *letters, unsigned n,
                       struct sl_err *e)
{
    unsigned rows = 0;

    sl_buf_reset(&t->rows);
    sl_pg_copy_begin(&t->rows);
    for (unsigned i = 0; i < n; i++) {
        if (is_row(&letters[i])) {
            sl_pg_copy_row(&t->rows, t->cfg->columns, t->cfg->columns_n, letters[i].r->values);
            rows++;
        }
    }
    sl_pg_copy_end(&t->rows);
    if (rows == 0) {
        return SL_OK;
    }
    SL_TRY(sl_buf_rc(&t->rows, e));
    return sl_pg_copy(t->conn, SL_PG_ROWS, t->target->copy_sql.ptr, sl_buf_str(&t->rows), e);
}

static sl_rc mark_done(struct sl_pg_retry *t, const struct sl_pg_letter *letters, unsigned n,
                       struct sl_err *e)
{
    static const char sql[] = "UPDATE sluice.dead_letter SET status = 'retried', done_at = now()"
                              " WHERE id = ANY ($1)";
    const unsigned done = count_held(letters, n, false);
    struct sl_pg_param param;

    if (done == 0) {
        return SL_OK;
    }
    sl_buf_reset(&t->params[0]);
    sl_pg_array_begin(&t->params[0], OID_INT8, done);
    for (unsigned i = 0; i < n; i++) {
        if (letters[i].is_held && !is_refused(&letters[i])) {
            sl_pg_array_add_i64(&t->params[0], letters[i].id);
        }
    }
    SL_TRY(sl_buf_rc(&t->params[0], e));
    param = array_param(OID_INT8_ARRAY, &t->params[0]);
    return sl_pg_exec(t->conn, SL_PG_DEAD_LETTERS, sql, &param, 1, NULL, e);
}

static void add_text_or_null(struct sl_buf *out, sl_str text)
{
    if (text.len == 0) {
        sl_pg_array_add_null(out);
    } else {
        sl_pg_array_add(out, text);
    }
}

static void reason_encode(struct sl_buf *params, const struct sl_pg_letter *l)
{
    const struct sl_verdict *verdict = &l->r->verdict;

    sl_pg_array_add_i64(&params[0], l->id);
    sl_pg_array_add(&params[1], sl_str_of(sl_reason_stage(verdict->reason)));
    sl_pg_array_add(&params[2], sl_str_of(sl_reason_code(verdict->reason)));
    add_text_or_null(&params[3], verdict->field);
    add_text_or_null(&params[4], sl_str_of(verdict->sqlstate));
}

static sl_rc mark_refused(struct sl_pg_retry *t, const struct sl_pg_letter *letters, unsigned n,
                          struct sl_err *e)
{
    static const char sql[] =
        "UPDATE sluice.dead_letter AS d SET stage = k.stage, reason = k.reason, field = k.field,"
        " sqlstate = k.sqlstate FROM unnest($1, $2, $3, $4, $5)"
        " AS k(id, stage, reason, field, sqlstate) WHERE d.id = k.id";
    const unsigned refused = count_held(letters, n, true);
    struct sl_pg_param params[REASON_COLUMNS];

    if (refused == 0 || t->keeps_reasons) {
        return SL_OK;
    }
    for (unsigned k = 0; k < REASON_COLUMNS; k++) {
        sl_buf_reset(&t->params[k]);
        sl_pg_array_begin(&t->params[k], k == 0 ? OID_INT8 : OID_TEXT, refused);
    }
    for (unsigned i = 0; i < n; i++) {
        if (letters[i].is_held && is_refused(&letters[i])) {
            reason_encode(t->params, &letters[i]);
        }
    }
    for (unsigned k = 0; k < REASON_COLUMNS; k++) {
        SL_TRY(sl_buf_rc(&t->params[k], e));
        params[k] = array_param(k == 0 ? OID_INT8_ARRAY : OID_TEXT_ARRAY, &t->params[k]);
    }
    return sl_pg_exec(t->conn, SL_PG_DEAD_LETTERS, sql, params, REASON_COLUMNS, NULL, e);
}

/* What a commit would refuse, a dry run asks for beforehand. */
static sl_rc transaction(struct sl_pg_retry *t, struct sl_pg_letter *letters, unsigned n,
                         struct sl_err *e)
{
    SL_FAULT_POINT(before_load);
    SL_TRY(sl_pg_exec(t->conn, SL_PG_SESSION, SL_PG_BEGIN, NULL, 0, NULL, e));
    SL_TRY(letters_hold(t, letters, n, e));
    SL_TRY(keys_claim(t, letters, n, e));
    SL_TRY(rows_copy(t, letters, n, e));
    if (t->is_dry_run) {
        return sl_pg_exec(t->conn, SL_PG_COMMIT, "SET CONSTRAINTS ALL IMMEDIATE; ROLLBACK", NULL, 0,
                          NULL, e);
    }
    SL_TRY(mark_done(t, letters, n, e));
    SL_TRY(mark_refused(t, letters, n, e));
    SL_FAULT_POINT(before_commit);
    SL_TRY(sl_pg_exec(t->conn, SL_PG_COMMIT, t->target->commit_sql.ptr, NULL, 0, NULL, e));
    SL_FAULT_POINT(committed);
    return SL_OK;
}

/* ---- rows that PostgreSQL refuses ------------------------------------------------------------------- */

static void letter_refuse(const struct sl_pg_retry *t, struct sl_pg_letter *l)
{
    const struct sl_pg_fault *fault = &t->conn->fault;

    l->r->verdict.reason = SL_REASON_REFUSED;
    memcpy(l->r->verdict.sqlstate, fault->sqlstate, sizeof l->r->verdict.sqlstate);
    for (unsigned i = 0; i < t->cfg->columns_n; i++) {
        if (sl_str_eq(t->cfg->columns[i].name, sl_str_of(fault->column))) {
            l->r->verdict.field = t->cfg->columns[i].from_text;
        }
    }
}

static void decide(struct sl_pg_letter *letters, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (letters[i].is_held) {
            letters[i].r->outcome = is_refused(&letters[i]) ? SL_OUTCOME_DEAD_LETTERED
                                    : letters[i].is_known   ? SL_OUTCOME_DUPLICATE
                                                            : SL_OUTCOME_LOADED;
        }
    }
}

sl_rc sl_pg_retry_load(struct sl_pg_retry *t, struct sl_pg_letter *letters, unsigned n,
                       struct sl_err *e)
{
    const sl_rc rc = transaction(t, letters, n, e);

    if (rc == SL_OK) {
        decide(letters, n);
        return SL_OK;
    }
    sl_pg_rollback(t->conn);
    if (rc != SL_ROW || (n == 1 && is_refused(letters))) {
        return rc;
    }
    if (n == 1) {
        letter_refuse(t, letters);
        return sl_pg_retry_load(t, letters, 1, e);
    }
    SL_TRY(sl_pg_retry_load(t, letters, n / 2, e));
    return sl_pg_retry_load(t, letters + n / 2, n - n / 2, e);
}
