/* A report prints no cleartext as a string.  error: sl_cleartext */
#include "base/cleartext.h"
#include "base/err.h"

void snippet(struct sl_err *e, sl_cleartext c);

void snippet(struct sl_err *e, sl_cleartext c)
{
#ifdef MUST_NOT_COMPILE
    (void)SL_FAIL(e, SL_BUG, "%s", c);
#else
    (void)SL_FAIL(e, SL_BUG, "%s", sl_cleartext_publish(c).ptr);
#endif
}
