/* app_emf.h - the counts of a run as metrics of CloudWatch: a line a minute, and one at the end. */
#ifndef SLUICE_APP_EMF_H
#define SLUICE_APP_EMF_H

#include "app.h"

struct sl_app_emf {
    int64_t next_ms;
    struct sl_counts said;
};

/* Say what was counted since the last line, when it is time to or the run is over; nothing where
 * metrics are not wanted, or nothing is loaded. */
void sl_app_emf_look(struct sl_app *app, struct sl_app_emf *emf, bool is_end);

#endif
