/* cmd/keys_database.c - sluice keys: what the database knows of the keys. */
#include "cmd/keys_actions.h"
#include "net/wait.h"
#include "sink/pg_conn.h"
#include "sink/pg_schema.h"

/* Whoever counts the uses of a key; NULL as long as nobody can. */
static sl_rc (*const count_uses)(struct sl_pg_conn *c, const struct sl_config *cfg, sl_str kid,
                                 int64_t *ret_n, struct sl_err *e) = NULL;

struct database {
    struct sl_config cfg;
    bool has_config;
    struct sl_pg_conn conn;
};

static void database_done(struct database *d)
{
    sl_pg_close(&d->conn);
    if (d->has_config) {
        sl_config_done(&d->cfg);
    }
}

static sl_rc database_open(const struct sl_options *common, struct database *d, struct sl_err *e)
{
    SL_TRY(sl_options_load(common, &d->cfg, e));
    d->has_config = true;
    d->conn.wait = sl_wait_plain();
    d->conn.url = d->cfg.postgres.url.ptr;
    return sl_pg_connect(&d->conn, e);
}

sl_rc sl_cmd_keys_uses(const struct sl_options *common, sl_str kid, int64_t *ret_n,
                       struct sl_err *e)
{
    SL_AUTO(database_done) struct database d = { 0 };

    if (count_uses == NULL) {
        return SL_FAIL(e, SL_CONFIG,
                       "nobody can ask the table yet whether values under key %" SL_FMT
                       " remain: look for them, then say --force",
                       SL_ARG(kid));
    }
    SL_TRY(database_open(common, &d, e));
    return count_uses(&d.conn, &d.cfg, kid, ret_n, e);
}

sl_rc sl_cmd_keys_compare(const struct sl_options *common, const struct sl_keyring *ring,
                          bool *ret_has_seen, struct sl_err *e)
{
    SL_AUTO(database_done) struct database d = { 0 };
    bool has_schema = false;
    bool has_target = false;

    SL_TRY(database_open(common, &d, e));
    SL_TRY(sl_pg_schema_find(&d.conn, &d.cfg, &has_schema, &has_target, e));
    if (has_schema) {
        SL_TRY(sl_pg_key_compare(&d.conn, ring, e));
    }
    *ret_has_seen = has_schema;
    return SL_OK;
}
