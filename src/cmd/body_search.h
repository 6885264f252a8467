/* cmd/body_search.h - does a body have a value where a column would take it from? */
#ifndef SLUICE_CMD_BODY_SEARCH_H
#define SLUICE_CMD_BODY_SEARCH_H

#include "masking/column_mask.h"
#include "pipeline/unwrap.h"

/* A column, with the mask that tells whether two values are one to it. */
struct sl_body_column {
    const struct sl_column *column;
    struct sl_column_mask *mask;
    sl_str token; /* of the value, under the active key; ptr NULL: it cannot be masked */
};

struct sl_body_search {
    const struct sl_config *cfg;
    struct sl_json_parser *parser;
    sl_cleartext value; /* not empty */
    const struct sl_body_column *columns;
    unsigned n;
};

enum sl_body_found {
    SL_BODY_OTHER,   /* it has a field, with another value */
    SL_BODY_FIELD,   /* a field of a column has the value */
    SL_BODY_NOWHERE, /* no field to look at; the value is nowhere in its bytes */
    SL_BODY_BYTES,   /* no field to look at; the value stands somewhere in its bytes */
};

/* Look for the value in the fields of a body, out of its envelope and encoding.  One that is not JSON, or has no field of the
 * columns, is searched as bytes, and as what they read without JSON's escapes: for the value as it is, not in the middle of a
 * longer word.
 *
 * Owns:    what is made on the way lives in `a`
 * Errors:  SL_NOMEM (retry), SL_CRYPTO (stop)
 */
sl_rc sl_body_search(const struct sl_body_search *s, sl_str message_id, sl_cleartext body,
                     struct sl_arena *a, enum sl_body_found *ret, struct sl_err *e) SL_MUST_CHECK;

#endif
