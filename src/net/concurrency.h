/* net/concurrency.h - how many requests of one kind to have in flight: as many as make it faster. */
#ifndef SLUICE_NET_CONCURRENCY_H
#define SLUICE_NET_CONCURRENCY_H

#include <stdint.h>

struct sl_concurrency {
    unsigned target;  /* wanted in flight now */
    unsigned max;     /* never more */
    int64_t quick_us; /* what an answer takes when nobody has too much to do */
};

/* Begin with `first`. */
void sl_concurrency_init(struct sl_concurrency *c, unsigned first, unsigned max);

/* An answer has come, and there was more to ask for: one more in flight, so that they double with
 * every round trip, until answers take twice their time.  Then somebody on the way has enough to do,
 * and it is one fewer; down to one, whose time is the new measure. */
void sl_concurrency_more(struct sl_concurrency *c, int64_t took_us);

/* There was not enough to ask for: one fewer. */
void sl_concurrency_less(struct sl_concurrency *c);

/* There was nothing, or no answer: begin again with one. */
void sl_concurrency_reset(struct sl_concurrency *c);

#endif
