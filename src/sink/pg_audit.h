/* sink/pg_audit.h - who recovered what, when and why: on record before the first value is shown. */
#ifndef SLUICE_SINK_PG_AUDIT_H
#define SLUICE_SINK_PG_AUDIT_H

#include "sink/pg_conn.h"

/* One record of sluice.unmask_audit; the database adds when, and its own user. */
struct sl_audit {
    sl_str os_user;
    sl_str pipeline;
    const sl_str *contexts; /* or the name of the column, for a method without one */
    unsigned contexts_n;
    int64_t n;  /* values */
    sl_str how; /* "unmask", "where", "dead show", "erase", ... */
    sl_str reason;
};

/* Commit a record.
 * Errors: those of sl_pg_exec; nothing may be shown then */
sl_rc sl_pg_audit_add(struct sl_pg_conn *c, const struct sl_audit *audit, struct sl_err *e)
    SL_MUST_CHECK;

#endif
