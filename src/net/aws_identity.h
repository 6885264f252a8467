/* net/aws_identity.h - the credentials of a process, which become others while callers use them.
 *
 * Every caller takes the snapshot as it is now before it signs; nobody waits for a refresh.
 */
#ifndef SLUICE_NET_AWS_IDENTITY_H
#define SLUICE_NET_AWS_IDENTITY_H

#include <pthread.h>
#include <stdatomic.h>

#include "net/aws_creds.h"

struct sl_aws_snapshot {
    struct sl_aws_creds creds;
    uint64_t number; /* 1 for the first of its identity; what was derived from another is stale */
    _Atomic unsigned holders;
    struct sl_arena arena; /* holds all of it */
};

/* Copy credentials.
 *
 * Owns:    end with sl_aws_snapshot_free
 * Errors:  SL_NOMEM (retry)
 */
sl_rc sl_aws_snapshot_new(const struct sl_aws_creds *creds, struct sl_aws_snapshot **ret,
                          struct sl_err *e) SL_MUST_CHECK;

/* Let one go; the last one wipes and frees it.  Takes NULL.  Threads: any. */
void sl_aws_snapshot_free(struct sl_aws_snapshot *snapshot);
void sl_aws_snapshot_freep(struct sl_aws_snapshot **snapshot);

struct sl_aws_identity {
    pthread_mutex_t lock;
    pthread_cond_t is_woken;
    struct sl_aws_snapshot *now;
    bool is_refused;
    bool is_stopping;
};

/* Take over the first snapshot; end with sl_aws_identity_done. */
void sl_aws_identity_init(struct sl_aws_identity *identity, struct sl_aws_snapshot *first);
void sl_aws_identity_done(struct sl_aws_identity *identity);

/* The snapshot as it is now, held: end with sl_aws_snapshot_free.  Threads: any. */
struct sl_aws_snapshot *sl_aws_identity_take(struct sl_aws_identity *identity);

/* Put another in its place, taking it over.  Threads: any. */
void sl_aws_identity_change(struct sl_aws_identity *identity, struct sl_aws_snapshot *next);

/* Say that AWS refuses the snapshot of that number: a newer one is wanted at once.  What was signed
 * with an older one says nothing new.  Threads: any. */
void sl_aws_identity_refuse(struct sl_aws_identity *identity, uint64_t number);

/* Say that nobody will refresh any more.  Threads: any. */
void sl_aws_identity_stop(struct sl_aws_identity *identity);

/* Wait until the deadline, a refusal or the stop.
 * Units:   due_ms is of sl_clock_now_ms
 * Returns: whether there was a refusal, which is then forgotten */
bool sl_aws_identity_await(struct sl_aws_identity *identity, int64_t due_ms);

#endif
