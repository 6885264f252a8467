/* tests/fakes/fake_attempt.h - receives of a FIFO queue that are asked again by their id: SQS gives what
 * it gave before, as long as nothing of it was changed since. */
#ifndef FAKE_ATTEMPT_H
#define FAKE_ATTEMPT_H

#include "fake_queue.h"

/* What was given for an id, hidden anew; 0 when there is nothing to give again. */
unsigned fake_attempt_repeat(struct fake_queues *qs, const struct fake_queue *q, sl_str id,
                             int64_t visibility_ms,
                             struct fake_message *ret[static FAKE_RECEIVE_MAX]);

/* Remember what was given for an id; the oldest is forgotten for it. */
void fake_attempt_keep(const struct fake_queues *qs, struct fake_queue *q, sl_str id,
                       struct fake_message *const *list, unsigned n);

#endif
