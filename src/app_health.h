/* app_health.h - is it well, is it ready, and why not: for probes, and for people. */
#ifndef SLUICE_APP_HEALTH_H
#define SLUICE_APP_HEALTH_H

#include "app.h"

/* One worker, as it can be seen from outside at this moment. */
struct sl_worker_state {
    enum sl_stage stage;
    int64_t still_ms; /* since it last showed progress */
    bool is_stalled;
    bool is_idle;
    sl_rc queue_rc;      /* of its last receive */
    bool is_queue_up;    /* it was answered well */
    int64_t outage_ms;   /* how long it has borne one; 0: there is none */
    sl_rc outage_rc;     /* why, then */
    const char *awaited; /* and what is away, "the database" */
};

/* Threads: any, while the application is_running. */
struct sl_worker_state sl_worker_state_of(const struct sl_app *app, unsigned i);

/* Whether the process and its workers move.
 *
 * Shape:   `out` gets {"status":"ok","reasons":[]}, or why not
 * Returns: false when a worker makes no progress
 * Threads: any
 */
bool sl_app_is_healthy(const struct sl_app *app, struct sl_buf *out);

/* Whether work is done: started, not stopping, queue and database reachable, no outage, no stall.
 *
 * Shape:   `out` gets {"status":"ready","reasons":[], ...}, or with `is_text` lines for people;
 *          NULL for nothing
 * Threads: any
 */
bool sl_app_is_ready(const struct sl_app *app, bool is_text, struct sl_buf *out);

/* Why it is not ready: strings of JSON with commas between them; nothing when it is.
 * Returns: whether it is.  Threads: any */
bool sl_app_reasons(const struct sl_app *app, struct sl_buf *out);

/* The age of the oldest message in hand of a worker, or of what it has just loaded; 0: it is idle.
 * Threads: any, while the application is_running */
int64_t sl_worker_age_ms(const struct sl_app *app, unsigned i);

#endif
