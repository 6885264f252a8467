/* cmd/body_search.c - does a body have a value where a column would take it from?
 *
 * Values are opened here to be compared, and go nowhere.
 */
#include "cmd/body_search.h"

#include "cmd/unescape.h"

enum { UNESCAPES_MAX = 4 }; /* JSON in strings of JSON, so deep */

/* ---- bytes ------------------------------------------------------------------------------------- */

static bool is_word(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c >= 0x80;
}

/* Whether a word goes on from `at` outwards: with a letter, or as addresses and ids go on, with a
 * sign and a letter behind it.  192.0.2.1 is not in 192.0.2.17, nor in 192.0.2.1.5. */
static bool word_goes_on(sl_str text, size_t at, int step)
{
    const size_t next = at + (size_t)step; /* before the first byte it wraps around */

    if (at >= text.len) {
        return false;
    }
    if (is_word((unsigned char)text.ptr[at])) {
        return true;
    }
    return text.ptr[at] != '\0' && strchr(".:-@+", text.ptr[at]) != NULL && next < text.len &&
           is_word((unsigned char)text.ptr[next]);
}

static bool bytes_have(sl_str text, sl_str value)
{
    size_t from = 0;

    while (text.len - from >= value.len) {
        const char *found = memmem(text.ptr + from, text.len - from, value.ptr, value.len);

        if (found == NULL) {
            return false;
        }
        from = (size_t)(found - text.ptr);
        if (!word_goes_on(text, from - 1, -1) && !word_goes_on(text, from + value.len, 1)) {
            return true;
        }
        from++;
    }
    return false;
}

/* As it stands, and as it reads: a string of JSON may be text that holds JSON again. */
static sl_rc text_has(sl_str text, sl_str value, struct sl_arena *a, bool *ret, struct sl_err *e)
{
    *ret = bytes_have(text, value);
    for (int i = 0; i < UNESCAPES_MAX && !*ret; i++) {
        if (text.len == 0 || memchr(text.ptr, '\\', text.len) == NULL) {
            break;
        }
        SL_TRY(sl_unescape(text, a, &text, e));
        *ret = bytes_have(text, value);
    }
    return SL_OK;
}

/* ---- fields ------------------------------------------------------------------------------------- */

static bool is_scalar(const struct sl_json *j)
{
    return j->type == SL_JSON_STRING || j->type == SL_JSON_NUMBER || j->type == SL_JSON_BOOL;
}

/* Equal to the value, or to the column: normalized they are the same. */
static sl_rc text_is(const struct sl_body_search *s, const struct sl_body_column *c,
                     sl_cleartext text, struct sl_arena *a, bool *ret, struct sl_err *e)
{
    struct sl_err why = { 0 };
    sl_str token = { 0 };
    sl_rc rc;

    *ret = sl_str_eq(sl_cleartext_publish(text), sl_cleartext_publish(s->value));
    if (*ret || c->token.ptr == NULL) {
        return SL_OK;
    }
    rc = sl_column_mask_value(c->mask, text, a, &token, &why);
    if (rc != SL_OK && rc != SL_VALUE) {
        return SL_FAIL(e, rc, "%s", why.msg);
    }
    *ret = rc == SL_OK && text.len > 0 && sl_str_eq(token, c->token);
    return SL_OK;
}

/* Anywhere in a tree, as a whole value. */
static bool tree_has(const struct sl_json *j, sl_str value)
{
    if (is_scalar(j) && sl_str_eq(sl_cleartext_publish(j->text), value)) {
        return true;
    }
    for (const struct sl_json *child = j->child; child != NULL; child = child->next) {
        if (sl_str_eq(sl_cleartext_publish(child->name), value) || tree_has(child, value)) {
            return true;
        }
    }
    return false;
}

static const struct sl_json *field_find(const struct sl_json *root, const struct sl_column *column)
{
    for (unsigned i = 0; i < column->path_n && root != NULL; i++) {
        const struct sl_path_step *step = &column->path[i];

        root =
            step->is_index ? sl_json_element(root, step->index) : sl_json_member(root, step->name);
    }
    return root;
}

/* One column's field.  One that is no text, as a list where an address was due, is looked
 * through; null and what is not there tell nothing. */
static sl_rc field_search(const struct sl_body_search *s, const struct sl_body_column *c,
                          const struct sl_json *field, struct sl_arena *a, enum sl_body_found *ret,
                          struct sl_err *e)
{
    const sl_str value = sl_cleartext_publish(s->value);
    bool has = false;

    if (field == NULL || field->type == SL_JSON_NULL) {
        return SL_OK;
    }
    if (is_scalar(field)) {
        SL_TRY(text_is(s, c, field->text, a, &has, e));
    } else {
        has = tree_has(field, value);
    }
    if (has) {
        *ret = SL_BODY_FIELD;
    } else if (*ret != SL_BODY_FIELD) {
        *ret = SL_BODY_OTHER;
    }
    return SL_OK;
}

/* ---- a body ------------------------------------------------------------------------------------- */

/* A body as the columns see it, with its tree where it is JSON.  One that is not in its envelope is
 * looked at as it is. */
static sl_rc body_open(const struct sl_body_search *s, sl_cleartext body, struct sl_arena *a,
                       struct sl_content *ret, struct sl_err *e)
{
    enum sl_reason reason = SL_REASON_NONE;
    enum sl_json_fault fault = SL_JSON_OK;
    struct sl_record r = { 0 };

    SL_TRY(sl_json_padded(body, a, &r.body, e));
    *ret = (struct sl_content){ .body = r.body };
    SL_TRY(sl_unwrap(s->cfg, s->parser, &r, a, ret, &reason, e));
    return sl_json_parse(s->parser, ret->body, a, &ret->root, &fault, e);
}

/* What a column takes from elsewhere than a path. */
static sl_cleartext special_text(const struct sl_column *column, sl_str message_id,
                                 const struct sl_content *c)
{
    const sl_cleartext *attribute = sl_content_attribute(c, column->attribute);

    switch (column->from) {
    case SL_FROM_BODY:
        return c->body;
    case SL_FROM_MESSAGE_ID:
        return sl_cleartext_of(message_id);
    default:
        return attribute != NULL ? *attribute : (sl_cleartext){ 0 };
    }
}

/* A body that has none of the fields. */
static sl_rc anywhere_has(const struct sl_content *c, sl_cleartext body, sl_str value,
                          struct sl_arena *a, bool *ret, struct sl_err *e)
{
    *ret = c->root != NULL && tree_has(c->root, value);
    if (!*ret) {
        SL_TRY(text_has(sl_cleartext_publish(c->body), value, a, ret, e));
    }
    return *ret ? SL_OK : text_has(sl_cleartext_publish(body), value, a, ret, e);
}

sl_rc sl_body_search(const struct sl_body_search *s, sl_str message_id, sl_cleartext body,
                     struct sl_arena *a, enum sl_body_found *ret, struct sl_err *e)
{
    const sl_str value = sl_cleartext_publish(s->value);
    enum sl_body_found found = SL_BODY_NOWHERE;
    struct sl_content content;
    bool has_path = false;
    bool has_it = false;

    SL_TRY(body_open(s, body, a, &content, e));
    for (unsigned i = 0; i < s->n; i++) {
        const struct sl_body_column *c = &s->columns[i];
        bool has = false;

        if (c->column->from != SL_FROM_PATH) {
            SL_TRY(text_is(s, c, special_text(c->column, message_id, &content), a, &has, e));
            found = has ? SL_BODY_FIELD : found;
            continue;
        }
        has_path = true;
        SL_TRY(field_search(s, c, field_find(content.root, c->column), a, &found, e));
    }
    if (found == SL_BODY_NOWHERE && has_path) {
        SL_TRY(anywhere_has(&content, body, value, a, &has_it, e));
        found = has_it ? SL_BODY_BYTES : found;
    }
    *ret = found;
    return SL_OK;
}
