/* config/yaml.c - a YAML text as a tree in which every node knows its place. */
#include "config/yaml.h"

#include <stdarg.h>
#include <stdio.h>

#include <yaml.h>

enum {
    NODES_MAX = 50000, /* 1000 columns of eight settings are 17,000; aliases multiply */
    DEPTH_MAX = 16,    /* also ends an alias inside of what it stands for */
    NAME_MAX_CHARS = 96,
    CLIP_MAX_BYTES = 48,
};

/* One document on its way into a tree. */
struct yaml_loading {
    const char *name;
    yaml_document_t *document;
    struct sl_arena *a;
    sl_str *texts; /* of scalars, by node: aliases share them */
    unsigned nodes_n;
};

sl_rc sl_place_fail(struct sl_err *e, const char *here, struct sl_place place, const char *fmt, ...)
{
    const size_t len = place.name == NULL ? 0 : strlen(place.name);
    const bool is_long = len > NAME_MAX_CHARS;
    const char *name = is_long ? place.name + len - NAME_MAX_CHARS : len == 0 ? "" : place.name;
    char where[NAME_MAX_CHARS + 32];
    char what[1024]; /* as much as a report holds */
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    if (place.line == 0) {
        (void)snprintf(where, sizeof where, "%s%s", is_long ? "..." : "", name);
    } else {
        (void)snprintf(where, sizeof where, "%s%s:%u:%u", is_long ? "..." : "", name, place.line,
                       place.column);
    }
    return sl_err_set(e, SL_CONFIG, here, "%s: %s", where, what);
}

sl_str sl_yaml_clip(sl_str text)
{
    if (text.len > CLIP_MAX_BYTES) {
        text.len = CLIP_MAX_BYTES;
        while (text.len > 0 && ((unsigned char)text.ptr[text.len] & 0xc0) == 0x80) {
            text.len--; /* not in the middle of a character */
        }
    }
    return text;
}

const char *sl_yaml_kind_name(enum sl_yaml_kind kind)
{
    static const char *const names[] = { "a text", "a list", "a mapping" };

    return names[kind];
}

const struct sl_yaml *sl_yaml_member(const struct sl_yaml *y, sl_str name)
{
    if (y->kind == SL_YAML_MAP) {
        for (const struct sl_yaml *m = y->child; m != NULL; m = m->next) {
            if (sl_str_eq(m->name, name)) {
                return m;
            }
        }
    }
    return NULL;
}

static struct sl_place yaml_place(const char *name, yaml_mark_t mark)
{
    return (struct sl_place){ name, (unsigned)mark.line + 1, (unsigned)mark.column + 1 };
}

/* Bytes that are no text have an offset but no mark. */
static struct sl_place yaml_place_of_offset(const char *name, sl_str text, size_t offset)
{
    sl_str line = { text.ptr, offset < text.len ? offset : text.len };
    struct sl_place place = { name, 1, 1 };

    for (const char *end; line.len > 0 && (end = memchr(line.ptr, '\n', line.len)) != NULL;) {
        line.len -= (size_t)(end + 1 - line.ptr);
        line.ptr = end + 1;
        place.line++;
    }
    place.column += (unsigned)sl_str_chars(line);
    return place;
}

static sl_rc yaml_refuse(const yaml_parser_t *parser, const char *name, sl_str text,
                         struct sl_err *e)
{
    /* Only a second anchor of one name has a context here; its problem is "second occurrence". */
    const bool is_anchor = parser->error == YAML_COMPOSER_ERROR && parser->context != NULL;
    const char *said = is_anchor ? "an anchor is given twice" : parser->problem;
    const char *problem = said != NULL ? said : "it cannot be read";
    const char *hint = "";

    if (parser->error == YAML_MEMORY_ERROR) {
        return SL_FAIL(e, SL_NOMEM, "no memory to read %s", name);
    }
    if (parser->error == YAML_READER_ERROR) {
        return SL_FAIL_AT(e, yaml_place_of_offset(name, text, parser->problem_offset),
                          "not a text in UTF-8: %s", problem);
    }
    if (strstr(problem, "expected ',' or") != NULL) {
        hint = "; inside { } and [ ], quote a value that has one of ,[]{} in it";
    } else if (strstr(problem, "cannot start any token") != NULL) {
        hint = "; indent with spaces, quote a value that starts with one of @`%";
    }
    return SL_FAIL_AT(e, yaml_place(name, parser->problem_mark), "not valid YAML: %s%s", problem,
                      hint);
}

static bool yaml_is_null(const yaml_node_t *node, sl_str text)
{
    return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (text.len == 0 || sl_str_eq(text, SL_STR("~")) || sl_str_eq(text, SL_STR("null")) ||
            sl_str_eq(text, SL_STR("Null")) || sl_str_eq(text, SL_STR("NULL")));
}

static bool yaml_has_own_tag(const yaml_node_t *node)
{
    static const char *const tags[] = { [YAML_SCALAR_NODE] = YAML_DEFAULT_SCALAR_TAG,
                                        [YAML_SEQUENCE_NODE] = YAML_DEFAULT_SEQUENCE_TAG,
                                        [YAML_MAPPING_NODE] = YAML_DEFAULT_MAPPING_TAG };

    return node->tag != NULL && strcmp((const char *)node->tag, tags[node->type]) != 0;
}

static sl_rc yaml_load_node(struct yaml_loading *l, int id, unsigned depth, struct sl_yaml *y,
                            struct sl_err *e);

static sl_rc yaml_refuse_memory(const struct yaml_loading *l, struct sl_err *e)
{
    return SL_FAIL(e, SL_NOMEM, "no memory to read %s", l->name);
}

static sl_rc yaml_load_list(struct yaml_loading *l, const yaml_node_t *node, unsigned depth,
                            struct sl_yaml *list, struct sl_err *e)
{
    const struct sl_yaml **last = &list->child;

    for (const yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        struct sl_yaml *element = sl_arena_calloc(l->a, 1, sizeof *element);

        if (element == NULL) {
            return yaml_refuse_memory(l, e);
        }
        SL_TRY(yaml_load_node(l, *item, depth + 1, element, e));
        *last = element;
        last = &element->next;
        list->n++;
    }
    return SL_OK;
}

static sl_rc yaml_load_map(struct yaml_loading *l, const yaml_node_t *node, unsigned depth,
                           struct sl_yaml *map, struct sl_err *e)
{
    const struct sl_yaml **last = &map->child;

    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        struct sl_yaml *member = sl_arena_calloc(l->a, 1, sizeof *member);
        struct sl_yaml name = { 0 };

        if (member == NULL) {
            return yaml_refuse_memory(l, e);
        }
        SL_TRY(yaml_load_node(l, pair->key, depth + 1, &name, e));
        if (name.kind != SL_YAML_SCALAR) {
            return SL_FAIL_AT(e, name.at, "the name of a setting must be a text, not %s",
                              sl_yaml_kind_name(name.kind));
        }
        SL_TRY(yaml_load_node(l, pair->value, depth + 1, member, e));
        member->name = name.text;
        member->name_at = name.at;
        *last = member;
        last = &member->next;
        map->n++;
    }
    return SL_OK;
}

static sl_rc yaml_load_scalar(struct yaml_loading *l, const yaml_node_t *node, sl_str *shared,
                              struct sl_yaml *scalar, struct sl_err *e)
{
    const sl_str text = { (const char *)node->data.scalar.value, node->data.scalar.length };

    if (shared->ptr == NULL) {
        *shared = sl_arena_copy(l->a, text);
    }
    if (shared->ptr == NULL) {
        return yaml_refuse_memory(l, e);
    }
    scalar->text = *shared;
    scalar->is_null = yaml_is_null(node, text);
    return SL_OK;
}

/* The two limits of a node, whether it is written or stands for an alias. */
static sl_rc yaml_check_node(struct sl_place at, unsigned depth, unsigned nodes_n, struct sl_err *e)
{
    if (depth > DEPTH_MAX) {
        return SL_FAIL_AT(e, at, "nested deeper than %d levels", DEPTH_MAX);
    }
    if (nodes_n > NODES_MAX) {
        return SL_FAIL_AT(e, at, "more than %d values, those of aliases counted each time",
                          NODES_MAX);
    }
    return SL_OK;
}

/* Fill the node `y`, which is all zeros. */
static sl_rc yaml_load_node(struct yaml_loading *l, int id, unsigned depth, struct sl_yaml *y,
                            struct sl_err *e)
{
    const yaml_node_t *node = yaml_document_get_node(l->document, id);

    y->at = yaml_place(l->name, node->start_mark);
    SL_TRY(yaml_check_node(y->at, depth, ++l->nodes_n, e));
    if (yaml_has_own_tag(node)) {
        return SL_FAIL_AT(e, y->at, "tags such as !!int mean nothing here; leave it out");
    }
    if (node->type == YAML_SCALAR_NODE) {
        y->kind = SL_YAML_SCALAR;
        return yaml_load_scalar(l, node, &l->texts[id], y, e);
    }
    if (node->type == YAML_SEQUENCE_NODE) {
        y->kind = SL_YAML_LIST;
        return yaml_load_list(l, node, depth, y, e);
    }
    y->kind = SL_YAML_MAP;
    return yaml_load_map(l, node, depth, y, e);
}

static sl_rc yaml_start(yaml_parser_t *parser, const char *name, sl_str text, struct sl_err *e)
{
    if (!yaml_parser_initialize(parser)) {
        return SL_FAIL(e, SL_NOMEM, "no memory to read %s", name);
    }
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(parser, (const unsigned char *)text.ptr, text.len);
    return SL_OK;
}

/* Look for syntax and size first: libyaml's time to load grows with the square of the depth. */
static sl_rc yaml_check(const char *name, sl_str text, struct sl_err *e)
{
    SL_AUTO(yaml_parser_delete) yaml_parser_t parser = { 0 };
    yaml_event_type_t type = YAML_NO_EVENT;
    unsigned nodes_n = 0;
    unsigned depth = 0;

    SL_TRY(yaml_start(&parser, name, text, e));
    while (type != YAML_STREAM_END_EVENT) {
        SL_AUTO(yaml_event_delete) yaml_event_t event = { 0 };

        if (!yaml_parser_parse(&parser, &event)) {
            return yaml_refuse(&parser, name, text, e);
        }
        type = event.type;
        if (type == YAML_SEQUENCE_END_EVENT || type == YAML_MAPPING_END_EVENT) {
            depth--;
        } else if (type == YAML_ALIAS_EVENT || type == YAML_SCALAR_EVENT ||
                   type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT) {
            SL_TRY(yaml_check_node(yaml_place(name, event.start_mark), depth, ++nodes_n, e));
            depth += type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT;
        }
    }
    return SL_OK;
}

/* After the first document there must be the end of the text, and nothing else. */
static sl_rc yaml_end(yaml_parser_t *parser, const char *name, sl_str text, struct sl_err *e)
{
    SL_AUTO(yaml_document_delete) yaml_document_t second = { 0 };
    const yaml_node_t *root;

    if (!yaml_parser_load(parser, &second)) {
        return yaml_refuse(parser, name, text, e);
    }
    root = yaml_document_get_root_node(&second);
    if (root != NULL) {
        return SL_FAIL_AT(e, yaml_place(name, root->start_mark),
                          "a second document starts here; only one is allowed");
    }
    return SL_OK;
}

static sl_rc yaml_load_document(struct yaml_loading *l, const struct sl_yaml **ret,
                                struct sl_err *e)
{
    const yaml_document_t *d = l->document;
    struct sl_yaml *root = sl_arena_calloc(l->a, 1, sizeof *root);

    l->texts = sl_arena_calloc(l->a, (size_t)(d->nodes.top - d->nodes.start) + 1, sizeof *l->texts);
    if (root == NULL || l->texts == NULL) {
        return yaml_refuse_memory(l, e);
    }
    SL_TRY(yaml_load_node(l, 1, 0, root, e)); /* libyaml counts nodes from 1, the root */
    *ret = root;
    return SL_OK;
}

sl_rc sl_yaml_parse(const char *name, sl_str text, struct sl_arena *a, const struct sl_yaml **ret,
                    struct sl_err *e)
{
    SL_AUTO(yaml_parser_delete) yaml_parser_t parser = { 0 };
    SL_AUTO(yaml_document_delete) yaml_document_t document = { 0 };
    struct yaml_loading l = { .name = name, .document = &document, .a = a };
    const struct sl_yaml *root = NULL;

    SL_TRY(yaml_check(name, text, e));
    SL_TRY(yaml_start(&parser, name, text, e));
    if (!yaml_parser_load(&parser, &document)) {
        return yaml_refuse(&parser, name, text, e);
    }
    if (yaml_document_get_root_node(&document) != NULL) {
        SL_TRY(yaml_end(&parser, name, text, e));
        SL_TRY(yaml_load_document(&l, &root, e));
    }
    *ret = root;
    return SL_OK;
}
