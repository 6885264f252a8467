/* source/line_reader.c - the lines of a file, plain or packed, fed in pieces of any size. */
#include "source/line_reader.h"

#include "base/json.h"

enum { PIECE_BYTES = 64 << 10 };

void sl_line_reader_init(struct sl_line_reader *r, sl_str name, size_t line_max)
{
    *r = (struct sl_line_reader){ .name = name, .line_max = line_max };
    sl_buf_init(&r->in, PIECE_BYTES);
    sl_buf_init(&r->text, line_max + PIECE_BYTES + PIECE_BYTES);
}

void sl_line_reader_done(struct sl_line_reader *r)
{
    sl_unpack_done(&r->unpack);
    sl_buf_done(&r->in);
    sl_buf_done(&r->text);
}

/* ---- bytes come in ------------------------------------------------------------------------------------- */

static sl_str bytes_in(const struct sl_line_reader *r)
{
    return r->in.len == 0 ? SL_STR("") : (sl_str){ r->in.ptr + r->in_at, r->in.len - r->in_at };
}

char *sl_line_reader_room(struct sl_line_reader *r, size_t *ret_n)
{
    if (r->in_at == r->in.len) {
        sl_buf_reset(&r->in);
        r->in_at = 0;
    }
    *ret_n = PIECE_BYTES - r->in.len;
    return sl_buf_reserve(&r->in, *ret_n);
}

void sl_line_reader_fed(struct sl_line_reader *r, size_t n)
{
    r->in.len += n;
    r->is_over = n == 0;
}

/* ---- and out of their packing -------------------------------------------------------------------------- */

static sl_rc with_name(const struct sl_line_reader *r, const struct sl_err *why, struct sl_err *e)
{
    return SL_FAIL(e, why->rc, "%" SL_FMT ": %.200s", SL_ARG(r->name), why->msg);
}

/* What a name promises must be so: lines of anything else would all be bad. */
static sl_rc find_packing(struct sl_line_reader *r, struct sl_err *e)
{
    const enum sl_packing promised = sl_packing_of_name(r->name);
    const enum sl_packing found = sl_packing_of(bytes_in(r));

    if (promised != SL_PACKING_NONE && promised != found) {
        return SL_FAIL(e, SL_IO, "%" SL_FMT ": the name says %s, and the bytes are not",
                       SL_ARG(r->name), sl_packing_name(promised));
    }
    SL_TRY(sl_unpack_init(&r->unpack, found, e));
    r->has_packing = true;
    return SL_OK;
}

/* What is left of the text moves to the front, where no line has been found in it. */
static char *text_room(struct sl_line_reader *r)
{
    const size_t left = r->text.len - r->text_at;

    if (r->text_at > 0) {
        memmove(r->text.ptr, r->text.ptr + r->text_at, left);
        r->text.len = left;
        r->text_at = 0;
        r->seen_at = left;
    }
    return sl_buf_reserve(&r->text, PIECE_BYTES);
}

/* Unpack some more; none came when *ret_n is 0. */
static sl_rc text_more(struct sl_line_reader *r, size_t *ret_n, struct sl_err *e)
{
    struct sl_err why = { 0 };
    sl_str in = bytes_in(r);
    char *room;
    sl_rc rc;

    *ret_n = 0;
    if (!r->has_packing) {
        if (!r->is_over && in.len < SL_PACKING_HEAD) {
            return SL_OK;
        }
        SL_TRY(find_packing(r, e));
    }
    room = text_room(r);
    if (room == NULL) {
        return sl_buf_rc(&r->text, e);
    }
    rc = sl_unpack_some(&r->unpack, &in, room, PIECE_BYTES, ret_n, &why);
    if (rc == SL_OK && *ret_n == 0 && r->is_over) {
        rc = sl_unpack_end(&r->unpack, &why);
    }
    r->in_at = r->in.len - in.len;
    r->text.len += *ret_n;
    return rc == SL_OK ? SL_OK : with_name(r, &why, e);
}

/* ---- lines --------------------------------------------------------------------------------------------- */

static sl_str without_mark(sl_str line)
{
    return sl_str_starts(line, SL_STR("\xef\xbb\xbf")) ? (sl_str){ line.ptr + 3, line.len - 3 }
                                                       : line;
}

static sl_str without_cr(sl_str line)
{
    return line.len > 0 && line.ptr[line.len - 1] == '\r' ? (sl_str){ line.ptr, line.len - 1 }
                                                          : line;
}

/* Take the `n` bytes of a line, and the `end_n` of its end; an empty line is none. */
static sl_rc line_take(struct sl_line_reader *r, size_t n, size_t end_n, struct sl_arena *a,
                       struct sl_line *ret, bool *ret_has, struct sl_err *e)
{
    struct sl_line line = { .number = r->lines_n + 1,
                            .is_too_long = r->is_passing || n > r->line_max };
    sl_str text = without_cr((sl_str){ r->text.ptr + r->text_at, n });

    text = line.is_too_long ? SL_STR("") : r->lines_n == 0 ? without_mark(text) : text;
    if (text.len > 0 || line.is_too_long) {
        SL_TRY(sl_json_padded(sl_cleartext_of(text), a, &line.text, e));
        *ret = line;
        *ret_has = true;
    }
    r->lines_n++;
    r->is_passing = false;
    r->text_at += n + end_n;
    r->seen_at = r->text_at;
    return SL_OK;
}

/* Of a line that is too long nothing is kept. */
static void text_pass(struct sl_line_reader *r)
{
    if (r->is_passing || r->text.len - r->text_at > r->line_max) {
        r->is_passing = true;
        r->text_at = r->text.len;
    }
    r->seen_at = r->text.len;
}

static const char *find_end(const struct sl_line_reader *r)
{
    const size_t n = r->text.len - r->seen_at;

    return n == 0 ? NULL : memchr(r->text.ptr + r->seen_at, '\n', n);
}

sl_rc sl_line_reader_next(struct sl_line_reader *r, struct sl_arena *a, struct sl_line *ret,
                          bool *ret_has, struct sl_err *e)
{
    bool has = false;

    while (!has) {
        const char *end = find_end(r);
        size_t more = 0;

        if (end != NULL) {
            SL_TRY(line_take(r, (size_t)(end - r->text.ptr) - r->text_at, 1, a, ret, &has, e));
            continue;
        }
        text_pass(r);
        SL_TRY(text_more(r, &more, e));
        if (more == 0 && r->is_over && (r->text.len > r->text_at || r->is_passing)) {
            SL_TRY(line_take(r, r->text.len - r->text_at, 0, a, ret, &has, e));
        } else if (more == 0) {
            break;
        }
    }
    *ret_has = has;
    return SL_OK;
}
