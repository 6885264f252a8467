/* tests/fuzz/fuzz_table.c - any bytes as a table: values that are not changed read back as they
 * were, and values that are changed do not stay.
 *
 * The first byte of the input chooses form, change and size of pieces; the rest is the table.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "cmd/csv.h"
#include "cmd/table_stream.h"
#include "fuzz.h"

enum { TABLE_BYTES = 64 << 10, PACKETS = 200 };

static const sl_str names[] = { { "a", 1 }, { "b c", 3 } };

struct run {
    enum sl_table_form form;
    bool is_masking;
    bool has_report;
    sl_str in;
    struct sl_buf out;
};

static sl_rc change(void *ctx, struct sl_table_cell *cells, unsigned n, struct sl_arena *arena,
                    struct sl_err *e)
{
    const struct run *r = ctx;

    (void)arena;
    (void)e;
    for (unsigned i = 0; i < n; i++) {
        must(cells[i].in.len > 0 && cells[i].column < 2, "a cell that is none");
        cells[i].out = r->is_masking ? SL_STR("T") : cells[i].in;
    }
    return SL_OK;
}

static void report(void *ctx, const struct sl_table_cell *cell, const char *why)
{
    struct run *r = ctx;

    (void)cell;
    (void)why;
    r->has_report = true;
}

/* ---- descriptors ---- */

/* In packets, so that each read gives one piece. */
static int pipe_of(sl_str text)
{
    const size_t piece = text.len / PACKETS + 1;
    int fds[2];

    must(pipe2(fds, O_DIRECT | O_CLOEXEC) == 0 && fcntl(fds[1], F_SETPIPE_SZ, 1 << 20) > 0, "pipe");
    for (size_t at = 0; at < text.len; at += piece) {
        const size_t left = text.len - at;
        const size_t step = left < piece ? left : piece;

        must(write(fds[1], text.ptr + at, step) == (ssize_t)step, "write");
    }
    (void)close(fds[1]);
    return fds[0];
}

static int file_of(sl_str text)
{
    const int fd = memfd_create("in", MFD_CLOEXEC);

    must(fd >= 0 && write(fd, text.ptr, text.len) == (ssize_t)text.len, "memfd");
    must(lseek(fd, 0, SEEK_SET) == 0, "lseek");
    return fd;
}

static sl_rc table_run(struct run *r, bool is_in_pieces)
{
    const struct sl_table_job job = {
        .form = r->form,
        .columns = names,
        .columns_n = 2,
        .in_fd = is_in_pieces ? pipe_of(r->in) : file_of(r->in),
        .out_fd = memfd_create("out", MFD_CLOEXEC),
        .change = change,
        .report = report,
        .ctx = r,
    };
    const sl_rc rc = sl_table_run(&job, NULL);
    const off_t size = lseek(job.out_fd, 0, SEEK_END);
    char *place = sl_buf_reserve(&r->out, (size_t)size + SL_JSON_PADDING);

    must(place != NULL && pread(job.out_fd, place, (size_t)size, 0) == size, "pread");
    r->out.len = (size_t)size;
    (void)close(job.in_fd);
    (void)close(job.out_fd);
    return rc;
}

/* ---- what must hold ---- */

static sl_str without_mark(sl_str s)
{
    return sl_str_starts(s, SL_STR("\xef\xbb\xbf")) ? (sl_str){ s.ptr + 3, s.len - 3 } : s;
}

static void check_value(const struct run *r, bool is_wanted, sl_str was, sl_str is)
{
    if (is_wanted && r->is_masking && was.len > 0) {
        must(sl_str_eq(is, SL_STR("T")), "a value stayed");
    } else {
        must(sl_str_eq(is, was), "a value changed");
    }
}

/* A line may end as on Windows; its end stays as it was. */
static void check_line(const struct run *r, sl_str was, sl_str is)
{
    if (was.len > 0 && was.ptr[was.len - 1] == '\r') {
        must(is.len > 0 && is.ptr[is.len - 1] == '\r', "another end of a line");
        was.len--;
        is.len--;
    }
    check_value(r, true, was, is);
}

static void check_lines(const struct run *r)
{
    sl_str in = r->in;
    sl_str out = sl_buf_str(&r->out);

    must(out.len == 0 || out.ptr[out.len - 1] == '\n', "a line without its end");
    while (in.len > 0) {
        const sl_str was = sl_str_cut(&in, '\n');
        const sl_str is = sl_str_cut(&out, '\n');

        if (was.len > SL_TABLE_LINE_MAX) {
            must(is.len == 0 && r->has_report, "a line that is too long");
        } else {
            check_line(r, was, is);
        }
    }
    must(out.len == 0, "more lines than there were");
}

static void csv_take(struct sl_csv *c, sl_str *rest)
{
    sl_csv_begin(c);
    must(sl_csv_read(c, *rest, true) && c->fault == SL_CSV_OK, "a record that is none");
    rest->ptr += c->len;
    rest->len -= c->len;
}

static void check_csv(const struct run *r)
{
    static struct sl_csv was;
    static struct sl_csv is;
    static bool is_wanted[SL_CSV_FIELDS_MAX];
    struct sl_arena a;
    sl_str in = without_mark(r->in);
    sl_str out = without_mark(sl_buf_str(&r->out));
    bool is_header = true;

    sl_arena_init(&a, 16 << 20, 4096);
    for (; in.len > 0; is_header = false) {
        const sl_str in_record = in;
        const sl_str out_record = out;

        must(out.len > 0, "a record is missing");
        csv_take(&was, &in);
        csv_take(&is, &out);
        must(was.n == is.n, "another number of fields");
        for (unsigned i = 0; i < was.n; i++) {
            const sl_str v = sl_csv_value(&was.fields[i], in_record, &a);

            if (is_header) {
                is_wanted[i] = sl_str_eq(v, names[0]) || sl_str_eq(v, names[1]);
            }
            check_value(r, !is_header && is_wanted[i], v,
                        sl_csv_value(&is.fields[i], out_record, &a));
        }
    }
    must(out.len == 0, "more records than there were");
    sl_arena_done(&a);
}

static const struct sl_json *json_of(struct sl_json_parser *p, sl_str line, struct sl_arena *a)
{
    enum sl_json_fault fault = SL_JSON_OK;
    const struct sl_json *root = NULL;
    char *copy = sl_arena_alloc(a, line.len + SL_JSON_PADDING);

    must(copy != NULL, "memory");
    memcpy(copy, line.ptr, line.len);
    memset(copy + line.len, 0, SL_JSON_PADDING);
    must(sl_json_parse(p, sl_cleartext_of((sl_str){ copy, line.len }), a, &root, &fault, NULL) ==
                 SL_OK &&
             fault == SL_JSON_OK && root->type == SL_JSON_OBJECT,
         "a line that is no object");
    return root;
}

static void check_member(const struct run *r, const struct sl_json *was, const struct sl_json *is)
{
    const sl_str name = sl_cleartext_publish(was->name);
    const bool is_wanted = sl_str_eq(name, names[0]) || sl_str_eq(name, names[1]);
    const bool is_text =
        was->type == SL_JSON_STRING || was->type == SL_JSON_NUMBER || was->type == SL_JSON_BOOL;

    must(sl_str_eq(name, sl_cleartext_publish(is->name)), "another name");
    if (!is_wanted || was->type == SL_JSON_NULL) {
        must(was->type == is->type, "another type");
        check_value(r, false, sl_cleartext_publish(was->text), sl_cleartext_publish(is->text));
    } else {
        must(is->type == SL_JSON_STRING, "a changed value is no string");
        check_value(r, true, is_text ? sl_cleartext_publish(was->text) : (sl_str){ 0 },
                    sl_cleartext_publish(is->text));
        must(is_text || r->has_report, "a value that is no text went unsaid");
    }
}

static void check_ndjson(const struct run *r)
{
    struct sl_json_parser *p = NULL;
    struct sl_arena a;
    sl_str in = without_mark(r->in);
    sl_str out = without_mark(sl_buf_str(&r->out));

    sl_arena_init(&a, 64 << 20, 64 << 10);
    must(sl_json_parser_new(1 << 20, &p, NULL) == SL_OK, "memory");
    while (in.len > 0) {
        const sl_str was_line = sl_str_cut(&in, '\n');
        const sl_str is_line = sl_str_cut(&out, '\n');
        const struct sl_json *was;
        const struct sl_json *is;

        if (sl_str_trim(was_line).len == 0) {
            must(sl_str_eq(was_line, is_line), "a blank line changed");
            continue;
        }
        was = json_of(p, was_line, &a)->child;
        is = json_of(p, is_line, &a)->child;
        for (; was != NULL && is != NULL; was = was->next, is = is->next) {
            check_member(r, was, is);
        }
        must(was == NULL && is == NULL, "another number of members");
        sl_arena_reset(&a);
    }
    must(out.len == 0, "more lines than there were");
    sl_json_parser_free(p);
    sl_arena_done(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct run r = { 0 };
    sl_rc rc;

    if (n == 0 || n > TABLE_BYTES) {
        return 0;
    }
    r.in = (sl_str){ (const char *)data + 1, n - 1 };
    r.form = (enum sl_table_form)(data[0] % 3);
    r.is_masking = (data[0] & 0x40) != 0;
    sl_buf_init(&r.out, 16 << 20);
    rc = table_run(&r, (data[0] & 0x80) != 0);
    must(rc == SL_OK || (r.form != SL_TABLE_LINES && (rc == SL_VALUE || rc == SL_USAGE)),
         sl_rc_name(rc));
    if (rc == SL_OK && r.form == SL_TABLE_LINES) {
        check_lines(&r);
    } else if (rc == SL_OK && r.form == SL_TABLE_CSV) {
        check_csv(&r);
    } else if (rc == SL_OK) {
        check_ndjson(&r);
    }
    sl_buf_done(&r.out);
    return 0;
}
