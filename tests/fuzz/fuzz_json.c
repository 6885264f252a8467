/* tests/fuzz/fuzz_json.c - any bytes as JSON: exactly what RFC 8259 allows is taken, what stands
 * behind the text does not matter, and a tree that is written again is the same tree.
 */
#include "base/buf.h"
#include "cmd/json_span.h"
#include "fuzz.h"
#include "json_grammar.h"
#include "utf8.h"

enum { TEXT_MAX = 64 << 10, ARENA_MAX = 64 << 20, BUF_MAX = 4 << 20 };

static struct world {
    struct sl_json_parser *parsers[2]; /* two, so that what one has seen before does not matter */
    struct sl_arena arena;
} world;

static enum sl_json_fault parse(unsigned parser, sl_str text, const struct sl_json **ret)
{
    enum sl_json_fault fault = SL_JSON_OK;
    const struct sl_json *root = NULL;

    must(sl_json_parse(world.parsers[parser], sl_cleartext_of(text), &world.arena, &root, &fault,
                       NULL) == SL_OK,
         "memory");
    must((fault == SL_JSON_OK) == (root != NULL), "a tree with a fault, or none without");
    *ret = root;
    return fault;
}

static sl_str text_of(const struct sl_json *j)
{
    return sl_cleartext_publish(j->text);
}

/* ---- trees ------------------------------------------------------------------------------------- */

static void check_same(const struct sl_json *a, const struct sl_json *b)
{
    const struct sl_json *x = a->child;
    const struct sl_json *y = b->child;

    must(a->type == b->type && a->n == b->n, "another type");
    must(sl_str_eq(sl_cleartext_publish(a->name), sl_cleartext_publish(b->name)), "another name");
    must(a->type >= SL_JSON_ARRAY || sl_str_eq(text_of(a), text_of(b)), "another text");
    for (; x != NULL && y != NULL; x = x->next, y = y->next) {
        check_same(x, y);
    }
    must(x == NULL && y == NULL, "another number of values");
}

static void write_tree(const struct sl_json *j, struct sl_buf *out)
{
    if (j->type == SL_JSON_STRING) {
        sl_buf_add_json(out, text_of(j));
    } else if (j->type == SL_JSON_LONE_SURROGATE) {
        sl_buf_add_char(out, '"'); /* as it stands in the text */
        sl_buf_add_str(out, text_of(j));
        sl_buf_add_char(out, '"');
    } else if (j->type < SL_JSON_ARRAY) {
        sl_buf_add_str(out, text_of(j));
    } else {
        sl_buf_add_char(out, j->type == SL_JSON_ARRAY ? '[' : '{');
        for (const struct sl_json *child = j->child; child != NULL; child = child->next) {
            if (child != j->child) {
                sl_buf_add_char(out, ',');
            }
            if (j->type == SL_JSON_OBJECT) {
                sl_buf_add_json(out, sl_cleartext_publish(child->name));
                sl_buf_add_char(out, ':');
            }
            write_tree(child, out);
        }
        sl_buf_add_char(out, j->type == SL_JSON_ARRAY ? ']' : '}');
    }
}

static void check_written(const struct sl_json *root)
{
    SL_AUTO(sl_buf_done) struct sl_buf text = { 0 };
    const struct sl_json *again;

    sl_buf_init(&text, BUF_MAX);
    write_tree(root, &text);
    must(sl_buf_rc(&text, NULL) == SL_OK, "memory");
    must(parse(1, padded(&world.arena, sl_buf_str(&text), '"'), &again) == SL_JSON_OK,
         "a tree that cannot be written");
    check_same(root, again);
}

/* The text of a value is that value and nothing else. */
static void check_piece(const struct sl_json *j)
{
    const struct sl_json *again = NULL;
    struct sl_json nameless = *j;

    if (j->type == SL_JSON_STRING || j->type == SL_JSON_LONE_SURROGATE) {
        return;
    }
    nameless.name = (sl_cleartext){ 0 };
    must(parse(1, padded(&world.arena, text_of(j), ','), &again) == SL_JSON_OK,
         "the text of a value is none");
    check_same(&nameless, again);
}

/* ---- where values stand ------------------------------------------------------------------------ */

static void check_spans(const struct sl_json *root, sl_str text)
{
    struct sl_json_span spans = sl_json_span_of(text);
    sl_str value;

    for (const struct sl_json *j = root->child; j != NULL; j = j->next) {
        const struct sl_json *again = NULL;
        struct sl_json nameless = *j;

        nameless.name = (sl_cleartext){ 0 };
        must(sl_json_span_next(&spans, &value), "a value without a place");
        must(parse(1, padded(&world.arena, value, ' '), &again) == SL_JSON_OK,
             "a place without a value");
        check_same(&nameless, again);
    }
    must(!sl_json_span_next(&spans, &value), "a place too many");
}

/* ---- any text as a string ---------------------------------------------------------------------- */

static void check_quoted(sl_str text)
{
    SL_AUTO(sl_buf_done) struct sl_buf quoted = { 0 };
    const struct sl_json *root;

    sl_buf_init(&quoted, BUF_MAX);
    sl_buf_add_json(&quoted, text);
    must(sl_buf_rc(&quoted, NULL) == SL_OK, "memory");
    must(parse(0, padded(&world.arena, sl_buf_str(&quoted), '\0'), &root) == SL_JSON_OK &&
             root->type == SL_JSON_STRING,
         "a text that cannot be quoted");
    must(!is_utf8(text) || sl_str_eq(text_of(root), text), "another text came back");
}

static void check_fault(sl_str text, enum sl_json_fault fault)
{
    unsigned depth = 0;
    const bool is_text = is_utf8(text);
    const bool is_json = grammar_accepts(text, &depth);
    const bool is_allowed = is_text && is_json && depth <= SL_JSON_DEPTH;

    must(fault != SL_JSON_OK || is_allowed, "more than RFC 8259 allows");
    must(!is_allowed || fault == SL_JSON_OK || fault == SL_JSON_DUPLICATE_KEY,
         "less than RFC 8259 allows");
    must((fault == SL_JSON_EMPTY) == (sl_str_trim(text).len == 0), "an empty text");
    must(fault != SL_JSON_NOT_UTF8 || !is_text, "UTF-8 that is not found to be");
    must(fault != SL_JSON_TOO_DEEP || !is_json || depth > SL_JSON_DEPTH, "a text not too deep");
}

/* Of several faults the one that is named may be another: for a brace, simdjson looks twice. */
static void check_padding(sl_str text, enum sl_json_fault fault, char padding)
{
    const struct sl_json *root;
    const bool is_good = parse(1, padded(&world.arena, text, padding), &root) == SL_JSON_OK;

    must(is_good == (fault == SL_JSON_OK), "what stands behind the text matters");
}

static void world_new(void)
{
    for (unsigned i = 0; i < 2; i++) {
        must(sl_json_parser_new(BUF_MAX, &world.parsers[i], NULL) == SL_OK, "memory");
    }
    sl_arena_init(&world.arena, ARENA_MAX, 64 << 10);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const sl_str text = { (const char *)data, n };
    const struct sl_json *root;
    enum sl_json_fault fault;

    if (n > TEXT_MAX) {
        return 0;
    }
    if (world.parsers[0] == NULL) {
        world_new();
    }
    fault = parse(0, padded(&world.arena, text, '\0'), &root);
    check_padding(text, fault, '"');
    check_padding(text, fault, '}');
    check_fault(text, fault);
    check_quoted(text);
    if (fault == SL_JSON_OK) {
        check_written(root);
        for (const struct sl_json *j = root->child; j != NULL; j = j->next) {
            check_piece(j);
        }
        if (root->type == SL_JSON_OBJECT) {
            check_spans(root, text);
        }
    }
    sl_arena_reset(&world.arena);
    return 0;
}
