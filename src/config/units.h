/* config/units.h - numbers with units, as people write them. */
#ifndef SLUICE_CONFIG_UNITS_H
#define SLUICE_CONFIG_UNITS_H

#include "config/settings.h"

/* Read a number: digits, perhaps a blank, a unit of that kind.
 *
 * Units:   bytes, milliseconds or seconds, as the kind says; whole ones
 * Returns: false when it is none, or does not fit
 */
bool sl_units_read(enum sl_kind kind, sl_str text, int64_t *ret);

/* How numbers of that kind are written, to stand behind "must be 1 to 5": ", written as 200ms". */
const char *sl_units_examples(enum sl_kind kind);

#endif
