/* cmd/top_page.c - rows of text, and which of them fit. */
#include "cmd/top_page.h"

#include <stdarg.h>
#include <stdio.h>

#include "cmd/top_text.h"

enum { LINE_MAX_BYTES = 4096 };

void sl_top_page_init(struct sl_top_page *p, struct sl_arena *a, unsigned cols, bool is_utf8)
{
    *p = (struct sl_top_page){ .a = a,
                               .cols = cols < SL_TOP_COLS_MAX ? cols : SL_TOP_COLS_MAX,
                               .is_utf8 = is_utf8 };
}

void sl_top_page_begin(struct sl_top_page *p, enum sl_top_part part)
{
    p->part = part;
    p->first[part] = p->rows_n;
}

static sl_str ascii_of(sl_str text, struct sl_arena *a)
{
    SL_AUTO(sl_buf_done) struct sl_buf out = { .max_bytes = LINE_MAX_BYTES };

    for (size_t i = 0; i < text.len; i++) {
        const unsigned char c = (unsigned char)text.ptr[i];

        if (c < 0x80) {
            sl_buf_add_char(&out, text.ptr[i]);
        } else if (c >= 0xc0) { /* the first byte of a character */
            sl_buf_add_char(&out, '?');
        }
    }
    return sl_arena_copy(a, sl_buf_str(&out));
}

void sl_top_page_add(struct sl_top_page *p, enum sl_top_look look, sl_str text)
{
    sl_str line;

    if (p->rows_n == SL_TOP_ROWS_MAX) {
        return;
    }
    line = p->is_utf8 ? sl_arena_copy(p->a, sl_top_cut(text, p->cols))
                      : sl_top_cut(ascii_of(text, p->a), p->cols);
    p->rows[p->rows_n++] = (struct sl_top_row){ .text = line, .look = look };
    p->n[p->part]++;
}

void sl_top_page_printf(struct sl_top_page *p, enum sl_top_look look, const char *fmt, ...)
{
    char text[LINE_MAX_BYTES];
    va_list args;
    int len;

    va_start(args, fmt);
    len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (len >= 0) {
        sl_top_page_add(p, look, sl_top_clean(sl_str_of(text), p->a));
    }
}

void sl_top_page_wrap(struct sl_top_page *p, enum sl_top_look look, unsigned indent,
                      unsigned rows_max, sl_str text)
{
    const unsigned in = p->cols > indent + 10 ? indent : 0;

    for (unsigned i = 0; i < rows_max && text.len > 0 && p->cols > 2; i++) {
        const unsigned left = i > 0 ? in : 0;
        const sl_str line = sl_top_wrap(&text, p->cols - left);

        sl_top_page_printf(p, look, "%*s%" SL_FMT, (int)left, "", SL_ARG(line));
    }
}

/* ---- what fits ----------------------------------------------------------------------------------- */

/* The least that each part wants, the most urgent one first. */
static const struct {
    enum sl_top_part part;
    unsigned rows;
} least[] = {
    { SL_TOP_TITLE, 1 }, { SL_TOP_STATUS, 2 }, { SL_TOP_KEYS, 1 },
    { SL_TOP_FLOW, 10 }, { SL_TOP_ERRORS, 3 }, { SL_TOP_COUNTS, 1 },
};

static void grow(unsigned *shown, unsigned wanted, unsigned *room)
{
    const unsigned more = wanted > *shown ? wanted - *shown : 0;
    const unsigned taken = more < *room ? more : *room;

    *shown += taken;
    *room -= taken;
}

static unsigned lower(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static void share_out(const struct sl_top_page *p, unsigned height, unsigned *shown)
{
    unsigned room = height;

    for (size_t i = 0; i < sizeof least / sizeof *least; i++) {
        grow(&shown[least[i].part], lower(p->n[least[i].part], least[i].rows), &room);
    }
    for (unsigned i = 0; i < SL_TOP_PARTS_N; i++) { /* many workers are not worth the errors */
        grow(&shown[i], lower(p->n[i], i == SL_TOP_WORKERS ? height / 4 : height), &room);
    }
    grow(&shown[SL_TOP_WORKERS], p->n[SL_TOP_WORKERS], &room);
}

struct sheet {
    const struct sl_top_page *page;
    struct sl_top_row *rows;
    unsigned n;
};

static void sheet_blanks(struct sheet *s, unsigned n)
{
    for (; n > 0; n--) {
        s->rows[s->n++] = (struct sl_top_row){ .text = SL_STR("") };
    }
}

/* What was left out is counted in the last row, but not in place of the only one. */
static void sheet_part(struct sheet *s, enum sl_top_part part, unsigned shown, unsigned scroll)
{
    const unsigned n = s->page->n[part];
    const struct sl_top_row *rows = &s->page->rows[s->page->first[part]];

    for (unsigned i = 0; i < shown; i++) {
        s->rows[s->n++] = rows[i > 0 ? i + scroll : 0];
    }
    if (part != SL_TOP_ERRORS && shown > 1 && shown < n) {
        const sl_str text = sl_arena_printf(s->page->a, "  + %u more", n - shown + 1);

        s->rows[s->n - 1].text = sl_top_cut(text, s->page->cols);
    }
}

/* Where there is room, the parts stand apart. */
static bool has_gap(const struct sl_top_page *p, enum sl_top_part part, unsigned height)
{
    static const unsigned from_height[SL_TOP_PARTS_N] = {
        [SL_TOP_FLOW] = 20, [SL_TOP_CHARTS] = 30, [SL_TOP_WORKERS] = 30, [SL_TOP_ERRORS] = 20
    };

    return p->n[part] > 0 && from_height[part] > 0 && height >= from_height[part];
}

static unsigned gaps_of(const struct sl_top_page *p, unsigned height)
{
    unsigned gaps = 0;

    for (unsigned i = 0; i < SL_TOP_PARTS_N; i++) {
        gaps += has_gap(p, (enum sl_top_part)i, height);
    }
    return gaps;
}

unsigned sl_top_page_fit(const struct sl_top_page *p, unsigned height, unsigned *scroll,
                         const struct sl_top_row **ret)
{
    const unsigned tall = height > 0 ? height : SL_TOP_ROWS_MAX + SL_TOP_PARTS_N;
    unsigned shown[SL_TOP_PARTS_N] = { 0 };
    struct sheet s = { .page = p };

    s.rows = sl_arena_calloc(p->a, tall, sizeof *s.rows);
    if (s.rows == NULL) {
        return 0;
    }
    share_out(p, tall - gaps_of(p, tall), shown);
    *scroll = lower(*scroll, p->n[SL_TOP_ERRORS] - shown[SL_TOP_ERRORS]);
    for (unsigned i = 0; i < SL_TOP_PARTS_N; i++) {
        sheet_blanks(&s, has_gap(p, (enum sl_top_part)i, tall));
        if (i == SL_TOP_KEYS && height > 0) {
            sheet_blanks(&s, height - s.n - shown[SL_TOP_KEYS]);
        }
        sheet_part(&s, (enum sl_top_part)i, shown[i], i == SL_TOP_ERRORS ? *scroll : 0);
    }
    *ret = s.rows;
    return s.n;
}
