/* app_queue.h - how long the queue is: asked, counted, and remembered for those who watch. */
#ifndef SLUICE_APP_QUEUE_H
#define SLUICE_APP_QUEUE_H

#include <pthread.h>

#include "app.h"

/* As sl_sqs_ask, about the queue that is read.  Threads: any, once its wire is known. */
sl_rc sl_app_queue_ask(struct sl_app *app, struct sl_sqs_attributes *ret, struct sl_err *e)
    SL_MUST_CHECK;

/* Whether what the queue said last still says anything of it.  Threads: any */
bool sl_app_depth_is_fresh(const struct sl_app_depth *depth, int64_t at_ms);

/* The last part of the queue's URL; "" for files. */
sl_str sl_app_queue_name(const struct sl_config *cfg);

/* Who asks while a run goes on, in a thread of its own: nobody else may wait for the answer. */
struct sl_app_asker {
    struct sl_app *app;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool is_over; /* under the lock */
    bool is_started;
};

/* Begin, if there is a queue, and somebody who may watch.  Without a thread nothing is known of it
 * later on, and that is all. */
void sl_app_asker_start(struct sl_app_asker *asker, struct sl_app *app);

/* End; a question that is out is awaited, 10 s at most. */
void sl_app_asker_end(struct sl_app_asker *asker);

#endif
