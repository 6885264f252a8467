/* app_ledger.c - the key of a pipeline's ledger of keys: made once, kept sealed in the database. */
#include "app_ledger.h"

#include "sink/pg_secret.h"

/* If another process is faster, its key is the one. */
static sl_rc key_make(struct sl_pg_conn *c, struct sl_masker *m, sl_str pipeline,
                      struct sl_arena *a, sl_str *ret, struct sl_err *e)
{
    sl_str sealed;

    SL_TRY(sl_ledger_key_new(m, pipeline, a, &sealed, e));
    SL_TRY(sl_pg_secret_put(c, pipeline, sealed, e));
    return sl_pg_secret_get(c, pipeline, a, ret, e);
}

sl_rc sl_app_ledger_find(struct sl_pg_conn *c, const struct sl_keyring *ring, sl_str pipeline,
                         struct sl_arena *a, sl_str *ret, struct sl_err *e)
{
    struct sl_masker *m = NULL;
    sl_str found;
    sl_rc rc;

    SL_TRY(sl_pg_secret_get(c, pipeline, a, &found, e));
    if (found.ptr != NULL) {
        *ret = found;
        return SL_OK;
    }
    SL_TRY(sl_masker_new(ring, &m, e));
    rc = key_make(c, m, pipeline, a, ret, e);
    sl_masker_free(m);
    return rc;
}

sl_rc sl_app_ledger_open(const struct sl_config *cfg, struct sl_masker *m, sl_str pipeline,
                         sl_str sealed, struct sl_hmac **ret, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf way = { .max_bytes = 4 << 10 };

    if (cfg->dedup == SL_DEDUP_FIELD) {
        sl_buf_printf(&way, "field:%" SL_FMT, SL_ARG(cfg->dedup_field));
    } else {
        sl_buf_add_str(&way, SL_STR("body"));
    }
    SL_TRY(sl_buf_rc(&way, e));
    return sl_ledger_mac_open(m, pipeline, sealed, sl_buf_str(&way), ret, e);
}
