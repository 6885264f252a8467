/* cmd/dead_list.c - dead letters as they are: without their bodies, or with them sealed. */
#include <stdio.h>

#include "cmd/dead_verbs.h"

enum { LIST_PRESET = 100 };

static void list_line(const char *const cells[static 7])
{
    (void)printf("%-8s %-8s %-20s %-17s %-16s %-8s %s\n", cells[0], cells[1], cells[2], cells[4],
                 cells[5], cells[6], cells[3]);
}

sl_rc sl_dead_list(struct sl_dead *d, struct sl_err *e)
{
    static const char *const head[] = { "id",     "status", "received", "message id",
                                        "reason", "field",  "sqlstate" };
    struct sl_pg_dead_filter filter = d->filter;
    SL_AUTO(sl_pg_clear) PGresult *result = NULL;

    filter.limit = filter.limit > 0 ? filter.limit : LIST_PRESET;
    SL_TRY(sl_pg_dead_find(&d->conn, &filter, e));
    SL_TRY(sl_pg_dead_list(&d->conn, &filter, &result, e));
    list_line(head);
    for (int row = 0; row < PQntuples(result); row++) {
        const char *cells[7];

        for (int k = 0; k < 7; k++) {
            cells[k] = PQgetvalue(result, row, k);
        }
        list_line(cells);
    }
    return SL_OK;
}

static sl_rc export_lines(const PGresult *rows, struct sl_err *e)
{
    for (int row = 0; row < PQntuples(rows); row++) {
        (void)puts(PQgetvalue(rows, row, 0));
    }
    return fflush(stdout) == 0 && ferror(stdout) == 0
               ? SL_OK
               : SL_FAIL(e, SL_IO, "could not write to stdout");
}

sl_rc sl_dead_export(struct sl_dead *d, struct sl_err *e)
{
    int n = 1;

    SL_TRY(sl_pg_dead_find(&d->conn, &d->filter, e));
    SL_TRY(sl_pg_dead_export(&d->conn, &d->filter, e));
    while (n > 0) {
        SL_AUTO(sl_pg_clear) PGresult *rows = NULL;

        SL_TRY(sl_pg_dead_export_next(&d->conn, &rows, e));
        n = PQntuples(rows);
        SL_TRY(export_lines(rows, e));
    }
    return SL_OK;
}
