/* config/queue.h - which queue is read: its URL, or its name or ARN, of which the URL is asked. */
#ifndef SLUICE_CONFIG_QUEUE_H
#define SLUICE_CONFIG_QUEUE_H

#include "config/reading.h"

/* Look that a queue is named in one way, unless files are read, and take a name or an ARN apart.
 *
 * Shape:   the region of an ARN becomes that of the configuration
 * Owns:    the parts point into the configuration's own text or its arena
 * Errors:  SL_CONFIG, SL_NOMEM
 */
sl_rc sl_queue_read(struct sl_config *cfg, const struct sl_reading *rd, const struct sl_yaml *root,
                    const struct sl_overrides *overrides, struct sl_err *e) SL_MUST_CHECK;

#endif
