/* tests/fuzz/fuzz_lines.c - any bytes as a file: the same lines whatever the pieces, and packed the
 * same as plain.
 *
 * The first byte of the input chooses the size of pieces and the longest line; the rest is the file.
 */
#include "fuzz.h"
#include "source/line_reader.h"

enum { FILE_BYTES = 64 << 10, OUT_BYTES = 16 << 20, ALL = 1 << 30 };

struct run {
    size_t piece;
    size_t line_max;
    struct sl_buf out; /* what was read: the number of a line, its text, a NUL each */
    sl_rc rc;
};

static void note(struct sl_buf *out, uint64_t number, sl_str text, bool is_too_long)
{
    sl_buf_add(out, &number, sizeof number);
    sl_buf_add_str(out, is_too_long ? SL_STR("") : text);
    sl_buf_add_char(out, is_too_long ? 'L' : '.');
}

static void feed(struct sl_line_reader *r, sl_str *in, size_t piece)
{
    size_t n = 0;
    char *room = sl_line_reader_room(r, &n);

    must(room != NULL && n > 0, "no room");
    n = n < piece ? n : piece;
    n = n < in->len ? n : in->len;
    memcpy(room, in->ptr, n);
    *in = (sl_str){ in->ptr + n, in->len - n };
    sl_line_reader_fed(r, n);
}

static void take(struct run *run, const struct sl_line *line)
{
    const sl_str text = sl_cleartext_publish(line->text);

    must(text.len <= run->line_max, "a line over its limit");
    must(line->is_too_long ? text.len == 0 : text.len > 0, "a line of nothing");
    must(text.len == 0 || memchr(text.ptr, '\n', text.len) == NULL, "two lines in one");
    note(&run->out, line->number, text, line->is_too_long);
}

static void read_all(struct run *run, sl_str in)
{
    struct sl_line_reader r;
    struct sl_arena a;
    struct sl_line line = { 0 };
    struct sl_err e;
    bool has = false;

    sl_buf_init(&run->out, OUT_BYTES);
    sl_arena_init(&a, 1 << 20, 4096);
    sl_line_reader_init(&r, SL_STR("-"), run->line_max);
    while ((run->rc = sl_line_reader_next(&r, &a, &line, &has, &e)) == SL_OK) {
        if (has) {
            take(run, &line);
        } else if (r.is_over) {
            break;
        } else {
            feed(&r, &in, run->piece);
        }
        sl_arena_reset(&a);
    }
    if (run->rc != SL_OK) {
        must(run->rc == SL_IO, sl_rc_name(run->rc));
        must_say(&e, SL_IO);
    }
    sl_line_reader_done(&r);
    sl_arena_done(&a);
}

/* ---- what must hold ---- */

static void check_plain(const struct run *run, sl_str in)
{
    struct sl_buf wanted;
    uint64_t number = 0;

    sl_buf_init(&wanted, OUT_BYTES);
    while (in.len > 0) {
        const sl_str whole = sl_str_cut(&in, '\n');
        sl_str line = whole;

        if (line.len > 0 && line.ptr[line.len - 1] == '\r') {
            line.len--;
        }
        if (number == 0 && sl_str_starts(line, SL_STR("\xef\xbb\xbf"))) {
            line = (sl_str){ line.ptr + 3, line.len - 3 };
        }
        number++;
        if (line.len > 0 || whole.len > run->line_max) {
            note(&wanted, number, line, whole.len > run->line_max);
        }
    }
    must(run->rc == SL_OK, "a plain file that is refused");
    must(sl_str_eq(sl_buf_str(&wanted), sl_buf_str(&run->out)), "other lines than there are");
    sl_buf_done(&wanted);
}

/* A file that breaks may break a little earlier in other pieces: a library looks ahead or not. */
static void check_pieces(const struct run *run, sl_str in)
{
    struct run whole = { .piece = ALL, .line_max = run->line_max };
    sl_str a = sl_buf_str(&run->out);
    sl_str b;

    read_all(&whole, in);
    b = sl_buf_str(&whole.out);
    must(run->rc == whole.rc, "pieces fare otherwise than the whole");
    must(a.len < b.len ? sl_str_starts(b, a) : sl_str_starts(a, b), "pieces read otherwise");
    must(run->rc != SL_OK || a.len == b.len, "lines are missing");
    sl_buf_done(&whole.out);
}

static size_t gzip(sl_str in, char *room, size_t n)
{
    z_stream z = { .next_in = (z_const Bytef *)in.ptr,
                   .avail_in = (uInt)in.len,
                   .next_out = (Bytef *)room,
                   .avail_out = (uInt)n };

    must(deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK, "gzip");
    must(deflate(&z, Z_FINISH) == Z_STREAM_END, "gzip");
    n = z.total_out;
    (void)deflateEnd(&z);
    return n;
}

static void check_packed(const struct run *plain, sl_str in, bool is_zstd)
{
    const size_t room_n = 2 * (size_t)FILE_BYTES;
    char *room = malloc(room_n);
    struct run run = { .piece = plain->piece, .line_max = plain->line_max };
    size_t n;

    must(room != NULL, "memory");
    n = is_zstd ? ZSTD_compress(room, room_n, in.ptr, in.len, 1) : gzip(in, room, room_n);
    must(!ZSTD_isError(n), "zstd");
    read_all(&run, (sl_str){ room, n });
    must(run.rc == SL_OK, "packed, it is refused");
    must(sl_str_eq(sl_buf_str(&run.out), sl_buf_str(&plain->out)), "packed, it has other lines");
    sl_buf_done(&run.out);
    free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const size_t maxima[] = { 1, 10, 1000, FILE_BYTES };
    static const size_t pieces[] = { 1, 2, 5, 100, 4096, ALL };
    struct run run = { 0 };
    sl_str in;

    if (n == 0 || n > FILE_BYTES) {
        return 0;
    }
    in = (sl_str){ (const char *)data + 1, n - 1 };
    run.line_max = maxima[data[0] % 4];
    run.piece = pieces[data[0] / 4 % 6];
    read_all(&run, in);
    check_pieces(&run, in);
    if (sl_packing_of(in) == SL_PACKING_NONE) {
        check_plain(&run, in);
        check_packed(&run, in, (data[0] & 0x80) != 0);
    }
    sl_buf_done(&run.out);
    return 0;
}
