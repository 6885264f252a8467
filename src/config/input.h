/* config/input.h - where messages come from, a queue or files, and what goes with which. */
#ifndef SLUICE_CONFIG_INPUT_H
#define SLUICE_CONFIG_INPUT_H

#include "config/reading.h"

/* Refuse two sources; a flag takes the place of what the file says.
 * Errors: SL_CONFIG (stop) */
sl_rc sl_input_choose(struct sl_config *cfg, const struct sl_reading *rd,
                      const struct sl_yaml *root, const struct sl_overrides *overrides,
                      struct sl_err *e) SL_MUST_CHECK;

/* Refuse what lines of files cannot have: ids, times and attributes of their own, a queue that is
 * told about them.
 * Errors: SL_CONFIG (stop) */
sl_rc sl_input_check(const struct sl_config *cfg, const struct sl_reading *rd,
                     const struct sl_yaml *root, struct sl_err *e) SL_MUST_CHECK;

#endif
