/* Texts are compared with texts.  error: sl_cleartext */
#include "base/cleartext.h"

void snippet(sl_cleartext c);

void snippet(sl_cleartext c)
{
#ifdef MUST_NOT_COMPILE
    (void)sl_str_eq(SL_STR("x"), c);
#else
    (void)sl_str_eq(SL_STR("x"), sl_cleartext_publish(c));
#endif
}
