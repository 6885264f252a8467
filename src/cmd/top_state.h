/* cmd/top_state.h - what a run answers at /api/state and /api/history, read from JSON.
 *
 * Whoever answers there may be anybody: all texts come out as sl_top_clean makes them, all lists are
 * limited, and what is missing or of another type is unknown, never a failure.
 */
#ifndef SLUICE_CMD_TOP_STATE_H
#define SLUICE_CMD_TOP_STATE_H

#include "base/arena.h"

enum {
    SL_TOP_UNKNOWN = -1, /* in place of a number */
    SL_TOP_REASONS_MAX = 32,
    SL_TOP_WORKERS_MAX = 256,
    SL_TOP_ERRORS_MAX = 32,
    SL_TOP_POINTS_MAX = 240,
    SL_TOP_ANSWER_MAX = 256 << 10, /* bytes of JSON */
};

struct sl_top_worker {
    int64_t number;
    sl_str stage;
    int64_t still_s; /* since it last showed progress */
    bool is_idle;
    bool is_stalled;
    sl_str outage;      /* code of the one that it bears; empty: none */
    int64_t outage_s;   /* for how long, then */
    sl_str awaited;     /* and what is away, "the database" */
    sl_str queue_error; /* code of its last receive; empty: it was answered well */
};

struct sl_top_error {
    int64_t last_ms; /* wall clock of the run */
    int64_t n;
    sl_str level;
    sl_str message;
    sl_str code;
    sl_str detail;
    sl_str remedy;
};

struct sl_top_counts {
    int64_t received;
    int64_t loaded;
    int64_t duplicates;
    int64_t dead_lettered;
    int64_t returned;
    int64_t in_flight;
    int64_t deleted;
    int64_t delete_failed;
};

struct sl_top_state {
    sl_str version;
    sl_str pipeline;
    int64_t started_at_ms;
    int64_t now_ms;
    bool is_ready;
    sl_str source_kind;
    sl_str source_name;
    int64_t visible;
    int64_t in_flight; /* of the queue: at this run or at others */
    int64_t delayed;
    int64_t asked_s_ago;
    sl_str target_kind;
    sl_str target_name;
    struct sl_top_counts counts; /* unknown as long as it starts */
    sl_str keys;                 /* ids, with ", " between them */
    int64_t oldest_s;
    unsigned reasons_n;
    unsigned workers_n;
    unsigned errors_n;
    sl_str reasons[SL_TOP_REASONS_MAX];
    struct sl_top_worker workers[SL_TOP_WORKERS_MAX];
    struct sl_top_error errors[SL_TOP_ERRORS_MAX]; /* newest first */
};

struct sl_top_history {
    unsigned step_s;
    unsigned n;
    double received[SL_TOP_POINTS_MAX]; /* a second; oldest first */
    double loaded[SL_TOP_POINTS_MAX];
    double dead_lettered[SL_TOP_POINTS_MAX];
    double p50_ms; /* of the last step in which anything was committed; SL_TOP_UNKNOWN: none was */
    double p99_ms;
};

/* Read an answer of /api/state.
 *
 * Owns:    *ret and its texts live in `a`
 * Errors:  SL_UNAVAILABLE (retry)  it is no JSON object with the status of a run
 *          SL_NOMEM (retry)        it is too large
 */
sl_rc sl_top_state_read(sl_str text, struct sl_arena *a, const struct sl_top_state **ret,
                        struct sl_err *e) SL_MUST_CHECK;

/* Read an answer of /api/history: its newest SL_TOP_POINTS_MAX points.
 *
 * Errors:  SL_UNAVAILABLE (retry)  it is no JSON object with points
 *          SL_NOMEM (retry)        it is too large
 */
sl_rc sl_top_history_read(sl_str text, struct sl_arena *a, struct sl_top_history *ret,
                          struct sl_err *e) SL_MUST_CHECK;

#endif
