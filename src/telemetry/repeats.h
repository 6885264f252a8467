/* telemetry/repeats.h - warnings that come again and again: the first of a minute are said, the rest
 * is counted.  Pure: the time is passed in.
 */
#ifndef SLUICE_TELEMETRY_REPEATS_H
#define SLUICE_TELEMETRY_REPEATS_H

#include "base/str.h"

enum {
    SL_REPEATS_FIRST = 10, /* of one kind, a minute */
    SL_REPEATS_MS = 60000,
    SL_REPEATS_KINDS = 64, /* the program has fewer; what is beyond is said */
};

/* One kind of warning: the same message, and the same error code if there is one. */
struct sl_repeat {
    char message[120]; /* longer ones are cut; "" = free */
    char code[40];
    int64_t since_ms;
    unsigned said;
    int64_t left_out;
};

struct sl_repeats {
    struct sl_repeat kinds[SL_REPEATS_KINDS];
};

/* Returns: true when this one is to be said; false when it is counted as left out. */
bool sl_repeats_let(struct sl_repeats *r, const char *message, sl_str code, int64_t now_ms);

/* Take a kind of which some were left out and whose minute is over, or, at the end, any.
 * Returns: false when there is none; else *ret, which then begins a new minute */
bool sl_repeats_due(struct sl_repeats *r, int64_t now_ms, bool is_end, struct sl_repeat *ret);

#endif
