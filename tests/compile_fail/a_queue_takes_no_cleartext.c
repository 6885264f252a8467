/* What is sent to a queue takes no cleartext.  error: sl_cleartext */
#include "base/cleartext.h"
#include "source/sqs_json.h"

void snippet(struct sl_sqs_entry *entry, sl_cleartext c);

void snippet(struct sl_sqs_entry *entry, sl_cleartext c)
{
#ifdef MUST_NOT_COMPILE
    entry->body = c;
#else
    entry->body = sl_cleartext_publish(c);
#endif
}
