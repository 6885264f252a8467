/* masking/fpe.h - FF1 over a declared alphabet and format: what looked like ddd-dd-dddd still does.
 *
 * There is no room for a key id and none for a tag: who unmasks must know the key, the tweak, the
 * alphabet and the format, and anything that fits the format unmasks to something.
 */
#ifndef SLUICE_MASKING_FPE_H
#define SLUICE_MASKING_FPE_H

#include "base/arena.h"
#include "base/cleartext.h"
#include "base/err.h"

enum {
    SL_FPE_KEY_BYTES = 32,
    SL_FPE_TWEAK_MAX = 256,   /* bytes */
    SL_FPE_ALPHABET_MAX = 94, /* characters: printable ASCII without the blank */
    SL_FPE_FORMAT_MAX = 256,  /* places, of which at most 128 of the alphabet */
};

struct sl_fpe;

/* Can values be masked with this pair?  A report starts with "alphabet" or "format".
 *
 * Shape:   alphabet 2..94 printable ASCII characters, each once, no blank; "" is "0123456789".
 *          Their order matters: another order makes other tokens
 *          format: each `d` stands for a character of the alphabet, a backslash makes the next
 *          character stand for itself, all others stand for themselves; "" is any number of
 *          characters of the alphabet
 * Errors:  SL_CONFIG (stop)  an alphabet or format of another shape, or under a million values
 */
sl_rc sl_fpe_check(sl_str alphabet, sl_str format, struct sl_err *e) SL_MUST_CHECK;

/* Make the cipher of one key, tweak and format; the caller wipes its own copy of the key.
 *
 * Shape:   tweak 0..256 bytes; alphabet and format as sl_fpe_check has them
 * Owns:    copies of all that is given
 * Errors:  those of sl_fpe_check; SL_CRYPTO (stop), SL_NOMEM (retry), SL_BUG (stop) tweak too long
 * Threads: one per sl_fpe
 */
sl_rc sl_fpe_new(const unsigned char key[static SL_FPE_KEY_BYTES], sl_str tweak, sl_str alphabet,
                 sl_str format, struct sl_fpe **ret, struct sl_err *e) SL_MUST_CHECK;
void sl_fpe_free(struct sl_fpe *f);

/* Mask one value: of the same format, of the same length.
 *
 * Shape:   a value that fits the format; without one 6..128 characters with 10 in the alphabet,
 *          20..128 with 2; "" stays "".  Once in as many values as the format has, the token
 *          equals the value
 * Owns:    *ret lives in `a`
 * Errors:  SL_VALUE (dead letter)  does not fit; the report has the number of the first character
 *          that does not, counted from 1
 *          SL_NOMEM (retry), SL_CRYPTO (stop)
 * Threads: one per sl_fpe
 */
sl_rc sl_fpe_mask(struct sl_fpe *f, sl_cleartext value, struct sl_arena *a, sl_str *ret,
                  struct sl_err *e) SL_MUST_CHECK;

/* Recover a value.
 * Errors: as sl_fpe_mask; a token of another key or tweak, or a changed one, is not noticed */
sl_rc sl_fpe_unmask(struct sl_fpe *f, sl_str token, struct sl_arena *a, sl_cleartext *ret,
                    struct sl_err *e) SL_MUST_CHECK;

#endif
