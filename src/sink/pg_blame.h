/* sink/pg_blame.h - whose fault it is when rows are refused: theirs, or the table's.
 *
 * One row after the other that is refused alike, and none between that is taken, is the table's
 * fault; else every message of the queue would become a dead letter.
 */
#ifndef SLUICE_SINK_PG_BLAME_H
#define SLUICE_SINK_PG_BLAME_H

#include "sink/pg_work.h"

enum {
    SL_PG_BLAME_ROWS = 10,      /* refused in a row, alike, before the table may be to blame */
    SL_PG_BLAME_ID_BYTES = 129, /* of a message, with a NUL */
};

/* What one sink has seen; all zero is nothing. */
struct sl_pg_blame {
    unsigned n; /* refused in a row */
    char ids[SL_PG_BLAME_ROWS][SL_PG_BLAME_ID_BYTES];
    char sqlstate[6];          /* with which */
    unsigned char cleared[16]; /* id of a batch in which the table did take rows */
};

/* A row was refused all by itself.  What is left in the queue comes back: it is one row, however
 * often. */
void sl_pg_blame_refused(struct sl_pg_blame *blame, const char *sqlstate, sl_str message_id);

/* A row was taken. */
void sl_pg_blame_taken(struct sl_pg_blame *blame);

/* The table takes rows of this batch, so that those which it refuses are to blame. */
void sl_pg_blame_rows(struct sl_pg_blame *blame, const struct sl_pg_work *w);

/* True when so many were refused that the table may be to blame. */
bool sl_pg_blame_may_be_table(const struct sl_pg_blame *blame, const struct sl_pg_work *w);

/* Blame the table, with what *e says of the last row.  Returns: SL_TABLE */
sl_rc sl_pg_blame_table(const struct sl_pg_blame *blame, struct sl_err *e);

#endif
