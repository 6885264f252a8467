/* source/source.h - SEAM: where messages come from, and where they are forgotten.  "sqs" is a queue;
 * "file" are files, in which nothing is deleted, handed back or hidden.
 *
 * A source that has been asked to stop starts no receives any more; what the outstanding ones
 * bring still comes to `receive`.
 *
 * A source belongs to one worker and has that worker's one wait: whoever waits for something
 * (a socket of the sink's, a deadline) does it through `wait`, in which the source's own
 * requests, heartbeats and deletes go on.
 */
#ifndef SLUICE_SOURCE_SOURCE_H
#define SLUICE_SOURCE_SOURCE_H

#include "base/err.h"
#include "net/wait.h"
#include "record/batch.h"

struct sl_source_ops {
    /* Fill `b` with what has arrived, lingering a while for a fuller batch.
     *
     * Returns: SL_OK with b->n == 0 when nothing came before `due_ms`, or nothing will come any
     *          more because a stop was asked for and the outstanding receives are over
     * Errors:  SL_DISCONNECTED, SL_THROTTLED, ... (retry)  the queue cannot be asked; it is asked
     *          again, with backoff, by the next call */
    sl_rc (*receive)(void *self, struct sl_batch *b, int64_t due_ms, struct sl_err *e);

    /* Delete every record of `b` that has an outcome, which is committed, in the background: the
     * receipt handles outlive the batch; failed entries are tried again.  Let go of those that are
     * left: they become visible again when their time is over. */
    void (*ack)(void *self, const struct sl_batch *b);

    /* Hand every undecided record of `b` back, visible again at once; counts them as returned. */
    void (*release)(void *self, const struct sl_batch *b);

    /* Start no receives (true), or start them again. */
    void (*pause)(void *self, bool is_paused);

    /* While paused: hand back what no batch has taken.  Call it again and again: what was on its
     * way may still come. */
    void (*give_back)(void *self);

    /* After a stop: hand back every message still held, and wait until every delete and hand-back
     * has been answered, or `due_ms`. */
    void (*flush)(void *self, int64_t due_ms);

    /* True when no message is held, no request is out, and the last answer was empty. */
    bool (*is_idle)(const void *self);

    /* Deliveries counted as received, in no batch, and of no known end yet. */
    uint64_t (*in_flight)(const void *self);

    /* End the worker's wait.  Threads: any. */
    void (*wake)(const void *self);

    void (*close)(void *self);
};

struct sl_source {
    void *self;
    const struct sl_source_ops *ops;
    struct sl_wait wait; /* the worker's one wait */
};

#endif
