/* app_signals.h - signals while a run goes on: stop, and read the keys again. */
#ifndef SLUICE_APP_SIGNALS_H
#define SLUICE_APP_SIGNALS_H

#include "app.h"

struct sl_app_signals {
    pthread_t signals;
    pthread_t reload;
};

/* Take SIGTERM, SIGINT and SIGHUP from now on, in threads of its own; all threads started later
 * leave them alone.
 * Errors:  SL_NOMEM (retry) */
sl_rc sl_app_signals_start(struct sl_app *app, struct sl_app_signals *ret, struct sl_err *e)
    SL_MUST_CHECK;

/* No worker runs any more: end the threads. */
void sl_app_signals_end(struct sl_app *app, const struct sl_app_signals *h);

#endif
