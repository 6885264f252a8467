/* source/sqs_queue.h - questions about a queue, outside the flow of messages. */
#ifndef SLUICE_SOURCE_SQS_QUEUE_H
#define SLUICE_SOURCE_SQS_QUEUE_H

#include "config/config.h"
#include "net/aws_target.h"
#include "source/sqs_wire.h"

/* Ask a queue for its counts and settings, waiting for the answer.
 *
 * Shape:   *wire NULL at first: what the configuration says is put there or, when that leaves it
 *          to us, what the server has answered in, once it has answered
 * Errors:  SL_NOT_FOUND, SL_DENIED, SL_DISCONNECTED, SL_THROTTLED, SL_UNAVAILABLE (retry)
 * Blocks:  up to 10 s, or 20 s while *wire is NULL
 */
sl_rc sl_sqs_ask(const struct sl_config *cfg, const struct sl_aws_target *target,
                 const struct sl_sqs_wire **wire, struct sl_sqs_attributes *ret, struct sl_err *e)
    SL_MUST_CHECK;

/* Put the URL of a queue that is known by its name into the configuration; one that has a URL is
 * left alone.  Requests go where they went: the URL's host is a name for SQS, no address for us.
 *
 * Shape:   *wire as for sl_sqs_ask
 * Owns:    the URL is in `a`
 * Errors:  those of sl_sqs_ask; SL_CONFIG (stop) it is the dead-letter queue
 * Blocks:  up to 10 s, or 20 s while *wire is NULL
 */
sl_rc sl_sqs_find(struct sl_config *cfg, const struct sl_aws_target *target,
                  const struct sl_sqs_wire **wire, struct sl_arena *a, struct sl_err *e)
    SL_MUST_CHECK;

enum sl_sqs_right {
    SL_SQS_MAY_RECEIVE,
    SL_SQS_MAY_DELETE,
    SL_SQS_MAY_CHANGE_VISIBILITY,
    SL_SQS_MAY_SEND,
};

/* Ask whether this identity may call an action, for no messages, with a handle that is no handle, or a
 * delay that is none: nothing happens.
 *
 * Errors:  SL_DENIED (retry) it may not; those of sl_sqs_ask
 * Blocks:  up to 10 s
 */
sl_rc sl_sqs_may(const struct sl_config *cfg, const struct sl_aws_target *target,
                 const struct sl_sqs_wire *wire, enum sl_sqs_right right, struct sl_err *e)
    SL_MUST_CHECK;

#endif
