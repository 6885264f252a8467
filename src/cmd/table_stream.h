/* cmd/table_stream.h - values in lines, CSV or NDJSON from a descriptor, some of them changed,
 * the same form out.
 *
 * What is not changed is written byte for byte as it was read.  Records go through in batches:
 * all values of one are changed before the first byte of it is written, so that an audit record
 * can be committed in between.  Everything read may be personal: buffers are bounded and wiped.
 */
#ifndef SLUICE_CMD_TABLE_STREAM_H
#define SLUICE_CMD_TABLE_STREAM_H

#include "base/arena.h"
#include "base/err.h"

enum {
    SL_TABLE_LINE_MAX = 64 << 10,    /* bytes of a line that is a value */
    SL_TABLE_RECORD_MAX = 1 << 20,   /* bytes of a record of CSV or NDJSON, and of a new value */
    SL_TABLE_BATCH_RECORDS = 1000,   /* most in one batch, which also ends at 2 MiB */
    SL_TABLE_COLUMNS_MAX = 64,       /* to change; a record may have more */
    SL_TABLE_ARENA_BYTES = 64 << 20, /* of the values of a batch, old and new */
};

enum sl_table_form {
    SL_TABLE_LINES,  /* each line is a value */
    SL_TABLE_CSV,    /* RFC 4180, with a header line */
    SL_TABLE_NDJSON, /* each line is an object; blank lines stay */
};

/* A value to change. */
struct sl_table_cell {
    unsigned column;    /* its place in `columns` */
    unsigned long line; /* where its record starts, from 1 */
    sl_str in;          /* never empty, never null */
    sl_str out;         /* preset "" */
    bool is_null_out;   /* NDJSON: write null in place of `out` */
};

struct sl_table_job {
    enum sl_table_form form;
    const sl_str *columns; /* CSV: names in the header; NDJSON: top-level members; LINES: none */
    unsigned columns_n;
    int in_fd;
    int out_fd;

    /* Set `out` of each cell: in `arena`, which is wiped after the batch, or pointing into `in`.
     * One that cannot be changed is reported by the callee and left "". */
    sl_rc (*change)(void *ctx, struct sl_table_cell *cells, unsigned n, struct sl_arena *arena,
                    struct sl_err *e);

    /* A value that cannot be read or shown in this form; it becomes "" and the work goes on.
     * `why` holds no values.  Line 0: a member that no line has. */
    void (*report)(void *ctx, const struct sl_table_cell *cell, const char *why);
    void *ctx;
};

/* Copy from in_fd to out_fd until the input ends, changing what job->columns names.
 *
 *     LINES   a line over its limit is reported and becomes empty: lines stay side by side.
 *             The output's last line gets its line end even if the input's had none.
 *     CSV     a changed field keeps its quotes, or gets them if it needs them.
 *     NDJSON  the value is a string's text, or a number, true or false as written; what is
 *             changed becomes a string.  An array or object is reported and becomes "".
 *
 * A batch also ends when the input has nothing more to give just now, so that a person or a pipe
 * sees each answer at once.
 *
 * Shape:   empty values and nulls stay as they are
 * Errors:  SL_USAGE (stop)     a column that the header does not have once, or named twice
 *          SL_VALUE (dead letter)  a record that is not of this form, or over its limit
 *          SL_IO (stop)        a descriptor cannot be read or written
 *          SL_NOMEM (retry)    the values of a batch do not fit
 *          and what `change` returns.  On failure nothing of the batch at hand was written,
 *          except with SL_IO; batches before it were.
 * Blocks:  until the input ends
 */
sl_rc sl_table_run(const struct sl_table_job *job, struct sl_err *e) SL_MUST_CHECK;

#endif
