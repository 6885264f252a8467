/* A label takes no cleartext.  error: sl_cleartext */
#include "base/cleartext.h"
#include "telemetry/exposition.h"

struct sl_label snippet(sl_cleartext c);

struct sl_label snippet(sl_cleartext c)
{
#ifdef MUST_NOT_COMPILE
    return (struct sl_label){ "user", c };
#else
    (void)c;
    return (struct sl_label){ "stage", SL_STR("load") };
#endif
}
