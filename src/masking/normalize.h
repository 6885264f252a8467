/* masking/normalize.h - one spelling for values that mean the same, so that their tokens are equal.
 *
 * What is normalized before masking cannot be recovered in its first spelling.
 */
#ifndef SLUICE_MASKING_NORMALIZE_H
#define SLUICE_MASKING_NORMALIZE_H

#include "base/arena.h"
#include "base/cleartext.h"
#include "base/err.h"

enum {
    SL_NORMALIZE_IP = 1,    /* one spelling of an address; IPv4 in IPv6 becomes IPv4 */
    SL_NORMALIZE_LOWER = 2, /* lower case, each code point by itself */
    SL_NORMALIZE_TRIM = 4,  /* no white space at the ends */
    SL_NORMALIZE_NFC = 8,   /* Unicode's composed form */
};

enum { SL_NORMALIZE_MAX = 65536 }; /* bytes of a value */

/* Read the words of a setting: ip, lower, trim, nfc, with blanks or commas between them.
 * Returns: false when there is none, an unknown one, or one twice */
bool sl_normalize_parse(sl_str words, unsigned *ret);

/* Normalize one value: trim, then nfc, then lower, then ip, those of them that are asked for.
 *
 * Shape:   value is UTF-8, up to 64 KiB.  ip leaves alone what is no address, such as one with a
 *          port or a zone.  White space is what Unicode calls so (U+0085, U+00A0, U+3000 too);
 *          U+200B and U+FEFF are none.  lower maps code points one to one, so that no language's
 *          rules matter and "ß" is not "ss"; with nfc the result is composed again.  Doing it twice
 *          changes nothing more
 * Owns:    *ret lives in `a` or is part of `value`
 * Errors:  SL_VALUE (dead letter)  not UTF-8; too long; over 30 combining marks on one character
 *          (no language has that many, and ordering them takes time that grows with their square)
 *          SL_NOMEM (retry)
 * Threads: any number at once
 * Source:  UAX #15 (NFC; section 13 for the 30), UAX #44 (Simple_Lowercase_Mapping), by utf8proc;
 *          RFC 5952 (addresses, as inet_ntop prints them)
 */
sl_rc sl_normalize(unsigned what, sl_cleartext value, struct sl_arena *a, sl_cleartext *ret,
                   struct sl_err *e) SL_MUST_CHECK;

/* Read an address; IPv4 in IPv6 (::ffff:1.2.3.4) is IPv4.
 * Returns: the bytes of out that it has, 4 or 16; 0 when it is no address, or one with a port,
 *          prefix or zone */
unsigned sl_normalize_address(sl_cleartext text, unsigned char out[static 16]);

/* Write an address of 4 or 16 bytes in its one spelling.
 * Shape:   out has room for 46 bytes and gets a NUL behind the text
 * Returns: its length */
size_t sl_normalize_address_text(const unsigned char *address, unsigned n, char out[static 46]);

#endif
