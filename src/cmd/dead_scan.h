/* cmd/dead_scan.h - every dead letter of a pipeline, opened one at a time. */
#ifndef SLUICE_CMD_DEAD_SCAN_H
#define SLUICE_CMD_DEAD_SCAN_H

#include "base/arena.h"
#include "base/cleartext.h"
#include "masking/masker.h"
#include "sink/pg_conn.h"

struct sl_dead_body {
    int64_t id;
    sl_str message_id;
    sl_str sealed;
    sl_cleartext body; /* once is_open */
    bool is_open;      /* false: altered, or of a key that the ring does not have */
};

struct sl_dead_scan {
    struct sl_pg_conn *conn;
    struct sl_masker *masker;
    sl_str pipeline;
    unsigned sample; /* that many, by chance; 0 = all */

    /* Look at one.  What it has, and what `arena` gives, is wiped when this returns. */
    sl_rc (*each)(void *ctx, const struct sl_dead_body *d, struct sl_arena *arena,
                  struct sl_err *e);
    void *ctx;
};

/* Read them by cursor, a few bodies in memory at a time; the caller has begun a transaction.
 *
 * Errors:  those of sl_pg_exec and of `each`; SL_NOMEM (retry), SL_CRYPTO (stop)
 * Cost:    all bodies come over the wire
 */
sl_rc sl_dead_scan(const struct sl_dead_scan *s, struct sl_err *e) SL_MUST_CHECK;

#endif
