/* app.h - builds every object of a run from the configuration, owns them, and stops them. */
#ifndef SLUICE_APP_H
#define SLUICE_APP_H

#include <semaphore.h>

#include "app_history.h"
#include "config/config.h"
#include "keys/key_token.h"
#include "keys/keyring.h"
#include "net/aws_refresher.h"
#include "net/http_server.h"
#include "pipeline/worker.h"
#include "sink/pg_target.h"
#include "source/file_list.h"
#include "source/sqs.h"
#include "source/sqs_queue.h"
#include "telemetry/counters.h"

struct sl_app_options {
    unsigned wait_s;      /* how long to wait for either end at start */
    int64_t max_messages; /* INT64_MAX for no limit */
    bool until_empty;
    bool is_dry_run;
    bool exits_on_outage;
};

/* How long the queue is, as it has said itself; by whoever asked last. */
struct sl_app_depth {
    _Atomic int64_t visible;
    _Atomic int64_t in_flight;
    _Atomic int64_t delayed;
    _Atomic int64_t retention_s;
    _Atomic int64_t asked_at_ms; /* wall clock; 0: it has not said yet */
};

struct sl_app {
    const struct sl_config *cfg;
    struct sl_config found; /* *cfg with the URL of a queue that is known by its name */
    struct sl_app_options options;
    struct sl_arena arena;
    struct sl_key_share keys;
    bool has_keys;
    sem_t reloads; /* one for each SIGHUP */
    struct sl_aws_refresher refresher;
    struct sl_aws_target aws;
    const struct sl_sqs_wire *wire; /* of `aws`, found at the start */
    struct sl_sqs_attributes queue; /* as it was at start */
    struct sl_aws_target dead_aws;  /* of the dead-letter queue, where there is one */
    struct sl_aws_target s3_aws;    /* of objects that bodies point to, where they do */
    struct sl_file_list files;      /* in place of a queue */
    const struct sl_sqs_wire *dead_wire;
    struct sl_pg_target target;
    sl_str ledger_key; /* sealed; where messages are known by a value */
    struct sl_sqs_shared shared;
    struct sl_stop stop;
    int64_t signal_ms;      /* when one came that stops, 0 = none; the signal thread's own */
    _Atomic bool has_ended; /* no worker runs any more */
    bool is_abandoned;      /* one does, and is stuck: free nothing */
    struct sl_worker *workers;
    unsigned workers_n;
    int64_t started_ms; /* monotonic */

    struct sl_http_server server; /* for those who watch; none while not asked for */
    struct sl_http_site site;     /* that it serves */
    bool is_local_only;           /* it listens on this machine alone */
    struct sl_key_token token;    /* of those who may act; none: nobody */
    int64_t token_second;         /* monotonic; when the wrong ones were tried.  The server's own */
    unsigned token_wrong_n;
    int64_t opened_at_ms;          /* wall clock */
    _Atomic(const char *) waiting; /* at the start, "waiting for the database"; NULL: for nothing */
    _Atomic bool is_running;       /* the workers are there, for others to look at */
    struct sl_app_depth depth;
    struct sl_app_history history;
    struct sl_requests requests;    /* to the queue, of no worker */
    _Atomic uint64_t slots_emptied; /* of the ledger */
    _Atomic int64_t upkeep_at_ms;   /* wall clock, of the last round that went well; 0: none has */
};

/* Build everything: key ring, identity and queue (waited for) or files, database objects (waited
 * for), one source, sink and masker a worker.  Starts no worker.
 *
 * Owns:    cfg is borrowed; end with sl_app_close, also after a failure
 * Errors:  SL_CONFIG, SL_KEY, SL_SCHEMA (stop)  78
 *          SL_CONFIG (stop)  http.listen is somebody else's, "file:line:column: ...": 78
 *          SL_IO (stop)  a file is not there, or cannot be read: 74
 *          SL_NOT_FOUND, SL_DISCONNECTED, ... (retry)  one end did not answer within wait_s: 75
 */
sl_rc sl_app_open(struct sl_app *app, const struct sl_config *cfg,
                  const struct sl_app_options *options, struct sl_err *e) SL_MUST_CHECK;

/* Run until told to stop, the queue is empty, or the limit is reached.  The first SIGTERM or
 * SIGINT stops cleanly; the second ends the process with 128 + signal.
 *
 * Errors:  what ended a worker (stop)
 *          SL_MISMATCH (stop)  the counts do not add up
 *          SL_STALLED (stop)   a worker is stuck, and its thread still there: say so and _exit
 */
sl_rc sl_app_run(struct sl_app *app, struct sl_err *e) SL_MUST_CHECK;

/* Tell all workers to stop.  Threads: any */
void sl_app_stop(struct sl_app *app, bool is_urgent);

/* What all workers have counted so far.  Threads: any */
struct sl_counts sl_app_counts(const struct sl_app *app);

/* During the start: SIGHUP is kept for later, and SIGTERM and SIGINT end the process, also where it
 * is the first of a container.  Threads: main, first of all. */
void sl_app_signals_prepare(void);

void sl_app_close(struct sl_app *app);

#endif
