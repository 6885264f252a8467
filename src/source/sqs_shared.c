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

unsigned sl_sqs_left(struct sl_sqs_shared *shared)
{
    unsigned n;

    (void)pthread_mutex_lock(&shared->left_lock);
    n = shared->left_n;
    (void)pthread_mutex_unlock(&shared->left_lock);
    return n;
}

/* FNV-1a: ids are the queue's own, nobody chooses them to collide. */
static uint64_t id_hash(sl_str id)
{
    uint64_t hash = 14695981039346656037U;

    for (size_t i = 0; i < id.len; i++) {
        hash = (hash ^ (unsigned char)id.ptr[i]) * 1099511628211U;
    }
    return hash;
}

void sl_sqs_leave(struct sl_sqs_shared *shared, sl_str message_id)
{
    const uint64_t hash = id_hash(message_id);
    unsigned i = 0;

    (void)pthread_mutex_lock(&shared->left_lock);
    while (i < shared->left_n && shared->left[i] != hash) {
        i++;
    }
    if (i == shared->left_n && i < SL_SQS_LEFT_MAX) {
        shared->left[shared->left_n++] = hash;
    }
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
