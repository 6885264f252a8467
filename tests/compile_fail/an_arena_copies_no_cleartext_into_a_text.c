/* A copy in an arena is a text, and cleartext is none.  error: sl_cleartext */
#include "base/arena.h"
#include "base/cleartext.h"

void snippet(struct sl_arena *a, sl_cleartext c);

void snippet(struct sl_arena *a, sl_cleartext c)
{
#ifdef MUST_NOT_COMPILE
    (void)sl_arena_copy(a, c);
#else
    (void)sl_arena_copy(a, sl_cleartext_publish(c));
#endif
}
