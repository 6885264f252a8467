/* cmd/dead_retry.c - dead letters go through the stages again, with today's configuration. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "app_retry.h"
#include "cmd/dead_edit.h"
#include "cmd/dead_verbs.h"
#include "keys/key_config.h"
#include "telemetry/log.h"

enum { NOTES_MAX = 1 << 20 };

/* ---- what is said ---------------------------------------------------------------------------------- */

static void say_refused(int64_t id, const struct sl_verdict *v)
{
    (void)printf("%" PRId64 ": still refused: %s", id, sl_reason_code(v->reason));
    if (v->field.len > 0) {
        (void)printf(", field %" SL_FMT, SL_ARG(v->field));
    }
    if (v->sqlstate[0] != '\0') {
        (void)printf(", SQLSTATE %s", v->sqlstate);
    }
    (void)printf("\n");
}

static void say_letter(void *ctx, const struct sl_pg_letter *l)
{
    const struct sl_dead *d = ctx;

    switch (l->r->outcome) {
    case SL_OUTCOME_LOADED:
        if (d->is_dry_run) {
            (void)printf("%" PRId64 ": loads\n", l->id);
        }
        break;
    case SL_OUTCOME_DUPLICATE:
        (void)printf("%" PRId64 ": another message has brought it\n", l->id);
        break;
    case SL_OUTCOME_DEAD_LETTERED:
        say_refused(l->id, &l->r->verdict);
        break;
    default:
        (void)printf("%" PRId64 ": another retry has it\n", l->id);
        break;
    }
}

static void say_closed(void *ctx, int64_t id, const char *why)
{
    (void)ctx;
    (void)printf("%" PRId64 ": cannot be opened: %s\n", id, why);
}

static uint64_t seen(const struct sl_retry_counts *n)
{
    return n->loaded + n->known + n->refused + n->closed + n->passed;
}

static void say_sum(const struct sl_dead *d, const struct sl_retry_counts *n)
{
    const bool is_dry = d->is_dry_run;

    (void)printf("%s%" PRIu64 " dead letter%s: %" PRIu64 " %s, %" PRIu64 " still refused",
                 is_dry ? "dry run of " : "retried ", seen(n), seen(n) == 1 ? "" : "s", n->loaded,
                 is_dry ? "would load" : "loaded", n->refused);
    if (n->known > 0) {
        (void)printf(", %" PRIu64 " known already", n->known);
    }
    if (n->closed > 0) {
        (void)printf(", %" PRIu64 " do not open", n->closed);
    }
    if (n->passed > 0) {
        (void)printf(", %" PRIu64 " left to another retry", n->passed);
    }
    (void)printf("%s\n", is_dry ? "; nothing is changed" : "");
    if (d->is_edit && n->refused > 0) {
        (void)printf("the edited body is not kept\n");
    }
    if (!is_dry) {
        SL_LOG(SL_LOG_INFO, "retried dead letters",
               sl_field_int("sluice.loaded", (int64_t)n->loaded),
               sl_field_int("sluice.refused", (int64_t)(n->refused + n->closed)),
               sl_field_int("user.id", (int64_t)getuid()));
    }
}

/* A person takes his time, longer than a connection that is idle may live. */
static sl_rc batch_edit(void *ctx, struct sl_batch *b, struct sl_err *e)
{
    struct sl_record *r = b->records[0];
    struct sl_dead *d = ctx;

    SL_TRY(sl_dead_record(d, "dead retry --edit", e));
    sl_pg_close(&d->conn);
    SL_TRY(sl_dead_edit(r->body, &b->arena, &r->body, e));
    return sl_pg_connect(&d->conn, e);
}

/* Of those that were asked for by id. */
static sl_rc say_done(struct sl_dead *d, struct sl_err *e)
{
    const struct sl_pg_dead_filter done = { .pipeline = d->filter.pipeline,
                                            .ids = d->filter.ids,
                                            .status = SL_STR("retried") };
    SL_AUTO(sl_pg_clear) PGresult *rows = NULL;

    if (done.ids.len == 0) {
        return SL_OK;
    }
    SL_TRY(sl_pg_dead_list(&d->conn, &done, &rows, e));
    for (int row = 0; row < PQntuples(rows); row++) {
        (void)printf("%s: retried already\n", PQgetvalue(rows, row, 0));
    }
    return SL_OK;
}

static sl_rc check(const struct sl_dead *d, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf notes = { .max_bytes = NOTES_MAX };
    const sl_rc rc = sl_retry_check(&d->cfg, &notes, e);

    (void)fprintf(stderr, "%" SL_FMT, SL_ARG(sl_buf_str(&notes)));
    return rc;
}

static sl_rc retry_run(struct sl_dead *d, struct sl_retry *t, struct sl_err *e)
{
    SL_TRY(sl_pg_dead_find(&d->conn, &d->filter, e));
    SL_TRY(check(d, e));
    SL_TRY(sl_keys_of(&d->cfg, &t->ring, e));
    SL_TRY(sl_retry_open(t, e));
    t->sink.keeps_reasons = d->is_edit;
    SL_TRY(say_done(d, e));
    return sl_retry_run(t, &d->filter, 0, e);
}

sl_rc sl_dead_retry(struct sl_dead *d, struct sl_err *e)
{
    struct sl_retry t = { .cfg = &d->cfg,
                          .conn = &d->conn,
                          .ear = { say_letter, say_closed, d->is_edit ? batch_edit : NULL, d },
                          .is_dry_run = d->is_dry_run };
    const sl_rc rc = retry_run(d, &t, e);

    if (rc == SL_OK || seen(&t.n) > 0) {
        say_sum(d, &t.n);
    }
    d->has_left = t.n.refused + t.n.closed > 0;
    sl_retry_close(&t);
    sl_keyring_free(t.ring);
    return rc;
}
