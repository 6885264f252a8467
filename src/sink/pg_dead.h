/* sink/pg_dead.h - dead letters: found, read, counted, deleted. */
#ifndef SLUICE_SINK_PG_DEAD_H
#define SLUICE_SINK_PG_DEAD_H

#include "base/buf.h"
#include "sink/pg_conn.h"

/* Which ones; what is "" or 0 lets all pass, but for the pipeline. */
struct sl_pg_dead_filter {
    sl_str pipeline;
    sl_str ids;       /* numbers with commas between */
    sl_str code;      /* of the reason */
    sl_str field;     /* a column's `from`, as configured */
    sl_str status;    /* "new" or "retried" */
    int64_t since_ms; /* received then or later, wall clock */
    int64_t until_ms; /* received before, wall clock */
    int64_t before_id;
    unsigned limit; /* the first ones, by id; of sl_pg_dead_list the last ones */
};

struct sl_pg_dead_counts {
    int64_t new_n;
    int64_t retried_n;
    int64_t last_id; /* the largest of them */
};

/* Write " WHERE ..." for a filter, without its limit. */
void sl_pg_dead_where(struct sl_buf *out, const struct sl_pg_dead_filter *f);

/* Whether each of the filter's ids is there, whatever else it says.
 * Errors: SL_VALUE (dead letter) one is not, and which; those of sl_pg_exec */
sl_rc sl_pg_dead_find(struct sl_pg_conn *c, const struct sl_pg_dead_filter *f, struct sl_err *e)
    SL_MUST_CHECK;

/* Ask for them, the newest first, without their bodies.
 *
 * Shape:   rows of text: id, status, received_at, message_id, reason, field, sqlstate
 * Owns:    *ret is the caller's to PQclear
 * Errors:  those of sl_pg_exec
 */
sl_rc sl_pg_dead_list(struct sl_pg_conn *c, const struct sl_pg_dead_filter *f, PGresult **ret,
                      struct sl_err *e) SL_MUST_CHECK;

/* Count those of a pipeline by what is wrong with them, the most first, 100 at most.
 *
 * Shape:   rows of text: reason, field ("" for none), how many are new, how many retried
 * Owns:    *ret is the caller's to PQclear
 * Errors:  those of sl_pg_exec
 */
sl_rc sl_pg_dead_reasons(struct sl_pg_conn *c, sl_str pipeline, PGresult **ret, struct sl_err *e)
    SL_MUST_CHECK;

/* Ask for the one with the filter's id.
 *
 * Shape:   one row in binary: message_id, sealed_body
 * Errors:  SL_VALUE (dead letter) there is no such id; those of sl_pg_exec
 */
sl_rc sl_pg_dead_get(struct sl_pg_conn *c, const struct sl_pg_dead_filter *f, PGresult **ret,
                     struct sl_err *e) SL_MUST_CHECK;

/* Begin to read them whole, as they are at this moment; then ask for some, until none come.
 *
 * Shape:   rows of one text: an object of JSON on one line, the body as sealed, in base64
 * Errors:  those of sl_pg_exec
 */
sl_rc sl_pg_dead_export(struct sl_pg_conn *c, const struct sl_pg_dead_filter *f, struct sl_err *e)
    SL_MUST_CHECK;
sl_rc sl_pg_dead_export_next(struct sl_pg_conn *c, PGresult **ret, struct sl_err *e) SL_MUST_CHECK;

/* Count them.  Errors: those of sl_pg_exec */
sl_rc sl_pg_dead_count(struct sl_pg_conn *c, const struct sl_pg_dead_filter *f,
                       struct sl_pg_dead_counts *ret, struct sl_err *e) SL_MUST_CHECK;

/* Delete those that were counted, in small transactions: none with a larger id, and no more than there
 * were.  What somebody else holds stays.
 *
 * Returns: in *ret_n how many, also after a failure
 * Errors:  SL_STOPPED (stop) an urgent stop came between two of them; those of sl_pg_exec
 */
sl_rc sl_pg_dead_purge(struct sl_pg_conn *c, const struct sl_pg_dead_filter *f,
                       const struct sl_pg_dead_counts *counted, uint64_t *ret_n, struct sl_err *e)
    SL_MUST_CHECK;

/* Delete those of a pipeline that were received more than `days` days ago, as sl_pg_dead_purge
 * does; connects if there is no connection.
 *
 * Shape:   0 days: for ever, so nothing
 * Returns: in *ret_n how many, also after a failure
 * Errors:  those of sl_pg_connect and sl_pg_exec
 */
sl_rc sl_pg_dead_expire(struct sl_pg_conn *c, sl_str pipeline, unsigned days, uint64_t *ret_n,
                        struct sl_err *e) SL_MUST_CHECK;

#endif
