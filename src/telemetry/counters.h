/* telemetry/counters.h - what a worker counts; the table is metrics.def. */
#ifndef SLUICE_TELEMETRY_COUNTERS_H
#define SLUICE_TELEMETRY_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

/* Written by one worker, read by anyone. */
struct sl_counters {
#define X(name, prometheus, text) _Atomic uint64_t name;
#include "telemetry/metrics.def"
#undef X
    _Atomic int64_t last_ack_due_ms; /* monotonic; when the last delete was confirmed */
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

#endif
