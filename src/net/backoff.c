/* net/backoff.c - how long to wait before trying again. */
#include "net/backoff.h"

/* xorshift64: jitter needs spread, not secrecy. */
static uint64_t backoff_random(struct sl_backoff *b)
{
    uint64_t x = b->random != 0 ? b->random : 1;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    b->random = x;
    return x;
}

unsigned sl_backoff_next(struct sl_backoff *b)
{
    const uint64_t low = b->base_ms / 2;
    uint64_t high = b->base_ms;

    if (b->tries < UINT32_MAX) {
        b->tries++;
    }
    for (unsigned i = 0; i < b->tries && high < b->cap_ms; i++) {
        high *= 2;
    }
    if (high > b->cap_ms) {
        high = b->cap_ms;
    }
    if (high <= low) {
        return (unsigned)high;
    }
    /* The upper half: the lower bits of a xorshift are its weaker ones. */
    return (unsigned)(low + (backoff_random(b) >> 32) % (high - low + 1));
}

void sl_backoff_reset(struct sl_backoff *b)
{
    b->tries = 0;
}
