/* base/xml_events.h - an XML document from its first tag to its last, read by expat. */
#ifndef SLUICE_BASE_XML_EVENTS_H
#define SLUICE_BASE_XML_EVENTS_H

#include "base/err.h"
#include "base/str.h"

/* What to do at each; anything but SL_OK ends the reading. */
struct sl_xml_events {
    sl_rc (*begin)(void *ctx, sl_str tag, struct sl_err *e);
    sl_rc (*text)(void *ctx, sl_str text, struct sl_err *e); /* a text may come in pieces */
    sl_rc (*end)(void *ctx, sl_str tag, struct sl_err *e);
};

/* Read a whole document, telling of what is in it.
 *
 * Owns:    what is told is expat's, until the call returns; its copies are wiped
 * Errors:  SL_UNAVAILABLE (retry)  it is not well-formed, or has a DOCTYPE (and so entities of its
 *                                  own, which grow while they are read)
 *          SL_NOMEM (retry)
 *          those of the events, as they are
 */
sl_rc sl_xml_tell(sl_str text, const struct sl_xml_events *events, void *ctx, struct sl_err *e)
    SL_MUST_CHECK;

#endif
