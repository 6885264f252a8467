/* net/http_places.h - the connections of a small server: who is new takes the place of who asks
 * nothing, so that slow or idle ones never keep the others out. */
#ifndef SLUICE_NET_HTTP_PLACES_H
#define SLUICE_NET_HTTP_PLACES_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SL_HTTP_PLACES = 32,
    SL_HTTP_PLACES_SPARE = 8, /* kept for who comes next */
};

struct sl_http_place {
    int fd;
    bool is_open;
    bool is_busy; /* its request is whole, and being answered */
    bool is_sent; /* its answer is made, and on its way */
    bool is_shut; /* told to go, and not gone yet */
    uint64_t number;
};

/* Zeroed at first.  Threads: one. */
struct sl_http_places {
    struct sl_http_place at[SL_HTTP_PLACES];
    uint64_t opened; /* so far */
};

/* Give a new connection its place; where few are left, the oldest that asks nothing is shut down,
 * else the oldest that takes its time to read its answer.
 * Returns: NULL when all are taken */
struct sl_http_place *sl_http_place_open(struct sl_http_places *p, int fd);

/* Before its socket is closed.  Takes NULL. */
void sl_http_place_close(struct sl_http_place *place);

#endif
