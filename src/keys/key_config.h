/* keys/key_config.h - the key ring that a configuration names. */
#ifndef SLUICE_KEYS_KEY_CONFIG_H
#define SLUICE_KEYS_KEY_CONFIG_H

#include "base/stop.h"
#include "config/config.h"
#include "keys/keyring.h"

/* Open it.  Errors and the rest: as sl_keys_open. */
sl_rc sl_keys_of(const struct sl_config *cfg, struct sl_keyring **ret, struct sl_err *e)
    SL_MUST_CHECK;

/* Open it again while the work goes on: a stop ends a command that takes its time. */
sl_rc sl_keys_again(const struct sl_config *cfg, const struct sl_stop *stop,
                    struct sl_keyring **ret, struct sl_err *e) SL_MUST_CHECK;

/* Where it is read from, for people: the path of the file, or which other source.  Static, or the
 * configuration's own. */
const char *sl_keys_place(const struct sl_config *cfg);

/* Whether it can be read again later: a variable and a descriptor cannot. */
bool sl_keys_can_reload(const struct sl_config *cfg);

#endif
