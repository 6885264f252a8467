/* cmd/keys_actions.h - what the files of `sluice keys` share. */
#ifndef SLUICE_CMD_KEYS_ACTIONS_H
#define SLUICE_CMD_KEYS_ACTIONS_H

#include "cmd/options.h"
#include "keys/keyring.h"

struct sl_keys_options {
    struct sl_options common; /* .config: where the database is that knows of the keys */
    const char *path;
    const char *kid;     /* NULL: not said */
    const char *kms_key; /* ARN; NULL: not said */
    bool is_forced;
    bool is_destroyed;
    bool is_yes;
    char given[16]; /* the options, a letter each */
};

/* `sluice keys retire`.
 * Errors: SL_USAGE (stop) nobody was asked, or nobody can answer; those of sl_key_edit; those of
 *         sl_cmd_keys_uses */
sl_rc sl_cmd_keys_retire(const struct sl_keys_options *o, struct sl_err *e) SL_MUST_CHECK;

/* `sluice keys wrap`.
 * Errors: SL_USAGE (stop) no KMS key was named; those of sl_key_file_open and sl_key_kms_wrap */
sl_rc sl_cmd_keys_wrap(const struct sl_keys_options *o, struct sl_err *e) SL_MUST_CHECK;

/* Count what could not be read any more without a key: values of the table, dead letters and
 * originals in the vault; and how many of these a rewrap leaves as they are.
 * Errors: those of sl_config_load, sl_keys_of and sl_pg_key_uses */
sl_rc sl_cmd_keys_uses(const struct sl_options *common, sl_str kid, int64_t *ret_n,
                       int64_t *ret_staying_n, struct sl_err *e) SL_MUST_CHECK;

/* Compare the keys with those that the database has seen.
 *
 * Returns: in *ret_has_seen whether it has seen any: it has not before the first run
 * Errors:  SL_KEY (stop)  another key under a known id; those of sl_config_load, sl_pg_connect
 */
sl_rc sl_cmd_keys_compare(const struct sl_options *common, const struct sl_keyring *ring,
                          bool *ret_has_seen, struct sl_err *e) SL_MUST_CHECK;

#endif
