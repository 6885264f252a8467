/* sink/pg_letters.h - the dead letters of a load, inserted in its transaction. */
#ifndef SLUICE_SINK_PG_LETTERS_H
#define SLUICE_SINK_PG_LETTERS_H

#include "sink/pg_conn.h"
#include "sink/pg_work.h"

enum { SL_PG_LETTER_FIELDS = 8 };

/* Dead letters as one sink writes them: the buffers of the statement. */
struct sl_pg_letters {
    sl_str pipeline;
    struct sl_buf params[SL_PG_LETTER_FIELDS];
};

/* Owns: the pipeline's name is borrowed; end with sl_pg_letters_done */
void sl_pg_letters_init(struct sl_pg_letters *l, sl_str pipeline);
void sl_pg_letters_done(struct sl_pg_letters *l);

/* Insert those of entries[0..n) that are dead, not known, and not sent on.
 *
 * Shape:   each has its body sealed: without it the message would be lost
 * Errors:  those of sl_pg_exec
 */
sl_rc sl_pg_letters_insert(struct sl_pg_letters *l, struct sl_pg_conn *c,
                           struct sl_pg_entry *const *entries, unsigned n, struct sl_err *e)
    SL_MUST_CHECK;

#endif
