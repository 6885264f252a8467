/* net/concurrency.h - how many requests of one kind to have in flight: as many as make it faster. */
#ifndef SLUICE_NET_CONCURRENCY_H
#define SLUICE_NET_CONCURRENCY_H

#include <stdbool.h>
#include <stdint.h>

struct sl_concurrency {
    unsigned target;  /* wanted in flight now */
    unsigned max;     /* never more */
    int credit;       /* answers in time, less those that were late, since the last step */
    bool is_steady;   /* an answer was late: no doubling any more */
    int64_t quick_us; /* what an answer takes when nobody has too much to do */
};

/* Begin with `first`. */
void sl_concurrency_init(struct sl_concurrency *c, unsigned first, unsigned max);

/* An answer has come, and there was more to ask for.
 *
 * One more in flight for each, so that they double with every round trip, until an answer takes twice
 * its time: somebody on the way has enough to do, and each connection more costs memory and makes
 * nothing faster.  From then on it is one up or down in a round trip; down to one, whose times become
 * the measure by and by.
 *
 * Shape:   took_us is the time of the answer alone, as sl_http_reply has it */
void sl_concurrency_more(struct sl_concurrency *c, int64_t took_us);

/* There was not enough to ask for: one fewer. */
void sl_concurrency_less(struct sl_concurrency *c);

/* There was nothing, or no answer: begin again with one. */
void sl_concurrency_reset(struct sl_concurrency *c);

#endif
