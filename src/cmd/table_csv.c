/* cmd/table_csv.c - a table that is CSV with a header line. */
#include <stdio.h>

#include "cmd/table.h"

/* Whether the header looks like names: if a file has none, its first record is no name for a
 * report. */
/* The header is not repeated: a file without one begins with somebody's values. */
static sl_rc header_lacks(const struct sl_table *t, sl_str name, struct sl_err *e)
{
    return SL_FAIL(e, SL_USAGE,
                   "no column is named '%" SL_FMT "' in the first line, the header, of %u fields",
                   SL_ARG(name), t->csv.n);
}

static sl_rc csv_header(struct sl_table *t, sl_str record, struct sl_err *e)
{
    const struct sl_table_job *job = t->job;

    for (unsigned i = 0; i < t->csv.n; i++) {
        const sl_str name = sl_csv_value(&t->csv.fields[i], record, &t->arena);

        for (unsigned c = 0; c < job->columns_n; c++) {
            if (!sl_str_eq(name, job->columns[c])) {
                continue;
            }
            if (t->has_column[c]) {
                return SL_FAIL(e, SL_USAGE, "two columns are named '%" SL_FMT "'", SL_ARG(name));
            }
            t->has_column[c] = true;
            t->fields[t->found_n].field = i;
            t->fields[t->found_n++].column = c;
        }
    }
    for (unsigned c = 0; c < job->columns_n; c++) {
        if (!t->has_column[c]) {
            return header_lacks(t, job->columns[c], e);
        }
    }
    t->header_n = t->csv.n;
    return SL_OK;
}

static sl_rc csv_record(struct sl_table *t, sl_str record, struct sl_err *e)
{
    char why[96];

    if (t->csv.n != t->header_n) {
        (void)snprintf(why, sizeof why, "%u fields, the header has %u", t->csv.n, t->header_n);
        return sl_table_refuse(t, why, e);
    }
    for (unsigned i = 0; i < t->found_n; i++) {
        const struct sl_csv_field *f = &t->csv.fields[t->fields[i].field];
        const sl_str value = sl_csv_value(f, record, &t->arena);

        if (value.ptr == NULL) {
            return sl_table_full(e);
        }
        if (value.len > 0) {
            sl_table_patch_add(t, t->record_at + f->from, t->record_at + f->to,
                               sl_table_cell_add(t, t->fields[i].column, value));
            t->patches[t->patches_n - 1].is_quoted = f->is_quoted;
        }
    }
    return SL_OK;
}

sl_rc sl_table_csv_take(struct sl_table *t, bool *ret_is_taken, struct sl_err *e)
{
    const sl_str rest = sl_table_rest(t);
    const bool is_whole = rest.len > 0 && sl_csv_read(&t->csv, rest, t->is_at_end);

    if (t->csv.len > SL_TABLE_RECORD_MAX) {
        return sl_table_refuse(t, "a record is over 1048576 bytes; a closing quote may be missing",
                               e);
    }
    if (t->csv.fault != SL_CSV_OK) {
        return sl_table_refuse(t, sl_csv_fault_text(t->csv.fault), e);
    }
    *ret_is_taken = is_whole;
    if (is_whole) {
        SL_TRY(t->header_n == 0 ? csv_header(t, rest, e) : csv_record(t, rest, e));
        sl_table_took(t, t->csv.len, t->csv.lines_n);
        sl_csv_begin(&t->csv);
    } else if (t->is_at_end && t->header_n == 0) {
        return SL_FAIL(e, SL_VALUE, "the input is empty: CSV needs a header line");
    }
    return SL_OK;
}
