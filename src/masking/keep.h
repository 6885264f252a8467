/* masking/keep.h - keep a part of a value and drop the rest, for good.
 *
 * Many values share one result, and a part may still be personal data.
 */
#ifndef SLUICE_MASKING_KEEP_H
#define SLUICE_MASKING_KEEP_H

#include "base/arena.h"
#include "base/cleartext.h"
#include "base/err.h"

enum sl_keep_kind {
    SL_KEEP_FIRST,   /* characters */
    SL_KEEP_LAST,    /* characters */
    SL_KEEP_NETWORK, /* of an IP address */
    SL_KEEP_DOMAIN,  /* of a mail address */
    SL_KEEP_YEAR,    /* of a date */
};

enum {
    SL_KEEP_CHARS_MAX = 64,
    SL_KEEP_BITS = 24,  /* of an IPv4 address, unless told */
    SL_KEEP_BITS6 = 48, /* of an IPv6 address, unless told */
};

struct sl_keep {
    enum sl_keep_kind kind;
    unsigned n;  /* characters, 1..64; or bits of an IPv4 address, 1..31 */
    unsigned n6; /* bits of an IPv6 address, 1..127 */
};

/* Read what to keep.
 *
 * Shape:   "first N", "last N", "/24", "/48", "/24 /48", "domain", "year".  Of two prefixes the
 *          first is for IPv4; one alone is for IPv4 up to 31, for IPv6 from 32
 * Returns: false when it is anything else
 */
bool sl_keep_parse(sl_str text, struct sl_keep *ret);

/* Keep the part of one value; "" stays "".
 *
 * first, last  N code points.  A value of N or fewer becomes "": none passes whole
 * network      the address with its other bits 0, without a prefix length: 203.0.113.0, 2001:db8::
 *              IPv4 in IPv6 is IPv4
 * domain       what follows the last @, in lower case
 * year         four digits, of YYYY[-MM[-DD[Ttime]]] or YYYYMMDD[Ttime] as it is written there,
 *              or of the seconds or milliseconds since 1970-01-01 UTC that a number of other than
 *              4 or 8 digits is, as long as that is in 1800..2199.  Below 10^11 it is seconds
 *
 * Owns:    *ret lives in `a`
 * Errors:  SL_VALUE (dead letter)  no IP address, mail address or date; SL_NOMEM (retry)
 * Threads: any number at once
 */
sl_rc sl_keep_mask(const struct sl_keep *k, sl_cleartext value, struct sl_arena *a, sl_str *ret,
                   struct sl_err *e) SL_MUST_CHECK;

#endif
