/* source/dead_queue.h - another queue, to which bad records are sent on, their bodies sealed.
 *
 *     body         {"v":1,"message_id":"...","sealed":"..."}    sealed: base64 of sl_seal_body
 *     attributes   sluice.reason, .stage, .field, .sqlstate, .message_id, .pipeline, .sent_at
 *
 * The message id is the one in the queue that was read; the sealed body opens with it alone.
 */
#ifndef SLUICE_SOURCE_DEAD_QUEUE_H
#define SLUICE_SOURCE_DEAD_QUEUE_H

#include "config/config.h"
#include "net/aws_target.h"
#include "net/http.h"
#include "record/batch.h"
#include "source/sqs_wire.h"
#include "telemetry/counters.h"

struct sl_dead_queue;

struct sl_dead_queue_settings {
    sl_str url;
    sl_str pipeline;
    const struct sl_aws_target *target;
    const struct sl_sqs_wire *wire;
    struct sl_requests *requests;
    struct sl_http *http; /* the worker's, whose requests go on in `wait` */
    struct sl_wait wait;
};

/* The configuration as it would be if the dead-letter queue were the one that is read: to find its
 * target, and to ask about it.  A region in its URL stands against the configured one, and an
 * endpoint is not taken into another region.
 * Owns: everything in it is cfg's; do not end it */
struct sl_config sl_dead_queue_config(const struct sl_config *cfg);

/* See that it is not the queue that is read, which may have several URLs and has one ARN.
 *
 * Errors:  SL_CONFIG (stop)
 */
sl_rc sl_dead_queue_check(const struct sl_sqs_attributes *queue,
                          const struct sl_sqs_attributes *dead, struct sl_err *e) SL_MUST_CHECK;

/* Make the dead-letter queue of one worker.
 *
 * Owns:    everything in `settings` is borrowed for as long as it lives
 * Errors:  SL_NOMEM (retry)
 * Threads: one per queue
 */
sl_rc sl_dead_queue_open(const struct sl_dead_queue_settings *settings, struct sl_dead_queue **ret,
                         struct sl_err *e) SL_MUST_CHECK;
void sl_dead_queue_close(struct sl_dead_queue *q);

/* Send on the stray records of a batch, ten in a request, for some seconds: call it again until
 * there is none.
 *
 * Shape:   each record is marked: is_sent once the queue has said that it has it, is_unsent when it
 *          is too large, or the queue refuses what is in it.  A message that stands twice in the
 *          batch is sent once.
 * Errors:  SL_DISCONNECTED, SL_TIMEOUT, SL_THROTTLED, SL_DENIED, SL_NOT_FOUND, SL_UNAVAILABLE,
 *          SL_NOMEM (retry)  some are not sent: call again; those may be there all the same, and
 *                            will be there twice then
 *          SL_CRYPTO (stop)
 * Blocks:  in the wait, until every request has its answer, 10 s each at most
 */
sl_rc sl_dead_queue_send(struct sl_dead_queue *q, struct sl_batch *b, struct sl_err *e)
    SL_MUST_CHECK;

/* Whether it is there and may be written to: a send that it refuses for its delay.
 * Errors: those of sl_dead_queue_send; Blocks: in the wait, up to 10 s */
sl_rc sl_dead_queue_probe(struct sl_dead_queue *q, struct sl_err *e) SL_MUST_CHECK;

#endif
