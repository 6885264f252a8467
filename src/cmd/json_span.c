/* cmd/json_span.c - where the values of a JSON object stand in its text. */
#include "cmd/json_span.h"

static void span_skip_space(struct sl_json_span *s)
{
    while (s->at < s->end &&
           (*s->at == ' ' || *s->at == '\t' || *s->at == '\r' || *s->at == '\n')) {
        s->at++;
    }
}

static bool span_skip_byte(struct sl_json_span *s, char byte)
{
    span_skip_space(s);
    if (s->at == s->end || *s->at != byte) {
        return false;
    }
    s->at++;
    return true;
}

/* From the quote that opens a string to behind the one that closes it. */
static void span_skip_string(struct sl_json_span *s)
{
    for (s->at++; s->at < s->end && *s->at != '"'; s->at++) {
        if (*s->at == '\\' && s->at + 1 < s->end) {
            s->at++;
        }
    }
    s->at += s->at < s->end;
}

/* To the first byte that is not of the value, brackets and braces counted. */
static void span_skip_value(struct sl_json_span *s)
{
    unsigned depth = 0;

    while (s->at < s->end) {
        switch (*s->at) {
        case '"':
            span_skip_string(s);
            continue;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            if (depth == 0) {
                return;
            }
            depth--;
            break;
        case ',':
        case ' ':
        case '\t':
        case '\r':
        case '\n':
            if (depth == 0) {
                return;
            }
            break;
        default:
            break;
        }
        s->at++;
    }
}

struct sl_json_span sl_json_span_of(sl_str text)
{
    struct sl_json_span s = { text.ptr, text.ptr + text.len };

    (void)span_skip_byte(&s, '{');
    return s;
}

bool sl_json_span_next(struct sl_json_span *s, sl_str *ret)
{
    const char *from;

    (void)span_skip_byte(s, ','); /* before every member but the first */
    span_skip_space(s);
    if (s->at == s->end || *s->at != '"') {
        return false;
    }
    span_skip_string(s);
    if (!span_skip_byte(s, ':')) {
        return false;
    }
    span_skip_space(s);
    from = s->at;
    span_skip_value(s);
    *ret = (sl_str){ from, (size_t)(s->at - from) };
    return true;
}
