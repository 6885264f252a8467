/* net/wait.h - the one wait of a worker, as those who need to wait see it. */
#ifndef SLUICE_NET_WAIT_H
#define SLUICE_NET_WAIT_H

#include <stdint.h>

#include "base/err.h"

struct sl_wait {
    void *self;

    /* Wait until `fd` is ready for `events` (POLLIN, POLLOUT), or the deadline.
     *
     * Shape:   fd may be -1: only the deadline counts
     * Units:   due_ms is of sl_clock_now_ms; at once when it has passed
     * Returns: the ready events, 0 when the deadline passed or the worker was woken
     * Threads: the worker's own */
    short (*until)(void *self, int fd, short events, int64_t due_ms);
};

/* A wait that does nothing else meanwhile. */
struct sl_wait sl_wait_plain(void);

#endif
