/* net/aws_refresher.c - keeps the credentials of a process fresh. */
#include "net/aws_refresher.h"

#include <signal.h>

#include "base/clock.h"
#include "net/backoff.h"
#include "telemetry/log.h"

enum {
    ARENA_MAX_BYTES = 8 << 20, /* profile files are 1 MiB each at most */
    ARENA_BLOCK_BYTES = 16 << 10,
    LEAD_MS = 15 * 60 * 1000,   /* before the end, others are looked for */
    URGENT_MS = 10 * 60 * 1000, /* before the end, that is tried again more often */
    LOOK_MS = 60000,            /* longest sleep: the wall clock may jump */
    CAP_MS = 60000,
    URGENT_CAP_MS = 5000,
    BASE_LEAST_MS = 50,
    BASE_MOST_MS = 1000,
    QUIET_MS = 120000, /* without an attempt, and the next one need not wait */
};

/* When the next attempt is made. */
struct plan {
    int64_t due_at_ms;     /* wall clock; INT64_MAX for never */
    int64_t earliest_ms;   /* monotonic */
    int64_t refusal_ms;    /* monotonic: a refusal is not heeded before; what is due is */
    int64_t attempted_ms;  /* monotonic */
    int64_t expires_at_ms; /* wall clock; 0 = never */
    bool is_refused;
    struct sl_backoff backoff;
};

int64_t sl_aws_refresh_due(int64_t expires_at_ms, int64_t at_ms)
{
    const int64_t left_ms = expires_at_ms - at_ms;

    if (expires_at_ms == 0) {
        return INT64_MAX;
    }
    return left_ms / 2 > LEAD_MS ? expires_at_ms - LEAD_MS : at_ms + left_ms / 2;
}

static sl_rc snapshot_find(struct sl_aws_refresher *r, struct sl_aws_snapshot **ret,
                           struct sl_err *e)
{
    SL_AUTO(sl_arena_done) struct sl_arena a = { 0 };
    struct sl_aws_creds creds;

    sl_arena_init(&a, ARENA_MAX_BYTES, ARENA_BLOCK_BYTES);
    SL_TRY(sl_aws_creds_find(r->cfg, r->region, &r->stop, &a, &creds, e));
    return sl_aws_snapshot_new(&creds, ret, e);
}

static void plan_from(struct plan *plan, const struct sl_aws_snapshot *s)
{
    plan->expires_at_ms = s->creds.expires_at_ms;
    plan->due_at_ms = sl_aws_refresh_due(plan->expires_at_ms, sl_clock_at_ms());
}

/* Credentials of seconds are tried again within them. */
static void plan_pace(struct plan *plan)
{
    const int64_t left_ms = plan->expires_at_ms - sl_clock_at_ms();
    const bool is_urgent = plan->expires_at_ms != 0 && left_ms < URGENT_MS;
    const int64_t base_ms = plan->expires_at_ms == 0 ? BASE_MOST_MS : left_ms / 8;

    plan->backoff.base_ms = base_ms < BASE_LEAST_MS  ? BASE_LEAST_MS
                            : base_ms > BASE_MOST_MS ? BASE_MOST_MS
                                                     : (unsigned)base_ms;
    plan->backoff.cap_ms = is_urgent ? URGENT_CAP_MS : CAP_MS;
}

/* A refusal of fresh credentials, or the old ones again, must not make us ask all the time. */
static void plan_next(struct plan *plan, bool is_success)
{
    const int64_t now_ms = sl_clock_now_ms();
    const bool is_fresh = is_success && plan->due_at_ms > sl_clock_at_ms();

    if (now_ms - plan->attempted_ms > QUIET_MS) {
        sl_backoff_reset(&plan->backoff);
    }
    plan->attempted_ms = now_ms;
    plan->refusal_ms = now_ms;
    if (is_fresh && !plan->is_refused) {
        sl_backoff_reset(&plan->backoff);
    } else {
        plan_pace(plan);
        plan->refusal_ms += sl_backoff_next(&plan->backoff);
    }
    plan->earliest_ms = is_fresh ? now_ms : plan->refusal_ms;
    plan->is_refused = false;
}

static void say_refreshed(const struct sl_aws_snapshot *s, const struct sl_aws_snapshot *before)
{
    char until[32];

    if (sl_str_eq(s->creds.access_key_id, before->creds.access_key_id) &&
        sl_str_eq(s->creds.session_token, before->creds.session_token)) {
        return;
    }
    sl_clock_text(s->creds.expires_at_ms, until);
    SL_LOG(SL_LOG_INFO, "the AWS credentials were refreshed",
           sl_field_str("sluice.aws.from", s->creds.from),
           sl_field_str("sluice.aws.until",
                        s->creds.expires_at_ms == 0 ? SL_STR("") : sl_str_of(until)));
}

static void refresh(struct sl_aws_refresher *r, struct plan *plan)
{
    SL_AUTO(sl_aws_snapshot_freep)
    struct sl_aws_snapshot *before = sl_aws_identity_take(&r->identity);
    struct sl_aws_snapshot *next = NULL;
    struct sl_err e = { 0 };
    const sl_rc rc = snapshot_find(r, &next, &e);

    if (rc == SL_OK) {
        say_refreshed(next, before);
        plan_from(plan, next);
        sl_aws_identity_change(&r->identity, next);
    } else if (!atomic_load(&r->stop.is_asked)) {
        sl_log_err(SL_LOG_WARN, "could not refresh the AWS credentials; the old ones stay in use",
                   &e);
    }
    plan_next(plan, rc == SL_OK);
}

static int64_t wake_ms(const struct plan *plan)
{
    const int64_t now_ms = sl_clock_now_ms();
    const int64_t left_ms = plan->due_at_ms - sl_clock_at_ms();
    int64_t due_ms = now_ms + (left_ms > LOOK_MS ? LOOK_MS : left_ms);

    if (due_ms < plan->earliest_ms) {
        due_ms = plan->earliest_ms;
    }
    if (plan->is_refused && due_ms > plan->refusal_ms) {
        due_ms = plan->refusal_ms;
    }
    return due_ms < 0 ? 0 : due_ms;
}

static bool is_due(const struct plan *plan)
{
    const int64_t now_ms = sl_clock_now_ms();

    return (plan->is_refused && now_ms >= plan->refusal_ms) ||
           (now_ms >= plan->earliest_ms && sl_clock_at_ms() >= plan->due_at_ms);
}

static void *refresher_main(void *ctx)
{
    struct sl_aws_refresher *r = ctx;
    struct plan plan = { .backoff = { .random = (uint64_t)sl_clock_at_ms() } };
    struct sl_aws_snapshot *first = sl_aws_identity_take(&r->identity);

    plan_from(&plan, first);
    sl_aws_snapshot_free(first);
    while (!atomic_load(&r->stop.is_asked)) {
        if (sl_aws_identity_await(&r->identity, wake_ms(&plan))) {
            plan.is_refused = true;
        }
        if (!atomic_load(&r->stop.is_asked) && is_due(&plan)) {
            refresh(r, &plan);
        }
    }
    return NULL;
}

/* Signals are for the threads that wait for them. */
static int thread_start(struct sl_aws_refresher *r)
{
    sigset_t all;
    sigset_t before;
    int rc;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&r->thread, NULL, refresher_main, r);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

sl_rc sl_aws_refresher_open(struct sl_aws_refresher *r, const struct sl_config *cfg,
                            struct sl_aws_target *target, struct sl_err *e)
{
    struct sl_aws_snapshot *first = NULL;

    *r = (struct sl_aws_refresher){ .cfg = cfg, .region = target->region };
    SL_TRY(snapshot_find(r, &first, e));
    sl_aws_identity_init(&r->identity, first);
    if (thread_start(r) != 0) {
        sl_aws_identity_done(&r->identity);
        return SL_FAIL(e, SL_NOMEM, "could not start a thread");
    }
    r->is_open = true;
    r->is_running = true;
    target->identity = &r->identity;
    return SL_OK;
}

int64_t sl_aws_refresher_expires_at_ms(struct sl_aws_refresher *r)
{
    SL_AUTO(sl_aws_snapshot_freep) struct sl_aws_snapshot *now = NULL;

    if (!r->is_open) {
        return 0;
    }
    now = sl_aws_identity_take(&r->identity);
    return now->creds.expires_at_ms;
}

void sl_aws_refresher_stop(struct sl_aws_refresher *r)
{
    if (!r->is_running) {
        return;
    }
    sl_stop_ask(&r->stop, true);
    sl_aws_identity_stop(&r->identity);
    (void)pthread_join(r->thread, NULL);
    r->is_running = false;
}

void sl_aws_refresher_close(struct sl_aws_refresher *r)
{
    sl_aws_refresher_stop(r);
    if (r->is_open) {
        sl_aws_identity_done(&r->identity);
        r->is_open = false;
    }
}
