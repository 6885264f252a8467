/* config/yaml.h - a YAML text as a tree in which every node knows its place. */
#ifndef SLUICE_CONFIG_YAML_H
#define SLUICE_CONFIG_YAML_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* Where something was written. */
struct sl_place {
    const char *name; /* the file, or the flag; NULL: nowhere */
    unsigned line;    /* from 1; 0 for a flag */
    unsigned column;  /* from 1, in characters */
};

enum sl_yaml_kind { SL_YAML_SCALAR, SL_YAML_LIST, SL_YAML_MAP };

struct sl_yaml {
    enum sl_yaml_kind kind;
    bool is_null;            /* a scalar that says nothing: empty, ~ or null, without quotes */
    unsigned n;              /* elements or members, of a list or map */
    struct sl_place at;      /* of the value */
    struct sl_place name_at; /* of the name, of a member */
    sl_str name;             /* of a member */
    sl_str text;             /* of a scalar */
    const struct sl_yaml *child;
    const struct sl_yaml *next;
};

/* Parse one document.  Aliases are followed: the tree is what they stand for.
 *
 * Shape:   UTF-8, one document, at most 50,000 nodes and 16 levels, no tags
 * Owns:    the tree lives in `a`, with copies of the text; `name` must live as long
 * Returns: in *ret NULL when the text has no document
 * Errors:  SL_CONFIG (stop)  "name:line:column: what is wrong"
 *          SL_NOMEM (retry)
 * Source:  YAML 1.1, as libyaml reads it
 */
sl_rc sl_yaml_parse(const char *name, sl_str text, struct sl_arena *a, const struct sl_yaml **ret,
                    struct sl_err *e) SL_MUST_CHECK;

/* The member of a map by name, NULL if there is none or `y` is no map. */
const struct sl_yaml *sl_yaml_member(const struct sl_yaml *y, sl_str name);

/* What a node is, for messages: "a text", "a list", "a mapping". */
const char *sl_yaml_kind_name(enum sl_yaml_kind kind);

/* A name or value of the configuration's, short enough for a message. */
sl_str sl_yaml_clip(sl_str text);

/* Fill a report with "file:line:column: ..."; returns SL_CONFIG. */
sl_rc sl_place_fail(struct sl_err *e, const char *here, struct sl_place place, const char *fmt, ...)
    SL_PRINTF(4, 5);

#define SL_FAIL_AT(e, place, ...) sl_place_fail((e), SL_HERE, (place), __VA_ARGS__)

#endif
