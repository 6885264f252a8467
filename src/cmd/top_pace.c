/* cmd/top_pace.c - rates out of counts. */
#include "cmd/top_pace.h"

void sl_top_pace_add(struct sl_top_pace *p, const struct sl_top_state *s)
{
    if (s->now_ms < 0) {
        return;
    }
    if (p->n > 0 && (s->started_at_ms != p->started_at_ms || s->now_ms < p->at_ms[p->n - 1])) {
        p->n = 0;
    }
    if (p->n > 0 && s->now_ms == p->at_ms[p->n - 1]) {
        return;
    }
    if (p->n == SL_TOP_PACE_N) {
        p->n--;
        memmove(p->at_ms, p->at_ms + 1, p->n * sizeof *p->at_ms);
        memmove(p->counts, p->counts + 1, p->n * sizeof *p->counts);
    }
    p->started_at_ms = s->started_at_ms;
    p->at_ms[p->n] = s->now_ms;
    p->counts[p->n++] = s->counts;
}

static double rate_of(const struct sl_top_pace *p, int64_t before, int64_t now)
{
    if (p->n < 2 || before < 0 || now < before) {
        return SL_TOP_UNKNOWN;
    }
    return (double)(now - before) * 1000 / (double)(p->at_ms[p->n - 1] - p->at_ms[0]);
}

static const struct sl_top_counts *newest(const struct sl_top_pace *p)
{
    return &p->counts[p->n > 0 ? p->n - 1 : 0];
}

double sl_top_pace_received(const struct sl_top_pace *p)
{
    return rate_of(p, p->counts[0].received, newest(p)->received);
}

double sl_top_pace_loaded(const struct sl_top_pace *p)
{
    return rate_of(p, p->counts[0].loaded, newest(p)->loaded);
}

double sl_top_pace_deleted(const struct sl_top_pace *p)
{
    return rate_of(p, p->counts[0].deleted, newest(p)->deleted);
}
