/* app_monitor.h - who watches is answered: /metrics, /healthz, /readyz. */
#ifndef SLUICE_APP_MONITOR_H
#define SLUICE_APP_MONITOR_H

#include "app.h"

/* Listen where `http.listen` says, if it does; a dry run does not.  End with sl_http_server_stop,
 * before anything that is looked at.
 *
 * Errors:  SL_CONFIG (stop)  "file:line:column: http.listen: cannot listen on ..."
 *          SL_NOMEM (retry)
 */
sl_rc sl_app_monitor_start(struct sl_app *app, struct sl_err *e) SL_MUST_CHECK;

#endif
