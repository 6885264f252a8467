/* cmd/top_flow.c - the flow, drawn. */
#include "cmd/top_flow.h"

#include <math.h>
#include <stdio.h>

#include "cmd/top_text.h"

enum {
    QUEUE,
    RECEIVE, /* the five stages, as stages.def has them */
    DECODE,
    MASK,
    LOAD,
    ACK,
    TABLE,
    CELLS_N,
    LINES_N = 3,
    QUEUE_COLS = 14, /* "12.3k visible" */
    CELL_LEAST = 10, /* "receive > " */
    CELL_MOST = 16,
    WIDE = QUEUE_COLS + (CELLS_N - 1) * CELL_LEAST, /* from which on the flow lies */
    TEXT_MAX = 64,
};

struct cell {
    const char *name;
    char lines[LINES_N][TEXT_MAX];
    bool is_stuck; /* and the last line says how */
};

void sl_top_number(char out[static SL_TOP_SHORT], double number)
{
    static const char units[] = "kMGTP";
    size_t i = 0;

    if (number < 9999.5) {
        (void)snprintf(out, SL_TOP_SHORT, "%.0f", number);
        return;
    }
    for (number /= 1000; number >= 999.95 && i + 1 < sizeof units - 1; i++) {
        number /= 1000;
    }
    (void)snprintf(out, SL_TOP_SHORT, "%.1f%c", number, units[i]);
}

void sl_top_age(char out[static SL_TOP_SHORT], int64_t seconds)
{
    static const struct {
        int64_t from_s;
        int64_t unit_s;
        const char *name;
    } units[] = { { 172800, 86400, "d" }, { 7200, 3600, "h" }, { 120, 60, "min" }, { 0, 1, "s" } };

    size_t i = 0;

    seconds = seconds > 0 ? seconds : 0;
    while (seconds < units[i].from_s) {
        i++;
    }
    (void)snprintf(out, SL_TOP_SHORT, "%lld %s", (long long)(seconds / units[i].unit_s),
                   units[i].name);
}

/* ---- the cells ----------------------------------------------------------------------------------- */

static void say_number(char *line, double number, const char *what)
{
    char text[SL_TOP_SHORT];

    if (number >= 0) {
        sl_top_number(text, number);
        (void)snprintf(line, TEXT_MAX, "%s%s", text, what);
    }
}

static void say_rate(char *line, double rate)
{
    if (rate > 0 && rate < 9.95) {
        (void)snprintf(line, TEXT_MAX, "%.1f/s", rate);
    } else {
        say_number(line, rate, "/s");
    }
}

static void say_age(char *line, const char *what, int64_t seconds)
{
    char text[SL_TOP_SHORT];

    sl_top_age(text, seconds);
    (void)snprintf(line, TEXT_MAX, "%s %s", what, text);
}

static void queue_fill(struct cell *c, const struct sl_top_state *s)
{
    say_number(c->lines[0], (double)s->visible, " visible");
    say_number(c->lines[1], (double)s->in_flight, " hidden");
    if (s->delayed > 0) {
        say_number(c->lines[2], (double)s->delayed, " delayed");
    }
}

static void table_fill(struct cell *c, const struct sl_top_state *s)
{
    say_number(c->lines[0], (double)s->counts.loaded, " rows");
    if (s->counts.dead_lettered > 0) {
        say_number(c->lines[1], (double)s->counts.dead_lettered, " dead");
    }
}

/* What keeps a worker, if anything does: the longest of them is said. */
static void stuck_fill(struct cell *c, const struct sl_top_worker *w, int64_t *longest_s)
{
    const bool is_out = w->outage.len > 0;
    const int64_t for_s = is_out ? w->outage_s : w->still_s;

    if ((is_out || w->is_stalled) && for_s > *longest_s) {
        *longest_s = for_s;
        c->is_stuck = true;
        say_age(c->lines[2], is_out ? "waits" : "stuck", for_s);
    }
}

static void queue_error_fill(struct cell *receive, const struct sl_top_state *s)
{
    for (unsigned i = 0; i < s->workers_n; i++) {
        if (s->workers[i].queue_error.len > 0) {
            receive->is_stuck = true;
            (void)snprintf(receive->lines[2], TEXT_MAX, "%" SL_FMT,
                           SL_ARG(sl_top_cut(s->workers[i].queue_error, CELL_MOST)));
            return;
        }
    }
}

static void stage_fill(struct cell *c, const struct sl_top_state *s)
{
    unsigned busy = 0;
    unsigned idle = 0;
    int64_t longest_s = -1;

    for (unsigned i = 0; i < s->workers_n; i++) {
        const struct sl_top_worker *w = &s->workers[i];

        if (sl_str_eq(w->stage, sl_str_of(c->name))) {
            *(w->is_idle ? &idle : &busy) += 1;
            stuck_fill(c, w, &longest_s);
        }
    }
    if (busy > 0) {
        (void)snprintf(c->lines[1], TEXT_MAX, "%u worker%s", busy, busy > 1 ? "s" : "");
    } else if (idle > 0) {
        (void)snprintf(c->lines[1], TEXT_MAX, "%u idle", idle);
    }
}

static void cells_fill(struct cell cells[static CELLS_N], const struct sl_top_state *s,
                       const struct sl_top_rates *rates)
{
    static const char *const stages[] = {
#define X(name, text) #name,
#include "pipeline/stages.def"
#undef X
    };

    cells[QUEUE].name = sl_str_eq(s->source_kind, SL_STR("files")) ? "files" : "queue";
    cells[TABLE].name = sl_str_eq(s->target_kind, SL_STR("ndjson")) ? "ndjson" : "table";
    for (unsigned i = RECEIVE; i <= ACK; i++) {
        cells[i].name = stages[i - RECEIVE];
        stage_fill(&cells[i], s);
    }
    queue_fill(&cells[QUEUE], s);
    table_fill(&cells[TABLE], s);
    queue_error_fill(&cells[RECEIVE], s);
    say_rate(cells[RECEIVE].lines[0], rates->received);
    say_rate(cells[LOAD].lines[0], rates->loaded);
    say_rate(cells[ACK].lines[0], rates->deleted);
}

/* ---- drawn --------------------------------------------------------------------------------------- */

static void pad(struct sl_buf *line, unsigned used, unsigned cols, sl_str with)
{
    for (; used < cols; used++) {
        sl_buf_add_str(line, with);
    }
}

static unsigned cols_of(const struct sl_top_page *p, unsigned cell)
{
    const unsigned each = (p->cols - QUEUE_COLS) / (CELLS_N - 1);

    return cell == QUEUE ? QUEUE_COLS : each < CELL_MOST ? each : CELL_MOST;
}

static void names_add(struct sl_top_page *p, const struct cell *cells)
{
    SL_AUTO(sl_buf_done) struct sl_buf line = { .max_bytes = 4096 };

    for (unsigned i = 0; i < CELLS_N; i++) {
        sl_buf_add_str(&line, sl_str_of(cells[i].name));
        if (i + 1 < CELLS_N) {
            sl_buf_add_char(&line, ' ');
            pad(&line, (unsigned)strlen(cells[i].name) + 3, cols_of(p, i),
                p->is_utf8 ? SL_STR("─") : SL_STR("-"));
            sl_buf_add_str(&line, p->is_utf8 ? SL_STR("→ ") : SL_STR("> "));
        }
    }
    sl_top_page_add(p, SL_TOP_PLAIN, sl_buf_str(&line));
}

static void line_add(struct sl_top_page *p, const struct cell *cells, unsigned which)
{
    SL_AUTO(sl_buf_done) struct sl_buf line = { .max_bytes = 4096 };
    bool is_stuck = false;
    bool has_text = false;

    for (unsigned i = 0; i < CELLS_N; i++) {
        const unsigned cols = cols_of(p, i);
        const sl_str text = sl_top_cut(sl_str_of(cells[i].lines[which]), cols - 1);

        sl_buf_add_str(&line, text);
        pad(&line, sl_top_width(text), i + 1 < CELLS_N ? cols : 0, SL_STR(" "));
        has_text = has_text || text.len > 0;
        is_stuck = is_stuck || (cells[i].is_stuck && which == LINES_N - 1);
    }
    while (line.len > 0 && line.ptr[line.len - 1] == ' ') {
        line.len--;
    }
    if (has_text) {
        sl_top_page_add(p, is_stuck ? SL_TOP_STRONG : SL_TOP_PLAIN, sl_buf_str(&line));
    }
}

static void add_lying(struct sl_top_page *p, const struct cell *cells)
{
    names_add(p, cells);
    for (unsigned i = 0; i < LINES_N; i++) {
        line_add(p, cells, i);
    }
}

/* Stages in which nothing is are left out: the terminal is small. */
static void add_standing(struct sl_top_page *p, const struct cell *cells)
{
    for (unsigned i = 0; i < CELLS_N; i++) {
        SL_AUTO(sl_buf_done) struct sl_buf line = { .max_bytes = 4096 };

        sl_buf_printf(&line, "%-8s", cells[i].name);
        for (unsigned k = 0, n = 0; k < LINES_N; k++) {
            if (cells[i].lines[k][0] != '\0') {
                sl_buf_printf(&line, "%s%s", n++ > 0 ? ", " : "", cells[i].lines[k]);
            }
        }
        if (line.len > 8) {
            sl_top_page_add(p, cells[i].is_stuck ? SL_TOP_STRONG : SL_TOP_PLAIN, sl_buf_str(&line));
        }
    }
}

void sl_top_flow_add(struct sl_top_page *p, const struct sl_top_state *s,
                     const struct sl_top_rates *rates)
{
    struct cell cells[CELLS_N] = { 0 };

    cells_fill(cells, s, rates);
    if (p->cols >= WIDE) {
        add_lying(p, cells);
    } else {
        add_standing(p, cells);
    }
}

/* ---- the last minutes ---------------------------------------------------------------------------- */

struct chart {
    const char *name;
    const double *points;
};

static double highest(const double *points, unsigned n)
{
    double most = 0;

    for (unsigned i = 0; i < n; i++) {
        most = fmax(most, points[i]);
    }
    return most;
}

static void chart_add(struct sl_top_page *p, const struct chart *c, unsigned n, double most)
{
    static const char *const blocks[] = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
    static const char *const ascii[] = { " ", ".", ":", "-", "=", "+", "*", "#", "@" };
    SL_AUTO(sl_buf_done) struct sl_buf line = { .max_bytes = 4096 };
    char rate[TEXT_MAX];

    sl_buf_printf(&line, "%-9.9s", c->name);
    for (unsigned i = 0; i < n; i++) {
        const unsigned level = most > 0 ? (unsigned)ceil(c->points[i] / most * 8) : 0;

        sl_buf_add_str(&line, sl_str_of((p->is_utf8 ? blocks : ascii)[level < 8 ? level : 8]));
    }
    say_rate(rate, highest(c->points, n));
    sl_buf_printf(&line, "  max %s", rate);
    sl_top_page_add(p, SL_TOP_PLAIN, sl_buf_str(&line));
}

void sl_top_charts_add(struct sl_top_page *p, const struct sl_top_history *h)
{
    enum { AROUND = 9 + 14, LEAST = 8 };

    const unsigned room = p->cols > AROUND + LEAST ? p->cols - AROUND : 0;
    const unsigned n = h->n < room ? h->n : room;
    const struct chart charts[] = { { "received", h->received + h->n - n },
                                    { "loaded", h->loaded + h->n - n },
                                    { "dead", h->dead_lettered + h->n - n } };
    const double most = fmax(highest(charts[0].points, n), highest(charts[1].points, n));
    char span[SL_TOP_SHORT];

    if (n < LEAST) {
        return;
    }
    sl_top_age(span, (int64_t)n * h->step_s);
    sl_top_page_printf(p, SL_TOP_PLAIN, "the last %s, a column for %u s", span, h->step_s);
    chart_add(p, &charts[0], n, most);
    chart_add(p, &charts[1], n, most);
    if (highest(charts[2].points, n) > 0) {
        chart_add(p, &charts[2], n, highest(charts[2].points, n));
    }
}
