/* pipeline/worker.h - one thread that takes batch after batch through the flow. */
#ifndef SLUICE_PIPELINE_WORKER_H
#define SLUICE_PIPELINE_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "pipeline/pipeline.h"

struct sl_worker {
    struct sl_pipeline pipeline;
    pthread_t thread;
    unsigned number;
    bool is_started;
    bool is_mismatch_said;
    bool is_stalled;      /* the watchdog's own */
    struct sl_stop *stop; /* of all workers */
    _Atomic bool is_idle; /* holds nothing, and its last receive brought nothing */
    bool exits_on_outage; /* an outage that outlasts the patience is a failure */
    struct sl_counters counters;
    _Atomic bool has_ended;
    struct sl_err failure; /* why it ended; rc SL_OK when it was told to.  Read after join */
};

/* The source's wait, for those who wait for a socket: what comes over it is a sign of progress. */
struct sl_wait sl_worker_wait(struct sl_worker *w);

/* Start the thread; its pipeline is ready and stays the worker's until sl_worker_join.
 * Errors: SL_NOMEM (retry) */
sl_rc sl_worker_start(struct sl_worker *w, struct sl_err *e) SL_MUST_CHECK;

/* Wait for its end, a while: it finishes what it holds and flushes its deletes.
 * Returns: true when it has ended, or was never started */
bool sl_worker_join(struct sl_worker *w, unsigned wait_ms);

#endif
