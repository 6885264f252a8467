/* net/concurrency.c - how many requests of one kind to have in flight. */
#include "net/concurrency.h"

enum {
    FIRST_GUESS_US = 200000,
    SLACK_US = 200, /* of the clock, and of what we do ourselves between two looks */
};

void sl_concurrency_init(struct sl_concurrency *c, unsigned first, unsigned max)
{
    *c = (struct sl_concurrency){ .target = first, .max = max, .quick_us = FIRST_GUESS_US };
}

/* One up or down for as many answers as are in flight: once a round trip. */
static void step(struct sl_concurrency *c, int by)
{
    c->credit += by;
    if (c->credit >= (int)c->target) {
        c->credit = 0;
        c->target += c->target < c->max;
    } else if (c->credit <= -(int)c->target) {
        c->credit = 0;
        c->target -= c->target > 1;
    }
}

void sl_concurrency_more(struct sl_concurrency *c, int64_t took_us)
{
    if (took_us < c->quick_us) {
        c->quick_us = took_us;
    } else if (c->target == 1) { /* nobody else was in the way; but one answer may be an accident */
        c->quick_us += (took_us - c->quick_us) / 8;
    }
    if (took_us > 2 * c->quick_us + SLACK_US) {
        c->is_steady = true;
        step(c, -1);
    } else if (c->is_steady) {
        step(c, 1);
    } else {
        c->target += c->target < c->max;
    }
}

void sl_concurrency_less(struct sl_concurrency *c)
{
    c->is_steady = true;
    c->target -= c->target > 1;
}

void sl_concurrency_reset(struct sl_concurrency *c)
{
    c->target = 1;
    c->credit = 0;
    c->is_steady = false;
}
