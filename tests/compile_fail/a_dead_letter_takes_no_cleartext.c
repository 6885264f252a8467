/* The sealed body of a dead letter takes no cleartext.  error: sl_cleartext */
#include "base/cleartext.h"
#include "record/batch.h"

void snippet(struct sl_record *r, sl_cleartext c);

void snippet(struct sl_record *r, sl_cleartext c)
{
#ifdef MUST_NOT_COMPILE
    r->sealed = c;
#else
    r->body = c;
#endif
}
