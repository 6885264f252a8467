/* cmd/top_page.h - rows of text in sections, and which of them a terminal of some height shows. */
#ifndef SLUICE_CMD_TOP_PAGE_H
#define SLUICE_CMD_TOP_PAGE_H

#include "base/arena.h"
#include "base/buf.h"

enum sl_top_look {
    SL_TOP_PLAIN,
    SL_TOP_STRONG,
    SL_TOP_BAR, /* as wide as the terminal */
};

struct sl_top_row {
    sl_str text; /* at most as wide as the page; without control characters */
    enum sl_top_look look;
};

/* In the order in which they stand on the page. */
enum sl_top_part {
    SL_TOP_TITLE,
    SL_TOP_STATUS,
    SL_TOP_FLOW,
    SL_TOP_COUNTS,
    SL_TOP_CHARTS,
    SL_TOP_WORKERS,
    SL_TOP_ERRORS, /* scrolls below its first row */
    SL_TOP_KEYS,   /* at the bottom */
    SL_TOP_PARTS_N,
};

enum { SL_TOP_ROWS_MAX = 1024, SL_TOP_COLS_MAX = 512 };

struct sl_top_page {
    struct sl_arena *a;
    unsigned cols;
    bool is_utf8;
    enum sl_top_part part; /* that rows are added to */
    unsigned first[SL_TOP_PARTS_N];
    unsigned n[SL_TOP_PARTS_N];
    unsigned rows_n;
    struct sl_top_row rows[SL_TOP_ROWS_MAX];
};

/* An empty page, `cols` wide, SL_TOP_COLS_MAX at most; what is added is copied into `a`. */
void sl_top_page_init(struct sl_top_page *p, struct sl_arena *a, unsigned cols, bool is_utf8);

/* What is added from now on belongs to this part, each of which is begun once. */
void sl_top_page_begin(struct sl_top_page *p, enum sl_top_part part);

/* One row of clean text, cut by the page's width; without UTF-8, what is not ASCII becomes '?'. */
void sl_top_page_add(struct sl_top_page *p, enum sl_top_look look, sl_str text);
void sl_top_page_printf(struct sl_top_page *p, enum sl_top_look look, const char *fmt, ...)
    SL_PRINTF(3, 4);

/* A clean text in as many rows as it takes, at most `rows_max`; all but the first are `indent` columns
 * in. */
void sl_top_page_wrap(struct sl_top_page *p, enum sl_top_look look, unsigned indent,
                      unsigned rows_max, sl_str text);

/* Choose what `height` rows show: the least of each part first, then more from above to below.
 *
 * Shape:   height 0: everything.  *scroll is lowered to what there is to scroll
 * Owns:    the rows live in the page's arena
 * Returns: how many rows; 0 when memory ran out
 */
unsigned sl_top_page_fit(const struct sl_top_page *p, unsigned height, unsigned *scroll,
                         const struct sl_top_row **ret);

#endif
