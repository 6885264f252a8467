/* cmd/generate_event.h - login events out of a seed: no clock, no I/O, the same on every machine. */
#ifndef SLUICE_CMD_GENERATE_EVENT_H
#define SLUICE_CMD_GENERATE_EVENT_H

#include "base/buf.h"

/* What is wrong with a bad event; they take turns in this order. */
enum sl_bad_event {
    SL_BAD_EVENT_OTHER_TYPE, /* an event of another kind */
    SL_BAD_EVENT_NOT_JSON,
    SL_BAD_EVENT_CUT_OFF,
    SL_BAD_EVENT_ARRAY,
    SL_BAD_EVENT_DUPLICATE_KEY,
    SL_BAD_EVENT_MISSING_FIELD,
    SL_BAD_EVENT_NULL_FIELD,
    SL_BAD_EVENT_NUMBER_FOR_STRING,
    SL_BAD_EVENT_FOUR_PART_VERSION,
    SL_BAD_EVENT_LONG_LOCALE,
    SL_BAD_EVENT_NUL_CHARACTER,
    SL_BAD_EVENT_LONE_SURROGATE,
    SL_BAD_EVENT_EMPTY_OBJECT,
    SL_BAD_EVENT_N,
};

enum { SL_GENERATE_MAX = 1000000000 /* events; device ids have nine digits */ };

struct sl_generator {
    uint64_t seed;
    uint64_t random; /* state of the choice between the kinds */
    uint64_t bad_left;
    uint64_t duplicates_left;
    uint64_t originals_left;
    uint64_t originals; /* made so far; each has an ip and a device id of its own */
    uint64_t bad;       /* made so far */
    uint64_t made;
};

/* Begin `count` events, of which round(count * share) are bad or repeat the ip and device id of an
 * earlier one, spread by the seed.  Without an earlier one there is nothing to repeat: one good
 * event is always an original.
 *
 * Shape:   count 0..SL_GENERATE_MAX; shares 0..1 and together at most 1
 */
void sl_generator_init(struct sl_generator *g, uint64_t seed, uint64_t count, double duplicates,
                       double bad);

/* Append the next event: one line of ASCII without its end.
 * Returns: false when all have been made */
bool sl_generator_next(struct sl_generator *g, struct sl_buf *out);

#endif
