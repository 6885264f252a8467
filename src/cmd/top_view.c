/* cmd/top_view.c - the page of sluice top. */
#include "cmd/top_view.h"

#include <inttypes.h>

#include "cmd/top_flow.h"
#include "cmd/top_text.h"

enum {
    INDENT = 2,
    REASON_ROWS = 4,
    DETAIL_ROWS = 6,
    ASKED_LATE_S = 60, /* a run asks every 30 s */
};

/* It says more than its status, and how it goes. */
static bool is_running(const struct sl_top_state *s)
{
    return s->counts.received >= 0;
}

/* ---- title and status ---------------------------------------------------------------------------- */

/* A pipeline has the name of its table, with the schema, unless it was given another one. */
static bool has_own_name(const struct sl_top_state *s)
{
    const sl_str table = s->target_name;
    const size_t before = s->pipeline.len > table.len ? s->pipeline.len - table.len : 0;
    const sl_str end = { s->pipeline.ptr + before, s->pipeline.len - before };

    return s->pipeline.len > 0 &&
           !(sl_str_eq(end, table) && (before == 0 || s->pipeline.ptr[before - 1] == '.'));
}

static void title_add(struct sl_top_page *p, const struct sl_top_view *v)
{
    SL_AUTO(sl_buf_done) struct sl_buf line = { .max_bytes = SL_TOP_ANSWER_MAX };
    const struct sl_top_state *s = v->state;
    char up[SL_TOP_SHORT];

    sl_top_page_begin(p, SL_TOP_TITLE);
    if (s == NULL) {
        sl_top_page_printf(p, SL_TOP_BAR, "sluice top %s", v->url);
        return;
    }
    sl_buf_printf(&line, "sluice %" SL_FMT, SL_ARG(s->version));
    if (has_own_name(s)) {
        sl_buf_printf(&line, "  %" SL_FMT, SL_ARG(s->pipeline));
    }
    if (is_running(s)) {
        sl_buf_printf(&line, "  %" SL_FMT " %" SL_FMT " %s %" SL_FMT " %" SL_FMT,
                      SL_ARG(s->source_kind), SL_ARG(s->source_name), p->is_utf8 ? "→" : "->",
                      SL_ARG(s->target_kind), SL_ARG(s->target_name));
    }
    if (s->started_at_ms >= 0 && s->now_ms >= s->started_at_ms) {
        sl_top_age(up, (s->now_ms - s->started_at_ms) / 1000);
        sl_buf_printf(&line, "  up %s", up);
    }
    sl_top_page_add(p, SL_TOP_BAR, sl_buf_str(&line));
}

static void absent_add(struct sl_top_page *p, const struct sl_top_view *v)
{
    const sl_str why = sl_top_clean(sl_str_of(v->absent), p->a);
    char age[SL_TOP_SHORT];

    sl_top_age(age, v->absent_s);
    sl_top_page_wrap(p, SL_TOP_STRONG, INDENT, REASON_ROWS,
                     sl_arena_printf(p->a, "nobody answers for %s%s: %" SL_FMT, age,
                                     v->state != NULL ? ", below is what was said before" : "",
                                     SL_ARG(why)));
}

static void status_add(struct sl_top_page *p, const struct sl_top_view *v)
{
    const struct sl_top_state *s = v->state;

    sl_top_page_begin(p, SL_TOP_STATUS);
    if (v->absent != NULL) {
        absent_add(p, v);
    } else if (s == NULL) {
        sl_top_page_printf(p, SL_TOP_PLAIN, "asking %s", v->url);
    } else if (s->is_ready) {
        sl_top_page_printf(p, SL_TOP_PLAIN, "ready");
    } else if (s->reasons_n == 0) {
        sl_top_page_printf(p, SL_TOP_STRONG, "not ready");
    } else {
        for (unsigned i = 0; i < s->reasons_n; i++) {
            sl_top_page_wrap(p, SL_TOP_STRONG, INDENT, REASON_ROWS,
                             sl_arena_printf(p->a, "not ready: %" SL_FMT, SL_ARG(s->reasons[i])));
        }
    }
}

/* ---- numbers ------------------------------------------------------------------------------------- */

static double last_point(const struct sl_top_history *h, const double *points)
{
    return h != NULL && h->n > 0 ? points[h->n - 1] : SL_TOP_UNKNOWN;
}

/* The history has no deletes; until there is a difference it says the rest. */
static struct sl_top_rates rates_of(const struct sl_top_view *v)
{
    struct sl_top_rates rates = { SL_TOP_UNKNOWN, SL_TOP_UNKNOWN, SL_TOP_UNKNOWN };

    if (v->absent != NULL) {
        return rates;
    }
    rates = (struct sl_top_rates){
        .received = sl_top_pace_received(v->pace),
        .loaded = sl_top_pace_loaded(v->pace),
        .deleted = sl_top_pace_deleted(v->pace),
    };
    if (rates.received < 0 && v->history != NULL) {
        rates.received = last_point(v->history, v->history->received);
        rates.loaded = last_point(v->history, v->history->loaded);
    }
    return rates;
}

/* "name number", with ", " before all but the first; nothing if it is not known. */
static void fact_add(struct sl_buf *line, const char *name, int64_t number, const char *unit)
{
    if (number >= 0) {
        sl_buf_printf(line, "%s%s %" PRId64 "%s", line->len > 0 ? ", " : "", name, number, unit);
    }
}

/* What is a second look: how late rows are, which keys, and how old the queue's numbers are if they
 * are old. */
static void facts_add(struct sl_buf *line, const struct sl_top_view *v)
{
    const struct sl_top_state *s = v->state;

    if (v->history != NULL) {
        fact_add(line, "latency p50", (int64_t)v->history->p50_ms, " ms");
        fact_add(line, "p99", (int64_t)v->history->p99_ms, " ms");
    }
    fact_add(line, "oldest in hand", s->oldest_s, " s");
    if (s->asked_s_ago > ASKED_LATE_S) {
        fact_add(line, "queue asked", s->asked_s_ago, " s ago");
    }
    if (s->keys.len > 0) {
        sl_buf_printf(line, "%skeys %" SL_FMT, line->len > 0 ? ", " : "",
                      SL_ARG(sl_top_cut(s->keys, v->cols)));
    }
}

static void counts_add(struct sl_top_page *p, const struct sl_top_view *v)
{
    SL_AUTO(sl_buf_done) struct sl_buf line = { .max_bytes = 4096 };
    const struct sl_top_counts *c = &v->state->counts;

    sl_top_page_begin(p, SL_TOP_COUNTS);
    fact_add(&line, "received", c->received, "");
    fact_add(&line, "loaded", c->loaded, "");
    fact_add(&line, "duplicates", c->duplicates, "");
    fact_add(&line, "dead-lettered", c->dead_lettered, "");
    fact_add(&line, "returned", c->returned, "");
    fact_add(&line, "in flight", c->in_flight, "");
    if (c->delete_failed > 0) {
        fact_add(&line, "deletes failed", c->delete_failed, "");
    }
    facts_add(&line, v);
    sl_top_page_wrap(p, SL_TOP_PLAIN, INDENT, REASON_ROWS, sl_buf_str(&line));
}

/* ---- workers ------------------------------------------------------------------------------------- */

static bool is_troubled(const struct sl_top_worker *w)
{
    return w->is_stalled || w->outage.len > 0 || w->queue_error.len > 0;
}

static void worker_add(struct sl_top_page *p, const struct sl_top_worker *w)
{
    SL_AUTO(sl_buf_done) struct sl_buf line = { .max_bytes = 4096 };
    char age[SL_TOP_SHORT];

    sl_buf_printf(&line, "worker %" PRId64 ": %" SL_FMT, w->number, SL_ARG(w->stage));
    if (w->outage.len > 0) {
        sl_top_age(age, w->outage_s);
        sl_buf_printf(&line, ", waits for %" SL_FMT " for %s (%" SL_FMT ")", SL_ARG(w->awaited),
                      age, SL_ARG(w->outage));
    }
    if (w->queue_error.len > 0) {
        sl_buf_printf(&line, ", cannot ask the queue (%" SL_FMT ")", SL_ARG(w->queue_error));
    }
    sl_top_age(age, w->still_s);
    if (w->is_stalled) {
        sl_buf_printf(&line, ", stuck for %s", age);
    } else if (w->outage.len == 0) {
        sl_buf_printf(&line, "%s, last progress %s ago", w->is_idle ? ", idle" : "", age);
    }
    sl_top_page_add(p, is_troubled(w) ? SL_TOP_STRONG : SL_TOP_PLAIN, sl_buf_str(&line));
}

/* Those in trouble first: of many, the last ones may have no room. */
static void workers_add(struct sl_top_page *p, const struct sl_top_state *s)
{
    sl_top_page_begin(p, SL_TOP_WORKERS);
    for (unsigned calm = 0; calm < 2; calm++) {
        for (unsigned i = 0; i < s->workers_n; i++) {
            if (is_troubled(&s->workers[i]) == (calm == 0)) {
                worker_add(p, &s->workers[i]);
            }
        }
    }
}

/* ---- errors -------------------------------------------------------------------------------------- */

static void error_add(struct sl_top_page *p, const struct sl_top_error *error, int64_t now_ms)
{
    SL_AUTO(sl_buf_done) struct sl_buf line = { .max_bytes = SL_TOP_ANSWER_MAX };
    char age[SL_TOP_SHORT];

    sl_top_age(age, now_ms > error->last_ms ? (now_ms - error->last_ms) / 1000 : 0);
    sl_buf_printf(&line, "%s ago, %" SL_FMT, age, SL_ARG(error->level));
    if (error->n > 1) {
        sl_buf_printf(&line, ", %" PRId64 " times", error->n);
    }
    sl_buf_printf(&line, ": %" SL_FMT, SL_ARG(error->message));
    if (error->code.len > 0) {
        sl_buf_printf(&line, " (%" SL_FMT ")", SL_ARG(error->code));
    }
    sl_top_page_wrap(p, SL_TOP_STRONG, INDENT, DETAIL_ROWS, sl_buf_str(&line));
    if (error->detail.len > 0) {
        sl_top_page_wrap(p, SL_TOP_PLAIN, INDENT, DETAIL_ROWS,
                         sl_arena_printf(p->a, "  %" SL_FMT, SL_ARG(error->detail)));
    }
    if (error->remedy.len > 0) {
        sl_top_page_wrap(
            p, SL_TOP_PLAIN, INDENT * 2, DETAIL_ROWS,
            sl_arena_printf(p->a, "  %s %" SL_FMT, p->is_utf8 ? "→" : ">", SL_ARG(error->remedy)));
    }
}

static void errors_add(struct sl_top_page *p, const struct sl_top_state *s)
{
    sl_top_page_begin(p, SL_TOP_ERRORS);
    if (s->errors_n == 0) {
        sl_top_page_printf(p, SL_TOP_PLAIN, "no warnings and no errors");
        return;
    }
    sl_top_page_printf(p, SL_TOP_PLAIN, "warnings and errors, the newest first: %u", s->errors_n);
    for (unsigned i = 0; i < s->errors_n; i++) {
        error_add(p, &s->errors[i], s->now_ms);
    }
}

/* ---- help, and all of it ------------------------------------------------------------------------- */

static void help_add(struct sl_top_page *p)
{
    static const char *const lines[] = {
        "q  quit",
        "p  pause: ask no more, keep what is shown",
        "up, down, page up, page down, home  go through the warnings and errors",
        "?  this text, or away with it",
        "",
        "visible: messages that wait in the queue",
        "hidden: in the hands of this run, or of another one",
        "delayed: they become visible later",
        "A stage has the workers that are in it; below them, what keeps them.",
        "Rates are those of the last seconds.",
        "Warnings and errors: what the log says, how often, and what to do.",
    };

    sl_top_page_begin(p, SL_TOP_ERRORS);
    sl_top_page_printf(p, SL_TOP_STRONG, "Keys");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        if (lines[i][0] == '\0') {
            sl_top_page_printf(p, SL_TOP_PLAIN, "%s", "");
        }
        sl_top_page_wrap(p, SL_TOP_PLAIN, INDENT, DETAIL_ROWS, sl_str_of(lines[i]));
    }
}

static void keys_add(struct sl_top_page *p, const struct sl_top_view *v)
{
    sl_top_page_begin(p, SL_TOP_KEYS);
    if (v->height > 0) {
        sl_top_page_printf(p, SL_TOP_BAR, "%s",
                           v->is_paused ? "PAUSED: p goes on  q quit  ? help"
                                        : "q quit  p pause  arrows scroll  ? help");
    }
}

static void run_add(struct sl_top_page *p, const struct sl_top_view *v)
{
    const struct sl_top_rates rates = rates_of(v);

    sl_top_page_begin(p, SL_TOP_FLOW);
    sl_top_flow_add(p, v->state, &rates);
    counts_add(p, v);
    if (v->history != NULL) {
        sl_top_page_begin(p, SL_TOP_CHARTS);
        sl_top_charts_add(p, v->history);
    }
    workers_add(p, v->state);
}

unsigned sl_top_view_rows(struct sl_top_view *view, struct sl_arena *a,
                          const struct sl_top_row **ret)
{
    struct sl_top_page *const p = sl_arena_alloc(a, sizeof *p);

    if (p == NULL) {
        return 0;
    }
    sl_top_page_init(p, a, view->cols, view->is_utf8);
    title_add(p, view);
    status_add(p, view);
    if (view->has_help) {
        help_add(p);
    } else if (view->state != NULL) {
        if (is_running(view->state)) {
            run_add(p, view);
        }
        errors_add(p, view->state);
    }
    keys_add(p, view);
    return sl_top_page_fit(p, view->height, &view->scroll, ret);
}
