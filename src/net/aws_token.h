/* net/aws_token.h - a token that somebody puts into a file and changes there. */
#ifndef SLUICE_NET_AWS_TOKEN_H
#define SLUICE_NET_AWS_TOKEN_H

#include "base/arena.h"

/* One line of printable ASCII: it can stand in a header. */
bool sl_aws_token_is_one(sl_str token);

/* Read a file with one token, as it is now.
 *
 * Shape:   as sl_aws_token_is_one, 1..65536 bytes; white space around it is dropped
 * Owns:    *ret lives in `a`
 * Errors:  SL_CONFIG (stop)  it cannot be read, is empty, or has something else in it; what it has
 *                            is never said
 *          SL_NOMEM (retry)
 * Blocks:  on the file
 */
sl_rc sl_aws_token_read(sl_str file, struct sl_arena *a, sl_str *ret, struct sl_err *e)
    SL_MUST_CHECK;

#endif
