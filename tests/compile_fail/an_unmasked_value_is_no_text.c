/* What is unmasked is cleartext again.  error: sl_cleartext */
#include "base/cleartext.h"
#include "masking/masker.h"

void snippet(struct sl_masker *m, struct sl_arena *a, sl_str *s, sl_cleartext *c);

void snippet(struct sl_masker *m, struct sl_arena *a, sl_str *s, sl_cleartext *c)
{
#ifdef MUST_NOT_COMPILE
    (void)c, (void)!sl_unmask_siv(m, SL_STR("ip"), *s, a, s, NULL);
#else
    (void)!sl_unmask_siv(m, SL_STR("ip"), *s, a, c, NULL);
#endif
}
