/* cmd/dead_retry.c - dead letters go through the stages again, with today's configuration. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "app_ledger.h"
#include "cmd/dead_edit.h"
#include "cmd/dead_verbs.h"
#include "keys/key_config.h"
#include "pipeline/pipeline.h"
#include "sink/pg_retry.h"
#include "sink/pg_schema.h"
#include "telemetry/log.h"

enum {
    ARENA_MAX = 16 << 20,
    MISMATCHES_MAX = 64 << 10,
    PARSER_MAX = 16 << 20,
};

struct retry {
    struct sl_dead *d;
    struct sl_keyring *ring;
    struct sl_pipeline p;
    struct sl_arena arena; /* of the target */
    struct sl_pg_target target;
    struct sl_pg_retry sink;
    uint64_t loaded;
    uint64_t known; /* loaded already with another message */
    uint64_t refused;
    uint64_t closed; /* do not open with these keys */
    uint64_t passed; /* somebody else holds them, or was faster */
};

/* ---- before anything is opened ------------------------------------------------------------------- */

static bool is_kept(const struct sl_config *cfg, const struct sl_column *column)
{
    return column->from != SL_FROM_RECEIVE_COUNT && column->from != SL_FROM_TRACE_ID &&
           (column->from != SL_FROM_ATTRIBUTE || sl_config_has_own_attributes(cfg));
}

/* All would be refused for it, and lose the reason that they have. */
static sl_rc facts_check(const struct sl_config *cfg, struct sl_err *e)
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
        (void)fprintf(stderr,
                      "column %" SL_FMT ": %" SL_FMT " is not kept with a dead letter, so it will "
                      "be NULL\n",
                      SL_ARG(column->name), SL_ARG(column->from_text));
    }
    return SL_OK;
}

static sl_rc schema_find(struct retry *t, struct sl_err *e)
{
    bool has_schema = false;
    bool has_target = false;

    if (!t->d->is_dry_run) {
        return sl_pg_schema_prepare(&t->d->conn, &t->d->cfg, e);
    }
    SL_TRY(sl_pg_schema_find(&t->d->conn, &t->d->cfg, &has_schema, &has_target, e));
    return has_schema && has_target
               ? SL_OK
               : SL_FAIL(e, SL_SCHEMA, "%s does not exist, or is of an older version",
                         has_schema ? "the table" : "schema sluice");
}

/* As for a run: the table as it is now, and the keys that this database knows. */
static sl_rc database_check(struct retry *t, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf mismatches = { .max_bytes = MISMATCHES_MAX };
    struct sl_pg_conn *conn = &t->d->conn;

    SL_TRY(schema_find(t, e));
    SL_TRY(sl_pg_target_check(conn, &t->d->cfg, &t->arena, &t->target, &mismatches, NULL, e));
    if (mismatches.len > 0) {
        sl_str rest = sl_buf_str(&mismatches);
        const sl_str first = sl_str_cut(&rest, '\n');

        return SL_FAIL(e, SL_SCHEMA, "the table does not fit the columns: %" SL_FMT, SL_ARG(first));
    }
    (void)snprintf(conn->table, sizeof conn->table, "%" SL_FMT, SL_ARG(t->target.name));
    return t->d->is_dry_run ? sl_pg_key_compare(conn, t->ring, e)
                            : sl_pg_key_check(conn, t->ring, e);
}

static sl_rc vault_open(struct retry *t, struct sl_err *e)
{
    struct sl_pg_conn conn = { .wait = sl_wait_plain(), .url = t->d->cfg.vault.url.ptr };
    struct sl_err why = { 0 };
    sl_rc rc;

    if (t->d->cfg.vault.url.len == 0 || t->d->is_dry_run) {
        return SL_OK;
    }
    rc = sl_vault_prepare(&conn, &t->d->cfg, &why);
    sl_pg_close(&conn);
    return rc == SL_OK ? sl_vault_open(&t->d->cfg, sl_wait_plain(), NULL, &t->p.vault, e)
                       : SL_FAIL(e, rc, "vault: %.1000s", why.msg);
}

/* With another key than the message id, the value may have come again, in a message that could be
 * loaded. */
static sl_rc ledger_open(struct retry *t, struct sl_err *e)
{
    const sl_str pipeline = t->target.pipeline;
    sl_str sealed;

    if (t->d->cfg.dedup == SL_DEDUP_MESSAGE_ID) {
        return SL_OK;
    }
    SL_TRY(sl_app_ledger_find(&t->d->conn, t->ring, pipeline, &t->arena, &sealed, e));
    return sl_app_ledger_open(&t->d->cfg, t->p.masks.masker, pipeline, sealed, &t->p.ledger_mac, e);
}

static sl_rc retry_open(struct retry *t, struct sl_err *e)
{
    const struct sl_config *cfg = &t->d->cfg;

    t->p.cfg = cfg;
    sl_arena_init(&t->arena, ARENA_MAX, 16 << 10);
    sl_arena_init(&t->p.scratch, SL_BATCH_BYTES, 64 << 10);
    SL_TRY(facts_check(cfg, e));
    SL_TRY(sl_keys_of(cfg, &t->ring, e));
    SL_TRY(database_check(t, e));
    SL_TRY(vault_open(t, e));
    SL_TRY(sl_masks_open(cfg, t->ring, &t->p.masks, e));
    SL_TRY(ledger_open(t, e));
    SL_TRY(sl_json_parser_new(PARSER_MAX, &t->p.parser, e));
    sl_pg_retry_init(&t->sink, &t->d->conn, cfg, &t->target);
    t->sink.is_dry_run = t->d->is_dry_run;
    return SL_OK;
}

static void retry_close(struct retry *t)
{
    sl_pg_retry_done(&t->sink);
    sl_json_parser_free(t->p.parser);
    sl_hmac_free(t->p.ledger_mac);
    sl_masks_close(&t->p.masks);
    sl_vault_close(t->p.vault);
    sl_keyring_free(t->ring);
    sl_arena_done(&t->p.scratch);
    sl_arena_done(&t->arena);
}

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

static void say_letter(struct retry *t, const struct sl_pg_letter *l)
{
    switch (l->r->outcome) {
    case SL_OUTCOME_LOADED:
        t->loaded++;
        if (t->d->is_dry_run) {
            (void)printf("%" PRId64 ": loads\n", l->id);
        }
        break;
    case SL_OUTCOME_DUPLICATE:
        t->known++;
        (void)printf("%" PRId64 ": another message has brought it\n", l->id);
        break;
    case SL_OUTCOME_DEAD_LETTERED:
        t->refused++;
        say_refused(l->id, &l->r->verdict);
        break;
    default:
        t->passed++;
        (void)printf("%" PRId64 ": another retry has it\n", l->id);
        break;
    }
}

static uint64_t seen(const struct retry *t)
{
    return t->loaded + t->known + t->refused + t->closed + t->passed;
}

static void say_sum(const struct retry *t)
{
    const bool is_dry = t->d->is_dry_run;

    (void)printf("%s%" PRIu64 " dead letter%s: %" PRIu64 " %s, %" PRIu64 " still refused",
                 is_dry ? "dry run of " : "retried ", seen(t), seen(t) == 1 ? "" : "s", t->loaded,
                 is_dry ? "would load" : "loaded", t->refused);
    if (t->known > 0) {
        (void)printf(", %" PRIu64 " known already", t->known);
    }
    if (t->closed > 0) {
        (void)printf(", %" PRIu64 " do not open", t->closed);
    }
    if (t->passed > 0) {
        (void)printf(", %" PRIu64 " left to another retry", t->passed);
    }
    (void)printf("%s\n", is_dry ? "; nothing is changed" : "");
    if (t->d->is_edit && t->refused > 0) {
        (void)printf("the edited body is not kept\n");
    }
    if (!is_dry) {
        SL_LOG(SL_LOG_INFO, "retried dead letters",
               sl_field_int("sluice.loaded", (int64_t)t->loaded),
               sl_field_int("sluice.refused", (int64_t)(t->refused + t->closed)),
               sl_field_int("user.id", (int64_t)getuid()));
    }
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
static sl_rc letter_open(struct retry *t, const PGresult *rows, int row, struct sl_arena *a,
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
static sl_rc batch_open(struct retry *t, const PGresult *rows, struct sl_batch *b,
                        struct sl_pg_letter *letters, struct sl_err *e)
{
    for (int row = 0; row < PQntuples(rows); row++) {
        struct sl_err why = { 0 };
        const sl_rc rc = letter_open(t, rows, row, &b->arena, &letters[b->n], &why);

        if (rc == SL_VALUE) {
            t->closed++;
            (void)printf("%" PRId64 ": cannot be opened: %s\n", int8_of(rows, row, 0), why.msg);
        } else if (rc != SL_OK) {
            return SL_FAIL(e, rc, "%.1000s", why.msg);
        } else {
            b->records[b->n] = letters[b->n].r;
            b->n++;
        }
    }
    return SL_OK;
}

/* A person takes his time, longer than a connection that is idle may live. */
static sl_rc batch_edit(struct retry *t, struct sl_batch *b, struct sl_err *e)
{
    struct sl_record *r;

    if (!t->d->is_edit || b->n == 0) {
        return SL_OK;
    }
    r = b->records[0];
    SL_TRY(sl_dead_record(t->d, "dead retry --edit", e));
    sl_pg_close(&t->d->conn);
    SL_TRY(sl_dead_edit(r->body, &b->arena, &r->body, e));
    return sl_pg_connect(&t->d->conn, e);
}

/* The vault comes first, as in a run: a token whose original is nowhere could not be recovered. */
static sl_rc batch_load(struct retry *t, struct sl_batch *b, struct sl_pg_letter *letters,
                        struct sl_err *e)
{
    SL_TRY(sl_stage_decode(&t->p, b, e));
    SL_TRY(sl_stage_mask(&t->p, b, e));
    if (t->p.vault != NULL) {
        SL_TRY(sl_vault_put(t->p.vault, b, e));
    }
    return sl_pg_retry_load(&t->sink, letters, b->n, e);
}

static sl_rc batch_run(struct retry *t, const PGresult *rows, struct sl_err *e)
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
            say_letter(t, &letters[i]);
        }
    }
    return rc;
}

/* ---- all of them ----------------------------------------------------------------------------------- */

/* Of those that were asked for by id. */
static sl_rc say_done(const struct retry *t, struct sl_err *e)
{
    const struct sl_pg_dead_filter done = { .pipeline = t->d->filter.pipeline,
                                            .ids = t->d->filter.ids,
                                            .status = SL_STR("retried") };
    SL_AUTO(sl_pg_clear) PGresult *rows = NULL;

    if (done.ids.len == 0) {
        return SL_OK;
    }
    SL_TRY(sl_pg_dead_list(&t->d->conn, &done, &rows, e));
    for (int row = 0; row < PQntuples(rows); row++) {
        (void)printf("%s: retried already\n", PQgetvalue(rows, row, 0));
    }
    return SL_OK;
}

static sl_rc retry_all(struct retry *t, struct sl_err *e)
{
    struct sl_pg_dead_filter filter = t->d->filter;
    int64_t after_id = 0;

    for (;;) {
        SL_AUTO(sl_pg_clear) PGresult *rows = NULL;
        unsigned n;

        SL_TRY(sl_pg_retry_read(&t->d->conn, &filter, after_id, &rows, e));
        n = (unsigned)PQntuples(rows);
        if (n == 0) {
            return SL_OK;
        }
        SL_TRY(batch_run(t, rows, e));
        after_id = int8_of(rows, (int)n - 1, 0);
        if (filter.limit > 0 && (filter.limit -= n) == 0) {
            return SL_OK;
        }
    }
}

sl_rc sl_dead_retry(struct sl_dead *d, struct sl_err *e)
{
    struct retry t = { .d = d };
    sl_rc rc = sl_pg_dead_find(&d->conn, &d->filter, e);

    if (rc == SL_OK) {
        rc = retry_open(&t, e);
    }
    if (rc == SL_OK) {
        rc = say_done(&t, e);
    }
    if (rc == SL_OK) {
        rc = retry_all(&t, e);
    }
    if (rc == SL_OK || seen(&t) > 0) {
        say_sum(&t);
    }
    d->has_left = t.refused + t.closed > 0;
    retry_close(&t);
    return rc;
}
