/* The field of a verdict takes no cleartext.  error: sl_cleartext */
#include "base/cleartext.h"
#include "record/batch.h"

void snippet(struct sl_record *r, sl_cleartext c);

void snippet(struct sl_record *r, sl_cleartext c)
{
#ifdef MUST_NOT_COMPILE
    r->verdict.field = c;
#else
    r->verdict.field = sl_cleartext_publish(c);
#endif
}
