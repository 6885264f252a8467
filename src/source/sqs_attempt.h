/* source/sqs_attempt.h - receives of a FIFO queue whose answer was lost: SQS holds the groups of what it
 * gave until its visibility timeout is over, or gives the same again to whoever asks by the same id. */
#ifndef SLUICE_SOURCE_SQS_ATTEMPT_H
#define SLUICE_SOURCE_SQS_ATTEMPT_H

#include "base/str.h"

enum {
    SL_SQS_ATTEMPT_ID = 33,         /* bytes of an id, with its NUL */
    SL_SQS_ATTEMPTS_LOST = 64,      /* kept at a time, as many as receives may be out */
    SL_SQS_ATTEMPT_MAX_MS = 300000, /* SQS knows an id for five minutes */
};

struct sl_sqs_attempt {
    char id[SL_SQS_ATTEMPT_ID]; /* "": none */
    int64_t until_ms;           /* monotonic: good so long, from when it was first asked by */
    bool is_repeated;
};

struct sl_sqs_attempts {
    struct sl_sqs_attempt lost[SL_SQS_ATTEMPTS_LOST];
    unsigned n;
};

/* The id of the next receive: one whose answer was lost, or a new one.
 *
 * Units:   `hidden_ms` is the visibility timeout, after which there is nothing to ask again for
 * Returns: an attempt whose id is "" when there is no randomness to make one of
 */
struct sl_sqs_attempt sl_sqs_attempt_next(struct sl_sqs_attempts *attempts, int64_t now_ms,
                                          int64_t hidden_ms);

/* Its answer was lost. */
void sl_sqs_attempt_lost(struct sl_sqs_attempts *attempts, const struct sl_sqs_attempt *attempt);

#endif
