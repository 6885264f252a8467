/* config/masks.h - what may be said of a mask: its method's settings and its column. */
#ifndef SLUICE_CONFIG_MASKS_H
#define SLUICE_CONFIG_MASKS_H

#include "config/reading.h"

enum { SL_MASK_CONTEXT_MAX = 64 }; /* printable ASCII characters, as keys/ has it */

/* Check the masking of one column against the table of methods, and give it its context.
 *
 * Shape:   the texts of its options are only looked at for being there: masking/ reads them
 * Errors:  SL_CONFIG (stop)
 */
sl_rc sl_mask_settings_check(const struct sl_reading *rd, const struct sl_yaml *map,
                             struct sl_column *col, struct sl_err *e) SL_MUST_CHECK;

#endif
