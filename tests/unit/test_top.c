/* tests/unit/test_top.c - what a run says of itself becomes rows of text that fit any terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "cmd/top_flow.h"
#include "cmd/top_text.h"
#include "cmd/top_view.h"

/* A run of two workers, one of which waits for the database. */
#define STATE                                                                                     \
    "{\"version\":\"0.1.0\",\"pipeline\":\"logins\",\"started_at_ms\":1000,\"now_ms\":3601000,"   \
    "\"status\":\"not ready\",\"reasons\":[\"worker 1: the database has taken nothing for 12 s "  \
    "(DISCONNECTED)\",\"stopping\"],"                                                             \
    "\"source\":{\"kind\":\"sqs\",\"name\":\"queue-1\",\"visible\":12345,\"in_flight\":30,"       \
    "\"delayed\":2,\"asked_s_ago\":4},"                                                           \
    "\"target\":{\"kind\":\"postgres\",\"name\":\"public.user_logins\"},"                         \
    "\"counts\":{\"received\":1000,\"loaded\":900,\"duplicates\":3,\"dead_lettered\":2,"          \
    "\"returned\":0,\"in_flight\":95,\"deleted\":890,\"delete_failed\":7},"                       \
    "\"workers\":[{\"worker\":0,\"stage\":\"receive\",\"still_s\":0,\"idle\":true,"               \
    "\"stalled\":false,\"outage_s\":null,\"outage\":null,\"awaited\":null,\"queue_error\":null}," \
    "{\"worker\":1,\"stage\":\"load\",\"still_s\":12,\"idle\":false,\"stalled\":false,"           \
    "\"outage_s\":12,\"outage\":\"DISCONNECTED\",\"awaited\":\"the database\","                   \
    "\"queue_error\":null}],\"keys\":[\"k1\",\"k2\"],\"oldest_s\":13,"                            \
    "\"errors\":[{\"first_ms\":3500000,\"last_ms\":3598000,\"n\":3,\"level\":\"warn\","           \
    "\"message\":\"the database is away; waiting\",\"code\":\"DISCONNECTED\","                    \
    "\"detail\":\"could not connect\",\"remedy\":\"bring the database back\"}],"                  \
    "\"actions\":false}"

struct world {
    struct sl_arena arena;
    struct sl_top_pace pace;
    struct sl_top_view view;
    const struct sl_top_row *rows;
    unsigned n;
};

static int world_new(void **state)
{
    static struct world w;

    w = (struct world){ 0 };
    sl_arena_init(&w.arena, 16 << 20, 64 << 10);
    w.view = (struct sl_top_view){
        .cols = 80, .height = 24, .is_utf8 = true, .url = "http://127.0.0.1:9464", .pace = &w.pace
    };
    *state = &w;
    return 0;
}

static int world_free(void **state)
{
    struct world *w = *state;

    sl_arena_done(&w->arena);
    return 0;
}

static const struct sl_top_state *state_of(struct world *w, const char *text)
{
    const struct sl_top_state *s = NULL;

    assert_int_equal(sl_top_state_read(sl_str_of(text), &w->arena, &s, NULL), SL_OK);
    return s;
}

static void draw(struct world *w, unsigned cols, unsigned height)
{
    w->view.cols = cols;
    w->view.height = height;
    w->n = sl_top_view_rows(&w->view, &w->arena, &w->rows);
    assert_true(w->n > 0);
}

/* The first row that has a text; -1: none. */
static int row_with(const struct world *w, const char *text)
{
    for (unsigned i = 0; i < w->n; i++) {
        if (memmem(w->rows[i].text.ptr, w->rows[i].text.len, text, strlen(text)) != NULL) {
            return (int)i;
        }
    }
    return -1;
}

static void must_have(const struct world *w, const char *text)
{
    if (row_with(w, text) < 0) {
        for (unsigned i = 0; i < w->n; i++) {
            (void)fprintf(stderr, "|%" SL_FMT "\n", SL_ARG(w->rows[i].text));
        }
        fail_msg("no row has: %s", text);
    }
}

static void is_row(const struct world *w, unsigned i, const char *text)
{
    assert_true(i < w->n);
    if (!sl_str_eq(w->rows[i].text, sl_str_of(text))) {
        fail_msg("row %u is |%" SL_FMT "| and not |%s|", i, SL_ARG(w->rows[i].text), text);
    }
}

/* ---- text ---------------------------------------------------------------------------------------- */

static void what_moves_a_cursor_becomes_a_question_mark(void **state)
{
    struct world *w = *state;

    static const struct {
        const char *text;
        const char *clean;
    } cases[] = {
        { "plain", "plain" },
        { "a\x1b[31mred\nline\x7f", "a?[31mred?line?" },
        { "\xc2\x9b"
          "31m",
          "?31m" }, /* CSI as one character */
        { "\xe2\x80\xae"
          "abc",
          "?abc" },              /* right to left from here on */
        { "\xe2\x80\x8b", "?" }, /* of no width */
        { "\xe2\x80\xa8", "?" }, /* line separator */
        { "caf\xc3\xa9 \xe6\x97\xa5", "caf\xc3\xa9 \xe6\x97\xa5" },
        { "cut \xe6\x97", "cut ??" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const sl_str clean = sl_top_clean(sl_str_of(cases[i].text), &w->arena);

        assert_string_equal(clean.ptr, cases[i].clean);
    }
}

static void a_wide_character_takes_two_columns_and_is_never_halved(void **state)
{
    const sl_str text = SL_STR("a日本e\xcc\x81");

    (void)state;
    assert_int_equal(sl_top_width(text), 6);
    assert_int_equal(sl_top_cut(text, 4).len, 4);
    assert_int_equal(sl_top_cut(text, 5).len, 7);
    assert_int_equal(sl_top_cut(text, 6).len, text.len); /* with the accent */
}

static void a_text_is_wrapped_at_blanks_and_long_words_anywhere(void **state)
{
    sl_str rest = SL_STR("one two  threeandmore");
    static const char *const lines[] = { "one two", "threean", "dmore" };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const sl_str line = sl_top_wrap(&rest, 7);

        assert_true(sl_str_eq(line, sl_str_of(lines[i])));
    }
    assert_int_equal(rest.len, 0);
}

static void numbers_and_ages_are_short(void **state)
{
    static const struct {
        double number;
        const char *text;
    } numbers[] = { { 0, "0" },          { 9999, "9999" }, { 10000, "10.0k" }, { 999960, "1.0M" },
                    { 12.3e9, "12.3G" }, { 9e15, "9.0P" }, { 9e18, "9000.0P" } };

    static const struct {
        int64_t seconds;
        const char *text;
    } ages[] = { { -1, "0 s" },       { 119, "119 s" }, { 120, "2 min" },
                 { 7199, "119 min" }, { 7200, "2 h" },  { 172800, "2 d" } };

    char out[SL_TOP_SHORT];

    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        sl_top_number(out, numbers[i].number);
        assert_string_equal(out, numbers[i].text);
    }
    for (size_t i = 0; i < sizeof ages / sizeof *ages; i++) {
        sl_top_age(out, ages[i].seconds);
        assert_string_equal(out, ages[i].text);
    }
}

/* ---- answers ------------------------------------------------------------------------------------- */

static void what_is_missing_or_of_another_type_is_unknown(void **state)
{
    struct world *w = *state;
    const struct sl_top_state *s =
        state_of(w, "{\"status\":\"ready\",\"counts\":{\"received\":\"7\",\"loaded\":-3,"
                    "\"deleted\":1e99,\"returned\":2.0},\"workers\":{\"worker\":1},"
                    "\"source\":[],\"errors\":[1,null],\"reasons\":[[]],\"oldest_s\":null}");

    assert_true(s->is_ready);
    assert_int_equal(s->counts.received, SL_TOP_UNKNOWN);
    assert_int_equal(s->counts.loaded, SL_TOP_UNKNOWN);
    assert_int_equal(s->counts.deleted, SL_TOP_UNKNOWN);
    assert_int_equal(s->counts.returned, 2);
    assert_int_equal(s->visible, SL_TOP_UNKNOWN);
    assert_int_equal(s->oldest_s, SL_TOP_UNKNOWN);
    assert_int_equal(s->workers_n, 0);
    assert_int_equal(s->errors_n, 2);
    assert_int_equal(s->errors[1].message.len, 0);
}

static void what_is_no_answer_of_a_run_is_refused(void **state)
{
    struct world *w = *state;
    static const char *const texts[] = { "",   "<html>",         "[]",
                                         "{}", "{\"status\":1}", "{\"status\":\"ready\"}}" };
    const struct sl_top_state *s = NULL;
    struct sl_err e;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(sl_top_state_read(sl_str_of(texts[i]), &w->arena, &s, &e), SL_UNAVAILABLE);
        assert_null(s);
    }
}

static void lists_are_limited(void **state)
{
    struct world *w = *state;
    SL_AUTO(sl_buf_done) struct sl_buf text = { .max_bytes = 1 << 20 };
    const struct sl_top_state *s = NULL;

    sl_buf_printf(&text, "{\"status\":\"ready\",\"workers\":[1");
    for (int i = 0; i < 1000; i++) {
        sl_buf_printf(&text, ",1");
    }
    sl_buf_printf(&text, "]}");
    assert_int_equal(sl_top_state_read(sl_buf_str(&text), &w->arena, &s, NULL), SL_OK);
    assert_int_equal(s->workers_n, SL_TOP_WORKERS_MAX);
}

static void a_history_has_its_newest_points_and_the_last_known_latency(void **state)
{
    struct world *w = *state;
    SL_AUTO(sl_buf_done) struct sl_buf text = { .max_bytes = 1 << 20 };
    static struct sl_top_history h;

    sl_buf_printf(&text, "{\"step_s\":5,\"p99_ms\":[7,40.5,null],\"loaded\":[1.5],\"received\":[0");
    for (int i = 1; i < 1000; i++) {
        sl_buf_printf(&text, ",%d", i);
    }
    sl_buf_printf(&text, "]}");
    assert_int_equal(sl_top_history_read(sl_buf_str(&text), &w->arena, &h, NULL), SL_OK);
    assert_int_equal(h.n, SL_TOP_POINTS_MAX);
    assert_true(h.received[h.n - 1] == 999 && h.received[0] == 1000 - SL_TOP_POINTS_MAX);
    assert_true(h.loaded[0] == 1.5 && h.loaded[1] == 0);
    assert_true(h.p99_ms == 40.5 && h.p50_ms == SL_TOP_UNKNOWN);
}

/* ---- rates --------------------------------------------------------------------------------------- */

static void pace_step(struct sl_top_pace *p, int64_t started_ms, int64_t now_ms, int64_t received)
{
    static struct sl_top_state s;

    s.started_at_ms = started_ms;
    s.now_ms = now_ms;
    s.counts.received = received;
    sl_top_pace_add(p, &s);
}

static void a_rate_is_that_of_the_last_seconds(void **state)
{
    struct sl_top_pace p = { 0 };

    (void)state;
    pace_step(&p, 1, 1000, 100);
    assert_true(sl_top_pace_received(&p) == SL_TOP_UNKNOWN);
    pace_step(&p, 1, 2000, 300);
    assert_true(sl_top_pace_received(&p) == 200);
    for (int64_t i = 3; i < 20; i++) {
        pace_step(&p, 1, i * 1000, 300);
    }
    assert_true(sl_top_pace_received(&p) == 0);
}

static void another_start_of_the_run_begins_anew_and_no_rate_is_negative(void **state)
{
    struct sl_top_pace p = { 0 };

    (void)state;
    pace_step(&p, 1, 1000, 100);
    pace_step(&p, 1, 2000, 300);
    pace_step(&p, 2500, 3000, 10);
    assert_true(sl_top_pace_received(&p) == SL_TOP_UNKNOWN);
    pace_step(&p, 2500, 4000, 30);
    assert_true(sl_top_pace_received(&p) == 20);
    pace_step(&p, 2500, 3500, 40); /* its clock was set back */
    assert_true(sl_top_pace_received(&p) == SL_TOP_UNKNOWN);
}

/* ---- the page ------------------------------------------------------------------------------------ */

static void the_flow_lies_where_it_is_wide_and_says_what_is_stuck_where(void **state)
{
    struct world *w = *state;
    int names;

    pace_step(&w->pace, 1000, 3600000, 880);
    w->view.state = state_of(w, STATE);
    sl_top_pace_add(&w->pace, w->view.state);
    draw(w, 80, 24);
    assert_int_equal(w->n, 24);
    is_row(w, 0, "sluice 0.1.0  logins  sqs queue-1 → postgres public.user_logins  up 60 min");
    is_row(w, 1, "not ready: worker 1: the database has taken nothing for 12 s (DISCONNECTED)");
    is_row(w, 2, "not ready: stopping");
    names = row_with(w, "queue ─");
    assert_true(names > 0);
    is_row(w, (unsigned)names,
           "queue ──────→ receive ─→ decode ──→ mask ────→ load ────→ ack ─────→ table");
    is_row(w, (unsigned)names + 1,
           "12.3k visible 120/s                            900/s      890/s      900 rows");
    is_row(w, (unsigned)names + 2,
           "30 hidden     1 idle                           1 worker              2 dead");
    is_row(w, (unsigned)names + 3, "2 delayed                                      waits 12 s");
    assert_int_equal(w->rows[names + 3].look, SL_TOP_STRONG);
    must_have(w, "worker 1: load, waits for the database for 12 s (DISCONNECTED)");
    assert_true(row_with(w, "worker 1: load") < row_with(w, "worker 0: receive, idle"));
    must_have(w, "3 s ago, warn, 3 times: the database is away; waiting (DISCONNECTED)");
    must_have(w, "  → bring the database back");
    must_have(w, "deletes failed 7, oldest in hand 13 s, keys k1, k2");
    assert_int_equal(w->rows[23].look, SL_TOP_BAR);
}

static void a_pipeline_is_named_where_its_name_is_not_that_of_its_table(void **state)
{
    struct world *w = *state;

    static const struct {
        const char *pipeline;
        const char *title;
    } cases[] = {
        { "public.t", "sluice 1  sqs q → postgres t" },
        { "t", "sluice 1  sqs q → postgres t" },
        { "last", "sluice 1  last  sqs q → postgres t" },
        { "", "sluice 1  sqs q → postgres t" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const sl_str text = sl_arena_printf(&w->arena,
                                            "{\"version\":\"1\",\"status\":\"ready\",\"counts\":{"
                                            "\"received\":1},\"pipeline\":\"%s\","
                                            "\"source\":{\"kind\":\"sqs\",\"name\":\"q\"},"
                                            "\"target\":{\"kind\":\"postgres\",\"name\":\"t\"}}",
                                            cases[i].pipeline);

        w->view.state = state_of(w, text.ptr);
        draw(w, 80, 24);
        is_row(w, 0, cases[i].title);
    }
}

static void a_small_terminal_has_the_flow_upright_and_the_first_error(void **state)
{
    struct world *w = *state;

    w->view.state = state_of(w, STATE);
    draw(w, 40, 12);
    assert_int_equal(w->n, 12);
    must_have(w, "receive 1 idle");
    must_have(w, "load    1 worker, waits 12 s");
    must_have(w, "table   900 rows, 2 dead");
    must_have(w, "3 s ago, warn, 3 times");
    must_have(w, "  away; waiting (DISCONNECTED)");
    assert_int_equal(row_with(w, "decode"), -1);
    is_row(w, 11, "q quit  p pause  arrows scroll  ? help");
}

static void without_utf8_everything_is_ascii(void **state)
{
    struct world *w = *state;

    w->view.is_utf8 = false;
    w->view.state =
        state_of(w, "{\"version\":\"é日本\",\"status\":\"ready\",\"counts\":{\"received\":1}}");
    draw(w, 80, 24);
    must_have(w, "sluice ???");
    must_have(w, "queue ------> receive -> decode");
    for (unsigned i = 0; i < w->n; i++) {
        for (size_t k = 0; k < w->rows[i].text.len; k++) {
            assert_in_range(w->rows[i].text.ptr[k], ' ', '~');
        }
    }
}

static void the_last_minutes_are_bars_that_are_blank_where_nothing_moved(void **state)
{
    struct world *w = *state;
    static struct sl_top_history h = { .step_s = 5, .n = 12, .p50_ms = 12.5, .p99_ms = 44 };

    for (unsigned i = 0; i < h.n; i++) {
        h.received[i] = i < 4 ? 0 : (double)i;
    }
    w->view.state = state_of(w, STATE);
    w->view.history = &h;
    draw(w, 80, 30);
    must_have(w, "the last 60 s, a column for 5 s");
    must_have(w, "received     ▃▄▅▆▆▇██  max 11/s");
    must_have(w, "loaded                 max 0/s");
    must_have(w, "latency p50 12 ms, p99 44 ms");
    must_have(w, "11/s"); /* no difference yet: the rate is that of the last point */
}

static void errors_are_scrolled_to_their_end_and_no_further(void **state)
{
    struct world *w = *state;

    w->view.state = state_of(w, STATE);
    w->view.scroll = 1000;
    draw(w, 80, 15);
    must_have(w, "warnings and errors, the newest first: 1");
    must_have(w, "bring the database back");
    assert_int_equal(w->view.scroll, 1);
    assert_int_equal(row_with(w, "the database is away"), -1);
}

static void many_workers_leave_room_for_errors_and_are_counted(void **state)
{
    struct world *w = *state;
    static struct sl_top_state s;

    s = *state_of(w, STATE);
    s.workers_n = 100;
    for (unsigned i = 2; i < s.workers_n; i++) {
        s.workers[i] = s.workers[0];
        s.workers[i].number = i;
    }
    w->view.state = &s;
    draw(w, 80, 24);
    must_have(w, "worker 1: load, waits");
    must_have(w, "  + 93 more");
    must_have(w, "bring the database back");
    draw(w, 80, 0); /* no terminal: all of it */
    must_have(w, "worker 99: receive");
    assert_int_equal(row_with(w, "q quit"), -1);
}

static void who_is_gone_is_said_and_what_was_said_before_stays(void **state)
{
    struct world *w = *state;

    pace_step(&w->pace, 1000, 3600000, 880);
    w->view.absent = "could not reach it";
    w->view.absent_s = 3;
    draw(w, 80, 24);
    is_row(w, 0, "sluice top http://127.0.0.1:9464");
    is_row(w, 1, "nobody answers for 3 s: could not reach it");
    w->view.state = state_of(w, STATE);
    sl_top_pace_add(&w->pace, w->view.state);
    draw(w, 80, 24);
    is_row(w, 1, "nobody answers for 3 s, below is what was said before: could not reach it");
    must_have(w, "public.user_logins");
    assert_int_equal(row_with(w, "120/s"), -1); /* nobody knows how fast it is now */
}

static void a_run_that_starts_has_its_reasons_and_its_errors_only(void **state)
{
    struct world *w = *state;

    w->view.state = state_of(w, "{\"version\":\"0.1.0\",\"status\":\"not ready\","
                                "\"reasons\":[\"starting: waiting for the database\"],"
                                "\"counts\":null,\"source\":null,\"workers\":[],\"errors\":[]}");
    draw(w, 80, 24);
    is_row(w, 0, "sluice 0.1.0");
    is_row(w, 1, "not ready: starting: waiting for the database");
    must_have(w, "no warnings and no errors");
    assert_int_equal(row_with(w, "receive"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, world_new, world_free)
        T(what_moves_a_cursor_becomes_a_question_mark),
        T(a_wide_character_takes_two_columns_and_is_never_halved),
        T(a_text_is_wrapped_at_blanks_and_long_words_anywhere),
        T(numbers_and_ages_are_short),
        T(what_is_missing_or_of_another_type_is_unknown),
        T(what_is_no_answer_of_a_run_is_refused),
        T(lists_are_limited),
        T(a_history_has_its_newest_points_and_the_last_known_latency),
        T(a_rate_is_that_of_the_last_seconds),
        T(another_start_of_the_run_begins_anew_and_no_rate_is_negative),
        T(the_flow_lies_where_it_is_wide_and_says_what_is_stuck_where),
        T(a_pipeline_is_named_where_its_name_is_not_that_of_its_table),
        T(a_small_terminal_has_the_flow_upright_and_the_first_error),
        T(without_utf8_everything_is_ascii),
        T(the_last_minutes_are_bars_that_are_blank_where_nothing_moved),
        T(errors_are_scrolled_to_their_end_and_no_further),
        T(many_workers_leave_room_for_errors_and_are_counted),
        T(who_is_gone_is_said_and_what_was_said_before_stays),
        T(a_run_that_starts_has_its_reasons_and_its_errors_only),
#undef T
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
