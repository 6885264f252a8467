/* source/sqs_shared.c - what the workers of a process share about a queue. */
#include "source/sqs_shared.h"

void sl_sqs_shared_init(struct sl_sqs_shared *shared, int64_t max_messages)
{
    *shared = (struct sl_sqs_shared){ .quota = max_messages };
    (void)pthread_mutex_init(&shared->left_lock, NULL);
}

void sl_sqs_shared_done(struct sl_sqs_shared *shared)
{
    (void)pthread_mutex_destroy(&shared->left_lock);
}

unsigned sl_sqs_left(struct sl_sqs_shared *shared, int64_t now_ms)
{
    unsigned n = 0;

    (void)pthread_mutex_lock(&shared->left_lock);
    for (unsigned i = 0; i < SL_SQS_LEFT_SPANS; i++) {
        n += shared->left[i].until_ms > now_ms ? shared->left[i].n : 0;
    }
    (void)pthread_mutex_unlock(&shared->left_lock);
    return n;
}

/* No ids: a queue may have any number of bad messages. */
void sl_sqs_leave(struct sl_sqs_shared *shared, int64_t now_ms, int64_t hidden_ms)
{
    const int64_t until_ms = now_ms + hidden_ms;
    struct sl_sqs_left_span *span;

    (void)pthread_mutex_lock(&shared->left_lock);
    span = &shared->left[shared->left_at];
    if (until_ms - span->until_ms > hidden_ms / (SL_SQS_LEFT_SPANS / 2)) {
        shared->left_at = (shared->left_at + 1) % SL_SQS_LEFT_SPANS;
        span = &shared->left[shared->left_at];
        *span = (struct sl_sqs_left_span){ .until_ms = until_ms };
    }
    span->n++;
    (void)pthread_mutex_unlock(&shared->left_lock);
}

unsigned sl_sqs_quota_take(struct sl_sqs_shared *shared, unsigned n)
{
    int64_t left = atomic_load(&shared->quota);
    int64_t taken;

    do {
        taken = left < (int64_t)n ? left : (int64_t)n;
        if (taken <= 0) {
            return 0;
        }
    } while (!atomic_compare_exchange_weak(&shared->quota, &left, left - taken));
    return (unsigned)taken;
}

void sl_sqs_quota_give(struct sl_sqs_shared *shared, unsigned n)
{
    atomic_fetch_add(&shared->quota, n);
}
