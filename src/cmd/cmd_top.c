/* cmd/cmd_top.c - sluice top: a run that goes on, watched in a terminal. */
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/top_feed.h"
#include "cmd/top_screen.h"
#include "cmd/top_view.h"

enum {
    INTERVAL_PRESET_S = 1,
    INTERVAL_MAX_S = 60,
    DRAW_MS = 1000, /* at least so often, for ages go on */
    PAGE_COLS = 80, /* without a terminal */
    PAGE_MAX = 4 << 20,
    SCROLL_PAGE = 5,
};

const char sl_help_top[] =
    "Usage: sluice top [options] [URL]\n"
    "\n"
    "Watch a run that goes on, at its http.listen: the flow from the queue into the table with "
    "its\n"
    "rates, how much waits, which worker is kept by what, the last minutes, and recent warnings "
    "and\n"
    "errors with what to do about them. The URL is http://127.0.0.1:9464 unless another one is "
    "given.\n"
    "Where there is no terminal, one page is printed.\n"
    "\n"
    "Options:\n"
    "      --interval SECONDS ask so often, 1 to 60 (preset 1)\n"
    "  -h, --help             print this text\n"
    "\n"
    "Keys: q quit; p pause; arrows, page up, page down and home scroll the errors; ? help.\n"
    "\n"
    "Exit status: 0; without a terminal, as sluice status: 0 ready; 1 not ready; 75 nobody "
    "answers\n"
    "there.\n"
    "\n"
    "Examples:\n"
    "  sluice top\n"
    "  sluice top --interval 5 http://10.0.0.7:9464\n"
    "  sluice top | cat\n";

struct top {
    const char *url;
    int64_t interval_s;
    bool wants_help;
    bool is_utf8;
    bool is_over;
    struct sl_top_feed feed;
    struct sl_top_view view;
    struct sl_arena page;
};

static sl_rc top_parse(struct top *t, int argc, char **argv, struct sl_err *e)
{
    static const struct option options[] = { { "interval", required_argument, NULL, 'i' },
                                             { "help", no_argument, NULL, 'h' },
                                             { 0 } };
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (option == 'h') {
            t->wants_help = true;
        } else if (option == ':') {
            return SL_FAIL(e, SL_USAGE, "option '%.64s' needs a value", argv[optind - 1]);
        } else if (option != 'i') {
            return SL_FAIL(e, SL_USAGE, "unknown option '%.64s'", argv[optind - 1]);
        } else if (!sl_str_to_i64(sl_str_of(optarg), &t->interval_s) || t->interval_s < 1 ||
                   t->interval_s > INTERVAL_MAX_S) {
            return SL_FAIL(e, SL_USAGE, "--interval takes 1 to %d seconds", INTERVAL_MAX_S);
        }
    }
    return sl_options_take_monitor(argc, argv, &t->url, e);
}

/* What there is to show, at this moment. */
static unsigned top_rows(struct top *t, unsigned cols, unsigned height,
                         const struct sl_top_row **ret)
{
    const struct sl_top_feed *f = &t->feed;
    struct sl_top_view *v = &t->view;

    v->cols = cols;
    v->height = height;
    v->is_utf8 = t->is_utf8;
    v->url = t->url;
    v->state = f->state;
    v->history = f->has_history ? &f->history : NULL;
    v->pace = &f->pace;
    v->absent = f->absent.rc != SL_OK ? f->absent.msg : NULL;
    v->absent_s = (sl_clock_now_ms() - f->heard_ms) / 1000;
    sl_arena_reset(&t->page);
    return sl_top_view_rows(v, &t->page, ret);
}

/* ---- without a terminal -------------------------------------------------------------------------- */

static int top_print(struct top *t)
{
    SL_AUTO(sl_buf_done) struct sl_buf text = { .max_bytes = PAGE_MAX };
    const struct sl_top_row *rows = NULL;
    struct sl_err e;
    unsigned n;
    int status;

    if (sl_top_feed_once(&t->feed, &e) != SL_OK) {
        return sl_cmd_fail("top", &e);
    }
    n = top_rows(t, PAGE_COLS, 0, &rows);
    for (unsigned i = 0; i < n; i++) {
        sl_buf_add_str(&text, rows[i].text);
        sl_buf_add_char(&text, '\n');
    }
    status = sl_cmd_print(&text);
    return status != 0 ? status : !t->feed.state->is_ready;
}

/* ---- in a terminal ------------------------------------------------------------------------------- */

static void key_take(struct top *t, enum sl_top_key key)
{
    unsigned *scroll = &t->view.scroll;

    if (key == SL_TOP_KEY_QUIT) {
        t->is_over = true;
    } else if (key == SL_TOP_KEY_PAUSE) {
        t->view.is_paused = t->feed.is_paused = !t->feed.is_paused;
    } else if (key == SL_TOP_KEY_HELP) {
        t->view.has_help = !t->view.has_help;
    } else if (key == SL_TOP_KEY_DOWN || key == SL_TOP_KEY_PAGE_DOWN) {
        *scroll += key == SL_TOP_KEY_DOWN ? 1 : SCROLL_PAGE;
    } else if (key == SL_TOP_KEY_UP || key == SL_TOP_KEY_PAGE_UP) {
        const unsigned less = key == SL_TOP_KEY_UP ? 1 : SCROLL_PAGE;

        *scroll -= less < *scroll ? less : *scroll;
    } else if (key == SL_TOP_KEY_HOME) {
        *scroll = 0;
    }
}

/* A terminal that is ready and has nothing to read is gone. */
static bool keys_take(struct top *t, short ready)
{
    enum sl_top_key key = sl_top_screen_key();
    const bool has_some = key != SL_TOP_KEY_NONE;

    t->is_over = (ready & (POLLHUP | POLLERR | POLLNVAL)) != 0 || (ready != 0 && !has_some);
    for (; key != SL_TOP_KEY_NONE && !t->is_over; key = sl_top_screen_key()) {
        key_take(t, key);
    }
    return has_some;
}

static void top_draw(struct top *t)
{
    const struct sl_top_row *rows = NULL;
    unsigned cols;
    unsigned height;
    unsigned n;

    sl_top_screen_size(&cols, &height);
    n = top_rows(t, cols, height, &rows);
    sl_top_screen_draw(rows, n);
}

static int top_watch(struct top *t)
{
    struct sl_top_screen screen = { 0 };
    int64_t draw_ms = 0;
    struct sl_err e;

    if (sl_top_screen_open(&screen, &e) != SL_OK) {
        return sl_cmd_fail("top", &e);
    }
    while (!t->is_over) {
        if (t->feed.is_new || sl_clock_now_ms() >= draw_ms) {
            top_draw(t);
            t->feed.is_new = false;
            draw_ms = sl_clock_now_ms() + DRAW_MS;
        }
        if (keys_take(t, sl_top_feed_wait(&t->feed, STDIN_FILENO, draw_ms))) {
            draw_ms = 0;
        }
    }
    sl_top_screen_close(&screen);
    return 0;
}

int sl_cmd_top(int argc, char **argv)
{
    static struct top t = { .interval_s = INTERVAL_PRESET_S };
    struct sl_err e;
    int status;

    if (top_parse(&t, argc, argv, &e) != SL_OK) {
        return sl_cmd_fail("top", &e);
    }
    if (t.wants_help) {
        return fputs(sl_help_top, stdout) < 0;
    }
    (void)setlocale(LC_CTYPE, "");
    t.is_utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    if (sl_top_feed_open(&t.feed, t.url, (unsigned)t.interval_s * 1000, &e) != SL_OK) {
        return sl_cmd_fail("top", &e);
    }
    sl_arena_init(&t.page, PAGE_MAX, 64 << 10);
    status =
        isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 ? top_watch(&t) : top_print(&t);
    sl_top_feed_close(&t.feed);
    sl_arena_done(&t.page);
    return status;
}
