/* base/notify.h - tell the service manager how the program is: systemd's notification protocol.
 *
 * Source:  sd_notify(3), https://www.freedesktop.org/software/systemd/man/sd_notify.html
 */
#ifndef SLUICE_BASE_NOTIFY_H
#define SLUICE_BASE_NOTIFY_H

#include <stdint.h>

/* Send one state: "READY=1", "STOPPING=1", "WATCHDOG=1", "STATUS=text".  Does nothing where nobody
 * asked ($NOTIFY_SOCKET); a manager that does not listen is no failure.
 * Threads: any */
void sl_notify(const char *state);

/* How often WATCHDOG=1 is to be sent: half of what the manager allows; 0 = it does not ask.
 * Units: ms */
int64_t sl_notify_watchdog_ms(void);

#endif
