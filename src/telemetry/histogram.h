/* telemetry/histogram.h - how long things took, as counts below fixed bounds. */
#ifndef SLUICE_TELEMETRY_HISTOGRAM_H
#define SLUICE_TELEMETRY_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

enum { SL_BOUNDS_N = 14 };

/* Upper bounds, included, in microseconds, rising. */
struct sl_bounds {
    int64_t us[SL_BOUNDS_N];
};

extern const struct sl_bounds sl_bounds_stage;   /* of a batch in a stage: 1 ms to 2 minutes */
extern const struct sl_bounds sl_bounds_latency; /* of a message: 0.1 s to 14 days */

/* Written by one, read by anyone. */
struct sl_histogram {
    _Atomic uint64_t n[SL_BOUNDS_N + 1]; /* below each bound and above the one before; the rest */
    _Atomic uint64_t sum_us;
};

/* What is gathered first and added at once. */
struct sl_tally {
    uint64_t n[SL_BOUNDS_N + 1];
    uint64_t sum_us;
};

/* Count one duration; a negative one, of clocks that differ, is 0. */
void sl_tally_add(struct sl_tally *t, const struct sl_bounds *bounds, int64_t us);

/* Add what was gathered.  Threads: any. */
void sl_histogram_add(struct sl_histogram *h, const struct sl_tally *t);

/* Gather what a histogram has.  Threads: any. */
void sl_tally_take(struct sl_tally *t, const struct sl_histogram *h);

/* The duration below which a share of those gathered are, by straight lines between the bounds.
 *
 * Shape:   share in 0..1
 * Returns: in microseconds; -1 where nothing was gathered; the last bound for what is beyond it
 */
int64_t sl_tally_share_us(const struct sl_tally *t, const struct sl_bounds *bounds, double share);

#endif
