/* sink/sink.h - SEAM: where rows and dead letters end, together with the ledger. */
#ifndef SLUICE_SINK_SINK_H
#define SLUICE_SINK_SINK_H

#include "base/err.h"
#include "record/batch.h"

struct sl_sink_ops {
    /* Which stray records of `b` an earlier delivery has ended already: those become duplicates.
     * NULL: nothing is kept here, so no message has an end.
     *
     * Errors:  as load's
     * Blocks:  in the worker's wait, with deadlines of its own */
    sl_rc (*recognize)(void *self, struct sl_batch *b, struct sl_err *e);

    /* Commit every record of `b` as a row, a duplicate or a dead letter, and say which in
     * r->outcome.  Of a record that is_sent only the key is committed.  May be called again with the same batch after a failure: records that have an
     * outcome are left alone, and what an earlier attempt committed is recognized.
     *
     * Errors:  SL_ROW (dead letter)  rows were refused and got their verdict: seal their bodies
     *                                and call again; nothing of them is committed yet
     *          SL_DISCONNECTED, SL_TIMEOUT, SL_UNAVAILABLE (retry)  an outage
     *          SL_TABLE (retry)  no row's fault: the table refuses all, or has changed
     *          SL_SCHEMA, SL_BUG (stop)
     * Blocks:  in the worker's wait, with deadlines of its own */
    sl_rc (*load)(void *self, struct sl_batch *b, struct sl_err *e);

    /* Whether a load could begin: the database answers, and takes writes.  Errors as load's. */
    sl_rc (*probe)(void *self, struct sl_err *e);

    void (*close)(void *self);
};

struct sl_sink {
    void *self;
    const struct sl_sink_ops *ops;
};

#endif
