/* app_retry.c - dead letters go through the stages again. */
#include "app_retry.h"

#include <stdio.h>

#include "app_ledger.h"
#include "sink/pg_schema.h"

enum {
    ARENA_MAX = 16 << 20,
    MISMATCHES_MAX = 64 << 10,
    PARSER_MAX = 16 << 20,
};

/* ---- before anything is opened ------------------------------------------------------------------- */

static bool is_kept(const struct sl_config *cfg, const struct sl_column *column)
{
    return column->from != SL_FROM_RECEIVE_COUNT && column->from != SL_FROM_TRACE_ID &&
           (column->from != SL_FROM_ATTRIBUTE || sl_config_has_own_attributes(cfg));
}

/* All would be refused for it, and lose the reason that they have. */
sl_rc sl_retry_check(const struct sl_config *cfg, struct sl_buf *notes, struct sl_err *e)
{
    if (cfg->envelope == SL_ENVELOPE_S3) {
        return SL_FAIL(
            e, SL_CONFIG,
            "envelope: s3: the objects are fetched by a run only; send the messages again");
    }
    for (unsigned i = 0; i < cfg->columns_n; i++) {
        const struct sl_column *column = &cfg->columns[i];

        if (is_kept(cfg, column)) {
            continue;
        }
        if (column->is_required) {
            return SL_FAIL(e, SL_CONFIG,
                           "column %" SL_FMT " is required, and %" SL_FMT " is not kept with a "
                           "dead letter: retry with a configuration where it is not",
                           SL_ARG(column->name), SL_ARG(column->from_text));
        }
        sl_buf_printf(notes,
                      "column %" SL_FMT ": %" SL_FMT " is not kept with a dead letter, so it will "
                      "be NULL\n",
                      SL_ARG(column->name), SL_ARG(column->from_text));
    }
    return SL_OK;
}

static sl_rc schema_find(struct sl_retry *t, struct sl_err *e)
{
    bool has_schema = false;
    bool has_target = false;

    if (!t->is_dry_run) {
        return sl_pg_schema_prepare(t->conn, t->cfg, e);
    }
    SL_TRY(sl_pg_schema_find(t->conn, t->cfg, &has_schema, &has_target, e));
    return has_schema && has_target
               ? SL_OK
               : SL_FAIL(e, SL_SCHEMA, "%s does not exist, or is of an older version",
                         has_schema ? "the table" : "schema sluice");
}

/* As for a run: the table as it is now, and the keys that this database knows. */
static sl_rc database_check(struct sl_retry *t, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf mismatches = { .max_bytes = MISMATCHES_MAX };
    struct sl_pg_conn *conn = t->conn;

    SL_TRY(schema_find(t, e));
    SL_TRY(sl_pg_target_check(conn, t->cfg, &t->arena, &t->target, &mismatches, NULL, e));
    if (mismatches.len > 0) {
        sl_str rest = sl_buf_str(&mismatches);
        const sl_str first = sl_str_cut(&rest, '\n');

        return SL_FAIL(e, SL_SCHEMA, "the table does not fit the columns: %" SL_FMT, SL_ARG(first));
    }
    (void)snprintf(conn->table, sizeof conn->table, "%" SL_FMT, SL_ARG(t->target.name));
    return t->is_dry_run ? sl_pg_key_compare(conn, t->ring, e) : sl_pg_key_check(conn, t->ring, e);
}

static sl_rc vault_open(struct sl_retry *t, struct sl_err *e)
{
    struct sl_pg_conn conn = { .wait = sl_wait_plain(),
                               .stop = t->conn->stop,
                               .url = t->cfg->vault.url.ptr };
    struct sl_err why = { 0 };
    sl_rc rc;

    if (t->cfg->vault.url.len == 0 || t->is_dry_run) {
        return SL_OK;
    }
    rc = sl_vault_prepare(&conn, t->cfg, &why);
    sl_pg_close(&conn);
    return rc == SL_OK ? sl_vault_open(t->cfg, sl_wait_plain(), t->conn->stop, &t->p.vault, e)
                       : SL_FAIL(e, rc, "vault: %.1000s", why.msg);
}

/* With another key than the message id, the value may have come again, in a message that could be
 * loaded. */
static sl_rc ledger_open(struct sl_retry *t, struct sl_err *e)
{
    const sl_str pipeline = t->target.pipeline;
    sl_str sealed;

    if (t->cfg->dedup == SL_DEDUP_MESSAGE_ID) {
        return SL_OK;
    }
    SL_TRY(sl_app_ledger_find(t->conn, t->ring, pipeline, &t->arena, &sealed, e));
    return sl_app_ledger_open(t->cfg, t->p.masks.masker, pipeline, sealed, &t->p.ledger_mac, e);
}

sl_rc sl_retry_open(struct sl_retry *t, struct sl_err *e)
{
    const struct sl_config *cfg = t->cfg;

    t->p.cfg = cfg;
    sl_arena_init(&t->arena, ARENA_MAX, 16 << 10);
    sl_arena_init(&t->p.scratch, SL_BATCH_BYTES, 64 << 10);
    SL_TRY(database_check(t, e));
    SL_TRY(vault_open(t, e));
    SL_TRY(sl_masks_open(cfg, t->ring, &t->p.masks, e));
    SL_TRY(ledger_open(t, e));
    SL_TRY(sl_json_parser_new(PARSER_MAX, &t->p.parser, e));
    sl_pg_retry_init(&t->sink, t->conn, cfg, &t->target);
    t->sink.is_dry_run = t->is_dry_run;
    return SL_OK;
}

void sl_retry_close(struct sl_retry *t)
{
    sl_pg_retry_done(&t->sink);
    sl_json_parser_free(t->p.parser);
    sl_hmac_free(t->p.ledger_mac);
    sl_masks_close(&t->p.masks);
    sl_vault_close(t->p.vault);
    sl_arena_done(&t->p.scratch);
    sl_arena_done(&t->arena);
}

/* ---- some of them ---------------------------------------------------------------------------------- */

static int64_t int8_of(const PGresult *rows, int row, int column)
{
    uint64_t wire;

    memcpy(&wire, PQgetvalue(rows, row, column), sizeof wire);
    return (int64_t)__builtin_bswap64(wire);
}

static sl_str bytes_of(const PGresult *rows, int row, int column)
{
    return (sl_str){ PQgetvalue(rows, row, column), (size_t)PQgetlength(rows, row, column) };
}

/* The message as the queue gave it, as far as it is kept. */
static sl_rc letter_open(struct sl_retry *t, const PGresult *rows, int row, struct sl_arena *a,
                         struct sl_pg_letter *l, struct sl_err *e)
{
    struct sl_record *r = sl_arena_calloc(a, 1, sizeof *r);
    sl_cleartext body = { 0 };

    if (r == NULL) {
        return SL_FAIL(e, SL_NOMEM, "no room for a dead letter");
    }
    r->sent_at_ms = int8_of(rows, row, 1);
    r->received_at_ms = int8_of(rows, row, 2);
    r->message_id = bytes_of(rows, row, 3);
    SL_TRY(sl_open_body(t->p.masks.masker, r->message_id, bytes_of(rows, row, 4), a, &body, e));
    SL_TRY(sl_json_padded(body, a, &r->body, e));
    *l = (struct sl_pg_letter){ .id = int8_of(rows, row, 0), .r = r };
    return SL_OK;
}

/* Those that open; the others are named and stay as they are. */
static sl_rc batch_open(struct sl_retry *t, const PGresult *rows, struct sl_batch *b,
                        struct sl_pg_letter *letters, struct sl_err *e)
{
    for (int row = 0; row < PQntuples(rows); row++) {
        struct sl_err why = { 0 };
        const sl_rc rc = letter_open(t, rows, row, &b->arena, &letters[b->n], &why);

        if (rc == SL_VALUE) {
            t->n.closed++;
            t->ear.closed(t->ear.ctx, int8_of(rows, row, 0), why.msg);
        } else if (rc != SL_OK) {
            return SL_FAIL(e, rc, "%.1000s", why.msg);
        } else {
            b->records[b->n] = letters[b->n].r;
            b->n++;
        }
    }
    return SL_OK;
}

static sl_rc batch_edit(struct sl_retry *t, struct sl_batch *b, struct sl_err *e)
{
    return t->ear.edit == NULL || b->n == 0 ? SL_OK : t->ear.edit(t->ear.ctx, b, e);
}

/* The vault comes first, as in a run: a token whose original is nowhere could not be recovered. */
static sl_rc batch_load(struct sl_retry *t, struct sl_batch *b, struct sl_pg_letter *letters,
                        struct sl_err *e)
{
    SL_TRY(sl_stage_decode(&t->p, b, e));
    SL_TRY(sl_stage_mask(&t->p, b, e));
    if (t->p.vault != NULL) {
        SL_TRY(sl_vault_put(t->p.vault, b, e));
    }
    return sl_pg_retry_load(&t->sink, letters, b->n, e);
}

static void letter_count(struct sl_retry *t, const struct sl_pg_letter *l)
{
    switch (l->r->outcome) {
    case SL_OUTCOME_LOADED:
        t->n.loaded++;
        break;
    case SL_OUTCOME_DUPLICATE:
        t->n.known++;
        break;
    case SL_OUTCOME_DEAD_LETTERED:
        t->n.refused++;
        break;
    default:
        t->n.passed++;
        break;
    }
    t->ear.letter(t->ear.ctx, l);
}

static sl_rc batch_run(struct sl_retry *t, const PGresult *rows, struct sl_err *e)
{
    const unsigned n = (unsigned)PQntuples(rows);
    SL_AUTO(sl_batch_done) struct sl_batch b = { 0 };
    struct sl_pg_letter *letters;
    sl_rc rc;

    SL_TRY(sl_batch_init(&b, n, SL_BATCH_BYTES, e));
    letters = sl_arena_calloc(&b.arena, n, sizeof *letters);
    if (letters == NULL) {
        return SL_FAIL(e, SL_NOMEM, "no room for %u dead letters", n);
    }
    SL_TRY(batch_open(t, rows, &b, letters, e));
    SL_TRY(batch_edit(t, &b, e));
    if (b.n == 0) {
        return SL_OK;
    }
    rc = batch_load(t, &b, letters, e);
    for (unsigned i = 0; i < b.n; i++) {
        if (rc == SL_OK || letters[i].r->outcome != SL_OUTCOME_NONE) {
            letter_count(t, &letters[i]);
        }
    }
    return rc;
}

/* ---- all of them ----------------------------------------------------------------------------------- */

static bool is_stopped(const struct sl_retry *t)
{
    return t->conn->stop != NULL && atomic_load(&t->conn->stop->is_urgent);
}

sl_rc sl_retry_run(struct sl_retry *t, const struct sl_pg_dead_filter *wanted, int64_t after_id,
                   struct sl_err *e)
{
    struct sl_pg_dead_filter filter = *wanted;

    t->last_id = after_id;
    for (;;) {
        SL_AUTO(sl_pg_clear) PGresult *rows = NULL;
        unsigned n;

        SL_TRY(sl_pg_retry_read(t->conn, &filter, t->last_id, &rows, e));
        n = (unsigned)PQntuples(rows);
        if (n == 0) {
            return SL_OK;
        }
        if (t->last_id > after_id && is_stopped(t)) {
            return SL_FAIL(e, SL_STOPPED, "stopped: the others are as they were");
        }
        SL_TRY(batch_run(t, rows, e));
        t->last_id = int8_of(rows, (int)n - 1, 0);
        if (filter.limit > 0 && (filter.limit -= n) == 0) {
            t->has_more = true;
            return SL_OK;
        }
    }
}
