/* config/path.h - where in a JSON body a value is: device.id, tags[0], "odd.name"[1].x */
#ifndef SLUICE_CONFIG_PATH_H
#define SLUICE_CONFIG_PATH_H

#include "config/config.h"

/* Take a path apart.
 *
 *     path = name { "." name | "[" n "]" }     name = plain | '"' any, '"' doubled '"'
 *
 * Shape:   at most 64 steps, indexes 0..999999; a plain name has no blank and none of . [ ] "
 * Owns:    the steps and their names live in `a`
 * Errors:  SL_CONFIG (stop)  says what is wrong, but not where
 *          SL_NOMEM (retry)
 */
sl_rc sl_path_parse(sl_str text, struct sl_arena *a, const struct sl_path_step **ret,
                    unsigned *ret_n, struct sl_err *e) SL_MUST_CHECK;

#endif
