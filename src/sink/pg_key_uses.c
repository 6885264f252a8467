/* sink/pg_key_uses.c - what could not be read any more without a key. */
#include "sink/pg_key_uses.h"

#include "sink/pg_tokens.h"

static sl_rc uses_of_column(struct sl_pg_conn *c, const struct sl_config *cfg,
                            const struct sl_column *column, sl_str kid, int64_t *ret,
                            struct sl_err *e)
{
    const struct sl_pg_masked masked = sl_pg_masked_column(cfg, column);
    const bool has_kid = (sl_mask_flags(column->masking.method) & SL_MASK_HAS_KID) != 0;
    int64_t counts[3];

    SL_TRY(sl_pg_tokens_count(c, &masked, &kid, 1, counts, e));
    *ret += has_kid ? counts[0] : counts[2];
    return SL_OK;
}

/* Without a kid said, it may be any key's. */
static bool column_uses(const struct sl_column *column, sl_str kid)
{
    const struct sl_masking *how = &column->masking;

    if (how->method == SL_MASK_IP || how->method == SL_MASK_FPE) {
        return how->kid.len == 0 || sl_str_eq(how->kid, kid);
    }
    return (sl_mask_flags(how->method) & SL_MASK_HAS_KID) != 0;
}

static sl_rc uses_of_vault(const struct sl_pg_conn *like, const struct sl_config *cfg, sl_str kid,
                           int64_t *ret, struct sl_err *e)
{
    const struct sl_pg_masked masked = sl_pg_masked_vault(cfg);
    struct sl_pg_conn conn = { .wait = like->wait, .stop = like->stop, .url = cfg->vault.url.ptr };
    struct sl_err why = { 0 };
    int64_t counts[3];
    const sl_rc rc = sl_pg_tokens_count(&conn, &masked, &kid, 1, counts, &why);

    sl_pg_close(&conn);
    if (rc != SL_OK) {
        return SL_FAIL(e, rc, "vault: %.1000s", why.msg);
    }
    *ret = counts[0];
    return SL_OK;
}

sl_rc sl_pg_key_uses(struct sl_pg_conn *c, const struct sl_config *cfg, sl_str kid,
                     struct sl_key_uses *ret, struct sl_err *e)
{
    const struct sl_pg_masked dead_letters = sl_pg_masked_dead_letters();
    struct sl_key_uses uses = { 0 };
    int64_t counts[3];

    for (unsigned i = 0; i < cfg->columns_n; i++) {
        if (column_uses(&cfg->columns[i], kid)) {
            int64_t n = 0;

            SL_TRY(uses_of_column(c, cfg, &cfg->columns[i], kid, &n, e));
            uses.values_n += n;
            uses.staying_n += cfg->columns[i].masking.method == SL_MASK_SIV ? 0 : n;
        }
    }
    SL_TRY(sl_pg_tokens_count(c, &dead_letters, &kid, 1, counts, e));
    uses.dead_letters_n = counts[0];
    if (cfg->dedup != SL_DEDUP_MESSAGE_ID) {
        const struct sl_pg_masked ledger_keys = sl_pg_masked_ledger_keys();

        SL_TRY(sl_pg_tokens_count(c, &ledger_keys, &kid, 1, counts, e));
        uses.ledger_keys_n = counts[0];
    }
    if (cfg->vault.url.len > 0) {
        SL_TRY(uses_of_vault(c, cfg, kid, &uses.originals_n, e));
    }
    *ret = uses;
    return SL_OK;
}
