/* source/sqs.h - the source "sqs": receives in flight, heartbeats, deletes, hand-backs. */
#ifndef SLUICE_SOURCE_SQS_H
#define SLUICE_SOURCE_SQS_H

#include <pthread.h>

#include "config/config.h"
#include "net/aws_creds.h"
#include "source/source.h"
#include "source/sqs_json.h"
#include "telemetry/counters.h"

enum { SL_SQS_LEFT_MAX = 1024 };

/* What the workers of a process share about a queue. */
struct sl_sqs_shared {
    struct sl_counters *counters;
    _Atomic int64_t quota; /* messages that may still be received; INT64_MAX for no limit */

    pthread_mutex_t left_lock;
    uint64_t left[SL_SQS_LEFT_MAX]; /* hashes of the ids of messages left in the queue */
    unsigned left_n;
};

void sl_sqs_shared_init(struct sl_sqs_shared *shared, struct sl_counters *counters,
                        int64_t max_messages);
void sl_sqs_shared_done(struct sl_sqs_shared *shared);

/* Distinct messages that this run left in the queue.  Threads: any. */
unsigned sl_sqs_left(struct sl_sqs_shared *shared);

struct sl_sqs_settings {
    const struct sl_config *cfg;
    const struct sl_aws_target *target;
    struct sl_sqs_shared *shared;
    unsigned visibility_timeout_s; /* as it is in force */
    bool sets_visibility;          /* ask for it at each receive: it is not the queue's own */
    bool returns_at_end;           /* hand back with `flush` only: a dry run sees nothing twice */
    unsigned wait_time_s;
    size_t memory_bytes; /* for this worker */
};

/* Make the source of one worker.
 *
 * Owns:    everything in `settings` is borrowed for as long as the source lives
 * Errors:  SL_NOMEM (retry)
 * Threads: one per source, but for sl_sqs_wake
 */
sl_rc sl_sqs_open(const struct sl_sqs_settings *settings, struct sl_source *ret, struct sl_err *e)
    SL_MUST_CHECK;

/* End the worker's wait.  Threads: any. */
void sl_sqs_wake(const struct sl_source *source);

/* Ask a queue for its counts and settings, waiting for the answer.
 *
 * Errors:  SL_NOT_FOUND, SL_DENIED, SL_DISCONNECTED, SL_THROTTLED, SL_UNAVAILABLE (retry)
 * Blocks:  up to 10 s
 */
sl_rc sl_sqs_ask(const struct sl_config *cfg, const struct sl_aws_target *target,
                 struct sl_sqs_attributes *ret, struct sl_err *e) SL_MUST_CHECK;

enum sl_sqs_right { SL_SQS_MAY_DELETE, SL_SQS_MAY_CHANGE_VISIBILITY };

/* Ask whether this identity may call an action, with a handle that is no handle: nothing happens.
 *
 * Errors:  SL_DENIED (retry) it may not; those of sl_sqs_ask
 * Blocks:  up to 10 s
 */
sl_rc sl_sqs_may(const struct sl_config *cfg, const struct sl_aws_target *target,
                 enum sl_sqs_right right, struct sl_err *e) SL_MUST_CHECK;

#endif
