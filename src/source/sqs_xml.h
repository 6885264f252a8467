/* source/sqs_xml.h - an XML answer of SQS, in the shape of its JSON answers: pure, no I/O. */
#ifndef SLUICE_SOURCE_SQS_XML_H
#define SLUICE_SOURCE_SQS_XML_H

#include "base/arena.h"
#include "base/json.h"

/* Read an answer of the Query protocol, so that whoever knows the JSON one knows this, too:
 *
 *     <Message>, again and again                 the list "Messages" of objects
 *     <Attribute><Name>n<Value>v                 the object "Attributes", {"n": "v"}
 *     <SendMessageBatchResultEntry>, ...         the lists "Successful" and "Failed"
 *
 * Shape:   *ret is an object, what stands in <...Result>; every value is a string, with
 *          SL_JSON_PADDING readable bytes behind it.  No DOCTYPE and so no entities of its own;
 *          8 levels and 10 000 elements at most
 * Owns:    all of it is in `a`, and nothing points into `text`
 * Errors:  SL_UNAVAILABLE (retry)  not well-formed, or not what SQS answers
 *          SL_NOMEM (retry)
 */
sl_rc sl_sqs_xml_read(sl_str text, struct sl_arena *a, const struct sl_json **ret, struct sl_err *e)
    SL_MUST_CHECK;

#endif
