/* pipeline/pipeline.h - the flow: receive, decode, mask, load, ack. */
#ifndef SLUICE_PIPELINE_PIPELINE_H
#define SLUICE_PIPELINE_PIPELINE_H

#include "base/hmac.h"
#include "base/json.h"
#include "base/stop.h"
#include "config/config.h"
#include "masking/column_mask.h"
#include "net/backoff.h"
#include "pipeline/pulse.h"
#include "record/batch.h"
#include "sink/sink.h"
#include "sink/vault.h"
#include "source/dead_queue.h"
#include "source/s3.h"
#include "source/source.h"
#include "telemetry/counters.h"

struct sl_pipeline {
    const struct sl_config *cfg;
    struct sl_counters *counters;
    struct sl_source source;
    struct sl_sink sink;
    struct sl_masks masks;
    struct sl_key_share *keys;        /* of all workers; NULL: the masks stay as they are */
    struct sl_keyring *masks_ring;    /* held: the one that the masks were made from */
    struct sl_vault *vault;           /* NULL: there is none */
    struct sl_dead_queue *dead_queue; /* NULL: bad records go elsewhere */
    struct sl_s3 *s3;                 /* NULL: bodies point to no objects */
    const char *awaited;              /* what the last attempt to load needed: "the database" */
    struct sl_hmac *ledger_mac;       /* of values that messages are known by; NULL: by their ids */
    struct sl_json_parser *parser;
    struct sl_arena scratch; /* of one record at a time */
    struct sl_backoff backoff;
    const struct sl_stop *stop;
    unsigned batch_rows;
    struct sl_pulse pulse;
    int64_t stage_us;    /* monotonic; when the stage began that goes on */
    unsigned patience_s; /* how long the next outage is borne; 0 = as configured */
};

enum {
    SL_BATCH_ROWS = 4000,
    SL_BATCH_ROWS_S3 = 50,    /* pointers are small, and what they point to is not */
    SL_BATCH_ROWS_MIN = 10,   /* one reply of SQS goes into it whole */
    SL_BATCH_BYTES = 1 << 30, /* hostile bodies become large trees; a cap there must be */
};

/* Take one batch through all five stages.
 *
 * Shape:   waits for messages until `due_ms`; *ret_n is how many came, 0 is no failure
 * Errors:  a receive that failed (retry): call again
 *          SL_OUTAGE (retry)      the patience is over and what was held is handed back; receiving
 *                                 is paused until sl_pipeline_await_sink has returned
 *          SL_STOPPED             told to stop at once during an outage
 *          SL_KEY, SL_CRYPTO, SL_SCHEMA, SL_BUG (stop)
 *          After a failure nothing is lost: what is committed is deleted, the rest handed back.
 * Blocks:  in the worker's wait
 */
sl_rc sl_pipeline_run_once(struct sl_pipeline *p, int64_t due_ms, unsigned *ret_n, struct sl_err *e)
    SL_MUST_CHECK;

/* Wait until the database takes loads again, with nothing held meanwhile, or a stop is asked for;
 * then receive again.  Blocks: in the worker's wait */
void sl_pipeline_await_sink(struct sl_pipeline *p);

/* The stages.  Record failures become verdicts; what they return is a failure of the batch. */
sl_rc sl_stage_decode(struct sl_pipeline *p, struct sl_batch *b, struct sl_err *e) SL_MUST_CHECK;
sl_rc sl_stage_mask(struct sl_pipeline *p, struct sl_batch *b, struct sl_err *e) SL_MUST_CHECK;
sl_rc sl_stage_load(struct sl_pipeline *p, struct sl_batch *b, struct sl_err *e) SL_MUST_CHECK;

/* What is tried again and again. */
typedef sl_rc sl_attempt(struct sl_pipeline *p, struct sl_batch *b, struct sl_err *e);

/* Try until it is done: what can work later is an outage of p->awaited, which is waited out.
 * Errors: as sl_pipeline_run_once; Blocks: in the worker's wait */
sl_rc sl_pipeline_persist(struct sl_pipeline *p, struct sl_batch *b, sl_attempt *once,
                          struct sl_err *e) SL_MUST_CHECK;

/* Fetch the objects that bodies point to, if they do.
 * Errors: as sl_pipeline_run_once; Blocks: in the worker's wait */
sl_rc sl_objects_fetch(struct sl_pipeline *p, struct sl_batch *b, struct sl_err *e) SL_MUST_CHECK;

/* Delete those of what is committed, if so configured.  Blocks: in the worker's wait */
void sl_objects_delete(struct sl_pipeline *p, const struct sl_batch *b);

/* Make the masks anew if the ring has become another.  A failure leaves the old ones in force. */
void sl_masks_refresh(struct sl_pipeline *p);

/* Leave bad records in the queue, or send them on to another, as the configuration says; nothing is
 * left to do where they go to the table.
 *
 * Shape:   records that are left have an outcome then; those sent on are marked, once for all
 *          attempts of a batch
 * Errors:  an outage of the ledger or of the dead-letter queue (retry); SL_CRYPTO (stop)
 */
sl_rc sl_dead_letters_route(struct sl_pipeline *p, struct sl_batch *b, struct sl_err *e)
    SL_MUST_CHECK;

/* Seal the bodies of records that have a verdict and no seal yet. */
sl_rc sl_seal_verdicts(struct sl_pipeline *p, struct sl_batch *b, struct sl_err *e) SL_MUST_CHECK;

#endif
