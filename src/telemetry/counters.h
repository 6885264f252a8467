/* telemetry/counters.h - what all workers count together; the table is metrics.def. */
#ifndef SLUICE_TELEMETRY_COUNTERS_H
#define SLUICE_TELEMETRY_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

struct sl_counters {
#define X(name, prometheus, text) _Atomic uint64_t name;
#include "telemetry/metrics.def"
#undef X
    _Atomic int64_t last_ack_due_ms; /* monotonic; when the last delete was confirmed */
};

static inline void sl_count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static inline uint64_t sl_counted(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

#endif
