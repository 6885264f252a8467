/* An arena prints no cleartext.  error: sl_cleartext */
#include "base/arena.h"
#include "base/cleartext.h"

void snippet(struct sl_arena *a, sl_cleartext c);

void snippet(struct sl_arena *a, sl_cleartext c)
{
#ifdef MUST_NOT_COMPILE
    (void)sl_arena_printf(a, "%" SL_FMT, SL_ARG(c));
#else
    (void)sl_arena_printf(a, "%" SL_FMT, SL_ARG(sl_cleartext_publish(c)));
#endif
}
