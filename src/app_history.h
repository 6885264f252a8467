/* app_history.h - the last hour of a run, a point every five seconds: for who looks at it later. */
#ifndef SLUICE_APP_HISTORY_H
#define SLUICE_APP_HISTORY_H

#include <pthread.h>

#include "base/buf.h"
#include "telemetry/counters.h"

enum {
    SL_APP_HISTORY_STEP_MS = 5000,
    SL_APP_HISTORY_POINTS = 720, /* an hour */
};

/* What has been counted so far. */
struct sl_app_sample {
    struct sl_counts counts;
    struct sl_tally latency;
    int64_t visible; /* messages in the queue; -1: not known */
};

struct sl_app_point {
    float received; /* a second, as the next ones */
    float loaded;
    float dead_lettered;
    float duplicates;
    float returned;
    int64_t visible; /* -1: not known, as the next ones */
    int64_t p50_ms;  /* from sent to committed */
    int64_t p99_ms;
};

struct sl_app_history {
    pthread_mutex_t lock;
    struct sl_app_point points[SL_APP_HISTORY_POINTS]; /* a ring */
    uint64_t n;                                        /* that were ever added */
    int64_t end_ms;                                    /* wall clock, of the newest */
    int64_t due_ms;                                    /* monotonic; the main thread's, as below */
    int64_t at_ms;                                     /* monotonic, of the sample before */
    struct sl_app_sample before;
};

/* Empty; end with sl_app_history_done. */
void sl_app_history_init(struct sl_app_history *h);
void sl_app_history_done(struct sl_app_history *h);

/* Whether it is time for another sample.  Threads: main */
bool sl_app_history_is_due(const struct sl_app_history *h, int64_t now_ms);

/* Add what has happened since the sample before; the first one only begins.  Where steps were missed,
 * as by a process that was frozen, they share it.
 * Threads: main */
void sl_app_history_add(struct sl_app_history *h, const struct sl_app_sample *now, int64_t now_ms,
                        int64_t at_ms);

/* Write the points that are newer than a moment, the oldest first.
 *
 * Shape:   {"step_s":5,"end_ms":...,"received":[...],...}
 * Threads: any
 */
void sl_app_history_json(struct sl_app_history *h, int64_t after_ms, struct sl_buf *out);

#endif
