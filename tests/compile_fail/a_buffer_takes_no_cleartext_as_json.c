/* A buffer takes no cleartext as a JSON string.  error: sl_cleartext */
#include "base/buf.h"
#include "base/cleartext.h"

void snippet(struct sl_buf *b, sl_cleartext c);

void snippet(struct sl_buf *b, sl_cleartext c)
{
#ifdef MUST_NOT_COMPILE
    sl_buf_add_json(b, c);
#else
    sl_buf_add_json(b, sl_cleartext_publish(c));
#endif
}
