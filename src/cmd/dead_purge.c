/* cmd/dead_purge.c - dead letters that nobody needs any more. */
#include <inttypes.h>
#include <stdio.h>

#include "cmd/confirm.h"
#include "cmd/dead_verbs.h"

/* Those that were counted and no others, so that nothing goes that came after the question. */
static sl_rc purge_counted(struct sl_dead *d, const struct sl_pg_dead_counts *counts,
                           struct sl_err *e)
{
    const uint64_t counted = (uint64_t)(counts->new_n + counts->retried_n);
    uint64_t n = 0;
    const sl_rc rc = sl_pg_dead_purge(&d->conn, &d->filter, counts, &n, e);

    (void)printf("purged %" PRIu64 " dead letter%s; the ledger still knows the messages, so none "
                 "comes back as a row\n",
                 n, n == 1 ? "" : "s");
    if (rc == SL_OK && n < counted) {
        (void)printf("%" PRIu64 " are gone already, or held by another command: run it again\n",
                     counted - n);
        d->has_left = true;
    }
    return rc;
}

static sl_rc purge_asked(struct sl_dead *d, FILE *terminal, struct sl_err *e)
{
    struct sl_pg_dead_counts counts;

    SL_TRY(sl_pg_dead_find(&d->conn, &d->filter, e));
    SL_TRY(sl_pg_dead_count(&d->conn, &d->filter, &counts, e));
    (void)printf("dead letters: %" PRId64 " new, %" PRId64 " retried\n", counts.new_n,
                 counts.retried_n);
    (void)fflush(stdout);
    if (counts.new_n + counts.retried_n == 0) {
        return SL_OK;
    }
    if (terminal != NULL) {
        SL_TRY(sl_confirm_ask(terminal, "purge", e));
    }
    return purge_counted(d, &counts, e);
}

sl_rc sl_dead_purge(struct sl_dead *d, struct sl_err *e)
{
    FILE *terminal = NULL;
    sl_rc rc;

    if (!d->is_yes) {
        SL_TRY(sl_confirm_open("'sluice dead list'", &terminal, e));
    }
    rc = purge_asked(d, terminal, e);
    if (terminal != NULL) {
        (void)fclose(terminal);
    }
    return rc;
}
