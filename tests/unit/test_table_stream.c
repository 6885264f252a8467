/* tests/unit/test_table_stream.c - lines, CSV and NDJSON through a change of some values. */
#undef _FORTIFY_SOURCE /* it has inline functions of the names read and write; here are our own */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "cmd/csv.h"
#include "cmd/table_stream.h"

/* What `change` does with a value. */
enum change_mode {
    CHANGE_BRACKETS, /* v becomes <v> */
    CHANGE_NOTHING,  /* v stays v */
    CHANGE_TO,       /* all become `to` */
    CHANGE_TO_NULL,
    CHANGE_FAILS, /* the second call fails */
};

struct world {
    enum change_mode mode;
    sl_str to;
    unsigned calls_n;
    unsigned cells_n;
    unsigned cells_most_n; /* in one call */
    off_t written_before;  /* by the last call */
    int out_fd;
    struct sl_buf reports; /* "line column why|" */
    struct sl_buf cells;   /* "line column in|" */
    struct sl_buf out;
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    sl_buf_init(&w->reports, 1 << 20);
    sl_buf_init(&w->cells, 64 << 20);
    sl_buf_init(&w->out, 64 << 20);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    sl_buf_done(&w->reports);
    sl_buf_done(&w->cells);
    sl_buf_done(&w->out);
    free(w);
    return 0;
}

static sl_rc change(void *ctx, struct sl_table_cell *cells, unsigned n, struct sl_arena *arena,
                    struct sl_err *e)
{
    struct world *w = ctx;

    w->calls_n++;
    w->cells_n += n;
    w->cells_most_n = n > w->cells_most_n ? n : w->cells_most_n;
    w->written_before = lseek(w->out_fd, 0, SEEK_END);
    assert_true(n > 0);
    for (unsigned i = 0; i < n; i++) {
        assert_true(cells[i].in.len > 0);
        assert_int_equal(cells[i].out.len, 0);
        sl_buf_printf(&w->cells, "%lu %u ", cells[i].line, cells[i].column);
        sl_buf_add_str(&w->cells, cells[i].in);
        sl_buf_add_char(&w->cells, '|');
        if (w->mode == CHANGE_BRACKETS) {
            cells[i].out = sl_arena_printf(arena, "<%" SL_FMT ">", SL_ARG(cells[i].in));
        } else if (w->mode == CHANGE_NOTHING || w->mode == CHANGE_FAILS) {
            cells[i].out = cells[i].in;
        } else if (w->mode == CHANGE_TO) {
            cells[i].out = w->to;
        } else {
            cells[i].is_null_out = true;
        }
    }
    return w->mode == CHANGE_FAILS && w->calls_n == 2 ? SL_FAIL(e, SL_DISCONNECTED, "no audit")
                                                      : SL_OK;
}

static void report(void *ctx, const struct sl_table_cell *cell, const char *why)
{
    struct world *w = ctx;

    sl_buf_printf(&w->reports, "%lu %u %s|", cell->line, cell->column, why);
}

/* ---- calls that fail in passing ---- */

static bool is_disturbed;
static unsigned calls_n;

/* In place of the library's: every other call is interrupted, and the rest move one byte. */
ssize_t read(int fd, void *to, size_t n)
{
    if (is_disturbed && calls_n++ % 2 == 0) {
        errno = EINTR;
        return -1;
    }
    return syscall(SYS_read, fd, to, is_disturbed && n > 1 ? 1 : n);
}

ssize_t write(int fd, const void *from, size_t n)
{
    if (is_disturbed && calls_n++ % 2 == 0) {
        errno = EINTR;
        return -1;
    }
    return syscall(SYS_write, fd, from, is_disturbed && n > 1 ? 1 : n);
}

/* ---- running a table ---- */

static int file_of(sl_str text)
{
    const int fd = memfd_create("table", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text.ptr, text.len), (ssize_t)text.len);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

/* What a file holds, in w->out, with a NUL that does not count. */
static void read_back(struct world *w, int fd)
{
    const off_t size = lseek(fd, 0, SEEK_END);
    char *place;

    sl_buf_reset(&w->out);
    place = sl_buf_reserve(&w->out, (size_t)size + 1);
    assert_non_null(place);
    assert_int_equal(pread(fd, place, (size_t)size, 0), size);
    w->out.len = (size_t)size;
    w->out.ptr[size] = '\0';
}

/* "a,b" as two names; a comma cannot be in one. */
static unsigned split(const char *names, sl_str *ret)
{
    sl_str rest = sl_str_of(names);
    unsigned n = 0;

    while (rest.len > 0) {
        ret[n++] = sl_str_cut(&rest, ',');
    }
    return n;
}

static sl_rc run_fd(struct world *w, enum sl_table_form form, const char *names, int in_fd,
                    struct sl_err *e)
{
    sl_str columns[80];
    struct sl_table_job job = {
        .form = form, .columns = columns, .in_fd = in_fd, .change = change, .report = report
    };
    sl_rc rc;

    job.columns_n = split(names, columns);
    job.ctx = w;
    job.out_fd = w->out_fd = memfd_create("out", MFD_CLOEXEC);
    w->calls_n = w->cells_n = w->cells_most_n = 0;
    sl_buf_reset(&w->reports);
    sl_buf_reset(&w->cells);
    rc = sl_table_run(&job, e);
    read_back(w, job.out_fd);
    assert_int_equal(close(job.out_fd), 0);
    sl_buf_add_char(&w->reports, '\0');
    sl_buf_add_char(&w->cells, '\0');
    return rc;
}

static sl_rc run(struct world *w, enum sl_table_form form, const char *names, sl_str in,
                 struct sl_err *e)
{
    const int fd = file_of(in);
    const sl_rc rc = run_fd(w, form, names, fd, e);

    assert_int_equal(close(fd), 0);
    return rc;
}

/* A thread that writes, so that nobody waits for himself. */
struct feeder {
    pthread_t thread;
    int fd;
    sl_str text;
    size_t piece;
    bool does_block;
};

static void *feeder_main(void *arg)
{
    struct feeder *f = arg;

    for (size_t at = 0; at < f->text.len;) {
        const size_t left = f->text.len - at;
        const ssize_t n = write(f->fd, f->text.ptr + at, left < f->piece ? left : f->piece);

        if (n < 0) {
            break; /* the reader has refused the input */
        }
        at += (size_t)n;
    }
    (void)close(f->fd);
    return NULL;
}

/* Small pieces are packets: each read gives one, whoever is faster.  Large ones are not: what of a
 * packet finds no room is lost. */
static sl_rc run_pieces(struct world *w, enum sl_table_form form, const char *names,
                        struct feeder *f, struct sl_err *e)
{
    int fds[2];
    sl_rc rc;

    assert_int_equal(pipe2(fds, O_CLOEXEC | (f->piece < 16 ? O_DIRECT : 0)), 0);
    if (!f->does_block) {
        assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    }
    f->fd = fds[1];
    assert_int_equal(pthread_create(&f->thread, NULL, feeder_main, f), 0);
    rc = run_fd(w, form, names, fds[0], e);
    assert_int_equal(close(fds[0]), 0);
    assert_int_equal(pthread_join(f->thread, NULL), 0);
    return rc;
}

/* ---- what comes out ---- */

#define BOM "\xef\xbb\xbf"

static const struct good {
    enum sl_table_form form;
    const char *names;
    const char *in;
    const char *out;
    const char *cells;
    const char *reports;
} goods[] = {
    { SL_TABLE_LINES, "", "a\nbb\n", "<a>\n<bb>\n", "1 0 a|2 0 bb|", "" },
    { SL_TABLE_LINES, "", "", "", "", "" },
    { SL_TABLE_LINES, "", "\n", "\n", "", "" },
    { SL_TABLE_LINES, "", "a\n\n\nb", "<a>\n\n\n<b>\n", "1 0 a|4 0 b|", "" },
    { SL_TABLE_LINES, "", " a\t\r\n" BOM "\n", "< a\t>\r\n<" BOM ">\n", "1 0  a\t|2 0 " BOM "|",
      "" },
    { SL_TABLE_LINES, "", "a,\"b\"\n", "<a,\"b\">\n", "1 0 a,\"b\"|", "" },

    { SL_TABLE_CSV, "b", "a,b,c\n1,2,3\n4,5,6\n", "a,b,c\n1,<2>,3\n4,<5>,6\n", "2 0 2|3 0 5|", "" },
    { SL_TABLE_CSV, "c,a", "a,b,c\n1,2,3\n", "a,b,c\n<1>,2,<3>\n", "2 1 1|2 0 3|", "" },
    { SL_TABLE_CSV, "b", "a,b\r\n1,2\r\n3,4\n5,6\r\n", "a,b\r\n1,<2>\r\n3,<4>\n5,<6>\r\n",
      "2 0 2|3 0 4|4 0 6|", "" },
    { SL_TABLE_CSV, "b", "a,b\n1,2", "a,b\n1,<2>", "2 0 2|", "" },
    { SL_TABLE_CSV, "b", "a,b", "a,b", "", "" },
    { SL_TABLE_CSV, "b", "a,b\n1,\n2,\"\"\n", "a,b\n1,\n2,\"\"\n", "", "" },
    { SL_TABLE_CSV, "a", BOM "a,b\n1,2\n", BOM "a,b\n<1>,2\n", "2 0 1|", "" },
    { SL_TABLE_CSV, "a", BOM "\"a\",b\r\n\"1\",2\r\n", BOM "\"a\",b\r\n\"<1>\",2\r\n", "2 0 1|",
      "" },
    { SL_TABLE_CSV, "b", "a,b,c\n\"x\"\"y\",\"p\"\"q\", z \n",
      "a,b,c\n\"x\"\"y\",\"<p\"\"q>\", z \n", "2 0 p\"q|", "" },
    { SL_TABLE_CSV, "b", "a,b,c\n\"1\n,\n\",\"2\r\n3\",\"\"\n4,5,6\n",
      "a,b,c\n\"1\n,\n\",\"<2\r\n3>\",\"\"\n4,<5>,6\n", "2 0 2\r\n3|6 0 5|", "" },
    { SL_TABLE_CSV, "a", "a\n\nx\n\"\"\n", "a\n\n<x>\n\"\"\n", "3 0 x|", "" },
    { SL_TABLE_CSV, "x\ny", "\"x\ny\",b\n1,2\n", "\"x\ny\",b\n<1>,2\n", "3 0 1|", "" },
    { SL_TABLE_CSV, "q\"", "\"q\"\"\",q\n1,2\n", "\"q\"\"\",q\n<1>,2\n", "2 0 1|", "" },
    { SL_TABLE_CSV, "b", "a,b,,\n1,2,,\n", "a,b,,\n1,<2>,,\n", "2 0 2|", "" },

    { SL_TABLE_NDJSON, "a", "{\"a\":\"x\",\"b\":\"y\"}\n", "{\"a\":\"<x>\",\"b\":\"y\"}\n",
      "1 0 x|", "" },
    { SL_TABLE_NDJSON, "a", "", "", "", "" },
    { SL_TABLE_NDJSON, "a", " { \"b\" : 1.50 , \"a\" :\t\"x\"  } \r\n{\"a\":\"y\"}",
      " { \"b\" : 1.50 , \"a\" :\t\"<x>\"  } \r\n{\"a\":\"<y>\"}", "1 0 x|2 0 y|", "" },
    { SL_TABLE_NDJSON, "a,b", "{\"b\":-1.5e+3,\"a\":true}\n{\"a\":false}\n",
      "{\"b\":\"<-1.5e+3>\",\"a\":\"<true>\"}\n{\"a\":\"<false>\"}\n",
      "1 1 -1.5e+3|1 0 true|2 0 false|", "" },
    { SL_TABLE_NDJSON, "a", "{\"a\":123456789012345678901234567890 }\n",
      "{\"a\":\"<123456789012345678901234567890>\" }\n", "1 0 123456789012345678901234567890|",
      "" },
    { SL_TABLE_NDJSON, "a", "{\"a\":null}\n{\"b\":1}\n{}\n{\"a\":\"\"}\n",
      "{\"a\":null}\n{\"b\":1}\n{}\n{\"a\":\"\"}\n", "", "" },
    { SL_TABLE_NDJSON, "a", "\n  \t\r\n{\"a\":\"x\"}\n\n", "\n  \t\r\n{\"a\":\"<x>\"}\n\n",
      "3 0 x|", "" },
    { SL_TABLE_NDJSON, "a", BOM "{\"a\":\"x\"}\n", BOM "{\"a\":\"<x>\"}\n", "1 0 x|", "" },
    { SL_TABLE_NDJSON, "a",
      "{\"a\":\"q\\\"\\\\\\/\\n\\t\\u00e9\\ud83d\\ude00\xc3\xa9\",\"b\":\"\\u00E9\\/\"}\n",
      "{\"a\":\"<q\\\"\\\\/\\n\\t\xc3\xa9\xf0\x9f\x98\x80\xc3\xa9>\",\"b\":\"\\u00E9\\/\"}\n",
      "1 0 q\"\\/\n\t\xc3\xa9\xf0\x9f\x98\x80\xc3\xa9|", "" },
    /* The name is found however it is spelled. */
    { SL_TABLE_NDJSON, "ab", "{\"\\u0061b\":\"x\",\"\\\"ab\":\"y\"}\n",
      "{\"\\u0061b\":\"<x>\",\"\\\"ab\":\"y\"}\n", "1 0 x|", "" },
    /* Only members of the top are meant, and strings may look like syntax. */
    { SL_TABLE_NDJSON, "a",
      "{\"o\":{\"a\":\"in\",\"p\":[{\"a\":[]},\"]}\\\"\"]},\"s\":\"\\\\\",\"t\":\"}\\\",\\\"a\\\":"
      "1\","
      "\"a\":\"x\"}\n",
      "{\"o\":{\"a\":\"in\",\"p\":[{\"a\":[]},\"]}\\\"\"]},\"s\":\"\\\\\",\"t\":\"}\\\",\\\"a\\\":"
      "1\","
      "\"a\":\"<x>\"}\n",
      "1 0 x|", "" },
    { SL_TABLE_NDJSON, "a", "{\"a\":[1,{\"a\":\"x\"}],\"b\":2}\n{\"a\":{\"a\":1} }\n{\"a\":3}\n",
      "{\"a\":\"\",\"b\":2}\n{\"a\":\"\" }\n{\"a\":\"<3>\"}\n", "3 0 3|",
      "1 0 the value is an array or an object|2 0 the value is an array or an object|" },
    { SL_TABLE_NDJSON, "a", "{\"a\":\"x\\ud800y\",\"b\":\"\\udc00\"}\n",
      "{\"a\":\"\",\"b\":\"\\udc00\"}\n", "",
      "1 0 the value has half of a surrogate pair, which is no text|" },
    { SL_TABLE_NDJSON, "a,z", "{\"a\":\"x\"}\n", "{\"a\":\"<x>\"}\n", "1 0 x|",
      "0 1 no line has this member|" },
};

static void assert_good(const struct world *w, const struct good *g)
{
    assert_string_equal(w->out.ptr, g->out);
    assert_string_equal(w->cells.ptr, g->cells);
    assert_string_equal(w->reports.ptr, g->reports);
}

static void changes_the_named_values_and_nothing_else(void **state)
{
    struct sl_err e = { 0 };

    for (size_t i = 0; i < sizeof goods / sizeof goods[0]; i++) {
        const struct good *g = &goods[i];

        if (run(*state, g->form, g->names, sl_str_of(g->in), &e) != SL_OK) {
            fail_msg("%s: %s", g->in, e.msg);
        }
        assert_good(*state, g);
    }
}

static void input_that_comes_byte_by_byte_is_the_same_input(void **state)
{
    for (size_t i = 0; i < sizeof goods / sizeof goods[0]; i++) {
        const struct good *g = &goods[i];
        struct feeder f = { .text = sl_str_of(g->in), .piece = 1, .does_block = true };

        assert_int_equal(run_pieces(*state, g->form, g->names, &f, NULL), SL_OK);
        assert_good(*state, g);
    }
}

static void interrupted_calls_and_short_ones_change_nothing(void **state)
{
    for (size_t i = 0; i < sizeof goods / sizeof goods[0]; i++) {
        const struct good *g = &goods[i];
        const sl_str in = sl_str_of(g->in);
        const int fd = file_of(in);

        calls_n = 0;
        is_disturbed = true;
        assert_int_equal(run_fd(*state, g->form, g->names, fd, NULL), SL_OK);
        is_disturbed = false;
        assert_true(calls_n > 2 * in.len);
        assert_good(*state, g);
        assert_int_equal(close(fd), 0);
    }
}

static void waits_on_a_descriptor_that_does_not_block(void **state)
{
    for (size_t i = 0; i < sizeof goods / sizeof goods[0]; i++) {
        const struct good *g = &goods[i];
        struct feeder f = { .text = sl_str_of(g->in), .piece = 3 };

        assert_int_equal(run_pieces(*state, g->form, g->names, &f, NULL), SL_OK);
        assert_good(*state, g);
    }
}

static void what_stays_is_written_byte_for_byte(void **state)
{
    struct world *w = *state;

    w->mode = CHANGE_NOTHING;
    for (size_t i = 0; i < sizeof goods / sizeof goods[0]; i++) {
        const struct good *g = &goods[i];

        if (g->form != SL_TABLE_NDJSON) {
            assert_int_equal(run(w, g->form, g->names, sl_str_of(g->in), NULL), SL_OK);
            /* But lines end in a line end. */
            assert_memory_equal(w->out.ptr, g->in, strlen(g->in));
        } else {
            assert_int_equal(run(w, g->form, "nobody", sl_str_of(g->in), NULL), SL_OK);
            assert_string_equal(w->out.ptr, g->in);
        }
    }
}

/* ---- what is refused ---- */

static const struct bad {
    enum sl_table_form form;
    const char *names;
    const char *in;
    sl_rc rc;
    const char *msg;
} bads[] = {
    { SL_TABLE_CSV, "x", "a,b,c\n1,2,3\n", SL_USAGE,
      "no column is named 'x' in the first line, the header, of 3 fields" },
    { SL_TABLE_CSV, "a", "A,b\n1,2\n", SL_USAGE,
      "no column is named 'a' in the first line, the header, of 2 fields" },
    { SL_TABLE_CSV, "a", " a,b\n1,2\n", SL_USAGE,
      "no column is named 'a' in the first line, the header, of 2 fields" },
    { SL_TABLE_CSV, "ip", "alice,192.0.2.1\n", SL_USAGE,
      "no column is named 'ip' in the first line, the header, of 2 fields" },
    { SL_TABLE_CSV, "a", "a,b,a\n", SL_USAGE, "two columns are named 'a'" },
    { SL_TABLE_CSV, "a,a", "a,b\n", SL_USAGE, "column 'a' is named twice" },
    { SL_TABLE_CSV, "", "a,b\n", SL_USAGE, "0 columns are named, 1 to 64 can be" },
    { SL_TABLE_CSV, "a", "", SL_VALUE, "the input is empty: CSV needs a header line" },
    { SL_TABLE_CSV, "a", BOM, SL_VALUE, "the input is empty: CSV needs a header line" },
    { SL_TABLE_CSV, "a", "a,b\n1,2\n3\n", SL_VALUE,
      "line 3: 1 fields, the header has 2; nothing was written" },
    { SL_TABLE_CSV, "a", "a,b\n1,2,3\n", SL_VALUE,
      "line 2: 3 fields, the header has 2; nothing was written" },
    { SL_TABLE_CSV, "a", "a,b\n1,2\n\n", SL_VALUE,
      "line 3: 1 fields, the header has 2; nothing was written" },
    { SL_TABLE_CSV, "a", "a,b\n\"1\n1\",2\n3,4\"\n", SL_VALUE,
      "line 4: a quote inside of a field that does not begin with one; nothing was written" },
    { SL_TABLE_CSV, "a", "a,b\n\"1\"x,2\n", SL_VALUE,
      "line 2: a closing quote must be followed by a comma or the end of the line; nothing was "
      "written" },
    { SL_TABLE_CSV, "a", "a,b\n1,\"2\n3,4\n", SL_VALUE,
      "line 2: a field's closing quote is missing; nothing was written" },
    { SL_TABLE_CSV, "a", "a,b\r1,2\r", SL_VALUE,
      "line 1: a carriage return outside of quotes must be followed by a line feed; nothing was "
      "written" },

    { SL_TABLE_NDJSON, "a", "{\"a\":1}\n{\"a\":}\n", SL_VALUE,
      "line 2: not well-formed JSON; nothing was written" },
    { SL_TABLE_NDJSON, "a", "\n\n{\"a\":1", SL_VALUE,
      "line 3: not well-formed JSON; nothing was written" },
    { SL_TABLE_NDJSON, "a", "{\"a\":1\n}\n", SL_VALUE,
      "line 1: not well-formed JSON; nothing was written" },
    { SL_TABLE_NDJSON, "a", "{\"a\":\"x\n\"}\n", SL_VALUE,
      "line 1: not well-formed JSON; nothing was written" },
    { SL_TABLE_NDJSON, "a", "{\"a\":1} {\"a\":2}\n", SL_VALUE,
      "line 1: not well-formed JSON; nothing was written" },
    { SL_TABLE_NDJSON, "a", "{\"b\":nul,\"a\":1}\n", SL_VALUE,
      "line 1: not well-formed JSON; nothing was written" },
    { SL_TABLE_NDJSON, "a", "[1]\n", SL_VALUE, "line 1: not a JSON object; nothing was written" },
    { SL_TABLE_NDJSON, "a", "{}\n\"a\"\n", SL_VALUE,
      "line 2: not a JSON object; nothing was written" },
    { SL_TABLE_NDJSON, "a", "{\"a\":1,\"a\":2}\n", SL_VALUE,
      "line 1: one name twice in an object; nothing was written" },
    { SL_TABLE_NDJSON, "a", "{\"a\":1,\"\\u0061\":2}\n", SL_VALUE,
      "line 1: one name twice in an object; nothing was written" },
    { SL_TABLE_NDJSON, "a", "{\"b\":{\"x\":1,\"x\":2}}\n", SL_VALUE,
      "line 1: one name twice in an object; nothing was written" },
    { SL_TABLE_NDJSON, "a", "{\"a\":\"\xff\"}\n", SL_VALUE,
      "line 1: not UTF-8; nothing was written" },
    { SL_TABLE_NDJSON, "a,b,a", "{}\n", SL_USAGE, "column 'a' is named twice" },
    { SL_TABLE_NDJSON, "", "{}\n", SL_USAGE, "0 columns are named, 1 to 64 can be" },
};

static void what_is_not_of_the_form_is_refused_with_its_line(void **state)
{
    struct world *w = *state;

    for (size_t i = 0; i < sizeof bads / sizeof bads[0]; i++) {
        struct sl_err e = { 0 };

        assert_int_equal(run(w, bads[i].form, bads[i].names, sl_str_of(bads[i].in), &e),
                         bads[i].rc);
        assert_string_equal(e.msg, bads[i].msg);
        assert_int_equal(w->out.len, 0);
        assert_int_equal(w->calls_n, 0);
    }
}

static void what_is_refused_at_once_is_refused_byte_by_byte(void **state)
{
    (void)signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof bads / sizeof bads[0]; i++) {
        struct feeder f = { .text = sl_str_of(bads[i].in), .piece = 1, .does_block = true };

        assert_int_equal(run_pieces(*state, bads[i].form, bads[i].names, &f, NULL), bads[i].rc);
    }
}

static void columns_have_a_limit(void **state)
{
    struct sl_buf names = { .max_bytes = 4096 };
    struct sl_err e = { 0 };

    for (int i = 0; i < SL_TABLE_COLUMNS_MAX; i++) {
        sl_buf_printf(&names, "%sc%d", i == 0 ? "" : ",", i);
    }
    sl_buf_add_char(&names, '\0');
    assert_int_equal(run(*state, SL_TABLE_CSV, names.ptr, sl_str_of(names.ptr), NULL), SL_OK);
    names.len--;
    sl_buf_add(&names, ",d", sizeof ",d");
    assert_int_equal(run(*state, SL_TABLE_CSV, names.ptr, sl_str_of(names.ptr), &e), SL_USAGE);
    assert_string_equal(e.msg, "65 columns are named, 1 to 64 can be");
    sl_buf_done(&names);
}

static void nesting_has_a_limit(void **state)
{
    char text[256];
    struct sl_err e = { 0 };

    for (int depth = 63; depth <= 64; depth++) {
        const int n =
            snprintf(text, sizeof text, "{\"a\":1,\"b\":%.*s%.*s}\n", depth,
                     "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", depth,
                     "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");

        assert_in_range(n, 2 * depth, sizeof text - 1);
        assert_int_equal(run(*state, SL_TABLE_NDJSON, "a", sl_str_of(text), &e),
                         depth == 63 ? SL_OK : SL_VALUE);
    }
    assert_string_equal(e.msg, "line 1: JSON nested deeper than 64 levels; nothing was written");
}

/* ---- what `change` gives ---- */

struct shown {
    enum sl_table_form form;
    const char *in;
    const char *to;
    const char *out;
    const char *reports;
};

static void a_new_value_is_written_as_its_form_wants_it(void **state)
{
    static const struct shown cases[] = {
        { SL_TABLE_LINES, "x\ny\n", "a\nb", "\n\n",
          "1 0 the value has a line break, which lines cannot show|"
          "2 0 the value has a line break, which lines cannot show|" },
        { SL_TABLE_LINES, "x\n", "", "\n", "" },
        { SL_TABLE_LINES, "x", "\xff", "\xff\n", "" },
        { SL_TABLE_CSV, "a,b\nx,y\n", "p,\"q\"\n", "a,b\n\"p,\"\"q\"\"\n\",y\n", "" },
        { SL_TABLE_CSV, "a,b\nx,y\n", "", "a,b\n,y\n", "" },
        { SL_TABLE_CSV, "a,b\n\"x\",y\n", "", "a,b\n\"\",y\n", "" },
        { SL_TABLE_CSV, "a\nx\n", "", "a\n\"\"\n", "" },
        { SL_TABLE_CSV, "a,b\nx,y\n", "\xff", "a,b\n\xff,y\n", "" },
        { SL_TABLE_NDJSON, "{\"a\":1}\n", "q\"\\\n\x01\x7f\xc3\xa9\xf0\x9f\x98\x80",
          "{\"a\":\"q\\\"\\\\\\n\\u0001\\u007f\xc3\xa9\xf0\x9f\x98\x80\"}\n", "" },
        { SL_TABLE_NDJSON, "{\"a\":1}\n", "", "{\"a\":\"\"}\n", "" },
        { SL_TABLE_NDJSON, "{\"a\":1}\n", "\xef\xbf\xbd", "{\"a\":\"\xef\xbf\xbd\"}\n", "" },
    };
    struct world *w = *state;

    w->mode = CHANGE_TO;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        w->to = sl_str_of(cases[i].to);
        assert_int_equal(run(w, cases[i].form, "a", sl_str_of(cases[i].in), NULL), SL_OK);
        assert_string_equal(w->out.ptr, cases[i].out);
        assert_string_equal(w->reports.ptr, cases[i].reports);
    }
}

static void json_shows_no_value_that_is_not_utf8(void **state)
{
    static const char *const values[] = {
        "\xff",
        "a\x80",
        "\xc3",
        "\xc3(",
        "\xc0\xaf",
        "\xe0\x80\x80",
        "\xed\xa0\x80",
        "\xe2\x82",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xf8\x88\x80\x80\x80",
    };
    struct world *w = *state;

    w->mode = CHANGE_TO;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        w->to = sl_str_of(values[i]);
        assert_int_equal(run(w, SL_TABLE_NDJSON, "a", SL_STR("{\"a\":\"x\"}\n"), NULL), SL_OK);
        assert_string_equal(w->out.ptr, "{\"a\":\"\"}\n");
        assert_string_equal(w->reports.ptr, "1 0 the value is not UTF-8, which JSON cannot show|");
    }
}

static void a_null_is_null_in_json_and_empty_elsewhere(void **state)
{
    struct world *w = *state;

    w->mode = CHANGE_TO_NULL;
    assert_int_equal(run(w, SL_TABLE_NDJSON, "a", SL_STR("{\"a\":\"x\",\"b\":1}\n"), NULL), SL_OK);
    assert_string_equal(w->out.ptr, "{\"a\":null,\"b\":1}\n");
    assert_int_equal(run(w, SL_TABLE_CSV, "a", SL_STR("a,b\nx,y\n"), NULL), SL_OK);
    assert_string_equal(w->out.ptr, "a,b\n,y\n");
    assert_int_equal(run(w, SL_TABLE_LINES, "", SL_STR("x\ny\n"), NULL), SL_OK);
    assert_string_equal(w->out.ptr, "\n\n");
}

static void a_new_value_has_a_limit(void **state)
{
    struct world *w = *state;
    char *value = malloc(SL_TABLE_RECORD_MAX + 1);

    assert_non_null(value);
    memset(value, '\x01', SL_TABLE_RECORD_MAX + 1);
    w->mode = CHANGE_TO;
    w->to = (sl_str){ value, SL_TABLE_RECORD_MAX };
    assert_int_equal(run(w, SL_TABLE_NDJSON, "a,b", SL_STR("{\"a\":1,\"b\":2}\n"), NULL), SL_OK);
    assert_int_equal(w->out.len, strlen("{\"a\":\"\",\"b\":\"\"}\n") + 12UL * SL_TABLE_RECORD_MAX);
    w->to.len++;
    assert_int_equal(run(w, SL_TABLE_NDJSON, "a", SL_STR("{\"a\":1}\n"), NULL), SL_OK);
    assert_string_equal(w->out.ptr, "{\"a\":\"\"}\n");
    assert_string_equal(w->reports.ptr, "1 0 the new value is over 1048576 bytes|");
    free(value);
}

/* ---- sizes and batches ---- */

static void repeat(struct sl_buf *b, char c, size_t n)
{
    char *place = sl_buf_reserve(b, n);

    assert_non_null(place);
    memset(place, c, n);
    b->len += n;
}

static void a_line_over_the_limit_becomes_an_empty_one(void **state)
{
    static const size_t too_long[] = { SL_TABLE_LINE_MAX + 1, 200000, 1 << 20, 5 << 20 };
    static const char why[] = "2 0 the line is over 65536 bytes|";
    struct world *w = *state;

    w->mode = CHANGE_NOTHING;
    for (size_t i = 0; i < sizeof too_long / sizeof too_long[0]; i++) {
        for (int has_more = 0; has_more < 2; has_more++) {
            struct sl_buf in = { .max_bytes = 8 << 20 };
            struct feeder f = { .piece = 4096, .does_block = true };

            sl_buf_add_str(&in, SL_STR("a\n"));
            repeat(&in, 'x', too_long[i]);
            sl_buf_add_str(&in, has_more ? SL_STR("\nb\n") : SL_STR(""));
            f.text = sl_buf_str(&in);
            assert_int_equal(run(w, SL_TABLE_LINES, "", f.text, NULL), SL_OK);
            assert_string_equal(w->out.ptr, has_more ? "a\n\nb\n" : "a\n\n");
            assert_string_equal(w->reports.ptr, why);
            assert_int_equal(run_pieces(w, SL_TABLE_LINES, "", &f, NULL), SL_OK);
            assert_string_equal(w->out.ptr, has_more ? "a\n\nb\n" : "a\n\n");
            assert_string_equal(w->reports.ptr, why);
            sl_buf_done(&in);
        }
    }
}

static void a_line_of_the_limit_is_taken(void **state)
{
    struct world *w = *state;
    struct sl_buf in = { .max_bytes = 1 << 20 };

    w->mode = CHANGE_NOTHING;
    repeat(&in, 'x', SL_TABLE_LINE_MAX);
    sl_buf_add_char(&in, '\n');
    repeat(&in, 'y', SL_TABLE_LINE_MAX);
    sl_buf_add_char(&in, '\n');
    assert_int_equal(run(w, SL_TABLE_LINES, "", sl_buf_str(&in), NULL), SL_OK);
    assert_true(sl_str_eq(sl_buf_str(&w->out), sl_buf_str(&in)));
    assert_string_equal(w->reports.ptr, "");
    sl_buf_done(&in);
}

/* A record of `n` bytes with its line end, a value of `x` in its first field. */
static void add_record(struct sl_buf *b, enum sl_table_form form, size_t n)
{
    const sl_str head = form == SL_TABLE_CSV ? SL_STR("\"") : SL_STR("{\"a\":\"");
    const sl_str tail = form == SL_TABLE_CSV ? SL_STR("\"\n") : SL_STR("\"}\n");

    sl_buf_add_str(b, head);
    repeat(b, 'x', n - head.len - tail.len);
    sl_buf_add_str(b, tail);
}

static void a_record_over_the_limit_ends_the_work(void **state)
{
    static const enum sl_table_form forms[] = { SL_TABLE_CSV, SL_TABLE_NDJSON };

    static const char *const heads[] = { "a\n", "{\"a\":1}\n" };
    static const char *const msgs[] = {
        "line 3: a record is over 1048576 bytes; a closing quote may be missing; nothing was "
        "written",
        "line 3: a line is over 1048576 bytes; nothing was written",
    };
    struct world *w = *state;

    w->mode = CHANGE_NOTHING;
    (void)signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < 2; i++) {
        struct sl_buf in = { .max_bytes = 8 << 20 };
        struct feeder f = { .piece = 4096, .does_block = true };
        struct sl_err e = { 0 };

        sl_buf_add_str(&in, sl_str_of(heads[i]));
        add_record(&in, forms[i], SL_TABLE_RECORD_MAX);
        f.text = sl_buf_str(&in);
        assert_int_equal(run(w, forms[i], "a", f.text, &e), SL_OK);
        assert_int_equal(w->out.len, in.len + (i == 1 ? 2 : 0)); /* 1 becomes "1" */
        assert_int_equal(run_pieces(w, forms[i], "a", &f, &e), SL_OK);
        assert_int_equal(w->out.len, in.len + (i == 1 ? 2 : 0));

        in.len = strlen(heads[i]);
        sl_buf_add_str(&in, i == 0 ? SL_STR("1\n") : SL_STR("{}\n"));
        add_record(&in, forms[i], SL_TABLE_RECORD_MAX + 2);
        f.text = sl_buf_str(&in);
        assert_int_equal(run(w, forms[i], "a", f.text, &e), SL_VALUE);
        assert_string_equal(e.msg, msgs[i]);
        assert_int_equal(w->out.len, 0);
        assert_int_equal(run_pieces(w, forms[i], "a", &f, &e), SL_VALUE);
        sl_buf_done(&in);
    }
}

static void a_line_that_is_mostly_structure_is_taken(void **state)
{
    struct world *w = *state;
    struct sl_buf in = { .max_bytes = 2 << 20 };

    sl_buf_add_str(&in, SL_STR("{\"a\":\"x\",\"b\":[1"));
    while (in.len < SL_TABLE_RECORD_MAX - 4) {
        sl_buf_add_str(&in, SL_STR(",1"));
    }
    sl_buf_add_str(&in, SL_STR("]}\n"));
    assert_int_equal(run(w, SL_TABLE_NDJSON, "a", sl_buf_str(&in), NULL), SL_OK);
    assert_int_equal(w->out.len, in.len + 2);
    sl_buf_done(&in);
}

static void numbered(struct sl_buf *in, enum sl_table_form form, unsigned n)
{
    if (form == SL_TABLE_CSV) {
        sl_buf_add_str(in, SL_STR("a,b\n"));
    }
    for (unsigned i = 0; i < n; i++) {
        sl_buf_printf(in,
                      form == SL_TABLE_CSV     ? "v%u,\"w\n%u\"\n"
                      : form == SL_TABLE_LINES ? "v%u,w%u\n"
                                               : "{\"a\":\"v%u\",\"b\":\"w%u\"}\n",
                      i, i);
    }
}

static void batches_are_bounded_and_come_in_order(void **state)
{
    static const enum sl_table_form forms[] = { SL_TABLE_LINES, SL_TABLE_CSV, SL_TABLE_NDJSON };
    struct world *w = *state;

    w->mode = CHANGE_NOTHING;
    for (int i = 0; i < 3; i++) {
        struct sl_buf in = { .max_bytes = 8 << 20 };
        struct feeder f = { .piece = 1000, .does_block = true };
        const unsigned width = forms[i] == SL_TABLE_LINES ? 1 : 2;

        numbered(&in, forms[i], 100000);
        f.text = sl_buf_str(&in);
        assert_int_equal(run(w, forms[i], width == 1 ? "" : "a,b", f.text, NULL), SL_OK);
        assert_true(sl_str_eq(sl_buf_str(&w->out), f.text));
        assert_int_equal(w->cells_n, width * 100000);
        assert_int_equal(w->cells_most_n, width * SL_TABLE_BATCH_RECORDS);
        assert_in_range(w->calls_n, 100, 104);
        assert_int_equal(run_pieces(w, forms[i], width == 1 ? "" : "a,b", &f, NULL), SL_OK);
        assert_true(sl_str_eq(sl_buf_str(&w->out), f.text));
        assert_int_equal(w->cells_n, width * 100000);
        sl_buf_done(&in);
    }
}

static void nothing_of_a_batch_is_written_before_its_change(void **state)
{
    struct world *w = *state;
    struct sl_buf in = { .max_bytes = 1 << 20 };
    struct sl_err e = { 0 };

    w->mode = CHANGE_FAILS;
    numbered(&in, SL_TABLE_CSV, 1500);
    assert_int_equal(run(w, SL_TABLE_CSV, "b", sl_buf_str(&in), &e), SL_DISCONNECTED);
    assert_string_equal(e.msg, "no audit");
    assert_int_equal(w->calls_n, 2);
    assert_int_equal(w->written_before, (off_t)w->out.len);
    assert_memory_equal(w->out.ptr, in.ptr, w->out.len);
    assert_string_equal(strrchr(w->out.ptr, 'v'), "v998,\"w\n998\"\n");
    sl_buf_done(&in);
}

static void a_bad_record_leaves_whole_batches_behind(void **state)
{
    struct world *w = *state;
    struct sl_buf in = { .max_bytes = 1 << 20 };
    struct sl_err e = { 0 };

    w->mode = CHANGE_NOTHING;
    numbered(&in, SL_TABLE_CSV, 1500);
    sl_buf_add_str(&in, SL_STR("1,2,3\n"));
    assert_int_equal(run(w, SL_TABLE_CSV, "b", sl_buf_str(&in), &e), SL_VALUE);
    assert_string_equal(e.msg,
                        "line 3002: 3 fields, the header has 2; the output ends before line 2000");
    assert_int_equal(w->calls_n, 1);
    assert_string_equal(strrchr(w->out.ptr, 'v'), "v998,\"w\n998\"\n");
    sl_buf_done(&in);
}

static void *runner_main(void *arg)
{
    struct sl_table_job *job = arg;

    assert_int_equal(sl_table_run(job, NULL), SL_OK);
    (void)close(job->out_fd);
    return NULL;
}

static void an_answer_does_not_wait_for_the_next_line(void **state)
{
    static const char *const lines[] = { "a\n", "\n", "bb\n" };
    static const char *const answers[] = { "<a>\n", "\n", "<bb>\n" };
    struct world *w = *state;
    struct sl_table_job job = {
        .form = SL_TABLE_LINES, .change = change, .report = report, .ctx = w
    };
    int in[2];
    int out[2];
    pthread_t thread;

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    job.in_fd = in[0];
    job.out_fd = w->out_fd = out[1];
    assert_int_equal(pthread_create(&thread, NULL, runner_main, &job), 0);
    for (int i = 0; i < 3; i++) {
        const size_t n = strlen(answers[i]);
        char got[8];

        assert_int_equal(write(in[1], lines[i], strlen(lines[i])), (ssize_t)strlen(lines[i]));
        assert_int_equal(read(out[0], got, sizeof got), (ssize_t)n);
        assert_memory_equal(got, answers[i], n);
    }
    assert_int_equal(close(in[1]), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)close(in[0]);
    (void)close(out[0]);
}

static void descriptors_that_fail_are_reported(void **state)
{
    struct world *w = *state;
    struct sl_table_job job = {
        .form = SL_TABLE_LINES, .in_fd = -1, .change = change, .report = report, .ctx = w
    };
    struct sl_err e = { 0 };

    assert_int_equal(sl_table_run(&job, &e), SL_IO);
    assert_string_equal(e.msg, "cannot read the input: Bad file descriptor");
    job.in_fd = file_of(SL_STR("a\n"));
    job.out_fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_int_equal(sl_table_run(&job, &e), SL_IO);
    assert_string_equal(e.msg, "cannot write the output: No space left on device");
    (void)close(job.in_fd);
    (void)close(job.out_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define RULE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        RULE(changes_the_named_values_and_nothing_else),
        RULE(input_that_comes_byte_by_byte_is_the_same_input),
        RULE(interrupted_calls_and_short_ones_change_nothing),
        RULE(waits_on_a_descriptor_that_does_not_block),
        RULE(what_stays_is_written_byte_for_byte),
        RULE(what_is_not_of_the_form_is_refused_with_its_line),
        RULE(what_is_refused_at_once_is_refused_byte_by_byte),
        RULE(columns_have_a_limit),
        RULE(nesting_has_a_limit),
        RULE(a_new_value_is_written_as_its_form_wants_it),
        RULE(json_shows_no_value_that_is_not_utf8),
        RULE(a_null_is_null_in_json_and_empty_elsewhere),
        RULE(a_new_value_has_a_limit),
        RULE(a_line_over_the_limit_becomes_an_empty_one),
        RULE(a_line_of_the_limit_is_taken),
        RULE(a_record_over_the_limit_ends_the_work),
        RULE(a_line_that_is_mostly_structure_is_taken),
        RULE(batches_are_bounded_and_come_in_order),
        RULE(nothing_of_a_batch_is_written_before_its_change),
        RULE(a_bad_record_leaves_whole_batches_behind),
        RULE(an_answer_does_not_wait_for_the_next_line),
        RULE(descriptors_that_fail_are_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
