/* tests/fakes/fake_attempt.c - receives of a FIFO queue that are asked again by their id. */
#include "fake_attempt.h"

enum { KNOWN_MS = 300000 }; /* SQS: five minutes */

static const struct fake_attempt *attempt_find(const struct fake_queues *qs,
                                               const struct fake_queue *q, sl_str id)
{
    for (unsigned i = 0; i < FAKE_ATTEMPTS; i++) {
        const struct fake_attempt *attempt = &q->attempts[i];

        if (attempt->n > 0 && qs->now_ms < attempt->at_ms + KNOWN_MS &&
            sl_str_eq(sl_str_of(attempt->id), id)) {
            return attempt;
        }
    }
    return NULL;
}

unsigned fake_attempt_repeat(struct fake_queues *qs, const struct fake_queue *q, sl_str id,
                             int64_t visibility_ms,
                             struct fake_message *ret[static FAKE_RECEIVE_MAX])
{
    const struct fake_attempt *attempt = attempt_find(qs, q, id);

    if (attempt == NULL) {
        return 0;
    }
    for (unsigned i = 0; i < attempt->n; i++) {
        ret[i] = fake_message_at(&qs->store, attempt->serials[i]);
        if (ret[i]->state != FAKE_IN_FLIGHT || ret[i]->received_n != attempt->received_n[i]) {
            return 0;
        }
    }
    for (unsigned i = 0; i < attempt->n; i++) {
        fake_queue_hide(qs, ret[i], visibility_ms);
    }
    return attempt->n;
}

void fake_attempt_keep(const struct fake_queues *qs, struct fake_queue *q, sl_str id,
                       struct fake_message *const *list, unsigned n)
{
    struct fake_attempt *attempt = &q->attempts[q->attempts_at++ % FAKE_ATTEMPTS];

    *attempt = (struct fake_attempt){ .n = n, .at_ms = qs->now_ms };
    (void)snprintf(attempt->id, sizeof attempt->id, "%" SL_FMT, SL_ARG(id));
    for (unsigned i = 0; i < n; i++) {
        attempt->serials[i] = list[i]->serial;
        attempt->received_n[i] = list[i]->received_n;
    }
}
