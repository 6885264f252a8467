/* source/sqs_xml.c - an XML answer of SQS, in the shape of its JSON answers. */
#include "source/sqs_xml.h"

#include "base/buf.h"
#include "base/xml_events.h"

enum {
    DEPTH_MAX = 8,        /* an attribute's value stands at the sixth level */
    ELEMENTS_MAX = 10000, /* ten messages with ten attributes have less than a thousand */
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
    struct sl_arena *a;
    struct xml_open open[DEPTH_MAX];
    unsigned depth;
    unsigned elements;
    struct sl_buf text;           /* since the last tag */
    const struct sl_json *result; /* what stands in <...Result> */
    bool is_response;
};

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

static sl_rc no_memory(struct sl_err *e)
{
    return SL_FAIL(e, SL_NOMEM, "memory for an answer in XML ran out");
}

static struct xml_node *node_new(struct xml *x, enum sl_json_type type)
{
    struct xml_node *node = sl_arena_calloc(x->a, 1, sizeof *node);

    if (node != NULL) {
        node->json.type = type;
    }
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

/* <Name> and <Value> become one member; without both it is none. */
static bool is_pair(const struct xml_node *pair)
{
    const struct sl_json *name = sl_json_member(&pair->json, SL_STR("Name"));

    return name != NULL && name->type == SL_JSON_STRING &&
           sl_json_member(&pair->json, SL_STR("Value")) != NULL;
}

static void pair_become_member(struct xml_node *pair)
{
    const struct sl_json *name = sl_json_member(&pair->json, SL_STR("Name"));

    pair->json = *sl_json_member(&pair->json, SL_STR("Value"));
    pair->json.name = name->text;
    pair->json.next = NULL;
}

static sl_rc node_attach(struct xml *x, const struct xml_open *parent, const struct xml_open *child,
                         struct sl_err *e)
{
    const struct xml_group *group = group_of(parent->tag, child->tag);
    struct xml_node *node = child->node;
    struct xml_node *into = parent->node;

    if (group == NULL) {
        node->json.name = sl_cleartext_of(child->tag);
    } else if (group->type == SL_JSON_OBJECT && !is_pair(node)) {
        return SL_OK;
    } else {
        if (group->type == SL_JSON_OBJECT) {
            pair_become_member(node);
        }
        into = group_node(x, into, group);
    }
    if (into == NULL) {
        return no_memory(e);
    }
    node_append(into, node);
    return SL_OK;
}

/* ---- what there is in it ------------------------------------------------------------------------ */

static bool str_ends(sl_str s, const char *tail)
{
    const size_t n = strlen(tail);

    return s.len > n && memcmp(s.ptr + s.len - n, tail, n) == 0;
}

static sl_rc on_begin(void *ctx, sl_str tag, struct sl_err *e)
{
    struct xml *x = ctx;
    struct xml_open *open = &x->open[x->depth];

    if (x->depth == DEPTH_MAX || x->elements == ELEMENTS_MAX) {
        return SL_FAIL(e, SL_UNAVAILABLE, "this XML is nested too deep, or has too many elements");
    }
    open->tag = sl_arena_copy(x->a, tag);
    open->node = node_new(x, SL_JSON_OBJECT);
    if (open->tag.ptr == NULL || open->node == NULL) {
        return no_memory(e);
    }
    x->depth++;
    x->elements++;
    sl_buf_reset(&x->text);
    return SL_OK;
}

static sl_rc on_text(void *ctx, sl_str text, struct sl_err *e)
{
    struct xml *x = ctx;

    sl_buf_add_str(&x->text, text);
    return sl_buf_rc(&x->text, e);
}

/* An element without elements is a text; in memory of its own, with what the JSON parser wants
 * behind a body. */
static sl_rc leaf_close(struct xml *x, struct xml_node *node, struct sl_err *e)
{
    sl_cleartext copy;

    SL_TRY(sl_json_padded(sl_cleartext_of(sl_buf_str(&x->text)), x->a, &copy, e));
    node->json.type = SL_JSON_STRING;
    node->json.text = copy;
    return SL_OK;
}

static sl_rc on_end(void *ctx, sl_str tag, struct sl_err *e)
{
    struct xml *x = ctx;
    const struct xml_open *open = &x->open[--x->depth];

    if (x->depth == 0) {
        x->is_response = str_ends(tag, "Response") && !sl_str_eq(tag, SL_STR("ErrorResponse"));
    } else if (x->depth == 1 && str_ends(tag, "Result")) {
        x->result = &open->node->json;
    } else if (x->depth > 1) {
        if (open->node->json.child == NULL) {
            SL_TRY(leaf_close(x, open->node, e));
        }
        SL_TRY(node_attach(x, &open[-1], open, e));
    }
    sl_buf_reset(&x->text);
    return SL_OK;
}

/* ---- the whole --------------------------------------------------------------------------------- */

sl_rc sl_sqs_xml_read(sl_str text, struct sl_arena *a, const struct sl_json **ret, struct sl_err *e)
{
    static const struct sl_xml_events events = { on_begin, on_text, on_end };
    static const struct sl_json nothing = { .type = SL_JSON_OBJECT };
    struct xml x = { .a = a };
    struct sl_err why = { 0 };
    sl_rc rc;

    sl_buf_init(&x.text, text.len + 1);
    rc = sl_xml_tell(text, &events, &x, &why);
    sl_buf_done(&x.text);
    if (rc == SL_OK && !x.is_response) {
        rc = SL_FAIL(&why, SL_UNAVAILABLE, "this is XML of something else");
    }
    if (rc != SL_OK) {
        return SL_FAIL(e, rc, "the answer of SQS (%zu bytes): %.200s", text.len, why.msg);
    }
    *ret = x.result != NULL ? x.result : &nothing;
    return SL_OK;
}
