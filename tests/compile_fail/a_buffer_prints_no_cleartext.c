/* A buffer prints no cleartext.  error: sl_cleartext */
#include "base/buf.h"
#include "base/cleartext.h"

void snippet(struct sl_buf *b, sl_cleartext c);

void snippet(struct sl_buf *b, sl_cleartext c)
{
#ifdef MUST_NOT_COMPILE
    sl_buf_printf(b, "%" SL_FMT, SL_ARG(c));
#else
    sl_buf_printf(b, "%" SL_FMT, SL_ARG(sl_cleartext_publish(c)));
#endif
}
