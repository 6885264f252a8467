/* cmd/keys_database.c - sluice keys: what the database knows of the keys. */
#include <stdio.h>

#include "cmd/keys_actions.h"
#include "keys/key_config.h"
#include "net/wait.h"
#include "sink/pg_conn.h"
#include "sink/pg_key_uses.h"
#include "sink/pg_schema.h"

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

/* The key of columns that name none is the first of the ring. */
static sl_rc first_kid(const struct sl_config *cfg, char ret[static SL_KEY_ID_MAX + 1],
                       struct sl_err *e)
{
    struct sl_keyring *ring = NULL;

    SL_TRY(sl_keys_of(cfg, &ring, e));
    (void)snprintf(ret, SL_KEY_ID_MAX + 1, "%s", sl_keyring_at(ring, 0)->id);
    sl_keyring_free(ring);
    return SL_OK;
}

sl_rc sl_cmd_keys_uses(const struct sl_options *common, sl_str kid, int64_t *ret_n,
                       struct sl_err *e)
{
    SL_AUTO(database_done) struct database d = { 0 };
    char first[SL_KEY_ID_MAX + 1];
    struct sl_key_uses uses;

    SL_TRY(database_open(common, &d, e));
    SL_TRY(first_kid(&d.cfg, first, e));
    SL_TRY(sl_pg_key_uses(&d.conn, &d.cfg, kid, sl_str_of(first), &uses, e));
    *ret_n = uses.values_n + uses.dead_letters_n + uses.originals_n;
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
