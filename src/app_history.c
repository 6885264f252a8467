/* app_history.c - the last hour of a run. */
#include "app_history.h"

#include <inttypes.h>
#include <stddef.h>

enum { STEP_MS = SL_APP_HISTORY_STEP_MS, POINTS = SL_APP_HISTORY_POINTS };

void sl_app_history_init(struct sl_app_history *h)
{
    (void)pthread_mutex_init(&h->lock, NULL);
}

void sl_app_history_done(struct sl_app_history *h)
{
    (void)pthread_mutex_destroy(&h->lock);
}

/* ---- adding -------------------------------------------------------------------------------------- */

bool sl_app_history_is_due(const struct sl_app_history *h, int64_t now_ms)
{
    return now_ms >= h->due_ms;
}

static struct sl_tally latency_since(const struct sl_app_sample *now,
                                     const struct sl_app_sample *before)
{
    struct sl_tally t = { .sum_us = now->latency.sum_us - before->latency.sum_us };

    for (unsigned i = 0; i <= SL_BOUNDS_N; i++) {
        t.n[i] = now->latency.n[i] - before->latency.n[i];
    }
    return t;
}

static int64_t share_ms(const struct sl_tally *t, double share)
{
    const int64_t us = sl_tally_share_us(t, &sl_bounds_latency, share);

    return us < 0 ? -1 : us / 1000;
}

static struct sl_app_point point_of(const struct sl_app_sample *now,
                                    const struct sl_app_sample *before, double seconds)
{
    const struct sl_counts c = sl_counts_since(&now->counts, &before->counts);
    const struct sl_tally latency = latency_since(now, before);

    return (struct sl_app_point){
        .received = (float)((double)c.received / seconds),
        .loaded = (float)((double)c.loaded / seconds),
        .dead_lettered = (float)((double)c.dead_lettered / seconds),
        .duplicates = (float)((double)c.duplicates / seconds),
        .returned = (float)((double)c.returned / seconds),
        .visible = now->visible,
        .p50_ms = share_ms(&latency, 0.5),
        .p99_ms = share_ms(&latency, 0.99),
    };
}

/* The moment of the newest point: so many steps behind the one before it, however late the thread looked,
 * or who asks for what is newer would get that one once more; the clock's own where it was set. */
static int64_t end_of(const struct sl_app_history *h, int64_t steps, int64_t at_ms)
{
    const int64_t next_ms = h->end_ms + steps * STEP_MS;
    const int64_t off_ms = at_ms - next_ms;

    return h->n > 0 && off_ms > -STEP_MS / 2 && off_ms < STEP_MS / 2 ? next_ms : at_ms;
}

void sl_app_history_add(struct sl_app_history *h, const struct sl_app_sample *now, int64_t now_ms,
                        int64_t at_ms)
{
    const int64_t passed_ms = now_ms - h->at_ms;
    const int64_t steps = (passed_ms + STEP_MS / 2) / STEP_MS;

    if (h->at_ms > 0) {
        const struct sl_app_point point = point_of(now, &h->before, (double)passed_ms / 1000);

        (void)pthread_mutex_lock(&h->lock);
        h->end_ms = end_of(h, steps, at_ms);
        for (int64_t i = 0; i < steps && i < POINTS; i++) {
            h->points[h->n++ % POINTS] = point;
        }
        (void)pthread_mutex_unlock(&h->lock);
    }
    h->before = *now;
    h->at_ms = now_ms;
    h->due_ms = now_ms + STEP_MS - (h->due_ms > 0 ? (now_ms - h->due_ms) % STEP_MS : 0);
}

/* ---- writing ------------------------------------------------------------------------------------- */

static void add_rate(struct sl_buf *out, const void *member)
{
    sl_buf_printf(out, "%.2f", (double)*(const float *)member);
}

static void add_number(struct sl_buf *out, const void *member)
{
    const int64_t n = *(const int64_t *)member;

    if (n < 0) {
        sl_buf_add_str(out, SL_STR("null"));
    } else {
        sl_buf_printf(out, "%" PRId64, n);
    }
}

static const struct {
    const char *name;
    size_t at;
    void (*add)(struct sl_buf *out, const void *member);
} series[] = {
    { "received", offsetof(struct sl_app_point, received), add_rate },
    { "loaded", offsetof(struct sl_app_point, loaded), add_rate },
    { "dead_lettered", offsetof(struct sl_app_point, dead_lettered), add_rate },
    { "duplicates", offsetof(struct sl_app_point, duplicates), add_rate },
    { "returned", offsetof(struct sl_app_point, returned), add_rate },
    { "visible", offsetof(struct sl_app_point, visible), add_number },
    { "p50_ms", offsetof(struct sl_app_point, p50_ms), add_number },
    { "p99_ms", offsetof(struct sl_app_point, p99_ms), add_number },
};

/* How many of the newest are newer than a moment. */
static uint64_t newer_n(const struct sl_app_history *h, int64_t after_ms)
{
    const uint64_t kept = h->n < POINTS ? h->n : POINTS;
    uint64_t n = 0;

    while (n < kept && h->end_ms - (int64_t)n * STEP_MS > after_ms) {
        n++;
    }
    return n;
}

void sl_app_history_json(struct sl_app_history *h, int64_t after_ms, struct sl_buf *out)
{
    uint64_t n;

    (void)pthread_mutex_lock(&h->lock);
    n = newer_n(h, after_ms);
    sl_buf_printf(out, "{\"step_s\":%d,\"end_ms\":%" PRId64, STEP_MS / 1000, h->end_ms);
    for (size_t k = 0; k < sizeof series / sizeof *series; k++) {
        sl_buf_printf(out, ",\"%s\":[", series[k].name);
        for (uint64_t i = h->n - n; i < h->n; i++) {
            const struct sl_app_point *point = &h->points[i % POINTS];

            sl_buf_add_str(out, i > h->n - n ? SL_STR(",") : SL_STR(""));
            series[k].add(out, (const char *)point + series[k].at);
        }
        sl_buf_add_char(out, ']');
    }
    sl_buf_add_str(out, SL_STR("}\n"));
    (void)pthread_mutex_unlock(&h->lock);
}
