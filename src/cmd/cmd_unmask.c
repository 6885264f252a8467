/* cmd/cmd_unmask.c - sluice unmask: values recovered, with a reason, on record before they show. */
#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/csv.h"
#include "cmd/record.h"
#include "cmd/values.h"
#include "config/reading.h"
#include "sink/pg_schema.h"
#include "sink/pg_sql.h"
#include "sink/vault.h"

enum {
    SQL_MAX = 256 << 10,
    OUT_MAX = 256 << 20, /* a row may be as large */
    OUT_FLUSH = 1 << 20,
    ARENA_MAX = 256 << 20,

    OID_TEXT = 25, /* pg_type.dat */
};

const char sl_help_unmask[] =
    "Usage: sluice unmask -c FILE --reason TEXT (--context NAME | --columns LIST | --where SQL)\n"
    "       sluice unmask --keys FILE --context NAME --reason TEXT [--postgres-url URL]\n"
    "\n"
    "Turn what stands in the table back into values: tokens on standard input, one a line;\n"
    "columns of CSV or NDJSON; or rows straight from the table, with the rights of the caller's\n"
    "own database role. Before the first value is printed, who asks, for what, how many and why\n"
    "is committed to sluice.unmask_audit, in the database of the configuration, of the URL, or of\n"
    "libpq's environment. A value that cannot be recovered gives a message and\n"
    "stays empty, and exit status 1.\n"
    "\n"
    "Options:\n"
    "      --reason TEXT      why; it is recorded\n"
    "      --context NAME     lines are tokens (mask: siv) of this context\n"
    "      --columns LIST     columns of the configuration, with commas between\n"
    "      --csv              CSV with a header line; preset for --columns: all that can be\n"
    "      --ndjson           an object a line; the same preset\n"
    "      --where SQL        the rows of the table for which this holds, as CSV\n" SL_OPTIONS_HELP
    "\n"
    "Examples:\n"
    "  sluice unmask -c sluice.yaml --context ip --reason 'fraud case 1234' < tokens.txt\n"
    "  sluice unmask -c sluice.yaml --columns masked_ip --csv --reason 'abuse' < rows.csv\n"
    "  sluice unmask -c sluice.yaml --where \"user_id = 'u-17'\" --reason 'request of u-17'\n";

/* One recovery: where it is recorded, and the vault of one-way tokens. */
struct unmask {
    struct sl_values v;
    const struct sl_values_options *o;
    struct sl_pg_conn conn; /* of the record, which commits while rows are read */
    struct sl_pg_conn rows; /* of --where */
    struct sl_pg_conn vault;
    sl_str labels[SL_TABLE_COLUMNS_MAX];
    char pipeline[SL_RECORD_PIPELINE_MAX];
};

static bool is_one_way(const struct sl_values_column *column)
{
    return (sl_mask_flags(column->masking.method) & SL_MASK_ONE_WAY) != 0;
}

static sl_rc unmask_record(struct unmask *u, unsigned n, struct sl_err *e)
{
    const struct sl_record_use use = {
        .pipeline = sl_str_of(u->pipeline),
        .how = u->o->where != NULL ? "unmask --where" : "unmask",
        .reason = sl_str_of(u->o->reason),
        .contexts = u->labels,
        .contexts_n = u->v.n,
        .n = n,
    };

    return sl_record_commit(&u->conn, &use, e);
}

/* ---- values ------------------------------------------------------------------------------------ */

/* The sealed originals of the one-way tokens among the cells. */
static sl_rc vault_ask(struct unmask *u, const struct sl_table_cell *cells, unsigned n,
                       struct sl_arena *a, PGresult **ret, struct sl_err *e)
{
    sl_str *tokens = sl_arena_calloc(a, n, sizeof *tokens);
    unsigned tokens_n = 0;

    if (tokens == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not hold %u tokens", n);
    }
    for (unsigned i = 0; i < n; i++) {
        if (is_one_way(&u->v.columns[cells[i].column]) && sl_reading_is_printable(cells[i].in)) {
            tokens[tokens_n++] = cells[i].in;
        }
    }
    if (tokens_n == 0 || u->v.cfg.vault.url.len == 0) {
        return SL_OK;
    }
    SL_TRY(sl_pg_connect(&u->vault, e));
    return sl_vault_get(&u->vault, &u->v.cfg, tokens, tokens_n, ret, e);
}

static sl_rc vault_open(struct unmask *u, const PGresult *found, sl_str token, struct sl_arena *a,
                        sl_cleartext *ret, struct sl_err *e)
{
    for (int row = 0; row < (found != NULL ? PQntuples(found) : 0); row++) {
        const sl_str key = { PQgetvalue(found, row, 0), (size_t)PQgetlength(found, row, 0) };

        if (sl_str_eq(key, token)) {
            const sl_str sealed = { PQgetvalue(found, row, 1), (size_t)PQgetlength(found, row, 1) };

            return sl_open_original(u->v.masker, token, sealed, a, ret, e);
        }
    }
    return SL_FAIL(e, SL_VALUE,
                   u->v.cfg.vault.url.len > 0 ? "the vault has no original of this token"
                                              : "one-way, and the configuration has no vault");
}

static sl_rc cell_recover(struct unmask *u, const PGresult *found, struct sl_table_cell *cell,
                          struct sl_arena *a, struct sl_err *e)
{
    const struct sl_values_column *column = &u->v.columns[cell->column];
    sl_cleartext value = { 0 };

    SL_TRY(is_one_way(column) ? vault_open(u, found, cell->in, a, &value, e)
                              : sl_column_unmask(column->mask, cell->in, a, &value, e));
    cell->out = sl_cleartext_publish(value); /* what was asked for, and only on stdout */
    if (u->v.form == SL_TABLE_LINES && u->o->where == NULL && cell->out.len > 0 &&
        memchr(cell->out.ptr, '\n', cell->out.len) != NULL) {
        cell->out = SL_STR("");
        return SL_FAIL(e, SL_VALUE, "the value has a line break, which lines cannot show");
    }
    return SL_OK;
}

/* The record first. */
static sl_rc unmask_change(void *ctx, struct sl_table_cell *cells, unsigned n,
                           struct sl_arena *arena, struct sl_err *e)
{
    struct unmask *u = ctx;
    SL_AUTO(sl_pg_clear) PGresult *found = NULL;

    SL_TRY(unmask_record(u, n, e));
    SL_TRY(vault_ask(u, cells, n, arena, &found, e));
    for (unsigned i = 0; i < n; i++) {
        struct sl_err why = { 0 };
        const sl_rc rc = cell_recover(u, found, &cells[i], arena, &why);

        if (rc == SL_VALUE) {
            sl_values_report(&u->v, cells[i].line, why.msg);
        } else if (rc != SL_OK) {
            return SL_FAIL(e, rc, "line %lu: %.900s", cells[i].line, why.msg);
        }
    }
    return SL_OK;
}

/* ---- rows of the table ------------------------------------------------------------------------- */

/* Whether it is the condition that is wrong, and not the table, the rights or the server. */
static bool is_condition(const char *sqlstate)
{
    static const char *const classes[] = { "0A", "21", "22", "25006", "42", "54", "P0" };
    bool is_one = false;

    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        is_one = is_one || strncmp(sqlstate, classes[i], strlen(classes[i])) == 0;
    }
    return is_one && strcmp(sqlstate, "42501") != 0 && strcmp(sqlstate, "42P01") != 0;
}

static sl_rc where_exec(struct unmask *u, const char *sql, const struct sl_pg_param *param,
                        PGresult **ret, struct sl_err *e)
{
    struct sl_err why = { 0 };
    const sl_rc rc = sl_pg_exec(&u->rows, SL_PG_SESSION, sql, param, param != NULL, ret, &why);

    if (rc != SL_OK && is_condition(why.sqlstate)) {
        return SL_FAIL(e, SL_USAGE,
                       "PostgreSQL refuses the condition of --where with SQLSTATE %s: it is what "
                       "stands behind WHERE, of these columns, and only reads",
                       why.sqlstate);
    }
    return rc == SL_OK ? SL_OK : SL_FAIL(e, rc, "%.1000s", why.msg);
}

/* A cursor of the rows asked for, all columns as text, read only. */
static sl_rc where_begin(struct unmask *u, struct sl_err *e)
{
    /* A parameter, which nobody uses, keeps it one statement: what is behind a semicolon is refused,
     * and cannot end the transaction. */
    const struct sl_pg_param unused = { .type = OID_TEXT };
    const struct sl_config *cfg = &u->v.cfg;
    SL_AUTO(sl_buf_done) struct sl_buf sql = { .max_bytes = SQL_MAX };

    SL_TRY(sl_pg_exec(&u->rows, SL_PG_SESSION, "BEGIN READ ONLY", NULL, 0, NULL, e));
    sl_buf_add_str(&sql, SL_STR("DECLARE sluice_rows NO SCROLL CURSOR FOR SELECT "));
    for (unsigned i = 0; i < cfg->columns_n; i++) {
        sl_buf_add_str(&sql, i > 0 ? SL_STR(", ") : SL_STR(""));
        sl_sql_identifier(&sql, cfg->columns[i].name);
    }
    sl_buf_add_str(&sql, SL_STR(" FROM "));
    sl_sql_table(&sql, cfg->postgres.table_schema, cfg->postgres.table_name);
    sl_buf_printf(&sql, " WHERE (%s)", u->o->where);
    sl_buf_add_char(&sql, '\0');
    SL_TRY(sl_buf_rc(&sql, e));
    return where_exec(u, sql.ptr, &unused, NULL, e);
}

/* The place of a column of the table among those that are recovered; n if it is not. */
static unsigned where_column(const struct unmask *u, unsigned i)
{
    unsigned k = 0;

    while (k < u->v.n && !sl_str_eq(u->v.columns[k].name, u->v.cfg.columns[i].name)) {
        k++;
    }
    return k;
}

static sl_str where_value(const PGresult *rows, int row, unsigned column)
{
    return (sl_str){ PQgetvalue(rows, row, (int)column),
                     (size_t)PQgetlength(rows, row, (int)column) };
}

static void where_print_row(struct unmask *u, const PGresult *rows, int row,
                            const struct sl_table_cell **next, struct sl_buf *out)
{
    for (unsigned i = 0; i < u->v.cfg.columns_n; i++) {
        sl_str text = where_value(rows, row, i);

        if (where_column(u, i) < u->v.n && text.len > 0) {
            text = (*next)++->out;
        }
        sl_buf_add_str(out, i > 0 ? SL_STR(",") : SL_STR(""));
        sl_csv_add(out, text, false);
    }
    sl_buf_add_char(out, '\n');
}

static sl_rc where_print(struct sl_buf *out, struct sl_err *e)
{
    if (fwrite(out->ptr, 1, out->len, stdout) != out->len || fflush(stdout) != 0) {
        return SL_FAIL(e, SL_IO, "cannot write to standard output");
    }
    sl_buf_reset(out);
    return SL_OK;
}

/* Recover and print some rows: the record, then the values, then all of them on stdout. */
static sl_rc where_rows(struct unmask *u, const PGresult *rows, unsigned long first,
                        struct sl_arena *a, struct sl_buf *out, struct sl_err *e)
{
    const int rows_n = PQntuples(rows);
    struct sl_table_cell *cells =
        sl_arena_calloc(a, (size_t)rows_n * u->v.cfg.columns_n, sizeof *cells);
    const struct sl_table_cell *next = cells;
    unsigned n = 0;

    if (cells == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not hold %d rows", rows_n);
    }
    for (int row = 0; row < rows_n; row++) {
        for (unsigned i = 0; i < u->v.cfg.columns_n; i++) {
            const unsigned column = where_column(u, i);
            const sl_str text = where_value(rows, row, i);

            if (column < u->v.n && text.len > 0) {
                cells[n++] = (struct sl_table_cell){ .column = column,
                                                     .line = first + (unsigned long)row,
                                                     .in = text };
            }
        }
    }
    SL_TRY(unmask_change(u, cells, n, a, e));
    for (int row = 0; row < rows_n; row++) {
        where_print_row(u, rows, row, &next, out);
        if (out->len > OUT_FLUSH) {
            SL_TRY(where_print(out, e));
        }
    }
    return sl_buf_rc(out, e);
}

static sl_rc where_run(struct unmask *u, struct sl_err *e)
{
    SL_AUTO(sl_arena_done) struct sl_arena a = { 0 };
    SL_AUTO(sl_buf_done) struct sl_buf out = { .max_bytes = OUT_MAX };
    unsigned long first = 1;
    int n = 1;

    sl_arena_init(&a, ARENA_MAX, 64 << 10);
    for (unsigned i = 0; i < u->v.cfg.columns_n; i++) {
        sl_buf_add_str(&out, i > 0 ? SL_STR(",") : SL_STR(""));
        sl_csv_add(&out, u->v.cfg.columns[i].name, false);
    }
    sl_buf_add_char(&out, '\n');
    while (n > 0) {
        SL_AUTO(sl_pg_clear) PGresult *rows = NULL;

        SL_TRY(where_exec(u, "FETCH 1000 FROM sluice_rows", NULL, &rows, e));
        n = PQntuples(rows);
        if (n == 0 && first > 1) {
            break; /* one that finds nothing is recorded, the end of the rows is not */
        }
        SL_TRY(where_rows(u, rows, first, &a, &out, e));
        SL_TRY(where_print(&out, e));
        first += (unsigned long)n;
        sl_arena_reset(&a);
    }
    return SL_OK;
}

/* ---- the command --------------------------------------------------------------------------------- */

static sl_rc reason_check(const struct sl_values_options *o, struct sl_err *e)
{
    SL_TRY(sl_record_check_reason(o->reason, e));
    return o->where != NULL && (o->context != NULL || o->is_csv || o->is_ndjson)
               ? SL_FAIL(e, SL_USAGE,
                         "--where prints CSV of the table; leave out --context, --csv "
                         "and --ndjson")
               : SL_OK;
}

/* A method that nothing reverses is said before anything is recorded. */
static sl_rc columns_check(struct unmask *u, struct sl_err *e)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < u->v.n; i++) {
        struct sl_values_column *column = &u->v.columns[i];
        const unsigned flags = sl_mask_flags(column->masking.method);
        const bool can = (flags & SL_MASK_REVERSIBLE) != 0 ||
                         ((flags & SL_MASK_ONE_WAY) != 0 && u->v.cfg.vault.url.len > 0);

        if (!can && u->o->columns != NULL) {
            return SL_FAIL(e, SL_USAGE, "column %" SL_FMT " cannot be recovered: mask: %s%s",
                           SL_ARG(column->name), sl_mask_name(column->masking.method),
                           (flags & SL_MASK_ONE_WAY) != 0 ? " without a vault" : "");
        }
        if (can) {
            u->labels[kept] = column->label;
            u->v.columns[kept++] = *column;
        } else {
            sl_column_mask_free(column->mask);
        }
    }
    u->v.n = kept;
    return kept > 0 ? SL_OK : SL_FAIL(e, SL_USAGE, "no column can be recovered");
}

static sl_rc unmask_work(struct unmask *u, struct sl_err *e)
{
    const sl_str flag = u->o->common.overrides.postgres_url;

    u->conn = (struct sl_pg_conn){ .wait = sl_wait_plain(),
                                   .cfg = u->v.has_config ? &u->v.cfg : NULL,
                                   .url = flag.len > 0 ? flag.ptr : "" };
    u->rows = u->conn;
    u->vault = (struct sl_pg_conn){ .wait = sl_wait_plain(), .url = u->v.cfg.vault.url.ptr };
    SL_TRY(columns_check(u, e));
    SL_TRY(sl_pg_connect(&u->conn, e));
    SL_TRY(sl_pg_key_compare(&u->conn, u->v.ring, e));
    (void)snprintf(u->pipeline, sizeof u->pipeline, "unmask");
    if (u->v.has_config) {
        SL_TRY(sl_record_pipeline(&u->conn, &u->v.cfg, u->pipeline, e));
    }
    if (u->o->where == NULL) {
        return sl_values_run(&u->v, u, unmask_change, e);
    }
    SL_TRY(sl_pg_connect(&u->rows, e));
    SL_TRY(where_begin(u, e));
    return where_run(u, e);
}

int sl_cmd_unmask(int argc, char **argv)
{
    struct sl_values_options o = { 0 };
    struct unmask u = { .o = &o };
    bool is_bad;
    struct sl_err e;
    sl_rc rc;

    sl_options_init(&o.common, argv);
    rc = sl_values_parse(argc, argv, &o, &e);
    if (rc == SL_OK && o.common.wants_help) {
        return fputs(sl_help_unmask, stdout) < 0;
    }
    if (rc != SL_OK || reason_check(&o, &e) != SL_OK) {
        return sl_cmd_fail("unmask", &e);
    }
    rc = sl_values_open(&u.v, &o, &e);
    if (rc == SL_OK) {
        rc = unmask_work(&u, &e);
    }
    is_bad = u.v.has_bad_value;
    sl_pg_close(&u.conn);
    sl_pg_close(&u.rows);
    sl_pg_close(&u.vault);
    sl_values_close(&u.v);
    return rc == SL_OK ? is_bad : sl_cmd_fail("unmask", &e);
}
