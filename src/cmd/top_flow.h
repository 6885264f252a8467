/* cmd/top_flow.h - the flow as it is drawn: from the queue through five stages into the table, with
 * what moves and what is stuck where. */
#ifndef SLUICE_CMD_TOP_FLOW_H
#define SLUICE_CMD_TOP_FLOW_H

#include "cmd/top_page.h"
#include "cmd/top_state.h"

/* Messages a second; SL_TOP_UNKNOWN: not known, and not shown. */
struct sl_top_rates {
    double received;
    double loaded;
    double deleted;
};

enum { SL_TOP_SHORT = 32 }; /* bytes that a number or an age has room in */

/* A number in few characters: 9999, 12.3k, 4.5M.  Shape: number is 0 or more. */
void sl_top_number(char out[static SL_TOP_SHORT], double number);

/* How long, in its largest unit: 12 s, 3 min, 2 h, 4 d. */
void sl_top_age(char out[static SL_TOP_SHORT], int64_t seconds);

/* Add the flow to the page: side by side where it is wide enough, else one below the other. */
void sl_top_flow_add(struct sl_top_page *p, const struct sl_top_state *s,
                     const struct sl_top_rates *rates);

/* Add the last minutes, as bars. */
void sl_top_charts_add(struct sl_top_page *p, const struct sl_top_history *h);

#endif
