/* A parameter of a statement takes no cleartext.  error: sl_cleartext */
#include "base/cleartext.h"
#include "sink/pg_copy.h"

void snippet(struct sl_buf *b, sl_cleartext c);

void snippet(struct sl_buf *b, sl_cleartext c)
{
#ifdef MUST_NOT_COMPILE
    sl_pg_array_add(b, c);
#else
    sl_pg_array_add(b, sl_cleartext_publish(c));
#endif
}
