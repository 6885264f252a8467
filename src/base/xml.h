/* base/xml.h - the texts of a few elements of an XML document. */
#ifndef SLUICE_BASE_XML_H
#define SLUICE_BASE_XML_H

#include "base/arena.h"

enum {
    SL_XML_DEPTH = 32,       /* deepest nesting accepted */
    SL_XML_PATH_MAX = 256,   /* bytes of a path */
    SL_XML_TEXT_MAX = 65536, /* bytes of a text */
};

/* One element that is wanted: names from the root on, with '/' between, as they stand in the
 * document: "ErrorResponse/Error/Code". */
struct sl_xml_want {
    const char *path;
    sl_str *ret; /* its text, trimmed; the first one's, where there are several */
};

/* Read a whole document.
 *
 * Shape:   64 wants at most
 * Owns:    texts live in `a`; those that are not there are left alone
 * Errors:  those of sl_xml_tell, which reads it
 *          SL_UNAVAILABLE (retry)  it is too deep or too long; texts may have been set
 *          SL_NOMEM (retry)
 */
sl_rc sl_xml_read(sl_str text, const struct sl_xml_want *wants, unsigned n, struct sl_arena *a,
                  struct sl_err *e) SL_MUST_CHECK;

#endif
