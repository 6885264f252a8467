/* tests/fuzz/json_grammar.h - RFC 8259 once more, as plainly as it can be written: what base/json
 * takes and refuses is compared with this. */
#ifndef SLUICE_TESTS_JSON_GRAMMAR_H
#define SLUICE_TESTS_JSON_GRAMMAR_H

#include "base/str.h"

/* Where reading stands; `depth` is that of the deepest array or object seen. */
struct grammar {
    const char *at;
    const char *end;
    unsigned depth;
};

enum { GRAMMAR_DEPTH_MAX = 10000 }; /* for this program's own stack */

static inline bool grammar_value(struct grammar *g, unsigned depth);

static inline void grammar_space(struct grammar *g)
{
    while (g->at < g->end &&
           (*g->at == ' ' || *g->at == '\t' || *g->at == '\n' || *g->at == '\r')) {
        g->at++;
    }
}

static inline bool grammar_byte(struct grammar *g, char c)
{
    if (g->at == g->end || *g->at != c) {
        return false;
    }
    g->at++;
    return true;
}

static inline bool grammar_word(struct grammar *g, sl_str word)
{
    const sl_str rest = { g->at, (size_t)(g->end - g->at) };

    if (!sl_str_starts(rest, word)) {
        return false;
    }
    g->at += word.len;
    return true;
}

static inline bool grammar_digits(struct grammar *g)
{
    const char *from = g->at;

    while (g->at < g->end && *g->at >= '0' && *g->at <= '9') {
        g->at++;
    }
    return g->at > from;
}

static inline bool grammar_number(struct grammar *g)
{
    (void)grammar_byte(g, '-');
    if (!grammar_byte(g, '0') && !grammar_digits(g)) {
        return false;
    }
    if (grammar_byte(g, '.') && !grammar_digits(g)) {
        return false;
    }
    if (grammar_byte(g, 'e') || grammar_byte(g, 'E')) {
        (void)(grammar_byte(g, '+') || grammar_byte(g, '-'));
        return grammar_digits(g);
    }
    return true;
}

static inline bool grammar_escape(struct grammar *g)
{
    if (!grammar_byte(g, 'u')) {
        return g->at < g->end && memchr("\"\\/bfnrt", *g->at++, 8) != NULL;
    }
    for (unsigned i = 0; i < 4; i++) {
        if (g->at == g->end || memchr("0123456789abcdefABCDEF", *g->at++, 22) == NULL) {
            return false;
        }
    }
    return true;
}

static inline bool grammar_string(struct grammar *g)
{
    if (!grammar_byte(g, '"')) {
        return false;
    }
    while (!grammar_byte(g, '"')) {
        if (g->at == g->end || (unsigned char)*g->at < ' ') {
            return false;
        }
        if (*g->at++ == '\\' && !grammar_escape(g)) {
            return false;
        }
    }
    return true;
}

/* What stands between brackets or braces, up to the one that closes. */
static inline bool grammar_list(struct grammar *g, bool is_object, unsigned depth)
{
    const char last = is_object ? '}' : ']';

    grammar_space(g);
    if (grammar_byte(g, last)) {
        return true;
    }
    do {
        if (is_object) {
            grammar_space(g);
            if (!grammar_string(g)) {
                return false;
            }
            grammar_space(g);
            if (!grammar_byte(g, ':')) {
                return false;
            }
        }
        if (!grammar_value(g, depth + 1)) {
            return false;
        }
    } while (grammar_byte(g, ','));
    return grammar_byte(g, last);
}

static inline bool grammar_value(struct grammar *g, unsigned depth)
{
    bool is_good;

    grammar_space(g);
    if (g->at == g->end || depth > GRAMMAR_DEPTH_MAX) {
        return false;
    }
    if (*g->at == '{' || *g->at == '[') {
        const bool is_object = *g->at++ == '{';

        g->depth = depth > g->depth ? depth : g->depth;
        is_good = grammar_list(g, is_object, depth);
    } else if (*g->at == '"') {
        is_good = grammar_string(g);
    } else {
        is_good = grammar_word(g, SL_STR("null")) || grammar_word(g, SL_STR("true")) ||
                  grammar_word(g, SL_STR("false")) || grammar_number(g);
    }
    grammar_space(g);
    return is_good;
}

/* Whether a text is one JSON value; *ret_depth is set when it is. */
static inline bool grammar_accepts(sl_str text, unsigned *ret_depth)
{
    struct grammar g = { text.ptr, text.ptr + text.len, 0 };
    const bool is_good = grammar_value(&g, 1) && g.at == g.end;

    *ret_depth = g.depth;
    return is_good;
}

#endif
