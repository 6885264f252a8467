/* base/fault_point.h - break here: what tests do to a process at named points of the flow.
 *
 *     SLUICE_FAULT_AT=committed:2:kill     SIGKILL when this point is passed for the second time
 *     SLUICE_FAULT_AT=masked:1:hang        that thread goes no further
 *     SLUICE_FAULT_MS=3000                 the longest that a statement may take
 *
 * Only the tests' own program has it (tests/meson.build: sluice_faults).
 */
#ifndef SLUICE_BASE_FAULT_POINT_H
#define SLUICE_BASE_FAULT_POINT_H

enum sl_fault_point {

#define X(name, text) SL_FAULT_POINT_##name,
#include "base/fault_points.def"
#undef X
    SL_FAULT_POINTS,
};

#ifdef SLUICE_FAULT_POINTS

/* Pass a point.  Threads: any. */
void sl_fault_point_pass(enum sl_fault_point point);

/* The deadline that a test wants in place of this one.  Threads: any. */
unsigned sl_fault_ms(unsigned preset_ms);

#    define SL_FAULT_POINT(name) sl_fault_point_pass(SL_FAULT_POINT_##name)
#    define SL_FAULT_MS(preset)  sl_fault_ms(preset)
#else
#    define SL_FAULT_POINT(name) ((void)0)
#    define SL_FAULT_MS(preset)  ((unsigned)(preset))
#endif

#endif
