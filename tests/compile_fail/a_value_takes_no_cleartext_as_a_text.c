/* A value that is loaded takes no cleartext as its text.  error: sl_cleartext */
#include "base/cleartext.h"
#include "record/batch.h"

void snippet(struct sl_value *v, sl_cleartext c);

void snippet(struct sl_value *v, sl_cleartext c)
{
#ifdef MUST_NOT_COMPILE
    v->text = c;
#else
    v->cleartext = c;
#endif
}
