/* sink/pg_blame.c - whose fault it is when rows are refused: theirs, or the table's. */
#include "sink/pg_blame.h"

#include <stdio.h>

void sl_pg_blame_refused(struct sl_pg_blame *blame, const char *sqlstate, sl_str message_id)
{
    unsigned i = 0;

    if (strcmp(blame->sqlstate, sqlstate) != 0) {
        blame->n = 0;
        memcpy(blame->sqlstate, sqlstate, sizeof blame->sqlstate);
    }
    while (i < blame->n && !sl_str_eq(sl_str_of(blame->ids[i]), message_id)) {
        i++;
    }
    if (i == blame->n && i < SL_PG_BLAME_ROWS) {
        (void)snprintf(blame->ids[i], sizeof blame->ids[i], "%" SL_FMT, SL_ARG(message_id));
        blame->n++;
    }
}

void sl_pg_blame_taken(struct sl_pg_blame *blame)
{
    blame->n = 0;
}

void sl_pg_blame_rows(struct sl_pg_blame *blame, const struct sl_pg_work *w)
{
    memcpy(blame->cleared, w->batch_id, sizeof blame->cleared);
}

bool sl_pg_blame_may_be_table(const struct sl_pg_blame *blame, const struct sl_pg_work *w)
{
    return blame->n >= SL_PG_BLAME_ROWS &&
           memcmp(blame->cleared, w->batch_id, sizeof blame->cleared) != 0;
}

sl_rc sl_pg_blame_table(const struct sl_pg_blame *blame, struct sl_err *e)
{
    const struct sl_err cause = e != NULL ? *e : (struct sl_err){ 0 };
    const sl_rc rc =
        SL_FAIL(e, SL_TABLE, "every row is refused, so no row is to blame: %.900s", cause.msg);

    if (e != NULL) {
        memcpy(e->sqlstate, blame->sqlstate, sizeof e->sqlstate);
    }
    return rc;
}
