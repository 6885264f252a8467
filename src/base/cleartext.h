/* base/cleartext.h - bytes that may be somebody's personal data.
 *
 * A type of its own, so that no log, report, buffer or sink function accepts it and a leak does
 * not compile.  It becomes an sl_str in one way, sl_cleartext_publish, and a token in another,
 * masking/.  `make lint` lists the few files that may do either.
 */
#ifndef SLUICE_BASE_CLEARTEXT_H
#define SLUICE_BASE_CLEARTEXT_H

#include "base/str.h"

typedef struct {
    const char *secret;
    size_t len; /* bytes */
} sl_cleartext;

/* Bytes from outside are cleartext until somebody says otherwise. */
static inline sl_cleartext sl_cleartext_of(sl_str s)
{
    return (sl_cleartext){ s.ptr, s.len };
}

/* Say that these bytes are not personal: an id of the queue's, a column that is not masked. */
static inline sl_str sl_cleartext_publish(sl_cleartext c)
{
    return (sl_str){ c.secret, c.len };
}

#endif
