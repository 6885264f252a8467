/* cmd/top_view.h - what is known of a run, as rows of text: pure, whatever the terminal. */
#ifndef SLUICE_CMD_TOP_VIEW_H
#define SLUICE_CMD_TOP_VIEW_H

#include "cmd/top_pace.h"
#include "cmd/top_page.h"

struct sl_top_view {
    unsigned cols;
    unsigned height; /* rows; 0: as many as it takes, and no line about keys */
    bool is_utf8;
    bool has_help; /* in place of the rest */
    bool is_paused;
    unsigned scroll; /* rows of the errors */
    const char *url;
    const struct sl_top_state *state;     /* NULL: nobody has answered yet */
    const struct sl_top_history *history; /* NULL: not known */
    const struct sl_top_pace *pace;
    const char *absent; /* why nobody answers; NULL: somebody does */
    int64_t absent_s;   /* since when */
};

/* Write the page.
 *
 * Owns:    the rows live in `a`; scroll of the view is lowered to what there is to scroll
 * Returns: how many rows, at most view->height of them; 0 when memory ran out
 */
unsigned sl_top_view_rows(struct sl_top_view *view, struct sl_arena *a,
                          const struct sl_top_row **ret);

#endif
