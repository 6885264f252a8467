/* cmd/erase.c - all that the databases have of one value: found, counted, deleted. */
#include "cmd/erase.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/dead_scan.h"
#include "cmd/record.h"
#include "sink/pg_copy.h"
#include "sink/pg_sql.h"

enum {
    SQL_MAX = 64 << 10,
    ARRAY_MAX = 16 << 20,
    ID_BYTES = 8,

    /* pg_type.dat */
    OID_INT8 = 20,
    OID_TEXT = 25,
    OID_TEXT_ARRAY = 1009,
    OID_INT8_ARRAY = 1016,
};

/* ---- tokens ------------------------------------------------------------------------------------- */

static void array_fill(struct sl_buf *out, const sl_str *tokens, unsigned n)
{
    sl_buf_init(out, ARRAY_MAX);
    sl_pg_array_begin(out, OID_TEXT, n);
    for (unsigned i = 0; i < n; i++) {
        sl_pg_array_add(out, tokens[i]);
    }
}

static sl_rc column_tokens(struct sl_erase *x, struct sl_erase_column *c, sl_str *ret,
                           unsigned *ret_n, struct sl_err *e)
{
    SL_TRY(sl_column_mask_tokens(c->in.mask, x->value, &x->arena, ret, ret_n, e));
    return sl_column_mask_value(c->in.mask, x->value, &x->arena, &c->in.token, e);
}

sl_rc sl_erase_tokens(struct sl_erase *x, struct sl_buf *notes, struct sl_err *e)
{
    sl_str all[SL_ERASE_COLUMNS_MAX * SL_KEYRING_MAX] = { 0 };

    for (unsigned i = 0; i < x->n; i++) {
        struct sl_erase_column *c = &x->columns[i];
        sl_str tokens[SL_KEYRING_MAX] = { 0 };
        struct sl_err why = { 0 };
        unsigned n = 0;
        const sl_rc rc = column_tokens(x, c, tokens, &n, &why);

        if (rc == SL_VALUE) {
            sl_buf_printf(notes, "column %" SL_FMT " cannot have it: %s\n",
                          SL_ARG(c->in.column->name), why.msg);
            continue;
        }
        if (rc != SL_OK) {
            return SL_FAIL(e, rc, "%s", why.msg);
        }
        array_fill(&c->tokens, tokens, n);
        SL_TRY(sl_buf_rc(&c->tokens, e));
        if ((sl_mask_flags(c->in.column->masking.method) & SL_MASK_ONE_WAY) != 0) {
            memcpy(all + x->vault_tokens_n, tokens, n * sizeof *tokens);
            x->vault_tokens_n += n;
        }
    }
    array_fill(&x->vault_tokens, all, x->vault_tokens_n);
    return sl_buf_rc(&x->vault_tokens, e);
}

/* ---- statements --------------------------------------------------------------------------------- */

static struct sl_pg_param text_array(const struct sl_buf *bytes)
{
    return (struct sl_pg_param){ .type = OID_TEXT_ARRAY, .bytes = bytes->ptr, .len = bytes->len };
}

/* What is refused for want of rights comes with what to grant. */
static sl_rc refused(sl_rc rc, const struct sl_err *why, struct sl_err *e)
{
    return SL_FAIL(e, rc, "%.600s%s", why->msg,
                   rc == SL_DENIED ? "; nothing is erased; grant SELECT and DELETE on the table, "
                                     "on sluice.dead_letter and on the vault's table, INSERT on "
                                     "sluice.unmask_audit, USAGE on their schemas, and BYPASSRLS "
                                     "where row-level security hides rows"
                                   : "");
}

static sl_rc run(struct sl_pg_conn *c, const char *sql, const struct sl_pg_param *params,
                 unsigned params_n, PGresult **ret, struct sl_err *e)
{
    struct sl_err why = { 0 };
    const sl_rc rc = sl_pg_exec(c, SL_PG_SESSION, sql, params, params_n, ret, &why);

    return rc == SL_OK ? SL_OK : refused(rc, &why, e);
}

/* What row-level security hides is refused rather than passed over. */
static sl_rc see_all(struct sl_pg_conn *c, struct sl_err *e)
{
    return run(c, "SET LOCAL row_security = off", NULL, 0, NULL, e);
}

static bool wants_vault(const struct sl_erase *x)
{
    return x->cfg->vault.url.len > 0 && x->vault_tokens_n > 0;
}

/* "c" = ANY ($2), for the k-th column that can have the value. */
static void column_test(const struct sl_erase_column *c, unsigned k, struct sl_buf *sql)
{
    sl_sql_identifier(sql, c->in.column->name);
    sl_buf_printf(sql, " = ANY ($%u%s)", k, c->in.column->type == SL_TYPE_INET ? "::inet[]" : "");
}

/* The rows that have the value in any of the columns.
 * Returns: the number of parameters; none means that no column can have it */
static unsigned rows_test(const struct sl_erase *x, struct sl_buf *sql,
                          struct sl_pg_param params[static SL_ERASE_COLUMNS_MAX])
{
    unsigned n = 0;

    sl_buf_add_str(sql, SL_STR(" FROM "));
    sl_sql_table(sql, x->target.schema, x->target.name);
    for (unsigned i = 0; i < x->n; i++) {
        if (x->columns[i].tokens.len > 0) {
            sl_buf_add_str(sql, n == 0 ? SL_STR(" WHERE ") : SL_STR(" OR "));
            params[n++] = text_array(&x->columns[i].tokens);
            column_test(&x->columns[i], n, sql);
        }
    }
    return n;
}

/* ---- finding ------------------------------------------------------------------------------------ */

static int64_t read_i64(const PGresult *result, int row, int column)
{
    uint64_t wire = 0;

    memcpy(&wire, PQgetvalue(result, row, column), sizeof wire);
    return (int64_t)__builtin_bswap64(wire);
}

sl_rc sl_erase_missing_keys(struct sl_erase *x, const struct sl_keyring *ring, struct sl_buf *notes,
                            bool *ret_lacks, struct sl_err *e)
{
    SL_AUTO(sl_pg_clear) PGresult *seen = NULL;
    bool lacks = false;

    SL_TRY(run(&x->conn, "SELECT kid FROM sluice.key_check ORDER BY kid", NULL, 0, &seen, e));
    for (int row = 0; row < PQntuples(seen); row++) {
        const sl_str kid = sl_str_of(PQgetvalue(seen, row, 0));

        if (sl_keyring_get(ring, kid) == NULL) {
            lacks = true;
            sl_buf_printf(notes,
                          "key %" SL_FMT
                          " is known to the database and not to the key file: tokens "
                          "under it are not looked for\n",
                          SL_ARG(kid));
        }
    }
    *ret_lacks = lacks;
    return SL_OK;
}

static sl_rc rows_find(struct sl_erase *x, int64_t *ret, struct sl_err *e)
{
    SL_AUTO(sl_pg_clear) PGresult *result = NULL;
    SL_AUTO(sl_buf_done) struct sl_buf sql = { .max_bytes = SQL_MAX };
    struct sl_pg_param params[SL_ERASE_COLUMNS_MAX];
    unsigned n = 0;

    sl_buf_add_str(&sql, SL_STR("SELECT count(*)"));
    for (unsigned i = 0; i < x->n; i++) {
        if (x->columns[i].tokens.len > 0) {
            sl_buf_add_str(&sql, SL_STR(", count(*) FILTER (WHERE "));
            column_test(&x->columns[i], ++n, &sql);
            sl_buf_add_char(&sql, ')');
        }
    }
    n = rows_test(x, &sql, params);
    sl_buf_add_char(&sql, '\0');
    SL_TRY(sl_buf_rc(&sql, e));
    if (n == 0) {
        return SL_OK;
    }
    SL_TRY(run(&x->conn, sql.ptr, params, n, &result, e));
    *ret = read_i64(result, 0, 0);
    n = 0;
    for (unsigned i = 0; i < x->n; i++) {
        x->columns[i].rows =
            x->columns[i].tokens.len > 0 ? read_i64(result, 0, (int)++n) : x->columns[i].rows;
    }
    return SL_OK;
}

static sl_rc vault_sql(const struct sl_erase *x, const char *verb, struct sl_buf *sql,
                       struct sl_err *e)
{
    sl_buf_printf(sql, "%s FROM ", verb);
    sl_sql_table(sql, x->cfg->vault.table_schema, x->cfg->vault.table_name);
    sl_buf_add_str(sql, SL_STR(" WHERE token = ANY ($1)"));
    sl_buf_add_char(sql, '\0');
    return sl_buf_rc(sql, e);
}

static sl_rc vault_find(struct sl_erase *x, int64_t *ret, struct sl_err *e)
{
    SL_AUTO(sl_pg_clear) PGresult *result = NULL;
    SL_AUTO(sl_buf_done) struct sl_buf sql = { .max_bytes = SQL_MAX };
    const struct sl_pg_param tokens = text_array(&x->vault_tokens);

    if (!wants_vault(x)) {
        return SL_OK;
    }
    SL_TRY(vault_sql(x, "SELECT count(*)", &sql, e));
    SL_TRY(sl_pg_connect(&x->vault, e));
    SL_TRY(run(&x->vault, "BEGIN READ ONLY", NULL, 0, NULL, e));
    SL_TRY(see_all(&x->vault, e));
    SL_TRY(run(&x->vault, sql.ptr, &tokens, 1, &result, e));
    SL_TRY(run(&x->vault, "COMMIT", NULL, 0, NULL, e));
    *ret = read_i64(result, 0, 0);
    return SL_OK;
}

/* What the scan's callback needs. */
struct letters_job {
    struct sl_erase *x;
    struct sl_body_search search;
    struct sl_erase_counts *counts;
};

static sl_rc letter_each(void *ctx, const struct sl_dead_body *d, struct sl_arena *arena,
                         struct sl_err *e)
{
    struct letters_job *job = ctx;
    enum sl_body_found found = SL_BODY_OTHER;

    job->counts->looked_at++;
    if (!d->is_open) {
        job->counts->closed++;
        return SL_OK;
    }
    SL_TRY(sl_body_search(&job->search, d->message_id, d->body, arena, &found, e));
    job->counts->as_bytes += found == SL_BODY_NOWHERE || found == SL_BODY_BYTES ? 1 : 0;
    if (found == SL_BODY_FIELD || found == SL_BODY_BYTES) {
        job->counts->letters++;
        sl_buf_add_u64(&job->x->ids, (uint64_t)d->id);
    }
    return sl_buf_rc(&job->x->ids, e);
}

static sl_rc letters_find(struct sl_erase *x, struct sl_erase_counts *counts, struct sl_err *e)
{
    struct sl_body_column columns[SL_ERASE_COLUMNS_MAX];
    struct letters_job job = { .x = x,
                               .counts = counts,
                               .search = { .cfg = x->cfg,
                                           .parser = x->parser,
                                           .value = x->value,
                                           .columns = columns,
                                           .n = x->n } };
    const struct sl_dead_scan scan = {
        .conn = &x->conn,
        .masker = x->masks.masker,
        .pipeline = x->target.pipeline,
        .each = letter_each,
        .ctx = &job,
    };
    struct sl_err why = { 0 };
    sl_rc rc;

    for (unsigned i = 0; i < x->n; i++) {
        columns[i] = x->columns[i].in;
    }
    sl_buf_init(&x->ids, ARRAY_MAX);
    rc = sl_dead_scan(&scan, &why);
    return rc == SL_OK ? SL_OK : refused(rc, &why, e);
}

sl_rc sl_erase_find(struct sl_erase *x, struct sl_erase_counts *ret, struct sl_err *e)
{
    struct sl_erase_counts counts = { 0 };

    SL_TRY(run(&x->conn, "BEGIN READ ONLY", NULL, 0, NULL, e));
    SL_TRY(see_all(&x->conn, e));
    SL_TRY(rows_find(x, &counts.rows, e));
    SL_TRY(vault_find(x, &counts.originals, e));
    SL_TRY(letters_find(x, &counts, e));
    SL_TRY(
        run(&x->conn, "COMMIT", NULL, 0, NULL, e)); /* nothing stays open while a person thinks */
    *ret = counts;
    return SL_OK;
}

/* ---- deleting ----------------------------------------------------------------------------------- */

static sl_rc delete_run(struct sl_pg_conn *c, const char *sql, const struct sl_pg_param *params,
                        unsigned params_n, int64_t *ret, struct sl_err *e)
{
    SL_AUTO(sl_pg_clear) PGresult *result = NULL;

    SL_TRY(run(c, sql, params, params_n, &result, e));
    return sl_str_to_i64(sl_str_of(PQcmdTuples(result)), ret)
               ? SL_OK
               : SL_FAIL(e, SL_BUG, "the server does not say how many rows it deleted");
}

static sl_rc rows_delete(struct sl_erase *x, int64_t *ret, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf sql = { .max_bytes = SQL_MAX };
    struct sl_pg_param params[SL_ERASE_COLUMNS_MAX];
    unsigned n;

    sl_buf_add_str(&sql, SL_STR("DELETE"));
    n = rows_test(x, &sql, params);
    sl_buf_add_char(&sql, '\0');
    SL_TRY(sl_buf_rc(&sql, e));
    return n > 0 ? delete_run(&x->conn, sql.ptr, params, n, ret, e) : SL_OK;
}

static sl_rc letters_delete(struct sl_erase *x, int64_t *ret, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf array = { .max_bytes = (size_t)2 * ARRAY_MAX };
    const unsigned n = (unsigned)(x->ids.len / ID_BYTES);
    struct sl_pg_param param;

    if (n == 0) {
        return SL_OK;
    }
    sl_pg_array_begin(&array, OID_INT8, n);
    for (unsigned i = 0; i < n; i++) {
        sl_pg_array_add(&array, (sl_str){ x->ids.ptr + (size_t)i * ID_BYTES, ID_BYTES });
    }
    SL_TRY(sl_buf_rc(&array, e));
    param = (struct sl_pg_param){ .type = OID_INT8_ARRAY, .bytes = array.ptr, .len = array.len };
    return delete_run(&x->conn, "DELETE FROM sluice.dead_letter WHERE id = ANY ($1)", &param, 1,
                      ret, e);
}

/* Deleted, and not committed. */
static sl_rc vault_delete(struct sl_erase *x, int64_t *ret, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf sql = { .max_bytes = SQL_MAX };
    const struct sl_pg_param tokens = text_array(&x->vault_tokens);

    SL_TRY(vault_sql(x, "DELETE", &sql, e));
    SL_TRY(sl_pg_connect(&x->vault, e));
    SL_TRY(run(&x->vault, SL_PG_BEGIN, NULL, 0, NULL, e));
    SL_TRY(see_all(&x->vault, e));
    return delete_run(&x->vault, sql.ptr, &tokens, 1, ret, e);
}

/* ---- the record --------------------------------------------------------------------------------- */

/* The contexts of the columns, each once; a column's name where it has none. */
static unsigned labels_fill(const struct sl_erase *x, sl_str labels[static SL_ERASE_COLUMNS_MAX])
{
    unsigned n = 0;

    for (unsigned i = 0; i < x->n; i++) {
        const struct sl_column *column = x->columns[i].in.column;
        const sl_str label =
            column->masking.context.len > 0 ? column->masking.context : column->name;
        unsigned k = 0;

        while (k < n && !sl_str_eq(labels[k], label)) {
            k++;
        }
        labels[k] = label;
        n = k == n ? n + 1 : n;
    }
    return n;
}

static sl_rc record(struct sl_erase *x, int64_t rows, sl_str reason, struct sl_err *e)
{
    sl_str labels[SL_ERASE_COLUMNS_MAX];
    const struct sl_record_use use = {
        .pipeline = x->target.pipeline,
        .how = "erase",
        .reason = reason,
        .contexts = labels,
        .contexts_n = labels_fill(x, labels),
        .n = rows,
    };

    return sl_record_commit(&x->conn, &use, e);
}

/* ---- all of it ---------------------------------------------------------------------------------- */

static sl_rc commit(struct sl_erase *x, struct sl_err *e)
{
    struct sl_err why = { 0 };
    const sl_rc rc = sl_pg_exec(&x->conn, SL_PG_SESSION, "COMMIT", NULL, 0, NULL, &why);

    if (rc == SL_DISCONNECTED || rc == SL_TIMEOUT) {
        return SL_FAIL(e, rc, "it is not known whether it was erased; run it again: %.900s",
                       why.msg);
    }
    return rc == SL_OK ? SL_OK : SL_FAIL(e, rc, "nothing is erased: %.900s", why.msg);
}

static sl_rc commit_vault(struct sl_erase *x, struct sl_err *e)
{
    struct sl_err why = { 0 };
    const sl_rc rc = sl_pg_exec(&x->vault, SL_PG_SESSION, "COMMIT", NULL, 0, NULL, &why);

    return rc == SL_OK
               ? SL_OK
               : SL_FAIL(e, rc,
                         "the rows and dead letters are erased and that is recorded, but the vault "
                         "may still have the originals; run it again: %.800s",
                         why.msg);
}

sl_rc sl_erase_delete(struct sl_erase *x, const struct sl_erase_counts *counts, sl_str reason,
                      struct sl_erase_counts *ret, struct sl_err *e)
{
    const bool is_any = counts->rows + counts->letters + counts->originals > 0;
    const bool has_vault = is_any && wants_vault(x);
    struct sl_erase_counts done = { 0 };

    SL_TRY(sl_pg_connect(&x->conn, e)); /* it may have been a while */
    SL_TRY(run(&x->conn, SL_PG_BEGIN, NULL, 0, NULL, e));
    if (is_any) {
        SL_TRY(see_all(&x->conn, e));
        /* A letter that a retry holds is waited for; what became a row of it is deleted then. */
        SL_TRY(letters_delete(x, &done.letters, e));
        SL_TRY(rows_delete(x, &done.rows, e));
        SL_TRY(run(&x->conn, "SET LOCAL row_security TO DEFAULT", NULL, 0, NULL, e));
    }
    SL_TRY(record(x, done.rows, reason, e));
    if (has_vault) {
        SL_TRY(vault_delete(x, &done.originals, e));
    }
    SL_TRY(commit(x, e));
    if (has_vault) {
        SL_TRY(commit_vault(x, e));
    }
    *ret = done;
    return SL_OK;
}
