/* config/path.c - where in a JSON body a value is: device.id, tags[0], "odd.name"[1].x */
#include "config/path.h"

enum {
    STEPS_MAX = 64, /* as deep as JSON is accepted */
    INDEX_MAX = 999999,
};

/* A path being taken apart; `names` has room for all of its names. */
struct path_parts {
    sl_str rest;
    char *names;
    struct sl_path_step steps[STEPS_MAX];
    unsigned n;
};

static void path_skip(struct path_parts *p, size_t n)
{
    p->rest.ptr += n;
    p->rest.len -= n;
}

static void path_keep(struct path_parts *p, struct sl_path_step *step, char c)
{
    *p->names++ = c;
    step->name.len++;
}

static sl_rc path_index(struct path_parts *p, struct sl_err *e)
{
    struct sl_path_step *step = &p->steps[p->n++];
    int64_t index = -1;
    sl_str digits;

    path_skip(p, 1);
    digits = sl_str_cut(&p->rest, ']');
    /* Without a ] the cut leaves nothing at all. */
    if (p->rest.ptr == NULL || digits.len == 0 || digits.ptr[0] == '-' ||
        !sl_str_to_i64(digits, &index) || index > INDEX_MAX) {
        return SL_FAIL(e, SL_CONFIG, "an index must be [0] to [%d]", INDEX_MAX);
    }
    *step = (struct sl_path_step){ .index = (unsigned)index, .is_index = true };
    return SL_OK;
}

static sl_rc path_quoted_name(struct path_parts *p, struct sl_err *e)
{
    struct sl_path_step *step = &p->steps[p->n++];

    step->name = (sl_str){ p->names, 0 };
    for (path_skip(p, 1); p->rest.len > 0; path_skip(p, 1)) {
        if (p->rest.ptr[0] == '"') {
            path_skip(p, 1);
            if (p->rest.len == 0 || p->rest.ptr[0] != '"') {
                return SL_OK;
            }
        }
        path_keep(p, step, p->rest.ptr[0]);
    }
    return SL_FAIL(e, SL_CONFIG, "a quote is not closed");
}

static sl_rc path_plain_name(struct path_parts *p, struct sl_err *e)
{
    struct sl_path_step *step = &p->steps[p->n++];

    step->name = (sl_str){ p->names, 0 };
    for (; p->rest.len > 0 && p->rest.ptr[0] != '.' && p->rest.ptr[0] != '['; path_skip(p, 1)) {
        if (strchr(" ]\"", p->rest.ptr[0]) != NULL) {
            return SL_FAIL(e, SL_CONFIG, "a name with a blank, ] or \" in it must be quoted");
        }
        path_keep(p, step, p->rest.ptr[0]);
    }
    return step->name.len > 0 ? SL_OK : SL_FAIL(e, SL_CONFIG, "a name is empty");
}

static sl_rc path_step(struct path_parts *p, struct sl_err *e)
{
    if (p->n == STEPS_MAX) {
        return SL_FAIL(e, SL_CONFIG, "it is deeper than %d steps", STEPS_MAX);
    }
    if (p->n > 0 && p->rest.ptr[0] == '[') {
        return path_index(p, e);
    }
    if (p->n > 0) {
        if (p->rest.ptr[0] != '.') {
            return SL_FAIL(e, SL_CONFIG, "after a quote or an index comes . or [");
        }
        path_skip(p, 1);
    }
    return p->rest.len > 0 && p->rest.ptr[0] == '"' ? path_quoted_name(p, e)
                                                    : path_plain_name(p, e);
}

sl_rc sl_path_parse(sl_str text, struct sl_arena *a, const struct sl_path_step **ret,
                    unsigned *ret_n, struct sl_err *e)
{
    struct path_parts p = { .rest = text, .names = sl_arena_alloc(a, text.len + 1) };
    struct sl_path_step *steps;

    if (p.names == NULL) {
        return SL_FAIL(e, SL_NOMEM, "no memory for a path");
    }
    do {
        SL_TRY(path_step(&p, e));
    } while (p.rest.len > 0);
    steps = sl_arena_calloc(a, p.n, sizeof *steps);
    if (steps == NULL) {
        return SL_FAIL(e, SL_NOMEM, "no memory for a path");
    }
    memcpy(steps, p.steps, p.n * sizeof *steps);
    *ret = steps;
    *ret_n = p.n;
    return SL_OK;
}
