/* Cleartext is assigned to no text.  error: sl_cleartext */
#include "base/cleartext.h"

void snippet(sl_str *s, sl_cleartext c);

void snippet(sl_str *s, sl_cleartext c)
{
#ifdef MUST_NOT_COMPILE
    *s = c;
#else
    *s = sl_cleartext_publish(c);
#endif
}
