/* net/http_desk.c - one thread for the answers that take time. */
#include "net/http_desk.h"

#include <stddef.h>

static struct sl_http_job *job_take(struct sl_http_desk *desk)
{
    struct sl_http_job *job = desk->first;

    if (job != NULL) {
        desk->first = job->next;
        desk->n--;
    }
    return job;
}

/* Returns: NULL when it is over. */
static struct sl_http_job *job_await(struct sl_http_desk *desk)
{
    struct sl_http_job *job;

    (void)pthread_mutex_lock(&desk->lock);
    while (!desk->is_over && desk->first == NULL) {
        (void)pthread_cond_wait(&desk->wake, &desk->lock);
    }
    job = desk->is_over ? NULL : job_take(desk);
    (void)pthread_mutex_unlock(&desk->lock);
    return job;
}

static void *desk_main(void *ctx)
{
    struct sl_http_desk *desk = ctx;
    struct sl_http_job *job;

    while ((job = job_await(desk)) != NULL) {
        job->run(job, false);
    }
    return NULL;
}

sl_rc sl_http_desk_start(struct sl_http_desk *desk, struct sl_err *e)
{
    (void)pthread_mutex_init(&desk->lock, NULL);
    (void)pthread_cond_init(&desk->wake, NULL);
    if (pthread_create(&desk->thread, NULL, desk_main, desk) != 0) {
        return SL_FAIL(e, SL_NOMEM, "could not start a thread");
    }
    desk->is_started = true;
    return SL_OK;
}

bool sl_http_desk_is_over(struct sl_http_desk *desk)
{
    bool is_over;

    (void)pthread_mutex_lock(&desk->lock);
    is_over = desk->is_over;
    (void)pthread_mutex_unlock(&desk->lock);
    return is_over;
}

bool sl_http_desk_give(struct sl_http_desk *desk, struct sl_http_job *job)
{
    bool is_taken;

    job->next = NULL;
    (void)pthread_mutex_lock(&desk->lock);
    is_taken = !desk->is_over && desk->n < SL_HTTP_DESK_MAX;
    if (is_taken) {
        if (desk->first == NULL) {
            desk->first = job;
        } else {
            desk->last->next = job;
        }
        desk->last = job;
        desk->n++;
        (void)pthread_cond_signal(&desk->wake);
    }
    (void)pthread_mutex_unlock(&desk->lock);
    return is_taken;
}

void sl_http_desk_stop(struct sl_http_desk *desk)
{
    struct sl_http_job *job;

    if (!desk->is_started) {
        return;
    }
    (void)pthread_mutex_lock(&desk->lock);
    desk->is_over = true;
    (void)pthread_cond_signal(&desk->wake);
    (void)pthread_mutex_unlock(&desk->lock);
    (void)pthread_join(desk->thread, NULL);
    while ((job = job_take(desk)) != NULL) {
        job->run(job, true);
    }
    desk->is_started = false; /* lock and `is_over` stay: a request may still come */
}
