/* config/reading.h - a mapping of the file becomes a struct, by a table of settings. */
#ifndef SLUICE_CONFIG_READING_H
#define SLUICE_CONFIG_READING_H

#include "config/settings.h"
#include "config/yaml.h"

/* One struct being filled. */
struct sl_reading {
    const struct sl_settings *table;
    const char *prefix; /* of the table's paths, that the file does not repeat: "" or "columns" */
    void *base;         /* the struct */
    struct sl_arena *a; /* for texts that stay */
    struct sl_arena *scratch;
    const struct sl_yaml *columns;           /* the list of columns, if one was given */
    struct sl_place places[SL_SETTINGS_MAX]; /* one a row; .name is NULL while not given */
};

/* Set every member to its preset; texts become "". */
void sl_reading_presets(struct sl_reading *rd);

/* Read a mapping: known settings only, each once, each within its bounds.  A value that is empty,
 * also after ${NAME}, counts as not given.
 *
 * Owns:    texts live in rd->a
 * Errors:  SL_CONFIG (stop), SL_NOMEM (retry)
 */
sl_rc sl_reading_map(struct sl_reading *rd, const struct sl_yaml *map, struct sl_err *e)
    SL_MUST_CHECK;

/* Read one setting from a text that was written at `place`.  Same errors. */
sl_rc sl_reading_text(struct sl_reading *rd, unsigned row, sl_str text, struct sl_place place,
                      struct sl_err *e) SL_MUST_CHECK;

/* Refuse a mapping in which a required setting was not given.
 * Errors: SL_CONFIG (stop) */
sl_rc sl_reading_require(const struct sl_reading *rd, const struct sl_yaml *map, struct sl_err *e)
    SL_MUST_CHECK;

/* Where a setting was given, or else where it belongs in the mapping. */
struct sl_place sl_reading_place(const struct sl_reading *rd, const struct sl_yaml *map,
                                 const char *path);

/* True when a setting was given. */
bool sl_reading_has(const struct sl_reading *rd, const char *path);

/* True when there is at least one byte, and all are printable ASCII. */
bool sl_reading_is_printable(sl_str text);

#endif
