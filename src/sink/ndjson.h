/* sink/ndjson.h - the sink of a dry run: rows as NDJSON on stdout, nothing kept, nothing decided. */
#ifndef SLUICE_SINK_NDJSON_H
#define SLUICE_SINK_NDJSON_H

#include "config/config.h"
#include "sink/sink.h"

/* Make the sink; records keep no outcome, so that all of them are handed back.
 * Errors: SL_NOMEM (retry) */
sl_rc sl_ndjson_open(const struct sl_config *cfg, struct sl_sink *ret, struct sl_err *e)
    SL_MUST_CHECK;

#endif
