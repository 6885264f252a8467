/* sink/pg_target.c - the target table: as it would be created, and as it is. */
#include "sink/pg_target.h"

#include <inttypes.h>

#include "sink/pg_sql.h"

enum {
    SQL_MAX = 256 << 10,
    VARHDRSZ = 4, /* a varchar's typmod is its length and this */

    /* pg_type.dat */
    OID_BOOL = 16,
    OID_INT8 = 20,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_FLOAT8 = 701,
    OID_INET = 869,
    OID_VARCHAR = 1043,
    OID_DATE = 1082,
    OID_TIMESTAMPTZ = 1184,
    OID_UUID = 2950,
    OID_JSONB = 3802,
};

/* ---- SQL ------------------------------------------------------------------------------------------ */

void sl_pg_target_sql(struct sl_buf *out, const struct sl_config *cfg)
{
    if (cfg->postgres.table_schema.len > 0) {
        sl_buf_add_str(out, SL_STR("CREATE SCHEMA IF NOT EXISTS "));
        sl_sql_identifier(out, cfg->postgres.table_schema);
        sl_buf_add_str(out, SL_STR(";\n"));
    }
    sl_buf_add_str(out, SL_STR("CREATE TABLE IF NOT EXISTS "));
    sl_sql_table(out, cfg->postgres.table_schema, cfg->postgres.table_name);
    sl_buf_add_str(out, SL_STR(" (\n"));
    for (unsigned i = 0; i < cfg->columns_n; i++) {
        const struct sl_column *column = &cfg->columns[i];

        sl_buf_add_str(out, SL_STR("    "));
        sl_sql_identifier(out, column->name);
        sl_buf_printf(out, " %" SL_FMT "%s%s\n", SL_ARG(column->type_text),
                      column->is_required ? " NOT NULL" : "", i + 1 < cfg->columns_n ? "," : "");
    }
    sl_buf_add_str(out, SL_STR(");\n"));
}

void sl_pg_target_add_sql(struct sl_buf *out, const struct sl_config *cfg)
{
    sl_buf_add_str(out, SL_STR("ALTER TABLE "));
    sl_sql_table(out, cfg->postgres.table_schema, cfg->postgres.table_name);
    for (unsigned i = 0; i < cfg->columns_n; i++) {
        sl_buf_add_str(out, i > 0 ? SL_STR(",\n") : SL_STR("\n"));
        sl_buf_add_str(out, SL_STR("    ADD COLUMN IF NOT EXISTS "));
        sl_sql_identifier(out, cfg->columns[i].name);
        sl_buf_printf(out, " %" SL_FMT, SL_ARG(cfg->columns[i].type_text));
    }
    sl_buf_add_str(out, SL_STR(";\n"));
}

void sl_pg_target_regclass(struct sl_buf *out, const struct sl_config *cfg)
{
    struct sl_buf name;

    sl_buf_init(&name, SQL_MAX);
    sl_sql_table(&name, cfg->postgres.table_schema, cfg->postgres.table_name);
    sl_buf_add_str(out, SL_STR("to_regclass("));
    sl_sql_literal(out, sl_buf_str(&name));
    sl_buf_add_char(out, ')');
    sl_buf_done(&name);
}

/* ---- the target as it is ---------------------------------------------------------------------------- */

static bool is_true(const PGresult *result, int row, int column)
{
    return PQgetvalue(result, row, column)[0] == 't';
}

struct table_column {
    sl_str name;
    sl_str type_text;
    int64_t type;
    int64_t max_chars; /* of varchar(n); 0 = no limit */
    bool is_not_null;
    bool has_default;
    bool is_generated;
};

static const int64_t type_oids[] = {
    [SL_TYPE_VARCHAR] = OID_VARCHAR, [SL_TYPE_TEXT] = OID_TEXT,
    [SL_TYPE_INTEGER] = OID_INT4,    [SL_TYPE_BIGINT] = OID_INT8,
    [SL_TYPE_DOUBLE] = OID_FLOAT8,   [SL_TYPE_BOOLEAN] = OID_BOOL,
    [SL_TYPE_DATE] = OID_DATE,       [SL_TYPE_TIMESTAMPTZ] = OID_TIMESTAMPTZ,
    [SL_TYPE_UUID] = OID_UUID,       [SL_TYPE_INET] = OID_INET,
    [SL_TYPE_JSONB] = OID_JSONB,
};

/* Text of any kind goes over the wire alike; only its limit must not be smaller than ours. */
static bool type_fits(const struct sl_column *column, const struct table_column *t)
{
    if (column->type == SL_TYPE_VARCHAR || column->type == SL_TYPE_TEXT) {
        const bool is_text = t->type == OID_TEXT || t->type == OID_VARCHAR;
        const bool is_wide = t->max_chars == 0 || (column->type == SL_TYPE_VARCHAR &&
                                                   (int64_t)column->max_chars <= t->max_chars);

        return is_text && is_wide;
    }
    return t->type == type_oids[column->type];
}

static struct table_column column_of_row(const PGresult *result, int row)
{
    struct table_column t = { .name = sl_str_of(PQgetvalue(result, row, 0)),
                              .type_text = sl_str_of(PQgetvalue(result, row, 3)),
                              .is_not_null = is_true(result, row, 4),
                              .has_default = is_true(result, row, 5),
                              .is_generated = is_true(result, row, 6) };
    int64_t typmod = -1;

    (void)sl_str_to_i64(sl_str_of(PQgetvalue(result, row, 1)), &t.type);
    (void)sl_str_to_i64(sl_str_of(PQgetvalue(result, row, 2)), &typmod);
    t.max_chars = typmod > VARHDRSZ ? typmod - VARHDRSZ : 0;
    return t;
}

static void compare_column(const struct sl_column *column, const struct table_column *t,
                           struct sl_buf *out, struct sl_buf *warnings)
{
    if (t->is_generated) {
        sl_buf_printf(out, "column %" SL_FMT ": the table generates it, nothing can be loaded\n",
                      SL_ARG(column->name));
    } else if (!type_fits(column, t)) {
        sl_buf_printf(
            out, "column %" SL_FMT ": %" SL_FMT " in the table, %" SL_FMT " in the configuration\n",
            SL_ARG(column->name), SL_ARG(t->type_text), SL_ARG(column->type_text));
    } else if (warnings != NULL && t->is_not_null && !column->is_required) {
        sl_buf_printf(warnings,
                      "column %" SL_FMT ": not null in the table, so a message without it becomes "
                      "a dead letter only after PostgreSQL has refused it: say required: true\n",
                      SL_ARG(column->name));
    }
}

/* The row of a column; PQntuples if the table has no such column. */
static int column_find(const PGresult *result, sl_str name)
{
    int row = 0;

    while (row < PQntuples(result) && !sl_str_eq(sl_str_of(PQgetvalue(result, row, 0)), name)) {
        row++;
    }
    return row;
}

/* Whoever wants no warnings is past the moment at which columns are added. */
static void say_missing(const struct sl_config *cfg, sl_str column, bool is_owner,
                        struct sl_buf *out, struct sl_buf *warnings)
{
    const bool is_addable = cfg->postgres.create == SL_CREATE_ADD_COLUMNS && warnings != NULL;

    if (is_addable && is_owner) {
        sl_buf_printf(warnings,
                      "column %" SL_FMT ": the table has no such column; a start adds it\n",
                      SL_ARG(column));
    } else {
        sl_buf_printf(out, "column %" SL_FMT ": the table has no such column%s\n", SL_ARG(column),
                      is_addable ? ", and only its owner can add one" : "");
    }
}

static void compare_columns(const struct sl_config *cfg, const PGresult *result, bool is_owner,
                            struct sl_buf *out, struct sl_buf *warnings)
{
    const int rows = PQntuples(result);

    for (unsigned i = 0; i < cfg->columns_n; i++) {
        const int row = column_find(result, cfg->columns[i].name);

        if (row == rows) {
            say_missing(cfg, cfg->columns[i].name, is_owner, out, warnings);
        } else {
            const struct table_column t = column_of_row(result, row);

            compare_column(&cfg->columns[i], &t, out, warnings);
        }
    }
    for (int row = 0; row < rows; row++) {
        const struct table_column t = column_of_row(result, row);
        unsigned i = 0;

        while (i < cfg->columns_n && !sl_str_eq(cfg->columns[i].name, t.name)) {
            i++;
        }
        if (i == cfg->columns_n && t.is_not_null && !t.has_default) {
            sl_buf_printf(out,
                          "column %" SL_FMT ": not null and without default in the table, and "
                          "not in the configuration\n",
                          SL_ARG(t.name));
        }
    }
}

static sl_rc read_columns(struct sl_pg_conn *c, const struct sl_config *cfg, PGresult **ret,
                          struct sl_err *e)
{
    struct sl_buf sql;
    sl_rc rc;

    sl_buf_init(&sql, SQL_MAX);
    sl_buf_add_str(
        &sql,
        SL_STR("SELECT a.attname, CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE a.atttypid END,"
               " CASE t.typtype WHEN 'd' THEN t.typtypmod ELSE a.atttypmod END,"
               " format_type(a.atttypid, a.atttypmod), a.attnotnull OR t.typnotnull,"
               " a.atthasdef OR a.attidentity <> '',"
               " coalesce(to_jsonb(a) ->> 'attgenerated', '') <> ''"
               " FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid"
               " WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid = "));
    sl_pg_target_regclass(&sql, cfg);
    rc = sl_pg_run(c, &sql, ret, e);
    sl_buf_done(&sql);
    return rc;
}

sl_rc sl_pg_target_lacks(struct sl_pg_conn *c, const struct sl_config *cfg, bool *ret,
                         struct sl_err *e)
{
    SL_AUTO(sl_pg_clear) PGresult *result = NULL;
    bool lacks = false;

    SL_TRY(read_columns(c, cfg, &result, e));
    for (unsigned i = 0; i < cfg->columns_n; i++) {
        lacks = lacks || column_find(result, cfg->columns[i].name) == PQntuples(result);
    }
    *ret = lacks;
    return SL_OK;
}

static sl_rc read_table(struct sl_pg_conn *c, const struct sl_config *cfg, PGresult **ret,
                        struct sl_err *e)
{
    struct sl_buf sql;
    sl_rc rc;

    sl_buf_init(&sql, SQL_MAX);
    sl_buf_add_str(&sql,
                   SL_STR("SELECT n.nspname, c.relname, c.relkind, c.relrowsecurity,"
                          " c.relpersistence = 'u', has_table_privilege(c.oid, 'INSERT'),"
                          " current_setting('fsync') = 'off', current_setting('full_page_writes') ="
                          " 'off', pg_has_role(c.relowner, 'USAGE') FROM pg_class AS c JOIN "
                          "pg_namespace AS n ON n.oid = c.relnamespace"
                          " WHERE c.oid = "));
    sl_pg_target_regclass(&sql, cfg);
    rc = sl_pg_run(c, &sql, ret, e);
    sl_buf_done(&sql);
    if (rc == SL_OK && PQntuples(*ret) == 0) {
        return SL_FAIL(e, SL_SCHEMA, "table %" SL_FMT " does not exist",
                       SL_ARG(cfg->postgres.table));
    }
    return rc;
}

static void compare_table(const PGresult *table, struct sl_buf *mismatches, struct sl_buf *warnings)
{
    const char kind = PQgetvalue(table, 0, 2)[0];

    if (kind != 'r' && kind != 'p') {
        sl_buf_add_str(mismatches, SL_STR("it is no table: rows are loaded into plain and "
                                          "partitioned tables only\n"));
    }
    if (is_true(table, 0, 3)) {
        sl_buf_add_str(mismatches, SL_STR("row-level security is on, which COPY does not "
                                          "support\n"));
    }
    if (!is_true(table, 0, 5)) {
        sl_buf_add_str(mismatches, SL_STR("this role may not insert: grant insert on it\n"));
    }
    if (warnings == NULL) {
        return;
    }
    if (is_true(table, 0, 4)) {
        sl_buf_add_str(warnings, SL_STR("the table is unlogged: a crash of the server empties "
                                        "it, and nothing comes back\n"));
    }
    if (is_true(table, 0, 6) || is_true(table, 0, 7)) {
        sl_buf_add_str(warnings, SL_STR("the server runs with fsync or full_page_writes off: a "
                                        "crash can lose committed rows\n"));
    }
}

/* A column, and the types that take the same bytes for the same value. */
static void add_types(struct sl_buf *out, const struct sl_column *column)
{
    const int64_t type = type_oids[column->type];
    const int64_t other = type == OID_VARCHAR ? OID_TEXT : type == OID_TEXT ? OID_VARCHAR : type;

    sl_buf_add_char(out, '(');
    sl_sql_literal(out, column->name);
    sl_buf_printf(out, ", %" PRId64 ", %" PRId64 ")", type, other);
}

/* Rows in binary are taken by other types of the same size, too: a bigint by a timestamptz, and is
 * another value then.  Once rows are copied, their transaction holds a lock that keeps the columns
 * as they are, so this is the moment to look; a setting that nobody has makes it no row's fault. */
static void commit_sql(struct sl_buf *out, const struct sl_config *cfg)
{
    sl_buf_printf(out,
                  "SELECT CASE count(*) WHEN %u THEN '' ELSE"
                  " current_setting('sluice.the_target_has_changed') END FROM (VALUES ",
                  cfg->columns_n);
    for (unsigned i = 0; i < cfg->columns_n; i++) {
        sl_buf_add_str(out, i > 0 ? SL_STR(", ") : SL_STR(""));
        add_types(out, &cfg->columns[i]);
    }
    sl_buf_add_str(out,
                   SL_STR(") AS c(name, type, other) JOIN pg_attribute AS a ON a.attname = c.name"
                          " JOIN pg_type AS t ON t.oid = a.atttypid WHERE a.attnum > 0 AND NOT"
                          " a.attisdropped AND CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE"
                          " a.atttypid END IN (c.type, c.other) AND a.attrelid = "));
    sl_pg_target_regclass(out, cfg);
    sl_buf_add_str(out, SL_STR("; COMMIT"));
}

static sl_rc describe_target(const struct sl_config *cfg, const PGresult *table, struct sl_arena *a,
                             struct sl_pg_target *ret, struct sl_err *e)
{
    const sl_str schema = sl_arena_copy(a, sl_str_of(PQgetvalue(table, 0, 0)));
    const sl_str name = sl_arena_copy(a, sl_str_of(PQgetvalue(table, 0, 1)));
    struct sl_buf sql;
    struct sl_pg_target target = { .schema = schema, .name = name };

    sl_buf_init(&sql, SQL_MAX);
    sl_buf_add_str(&sql, SL_STR("COPY "));
    sl_sql_table(&sql, schema, name);
    for (unsigned i = 0; i < cfg->columns_n; i++) {
        sl_buf_add_str(&sql, i == 0 ? SL_STR(" (") : SL_STR(", "));
        sl_sql_identifier(&sql, cfg->columns[i].name);
    }
    sl_buf_add_str(&sql, SL_STR(") FROM STDIN (FORMAT binary)"));
    target.copy_sql = sl_arena_copy(a, sl_buf_str(&sql));
    sl_buf_reset(&sql);
    commit_sql(&sql, cfg);
    target.commit_sql = sl_arena_copy(a, sl_buf_str(&sql));
    target.pipeline = cfg->pipeline.len > 0 ? cfg->pipeline
                                            : sl_arena_printf(a, "%" SL_FMT ".%" SL_FMT,
                                                              SL_ARG(schema), SL_ARG(name));
    const bool fits = !sql.has_failed;
    sl_buf_done(&sql);
    if (!fits || target.copy_sql.ptr == NULL || target.commit_sql.ptr == NULL ||
        target.pipeline.ptr == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not describe the target table");
    }
    *ret = target;
    return SL_OK;
}

sl_rc sl_pg_target_check(struct sl_pg_conn *c, const struct sl_config *cfg, struct sl_arena *a,
                         struct sl_pg_target *ret, struct sl_buf *mismatches,
                         struct sl_buf *warnings, struct sl_err *e)
{
    SL_AUTO(sl_pg_clear) PGresult *table = NULL;
    SL_AUTO(sl_pg_clear) PGresult *columns = NULL;

    SL_TRY(sl_pg_connect(c, e));
    SL_TRY(read_table(c, cfg, &table, e));
    SL_TRY(read_columns(c, cfg, &columns, e));
    compare_table(table, mismatches, warnings);
    compare_columns(cfg, columns, is_true(table, 0, 8), mismatches, warnings);
    return describe_target(cfg, table, a, ret, e);
}
