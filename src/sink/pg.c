/* sink/pg.c - ledger, rows and dead letters in one transaction.
 *
 * Optimistic first: COPY the ledger keys, COPY the rows, commit.  If the ledger knows a key, ask
 * with ON CONFLICT which are new and load those.  Keys go in the order of the primary key in
 * every statement, or two overlapping batches deadlock.
 */
#include "sink/pg.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fault_point.h"
#include "sink/pg_blame.h"
#include "sink/pg_ledger.h"
#include "sink/pg_letters.h"
#include "sink/pg_stuck.h"
#include "telemetry/log.h"

enum {
    PROBES = 8,        /* rows looked at further on before the table is blamed */
    BUF_MAX = 1 << 30, /* PostgreSQL's own limit of a message */
    ARENA_MAX = 64 << 20,
};

struct pg_sink {
    struct sl_pg_conn conn;
    const struct sl_config *cfg;
    const struct sl_pg_target *target;
    struct sl_pg_ledger ledger;
    struct sl_pg_letters letters;
    struct sl_buf rows;
    struct sl_arena arena;  /* of one attempt */
    bool must_check_target; /* the table refused: look at the catalog before the next load */
    bool was_to_blame;      /* the table, until a load ends otherwise */
    unsigned rows_max;      /* in one transaction; less while the server is slow */
    struct sl_pg_blame blame;
};

/* One transaction: some entries that follow each other, kept or only tried. */
struct pg_attempt {
    struct sl_pg_entry *const *entries;
    unsigned n;
    struct sl_pg_range range;
    bool is_trial;
};

/* ---- one transaction ----------------------------------------------------------------------- */

static unsigned encode_rows(struct pg_sink *p, struct sl_pg_entry *const *entries, unsigned n)
{
    unsigned rows = 0;

    sl_buf_reset(&p->rows);
    sl_pg_copy_begin(&p->rows);
    for (unsigned i = 0; i < n; i++) {
        if (sl_pg_entry_is_row(entries[i])) {
            sl_pg_copy_row(&p->rows, p->cfg->columns, p->cfg->columns_n, entries[i]->r->values);
            rows++;
        }
    }
    sl_pg_copy_end(&p->rows);
    return rows;
}

static sl_rc copy_rows(struct pg_sink *p, unsigned rows, struct sl_err *e)
{
    if (rows == 0) {
        return SL_OK;
    }
    return sl_pg_copy(&p->conn, SL_PG_ROWS, p->target->copy_sql.ptr, sl_buf_str(&p->rows), e);
}

/* What comes behind the ledger.  A trial ends before its COMMIT, with all that this would check. */
static sl_rc load_rest(struct pg_sink *p, const struct pg_attempt *at, unsigned rows,
                       struct sl_err *e)
{
    SL_TRY(copy_rows(p, rows, e));
    SL_TRY(sl_pg_letters_insert(&p->letters, &p->conn, at->entries, at->n, e));
    if (at->is_trial) {
        return sl_pg_exec(&p->conn, SL_PG_COMMIT, "SET CONSTRAINTS ALL IMMEDIATE", NULL, 0, NULL,
                          e);
    }
    SL_FAULT_POINT(before_commit);
    SL_TRY(sl_pg_exec(&p->conn, SL_PG_COMMIT, rows > 0 ? p->target->commit_sql.ptr : "COMMIT", NULL,
                      0, NULL, e));
    SL_FAULT_POINT(committed);
    return SL_OK;
}

/* Everything is encoded before the transaction begins: a server that waits for COPY data knows no
 * timeout, and would hold the ledger keys against everybody. */
static sl_rc load_optimistic(struct pg_sink *p, const struct pg_attempt *at, struct sl_err *e)
{
    const unsigned rows = encode_rows(p, at->entries, at->n);

    SL_TRY(sl_buf_rc(&p->rows, e));
    SL_TRY(sl_pg_ledger_encode(&p->ledger, &at->range, e));
    SL_TRY(sl_pg_ledger_copy(&p->ledger, &p->conn, e));
    return load_rest(p, at, rows, e);
}

static sl_rc load_asking(struct pg_sink *p, const struct pg_attempt *at, struct sl_err *e)
{
    unsigned rows;

    SL_TRY(sl_pg_ledger_ask(&p->ledger, &p->conn, &at->range, e));
    rows = encode_rows(p, at->entries, at->n);
    SL_TRY(sl_buf_rc(&p->rows, e));
    return load_rest(p, at, rows, e);
}

/* ---- a range of entries ------------------------------------------------------------------------ */

static void decide(struct pg_sink *p, struct sl_pg_entry *const *entries, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct sl_record *r = entries[i]->r;

        if (entries[i]->is_known && !entries[i]->is_ours) {
            r->outcome = SL_OUTCOME_DUPLICATE;
        } else if (sl_pg_entry_is_dead(entries[i])) {
            r->outcome = SL_OUTCOME_DEAD_LETTERED;
        } else {
            r->outcome = SL_OUTCOME_LOADED;
            sl_pg_blame_taken(&p->blame);
        }
    }
}

/* One transaction.  On SL_ROW p->conn.fault says what, and where if it knows. */
static sl_rc attempt(struct pg_sink *p, const struct pg_attempt *at, struct sl_err *e)
{
    sl_rc rc;

    for (unsigned i = 0; i < at->n; i++) {
        at->entries[i]->is_known = false;
        at->entries[i]->is_ours = false;
    }
    SL_FAULT_POINT(before_load);
    p->conn.fault = (struct sl_pg_fault){ 0 };
    rc = load_optimistic(p, at, e);
    if (rc != SL_OK && sl_pg_err_is_ledger(&p->conn.fault)) {
        sl_pg_rollback(&p->conn);
        p->conn.fault = (struct sl_pg_fault){ 0 };
        rc = load_asking(p, at, e);
    }
    if (rc != SL_OK || at->is_trial) {
        sl_pg_rollback(&p->conn);
    }
    return rc;
}

static sl_rc load_once(struct pg_sink *p, struct sl_pg_work *w, struct sl_pg_entry *const *entries,
                       unsigned n, struct sl_err *e)
{
    const struct pg_attempt at = { entries, n, sl_pg_work_range(w, entries, n), false };

    SL_TRY(attempt(p, &at, e));
    decide(p, entries, n);
    return SL_OK;
}

/* Whether the table takes this one, which is not kept: others are to be loaded before. */
static sl_rc load_trial(struct pg_sink *p, struct sl_pg_work *w, struct sl_pg_entry *const *entry,
                        struct sl_err *e)
{
    const struct pg_attempt at = { entry, 1, sl_pg_work_range(w, entry, 1), true };

    return attempt(p, &at, e);
}

/* The entry of the fault's COPY line; n when the server did not say. */
static unsigned find_line(const struct pg_sink *p, struct sl_pg_entry *const *entries, unsigned n)
{
    unsigned long line = p->conn.fault.line;

    for (unsigned i = 0; i < n && line > 0; i++) {
        line -= sl_pg_entry_is_row(entries[i]);
        if (line == 0) {
            return i;
        }
    }
    return n;
}

/* Many refused in a row: look further on for one that is not.
 * Returns: SL_ROW when there is one, so that these are the rows' fault after all; SL_TABLE */
static sl_rc probe(struct pg_sink *p, struct sl_pg_work *w, struct sl_pg_entry *const *rest,
                   unsigned n, struct sl_err *e)
{
    for (unsigned k = 1; k <= PROBES && n > 0; k++) {
        struct sl_pg_entry *const *entry = &rest[n * k / PROBES > 0 ? n * k / PROBES - 1 : 0];
        const sl_rc rc = sl_pg_entry_is_dead(*entry) ? SL_ROW : load_trial(p, w, entry, e);

        if (rc == SL_OK) {
            sl_pg_blame_rows(&p->blame, w);
            return SL_FAIL(e, SL_ROW, "PostgreSQL refuses some rows");
        }
        if (rc != SL_ROW) {
            return rc;
        }
    }
    return sl_pg_blame_table(&p->blame, e);
}

/* A row that is refused all by itself. */
static void refuse(struct pg_sink *p, struct sl_record *r)
{
    const char *sqlstate = p->conn.fault.sqlstate;

    sl_pg_blame_refused(&p->blame, sqlstate, r->message_id);
    r->verdict.reason = SL_REASON_REFUSED;
    memcpy(r->verdict.sqlstate, sqlstate, sizeof r->verdict.sqlstate);
    for (unsigned i = 0; i < p->cfg->columns_n; i++) {
        if (sl_str_eq(p->cfg->columns[i].name, sl_str_of(p->conn.fault.column))) {
            r->verdict.field = p->cfg->columns[i].from_text;
        }
    }
}

/* Of a FIFO queue nothing is loaded before what it follows, so this attempt ends with what stands
 * before the refused row.  Those right behind it are looked at: with the first that is taken, or
 * with enough refused alike, it is clear whose fault it is. */
static sl_rc refuse_in_order(struct pg_sink *p, struct sl_pg_work *w,
                             struct sl_pg_entry *const *rest, unsigned n, struct sl_err *e)
{
    while (n > 0 && !sl_pg_blame_may_be_table(&p->blame, w)) {
        const sl_rc rc = sl_pg_entry_is_dead(*rest) ? SL_ROW : load_trial(p, w, rest, e);

        if (rc == SL_OK) {
            return SL_FAIL(e, SL_ROW, "PostgreSQL refuses some rows");
        }
        if (rc != SL_ROW) {
            return rc;
        }
        if (!sl_pg_entry_is_dead(*rest)) {
            refuse(p, (*rest)->r);
            w->refused_n++;
        }
        rest++;
        n--;
    }
    return sl_pg_blame_may_be_table(&p->blame, w)
               ? probe(p, w, rest, n, e)
               : SL_FAIL(e, SL_ROW, "PostgreSQL refuses some rows");
}

/* What follows from a row that is refused all by itself. */
static sl_rc refused_alone(struct pg_sink *p, struct sl_pg_work *w,
                           struct sl_pg_entry *const *entry, struct sl_err *e)
{
    const unsigned rest = w->n - (*entry)->place - 1;

    refuse(p, (*entry)->r);
    w->refused_n++;
    if ((*entry)->r->group != 0) {
        return refuse_in_order(p, w, entry + 1, rest, e);
    }
    return sl_pg_blame_may_be_table(&p->blame, w) ? probe(p, w, entry + 1, rest, e) : SL_OK;
}

/* Load entries[0..n), splitting at rows that PostgreSQL refuses until each is alone. */
static sl_rc load_range(struct pg_sink *p, struct sl_pg_work *w, struct sl_pg_entry *const *entries,
                        unsigned n, struct sl_err *e)
{
    while (n > 0) {
        unsigned at;
        unsigned width;
        const sl_rc rc = load_once(p, w, entries, n, e);

        if (rc != SL_ROW) {
            return rc;
        }
        if (n == 1) {
            return refused_alone(p, w, entries, e);
        }
        at = find_line(p, entries, n);
        width = at < n ? 1 : 0; /* the named one alone, or the halves */
        at = at < n ? at : n / 2;
        SL_TRY(load_range(p, w, entries, at, e));
        SL_TRY(load_range(p, w, entries + at, width, e));
        entries += at + width;
        n -= at + width;
    }
    return SL_OK;
}

/* After the table's fault, say what is wrong with it before anything is sent again. */
static sl_rc check_target(struct pg_sink *p, struct sl_err *e)
{
    struct sl_pg_target target;
    struct sl_buf mismatches;
    sl_rc rc;

    sl_arena_reset(&p->arena);
    sl_buf_init(&mismatches, 64 << 10);
    rc = sl_pg_target_check(&p->conn, p->cfg, &p->arena, &target, &mismatches, NULL, e);
    if (rc == SL_SCHEMA) {
        rc = e != NULL ? (e->rc = SL_TABLE) : SL_TABLE;
    }
    if (rc == SL_OK && mismatches.len > 0) {
        sl_str rest = sl_buf_str(&mismatches);
        const sl_str first = sl_str_cut(&rest, '\n');

        rc = SL_FAIL(e, SL_TABLE, "the target table has changed: %" SL_FMT, SL_ARG(first));
    }
    sl_buf_done(&mismatches);
    return rc;
}

static sl_rc check_target_if_due(struct pg_sink *p, struct sl_err *e)
{
    if (p->must_check_target) {
        SL_TRY(check_target(p, e));
        p->must_check_target = false;
    }
    return SL_OK;
}

/* Somebody holds a lock that he should not: see whether it is one of us. */
static void end_stuck(struct pg_sink *p)
{
    struct sl_err e = { 0 };

    if (p->conn.pg != NULL && sl_pg_stuck_end(&p->conn, &e) != SL_OK) {
        sl_log_err(SL_LOG_DEBUG, "could not look for stuck sessions", &e);
    }
}

/* What took too long as a whole is tried in parts: a server as slow as that, or a deadline that
 * the batch cannot meet, would hold it up for ever. */
static sl_rc load_parts(struct pg_sink *p, struct sl_pg_work *w, struct sl_err *e)
{
    unsigned at = 0;
    sl_rc rc = SL_OK;

    while (at < w->n && rc == SL_OK) {
        const unsigned n = w->n - at < p->rows_max ? w->n - at : p->rows_max;

        rc = load_range(p, w, w->entries + at, n, e);
        at += n;
        if (rc == SL_TIMEOUT) {
            p->rows_max = n > 1 ? n / 2 : 1;
        } else if (rc == SL_OK && p->rows_max < UINT_MAX / 2) {
            p->rows_max *= 2;
        }
    }
    return rc;
}

/* A table that was to blame may be mended in the midst of a load: what it refused before that is
 * asked once more. */
static sl_rc load_all(struct pg_sink *p, struct sl_pg_work *w, struct sl_err *e)
{
    const sl_rc rc = load_parts(p, w, e);

    if (!p->was_to_blame || (rc != SL_OK && rc != SL_ROW)) {
        return rc;
    }
    p->was_to_blame = false;
    if (w->refused_n == 0) {
        return rc;
    }
    sl_pg_work_forget_refusals(w);
    return load_parts(p, w, e);
}

static sl_rc sink_load_work(struct pg_sink *p, struct sl_pg_work *w, struct sl_err *e)
{
    sl_rc rc = load_all(p, w, e);

    if (rc == SL_TABLE) {
        p->must_check_target = p->was_to_blame = true;
        sl_pg_work_forget_refusals(w);
    }
    if (rc == SL_OK && w->refused_n > 0) {
        rc = SL_FAIL(e, SL_ROW, "PostgreSQL refuses %u of %u rows", w->refused_n, w->n);
    }
    return rc;
}

/* Not those of this very batch, whose COMMIT may have lost its answer: load knows what they are. */
static sl_rc recognize_strays(struct pg_sink *p, struct sl_pg_work *w, struct sl_err *e)
{
    struct sl_pg_range strays = { .keys = w->keys, .batch_id = w->batch_id };

    for (unsigned i = 0; i < w->n; i++) {
        if (sl_record_is_stray(w->sorted[i].r)) {
            strays.keys[strays.n++] = &w->sorted[i];
        }
    }
    SL_TRY(sl_pg_ledger_recognize(&p->ledger, &p->conn, &strays, e));
    for (unsigned i = 0; i < strays.n; i++) {
        if (strays.keys[i]->is_known) {
            strays.keys[i]->r->outcome = SL_OUTCOME_DUPLICATE;
        }
    }
    sl_pg_work_decide_repeats(w);
    return SL_OK;
}

static sl_rc sink_recognize(void *self, struct sl_batch *b, struct sl_err *e)
{
    struct pg_sink *p = self;
    struct sl_pg_work w;

    SL_TRY(sl_pg_connect(&p->conn, e));
    sl_arena_reset(&p->arena);
    SL_TRY(sl_pg_work_init(&w, b, p->cfg, &p->arena, e));
    return recognize_strays(p, &w, e);
}

static sl_rc sink_load(void *self, struct sl_batch *b, struct sl_err *e)
{
    struct pg_sink *p = self;
    struct sl_pg_work w;
    sl_rc rc;

    SL_TRY(sl_pg_connect(&p->conn, e));
    SL_TRY(check_target_if_due(p, e));
    /* Not in the batch's arena: an outage may last for thousands of attempts. */
    sl_arena_reset(&p->arena);
    SL_TRY(sl_pg_work_init(&w, b, p->cfg, &p->arena, e));
    rc = sink_load_work(p, &w, e);
    sl_pg_work_decide_repeats(&w);
    if (rc == SL_UNAVAILABLE && strcmp(p->conn.fault.sqlstate, "55P03") == 0) {
        end_stuck(p);
    }
    return rc;
}

static sl_rc sink_probe(void *self, struct sl_err *e)
{
    struct pg_sink *p = self;

    SL_TRY(sl_pg_probe(&p->conn, e));
    return check_target_if_due(p, e);
}

static void sink_close(void *self)
{
    struct pg_sink *p = self;

    sl_pg_close(&p->conn);
    sl_arena_done(&p->arena);
    sl_pg_ledger_done(&p->ledger);
    sl_pg_letters_done(&p->letters);
    sl_buf_done(&p->rows);
    free(p);
}

sl_rc sl_pg_open(const struct sl_config *cfg, const struct sl_pg_target *target,
                 struct sl_wait wait, const struct sl_stop *stop, struct sl_sink *ret,
                 struct sl_err *e)
{
    static const struct sl_sink_ops ops = {
        .recognize = sink_recognize, .load = sink_load, .probe = sink_probe, .close = sink_close
    };
    struct pg_sink *p = calloc(1, sizeof *p);

    if (p == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not make a sink");
    }
    p->cfg = cfg;
    p->target = target;
    p->rows_max = UINT_MAX;
    p->conn.wait = wait;
    p->conn.stop = stop;
    p->conn.cfg = cfg;
    (void)snprintf(p->conn.table, sizeof p->conn.table, "%" SL_FMT, SL_ARG(target->name));
    sl_arena_init(&p->arena, ARENA_MAX, 64 << 10);
    sl_pg_ledger_init(&p->ledger, sl_config_is_keyed(cfg), target->pipeline);
    sl_pg_letters_init(&p->letters, target->pipeline);
    sl_buf_init(&p->rows, BUF_MAX);
    *ret = (struct sl_sink){ .self = p, .ops = &ops };
    return SL_OK;
}
