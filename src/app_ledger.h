/* app_ledger.h - the key of a pipeline's ledger of keys: made once, kept sealed in the database. */
#ifndef SLUICE_APP_LEDGER_H
#define SLUICE_APP_LEDGER_H

#include "config/config.h"
#include "masking/ledger_mac.h"
#include "sink/pg_conn.h"

/* Find the sealed key of a pipeline, or make it if there is none.
 * Owns:    *ret lives in `a`
 * Errors:  SL_CRYPTO (stop), SL_NOMEM (retry), those of sl_pg_exec */
sl_rc sl_app_ledger_find(struct sl_pg_conn *c, const struct sl_keyring *ring, sl_str pipeline,
                         struct sl_arena *a, sl_str *ret, struct sl_err *e) SL_MUST_CHECK;

/* Open it for the way in which a configuration tells messages apart.  Errors: those of
 * sl_ledger_mac_open */
sl_rc sl_app_ledger_open(const struct sl_config *cfg, struct sl_masker *m, sl_str pipeline,
                         sl_str sealed, struct sl_hmac **ret, struct sl_err *e) SL_MUST_CHECK;

#endif
