/* cmd/table_lines.c - a table whose every line is a value. */
#include "cmd/table.h"

/* The first `n` bytes of the rest are of a line that is too long: said once, and left out. */
static void lines_drop(struct sl_table *t, size_t n)
{
    struct sl_table_patch *last = t->patches_n > 0 ? &t->patches[t->patches_n - 1] : NULL;

    if (!t->is_skipping) {
        sl_table_report(t, 0, t->line, "the line is over 65536 bytes");
    }
    if (t->is_skipping && last != NULL && last->to == t->record_at) {
        last->to += n;
    } else if (n > 0) {
        sl_table_patch_add(t, t->record_at, t->record_at + n, NULL);
    }
    t->record_at += n;
    t->seen = 0;
}

void sl_table_lines_take(struct sl_table *t, bool *ret_is_taken)
{
    sl_str line;
    size_t n = 0;
    const bool is_whole = sl_table_line(t, &line, &n) || (t->is_at_end && t->is_skipping);

    *ret_is_taken = is_whole;
    if (is_whole) {
        t->lacks_end = n == line.len;
    }
    if (t->is_skipping || line.len > SL_TABLE_LINE_MAX) {
        lines_drop(t, line.len);
        t->is_skipping = !is_whole;
        n -= line.len;
    } else if (is_whole) {
        line.len -= line.len > 0 && line.ptr[line.len - 1] == '\r'; /* of the line end */
        if (line.len > 0) {
            sl_table_patch_add(t, t->record_at, t->record_at + line.len,
                               sl_table_cell_add(t, 0, line));
        }
    }
    if (is_whole) {
        sl_table_took(t, n, 1);
    }
}
