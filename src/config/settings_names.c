/* config/settings_names.c - names looked up in a table of settings, and the nearest to a mistyped one. */
#include "config/settings.h"

bool sl_settings_find(const struct sl_settings *t, const char *path, unsigned *ret_i)
{
    for (unsigned i = 0; i < t->n; i++) {
        if (strcmp(t->rows[i].path, path) == 0) {
            *ret_i = i;
            return true;
        }
    }
    return false;
}

/* What follows "path." in a setting's path; "" if it does not stand below. */
static sl_str settings_below(const struct sl_setting *s, const char *path)
{
    sl_str rest = sl_str_of(s->path);
    const sl_str head = sl_str_of(path);

    if (head.len == 0) {
        return rest;
    }
    if (!sl_str_starts(rest, head) || rest.ptr[head.len] != '.') {
        return (sl_str){ 0 };
    }
    return (sl_str){ rest.ptr + head.len + 1, rest.len - head.len - 1 };
}

bool sl_settings_has_below(const struct sl_settings *t, const char *path)
{
    for (unsigned i = 0; path[0] != '\0' && i < t->n; i++) {
        if (settings_below(&t->rows[i], path).len > 0) {
            return true;
        }
    }
    return false;
}

/* The next name right below a path, from row *i on; "" at the end.  Names of one section repeat,
 * one after the other: only the first counts. */
static sl_str settings_next(const struct sl_settings *t, const char *path, unsigned *i,
                            sl_str before)
{
    while (*i < t->n) {
        sl_str rest = settings_below(&t->rows[(*i)++], path);
        const sl_str name = sl_str_cut(&rest, '.');

        if (name.len > 0 && !sl_str_eq(name, before)) {
            return name;
        }
    }
    return (sl_str){ 0 };
}

void sl_settings_allowed(const struct sl_settings *t, const char *path, struct sl_buf *out)
{
    unsigned i = 0;
    sl_str name = { 0 };

    for (bool is_first = true; (name = settings_next(t, path, &i, name)).len > 0;
         is_first = false) {
        sl_buf_printf(out, "%s%" SL_FMT, is_first ? "" : ", ", SL_ARG(name));
    }
}

enum {
    WORD_MAX = 32, /* no setting's name is longer */
    NEAR_MAX = 2,  /* edits */
};

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    const unsigned ab = a < b ? a : b;

    return ab < c ? ab : c;
}

/* Levenshtein distance; one row of the table at a time. */
static unsigned word_distance(sl_str a, sl_str b)
{
    unsigned row[WORD_MAX + 1];

    for (unsigned j = 0; j <= b.len; j++) {
        row[j] = j;
    }
    for (unsigned i = 1; i <= a.len; i++) {
        unsigned diagonal = row[0];

        row[0] = i;
        for (unsigned j = 1; j <= b.len; j++) {
            const unsigned change = diagonal + (a.ptr[i - 1] != b.ptr[j - 1]);

            diagonal = row[j];
            row[j] = least(row[j] + 1, row[j - 1] + 1, change);
        }
    }
    return row[b.len];
}

sl_str sl_settings_nearest(const struct sl_settings *t, const char *path, sl_str name)
{
    unsigned best = NEAR_MAX + 1;
    sl_str nearest = SL_STR("");
    sl_str other = { 0 };

    for (unsigned i = 0; (other = settings_next(t, path, &i, other)).len > 0;) {
        /* Every two-letter name is two edits from every other: that is not near. */
        if (name.len <= NEAR_MAX || name.len > WORD_MAX || other.len > WORD_MAX) {
            continue;
        }
        const unsigned distance = word_distance(name, other);

        if (distance < best) {
            best = distance;
            nearest = other;
        }
    }
    return nearest;
}
