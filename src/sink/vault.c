/* sink/vault.c - where the originals of one-way tokens are kept. */
#include "sink/vault.h"

#include <stdlib.h>

#include "sink/pg_copy.h"
#include "sink/pg_schema.h"
#include "sink/pg_sql.h"

enum {
    COLUMNS = 3,
    SQL_MAX = 16 << 10,
    BUF_MAX = 1 << 30,

    /* pg_type.dat */
    OID_BYTEA = 17,
    OID_TEXT = 25,
    OID_BYTEA_ARRAY = 1001,
    OID_TEXT_ARRAY = 1009,
};

struct sl_vault {
    struct sl_pg_conn conn;
    const struct sl_config *cfg;
    struct sl_buf sql;
    struct sl_buf params[COLUMNS];
};

void sl_vault_sql(struct sl_buf *out, const struct sl_config *cfg)
{
    if (cfg->vault.table_schema.len > 0) {
        sl_buf_add_str(out, SL_STR("CREATE SCHEMA IF NOT EXISTS "));
        sl_sql_identifier(out, cfg->vault.table_schema);
        sl_buf_add_str(out, SL_STR(";\n"));
    }
    sl_buf_add_str(out, SL_STR("CREATE TABLE IF NOT EXISTS "));
    sl_sql_table(out, cfg->vault.table_schema, cfg->vault.table_name);
    sl_buf_add_str(out, SL_STR(" (\n"
                               "    token      text        COLLATE \"C\" PRIMARY KEY,\n"
                               "    context    text        NOT NULL,\n"
                               "    sealed     bytea       NOT NULL,\n"
                               "    first_seen timestamptz NOT NULL DEFAULT now()\n"
                               ");\n"));
}

/* A statement with the vault's table in the middle. */
static sl_rc vault_statement(const struct sl_config *cfg, const char *before, const char *after,
                             struct sl_buf *out, struct sl_err *e)
{
    sl_buf_reset(out);
    sl_buf_add_str(out, sl_str_of(before));
    sl_sql_table(out, cfg->vault.table_schema, cfg->vault.table_name);
    sl_buf_add_str(out, sl_str_of(after));
    sl_buf_add_char(out, '\0');
    return sl_buf_rc(out, e);
}

sl_rc sl_vault_find(struct sl_pg_conn *c, const struct sl_config *cfg, bool *ret, struct sl_err *e)
{
    SL_AUTO(sl_pg_clear) PGresult *result = NULL;
    SL_AUTO(sl_buf_done) struct sl_buf name = { .max_bytes = SQL_MAX };
    SL_AUTO(sl_buf_done) struct sl_buf sql = { .max_bytes = SQL_MAX };

    sl_sql_table(&name, cfg->vault.table_schema, cfg->vault.table_name);
    sl_buf_add_str(&sql, SL_STR("SELECT t IS NOT NULL, has_table_privilege(t, 'SELECT') AND"
                                " has_table_privilege(t, 'INSERT') FROM to_regclass("));
    sl_sql_literal(&sql, sl_buf_str(&name));
    sl_buf_add_str(&sql, SL_STR(") AS t"));
    sl_buf_add_char(&sql, '\0');
    SL_TRY(sl_buf_rc(&sql, e));
    SL_TRY(sl_pg_connect(c, e));
    SL_TRY(sl_pg_exec(c, SL_PG_SESSION, sql.ptr, NULL, 0, &result, e));
    if (PQgetvalue(result, 0, 0)[0] == 't' && PQgetvalue(result, 0, 1)[0] != 't') {
        return SL_FAIL(e, SL_DENIED, "grant select and insert on %" SL_FMT,
                       SL_ARG(cfg->vault.table));
    }
    *ret = PQgetvalue(result, 0, 0)[0] == 't';
    return SL_OK;
}

sl_rc sl_vault_prepare(struct sl_pg_conn *c, const struct sl_config *cfg, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf sql = { .max_bytes = SQL_MAX };
    bool is_there = false;

    SL_TRY(sl_vault_find(c, cfg, &is_there, e));
    if (is_there) {
        return SL_OK;
    }
    if (cfg->postgres.create == SL_CREATE_NEVER) {
        return SL_FAIL(e, SL_SCHEMA,
                       "the vault's table %" SL_FMT " does not exist: create it (sluice sql schema "
                       "-c FILE prints the SQL), or say create: if_missing",
                       SL_ARG(cfg->vault.table));
    }
    sl_buf_printf(&sql, SL_PG_BEGIN "SET LOCAL client_min_messages = warning; %s", sl_pg_lock_sql);
    sl_vault_sql(&sql, cfg);
    sl_buf_add_str(&sql, SL_STR("COMMIT"));
    sl_buf_add_char(&sql, '\0');
    SL_TRY(sl_buf_rc(&sql, e));
    return sl_pg_exec(c, SL_PG_SESSION, sql.ptr, NULL, 0, NULL, e);
}

sl_rc sl_vault_open(const struct sl_config *cfg, struct sl_wait wait, const struct sl_stop *stop,
                    struct sl_vault **ret, struct sl_err *e)
{
    struct sl_vault *v = calloc(1, sizeof *v);

    if (v == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not make a vault");
    }
    v->cfg = cfg;
    v->conn = (struct sl_pg_conn){ .url = cfg->vault.url.ptr, .wait = wait, .stop = stop };
    sl_buf_init(&v->sql, SQL_MAX);
    for (unsigned k = 0; k < COLUMNS; k++) {
        sl_buf_init(&v->params[k], BUF_MAX);
    }
    *ret = v;
    return SL_OK;
}

void sl_vault_close(struct sl_vault *v)
{
    if (v == NULL) {
        return;
    }
    sl_pg_close(&v->conn);
    sl_buf_done(&v->sql);
    for (unsigned k = 0; k < COLUMNS; k++) {
        sl_buf_done(&v->params[k]);
    }
    free(v);
}

static struct sl_pg_param array_param(Oid type, const struct sl_buf *bytes)
{
    return (struct sl_pg_param){ .type = type, .bytes = bytes->ptr, .len = bytes->len };
}

/* In the order of the key, or two workers with the same tokens deadlock. */
static sl_rc vault_insert(struct sl_vault *v, const struct sl_batch *b, struct sl_err *e)
{
    static const char after[] = " (token, context, sealed) SELECT k.token, k.context, k.sealed"
                                " FROM unnest($1, $2, $3) AS k(token, context, sealed)"
                                " ORDER BY k.token COLLATE \"C\" ON CONFLICT (token) DO NOTHING";
    static const uint32_t elements[COLUMNS] = { OID_TEXT, OID_TEXT, OID_BYTEA };
    static const Oid arrays[COLUMNS] = { OID_TEXT_ARRAY, OID_TEXT_ARRAY, OID_BYTEA_ARRAY };
    struct sl_pg_param params[COLUMNS];

    for (unsigned k = 0; k < COLUMNS; k++) {
        sl_buf_reset(&v->params[k]);
        sl_pg_array_begin(&v->params[k], elements[k], b->vault_n);
    }
    for (const struct sl_vault_entry *entry = b->vault; entry != NULL; entry = entry->next) {
        sl_pg_array_add(&v->params[0], entry->token);
        sl_pg_array_add(&v->params[1], entry->context);
        sl_pg_array_add(&v->params[2], entry->sealed);
    }
    for (unsigned k = 0; k < COLUMNS; k++) {
        SL_TRY(sl_buf_rc(&v->params[k], e));
        params[k] = array_param(arrays[k], &v->params[k]);
    }
    SL_TRY(vault_statement(v->cfg, "INSERT INTO ", after, &v->sql, e));
    SL_TRY(sl_pg_connect(&v->conn, e));
    return sl_pg_write(&v->conn, SL_PG_VAULT, v->sql.ptr, params, COLUMNS, NULL, e);
}

sl_rc sl_vault_probe(struct sl_vault *v, struct sl_err *e)
{
    struct sl_err why = { 0 };
    const sl_rc rc = sl_pg_probe(&v->conn, &why);

    return rc == SL_OK ? SL_OK : SL_FAIL(e, rc, "vault: %.1000s", why.msg);
}

sl_rc sl_vault_put(struct sl_vault *v, struct sl_batch *b, struct sl_err *e)
{
    struct sl_err why = { 0 };
    sl_rc rc;

    if (b->vault_n == 0) {
        return SL_OK;
    }
    rc = vault_insert(v, b, &why);
    if (rc != SL_OK) {
        return SL_FAIL(e, rc, "vault: %.1000s", why.msg);
    }
    b->vault = NULL;
    b->vault_n = 0;
    return SL_OK;
}

sl_rc sl_vault_get(struct sl_pg_conn *c, const struct sl_config *cfg, const sl_str *tokens,
                   unsigned n, PGresult **ret, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf array = { .max_bytes = BUF_MAX };
    SL_AUTO(sl_buf_done) struct sl_buf sql = { .max_bytes = SQL_MAX };
    struct sl_pg_param param;

    sl_pg_array_begin(&array, OID_TEXT, n);
    for (unsigned i = 0; i < n; i++) {
        sl_pg_array_add(&array, tokens[i]);
    }
    SL_TRY(sl_buf_rc(&array, e));
    param = array_param(OID_TEXT_ARRAY, &array);
    SL_TRY(vault_statement(cfg, "SELECT token, sealed FROM ", " WHERE token = ANY ($1)", &sql, e));
    return sl_pg_exec(c, SL_PG_SESSION, sql.ptr, &param, 1, ret, e);
}
