/* cmd/json_span.h - where the values of a JSON object stand in its text. */
#ifndef SLUICE_CMD_JSON_SPAN_H
#define SLUICE_CMD_JSON_SPAN_H

#include "base/str.h"

/* Where a walk over the members of one object stands. */
struct sl_json_span {
    const char *at;
    const char *end;
};

/* Begin before the first member.
 * Shape: sl_json_parse has found `text` to be an object: here only its shape is looked at */
struct sl_json_span sl_json_span_of(sl_str text);

/* The value of the next member as it stands in the text, without the blanks around it.
 * Returns: false when there is none */
bool sl_json_span_next(struct sl_json_span *s, sl_str *ret);

#endif
