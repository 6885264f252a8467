/* app_progress.h - how far a run is: a bar on a terminal, a line now and then elsewhere. */
#ifndef SLUICE_APP_PROGRESS_H
#define SLUICE_APP_PROGRESS_H

#include "app.h"

struct sl_progress {
    bool has_terminal;
    int64_t next_ms;
    int64_t next_ask_ms;
    int64_t remaining;
};

/* Nothing is shown yet. */
struct sl_progress sl_progress_begin(const struct sl_app *app);

/* Show it when it is time to; asks the queue how much is left, on a terminal. */
void sl_progress_show(struct sl_app *app, struct sl_progress *p);

/* Wipe the bar. */
void sl_progress_end(const struct sl_progress *p);

#endif
