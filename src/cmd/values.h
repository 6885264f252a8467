/* cmd/values.h - masked columns, for the commands that mask, search and recover single values. */
#ifndef SLUICE_CMD_VALUES_H
#define SLUICE_CMD_VALUES_H

#include "cmd/options.h"
#include "cmd/table_stream.h"
#include "masking/column_mask.h"

/* What the command line says of the values. */
struct sl_values_options {
    struct sl_options common;
    const char *context; /* of tokens of siv, whatever the table looks like */
    const char *columns; /* names of columns of the configuration, with commas between */
    const char *reason;
    const char *where;
    bool is_csv;
    bool is_ndjson;
};

/* A column whose values are worked on. */
struct sl_values_column {
    sl_str name;  /* as in CSV, NDJSON and the table; "" for one that is only a context */
    sl_str label; /* for records: its context, or its name */
    struct sl_masking masking;
    struct sl_column_mask *mask;
};

struct sl_values {
    bool has_config;
    struct sl_config cfg; /* once has_config */
    struct sl_keyring *ring;
    struct sl_masker *masker;
    struct sl_values_column columns[SL_TABLE_COLUMNS_MAX];
    unsigned n;
    enum sl_table_form form;
    bool has_bad_value; /* one was reported: the exit status is 1 */
};

/* The options of all three, for getopt_long, and how to take one.
 * Errors: SL_USAGE (stop) */
extern const struct option sl_values_long[];
sl_rc sl_values_take(struct sl_values_options *o, int option, char *value, struct sl_err *e)
    SL_MUST_CHECK;

/* Read all of argv.
 * Errors: SL_USAGE (stop) */
sl_rc sl_values_parse(int argc, char **argv, struct sl_values_options *o, struct sl_err *e)
    SL_MUST_CHECK;

/* Load the configuration if there is one, the keys, and the masks of the columns that are asked
 * for: by --context, by --columns, or every masked one of CSV and NDJSON.
 *
 * Owns:    *v, to be ended with sl_values_close, also after a failure
 * Errors:  SL_USAGE, SL_CONFIG, SL_KEY, SL_CRYPTO (stop)
 */
sl_rc sl_values_open(struct sl_values *v, const struct sl_values_options *o, struct sl_err *e)
    SL_MUST_CHECK;
void sl_values_close(struct sl_values *v);

/* Say what is wrong with one value, on stderr, by its line; never the value. */
void sl_values_report(struct sl_values *v, unsigned long line, const char *why);

/* Work through stdin, a batch of cells at a time.
 * Errors: those of sl_table_run */
sl_rc sl_values_run(struct sl_values *v, void *ctx,
                    sl_rc (*change)(void *ctx, struct sl_table_cell *cells, unsigned n,
                                    struct sl_arena *arena, struct sl_err *e),
                    struct sl_err *e) SL_MUST_CHECK;

#endif
