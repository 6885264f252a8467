/* source/sqs_shared.h - what the workers of a process share about a queue. */
#ifndef SLUICE_SOURCE_SQS_SHARED_H
#define SLUICE_SOURCE_SQS_SHARED_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/str.h"

enum { SL_SQS_LEFT_MAX = 1024 };

struct sl_sqs_shared {
    _Atomic int64_t quota; /* messages that may still be received; INT64_MAX for no limit */

    pthread_mutex_t left_lock;
    uint64_t left[SL_SQS_LEFT_MAX]; /* hashes of the ids of messages left in the queue */
    unsigned left_n;
};

/* For `max_messages` at most; end with sl_sqs_shared_done. */
void sl_sqs_shared_init(struct sl_sqs_shared *shared, int64_t max_messages);
void sl_sqs_shared_done(struct sl_sqs_shared *shared);

/* Take up to `n` of what may still be received, and give back what did not come.
 * Threads: any */
unsigned sl_sqs_quota_take(struct sl_sqs_shared *shared, unsigned n);
void sl_sqs_quota_give(struct sl_sqs_shared *shared, unsigned n);

/* Remember a message that stays in the queue.  Threads: any. */
void sl_sqs_leave(struct sl_sqs_shared *shared, sl_str message_id);

/* Distinct messages that this run left in the queue.  Threads: any. */
unsigned sl_sqs_left(struct sl_sqs_shared *shared);

#endif
