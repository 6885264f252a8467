/* cmd/csv.c - records of CSV: found in bytes that may arrive in any pieces, and fields written. */
#include "cmd/csv.h"

void sl_csv_begin(struct sl_csv *c)
{
    c->state = SL_CSV_AT_FIELD;
    c->fault = SL_CSV_OK;
    c->len = 0;
    c->lines_n = 0;
    c->n = 0;
    c->fields[0] = (struct sl_csv_field){ 0 };
}

static enum sl_csv_state csv_fail(struct sl_csv *c, enum sl_csv_fault fault)
{
    c->fault = fault;
    return SL_CSV_WHOLE;
}

/* The field ends before byte `c->len`, which is what `next` comes behind. */
static enum sl_csv_state csv_close(struct sl_csv *c, enum sl_csv_state next)
{
    c->fields[c->n].to = c->len;
    c->n++;
    if (next == SL_CSV_AT_FIELD) {
        if (c->n == SL_CSV_FIELDS_MAX) {
            return csv_fail(c, SL_CSV_TOO_WIDE);
        }
        c->fields[c->n] = (struct sl_csv_field){ .from = c->len + 1 };
    }
    return next;
}

/* Behind byte `byte`, which stands outside of quotes. */
static enum sl_csv_state csv_outside(struct sl_csv *c, char byte)
{
    switch (byte) {
    case ',':
        return csv_close(c, SL_CSV_AT_FIELD);
    case '\n':
        return csv_close(c, SL_CSV_WHOLE);
    case '\r':
        return csv_close(c, SL_CSV_AT_RETURN);
    case '"':
        if (c->state == SL_CSV_AT_FIELD) {
            c->fields[c->n].is_quoted = true;
            return SL_CSV_IN_QUOTES;
        }
        return c->state == SL_CSV_AT_QUOTE ? SL_CSV_IN_QUOTES : csv_fail(c, SL_CSV_STRAY_QUOTE);
    default:
        return c->state == SL_CSV_AT_QUOTE ? csv_fail(c, SL_CSV_AFTER_QUOTE) : SL_CSV_IN_PLAIN;
    }
}

static enum sl_csv_state csv_next(struct sl_csv *c, char byte)
{
    switch (c->state) {
    case SL_CSV_IN_QUOTES:
        return byte == '"' ? SL_CSV_AT_QUOTE : SL_CSV_IN_QUOTES;
    case SL_CSV_AT_RETURN:
        return byte == '\n' ? SL_CSV_WHOLE : csv_fail(c, SL_CSV_STRAY_RETURN);
    case SL_CSV_AT_FIELD:
    case SL_CSV_IN_PLAIN:
    case SL_CSV_AT_QUOTE:
    case SL_CSV_WHOLE:
    default:
        return csv_outside(c, byte);
    }
}

static void csv_end(struct sl_csv *c)
{
    if (c->state == SL_CSV_IN_QUOTES) {
        c->state = csv_fail(c, SL_CSV_OPEN_QUOTE);
    } else if (c->state == SL_CSV_AT_RETURN) {
        c->state = csv_fail(c, SL_CSV_STRAY_RETURN);
    } else {
        c->state = csv_close(c, SL_CSV_WHOLE);
    }
}

bool sl_csv_read(struct sl_csv *c, sl_str text, bool is_last)
{
    while (c->state != SL_CSV_WHOLE && c->len < text.len) {
        const char byte = text.ptr[c->len];

        c->state = csv_next(c, byte);
        c->lines_n += byte == '\n';
        c->len++;
    }
    if (c->state != SL_CSV_WHOLE && is_last) {
        csv_end(c);
    }
    return c->state == SL_CSV_WHOLE;
}

_Static_assert(SL_CSV_FIELDS_MAX == 1000, "the text below names the limit");

const char *sl_csv_fault_text(enum sl_csv_fault fault)
{
    switch (fault) {
    case SL_CSV_STRAY_QUOTE:
        return "a quote inside of a field that does not begin with one";
    case SL_CSV_AFTER_QUOTE:
        return "a closing quote must be followed by a comma or the end of the line";
    case SL_CSV_STRAY_RETURN:
        return "a carriage return outside of quotes must be followed by a line feed";
    case SL_CSV_OPEN_QUOTE:
        return "a field's closing quote is missing";
    case SL_CSV_TOO_WIDE:
        return "more than 1000 fields";
    case SL_CSV_OK:
    default:
        return "no fault";
    }
}

sl_str sl_csv_value(const struct sl_csv_field *f, sl_str record, struct sl_arena *a)
{
    const sl_str inside = { record.ptr + f->from + f->is_quoted,
                            f->to - f->from - (f->is_quoted ? 2U : 0U) };
    char *copy;
    size_t n = 0;

    if (!f->is_quoted || inside.len == 0 || memchr(inside.ptr, '"', inside.len) == NULL) {
        return inside;
    }
    copy = sl_arena_alloc(a, inside.len);
    if (copy == NULL) {
        return (sl_str){ 0 };
    }
    for (size_t i = 0; i < inside.len; i++) {
        copy[n++] = inside.ptr[i];
        i += inside.ptr[i] == '"'; /* the first of two */
    }
    return (sl_str){ copy, n };
}

static bool csv_needs_quotes(sl_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == ',' || value.ptr[i] == '"' || value.ptr[i] == '\r' ||
            value.ptr[i] == '\n') {
            return true;
        }
    }
    return sl_str_eq(value, SL_STR("\\.")); /* ends the data of PostgreSQL's COPY */
}

void sl_csv_add(struct sl_buf *b, sl_str value, bool is_quoted)
{
    if (!is_quoted && !csv_needs_quotes(value)) {
        sl_buf_add_str(b, value);
        return;
    }
    sl_buf_add_char(b, '"');
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '"') {
            sl_buf_add_char(b, '"');
        }
        sl_buf_add_char(b, value.ptr[i]);
    }
    sl_buf_add_char(b, '"');
}
