/* base/stop.h - how far a run has been told to stop: set by anyone, read by every worker. */
#ifndef SLUICE_BASE_STOP_H
#define SLUICE_BASE_STOP_H

#include <stdatomic.h>
#include <stdbool.h>

struct sl_stop {
    _Atomic bool is_asked;  /* receive no more; what is held is finished, outages waited out */
    _Atomic bool is_urgent; /* and wait for no outage to end: what cannot be loaded goes back */
};

/* Threads: any. */
static inline void sl_stop_ask(struct sl_stop *stop, bool is_urgent)
{
    if (is_urgent) {
        atomic_store(&stop->is_urgent, true);
    }
    atomic_store(&stop->is_asked, true);
}

#endif
