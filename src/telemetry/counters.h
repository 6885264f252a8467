/* telemetry/counters.h - what a worker counts; the tables are metrics.def and families.def. */
#ifndef SLUICE_TELEMETRY_COUNTERS_H
#define SLUICE_TELEMETRY_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/err.h"
#include "telemetry/histogram.h"

enum sl_sqs_action {

#define X(name, action) SL_SQS_ACTION_##name,
#include "telemetry/sqs_actions.def"
#undef X
    SL_SQS_ACTIONS_N,
};

/* How many stages, result codes and reasons there are; the last have one more, which is none. */
enum {

#define X(name, text) SL_COUNTED_STAGE_##name,
#include "pipeline/stages.def"
#undef X
    SL_STAGES_N,
};

enum {

#define X(name, fate, exit_code, text) SL_COUNTED_RC_##name,
#include "base/err.def"
#undef X
    SL_RCS_N,
};

enum {
    SL_COUNTED_REASON_NONE,

#define X(name, code, stage, text) SL_COUNTED_REASON_##name,
#include "record/reasons.def"
#undef X
    SL_REASONS_N,
};

/* Requests to SQS, by what came of them. */
struct sl_requests {
    _Atomic uint64_t n[SL_SQS_ACTIONS_N][SL_RCS_N];
};

/* Written by one worker, read by anyone. */
struct sl_counters {
#define X(name, prometheus, text) _Atomic uint64_t name;
#include "telemetry/metrics.def"
#undef X
    _Atomic int64_t last_ack_due_ms; /* monotonic; when the last delete was confirmed */

    struct sl_requests requests;
    _Atomic uint64_t load_failures[SL_RCS_N];
    _Atomic uint64_t dead_letters[SL_REASONS_N];
    _Atomic uint64_t stage_messages[SL_STAGES_N];
    struct sl_histogram stages[SL_STAGES_N];
    struct sl_histogram latency;

    _Atomic unsigned receive_rc;       /* sl_rc of the last receive */
    _Atomic int64_t oldest_sent_at_ms; /* of the batch in hand; 0: there is none */
    _Atomic int64_t last_age_ms;       /* of the oldest message of the batch before */
};

/* The counters as they were at one moment, of one worker or of several together. */
struct sl_counts {
#define X(name, prometheus, text) uint64_t name;
#include "telemetry/metrics.def"
#undef X
    int64_t last_ack_due_ms;
};

static inline void sl_count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static inline uint64_t sl_counted(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* Count a request that has ended. */
static inline void sl_count_request(struct sl_requests *r, enum sl_sqs_action action, sl_rc rc)
{
    sl_count(&r->n[action][rc], 1);
}

/* Add what a worker has counted. */
static inline void sl_counts_add(struct sl_counts *total, const struct sl_counters *c)
{
    const int64_t acked_ms = atomic_load(&c->last_ack_due_ms);

#define X(name, prometheus, text) total->name += sl_counted(&c->name);
#include "telemetry/metrics.def"
#undef X
    total->last_ack_due_ms = acked_ms > total->last_ack_due_ms ? acked_ms : total->last_ack_due_ms;
}

/* What was counted between two moments. */
static inline struct sl_counts sl_counts_since(const struct sl_counts *now,
                                               const struct sl_counts *then)
{
    struct sl_counts c = { .last_ack_due_ms = now->last_ack_due_ms };

#define X(name, ...) c.name = now->name - then->name;
#include "telemetry/metrics.def"
#undef X
    return c;
}

/* Deliveries whose end is known. */
static inline uint64_t sl_counts_ended(const struct sl_counts *c)
{
    return c->loaded + c->duplicates + c->dead_lettered + c->returned;
}

/* Deliveries whose end is not known yet.  Counters are read one after the other: an end may be among
 * them whose beginning is not. */
static inline uint64_t sl_counts_in_flight(const struct sl_counts *c)
{
    const uint64_t ended = sl_counts_ended(c);

    return c->received > ended ? c->received - ended : 0;
}

#endif
