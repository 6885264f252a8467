/* cmd/table_stream.c - values in lines, CSV or NDJSON from a descriptor, some of them changed,
 * the same form out: the input buffer, batches and their writing.  The forms are beside it. */
#include "cmd/table_stream.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmd/table.h"

enum {
    IN_BYTES = 2 << 20, /* at least two records, so that one over its limit is seen to be */
    IN_ROOM = IN_BYTES - SL_JSON_PADDING,
    OUT_FLUSH_BYTES = 64 << 10,
    OUT_BYTES = 16 << 20,   /* a whole batch and a new value that is escapes only */
    TREE_BYTES = 64 << 20,  /* a line that is only empty arrays, as a tree */
    FIXED_BYTES = 16 << 20, /* cells and patches of the most columns */
    BLOCK_BYTES = 64 << 10,
    LINGER_MS = 20,     /* for a writer that is about to go on */
    BATCH_AGE_MS = 200, /* and for one that is slow and steady */
};

/* ---- descriptors ----------------------------------------------------------------------------- */

/* A descriptor that somebody else made non-blocking is waited for. */
static bool is_passing(int fd, short events)
{
    struct pollfd p = { .fd = fd, .events = events };

    if (errno == EAGAIN) {
        (void)poll(&p, 1, -1);
        return true;
    }
    return errno == EINTR;
}

static sl_rc out_flush(struct sl_table *t, struct sl_err *e)
{
    sl_str rest = sl_buf_str(&t->out);

    SL_TRY(sl_buf_rc(&t->out, e));
    while (rest.len > 0) {
        const ssize_t n = write(t->job->out_fd, rest.ptr, rest.len);

        if (n < 0 && !is_passing(t->job->out_fd, POLLOUT)) {
            return SL_FAIL(e, SL_IO, "cannot write the output: %s", strerrordesc_np(errno));
        }
        if (n > 0) {
            rest.ptr += n;
            rest.len -= (size_t)n;
        }
    }
    sl_buf_reset(&t->out);
    return SL_OK;
}

/* Only between two batches, or with room left: a batch's places in the buffer must stay. */
static sl_rc in_fill(struct sl_table *t, struct sl_err *e)
{
    const size_t held = t->in.len - t->batch_at;
    ssize_t got;

    if (t->records_n == 0 && t->patches_n == 0 && t->batch_at > 0) {
        memmove(t->in.ptr, t->in.ptr + t->batch_at, held);
        explicit_bzero(t->in.ptr + held, t->batch_at);
        t->in.len = held;
        t->record_at -= t->batch_at;
        t->batch_at = 0;
    }
    if (t->in.len == IN_ROOM) {
        return SL_FAIL(e, SL_BUG, "a full buffer was to be filled");
    }
    do {
        got = read(t->job->in_fd, t->in.ptr + t->in.len, IN_ROOM - t->in.len);
    } while (got < 0 && is_passing(t->job->in_fd, POLLIN));
    if (got < 0) {
        return SL_FAIL(e, SL_IO, "cannot read the input: %s", strerrordesc_np(errno));
    }
    t->in.len += (size_t)got;
    memset(t->in.ptr + t->in.len, 0, SL_JSON_PADDING);
    t->is_at_end = got == 0;
    return SL_OK;
}

/* Whether the input has nothing to give just now. */
static bool in_is_idle(const struct sl_table *t)
{
    struct pollfd p = { .fd = t->job->in_fd, .events = POLLIN };

    return poll(&p, 1, LINGER_MS) == 0;
}

/* ---- batches --------------------------------------------------------------------------------- */

static bool is_utf8(sl_str s)
{
    const unsigned char *at = (const unsigned char *)s.ptr;

    for (size_t left = s.len; left > 0;) {
        const unsigned char c = at[0];
        const size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        uint32_t point = n == 1 ? c : c & (0x7fU >> n);

        if ((c >= 0x80 && c < 0xc2) || c > 0xf4 || n > left) {
            return false;
        }
        for (size_t i = 1; i < n; i++) {
            if ((at[i] & 0xc0) != 0x80) {
                return false;
            }
            point = point << 6 | (at[i] & 0x3f);
        }
        if ((n == 3 && (point < 0x800 || (point >> 11) == 0x1b)) ||
            (n == 4 && (point < 0x10000 || point > 0x10ffff))) {
            return false;
        }
        at += n;
        left -= n;
    }
    return true;
}

_Static_assert(SL_TABLE_RECORD_MAX == 1048576 && SL_TABLE_LINE_MAX == 65536 && SL_JSON_DEPTH == 64,
               "reports name these limits");

/* Returns: NULL, or why this form cannot show the new value. */
static const char *cell_unfit(const struct sl_table *t, const struct sl_table_cell *cell)
{
    if (cell->out.len > SL_TABLE_RECORD_MAX) {
        return "the new value is over 1048576 bytes";
    }
    if (t->job->form == SL_TABLE_LINES && cell->out.len > 0 &&
        memchr(cell->out.ptr, '\n', cell->out.len) != NULL) {
        return "the value has a line break, which lines cannot show";
    }
    if (t->job->form == SL_TABLE_NDJSON && !is_utf8(cell->out)) {
        return "the value is not UTF-8, which JSON cannot show";
    }
    return NULL;
}

static sl_rc batch_change(struct sl_table *t, struct sl_err *e)
{
    if (t->cells_n == 0) {
        return SL_OK;
    }
    SL_TRY(t->job->change(t->job->ctx, t->cells, t->cells_n, &t->arena, e));
    for (unsigned i = 0; i < t->cells_n; i++) {
        const char *why = t->cells[i].is_null_out ? NULL : cell_unfit(t, &t->cells[i]);

        if (why != NULL) {
            t->cells[i].out = (sl_str){ 0 };
            t->job->report(t->job->ctx, &t->cells[i], why);
        }
    }
    return SL_OK;
}

static void batch_add_patch(struct sl_table *t, const struct sl_table_patch *p)
{
    const bool is_null = p->cell != NULL && p->cell->is_null_out;
    const sl_str out = p->cell != NULL && !is_null ? p->cell->out : (sl_str){ 0 };

    if (t->job->form == SL_TABLE_LINES) {
        sl_buf_add_str(&t->out, out);
    } else if (t->job->form == SL_TABLE_CSV) {
        /* A record of one empty field would be a blank line, which many readers skip. */
        sl_csv_add(&t->out, out, p->is_quoted || (t->header_n == 1 && out.len == 0));
    } else if (is_null) {
        sl_buf_add_str(&t->out, SL_STR("null"));
    } else {
        sl_buf_add_json(&t->out, out);
    }
}

static sl_rc batch_run(struct sl_table *t, struct sl_err *e)
{
    size_t at = t->batch_at;

    SL_TRY(batch_change(t, e));
    for (unsigned i = 0; i < t->patches_n; i++) {
        const struct sl_table_patch *p = &t->patches[i];

        sl_buf_add(&t->out, t->in.ptr + at, p->from - at);
        batch_add_patch(t, p);
        at = p->to;
        if (t->out.len >= OUT_FLUSH_BYTES) {
            SL_TRY(out_flush(t, e));
        }
    }
    sl_buf_add(&t->out, t->in.ptr + at, t->record_at - at);
    if (t->lacks_end) {
        sl_buf_add_char(&t->out, '\n');
        t->lacks_end = false;
    }
    SL_TRY(out_flush(t, e));
    sl_arena_reset(&t->arena);
    t->batch_at = t->record_at;
    t->batch_line = t->line;
    t->records_n = 0;
    t->patches_n = 0;
    t->cells_n = 0;
    return SL_OK;
}

/* Whether to write what there is before waiting for more. */
static bool batch_is_due(const struct sl_table *t)
{
    if (t->in.len == IN_ROOM) {
        return true;
    }
    return t->records_n > 0 && (sl_clock_now_ms() >= t->batch_due_ms || in_is_idle(t));
}

/* ---- what the forms share -------------------------------------------------------------------- */

void sl_table_patch_add(struct sl_table *t, size_t from, size_t to, struct sl_table_cell *cell)
{
    t->patches[t->patches_n++] = (struct sl_table_patch){ .from = from, .to = to, .cell = cell };
}

struct sl_table_cell *sl_table_cell_add(struct sl_table *t, unsigned column, sl_str in)
{
    struct sl_table_cell *cell = &t->cells[t->cells_n++];

    *cell = (struct sl_table_cell){ .column = column, .line = t->line, .in = in };
    return cell;
}

void sl_table_report(const struct sl_table *t, unsigned column, unsigned long line, const char *why)
{
    const struct sl_table_cell cell = { .column = column, .line = line };

    t->job->report(t->job->ctx, &cell, why);
}

void sl_table_took(struct sl_table *t, size_t n, unsigned lines_n)
{
    if (t->records_n == 0) {
        t->batch_due_ms = sl_clock_now_ms() + BATCH_AGE_MS;
    }
    t->records_n++;
    t->record_at += n;
    t->seen = 0;
    t->line += lines_n;
}

sl_rc sl_table_refuse(const struct sl_table *t, const char *why, struct sl_err *e)
{
    if (t->batch_line == 1) {
        return SL_FAIL(e, SL_VALUE, "line %lu: %s; nothing was written", t->line, why);
    }
    return SL_FAIL(e, SL_VALUE, "line %lu: %s; the output ends before line %lu", t->line, why,
                   t->batch_line);
}

sl_rc sl_table_full(struct sl_err *e)
{
    return SL_FAIL(e, SL_NOMEM, "the values of a batch do not fit in %d bytes",
                   SL_TABLE_ARENA_BYTES);
}

bool sl_table_line(struct sl_table *t, sl_str *ret, size_t *ret_n)
{
    const sl_str rest = sl_table_rest(t);
    const char *line_end =
        rest.len > t->seen ? memchr(rest.ptr + t->seen, '\n', rest.len - t->seen) : NULL;

    t->seen = rest.len;
    if (line_end == NULL) {
        *ret = rest;
        *ret_n = rest.len;
        return t->is_at_end && rest.len > 0;
    }
    *ret = (sl_str){ rest.ptr, (size_t)(line_end - rest.ptr) };
    *ret_n = ret->len + 1;
    return true;
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* Step over a byte order mark.  Returns: false when too few bytes are there to tell. */
static bool table_begin(struct sl_table *t)
{
    const sl_str mark = SL_STR("\xef\xbb\xbf");
    const sl_str rest = sl_table_rest(t);

    if (t->is_begun || t->job->form == SL_TABLE_LINES) {
        return true;
    }
    if (!t->is_at_end && rest.len < mark.len && sl_str_starts(mark, rest)) {
        return false;
    }
    t->record_at += sl_str_starts(rest, mark) ? mark.len : 0;
    t->is_begun = true;
    return true;
}

static sl_rc table_take(struct sl_table *t, bool *ret_is_taken, struct sl_err *e)
{
    *ret_is_taken = false;
    if (!table_begin(t)) {
        return SL_OK;
    }
    switch (t->job->form) {
    case SL_TABLE_CSV:
        return sl_table_csv_take(t, ret_is_taken, e);
    case SL_TABLE_NDJSON:
        return sl_table_ndjson_take(t, ret_is_taken, e);
    case SL_TABLE_LINES:
    default:
        sl_table_lines_take(t, ret_is_taken);
        return SL_OK;
    }
}

static sl_rc table_loop(struct sl_table *t, struct sl_err *e)
{
    bool is_taken = false;

    for (;;) {
        SL_TRY(table_take(t, &is_taken, e));
        if (is_taken && t->records_n < SL_TABLE_BATCH_RECORDS) {
            continue;
        }
        if (is_taken || t->is_at_end || batch_is_due(t)) {
            SL_TRY(batch_run(t, e));
        }
        if (!is_taken && t->is_at_end) {
            sl_table_ndjson_end(t);
            return SL_OK;
        }
        if (!is_taken) {
            SL_TRY(in_fill(t, e));
        }
    }
}

static sl_rc table_check(const struct sl_table_job *job, struct sl_err *e)
{
    if (job->form != SL_TABLE_LINES &&
        (job->columns_n == 0 || job->columns_n > SL_TABLE_COLUMNS_MAX)) {
        return SL_FAIL(e, SL_USAGE, "%u columns are named, 1 to %d can be", job->columns_n,
                       SL_TABLE_COLUMNS_MAX);
    }
    for (unsigned i = 1; job->form != SL_TABLE_LINES && i < job->columns_n; i++) {
        for (unsigned k = 0; k < i; k++) {
            if (sl_str_eq(job->columns[i], job->columns[k])) {
                return SL_FAIL(e, SL_USAGE, "column '%" SL_FMT "' is named twice",
                               SL_ARG(job->columns[i]));
            }
        }
    }
    return SL_OK;
}

static sl_rc table_open(struct sl_table *t, struct sl_err *e)
{
    const unsigned width = t->job->form == SL_TABLE_LINES ? 1 : t->job->columns_n;
    const size_t cells_max = (size_t)SL_TABLE_BATCH_RECORDS * width;

    sl_buf_init(&t->in, IN_BYTES);
    sl_buf_init(&t->out, OUT_BYTES);
    sl_arena_init(&t->arena, SL_TABLE_ARENA_BYTES, BLOCK_BYTES);
    sl_arena_init(&t->tree, TREE_BYTES, BLOCK_BYTES);
    sl_arena_init(&t->fixed, FIXED_BYTES, BLOCK_BYTES);
    sl_csv_begin(&t->csv);
    t->cells = sl_arena_calloc(&t->fixed, cells_max, sizeof *t->cells);
    t->patches = sl_arena_calloc(&t->fixed, cells_max, sizeof *t->patches);
    if (t->cells == NULL || t->patches == NULL || sl_buf_reserve(&t->in, IN_BYTES) == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not make the buffers of a table");
    }
    return sl_json_parser_new(SL_TABLE_RECORD_MAX, &t->json, e);
}

static void table_close(struct sl_table *t)
{
    sl_json_parser_free(t->json);
    sl_buf_done(&t->in);
    sl_buf_done(&t->out);
    sl_arena_done(&t->arena);
    sl_arena_done(&t->tree);
    sl_arena_done(&t->fixed);
}

sl_rc sl_table_run(const struct sl_table_job *job, struct sl_err *e)
{
    struct sl_table t = { .job = job, .line = 1, .batch_line = 1 };
    sl_rc rc;

    SL_TRY(table_check(job, e));
    rc = table_open(&t, e);
    if (rc == SL_OK) {
        rc = table_loop(&t, e);
    }
    table_close(&t);
    return rc;
}
