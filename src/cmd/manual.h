/* cmd/manual.h - the manual of everything that can go wrong. */
#ifndef SLUICE_CMD_MANUAL_H
#define SLUICE_CMD_MANUAL_H

#include "base/buf.h"

/* Print exit statuses, result codes, dead-letter reasons and SQLSTATEs (Markdown). */
void sl_errors_manual(struct sl_buf *out);

#endif
