/* cmd/keys_database.c - sluice keys: what the database knows of the keys. */
#include <stdio.h>

#include "cmd/keys_actions.h"
#include "net/wait.h"
#include "sink/pg_conn.h"
#include "sink/pg_key_uses.h"
#include "sink/pg_schema.h"
#include "sink/vault.h"

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
    d->conn.cfg = &d->cfg;
    return sl_pg_connect(&d->conn, e);
}

/* What is not there has no tokens, but it may be the wrong place that was asked. */
static sl_rc places_check(struct database *d, struct sl_err *e)
{
    struct sl_pg_conn vault = { .wait = sl_wait_plain(), .url = d->cfg.vault.url.ptr };
    bool has_schema = false;
    bool has_target = false;
    bool has_vault = true;
    sl_rc rc = sl_pg_schema_find(&d->conn, &d->cfg, &has_schema, &has_target, e);

    if (rc == SL_OK && d->cfg.vault.url.len > 0) {
        rc = sl_vault_find(&vault, &d->cfg, &has_vault, e);
        sl_pg_close(&vault);
    }
    SL_TRY(rc);
    return has_schema && has_target && has_vault
               ? SL_OK
               : SL_FAIL(e, SL_SCHEMA,
                         "%s does not exist there, so nobody knows what the key is needed for: is "
                         "it the right database and table?",
                         !has_target   ? d->cfg.postgres.table.ptr
                         : !has_schema ? "schema sluice"
                                       : d->cfg.vault.table.ptr);
}

sl_rc sl_cmd_keys_uses(const struct sl_options *common, sl_str kid, int64_t *ret_n,
                       int64_t *ret_staying_n, struct sl_err *e)
{
    SL_AUTO(database_done) struct database d = { 0 };
    struct sl_key_uses uses;

    SL_TRY(database_open(common, &d, e));
    SL_TRY(places_check(&d, e));
    SL_TRY(sl_pg_key_uses(&d.conn, &d.cfg, kid, &uses, e));
    *ret_staying_n = uses.staying_n;
    *ret_n = uses.values_n + uses.dead_letters_n + uses.originals_n + uses.ledger_keys_n;
    return SL_OK;
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
