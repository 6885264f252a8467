/* A counter takes no cleartext.  error: sl_cleartext */
#include "base/cleartext.h"
#include "telemetry/counters.h"

void snippet(struct sl_counters *counters, sl_cleartext c);

void snippet(struct sl_counters *counters, sl_cleartext c)
{
#ifdef MUST_NOT_COMPILE
    sl_count(&counters->loaded, c);
#else
    sl_count(&counters->loaded, c.len);
#endif
}
