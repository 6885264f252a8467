/* cmd/check_peek.h - what the messages of a queue come in, as far as one can see. */
#ifndef SLUICE_CMD_CHECK_PEEK_H
#define SLUICE_CMD_CHECK_PEEK_H

#include "base/buf.h"
#include "source/sqs_peek.h"

/* Say what a few messages are: one line for those that the configuration fits, and one for each
 * other envelope or encoding that was seen.
 *
 * Owns:    what is received lives in `a`
 * Errors:  those of sl_sqs_peek
 */
sl_rc sl_check_peek(const struct sl_config *cfg, const struct sl_aws_target *target,
                    const struct sl_sqs_wire *wire, struct sl_arena *a, struct sl_buf *ret_good,
                    struct sl_buf *ret_warnings, struct sl_err *e) SL_MUST_CHECK;

#endif
