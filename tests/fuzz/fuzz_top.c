/* tests/fuzz/fuzz_top.c - any bytes as the answer of a run, and any size of the terminal: what is shown is
 * text and nothing but text, as wide and as high as the terminal and no more. */
#include <utf8proc.h>

#include "cmd/top_text.h"
#include "cmd/top_view.h"
#include "fuzz.h"

enum { TEXT_MAX = 16 << 10, ARENA_MAX = 32 << 20, HEAD = 4 /* bytes that say how it is shown */ };

static struct sl_arena arena;

static void check_text(sl_str text, bool is_utf8)
{
    for (size_t i = 0; i < text.len;) {
        utf8proc_int32_t c;
        const utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text.ptr + i,
                                                    (utf8proc_ssize_t)(text.len - i), &c);

        must(n > 0, "bytes that are no UTF-8");
        must(c >= ' ' && c != 0x7f && !(c >= 0x80 && c < 0xa0), "a control character");
        must(c != 0x2028 && c != 0x2029 && !(c >= 0x200b && c <= 0x200f) &&
                 !(c >= 0x202a && c <= 0x202e) && !(c >= 0x2066 && c <= 0x2069),
             "a character that moves or hides others");
        must(is_utf8 || c < 0x80, "more than ASCII");
        i += (size_t)n;
    }
}

static void check_rows(const struct sl_top_view *v, const struct sl_top_row *rows, unsigned n)
{
    must(v->height == 0 || n <= v->height, "more rows than the terminal has");
    for (unsigned i = 0; i < n; i++) {
        check_text(rows[i].text, v->is_utf8);
        must(sl_top_width(rows[i].text) <= v->cols, "a row wider than the terminal");
    }
}

/* What was shown at the end of the scrolling is still shown when it is asked for again. */
static void check_view(struct sl_top_view *v)
{
    const struct sl_top_row *rows = NULL;
    unsigned n = sl_top_view_rows(v, &arena, &rows);
    const unsigned scroll = v->scroll;

    check_rows(v, rows, n);
    n = sl_top_view_rows(v, &arena, &rows);
    check_rows(v, rows, n);
    must(v->scroll == scroll, "the scrolling does not end");
}

static const struct sl_top_state *state_read(sl_str text)
{
    const struct sl_top_state *s = NULL;
    struct sl_err e = { 0 };
    const sl_rc rc = sl_top_state_read(text, &arena, &s, &e);

    if (rc != SL_OK) {
        must_say(&e, rc);
        must(s == NULL, "a refusal that writes");
        return NULL;
    }
    must(s->counts.received >= SL_TOP_UNKNOWN && s->now_ms >= SL_TOP_UNKNOWN, "a negative number");
    return s;
}

static bool history_read(sl_str text, struct sl_top_history *ret)
{
    struct sl_err e = { 0 };
    const sl_rc rc = sl_top_history_read(text, &arena, ret, &e);

    if (rc != SL_OK) {
        must_say(&e, rc);
        return false;
    }
    must(ret->n <= SL_TOP_POINTS_MAX, "too many points");
    for (unsigned i = 0; i < ret->n; i++) {
        must(ret->received[i] >= 0 && ret->loaded[i] >= 0, "a negative rate");
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct sl_top_history history;
    struct sl_top_pace pace = { 0 };
    struct sl_top_view v = { .url = "http://127.0.0.1:9464", .pace = &pace };
    sl_str text;

    if (n < HEAD || n > TEXT_MAX) {
        return 0;
    }
    sl_arena_init(&arena, ARENA_MAX, 64 << 10);
    v.cols = data[0];
    v.height = data[1] & 0x7f;
    v.scroll = data[2];
    v.is_utf8 = (data[3] & 1) != 0;
    v.has_help = (data[3] & 2) != 0;
    v.absent = (data[3] & 4) != 0 ? "nobody answers" : NULL;
    text = (sl_str){ (const char *)data + HEAD, n - HEAD };
    v.state = state_read(text);
    v.history = history_read(text, &history) ? &history : NULL;
    if (v.state != NULL) {
        sl_top_pace_add(&pace, v.state);
    }
    check_view(&v);
    sl_arena_done(&arena);
    return 0;
}
