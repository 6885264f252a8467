/* telemetry/histogram.c - how long things took, as counts below fixed bounds. */
#include "telemetry/histogram.h"

#define MS INT64_C(1000)
#define S  (INT64_C(1000) * MS)

const struct sl_bounds sl_bounds_stage = {
    { MS, 5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS, 500 * MS, S, 2500 * MS, 5 * S,
      10 * S, 30 * S, 120 * S },
};

const struct sl_bounds sl_bounds_latency = {
    { 100 * MS, 250 * MS, 500 * MS, S, 2500 * MS, 5 * S, 10 * S, 30 * S, 60 * S, 300 * S, 1800 * S,
      7200 * S, 86400 * S, 1209600 * S },
};

void sl_tally_add(struct sl_tally *t, const struct sl_bounds *bounds, int64_t us)
{
    unsigned i = 0;

    while (i < SL_BOUNDS_N && us > bounds->us[i]) {
        i++;
    }
    t->n[i]++;
    t->sum_us += us > 0 ? (uint64_t)us : 0;
}

void sl_histogram_add(struct sl_histogram *h, const struct sl_tally *t)
{
    for (unsigned i = 0; i <= SL_BOUNDS_N; i++) {
        if (t->n[i] > 0) {
            atomic_fetch_add_explicit(&h->n[i], t->n[i], memory_order_relaxed);
        }
    }
    atomic_fetch_add_explicit(&h->sum_us, t->sum_us, memory_order_relaxed);
}

void sl_tally_take(struct sl_tally *t, const struct sl_histogram *h)
{
    for (unsigned i = 0; i <= SL_BOUNDS_N; i++) {
        t->n[i] += atomic_load_explicit(&h->n[i], memory_order_relaxed);
    }
    t->sum_us += atomic_load_explicit(&h->sum_us, memory_order_relaxed);
}

int64_t sl_tally_share_us(const struct sl_tally *t, const struct sl_bounds *bounds, double share)
{
    uint64_t total = 0;
    double below = 0;

    for (unsigned i = 0; i <= SL_BOUNDS_N; i++) {
        total += t->n[i];
    }
    if (total == 0) {
        return -1;
    }
    for (unsigned i = 0; i < SL_BOUNDS_N; i++) {
        const double n = (double)t->n[i];
        const int64_t from_us = i > 0 ? bounds->us[i - 1] : 0;

        if (n > 0 && below + n >= share * (double)total) {
            const double part = (share * (double)total - below) / n;

            return from_us + (int64_t)((double)(bounds->us[i] - from_us) * part);
        }
        below += n;
    }
    return bounds->us[SL_BOUNDS_N - 1];
}
