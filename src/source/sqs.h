/* source/sqs.h - the source "sqs": receives in flight, heartbeats, deletes, hand-backs. */
#ifndef SLUICE_SOURCE_SQS_H
#define SLUICE_SOURCE_SQS_H

#include "base/stop.h"
#include "config/config.h"
#include "net/aws_target.h"
#include "source/source.h"
#include "source/sqs_shared.h"
#include "source/sqs_wire.h"
#include "telemetry/counters.h"

struct sl_sqs_settings {
    const struct sl_config *cfg;
    const struct sl_aws_target *target;
    const struct sl_sqs_wire *wire;
    struct sl_sqs_shared *shared;
    struct sl_counters *counters; /* of this worker */
    const struct sl_stop *stop;
    unsigned visibility_timeout_s; /* as it is in force */
    bool sets_visibility;          /* ask for it at each receive: it is not the queue's own */
    bool is_fifo;                  /* as the queue itself says: groups of others keep no order */
    bool returns_at_end;           /* hand back with `flush` only: a dry run sees nothing twice */
    unsigned wait_time_s;
    size_t memory_bytes; /* for this worker */
};

/* Make the source of one worker.
 *
 * Owns:    everything in `settings` is borrowed for as long as the source lives
 * Errors:  SL_NOMEM (retry)
 * Threads: one per source, but for its `wake`
 */
sl_rc sl_sqs_open(const struct sl_sqs_settings *settings, struct sl_source *ret, struct sl_err *e)
    SL_MUST_CHECK;

/* The worker's HTTP client, whose requests go on in the worker's wait. */
struct sl_http *sl_sqs_http(const struct sl_source *source);

#endif
