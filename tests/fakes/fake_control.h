/* tests/fakes/fake_control.h - what a test asks of the server beyond SQS, under /_fake/.
 *
 *     GET    /_fake/report?queue=Q      the fate of every message, counted; of all queues without Q
 *     GET    /_fake/report?queue=Q&ids=1[&fate=F]       and one by one: [id, fate, received n
 *                                       times, bad by design, id of what it became elsewhere]
 *     POST   /_fake/fill                {"queue", "n", "seed", "duplicates", "bad", "groups"}
 *     POST   /_fake/expire              {"queue"}: all that is in flight is visible, handles are old
 *     GET    /_fake/faults              the rules and how often each has struck
 *     POST   /_fake/faults              one more rule (fake_faults.h), or {"random": N}: begin the
 *                                       choices of all rules anew
 *     DELETE /_fake/faults              forget all rules
 */
#ifndef FAKE_CONTROL_H
#define FAKE_CONTROL_H

#include "fake_faults.h"
#include "fake_queue.h"

/* Answer one request; *out becomes JSON.  Returns: the HTTP status. */
int fake_control(struct fake_queues *qs, struct fake_faults *f, sl_str method, sl_str path,
                 const struct sl_json *request, struct sl_buf *out);

#endif
