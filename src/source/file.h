/* source/file.h - the source "file": the lines of files, each a message; and stdin's.
 *
 * Nothing is told to a file: what is loaded is known by the ledger alone, and a run that was broken
 * off reads everything again.
 */
#ifndef SLUICE_SOURCE_FILE_H
#define SLUICE_SOURCE_FILE_H

#include "base/stop.h"
#include "config/config.h"
#include "source/file_list.h"
#include "source/source.h"
#include "telemetry/counters.h"

enum {
    SL_LINE_MAX_BYTES = 1 << 20, /* as long as the longest message of SQS */
};

struct sl_file_settings {
    const struct sl_config *cfg;
    struct sl_file_list *files;
    struct sl_counters *counters; /* of this worker */
    const struct sl_stop *stop;
    bool is_dry_run;     /* what is handed back is not given again */
    size_t memory_bytes; /* for this worker */
};

/* Make the source of one worker: it takes file after file from the list.
 *
 *     message id = file name ":" line number, from 1
 *
 * Shape:   a name that is long, or has more than visible ASCII in it, is the start of its SHA-256
 * Owns:    everything in `settings` is borrowed for as long as the source lives
 * Errors:  SL_NOMEM (retry)
 * Threads: one per source, but for its `wake`
 */
sl_rc sl_file_open(const struct sl_file_settings *settings, struct sl_source *ret, struct sl_err *e)
    SL_MUST_CHECK;

#endif
