/* cmd/table_csv.c - a table that is CSV with a header line. */
#include <stdio.h>

#include "cmd/table.h"

enum { NAMES_BYTES = 4096 }; /* more than a report holds */

/* Whether the header looks like names: if a file has none, its first record is no name for a
 * report. */
static bool is_name(sl_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        const char c = s.ptr[i];
        const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

        if (!is_letter && (i == 0 || ((c < '0' || c > '9') && c != ' ' && c != '-' && c != '.'))) {
            return false;
        }
    }
    return s.len > 0;
}

static sl_rc header_lacks(struct sl_table *t, sl_str record, sl_str name, struct sl_err *e)
{
    struct sl_buf names = { .max_bytes = NAMES_BYTES };
    bool has_names = true;

    for (unsigned i = 0; i < t->csv.n; i++) {
        const sl_str field = sl_csv_value(&t->csv.fields[i], record, &t->arena);

        has_names = has_names && is_name(field);
        sl_buf_printf(&names, "%s%" SL_FMT, i == 0 ? "" : ", ", SL_ARG(field));
    }
    if (has_names) {
        (void)SL_FAIL(e, SL_USAGE, "no column is named '%" SL_FMT "'; there are: %" SL_FMT,
                      SL_ARG(name), SL_ARG(sl_buf_str(&names)));
    } else {
        (void)SL_FAIL(e, SL_USAGE,
                      "no column is named '%" SL_FMT
                      "'; the first line must be the header, and does not look like names",
                      SL_ARG(name));
    }
    sl_buf_done(&names);
    return SL_USAGE;
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
            return header_lacks(t, record, job->columns[c], e);
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
