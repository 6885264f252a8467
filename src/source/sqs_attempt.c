/* source/sqs_attempt.c - receives of a FIFO queue whose answer was lost. */
#include "source/sqs_attempt.h"

#include <sys/random.h>

static struct sl_sqs_attempt attempt_new(int64_t now_ms, int64_t hidden_ms)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char random[(SL_SQS_ATTEMPT_ID - 1) / 2];
    struct sl_sqs_attempt attempt = { 0 };

    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        return attempt;
    }
    for (size_t i = 0; i < sizeof random; i++) {
        attempt.id[2 * i] = hex[random[i] >> 4];
        attempt.id[2 * i + 1] = hex[random[i] & 15];
    }
    attempt.until_ms =
        now_ms + (hidden_ms < SL_SQS_ATTEMPT_MAX_MS ? hidden_ms : SL_SQS_ATTEMPT_MAX_MS);
    return attempt;
}

struct sl_sqs_attempt sl_sqs_attempt_next(struct sl_sqs_attempts *attempts, int64_t now_ms,
                                          int64_t hidden_ms)
{
    while (attempts->n > 0) {
        struct sl_sqs_attempt attempt = attempts->lost[--attempts->n];

        if (now_ms < attempt.until_ms) {
            attempt.is_repeated = true;
            return attempt;
        }
    }
    return attempt_new(now_ms, hidden_ms);
}

void sl_sqs_attempt_lost(struct sl_sqs_attempts *attempts, const struct sl_sqs_attempt *attempt)
{
    if (attempt->id[0] != '\0' && attempts->n < SL_SQS_ATTEMPTS_LOST) {
        attempts->lost[attempts->n++] = *attempt;
    }
}
