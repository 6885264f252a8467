/* telemetry/recent.h - the warnings and errors of late, each kind once, for who looks later.  Pure:
 * the time is passed in.
 */
#ifndef SLUICE_TELEMETRY_RECENT_H
#define SLUICE_TELEMETRY_RECENT_H

#include "base/str.h"

enum { SL_RECENT_KINDS = 32 }; /* the one that was said longest ago makes room */

/* One kind: the same message, and the same error code if there is one. */
struct sl_recent_kind {
    char message[120]; /* longer ones are cut; "" = free */
    char code[40];
    char detail[400]; /* of the last one */
    unsigned level;   /* enum sl_log_level */
    int64_t first_ms; /* wall clock, as below */
    int64_t last_ms;
    uint64_t n;
};

struct sl_recent {
    struct sl_recent_kind kinds[SL_RECENT_KINDS];
};

/* Count one more of a kind, with what it says now. */
void sl_recent_add(struct sl_recent *r, const struct sl_recent_kind *said, int64_t now_ms);

/* Put the newest first, and what is free last. */
void sl_recent_sort(struct sl_recent *r);

/* What to do about a message of the log; "" where nothing is written about it.
 * Source: telemetry/advice.def, which docs/errors.md is printed from */
const char *sl_recent_advice(const char *message);

#endif
