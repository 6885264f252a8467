/* app_watchdog.h - workers that make no progress: said, and in the end the program ends for them.
 *
 * Everything a worker waits for has a deadline of its own, far below `stall_after`; what is found
 * here is a thread that is stuck where nobody can wait for it.  What it holds comes back to the
 * queue by itself, and the ledger knows what it had loaded.
 */
#ifndef SLUICE_APP_WATCHDOG_H
#define SLUICE_APP_WATCHDOG_H

#include "app.h"

struct sl_watchdog {
    int64_t next_ping_ms; /* to the service manager */
    bool is_stalled;      /* a worker is, now: not ready, and no pings */
};

/* Look at every worker; call it several times a second.
 *
 * Errors:  SL_STALLED (stop)  one has been stuck for twice `stall_after`: stop the others and end
 */
sl_rc sl_watchdog_look(struct sl_app *app, struct sl_watchdog *dog, struct sl_err *e) SL_MUST_CHECK;

#endif
