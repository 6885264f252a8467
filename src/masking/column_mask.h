/* masking/column_mask.h - one column's method with its keys, ready for values.
 *
 * One a worker and column: cipher contexts are never shared between threads.
 */
#ifndef SLUICE_MASKING_COLUMN_MASK_H
#define SLUICE_MASKING_COLUMN_MASK_H

#include "config/config.h"
#include "masking/masker.h"

struct sl_column_mask;

/* Read the texts of a masking's options and say what is wrong with them.
 * Errors: SL_CONFIG (stop) */
sl_rc sl_column_mask_check(const struct sl_masking *how, struct sl_err *e) SL_MUST_CHECK;

/* As sl_column_mask_check, of every masked column: "FILE:LINE: column NAME: what is wrong". */
sl_rc sl_column_masks_check(const struct sl_config *cfg, struct sl_err *e) SL_MUST_CHECK;

enum { SL_MASK_WARNING_MAX = 160 };

/* What there is to warn of in a method, with the measured time to reverse it where that can be
 * said.  Returns: false if there is nothing.  Cost: about 10 ms */
bool sl_column_mask_warning(enum sl_mask method, char out[static SL_MASK_WARNING_MAX]);

/* The masks of all columns, and what seals the bodies of dead letters. */
struct sl_masks {
    struct sl_masker *masker;
    struct sl_column_mask **of; /* one a column; NULL for one that is not masked */
    unsigned n;
};

/* Make those of a configuration; end with sl_masks_close, also after a failure.
 *
 * Owns:    cfg and ring are borrowed for as long
 * Errors:  as sl_column_mask_new, with the column's name
 */
sl_rc sl_masks_open(const struct sl_config *cfg, const struct sl_keyring *ring,
                    struct sl_masks *ret, struct sl_err *e) SL_MUST_CHECK;
void sl_masks_close(struct sl_masks *masks);

/* Make one.
 *
 * Owns:    `how`, `ring` and `m` are borrowed for as long as it lives
 * Errors:  SL_CONFIG (stop); SL_KEY (stop) its key is not in the ring; SL_CRYPTO (stop);
 *          SL_NOMEM (retry)
 */
sl_rc sl_column_mask_new(const struct sl_masking *how, const struct sl_keyring *ring,
                         struct sl_masker *m, struct sl_column_mask **ret, struct sl_err *e)
    SL_MUST_CHECK;
void sl_column_mask_free(struct sl_column_mask *c);

/* Mask a value, normalized first.
 *
 * Shape:   "" stays ""; ret->ptr is NULL where the method says NULL
 * Owns:    *ret lives in `a`
 * Errors:  SL_VALUE (dead letter)  too long, or not of the form that the method needs
 *          SL_NOMEM (retry), SL_CRYPTO (stop)
 */
sl_rc sl_column_mask_value(struct sl_column_mask *c, sl_cleartext value, struct sl_arena *a,
                           sl_str *ret, struct sl_err *e) SL_MUST_CHECK;

/* Every result that a value may have in the table: one for each key that is not retired, where the
 * result names its key; the one otherwise.
 *
 * Shape:   ret has room for SL_KEYRING_MAX
 * Errors:  as sl_column_mask_value; SL_VALUE for a method whose results do not join, and for a
 *          value that is empty once it is normalized
 */
sl_rc sl_column_mask_tokens(struct sl_column_mask *c, sl_cleartext value, struct sl_arena *a,
                            sl_str *ret, unsigned *ret_n, struct sl_err *e) SL_MUST_CHECK;

/* Recover a value.
 * Errors: SL_VALUE (dead letter)  not a result of this method, altered, of another context or key;
 *         or the method cannot be reversed */
sl_rc sl_column_unmask(struct sl_column_mask *c, sl_str masked, struct sl_arena *a,
                       sl_cleartext *ret, struct sl_err *e) SL_MUST_CHECK;

#endif
