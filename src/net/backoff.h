/* net/backoff.h - how long to wait before trying again: full jitter, growing, capped.
 * Source: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/ */
#ifndef SLUICE_NET_BACKOFF_H
#define SLUICE_NET_BACKOFF_H

#include <stdint.h>

struct sl_backoff {
    unsigned base_ms;
    unsigned cap_ms;
    unsigned tries;  /* failures in a row */
    uint64_t random; /* state; any seed but 0 */
};

/* Count a failure.  Returns: milliseconds to wait, base_ms/2 .. min(cap_ms, base_ms * 2^tries). */
unsigned sl_backoff_next(struct sl_backoff *b);

/* A success: the next failure waits shortly again. */
void sl_backoff_reset(struct sl_backoff *b);

#endif
