/* source/sqs_xml.c - an XML answer of SQS, in the shape of its JSON answers, read by expat. */
#include "source/sqs_xml.h"

#include <expat.h>
#include <stdlib.h>

#include "base/buf.h"

enum {
    DEPTH_MAX = 8,        /* an attribute's value stands at the sixth level */
    ELEMENTS_MAX = 10000, /* ten messages with ten attributes have less than a thousand */
    PIECE_BYTES = 256 << 10,
};

/* Under construction: `json` comes first, so that a child found by name is one of these. */
struct xml_node {
    struct sl_json json;
    struct xml_node *last; /* child */
};

struct xml_open {
    sl_str tag;
    struct xml_node *node;
};

struct xml {
    XML_Parser expat;
    struct sl_arena *a;
    struct xml_open open[DEPTH_MAX];
    unsigned depth;
    unsigned elements;
    struct sl_buf text;           /* since the last tag */
    const struct sl_json *result; /* what stands in <...Result> */
    bool is_response;
    bool has_no_memory;
    const char *fault; /* NULL for none, or for one of expat's */
};

/* ---- expat's memory: it copies what it reads, so what it frees is wiped ------------------------ */

struct xml_block {
    size_t bytes;
    max_align_t memory[];
};

static void *xml_malloc(size_t n)
{
    struct xml_block *block =
        n > SIZE_MAX - sizeof *block ? NULL : malloc(sizeof(struct xml_block) + n);

    if (block == NULL) {
        return NULL;
    }
    block->bytes = n;
    return block->memory;
}

static void xml_free(void *memory)
{
    struct xml_block *block;

    if (memory == NULL) {
        return;
    }
    block = (struct xml_block *)(void *)((char *)memory - offsetof(struct xml_block, memory));
    explicit_bzero(memory, block->bytes);
    free(block);
}

static void *xml_realloc(void *memory, size_t n)
{
    void *larger = xml_malloc(n);

    if (memory != NULL && larger != NULL) {
        const struct xml_block *block =
            (const void *)((const char *)memory - offsetof(struct xml_block, memory));

        memcpy(larger, memory, block->bytes < n ? block->bytes : n);
        xml_free(memory);
    }
    return larger;
}

/* ---- the shape --------------------------------------------------------------------------------- */

/* Elements that JSON gathers under one name. */
static const struct xml_group {
    const char *parent; /* NULL = any */
    const char *tag;
    const char *name;
    enum sl_json_type type;
} groups[] = {
    { "ReceiveMessageResult", "Message", "Messages", SL_JSON_ARRAY },
    { NULL, "SendMessageBatchResultEntry", "Successful", SL_JSON_ARRAY },
    { NULL, "DeleteMessageBatchResultEntry", "Successful", SL_JSON_ARRAY },
    { NULL, "ChangeMessageVisibilityBatchResultEntry", "Successful", SL_JSON_ARRAY },
    { NULL, "BatchResultErrorEntry", "Failed", SL_JSON_ARRAY },
    { NULL, "Attribute", "Attributes", SL_JSON_OBJECT },
    { NULL, "MessageAttribute", "MessageAttributes", SL_JSON_OBJECT },
};

static const struct xml_group *group_of(sl_str parent, sl_str tag)
{
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        if (sl_str_eq(tag, sl_str_of(groups[i].tag)) &&
            (groups[i].parent == NULL || sl_str_eq(parent, sl_str_of(groups[i].parent)))) {
            return &groups[i];
        }
    }
    return NULL;
}

static struct xml_node *node_new(struct xml *x, enum sl_json_type type)
{
    struct xml_node *node = sl_arena_calloc(x->a, 1, sizeof *node);

    if (node == NULL) {
        x->has_no_memory = true;
        (void)XML_StopParser(x->expat, XML_FALSE);
        return NULL;
    }
    node->json.type = type;
    return node;
}

static void node_append(struct xml_node *parent, struct xml_node *child)
{
    *(parent->last != NULL ? &parent->last->json.next : &parent->json.child) = &child->json;
    parent->last = child;
    parent->json.n++;
}

/* The list or object that gathers the elements of a group; made when the first of them comes. */
static struct xml_node *group_node(struct xml *x, struct xml_node *parent,
                                   const struct xml_group *group)
{
    const sl_str name = sl_str_of(group->name);
    const struct sl_json *found = sl_json_member(&parent->json, name);
    struct xml_node *node;

    if (found != NULL && found->type == group->type) {
        return (struct xml_node *)(uintptr_t)found;
    }
    node = node_new(x, group->type);
    if (node != NULL) {
        node->json.name = sl_cleartext_of(name);
        node_append(parent, node);
    }
    return node;
}

/* <Name> and <Value> become one member. */
static struct xml_node *node_of_pair(struct xml *x, const struct xml_node *pair)
{
    const struct sl_json *name = sl_json_member(&pair->json, SL_STR("Name"));
    const struct sl_json *value = sl_json_member(&pair->json, SL_STR("Value"));
    struct xml_node *node = name == NULL || name->type != SL_JSON_STRING || value == NULL
                                ? NULL
                                : node_new(x, SL_JSON_STRING);

    if (node != NULL) {
        node->json = *value;
        node->json.name = name->text;
        node->json.next = NULL;
    }
    return node;
}

static void node_attach(struct xml *x, const struct xml_open *parent, const struct xml_open *child)
{
    const struct xml_group *group = group_of(parent->tag, child->tag);
    struct xml_node *node = child->node;
    struct xml_node *into = parent->node;

    if (group == NULL) {
        node->json.name = sl_cleartext_of(child->tag);
    } else {
        node = group->type == SL_JSON_OBJECT ? node_of_pair(x, node) : node;
        into = node == NULL ? NULL : group_node(x, into, group);
    }
    if (into != NULL) {
        node_append(into, node);
    }
}

/* ---- what expat tells -------------------------------------------------------------------------- */

static void xml_refuse(struct xml *x, const char *fault)
{
    x->fault = fault;
    (void)XML_StopParser(x->expat, XML_FALSE);
}

static bool str_ends(sl_str s, const char *tail)
{
    const size_t n = strlen(tail);

    return s.len > n && memcmp(s.ptr + s.len - n, tail, n) == 0;
}

static void on_start(void *ctx, const char *tag, const char **attributes)
{
    struct xml *x = ctx;
    struct xml_open *open = &x->open[x->depth];

    (void)attributes;
    if (x->depth == DEPTH_MAX || x->elements == ELEMENTS_MAX) {
        xml_refuse(x, "is nested too deep, or has too many elements");
        return;
    }
    open->tag = sl_arena_copy(x->a, sl_str_of(tag));
    open->node = node_new(x, SL_JSON_OBJECT);
    if (open->tag.ptr == NULL) {
        x->has_no_memory = true;
        (void)XML_StopParser(x->expat, XML_FALSE);
    }
    x->depth++;
    x->elements++;
    sl_buf_reset(&x->text);
}

static void on_text(void *ctx, const char *text, int n)
{
    struct xml *x = ctx;

    sl_buf_add(&x->text, text, (size_t)n);
}

/* An element without elements is a text; in memory of its own, with what the JSON parser wants
 * behind a body. */
static void leaf_close(struct xml *x, struct xml_node *node)
{
    sl_cleartext copy;

    if (sl_buf_rc(&x->text, NULL) != SL_OK ||
        sl_json_padded(sl_cleartext_of(sl_buf_str(&x->text)), x->a, &copy, NULL) != SL_OK) {
        x->has_no_memory = true;
        (void)XML_StopParser(x->expat, XML_FALSE);
        return;
    }
    node->json.type = SL_JSON_STRING;
    node->json.text = copy;
}

static void on_end(void *ctx, const char *tag)
{
    struct xml *x = ctx;
    struct xml_open *open;

    (void)tag;
    if (x->fault != NULL || x->has_no_memory) {
        return; /* expat ends an empty element all the same */
    }
    open = &x->open[--x->depth];
    if (x->depth == 0) {
        x->is_response =
            str_ends(open->tag, "Response") && !sl_str_eq(open->tag, SL_STR("ErrorResponse"));
    } else if (x->depth == 1 && str_ends(open->tag, "Result")) {
        x->result = &open->node->json;
    } else if (x->depth > 1) {
        if (open->node->json.child == NULL) {
            leaf_close(x, open->node);
        }
        node_attach(x, &open[-1], open);
    }
    sl_buf_reset(&x->text);
}

/* No entities but XML's own: nothing grows while it is read. */
static void on_doctype(void *ctx, const char *name, const char *system, const char *public,
                       int has_subset)
{
    (void)name;
    (void)system;
    (void)public;
    (void)has_subset;
    xml_refuse(ctx, "has a DOCTYPE");
}

/* ---- the whole --------------------------------------------------------------------------------- */

static void xml_feed(struct xml *x, sl_str text)
{
    bool is_good = true;

    /* In pieces: expat copies each, and so holds no more than one or two. */
    for (size_t at = 0; is_good && at < text.len; at += PIECE_BYTES) {
        const size_t n = text.len - at < PIECE_BYTES ? text.len - at : PIECE_BYTES;

        is_good = XML_Parse(x->expat, text.ptr + at, (int)n, at + n == text.len) == XML_STATUS_OK;
    }
    if (!is_good && x->fault == NULL) {
        const enum XML_Error code = XML_GetErrorCode(x->expat);

        x->has_no_memory = x->has_no_memory || code == XML_ERROR_NO_MEMORY;
        x->fault = "is not well-formed XML";
    } else if (x->fault == NULL && !x->is_response) {
        x->fault = "is XML of something else";
    }
}

static void xml_done(struct xml *x)
{
    if (x->expat != NULL) {
        XML_ParserFree(x->expat);
    }
    sl_buf_done(&x->text);
}

sl_rc sl_sqs_xml_read(sl_str text, struct sl_arena *a, const struct sl_json **ret, struct sl_err *e)
{
    static const XML_Memory_Handling_Suite memory = { xml_malloc, xml_realloc, xml_free };
    static const struct sl_json nothing = { .type = SL_JSON_OBJECT };
    SL_AUTO(xml_done)
    struct xml x = { .a = a, .expat = XML_ParserCreate_MM("UTF-8", &memory, NULL) };

    sl_buf_init(&x.text, text.len + 1);
    if (x.expat == NULL) {
        return SL_FAIL(e, SL_NOMEM, "memory for reading XML ran out");
    }
    XML_SetUserData(x.expat, &x);
    XML_SetElementHandler(x.expat, on_start, on_end);
    XML_SetCharacterDataHandler(x.expat, on_text);
    XML_SetStartDoctypeDeclHandler(x.expat, on_doctype);
    xml_feed(&x, text);
    if (x.has_no_memory) {
        return SL_FAIL(e, SL_NOMEM, "memory for an XML answer of %zu bytes ran out", text.len);
    }
    if (x.fault != NULL) {
        return SL_FAIL(e, SL_UNAVAILABLE, "the answer of SQS (%zu bytes) %s", text.len, x.fault);
    }
    *ret = x.result != NULL ? x.result : &nothing;
    return SL_OK;
}
