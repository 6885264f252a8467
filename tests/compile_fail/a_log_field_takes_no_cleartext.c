/* A log field takes no cleartext.  error: sl_cleartext */
#include "base/cleartext.h"
#include "telemetry/log.h"

void snippet(sl_cleartext c);

void snippet(sl_cleartext c)
{
#ifdef MUST_NOT_COMPILE
    SL_LOG(SL_LOG_INFO, "x", sl_field_str("user.ip", c));
#else
    SL_LOG(SL_LOG_INFO, "x", sl_field_str("user.ip", sl_cleartext_publish(c)));
#endif
}
