/* sink/pg_schema.c - the database objects: found, and created where they are missing. */
#include "sink/pg_schema.h"

#include <stdlib.h>

#include "sink/pg_migrations.h"
#include "sink/pg_target.h"

enum {
    SQL_MAX = 256 << 10,
    OID_TEXT = 25, /* pg_type.dat */
};

const char sl_pg_lock_sql[] = "SELECT pg_advisory_xact_lock(126939412849509);"; /* "sluice" */

/* ---- what is there and what is not ------------------------------------------------------------------ */

static bool is_true(const PGresult *result, int row, int column)
{
    return PQgetvalue(result, row, column)[0] == 't';
}

/* The server does not say what is refused. */
static sl_rc name_right(const struct sl_pg_conn *c, sl_rc rc, const char *right, struct sl_err *e)
{
    return rc == SL_DENIED && strcmp(c->fault.sqlstate, "42501") == 0
               ? SL_FAIL(e, rc, "this role may not look: grant %s", right)
               : rc;
}

static sl_rc version_read(struct sl_pg_conn *c, unsigned *ret, struct sl_err *e)
{
    SL_AUTO(sl_pg_clear) PGresult *result = NULL;
    int64_t version = 0;

    SL_TRY(name_right(c,
                      sl_pg_exec(c, SL_PG_SESSION, "SELECT max(schema_version) FROM sluice.meta",
                                 NULL, 0, &result, e),
                      "select on sluice.meta", e));
    if (!sl_str_to_i64(sl_str_of(PQgetvalue(result, 0, 0)), &version) || version < 1 ||
        version > SL_SCHEMA_VERSION) {
        return SL_FAIL(e, SL_SCHEMA,
                       "schema sluice of this database is version %lld, this program knows %d: "
                       "use the newer program",
                       (long long)version, SL_SCHEMA_VERSION);
    }
    *ret = (unsigned)version;
    return SL_OK;
}

static sl_rc find_objects(struct sl_pg_conn *c, const struct sl_config *cfg,
                          struct sl_pg_objects *ret, struct sl_err *e)
{
    SL_AUTO(sl_pg_clear) PGresult *result = NULL;
    struct sl_buf sql;
    sl_rc rc;

    sl_buf_init(&sql, SQL_MAX);
    sl_buf_add_str(&sql, SL_STR("SELECT to_regclass('sluice.meta') IS NOT NULL, "));
    sl_pg_target_regclass(&sql, cfg);
    sl_buf_add_str(&sql, SL_STR(" IS NOT NULL"));
    rc = sl_pg_run(c, &sql, &result, e);
    sl_buf_done(&sql);
    if (rc != SL_OK) {
        return name_right(c, rc, "usage on schema sluice, and on that of the table", e);
    }
    *ret = (struct sl_pg_objects){ .has_target = is_true(result, 0, 1) };
    return is_true(result, 0, 0) ? version_read(c, &ret->version, e) : SL_OK;
}

sl_rc sl_pg_objects_find(struct sl_pg_conn *c, const struct sl_config *cfg,
                         struct sl_pg_objects *ret, struct sl_err *e)
{
    SL_TRY(sl_pg_connect(c, e));
    return find_objects(c, cfg, ret, e);
}

static bool is_older(const struct sl_pg_objects *o)
{
    return o->version > 0 && o->version < SL_SCHEMA_VERSION;
}

sl_rc sl_pg_objects_require(const struct sl_pg_objects *o, const struct sl_config *cfg,
                            struct sl_err *e)
{
    if (is_older(o)) {
        return SL_FAIL(e, SL_SCHEMA,
                       "schema sluice of this database is version %u, this program needs %d: run "
                       "what sluice sql schema --from %u prints, or say create: if_missing",
                       o->version, SL_SCHEMA_VERSION, o->version);
    }
    if (o->version == 0 || !o->has_target) {
        return SL_FAIL(e, SL_SCHEMA,
                       "%s%" SL_FMT
                       " does not exist: create it (sluice sql schema prints the SQL), "
                       "or say create: if_missing",
                       o->has_target ? "schema " : "table ",
                       SL_ARG(o->has_target ? SL_STR("sluice") : cfg->postgres.table));
    }
    return SL_OK;
}

sl_rc sl_pg_schema_find(struct sl_pg_conn *c, const struct sl_config *cfg, bool *ret_schema,
                        bool *ret_target, struct sl_err *e)
{
    struct sl_pg_objects o;

    SL_TRY(sl_pg_objects_find(c, cfg, &o, e));
    *ret_schema = o.version == SL_SCHEMA_VERSION;
    *ret_target = o.has_target;
    return SL_OK;
}

/* A column that is there is passed over.  ALTER TABLE waits for everybody who uses the table, and
 * everybody who comes later waits for it: not for long. */
static sl_rc add_columns_sql(struct sl_pg_conn *c, const struct sl_config *cfg, struct sl_buf *out,
                             struct sl_err *e)
{
    bool lacks = false;

    SL_TRY(sl_pg_target_lacks(c, cfg, &lacks, e));
    if (lacks) {
        sl_buf_add_str(out, SL_STR("SET LOCAL lock_timeout = '2s';"));
        sl_pg_target_add_sql(out, cfg);
    }
    return SL_OK;
}

/* Look again under the lock: another process may have been faster. */
static sl_rc create_missing(struct sl_pg_conn *c, const struct sl_config *cfg, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf sql = { .max_bytes = SQL_MAX };
    struct sl_pg_objects o;

    SL_TRY(find_objects(c, cfg, &o, e));
    sl_pg_migrations_sql(&sql, o.version, PQserverVersion(c->pg));
    if (!o.has_target) {
        sl_pg_target_sql(&sql, cfg);
    } else if (cfg->postgres.create == SL_CREATE_ADD_COLUMNS) {
        SL_TRY(add_columns_sql(c, cfg, &sql, e));
    }
    sl_buf_add_str(&sql, SL_STR("COMMIT"));
    return sl_pg_run(c, &sql, NULL, e);
}

static sl_rc create(struct sl_pg_conn *c, const struct sl_config *cfg, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf sql = { .max_bytes = SQL_MAX };
    sl_rc rc;

    sl_buf_printf(&sql, SL_PG_BEGIN "SET LOCAL client_min_messages = warning; %s", sl_pg_lock_sql);
    rc = sl_pg_run(c, &sql, NULL, e);
    if (rc == SL_OK) {
        rc = create_missing(c, cfg, e);
    }
    if (rc != SL_OK) {
        sl_pg_rollback(c);
    }
    return rc;
}

/* What only an owner may do, somebody else has to ask for. */
static sl_rc create_denied(const struct sl_pg_objects *o, const struct sl_config *cfg,
                           const struct sl_err *why, struct sl_err *e)
{
    if (is_older(o)) {
        return SL_FAIL(e, SL_SCHEMA,
                       "only the owner of schema sluice can bring it from version %u to %d: have "
                       "them run what sluice sql schema --from %u prints",
                       o->version, SL_SCHEMA_VERSION, o->version);
    }
    if (o->version > 0 && o->has_target) {
        return SL_FAIL(e, SL_SCHEMA,
                       "table %" SL_FMT
                       " lacks columns, and only its owner can add them: have them "
                       "run what sluice sql schema -c FILE prints",
                       SL_ARG(cfg->postgres.table));
    }
    if (e != NULL) {
        *e = *why;
    }
    return why->rc;
}

static sl_rc is_complete(struct sl_pg_conn *c, const struct sl_config *cfg,
                         const struct sl_pg_objects *o, bool *ret, struct sl_err *e)
{
    bool lacks = false;

    if (o->has_target && cfg->postgres.create == SL_CREATE_ADD_COLUMNS) {
        SL_TRY(sl_pg_target_lacks(c, cfg, &lacks, e));
    }
    *ret = o->version == SL_SCHEMA_VERSION && o->has_target && !lacks;
    return SL_OK;
}

sl_rc sl_pg_schema_prepare(struct sl_pg_conn *c, const struct sl_config *cfg, struct sl_err *e)
{
    struct sl_err why = { 0 };
    struct sl_pg_objects o;
    bool is_done;
    sl_rc rc;

    SL_TRY(sl_pg_objects_find(c, cfg, &o, e));
    if (cfg->postgres.create == SL_CREATE_NEVER) {
        return sl_pg_objects_require(&o, cfg, e);
    }
    SL_TRY(is_complete(c, cfg, &o, &is_done, e));
    if (is_done) {
        return SL_OK;
    }
    rc = create(c, cfg, &why);
    if (rc == SL_DENIED) {
        return create_denied(&o, cfg, &why, e);
    }
    if (rc != SL_OK && e != NULL) {
        *e = why;
    }
    return rc;
}

/* ---- keys -------------------------------------------------------------------------------------------- */

static void key_params(const struct sl_key *key, struct sl_pg_param params[static 2])
{
    params[0] = (struct sl_pg_param){ OID_TEXT, key->id, strlen(key->id) };
    params[1] = (struct sl_pg_param){ OID_TEXT, key->check, strlen(key->check) };
}

sl_rc sl_pg_key_compare(struct sl_pg_conn *c, const struct sl_keyring *ring, struct sl_err *e)
{
    static const char sql[] = "SELECT 1 FROM sluice.key_check WHERE kid = $1"
                              " AND check_value <> $2";

    SL_TRY(sl_pg_connect(c, e));
    for (unsigned i = 0; i < sl_keyring_n(ring); i++) {
        SL_AUTO(sl_pg_clear) PGresult *result = NULL;
        struct sl_pg_param params[2];

        key_params(sl_keyring_at(ring, i), params);
        SL_TRY(sl_pg_exec(c, SL_PG_SESSION, sql, params, 2, &result, e));
        if (PQntuples(result) > 0) {
            return SL_FAIL(e, SL_KEY,
                           "key %s is not the key that this database knows by that id: use the "
                           "right key file, or give a new key a new id",
                           sl_keyring_at(ring, i)->id);
        }
    }
    return SL_OK;
}

/* The lock-free way round: insert unless there, then look at what is there. */
sl_rc sl_pg_key_check(struct sl_pg_conn *c, const struct sl_keyring *ring, struct sl_err *e)
{
    static const char sql[] = "INSERT INTO sluice.key_check (kid, check_value)"
                              " VALUES ($1, $2) ON CONFLICT (kid) DO NOTHING";

    SL_TRY(sl_pg_connect(c, e));
    for (unsigned i = 0; i < sl_keyring_n(ring); i++) {
        struct sl_pg_param params[2];

        key_params(sl_keyring_at(ring, i), params);
        SL_TRY(sl_pg_write(c, SL_PG_SESSION, sql, params, 2, NULL, e));
    }
    return sl_pg_key_compare(c, ring, e);
}
