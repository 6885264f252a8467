/* source/sqs_shared.h - what the workers of a process share about a queue. */
#ifndef SLUICE_SOURCE_SQS_SHARED_H
#define SLUICE_SOURCE_SQS_SHARED_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/str.h"

enum { SL_SQS_LEFT_SPANS = 64 };

/* Messages left in the queue at about the same time. */
struct sl_sqs_left_span {
    int64_t until_ms; /* monotonic: hidden so long, and visible again then */
    unsigned n;
};

struct sl_sqs_shared {
    _Atomic int64_t quota; /* messages that may still be received; INT64_MAX for no limit */

    pthread_mutex_t left_lock;
    struct sl_sqs_left_span left[SL_SQS_LEFT_SPANS]; /* a ring: the oldest are over */
    unsigned left_at;                                /* the newest of them */
};

/* For `max_messages` at most; end with sl_sqs_shared_done. */
void sl_sqs_shared_init(struct sl_sqs_shared *shared, int64_t max_messages);
void sl_sqs_shared_done(struct sl_sqs_shared *shared);

/* Take up to `n` of what may still be received, and give back what did not come.
 * Threads: any */
unsigned sl_sqs_quota_take(struct sl_sqs_shared *shared, unsigned n);
void sl_sqs_quota_give(struct sl_sqs_shared *shared, unsigned n);

/* Count a message that stays in the queue, hidden for so long from now on.  Threads: any. */
void sl_sqs_leave(struct sl_sqs_shared *shared, int64_t now_ms, int64_t hidden_ms);

/* Messages that this run left in the queue and that are hidden still: what became visible again
 * is received, and left, again.  Threads: any. */
unsigned sl_sqs_left(struct sl_sqs_shared *shared, int64_t now_ms);

#endif
