/* A report prints no cleartext as a run.  error: sl_cleartext */
#include "base/cleartext.h"
#include "base/err.h"

void snippet(struct sl_err *e, sl_cleartext c);

void snippet(struct sl_err *e, sl_cleartext c)
{
#ifdef MUST_NOT_COMPILE
    (void)SL_FAIL(e, SL_BUG, "%" SL_FMT, SL_ARG(c));
#else
    (void)SL_FAIL(e, SL_BUG, "%" SL_FMT, SL_ARG(sl_cleartext_publish(c)));
#endif
}
