/* pipeline/pulse.h - where a worker is, and since when: written by it, read by the watchdog. */
#ifndef SLUICE_PIPELINE_PULSE_H
#define SLUICE_PIPELINE_PULSE_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/clock.h"

enum sl_stage {

#define X(name, text) SL_STAGE_##name,
#include "pipeline/stages.def"
#undef X
};

struct sl_pulse {
    _Atomic unsigned stage;          /* enum sl_stage */
    _Atomic int64_t at_ms;           /* monotonic; its last sign of progress */
    _Atomic int64_t outage_since_ms; /* monotonic; 0: there is none */
    _Atomic unsigned outage;         /* sl_rc, why nothing is taken */
    _Atomic(const char *) awaited;   /* then: what is, "the database" */
};

/* The word of a stage ("load"). */
const char *sl_stage_name(enum sl_stage stage);

/* It goes on, where it was.  Threads: the worker's own. */
static inline void sl_pulse_beat(struct sl_pulse *pulse)
{
    atomic_store_explicit(&pulse->at_ms, sl_clock_now_ms(), memory_order_relaxed);
}

/* It goes on with this stage.  Threads: the worker's own. */
static inline void sl_pulse_enter(struct sl_pulse *pulse, enum sl_stage stage)
{
    atomic_store_explicit(&pulse->stage, (unsigned)stage, memory_order_relaxed);
    sl_pulse_beat(pulse);
}

/* Nothing is taken, since when and why; it may be said again. */
static inline void sl_pulse_outage(struct sl_pulse *pulse, unsigned rc, const char *awaited)
{
    atomic_store(&pulse->outage, rc);
    atomic_store(&pulse->awaited, awaited);
    if (atomic_load(&pulse->outage_since_ms) == 0) {
        atomic_store(&pulse->outage_since_ms, sl_clock_now_ms());
    }
}

static inline void sl_pulse_outage_over(struct sl_pulse *pulse)
{
    atomic_store(&pulse->outage_since_ms, 0);
}

#endif
