/* sink/pg.c - ledger, rows and dead letters in one transaction.
 *
 * Optimistic first: COPY the ledger keys, COPY the rows, commit.  If the ledger knows a key, ask
 * with ON CONFLICT which are new and load those.  Keys go in the order of the primary key in
 * every statement, or two overlapping batches deadlock.
 */
#include "sink/pg.h"

#include <limits.h>
#include <stdlib.h>

#include "base/fault_point.h"
#include "sink/pg_copy.h"
#include "sink/pg_stuck.h"
#include "telemetry/log.h"

enum {
    PROBES = 8,            /* rows looked at further on before the table is blamed */
    REFUSED_IN_A_ROW = 10, /* rows refused alike without one accepted: the table's fault */
    BUF_MAX = 1 << 30,     /* PostgreSQL's own limit of a message */
    ARENA_MAX = 64 << 20,

    /* pg_type.dat: element type, then its array */
    OID_BYTEA = 17,
    OID_INT2 = 21,
    OID_TEXT = 25,
    OID_TIMESTAMPTZ = 1184,
    OID_UUID = 2950,
    OID_BYTEA_ARRAY = 1001,
    OID_INT2_ARRAY = 1005,
    OID_TEXT_ARRAY = 1009,
    OID_TIMESTAMPTZ_ARRAY = 1185,
};

struct pg_entry {
    struct sl_ledger_key key;
    struct sl_record *r;
    bool is_known; /* the ledger had it before this transaction */
    bool is_ours;  /* this very batch has put it there, now or before */
};

struct pg_sink {
    struct sl_pg_conn conn;
    const struct sl_config *cfg;
    const struct sl_pg_target *target;
    struct sl_buf ledger;
    struct sl_buf rows;
    struct sl_buf params[8];
    struct sl_arena arena;  /* of one attempt */
    bool must_check_target; /* the table refused: look at the catalog before the next load */
    unsigned rows_max;      /* in one transaction; less while the server is slow */
    unsigned refused_in_a_row;
    char refused_with[6];            /* SQLSTATE */
    unsigned char rows_to_blame[16]; /* id of a batch in which the table did take rows */
};

/* A further delivery of a message in the same batch. */
struct pg_repeat {
    struct sl_record *r;
    const struct sl_record *first;
};

/* Records without an outcome, in the order of the ledger; repeats of one message apart. */
struct pg_work {
    struct pg_entry *entries;
    unsigned n;
    struct pg_repeat *repeats;
    unsigned repeats_n;
    unsigned refused_n; /* rows given a verdict by this attempt */
    const unsigned char *batch_id;
};

static int entry_cmp(const void *a, const void *b)
{
    const struct pg_entry *x = a;
    const struct pg_entry *y = b;

    return sl_ledger_key_cmp(&x->key, &y->key);
}

static bool is_dead(const struct sl_record *r)
{
    return r->verdict.reason != SL_REASON_NONE;
}

static sl_rc work_init(struct pg_sink *p, struct pg_work *w, struct sl_batch *b, struct sl_err *e)
{
    unsigned n = 0;

    /* Not in the batch's arena: an outage may last for thousands of attempts. */
    sl_arena_reset(&p->arena);
    *w = (struct pg_work){
        .entries = sl_arena_calloc(&p->arena, b->n + 1, sizeof *w->entries),
        .repeats = sl_arena_calloc(&p->arena, b->n + 1, sizeof *w->repeats),
        .batch_id = b->id,
    };
    if (w->entries == NULL || w->repeats == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not sort a batch of %u", b->n);
    }
    for (unsigned i = 0; i < b->n; i++) {
        if (b->records[i]->outcome == SL_OUTCOME_NONE) {
            w->entries[n++] =
                (struct pg_entry){ .key = sl_ledger_key_of(b->records[i]), .r = b->records[i] };
        }
    }
    qsort(w->entries, n, sizeof *w->entries, entry_cmp);
    for (unsigned i = 0; i < n; i++) {
        if (w->n > 0 && entry_cmp(&w->entries[w->n - 1], &w->entries[i]) == 0) {
            w->repeats[w->repeats_n++] =
                (struct pg_repeat){ .r = w->entries[i].r, .first = w->entries[w->n - 1].r };
        } else {
            w->entries[w->n++] = w->entries[i];
        }
    }
    return SL_OK;
}

/* ---- one transaction ----------------------------------------------------------------------- */

static bool is_row(const struct pg_entry *entry)
{
    return !entry->is_known && !is_dead(entry->r);
}

static unsigned encode_rows(struct pg_sink *p, const struct pg_entry *entries, unsigned n)
{
    unsigned rows = 0;

    sl_buf_reset(&p->rows);
    sl_pg_copy_begin(&p->rows);
    for (unsigned i = 0; i < n; i++) {
        if (is_row(&entries[i])) {
            sl_pg_copy_row(&p->rows, p->cfg->columns, p->cfg->columns_n, entries[i].r->values);
            rows++;
        }
    }
    sl_pg_copy_end(&p->rows);
    return rows;
}

static void encode_ledger(struct pg_sink *p, const struct pg_work *w,
                          const struct pg_entry *entries, unsigned n)
{
    sl_buf_reset(&p->ledger);
    sl_pg_copy_begin(&p->ledger);
    for (unsigned i = 0; i < n; i++) {
        sl_pg_copy_ledger(&p->ledger, &entries[i].key, p->target->pipeline, w->batch_id);
    }
    sl_pg_copy_end(&p->ledger);
}

static struct sl_pg_param param(uint32_t type, sl_str bytes)
{
    return (struct sl_pg_param){ .type = type, .bytes = bytes.ptr, .len = bytes.len };
}

static void add_text_or_null(struct sl_buf *out, sl_str text)
{
    if (text.len == 0) {
        sl_pg_array_add_null(out);
    } else {
        sl_pg_array_add(out, text);
    }
}

static void encode_dead_letter(struct sl_buf *params, const struct sl_record *r)
{
    /* A dead letter without its body would be a message lost. */
    params[7].has_failed = params[7].has_failed || r->sealed.len == 0;
    sl_pg_array_add(&params[0], r->message_id);
    sl_pg_array_add_i64(&params[1], sl_pg_timestamp(r->sent_at_ms));
    sl_pg_array_add_i64(&params[2], sl_pg_timestamp(r->received_at_ms));
    sl_pg_array_add(&params[3], sl_str_of(sl_reason_stage(r->verdict.reason)));
    sl_pg_array_add(&params[4], sl_str_of(sl_reason_code(r->verdict.reason)));
    add_text_or_null(&params[5], r->verdict.field);
    add_text_or_null(&params[6], sl_str_of(r->verdict.sqlstate));
    sl_pg_array_add(&params[7], r->sealed);
}

static bool is_letter(const struct pg_entry *entry)
{
    return !entry->is_known && is_dead(entry->r) && !entry->r->is_sent;
}

/* Dead letters are few, and an INSERT can say ON CONFLICT: a message that the queue gives another
 * sent_at passes the ledger twice, and must not stop the batch. */
static sl_rc insert_dead_letters(struct pg_sink *p, const struct pg_entry *entries, unsigned n,
                                 struct sl_err *e)
{
    static const char sql[] =
        "INSERT INTO sluice.dead_letter (pipeline, message_id, sent_at, received_at, stage, reason,"
        " field, sqlstate, sealed_body) SELECT $1, * FROM unnest($2, $3, $4, $5, $6, $7, $8, $9)"
        " ON CONFLICT (pipeline, message_id) DO NOTHING";
    static const uint32_t elements[8] = { OID_TEXT, OID_TIMESTAMPTZ, OID_TIMESTAMPTZ, OID_TEXT,
                                          OID_TEXT, OID_TEXT,        OID_TEXT,        OID_BYTEA };
    static const uint32_t arrays[8] = { OID_TEXT_ARRAY,        OID_TIMESTAMPTZ_ARRAY,
                                        OID_TIMESTAMPTZ_ARRAY, OID_TEXT_ARRAY,
                                        OID_TEXT_ARRAY,        OID_TEXT_ARRAY,
                                        OID_TEXT_ARRAY,        OID_BYTEA_ARRAY };
    struct sl_pg_param params[9] = { param(OID_TEXT, p->target->pipeline) };
    unsigned dead = 0;

    for (unsigned i = 0; i < n; i++) {
        dead += is_letter(&entries[i]);
    }
    if (dead == 0) {
        return SL_OK;
    }
    for (unsigned k = 0; k < 8; k++) {
        sl_buf_reset(&p->params[k]);
        sl_pg_array_begin(&p->params[k], elements[k], dead);
    }
    for (unsigned i = 0; i < n; i++) {
        if (is_letter(&entries[i])) {
            encode_dead_letter(p->params, entries[i].r);
        }
    }
    for (unsigned k = 0; k < 8; k++) {
        SL_TRY(sl_buf_rc(&p->params[k], e));
        params[k + 1] = param(arrays[k], sl_buf_str(&p->params[k]));
    }
    return sl_pg_exec(&p->conn, SL_PG_DEAD_LETTERS, sql, params, 9, NULL, e);
}

static sl_rc commit(struct pg_sink *p, struct sl_err *e)
{
    SL_FAULT_POINT(before_commit);
    SL_TRY(sl_pg_exec(&p->conn, SL_PG_COMMIT, "COMMIT", NULL, 0, NULL, e));
    SL_FAULT_POINT(committed);
    return SL_OK;
}

static sl_rc copy_rows(struct pg_sink *p, unsigned rows, struct sl_err *e)
{
    if (rows == 0) {
        return SL_OK;
    }
    return sl_pg_copy(&p->conn, SL_PG_ROWS, p->target->copy_sql.ptr, sl_buf_str(&p->rows), e);
}

/* Everything is encoded before the transaction begins: a server that waits for COPY data knows no
 * timeout, and would hold the ledger keys against everybody. */
static sl_rc load_optimistic(struct pg_sink *p, struct pg_work *w, struct pg_entry *entries,
                             unsigned n, struct sl_err *e)
{
    static const char copy_ledger[] =
        "BEGIN ISOLATION LEVEL READ COMMITTED;"
        "COPY sluice.ledger (slot, sent_at, message_id, pipeline, batch_id)"
        " FROM STDIN (FORMAT binary)";
    const unsigned rows = encode_rows(p, entries, n);

    encode_ledger(p, w, entries, n);
    SL_TRY(sl_buf_rc(&p->rows, e));
    SL_TRY(sl_buf_rc(&p->ledger, e));
    SL_TRY(sl_pg_copy(&p->conn, SL_PG_LEDGER, copy_ledger, sl_buf_str(&p->ledger), e));
    SL_TRY(copy_rows(p, rows, e));
    SL_TRY(insert_dead_letters(p, entries, n, e));
    return commit(p, e);
}

/* ---- the ledger knows some of them ----------------------------------------------------------- */

static uint64_t read_u64(const char *wire)
{
    uint64_t v;

    memcpy(&v, wire, sizeof v);
    return __builtin_bswap64(v);
}

static uint16_t read_u16(const char *wire)
{
    uint16_t v;

    memcpy(&v, wire, sizeof v);
    return __builtin_bswap16(v);
}

/* The entry of a result row (slot, sent_at, message_id); NULL would be a bug of the server's. */
static struct pg_entry *entry_of_row(struct pg_entry *entries, unsigned n, const PGresult *result,
                                     int row)
{
    const struct pg_entry wanted = {
        .key = { .slot = (int16_t)read_u16(PQgetvalue(result, row, 0)),
                 .sent_at_us = (int64_t)read_u64(PQgetvalue(result, row, 1)),
                 .message_id = { PQgetvalue(result, row, 2), (size_t)PQgetlength(result, row, 2) } }
    };

    return bsearch(&wanted, entries, n, sizeof *entries, entry_cmp);
}

static sl_rc encode_keys(struct pg_sink *p, const struct pg_entry *entries, unsigned n,
                         struct sl_err *e)
{
    static const uint32_t elements[3] = { OID_INT2, OID_TIMESTAMPTZ, OID_TEXT };

    for (unsigned k = 0; k < 3; k++) {
        sl_buf_reset(&p->params[k]);
        sl_pg_array_begin(&p->params[k], elements[k], n);
    }
    for (unsigned i = 0; i < n; i++) {
        sl_pg_array_add_i16(&p->params[0], entries[i].key.slot);
        sl_pg_array_add_i64(&p->params[1], entries[i].key.sent_at_us);
        sl_pg_array_add(&p->params[2], entries[i].key.message_id);
    }
    for (unsigned k = 0; k < 3; k++) {
        SL_TRY(sl_buf_rc(&p->params[k], e));
    }
    return SL_OK;
}

/* Ask about the keys of encode_keys; each row that comes back sets what `mark` says. */
static sl_rc ask_ledger(struct pg_sink *p, struct pg_work *w, struct pg_entry *entries, unsigned n,
                        const char *sql, void (*mark)(struct pg_entry *entry), struct sl_err *e)
{
    const struct sl_pg_param params[5] = {
        param(OID_INT2_ARRAY, sl_buf_str(&p->params[0])),
        param(OID_TIMESTAMPTZ_ARRAY, sl_buf_str(&p->params[1])),
        param(OID_TEXT_ARRAY, sl_buf_str(&p->params[2])),
        param(OID_TEXT, p->target->pipeline),
        param(OID_UUID, (sl_str){ (const char *)w->batch_id, 16 }),
    };
    SL_AUTO(sl_pg_clear) PGresult *result = NULL;

    SL_TRY(sl_pg_exec(&p->conn, SL_PG_LEDGER, sql, params, 5, &result, e));
    for (int row = 0; row < PQntuples(result); row++) {
        struct pg_entry *entry = entry_of_row(entries, n, result, row);

        if (entry == NULL) {
            return SL_FAIL(e, SL_BUG, "the ledger returned a key that was not asked for");
        }
        mark(entry);
    }
    return SL_OK;
}

static void mark_new(struct pg_entry *entry)
{
    entry->is_known = false;
}

static void mark_ours(struct pg_entry *entry)
{
    entry->is_ours = true;
}

static sl_rc load_asking(struct pg_sink *p, struct pg_work *w, struct pg_entry *entries, unsigned n,
                         struct sl_err *e)
{
    static const char insert[] =
        "INSERT INTO sluice.ledger (slot, sent_at, message_id, pipeline, batch_id)"
        " SELECT k.slot, k.sent_at, k.message_id, $4, $5"
        " FROM unnest($1, $2, $3) AS k(slot, sent_at, message_id)"
        " ORDER BY k.slot, k.sent_at, k.message_id COLLATE \"C\""
        " ON CONFLICT DO NOTHING RETURNING slot, sent_at, message_id";
    static const char ours[] = "SELECT l.slot, l.sent_at, l.message_id"
                               " FROM unnest($1, $2, $3) AS k(slot, sent_at, message_id)"
                               " JOIN sluice.ledger AS l USING (slot, sent_at, message_id)"
                               " WHERE l.pipeline = $4 AND l.batch_id = $5";

    for (unsigned i = 0; i < n; i++) {
        entries[i].is_known = true;
        entries[i].is_ours = false;
    }
    SL_TRY(encode_keys(p, entries, n, e));
    SL_TRY(sl_pg_exec(&p->conn, SL_PG_SESSION, "BEGIN ISOLATION LEVEL READ COMMITTED", NULL, 0,
                      NULL, e));
    SL_TRY(ask_ledger(p, w, entries, n, insert, mark_new, e));
    /* After the insert, which waits for a COMMIT of ours that is still on its way. */
    SL_TRY(ask_ledger(p, w, entries, n, ours, mark_ours, e));
    SL_TRY(copy_rows(p, encode_rows(p, entries, n), e));
    SL_TRY(insert_dead_letters(p, entries, n, e));
    return commit(p, e);
}

/* ---- a range of entries ------------------------------------------------------------------------ */

static void rollback(struct pg_sink *p)
{
    if (p->conn.pg != NULL && PQtransactionStatus(p->conn.pg) != PQTRANS_IDLE &&
        sl_pg_exec(&p->conn, SL_PG_SESSION, "ROLLBACK", NULL, 0, NULL, NULL) != SL_OK) {
        sl_pg_close(&p->conn);
    }
}

static void decide(struct pg_sink *p, struct pg_entry *entries, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct sl_record *r = entries[i].r;

        if (entries[i].is_known && !entries[i].is_ours) {
            r->outcome = SL_OUTCOME_DUPLICATE;
        } else if (is_dead(r)) {
            r->outcome = SL_OUTCOME_DEAD_LETTERED;
        } else {
            r->outcome = SL_OUTCOME_LOADED;
            p->refused_in_a_row = 0;
        }
    }
}

/* One transaction for entries[0..n).  On SL_ROW p->conn.fault says what, and where if it knows. */
static sl_rc load_once(struct pg_sink *p, struct pg_work *w, struct pg_entry *entries, unsigned n,
                       struct sl_err *e)
{
    sl_rc rc;

    for (unsigned i = 0; i < n; i++) {
        entries[i].is_known = false;
        entries[i].is_ours = false;
    }
    SL_FAULT_POINT(before_load);
    p->conn.fault = (struct sl_pg_fault){ 0 };
    rc = load_optimistic(p, w, entries, n, e);
    if (rc != SL_OK && sl_pg_err_is_ledger(&p->conn.fault)) {
        rollback(p);
        p->conn.fault = (struct sl_pg_fault){ 0 };
        rc = load_asking(p, w, entries, n, e);
    }
    if (rc != SL_OK) {
        rollback(p);
        return rc;
    }
    decide(p, entries, n);
    return SL_OK;
}

/* The entry of the fault's COPY line; n when the server did not say. */
static unsigned find_line(const struct pg_sink *p, const struct pg_entry *entries, unsigned n)
{
    unsigned long line = p->conn.fault.line;

    for (unsigned i = 0; i < n && line > 0; i++) {
        line -= is_row(&entries[i]);
        if (line == 0) {
            return i;
        }
    }
    return n;
}

static sl_rc all_refused(const struct pg_sink *p, struct sl_err *e)
{
    const struct sl_err cause = e != NULL ? *e : (struct sl_err){ 0 };
    const sl_rc rc =
        SL_FAIL(e, SL_TABLE, "every row is refused, so no row is to blame: %.900s", cause.msg);

    if (e != NULL) {
        memcpy(e->sqlstate, p->refused_with, sizeof e->sqlstate);
    }
    return rc;
}

/* Many refused in a row: look further on for one that is not.
 * Returns: SL_ROW when there is one, so that these are the rows' fault after all; SL_TABLE */
static sl_rc probe(struct pg_sink *p, struct pg_work *w, struct pg_entry *rest, unsigned n,
                   struct sl_err *e)
{
    for (unsigned k = 1; k <= PROBES && n > 0; k++) {
        struct pg_entry *entry = &rest[n * k / PROBES > 0 ? n * k / PROBES - 1 : 0];
        const sl_rc rc = is_dead(entry->r) ? SL_ROW : load_once(p, w, entry, 1, e);

        if (rc == SL_OK) {
            memcpy(p->rows_to_blame, w->batch_id, sizeof p->rows_to_blame);
            return SL_FAIL(e, SL_ROW, "PostgreSQL refuses some rows");
        }
        if (rc != SL_ROW) {
            return rc;
        }
    }
    return all_refused(p, e);
}

/* Ten in a row are the table's fault, but for a batch that has shown otherwise. */
static bool may_be_tables_fault(const struct pg_sink *p, const struct pg_work *w)
{
    return p->refused_in_a_row >= REFUSED_IN_A_ROW &&
           memcmp(p->rows_to_blame, w->batch_id, sizeof p->rows_to_blame) != 0;
}

/* A row that is refused all by itself. */
static void refuse(struct pg_sink *p, struct sl_record *r)
{
    const char *sqlstate = p->conn.fault.sqlstate;

    if (strcmp(p->refused_with, sqlstate) != 0) {
        p->refused_in_a_row = 0;
        memcpy(p->refused_with, sqlstate, sizeof p->refused_with);
    }
    p->refused_in_a_row++;
    r->verdict.reason = SL_REASON_REFUSED;
    memcpy(r->verdict.sqlstate, sqlstate, sizeof r->verdict.sqlstate);
    for (unsigned i = 0; i < p->cfg->columns_n; i++) {
        if (sl_str_eq(p->cfg->columns[i].name, sl_str_of(p->conn.fault.column))) {
            r->verdict.field = p->cfg->columns[i].from_text;
        }
    }
}

/* Load entries[0..n), splitting at rows that PostgreSQL refuses until each is alone. */
static sl_rc load_range(struct pg_sink *p, struct pg_work *w, struct pg_entry *entries, unsigned n,
                        struct sl_err *e)
{
    while (n > 0) {
        unsigned at;
        unsigned width;
        const sl_rc rc = load_once(p, w, entries, n, e);

        if (rc != SL_ROW) {
            return rc;
        }
        if (n == 1) {
            refuse(p, entries[0].r);
            w->refused_n++;
            return !may_be_tables_fault(p, w)
                       ? SL_OK
                       : probe(p, w, entries + 1, (unsigned)(w->entries + w->n - entries) - 1, e);
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

/* Take back what is not committed: the next attempt judges anew.  What is sent on is no row. */
static void forget_refusals(struct pg_work *w)
{
    for (unsigned i = 0; i < w->n; i++) {
        struct sl_record *r = w->entries[i].r;

        if (r->outcome == SL_OUTCOME_NONE && r->verdict.reason == SL_REASON_REFUSED &&
            !r->is_sent) {
            r->verdict = (struct sl_verdict){ 0 };
            r->sealed = (sl_str){ 0 };
        }
    }
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
static sl_rc load_parts(struct pg_sink *p, struct pg_work *w, struct sl_err *e)
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

static sl_rc sink_load_work(struct pg_sink *p, struct pg_work *w, struct sl_err *e)
{
    sl_rc rc = load_parts(p, w, e);

    if (rc == SL_TABLE) {
        p->must_check_target = true;
        forget_refusals(w);
    }
    if (rc == SL_OK && w->refused_n > 0) {
        rc = SL_FAIL(e, SL_ROW, "PostgreSQL refuses %u of %u rows", w->refused_n, w->n);
    }
    return rc;
}

/* Whatever became of the rest: what repeats a committed message is a duplicate. */
static void decide_repeats(struct pg_work *w)
{
    for (unsigned i = 0; i < w->repeats_n; i++) {
        if (w->repeats[i].first->outcome != SL_OUTCOME_NONE) {
            w->repeats[i].r->outcome = SL_OUTCOME_DUPLICATE;
        }
    }
}

static void mark_known(struct pg_entry *entry)
{
    entry->is_known = true;
}

/* Not those of this very batch, whose COMMIT may have lost its answer: load knows what they are. */
static sl_rc recognize_strays(struct pg_sink *p, struct pg_work *w, struct sl_err *e)
{
    static const char sql[] = "SELECT l.slot, l.sent_at, l.message_id"
                              " FROM unnest($1, $2, $3) AS k(slot, sent_at, message_id)"
                              " JOIN sluice.ledger AS l USING (slot, sent_at, message_id)"
                              " WHERE l.pipeline = $4 AND l.batch_id <> $5";
    unsigned n = 0;

    for (unsigned i = 0; i < w->n; i++) {
        if (sl_record_is_stray(w->entries[i].r)) {
            w->entries[n++] = w->entries[i];
        }
    }
    SL_TRY(encode_keys(p, w->entries, n, e));
    SL_TRY(ask_ledger(p, w, w->entries, n, sql, mark_known, e));
    for (unsigned i = 0; i < n; i++) {
        if (w->entries[i].is_known) {
            w->entries[i].r->outcome = SL_OUTCOME_DUPLICATE;
        }
    }
    decide_repeats(w);
    return SL_OK;
}

static sl_rc sink_recognize(void *self, struct sl_batch *b, struct sl_err *e)
{
    struct pg_sink *p = self;
    struct pg_work w;

    SL_TRY(sl_pg_connect(&p->conn, e));
    SL_TRY(work_init(p, &w, b, e));
    return recognize_strays(p, &w, e);
}

static sl_rc sink_load(void *self, struct sl_batch *b, struct sl_err *e)
{
    struct pg_sink *p = self;
    struct pg_work w;
    sl_rc rc;

    SL_TRY(sl_pg_connect(&p->conn, e));
    SL_TRY(check_target_if_due(p, e));
    SL_TRY(work_init(p, &w, b, e));
    rc = sink_load_work(p, &w, e);
    decide_repeats(&w);
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
    sl_buf_done(&p->ledger);
    sl_buf_done(&p->rows);
    for (unsigned k = 0; k < 8; k++) {
        sl_buf_done(&p->params[k]);
    }
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
    p->conn.url = cfg->postgres.url.ptr;
    (void)snprintf(p->conn.table, sizeof p->conn.table, "%" SL_FMT, SL_ARG(target->name));
    sl_arena_init(&p->arena, ARENA_MAX, 64 << 10);
    sl_buf_init(&p->ledger, BUF_MAX);
    sl_buf_init(&p->rows, BUF_MAX);
    for (unsigned k = 0; k < 8; k++) {
        sl_buf_init(&p->params[k], BUF_MAX);
    }
    *ret = (struct sl_sink){ .self = p, .ops = &ops };
    return SL_OK;
}
