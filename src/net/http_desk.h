/* net/http_desk.h - one thread for the answers that take time, one after the other. */
#ifndef SLUICE_NET_HTTP_DESK_H
#define SLUICE_NET_HTTP_DESK_H

#include <pthread.h>
#include <stdbool.h>

#include "base/err.h"

enum { SL_HTTP_DESK_MAX = 8 }; /* that wait, besides the one at work */

/* One answer to be made; `run` may end it. */
struct sl_http_job {
    struct sl_http_job *next;
    void (*run)(struct sl_http_job *job, bool is_over);
};

struct sl_http_desk {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct sl_http_job *first; /* under the lock, as all below */
    struct sl_http_job *last;
    unsigned n;
    bool is_over;
    bool is_started;
};

/* Start the thread, with the caller's signals.  Errors: SL_NOMEM (retry) */
sl_rc sl_http_desk_start(struct sl_http_desk *desk, struct sl_err *e) SL_MUST_CHECK;

/* Give it something to do.
 * Returns: false when too much waits already, or it is over: the job is the caller's still */
bool sl_http_desk_give(struct sl_http_desk *desk, struct sl_http_job *job);

/* Whether it has ended. */
bool sl_http_desk_is_over(struct sl_http_desk *desk);

/* End: the job at work is awaited, those that wait are run with `is_over`.  Takes a zeroed one. */
void sl_http_desk_stop(struct sl_http_desk *desk);

#endif
