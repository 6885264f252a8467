/* app_drain.h - when a queue is empty: nothing is there, nothing comes, and nobody holds anything. */
#ifndef SLUICE_APP_DRAIN_H
#define SLUICE_APP_DRAIN_H

#include "app.h"

/* What has been seen of a queue that may be empty. */
struct sl_drain {
    int64_t next_look_ms;
    int64_t others_since_ms; /* 0 = nobody else holds anything */
    uint64_t received;       /* at the last look */
    unsigned looks;          /* in a row that found nothing */
};

/* No worker holds anything, and nothing came when they last asked. */
bool sl_app_is_idle(const struct sl_app *app);

/* Look again.  Ends with a warning when others have held messages for longer than they can. */
bool sl_drain_is_over(struct sl_app *app, struct sl_drain *seen);

#endif
