/* base/json.h - strict JSON (RFC 8259) as a tree in an arena, parsed by simdjson.
 *
 * Numbers stay the text they were, so a field that nobody reads never fails a record; strings
 * are unescaped.  Everything is cleartext until somebody says otherwise.
 */
#ifndef SLUICE_BASE_JSON_H
#define SLUICE_BASE_JSON_H

#include "base/arena.h"
#include "base/cleartext.h"

enum {
    SL_JSON_PADDING = 64, /* readable bytes that simdjson wants behind its input */
    SL_JSON_DEPTH = 64,   /* deepest nesting accepted */
};

enum sl_json_type {
    SL_JSON_NULL,
    SL_JSON_BOOL,
    SL_JSON_NUMBER,
    SL_JSON_STRING,
    SL_JSON_LONE_SURROGATE, /* a string that is no text: it has half of a surrogate pair */
    SL_JSON_ARRAY,
    SL_JSON_OBJECT,
};

struct sl_json {
    enum sl_json_type type;
    unsigned n;                  /* elements or members, of an array or object */
    sl_cleartext name;           /* of a member, unescaped */
    sl_cleartext text;           /* string: unescaped; else: as it stands in the input */
    const struct sl_json *child; /* first element or member */
    const struct sl_json *next;  /* next one of the same parent */
};

/* What is wrong with a text that is not the JSON asked for. */
enum sl_json_fault {
    SL_JSON_OK,
    SL_JSON_EMPTY,         /* nothing but white space */
    SL_JSON_NOT_JSON,      /* not well formed, cut off, or followed by something */
    SL_JSON_NOT_UTF8,      /* bytes that are not UTF-8 */
    SL_JSON_TOO_DEEP,      /* nested deeper than SL_JSON_DEPTH */
    SL_JSON_DUPLICATE_KEY, /* one name twice in one object */
};

struct sl_json_parser;

/* Make a parser; it grows to the largest text it has seen, up to `max_bytes`.
 * Errors: SL_NOMEM (retry) */
sl_rc sl_json_parser_new(size_t max_bytes, struct sl_json_parser **ret, struct sl_err *e)
    SL_MUST_CHECK;
void sl_json_parser_free(struct sl_json_parser *p);
void sl_json_parser_freep(struct sl_json_parser **p);

/* Parse a whole text.
 *
 * Shape:   text is followed by SL_JSON_PADDING readable bytes
 * Owns:    the tree lives in `a` and points into `text`: keep both
 * Returns: in *ret_fault what is wrong with the text; *ret_root is set when that is SL_JSON_OK
 * Errors:  SL_NOMEM (retry)  the arena or the parser's limit is full
 * Threads: one per parser
 * Source:  RFC 8259; duplicate names: RFC 8259 section 4 leaves them open, here they are refused
 */
sl_rc sl_json_parse(struct sl_json_parser *p, sl_cleartext text, struct sl_arena *a,
                    const struct sl_json **ret_root, enum sl_json_fault *ret_fault,
                    struct sl_err *e) SL_MUST_CHECK;

/* Copy a text into an arena, with what the parser wants behind it.
 * Errors: SL_NOMEM (retry) */
sl_rc sl_json_padded(sl_cleartext text, struct sl_arena *a, sl_cleartext *ret, struct sl_err *e)
    SL_MUST_CHECK;

/* The member of an object by name, or the element of an array by position; NULL if there is none
 * or `j` is of another type. */
const struct sl_json *sl_json_member(const struct sl_json *j, sl_str name);
const struct sl_json *sl_json_element(const struct sl_json *j, unsigned i);

#endif
