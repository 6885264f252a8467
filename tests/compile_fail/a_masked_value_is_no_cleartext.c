/* A token is a text, and the value of a mask is none.  error: sl_str */
#include "base/cleartext.h"
#include "masking/masker.h"

void snippet(struct sl_masker *m, struct sl_arena *a, sl_str *s);

void snippet(struct sl_masker *m, struct sl_arena *a, sl_str *s)
{
#ifdef MUST_NOT_COMPILE
    (void)!sl_mask_siv(m, SL_STR("ip"), *s, a, s, NULL);
#else
    (void)!sl_mask_siv(m, SL_STR("ip"), sl_cleartext_of(*s), a, s, NULL);
#endif
}
