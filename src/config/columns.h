/* config/columns.h - the list of columns: its settings, the types, the facts of a message. */
#ifndef SLUICE_CONFIG_COLUMNS_H
#define SLUICE_CONFIG_COLUMNS_H

#include "config/settings.h"
#include "config/yaml.h"

struct sl_type_row {
    const char *name;
    const char *aliases; /* "int, int4"; "" for none */
    const char *doc;     /* what it takes */
};

extern const struct sl_type_row sl_type_rows[SL_TYPE_JSONB + 1]; /* by enum sl_type */

struct sl_fact_row {
    const char *name; /* "$sent_at"; that of an attribute ends in a dot */
    enum sl_from from;
    unsigned types; /* bit 1 << enum sl_type: the types it can fill */
    const char *doc;
};

extern const struct sl_fact_row sl_fact_rows[];
extern const unsigned sl_fact_rows_n;

/* Find the fact that col->from_text names, and set col->attribute if it is one.
 * Returns: NULL if there is no such fact */
const struct sl_fact_row *sl_fact_find(struct sl_column *col);

/* Print the names of types, with commas between: "date, timestamptz, bigint". */
void sl_type_names(unsigned types, struct sl_buf *out);

/* Read and check the list of columns into cfg->columns.
 *
 * Owns:    the columns live in cfg->arena
 * Errors:  SL_CONFIG (stop), SL_NOMEM (retry)
 */
sl_rc sl_columns_read(const struct sl_yaml *list, struct sl_config *cfg, struct sl_arena *scratch,
                      struct sl_err *e) SL_MUST_CHECK;

#endif
