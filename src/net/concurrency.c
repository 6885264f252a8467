/* net/concurrency.c - how many requests of one kind to have in flight. */
#include "net/concurrency.h"

enum {
    FIRST_GUESS_US = 200000,
    SLACK_US = 500, /* of the clock, and of what we do ourselves between two looks */
};

void sl_concurrency_init(struct sl_concurrency *c, unsigned first, unsigned max)
{
    *c = (struct sl_concurrency){ .target = first, .max = max, .quick_us = FIRST_GUESS_US };
}

void sl_concurrency_more(struct sl_concurrency *c, int64_t took_us)
{
    if (took_us < c->quick_us || c->target == 1) { /* alone: nobody else was in the way */
        c->quick_us = took_us;
    }
    if (took_us > 2 * c->quick_us + SLACK_US) {
        sl_concurrency_less(c);
    } else if (c->target < c->max) {
        c->target++;
    }
}

void sl_concurrency_less(struct sl_concurrency *c)
{
    if (c->target > 1) {
        c->target--;
    }
}

void sl_concurrency_reset(struct sl_concurrency *c)
{
    c->target = 1;
}
