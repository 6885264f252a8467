/* cmd/top_screen.h - a terminal: rows onto it, keys from it.  One at a time. */
#ifndef SLUICE_CMD_TOP_SCREEN_H
#define SLUICE_CMD_TOP_SCREEN_H

#include "cmd/top_page.h"

enum sl_top_key {
    SL_TOP_KEY_NONE, /* nothing more was typed */
    SL_TOP_KEY_OTHER,
    SL_TOP_KEY_QUIT,
    SL_TOP_KEY_PAUSE,
    SL_TOP_KEY_HELP,
    SL_TOP_KEY_UP,
    SL_TOP_KEY_DOWN,
    SL_TOP_KEY_PAGE_UP,
    SL_TOP_KEY_PAGE_DOWN,
    SL_TOP_KEY_HOME,
};

struct sl_top_screen {
    struct screen *screen; /* of ncurses */
};

/* Take over the terminal of stdin and stdout, until the screen is closed or a signal ends the program.
 * Errors: SL_USAGE (stop)  TERM names none that ncurses knows */
sl_rc sl_top_screen_open(struct sl_top_screen *s, struct sl_err *e) SL_MUST_CHECK;
void sl_top_screen_close(struct sl_top_screen *s);

/* How large it is at this moment. */
void sl_top_screen_size(unsigned *ret_cols, unsigned *ret_rows);

/* Show these rows and nothing else. */
void sl_top_screen_draw(const struct sl_top_row *rows, unsigned n);

/* What was typed next.  Blocks: never */
enum sl_top_key sl_top_screen_key(void);

#endif
