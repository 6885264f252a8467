/* net/wait.c - a wait for those who have no requests of their own under way. */
#include "net/wait.h"

#include <poll.h>

#include "base/clock.h"

static short plain_until(void *self, int fd, short events, int64_t due_ms)
{
    struct pollfd p = { .fd = fd, .events = events };
    const int64_t wait_ms = due_ms - sl_clock_now_ms();

    (void)self;
    if (poll(&p, fd < 0 ? 0 : 1, wait_ms < 0 ? 0 : (int)wait_ms) <= 0) {
        return 0;
    }
    return p.revents;
}

struct sl_wait sl_wait_plain(void)
{
    return (struct sl_wait){ .until = plain_until };
}
