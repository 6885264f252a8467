/* cmd/csv.h - records of CSV: found in bytes that may arrive in any pieces, and fields written.
 *
 * Strict where readers of CSV differ, so that no byte can be of one field here and of another
 * one elsewhere: a stray quote or carriage return is a fault, never a guess.
 */
#ifndef SLUICE_CMD_CSV_H
#define SLUICE_CMD_CSV_H

#include "base/arena.h"
#include "base/buf.h"

enum { SL_CSV_FIELDS_MAX = 1000 };

enum sl_csv_fault {
    SL_CSV_OK,
    SL_CSV_STRAY_QUOTE,  /* a quote inside of a field that does not begin with one */
    SL_CSV_AFTER_QUOTE,  /* a closing quote is followed by something else than a separator */
    SL_CSV_STRAY_RETURN, /* a carriage return outside of quotes without its line feed */
    SL_CSV_OPEN_QUOTE,   /* the input ends within quotes */
    SL_CSV_TOO_WIDE,     /* more than SL_CSV_FIELDS_MAX fields */
};

enum sl_csv_state {
    SL_CSV_AT_FIELD,  /* before the first byte of a field */
    SL_CSV_IN_PLAIN,  /* within a field without quotes */
    SL_CSV_IN_QUOTES, /* within quotes */
    SL_CSV_AT_QUOTE,  /* behind a quote that closes the field, or is the first of two */
    SL_CSV_AT_RETURN, /* behind a carriage return that needs its line feed */
    SL_CSV_WHOLE,     /* behind the line end */
};

/* Where a field stands: offsets in its record, quotes included. */
struct sl_csv_field {
    size_t from;
    size_t to;
    bool is_quoted;
};

/* One record on its way. */
struct sl_csv {
    enum sl_csv_state state;
    enum sl_csv_fault fault;
    size_t len;       /* bytes read, line end included */
    unsigned lines_n; /* line feeds among them */
    unsigned n;       /* fields that are whole */
    struct sl_csv_field fields[SL_CSV_FIELDS_MAX];
};

/* Begin a record. */
void sl_csv_begin(struct sl_csv *c);

/* Go on with the record at the start of `text`, of which the first `c->len` bytes were read in
 * an earlier call.
 *
 * Shape:   `text` may hold less than the record, or more; `is_last`: nothing follows it, so that
 *          its end ends a record, too
 * Returns: true when c->fields has all of it, or c->fault says what is wrong; false: more is needed
 * Source:  RFC 4180 section 2; a line feed alone ends a line, too
 */
bool sl_csv_read(struct sl_csv *c, sl_str text, bool is_last);

/* What is wrong, as a text for a report. */
const char *sl_csv_fault_text(enum sl_csv_fault fault);

/* The value of a field of a whole record.
 * Owns:    it points into `record`, or lives in `a` if it had doubled quotes
 * Returns: a run whose ptr is NULL when memory ran out */
sl_str sl_csv_value(const struct sl_csv_field *f, sl_str record, struct sl_arena *a);

/* A field with this value, in quotes if it needs them or `is_quoted` asks for them. */
void sl_csv_add(struct sl_buf *b, sl_str value, bool is_quoted);

#endif
