/* cmd/verify_value.h - is a masked value what its method makes?  As far as a method lets one tell. */
#ifndef SLUICE_CMD_VERIFY_VALUE_H
#define SLUICE_CMD_VERIFY_VALUE_H

#include "cmd/tally.h"
#include "masking/column_mask.h"

/* A column, with its mask and the masker behind it. */
struct sl_verify_column {
    const struct sl_column *column;
    struct sl_column_mask *mask;
    struct sl_masker *masker;
    const struct sl_keyring *ring;
};

/* Look at one value and count it.
 *
 *     siv               opens under a key of the ring in its context; masked again it is the same
 *     hmac              its form; its key is in the ring
 *     ip, fpe, aes-cbc  opens to something
 *     fernet            opens
 *     sha256, base64    its form
 *     fixed, null       is the constant, is NULL
 *     keep              nothing
 *
 * Shape:   text is as PostgreSQL prints it; ptr NULL for null
 * Errors:  SL_NOMEM (retry), SL_CRYPTO (stop); a wrong value is no error
 */
sl_rc sl_verify_value(const struct sl_verify_column *c, sl_str text, struct sl_arena *a,
                      struct sl_tally *t, struct sl_err *e) SL_MUST_CHECK;

/* What could be checked of a method, and what a bad value is to it; static. */
const char *sl_verify_how(enum sl_mask method);
const char *sl_verify_bad(enum sl_mask method);

/* What a vault keeps of a token, opened. */
struct sl_verify_original {
    sl_str token;
    sl_str context;
    sl_cleartext value;
};

enum sl_original {
    SL_ORIGINAL_OK,      /* it gives the token */
    SL_ORIGINAL_FOREIGN, /* no column here makes such tokens, or its key is gone: nobody can tell */
    SL_ORIGINAL_WRONG,
};

/* Whether an original gives the token that it is kept for.
 * Errors: SL_NOMEM (retry), SL_CRYPTO (stop) */
sl_rc sl_verify_original(const struct sl_verify_column *columns, unsigned n,
                         const struct sl_verify_original *o, struct sl_arena *a,
                         enum sl_original *ret, struct sl_err *e) SL_MUST_CHECK;

#endif
