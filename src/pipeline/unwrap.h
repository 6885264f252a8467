/* pipeline/unwrap.h - what the producer meant: a body out of its envelope and its encoding.  Pure. */
#ifndef SLUICE_PIPELINE_UNWRAP_H
#define SLUICE_PIPELINE_UNWRAP_H

#include "base/json.h"
#include "config/config.h"
#include "record/batch.h"

enum { SL_CONTENT_MAX = 16 << 20 }; /* bytes of a body, unpacked */

/* A message as the columns see it. */
struct sl_content {
    sl_cleartext body;          /* SL_JSON_PADDING readable bytes behind it */
    const struct sl_json *root; /* of the body; NULL until it is parsed */
    const struct sl_attribute *attributes;
    unsigned attributes_n;
};

/* Take the body of a record out of the envelope and the encoding that the configuration names.
 *
 * Shape:   r->body and r->object are followed by SL_JSON_PADDING readable bytes; the result has at most
 *          SL_CONTENT_MAX bytes, or is r->body itself
 * Owns:    *ret lives in `a`, and borrows the record
 * Returns: in *ret_reason what is wrong with the body; *ret is set when that is SL_REASON_NONE
 * Errors:  SL_NOMEM (retry)
 * Source:  https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html,
 *          https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
 */
sl_rc sl_unwrap(const struct sl_config *cfg, struct sl_json_parser *parser,
                const struct sl_record *r, struct sl_arena *a, struct sl_content *ret,
                enum sl_reason *ret_reason, struct sl_err *e) SL_MUST_CHECK;

/* The value of an attribute; NULL when the message has none of that name. */
const sl_cleartext *sl_content_attribute(const struct sl_content *c, sl_str name);

#endif
