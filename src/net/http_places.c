/* net/http_places.c - the connections of a small server. */
#include "net/http_places.h"

#include <stddef.h>
#include <sys/socket.h>

static unsigned free_n(const struct sl_http_places *p)
{
    unsigned n = 0;

    for (unsigned i = 0; i < SL_HTTP_PLACES; i++) {
        n += !p->at[i].is_open || p->at[i].is_shut;
    }
    return n;
}

static struct sl_http_place *oldest_of(struct sl_http_places *p, bool is_sent)
{
    struct sl_http_place *oldest = NULL;

    for (unsigned i = 0; i < SL_HTTP_PLACES; i++) {
        struct sl_http_place *place = &p->at[i];

        if (place->is_open && !place->is_shut && (is_sent ? place->is_sent : !place->is_busy) &&
            (oldest == NULL || place->number < oldest->number)) {
            oldest = place;
        }
    }
    return oldest;
}

static void oldest_shut(struct sl_http_places *p)
{
    struct sl_http_place *oldest = oldest_of(p, false);

    oldest = oldest != NULL ? oldest : oldest_of(p, true);
    if (oldest != NULL) {
        oldest->is_shut = true;
        (void)shutdown(oldest->fd, SHUT_RDWR);
    }
}

struct sl_http_place *sl_http_place_open(struct sl_http_places *p, int fd)
{
    struct sl_http_place *place = NULL;

    if (free_n(p) <= SL_HTTP_PLACES_SPARE) {
        oldest_shut(p);
    }
    for (unsigned i = 0; i < SL_HTTP_PLACES && place == NULL; i++) {
        place = p->at[i].is_open ? NULL : &p->at[i];
    }
    if (place != NULL) {
        *place = (struct sl_http_place){ .fd = fd, .is_open = true, .number = ++p->opened };
    }
    return place;
}

void sl_http_place_close(struct sl_http_place *place)
{
    if (place != NULL) {
        place->is_open = false;
    }
}
