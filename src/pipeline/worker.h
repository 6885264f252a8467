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
    struct sl_stop *stop; /* of all workers */
    _Atomic bool is_idle; /* holds nothing, and its last receive brought nothing */
    _Atomic unsigned in_flight;
    struct sl_err failure; /* why it ended; rc SL_OK when it was told to.  Read after join */
};

/* Start the thread; its pipeline is ready and stays the worker's until sl_worker_join.
 * Errors: SL_NOMEM (retry) */
sl_rc sl_worker_start(struct sl_worker *w, struct sl_err *e) SL_MUST_CHECK;

/* Wait for its end: it finishes what it holds and flushes its deletes. */
void sl_worker_join(struct sl_worker *w);

#endif
