/* app_state.h - a whole run at one moment, for the console. */
#ifndef SLUICE_APP_STATE_H
#define SLUICE_APP_STATE_H

#include "app.h"

/* Write it as JSON, with what was warned of lately and what to do about it.
 *
 * Shape:   {"version":...,"status":...,"reasons":[],...}; null for what is not known, as most of it is
 *          while the run starts
 * Threads: the server's
 */
void sl_app_state(struct sl_app *app, struct sl_buf *out);

#endif
