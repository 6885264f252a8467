/* cmd/record.h - what is shown or erased goes on record first: who, what, how many and why. */
#ifndef SLUICE_CMD_RECORD_H
#define SLUICE_CMD_RECORD_H

#include "config/config.h"
#include "sink/pg_conn.h"

/* What one record is about. */
struct sl_record_use {
    sl_str pipeline;
    const char *how; /* the command: "unmask", "dead show" */
    sl_str reason;
    const sl_str *contexts;
    unsigned contexts_n;
    int64_t n; /* values */
};

/* Whether a reason was given, as an error for the command line.
 * Errors: SL_USAGE (stop) */
sl_rc sl_record_check_reason(const char *reason, struct sl_err *e) SL_MUST_CHECK;

/* Write the record, with the user of this system; outside of a transaction it is committed then.
 * Errors: those of sl_pg_exec; nothing may be shown or erased then */
sl_rc sl_record_commit(struct sl_pg_conn *c, const struct sl_record_use *use, struct sl_err *e)
    SL_MUST_CHECK;

enum { SL_RECORD_PIPELINE_MAX = 160 };

/* The name that a pipeline has on record: its own, or the target table with its schema, as in the
 * ledger; the table as configured where there is none.
 * Errors: those of sl_pg_exec */
sl_rc sl_record_pipeline(struct sl_pg_conn *c, const struct sl_config *cfg,
                         char out[static SL_RECORD_PIPELINE_MAX], struct sl_err *e) SL_MUST_CHECK;

#endif
