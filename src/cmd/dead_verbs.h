/* cmd/dead_verbs.h - what the files of `sluice dead` share. */
#ifndef SLUICE_CMD_DEAD_VERBS_H
#define SLUICE_CMD_DEAD_VERBS_H

#include "cmd/options.h"
#include "cmd/record.h"
#include "sink/pg_dead.h"

/* One call of `sluice dead`: connected, and its filter of one pipeline. */
struct sl_dead {
    struct sl_options common;
    struct sl_config cfg;
    struct sl_pg_conn conn;
    struct sl_pg_dead_filter filter;
    struct sl_buf ids; /* the filter's */
    char pipeline[SL_RECORD_PIPELINE_MAX];
    const char *reason; /* why a body is opened; NULL: not said */
    bool is_edit;
    bool is_dry_run;
    bool is_yes;
    bool has_left; /* something is not done that was asked for: exit status 1 */
};

/* Put on record that a body is opened for a person, before it is.
 * Errors: those of sl_record_commit */
sl_rc sl_dead_record(struct sl_dead *d, const char *how, struct sl_err *e) SL_MUST_CHECK;

/* The verbs; what they find goes to stdout.
 *
 * Errors:  SL_VALUE (dead letter) there is no such id; SL_IO (stop) stdout cannot be written; those
 *          of sl_pg_exec; those of retry as sl_app_open's for keys, schema and vault
 */
sl_rc sl_dead_list(struct sl_dead *d, struct sl_err *e) SL_MUST_CHECK;
sl_rc sl_dead_show(struct sl_dead *d, struct sl_err *e) SL_MUST_CHECK;
sl_rc sl_dead_retry(struct sl_dead *d, struct sl_err *e) SL_MUST_CHECK;
sl_rc sl_dead_purge(struct sl_dead *d, struct sl_err *e) SL_MUST_CHECK;
sl_rc sl_dead_export(struct sl_dead *d, struct sl_err *e) SL_MUST_CHECK;

#endif
