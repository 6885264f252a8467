/* cmd/table.h - what the forms of a table share; for table_*.c only.
 *
 * A batch is a run of the input buffer, batch_at..record_at, and a list of patches: places in it
 * that become something else.  So what nobody patched cannot change on its way.
 */
#ifndef SLUICE_CMD_TABLE_H
#define SLUICE_CMD_TABLE_H

#include "base/buf.h"
#include "base/json.h"
#include "cmd/csv.h"
#include "cmd/table_stream.h"

/* Bytes from..to of the input buffer become the new value of a cell, "" if there is none. */
struct sl_table_patch {
    size_t from;
    size_t to;
    struct sl_table_cell *cell;
    bool is_quoted;
};

struct sl_table {
    const struct sl_table_job *job;
    struct sl_buf in;
    size_t batch_at;  /* the first byte that is not written */
    size_t record_at; /* the first byte that is in no whole record */
    size_t seen;      /* bytes from there on that have no line end */
    unsigned long line;
    bool is_at_end;
    bool is_begun;
    bool is_skipping; /* LINES: up to the end of a line that is too long */
    bool lacks_end;   /* LINES: the last one */

    unsigned records_n;
    unsigned long batch_line;
    int64_t batch_due_ms;
    struct sl_table_patch *patches;
    unsigned patches_n;
    struct sl_table_cell *cells;
    unsigned cells_n;
    struct sl_arena arena; /* of the batch */
    struct sl_arena fixed; /* of the run */
    struct sl_buf out;

    struct sl_csv csv;
    struct sl_json_parser *json;
    struct sl_arena tree; /* of the line at hand */
    unsigned header_n;    /* fields of the CSV header, 0 before it */
    unsigned found_n;     /* CSV columns to change, in the order of the header */

    struct {
        unsigned field;
        unsigned column;
    } fields[SL_TABLE_COLUMNS_MAX];

    bool has_column[SL_TABLE_COLUMNS_MAX];
    bool has_objects;
};

/* The bytes that are in no whole record. */
static inline sl_str sl_table_rest(const struct sl_table *t)
{
    return (sl_str){ t->in.ptr + t->record_at, t->in.len - t->record_at };
}

/* The next line of the rest.
 * Returns: false when the buffer does not hold its end, *ret is then all of the rest; *ret_n
 *          counts the line end, *ret does not */
bool sl_table_line(struct sl_table *t, sl_str *ret, size_t *ret_n);

/* The first `n` bytes of the rest are a record, of so many lines. */
void sl_table_took(struct sl_table *t, size_t n, unsigned lines_n);

/* Bytes from..to of the input become what `cell` will have, or "" without one. */
void sl_table_patch_add(struct sl_table *t, size_t from, size_t to, struct sl_table_cell *cell);

/* One more value to change in this batch. */
struct sl_table_cell *sl_table_cell_add(struct sl_table *t, unsigned column, sl_str in);

/* Say what is wrong with one value, while the work goes on. */
void sl_table_report(const struct sl_table *t, unsigned column, unsigned long line,
                     const char *why);

/* What ends the work: SL_VALUE at the record at hand, SL_NOMEM for a batch that does not fit. */
sl_rc sl_table_refuse(const struct sl_table *t, const char *why, struct sl_err *e) SL_MUST_CHECK;
sl_rc sl_table_full(struct sl_err *e) SL_MUST_CHECK;

/* Take the next record if the buffer holds it whole; *ret_is_taken says so.
 * Errors: those of sl_table_run */
void sl_table_lines_take(struct sl_table *t, bool *ret_is_taken);
sl_rc sl_table_csv_take(struct sl_table *t, bool *ret_is_taken, struct sl_err *e) SL_MUST_CHECK;
sl_rc sl_table_ndjson_take(struct sl_table *t, bool *ret_is_taken, struct sl_err *e) SL_MUST_CHECK;

/* After the last line: a misspelt name would let every value through. */
void sl_table_ndjson_end(const struct sl_table *t);

#endif
