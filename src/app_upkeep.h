/* app_upkeep.h - now and then, what is old is removed from the database: beside the workers, over a
 * connection of its own. */
#ifndef SLUICE_APP_UPKEEP_H
#define SLUICE_APP_UPKEEP_H

#include "app.h"

struct sl_app_upkeep {
    struct sl_app *app;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct sl_stop stop; /* of the thread alone */
    bool is_started;
    bool has_run;
    bool has_said; /* what right is missing */
};

/* Start the thread: its first round is a minute or two from now, then one an hour.  A dry run has
 * none.
 * Errors:  SL_NOMEM (retry) */
sl_rc sl_app_upkeep_start(struct sl_app_upkeep *u, struct sl_app *app, struct sl_err *e)
    SL_MUST_CHECK;

/* End it.  A run that is over by itself before the first round has it now, if all went well: one that
 * is started by the clock to drain a queue would never have any.
 * Blocks:  a few seconds at most */
void sl_app_upkeep_end(struct sl_app_upkeep *u, bool is_well);

#endif
