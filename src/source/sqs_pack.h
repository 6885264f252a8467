/* source/sqs_pack.h - what is kept of received messages, without what the parser made besides. */
#ifndef SLUICE_SOURCE_SQS_PACK_H
#define SLUICE_SOURCE_SQS_PACK_H

#include "base/arena.h"
#include "base/err.h"
#include "source/sqs_json.h"

/* Copy messages into an arena that is made for them, in one block.
 *
 * Shape:   n >= 1; bodies are padded for sl_json_parse
 * Owns:    *arena, which the caller ends, also after a failure; *ret lives in it, but for receipt
 *          handles and MD5s, which stay where they were and are to be read before that ends
 * Errors:  SL_NOMEM (retry)
 */
sl_rc sl_sqs_pack(const struct sl_sqs_message *messages, unsigned n, size_t max_bytes,
                  struct sl_arena *arena, struct sl_sqs_message **ret, struct sl_err *e)
    SL_MUST_CHECK;

#endif
