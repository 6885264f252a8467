/* app_dead.c - dead letters over HTTP. */
#include "app_dead.h"

#include <inttypes.h>

#include "app_console.h"
#include "app_dead_ask.h"
#include "app_retry.h"
#include "telemetry/log.h"

enum {
    READ_MS = 10000,      /* for one statement of an answer that only reads */
    RETRY_LETTERS = 1000, /* of one request: the next one goes on behind them */
    NOTES_MAX = 64 << 10,
    REFUSALS_MAX = 1 << 20,

    BAD_REQUEST = 400, /* statuses of HTTP */
    FORBIDDEN = 403,
    NOT_FOUND = 404,
    CONFLICT = 409,
    UNAVAILABLE = 503,
};

/* In the server, too: behind a pooler it would go on when nobody waits any more. */
static const char begin_read[] = "BEGIN READ ONLY; SET LOCAL statement_timeout = '9s'";

/* One question: what is asked, and a connection for it. */
struct question {
    struct sl_app *app;
    const struct sl_http_asked *asked;
    struct sl_http_page *page;
    struct sl_dead_ask ask;
    struct sl_pg_conn conn;
    struct sl_err e;
};

static unsigned status_of(sl_rc rc)
{
    switch (rc) {
    case SL_USAGE:
        return BAD_REQUEST;
    case SL_DENIED:
        return FORBIDDEN;
    case SL_VALUE:
        return NOT_FOUND;
    case SL_CONFIG:
    case SL_KEY:
    case SL_SCHEMA:
        return CONFLICT;
    default:
        return UNAVAILABLE;
    }
}

static sl_rc question_connect(struct question *q)
{
    if (!atomic_load(&q->app->is_running)) {
        return SL_FAIL(&q->e, SL_UNAVAILABLE, "the run is starting");
    }
    if (atomic_load(&q->app->stop.is_asked)) {
        return SL_FAIL(&q->e, SL_UNAVAILABLE, "stopping");
    }
    q->ask.filter.pipeline = q->app->target.pipeline;
    q->conn.cfg = q->app->cfg;
    return sl_pg_connect(&q->conn, &q->e);
}

/* Answer, or say why not. */
static void question_answer(void *ctx, const struct sl_http_asked *asked, struct sl_http_page *page,
                            sl_rc (*read)(struct question *q), sl_rc (*answer)(struct question *q))
{
    struct sl_app *app = ctx;
    struct question q = { .app = app,
                          .asked = asked,
                          .page = page,
                          .conn = { .wait = sl_wait_plain(), .stop = &app->stop } };
    sl_rc rc = read(&q);

    page->type = "application/json";
    if (rc == SL_OK) {
        rc = question_connect(&q);
    }
    if (rc == SL_OK) {
        rc = answer(&q);
    }
    if (rc != SL_OK) {
        sl_app_page_error(page, status_of(rc), q.e.msg);
    }
    sl_pg_rollback(&q.conn); /* a pooler keeps no session that ends in a transaction */
    sl_pg_close(&q.conn);
    sl_dead_ask_done(&q.ask);
}

static sl_rc read_query(struct question *q)
{
    q->conn.statement_ms = READ_MS;
    return sl_dead_ask_query(q->asked, &q->ask, &q->e);
}

static sl_rc read_path(struct question *q)
{
    q->conn.statement_ms = READ_MS;
    return sl_dead_ask_path(q->asked->path, &q->ask, &q->e);
}

static sl_rc read_body(struct question *q)
{
    return sl_dead_ask_body(q->asked->body, &q->ask, &q->e);
}

/* ---- list ---------------------------------------------------------------------------------------- */

static void add_reasons(struct sl_buf *out, const PGresult *rows)
{
    sl_buf_add_str(out, SL_STR("{\"reasons\":["));
    for (int row = 0; row < PQntuples(rows); row++) {
        sl_buf_printf(out, "%s{\"new\":%s,\"retried\":%s", row > 0 ? "," : "",
                      PQgetvalue(rows, row, 2), PQgetvalue(rows, row, 3));
        sl_app_page_text(out, "code", sl_str_of(PQgetvalue(rows, row, 0)));
        sl_app_page_text(out, "field", sl_str_of(PQgetvalue(rows, row, 1)));
        sl_buf_add_char(out, '}');
    }
    sl_buf_add_char(out, ']');
}

static void add_letters(struct sl_buf *out, const PGresult *rows, int n)
{
    static const char *const names[] = { "status", "received_at", "message_id",
                                         "code",   "field",       "sqlstate" };

    sl_buf_add_str(out, SL_STR(",\"letters\":["));
    for (int row = 0; row < n; row++) {
        sl_buf_printf(out, "%s{\"id\":%s", row > 0 ? "," : "", PQgetvalue(rows, row, 0));
        for (int k = 0; k < 6; k++) {
            sl_app_page_text(out, names[k], sl_str_of(PQgetvalue(rows, row, k + 1)));
        }
        sl_buf_add_char(out, '}');
    }
    sl_buf_add_char(out, ']');
}

/* One more than is shown is asked for: it says whether there are more. */
static sl_rc list(struct question *q)
{
    const int limit = (int)q->ask.filter.limit;
    SL_AUTO(sl_pg_clear) PGresult *letters = NULL;
    SL_AUTO(sl_pg_clear) PGresult *reasons = NULL;
    int n;

    q->ask.filter.limit++;
    SL_TRY(sl_pg_exec(&q->conn, SL_PG_SESSION, begin_read, NULL, 0, NULL, &q->e));
    SL_TRY(sl_pg_dead_list(&q->conn, &q->ask.filter, &letters, &q->e));
    SL_TRY(sl_pg_dead_reasons(&q->conn, q->ask.filter.pipeline, &reasons, &q->e));
    n = PQntuples(letters);
    add_reasons(&q->page->body, reasons);
    add_letters(&q->page->body, letters, n < limit ? n : limit);
    sl_buf_printf(&q->page->body, ",\"more\":%s}\n", n > limit ? "true" : "false");
    return SL_OK;
}

void sl_app_dead_list(void *ctx, const struct sl_http_asked *asked, struct sl_http_page *page)
{
    question_answer(ctx, asked, page, read_query, list);
}

/* ---- one ----------------------------------------------------------------------------------------- */

/* Whole, with its body as it is sealed. */
static sl_rc show(struct question *q)
{
    SL_AUTO(sl_pg_clear) PGresult *rows = NULL;

    SL_TRY(sl_pg_dead_find(&q->conn, &q->ask.filter, &q->e));
    SL_TRY(sl_pg_dead_export(&q->conn, &q->ask.filter, &q->e));
    SL_TRY(sl_pg_dead_export_next(&q->conn, &rows, &q->e));
    if (PQntuples(rows) == 0) {
        return SL_FAIL(&q->e, SL_VALUE, "it has just been purged");
    }
    sl_buf_add_str(&q->page->body, sl_str_of(PQgetvalue(rows, 0, 0)));
    sl_buf_add_char(&q->page->body, '\n');
    return SL_OK;
}

void sl_app_dead_show(void *ctx, const struct sl_http_asked *asked, struct sl_http_page *page)
{
    question_answer(ctx, asked, page, read_path, show);
}

/* Who did what, for the log; also what failed halfway. */
static void say_done(const struct question *q, sl_rc rc, const char *what, const char *key,
                     uint64_t n)
{
    const struct sl_field fields[] = {
        sl_field_int(key, (int64_t)n),
        sl_field_str("client.address", sl_str_of(q->asked->from)),
        sl_field_str("error.code", sl_str_of(sl_rc_name(rc))),
    };

    sl_log_act(what, fields, rc == SL_OK ? 2 : 3);
}

/* ---- retry --------------------------------------------------------------------------------------- */

/* What becomes of them, as members of JSON. */
struct refusals {
    struct sl_buf text;
    unsigned n;
};

static void refusal_add(struct refusals *r, int64_t id, const struct sl_verdict *v)
{
    sl_buf_printf(&r->text, "%s{\"id\":%" PRId64, r->n++ > 0 ? "," : "", id);
    sl_app_page_text(&r->text, "code", sl_str_of(sl_reason_code(v->reason)));
    sl_app_page_text(&r->text, "field", v->field);
    sl_app_page_text(&r->text, "sqlstate", sl_str_of(v->sqlstate));
    sl_buf_add_char(&r->text, '}');
}

static void on_letter(void *ctx, const struct sl_pg_letter *l)
{
    if (l->r->outcome == SL_OUTCOME_DEAD_LETTERED) {
        refusal_add(ctx, l->id, &l->r->verdict);
    }
}

static void on_closed(void *ctx, int64_t id, const char *why)
{
    struct refusals *r = ctx;

    sl_buf_printf(&r->text, "%s{\"id\":%" PRId64, r->n++ > 0 ? "," : "", id);
    sl_app_page_text(&r->text, "closed", sl_str_of(why));
    sl_buf_add_char(&r->text, '}');
}

static void add_notes(struct sl_buf *out, sl_str notes)
{
    unsigned n = 0;

    sl_buf_add_str(out, SL_STR("],\"notes\":["));
    while (notes.len > 0) {
        const sl_str line = sl_str_cut(&notes, '\n');

        sl_buf_add_str(out, n++ > 0 ? SL_STR(",") : SL_STR(""));
        sl_buf_add_json(out, line);
    }
    sl_buf_add_str(out, SL_STR("]"));
}

static void retry_say(const struct question *q, const struct sl_retry *t,
                      const struct refusals *refusals, sl_str notes)
{
    struct sl_buf *out = &q->page->body;

    sl_buf_printf(out,
                  "{\"loaded\":%" PRIu64 ",\"known\":%" PRIu64 ",\"refused\":%" PRIu64
                  ",\"closed\":%" PRIu64 ",\"passed\":%" PRIu64 ",\"more\":%s,\"after\":%" PRId64
                  ",\"refusals\":[%" SL_FMT,
                  t->n.loaded, t->n.known, t->n.refused, t->n.closed, t->n.passed,
                  t->has_more ? "true" : "false", t->last_id, SL_ARG(sl_buf_str(&refusals->text)));
    add_notes(out, notes);
    if (q->e.rc != SL_OK) {
        sl_app_page_text(out, "error", sl_str_of(q->e.msg));
    }
    sl_buf_add_str(out, SL_STR("}\n"));
}

/* What was done before a failure is done: it is said with it. */
static sl_rc retry_ready(struct question *q, struct sl_retry *t, sl_str notes)
{
    struct refusals *refusals = t->ear.ctx;
    sl_rc rc;

    q->ask.filter.limit = RETRY_LETTERS;
    SL_TRY(sl_pg_dead_find(&q->conn, &q->ask.filter, &q->e));
    SL_TRY(sl_retry_open(t, &q->e));
    rc = sl_retry_run(t, &q->ask.filter, q->ask.after_id, &q->e);
    say_done(q, rc, "retried dead letters", "sluice.loaded", t->n.loaded);
    retry_say(q, t, refusals, notes);
    q->page->status = rc == SL_OK ? q->page->status : status_of(rc);
    return SL_OK;
}

/* With the keys that the run has now, which may have been read again. */
static sl_rc retry(struct question *q)
{
    SL_AUTO(sl_buf_done) struct sl_buf notes = { .max_bytes = NOTES_MAX };
    struct refusals refusals = { .text = { .max_bytes = REFUSALS_MAX } };
    struct sl_retry t = { .cfg = q->app->cfg,
                          .conn = &q->conn,
                          .ear = { on_letter, on_closed, NULL, &refusals } };
    sl_rc rc;

    SL_TRY(sl_retry_check(q->app->cfg, &notes, &q->e));
    t.ring = sl_key_share_take(&q->app->keys);
    rc = retry_ready(q, &t, sl_buf_str(&notes));
    sl_retry_close(&t);
    sl_keyring_free(t.ring);
    sl_buf_done(&refusals.text);
    return rc;
}

void sl_app_dead_retry(void *ctx, const struct sl_http_asked *asked, struct sl_http_page *page)
{
    question_answer(ctx, asked, page, read_body, retry);
}

/* ---- purge --------------------------------------------------------------------------------------- */

/* Those that were counted and no others, and no more than the person has seen. */
static sl_rc purge(struct question *q)
{
    struct sl_pg_dead_counts counts;
    uint64_t n = 0;
    sl_rc rc;

    if (q->ask.expect_n < 0) {
        return SL_FAIL(&q->e, SL_USAGE, "say how many you expect: expect");
    }
    SL_TRY(sl_pg_dead_find(&q->conn, &q->ask.filter, &q->e));
    SL_TRY(sl_pg_dead_count(&q->conn, &q->ask.filter, &counts, &q->e));
    if (counts.new_n + counts.retried_n > q->ask.expect_n) {
        return SL_FAIL(&q->e, SL_CONFIG, "there are %" PRId64 " by now: look again",
                       counts.new_n + counts.retried_n);
    }
    rc = sl_pg_dead_purge(&q->conn, &q->ask.filter, &counts, &n, &q->e);
    say_done(q, rc, "purged dead letters", "sluice.purged", n);
    sl_buf_printf(&q->page->body, "{\"purged\":%" PRIu64, n);
    if (rc != SL_OK) { /* what is gone is gone */
        sl_app_page_text(&q->page->body, "error", sl_str_of(q->e.msg));
        q->page->status = status_of(rc);
    }
    sl_buf_add_str(&q->page->body, SL_STR("}\n"));
    return SL_OK;
}

void sl_app_dead_purge(void *ctx, const struct sl_http_asked *asked, struct sl_http_page *page)
{
    question_answer(ctx, asked, page, read_body, purge);
}
