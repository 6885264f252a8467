/* cmd/top_screen.c - a terminal, by ncurses. */
#define NCURSES_NOMACROS 1
#include "cmd/top_screen.h"

#include <curses.h>
#include <stdlib.h>
#include <term.h>
#include <unistd.h>

enum { ESCAPE_MS = 25 }; /* until a lone escape is no arrow any more */

/* One that is known and can move its cursor.  newterm takes any that is known, and does not give back
 * what it took for one that is not. */
static bool is_able_terminal(void)
{
    const char *const none = (const char *)-1; /* as tigetstr says it */
    bool is_able = false;
    int found = 0;

    if (setupterm(NULL, STDOUT_FILENO, &found) == OK) {
        const char *move_cursor = tigetstr("cup");

        is_able = move_cursor != NULL && move_cursor != none;
    }
    (void)del_curterm(set_curterm(NULL));
    return is_able;
}

sl_rc sl_top_screen_open(struct sl_top_screen *s, struct sl_err *e)
{
    const char *term = getenv("TERM");

    (void)unsetenv("LINES"); /* these two would stay as they are, whatever the size */
    (void)unsetenv("COLUMNS");
    s->screen = is_able_terminal() ? newterm(NULL, stdout, stdin) : NULL;
    if (s->screen == NULL) {
        return SL_FAIL(e, SL_USAGE,
                       "TERM=%.64s names no terminal that can be drawn on; sluice top | cat prints "
                       "one page",
                       term != NULL ? term : "");
    }
    (void)cbreak();
    (void)noecho();
    (void)nonl();
    (void)nodelay(stdscr, true);
    (void)keypad(stdscr, true);
    (void)curs_set(0);
    (void)set_escdelay(ESCAPE_MS);
    return SL_OK;
}

void sl_top_screen_close(struct sl_top_screen *s)
{
    if (s->screen != NULL) {
        (void)move(getmaxy(stdscr) - 1, 0); /* where the shell goes on, if what was there before */
        (void)clrtoeol();                   /* does not come back */
        (void)refresh();
        (void)endwin();
        delscreen(s->screen);
        s->screen = NULL;
    }
}

void sl_top_screen_size(unsigned *ret_cols, unsigned *ret_rows)
{
    *ret_cols = (unsigned)getmaxx(stdscr);
    *ret_rows = (unsigned)getmaxy(stdscr);
}

static void row_draw(int y, const struct sl_top_row *row)
{
    static const attr_t looks[] = {
        [SL_TOP_PLAIN] = A_NORMAL, [SL_TOP_STRONG] = A_BOLD, [SL_TOP_BAR] = A_REVERSE
    };

    (void)mvaddnstr(y, 0, row->text.ptr != NULL ? row->text.ptr : "", (int)row->text.len);
    (void)mvchgat(y, 0, -1, looks[row->look], 0, NULL);
}

void sl_top_screen_draw(const struct sl_top_row *rows, unsigned n)
{
    (void)erase();
    for (unsigned i = 0; i < n; i++) {
        row_draw((int)i, &rows[i]);
    }
    (void)refresh();
}

enum sl_top_key sl_top_screen_key(void)
{
    static const struct {
        int typed;
        enum sl_top_key key;
    } keys[] = {
        { ERR, SL_TOP_KEY_NONE },          { 'q', SL_TOP_KEY_QUIT },
        { 'p', SL_TOP_KEY_PAUSE },         { '?', SL_TOP_KEY_HELP },
        { KEY_UP, SL_TOP_KEY_UP },         { KEY_DOWN, SL_TOP_KEY_DOWN },
        { KEY_PPAGE, SL_TOP_KEY_PAGE_UP }, { KEY_NPAGE, SL_TOP_KEY_PAGE_DOWN },
        { KEY_HOME, SL_TOP_KEY_HOME },
    };

    const int typed = getch();

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (keys[i].typed == typed) {
            return keys[i].key;
        }
    }
    return SL_TOP_KEY_OTHER;
}
