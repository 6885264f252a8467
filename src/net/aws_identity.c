/* net/aws_identity.c - the credentials of a process, which become others while callers use them. */
#include "net/aws_identity.h"

#include <time.h>

enum {
    SNAPSHOT_MAX_BYTES = 256 << 10, /* a session token is some KiB at most */
    SNAPSHOT_BLOCK_BYTES = 4096,
};

sl_rc sl_aws_snapshot_new(const struct sl_aws_creds *creds, struct sl_aws_snapshot **ret,
                          struct sl_err *e)
{
    SL_AUTO(sl_arena_done) struct sl_arena a = { 0 };
    struct sl_aws_snapshot *s;

    sl_arena_init(&a, SNAPSHOT_MAX_BYTES, SNAPSHOT_BLOCK_BYTES);
    s = sl_arena_calloc(&a, 1, sizeof *s);
    if (s != NULL) {
        s->creds = (struct sl_aws_creds){
            .access_key_id = sl_arena_copy(&a, creds->access_key_id),
            .secret_access_key = sl_arena_copy(&a, creds->secret_access_key),
            .session_token = sl_arena_copy(&a, creds->session_token),
            .expires_at_ms = creds->expires_at_ms,
            .from = sl_arena_copy(&a, creds->from),
        };
    }
    if (s == NULL || s->creds.access_key_id.ptr == NULL || s->creds.secret_access_key.ptr == NULL ||
        s->creds.session_token.ptr == NULL || s->creds.from.ptr == NULL) {
        return SL_FAIL(e, SL_NOMEM, "memory for the AWS credentials ran out");
    }
    s->holders = 1;
    s->arena = a;
    a = (struct sl_arena){ 0 };
    *ret = s;
    return SL_OK;
}

void sl_aws_snapshot_free(struct sl_aws_snapshot *s)
{
    struct sl_arena a;

    if (s == NULL || atomic_fetch_sub(&s->holders, 1) > 1) {
        return;
    }
    a = s->arena; /* it holds the snapshot, too */
    sl_arena_done(&a);
}

void sl_aws_snapshot_freep(struct sl_aws_snapshot **s)
{
    sl_aws_snapshot_free(*s);
}

void sl_aws_identity_init(struct sl_aws_identity *identity, struct sl_aws_snapshot *first)
{
    pthread_condattr_t attributes;

    *identity = (struct sl_aws_identity){ .now = first };
    first->number = 1;
    (void)pthread_mutex_init(&identity->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&identity->is_woken, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

void sl_aws_identity_done(struct sl_aws_identity *identity)
{
    sl_aws_snapshot_free(identity->now);
    (void)pthread_cond_destroy(&identity->is_woken);
    (void)pthread_mutex_destroy(&identity->lock);
}

struct sl_aws_snapshot *sl_aws_identity_take(struct sl_aws_identity *identity)
{
    struct sl_aws_snapshot *now;

    (void)pthread_mutex_lock(&identity->lock);
    now = identity->now;
    atomic_fetch_add(&now->holders, 1);
    (void)pthread_mutex_unlock(&identity->lock);
    return now;
}

void sl_aws_identity_change(struct sl_aws_identity *identity, struct sl_aws_snapshot *next)
{
    struct sl_aws_snapshot *before;

    (void)pthread_mutex_lock(&identity->lock);
    before = identity->now;
    next->number = before->number + 1;
    identity->now = next;
    identity->is_refused = false;
    (void)pthread_mutex_unlock(&identity->lock);
    sl_aws_snapshot_free(before);
}

void sl_aws_identity_refuse(struct sl_aws_identity *identity, uint64_t number)
{
    (void)pthread_mutex_lock(&identity->lock);
    if (identity->now->number == number) {
        identity->is_refused = true;
        (void)pthread_cond_broadcast(&identity->is_woken);
    }
    (void)pthread_mutex_unlock(&identity->lock);
}

void sl_aws_identity_stop(struct sl_aws_identity *identity)
{
    (void)pthread_mutex_lock(&identity->lock);
    identity->is_stopping = true;
    (void)pthread_cond_broadcast(&identity->is_woken);
    (void)pthread_mutex_unlock(&identity->lock);
}

bool sl_aws_identity_await(struct sl_aws_identity *identity, int64_t due_ms)
{
    const struct timespec due = { .tv_sec = due_ms / 1000, .tv_nsec = due_ms % 1000 * 1000000 };
    bool is_refused;
    int rc = 0;

    (void)pthread_mutex_lock(&identity->lock);
    while (rc == 0 && !identity->is_refused && !identity->is_stopping) {
        rc = pthread_cond_timedwait(&identity->is_woken, &identity->lock, &due);
    }
    is_refused = identity->is_refused;
    identity->is_refused = false;
    (void)pthread_mutex_unlock(&identity->lock);
    return is_refused;
}
