/* tests/fuzz/fuzz_sqs_xml.c - any bytes as an XML answer of SQS: what is taken is a tree as the JSON
 * parser makes them, its texts can be parsed where they stand, and a text comes back when it is
 * written as XML and read again. */
#include "base/buf.h"
#include "fuzz.h"
#include "source/sqs_xml.h"

enum { XML_MAX = 256 << 10, DEPTH_MAX = 8 };

static void check_text(sl_str text)
{
    must(text.ptr != NULL, "a text that is nowhere");
    for (unsigned i = 0; i < SL_JSON_PADDING; i++) {
        must(text.ptr[text.len + i] == '\0', "a text without room behind it");
    }
}

static unsigned check_tree(const struct sl_json *j, unsigned depth)
{
    unsigned n = 0;
    unsigned nodes = 1;

    must(depth <= DEPTH_MAX, "nested too deep");
    if (j->type == SL_JSON_STRING) {
        check_text(sl_cleartext_publish(j->text));
        must(j->child == NULL && j->n == 0, "a text with members");
        return 1;
    }
    must(j->type == SL_JSON_OBJECT || j->type == SL_JSON_ARRAY, "of a type that XML has not");
    for (const struct sl_json *child = j->child; child != NULL; child = child->next) {
        must(j->type == SL_JSON_ARRAY || child->name.len > 0 || child->name.secret != NULL,
             "a member without a name");
        nodes += check_tree(child, depth + 1);
        n++;
    }
    must(n == j->n, "a wrong number of members");
    return nodes;
}

static void write_escaped(struct sl_buf *out, sl_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.ptr[i]) {
        case '<':
        case '&':
        case '>':
        case '\r':
            sl_buf_printf(out, "&#%d;", text.ptr[i]);
            break;
        default:
            sl_buf_add_char(out, text.ptr[i]);
        }
    }
}

/* The first text that stands in the answer itself. */
static void check_again(const struct sl_json *root, struct sl_arena *a)
{
    SL_AUTO(sl_buf_done) struct sl_buf xml = { .max_bytes = 4 * XML_MAX };
    const struct sl_json *first = root->child;
    const struct sl_json *again = NULL;

    if (first == NULL || first->type != SL_JSON_STRING) {
        return;
    }
    sl_buf_add_str(&xml, SL_STR("<aResponse><aResult><t>"));
    write_escaped(&xml, sl_cleartext_publish(first->text));
    sl_buf_add_str(&xml, SL_STR("</t></aResult></aResponse>"));
    must(sl_sqs_xml_read(sl_buf_str(&xml), a, &again, NULL) == SL_OK, "a text that is not read");
    again = sl_json_member(again, SL_STR("t"));
    must(again != NULL &&
             sl_str_eq(sl_cleartext_publish(again->text), sl_cleartext_publish(first->text)),
         "another text came back");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    SL_AUTO(sl_arena_done) struct sl_arena a = { 0 };
    const struct sl_json *root = NULL;
    struct sl_err e = { 0 };
    sl_rc rc;

    if (n > XML_MAX) {
        return 0;
    }
    sl_arena_init(&a, 64 << 20, 4096);
    rc = sl_sqs_xml_read((sl_str){ (const char *)data, n }, &a, &root, &e);
    if (rc == SL_OK) {
        must(root->type == SL_JSON_OBJECT, "an answer that is no object");
        must(check_tree(root, 0) <= 20000, "more than was written");
        check_again(root, &a);
    } else {
        must(rc == SL_UNAVAILABLE && root == NULL, "a refusal of another kind");
        must_say(&e, rc);
    }
    return 0;
}
