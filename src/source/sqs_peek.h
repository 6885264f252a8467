/* source/sqs_peek.h - a look at a few messages of a queue, which are handed back. */
#ifndef SLUICE_SOURCE_SQS_PEEK_H
#define SLUICE_SOURCE_SQS_PEEK_H

#include "config/config.h"
#include "net/aws_target.h"
#include "source/sqs_wire.h"

/* Receive up to ten messages, and hand them back at once: their receive counts rise by one.
 *
 * Owns:    *ret lives in `a`
 * Returns: in *ret_n how many there were; a queue that is not empty may give none
 * Errors:  as sl_sqs_ask; what was received is visible again after 30 s at the latest
 * Blocks:  up to 40 s
 */
sl_rc sl_sqs_peek(const struct sl_config *cfg, const struct sl_aws_target *target,
                  const struct sl_sqs_wire *wire, struct sl_arena *a, struct sl_sqs_message **ret,
                  unsigned *ret_n, struct sl_err *e) SL_MUST_CHECK;

#endif
