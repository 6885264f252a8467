/* app_retry.h - dead letters go through the stages again, with the configuration and the keys that are
 * given: for the command, and for who asks a run over HTTP. */
#ifndef SLUICE_APP_RETRY_H
#define SLUICE_APP_RETRY_H

#include "pipeline/pipeline.h"
#include "sink/pg_retry.h"

/* Whoever is told of each, or may change it. */
struct sl_retry_ear {
    /* What became of one: l->r->outcome, NONE where another retry has it. */
    void (*letter)(void *ctx, const struct sl_pg_letter *l);
    /* One does not open with these keys, and stays as it is. */
    void (*closed)(void *ctx, int64_t id, const char *why);
    /* Change a body before it is decoded; NULL: nobody does. */
    sl_rc (*edit)(void *ctx, struct sl_batch *b, struct sl_err *e);
    void *ctx;
};

struct sl_retry_counts {
    uint64_t loaded;
    uint64_t known; /* loaded already with another message */
    uint64_t refused;
    uint64_t closed; /* do not open with these keys */
    uint64_t passed; /* somebody else holds them, or was faster */
};

struct sl_retry {
    const struct sl_config *cfg;
    struct sl_pg_conn *conn; /* connected */
    struct sl_keyring *ring;
    struct sl_retry_ear ear;
    bool is_dry_run;

    struct sl_retry_counts n;
    int64_t last_id; /* of those that were looked at */
    bool has_more;   /* there may be some behind it: the filter's limit is reached */

    struct sl_pipeline p; /* its own, as all below */
    struct sl_arena arena;
    struct sl_pg_target target;
    struct sl_pg_retry sink;
};

/* Whether dead letters can become rows with a configuration at all.
 *
 * Shape:   `notes` gets a line for each column that will be NULL
 * Errors:  SL_CONFIG (stop)  all would be refused, and lose the reason that they have
 */
sl_rc sl_retry_check(const struct sl_config *cfg, struct sl_buf *notes, struct sl_err *e)
    SL_MUST_CHECK;

/* Make it ready: schema, table and keys are looked at as for a run.
 *
 * Owns:    what its first members name is borrowed; end with sl_retry_close, also after a failure
 * Errors:  SL_SCHEMA, SL_KEY (stop), those of sl_pg_exec, sl_vault_prepare and sl_masks_open
 */
sl_rc sl_retry_open(struct sl_retry *t, struct sl_err *e) SL_MUST_CHECK;

/* Try those of a filter that are new, behind an id, up to the filter's limit.
 *
 * Returns: what became of them in t->n, also after a failure; each is done for itself
 * Errors:  those of the stages, of sl_vault_put and sl_pg_exec
 */
sl_rc sl_retry_run(struct sl_retry *t, const struct sl_pg_dead_filter *wanted, int64_t after_id,
                   struct sl_err *e) SL_MUST_CHECK;

/* Takes a zeroed one. */
void sl_retry_close(struct sl_retry *t);

#endif
