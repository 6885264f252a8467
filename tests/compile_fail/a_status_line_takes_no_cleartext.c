/* The line beside a progress bar takes no cleartext.  error: sl_cleartext */
#include "base/cleartext.h"
#include "telemetry/log.h"

void snippet(sl_cleartext c);

void snippet(sl_cleartext c)
{
#ifdef MUST_NOT_COMPILE
    sl_log_status_line(c);
#else
    sl_log_status_line(sl_cleartext_publish(c).ptr);
#endif
}
