/* cmd/top_pace.h - how fast a run is: its counts now and some seconds before. */
#ifndef SLUICE_CMD_TOP_PACE_H
#define SLUICE_CMD_TOP_PACE_H

#include "cmd/top_state.h"

enum { SL_TOP_PACE_N = 6 }; /* so a rate is that of five intervals */

struct sl_top_pace {
    int64_t started_at_ms; /* of the run: another start, other counts */
    unsigned n;
    int64_t at_ms[SL_TOP_PACE_N]; /* by the clock of the run, oldest first */
    struct sl_top_counts counts[SL_TOP_PACE_N];
};

/* Take the counts of one more answer.  Another start of the run, or a clock of it that goes back, begins
 * anew.  Takes a zeroed one, too. */
void sl_top_pace_add(struct sl_top_pace *p, const struct sl_top_state *s);

/* Messages a second.
 * Returns: SL_TOP_UNKNOWN as long as there is no difference */
double sl_top_pace_received(const struct sl_top_pace *p);
double sl_top_pace_loaded(const struct sl_top_pace *p);
double sl_top_pace_deleted(const struct sl_top_pace *p);

#endif
