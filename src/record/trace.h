/* record/trace.h - the trace that a message belongs to.  Whoever sends a message writes its headers, so
 * nothing of them is kept but an id of the one shape that ids have.  Pure.
 */
#ifndef SLUICE_RECORD_TRACE_H
#define SLUICE_RECORD_TRACE_H

#include "base/str.h"

#define SL_TRACE_ATTRIBUTE "traceparent" /* the message attribute; AWS has one of its own */

enum { SL_TRACE_DIGITS = 32 };

/* Digits of hex, lower case, not all of them 0; or all NUL: not known. */
struct sl_trace {
    char digits[SL_TRACE_DIGITS];
};

/* The digits; "" when it is not known.  Owns: borrows t */
sl_str sl_trace_text(const struct sl_trace *t);

/* Read the header `traceparent`: "00-<32 digits>-<16 digits>-<2 digits>".
 * Returns: false, leaving *ret alone, when it is not well-formed
 * Source:  https://www.w3.org/TR/trace-context-1/#traceparent-header */
bool sl_trace_read_w3c(sl_str header, struct sl_trace *ret);

/* Read the header of AWS X-Ray: "Root=1-<8 digits>-<24 digits>;Parent=...;Sampled=1", in any order.
 * Returns: false, leaving *ret alone, when there is no well-formed root
 * Source:  https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader */
bool sl_trace_read_aws(sl_str header, struct sl_trace *ret);

#endif
