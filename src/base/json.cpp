/* base/json.cpp - simdjson's on-demand interface, walked once into a tree.  The only C++ here.
 *
 * On demand checks only what is asked for, so the walk asks for everything; numbers and words
 * stay text and are checked against the grammar by hand, because simdjson refuses numbers that
 * do not fit its types, and nobody may want them.
 */
extern "C" {
#include "base/json.h"
}

#include <algorithm>
#include <new>
#include <utility>

#define SIMDJSON_EXCEPTIONS 0
#include <simdjson.h>

namespace od = simdjson::ondemand;

struct sl_json_parser {
    od::parser simd;

    explicit sl_json_parser(size_t max_bytes) : simd(max_bytes)
    {
    }
};

namespace
{

constexpr unsigned FEW_MEMBERS = 12; /* all with all are fewer comparisons than a sort is worth */

/* What one walk needs; `fault` and `out_of_memory` are set where the walk gives up. */
struct walk {
    od::parser *simd;
    od::document *doc;
    struct sl_arena *arena;
    const char *text_end;
    uint8_t *unescape_at; /* all strings together are no longer than the text */
    sl_json_fault fault;
    bool out_of_memory;
};

bool walk_value(walk *w, od::value value, unsigned depth, sl_json *node);

bool walk_fails(walk *w, simdjson::error_code error)
{
    switch (error) {
    case simdjson::EMPTY:
        w->fault = SL_JSON_EMPTY;
        break;
    case simdjson::UTF8_ERROR:
        w->fault = SL_JSON_NOT_UTF8;
        break;
    case simdjson::DEPTH_ERROR:
        w->fault = SL_JSON_TOO_DEEP;
        break;
    case simdjson::CAPACITY:
    case simdjson::MEMALLOC:
        w->out_of_memory = true;
        break;
    default:
        w->fault = SL_JSON_NOT_JSON;
    }
    return false;
}

bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

sl_cleartext span(const char *from, const char *to)
{
    while (to > from && is_space(to[-1])) {
        to--;
    }
    return sl_cleartext{ from, static_cast<size_t>(to - from) };
}

const char *skip_digits(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9') {
        at++;
    }
    return at;
}

/* RFC 8259 section 6. */
bool is_number(sl_cleartext c)
{
    const char *at = c.secret;
    const char *const end = at + c.len;
    const char *digits = at < end && *at == '-' ? ++at : at;

    at = skip_digits(at, end);
    if (at == digits || (*digits == '0' && at - digits > 1)) {
        return false;
    }
    if (at < end && *at == '.') {
        digits = ++at;
        at = skip_digits(at, end);
        if (at == digits) {
            return false;
        }
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        digits = at;
        at = skip_digits(at, end);
        if (at == digits) {
            return false;
        }
    }
    return at == end;
}

bool is_word(sl_cleartext c, const char *word)
{
    return c.len == strlen(word) && memcmp(c.secret, word, c.len) == 0;
}

/* The closing quote, if escapes are well formed up to it: what failed then is a surrogate. */
const char *string_end(const char *at, const char *end)
{
    for (; at < end && *at != '"'; at++) {
        if (*at != '\\') {
            continue;
        }
        at++;
        if (at >= end || strchr("\"\\/bfnrtu", *at) == nullptr || *at == '\0') {
            return nullptr;
        }
        if (*at == 'u') {
            for (int i = 0; i < 4; i++) {
                at++;
                if (at >= end || isxdigit(static_cast<unsigned char>(*at)) == 0) {
                    return nullptr;
                }
            }
        }
    }
    return at < end ? at : nullptr;
}

bool walk_string(walk *w, od::raw_json_string raw, sl_cleartext *ret, bool *ret_is_text)
{
    std::string_view text;

    *ret_is_text = w->simd->unescape(raw, w->unescape_at).get(text) == simdjson::SUCCESS;
    if (*ret_is_text) {
        *ret = sl_cleartext{ text.data(), text.size() };
        return true;
    }
    const char *end = string_end(raw.raw(), w->text_end);
    if (end == nullptr) {
        w->fault = SL_JSON_NOT_JSON;
        return false;
    }
    *ret = sl_cleartext{ raw.raw(), static_cast<size_t>(end - raw.raw()) };
    return true;
}

bool walk_scalar(walk *w, sl_json *node)
{
    if (is_word(node->text, "null")) {
        node->type = SL_JSON_NULL;
    } else if (is_word(node->text, "true") || is_word(node->text, "false")) {
        node->type = SL_JSON_BOOL;
    } else if (is_number(node->text)) {
        node->type = SL_JSON_NUMBER;
    } else {
        w->fault = SL_JSON_NOT_JSON;
        return false;
    }
    return true;
}

sl_json *walk_node(walk *w)
{
    void *piece = sl_arena_alloc(w->arena, sizeof(sl_json));

    w->out_of_memory = piece == nullptr;
    return piece == nullptr ? nullptr : new (piece) sl_json{};
}

bool walk_array(walk *w, od::array array, unsigned depth, sl_json *node)
{
    const sl_json **last = &node->child;

    for (auto element : array) {
        od::value value;
        const simdjson::error_code error = element.get(value);
        sl_json *child;

        if (error != simdjson::SUCCESS) {
            return walk_fails(w, error);
        }
        child = walk_node(w);
        if (child == nullptr || !walk_value(w, value, depth + 1, child)) {
            return false;
        }
        *last = child;
        last = &child->next;
        node->n++;
    }
    return true;
}

bool name_less(const sl_json *a, const sl_json *b)
{
    return sl_str_cmp(sl_cleartext_publish(a->name), sl_cleartext_publish(b->name)) < 0;
}

/* Of few members: their names mostly differ in length. */
bool walk_unique_few(walk *w, const sl_json *object)
{
    for (const sl_json *a = object->child; a != nullptr; a = a->next) {
        for (const sl_json *b = a->next; b != nullptr; b = b->next) {
            if (sl_str_eq(sl_cleartext_publish(a->name), sl_cleartext_publish(b->name))) {
                w->fault = SL_JSON_DUPLICATE_KEY;
                return false;
            }
        }
    }
    return true;
}

/* Sorting bounds the work: an object may have as many members as a message has bytes. */
bool walk_unique(walk *w, const sl_json *object)
{
    const sl_json **members;
    unsigned n = 0;

    if (object->n <= FEW_MEMBERS) {
        return walk_unique_few(w, object);
    }
    members = static_cast<const sl_json **>(
        sl_arena_alloc(w->arena, object->n * sizeof(const sl_json *)));
    if (members == nullptr) {
        w->out_of_memory = true;
        return false;
    }
    for (const sl_json *child = object->child; child != nullptr; child = child->next) {
        members[n++] = child;
    }
    std::sort(members, members + n, name_less);
    for (unsigned i = 1; i < n; i++) {
        if (!name_less(members[i - 1], members[i])) {
            w->fault = SL_JSON_DUPLICATE_KEY;
            return false;
        }
    }
    return true;
}

bool walk_object(walk *w, od::object object, unsigned depth, sl_json *node)
{
    const sl_json **last = &node->child;

    for (auto member : object) {
        od::field field;
        const simdjson::error_code error = std::move(member).get(field);
        bool is_text;
        sl_json *child;

        if (error != simdjson::SUCCESS) {
            return walk_fails(w, error);
        }
        child = walk_node(w);
        if (child == nullptr || !walk_string(w, field.key(), &child->name, &is_text) ||
            !walk_value(w, field.value(), depth + 1, child)) {
            return false;
        }
        *last = child;
        last = &child->next;
        node->n++;
    }
    return walk_unique(w, node);
}

/* Where the walk stands now: the token after what was read last. */
const char *walk_here(walk *w)
{
    const char *at = nullptr;

    return w->doc->current_location().get(at) == simdjson::SUCCESS ? at : w->text_end;
}

template <typename T> bool walk_type(walk *w, T &value, unsigned depth, sl_json *node)
{
    std::string_view token;
    od::array array;
    od::object object;
    od::raw_json_string string;
    bool is_text = true;
    bool ok;

    if (simdjson::simdjson_result<std::string_view>(value.raw_json_token()).get(token) !=
            simdjson::SUCCESS ||
        token.empty()) {
        return walk_fails(w, simdjson::TAPE_ERROR);
    }
    if (depth > SL_JSON_DEPTH && (token[0] == '{' || token[0] == '[')) {
        return walk_fails(w, simdjson::DEPTH_ERROR);
    }
    if (token[0] == '{') {
        node->type = SL_JSON_OBJECT;
        const simdjson::error_code error = value.get_object().get(object);
        ok =
            error == simdjson::SUCCESS ? walk_object(w, object, depth, node) : walk_fails(w, error);
    } else if (token[0] == '[') {
        node->type = SL_JSON_ARRAY;
        const simdjson::error_code error = value.get_array().get(array);
        ok = error == simdjson::SUCCESS ? walk_array(w, array, depth, node) : walk_fails(w, error);
    } else if (token[0] == '"') {
        const simdjson::error_code error = value.get_raw_json_string().get(string);
        if (error != simdjson::SUCCESS) {
            return walk_fails(w, error);
        }
        ok = walk_string(w, string, &node->text, &is_text);
        node->type = is_text ? SL_JSON_STRING : SL_JSON_LONE_SURROGATE;
        return ok;
    } else {
        /* Left where it is: the iterator above steps over what nobody took. */
        node->text = span(token.data(), token.data() + token.size());
        return walk_scalar(w, node);
    }
    if (ok) {
        node->text = span(token.data(), walk_here(w));
    }
    return ok;
}

bool walk_value(walk *w, od::value value, unsigned depth, sl_json *node)
{
    return walk_type(w, value, depth, node);
}

/* A document that is one scalar: its end is the end of the text, so nothing can follow it. */
bool walk_root(walk *w, sl_cleartext text, sl_json *root)
{
    const char *at = text.secret;

    while (at < w->text_end && is_space(*at)) {
        at++;
    }
    if (at == w->text_end) {
        w->fault = SL_JSON_EMPTY;
        return false;
    }
    if (*at != '{' && *at != '[' && *at != '"') {
        root->text = span(at, w->text_end);
        return walk_scalar(w, root);
    }
    if (!walk_type(w, *w->doc, 1, root)) {
        return false;
    }
    if (walk_here(w) != w->text_end) {
        w->fault = SL_JSON_NOT_JSON;
        return false;
    }
    return true;
}

} // namespace

extern "C" sl_rc sl_json_parser_new(size_t max_bytes, struct sl_json_parser **ret, struct sl_err *e)
{
    sl_json_parser *p = new (std::nothrow) sl_json_parser(max_bytes + SL_JSON_PADDING);

    if (p == nullptr) {
        return SL_FAIL(e, SL_NOMEM, "could not allocate a JSON parser");
    }
    *ret = p;
    return SL_OK;
}

extern "C" void sl_json_parser_free(struct sl_json_parser *p)
{
    delete p;
}

extern "C" void sl_json_parser_freep(struct sl_json_parser **p)
{
    delete *p;
    *p = nullptr;
}

extern "C" sl_rc sl_json_parse(struct sl_json_parser *p, sl_cleartext text, struct sl_arena *a,
                               const struct sl_json **ret_root, enum sl_json_fault *ret_fault,
                               struct sl_err *e)
{
    od::document doc;
    walk w = { &p->simd, &doc, a, text.secret + text.len, nullptr, SL_JSON_OK, false };
    sl_json *root = walk_node(&w);
    const simdjson::error_code error =
        p->simd.iterate(text.secret, text.len, text.len + SL_JSON_PADDING).get(doc);

    w.unescape_at = static_cast<uint8_t *>(sl_arena_alloc(a, text.len + SL_JSON_PADDING));
    if (root == nullptr || w.unescape_at == nullptr) {
        return SL_FAIL(e, SL_NOMEM, "could not hold %zu bytes of JSON", text.len);
    }
    const bool ok = error == simdjson::SUCCESS ? walk_root(&w, text, root) : walk_fails(&w, error);
    if (w.out_of_memory) {
        return SL_FAIL(e, SL_NOMEM, "could not parse %zu bytes of JSON", text.len);
    }
    *ret_fault = ok ? SL_JSON_OK : w.fault;
    if (ok) {
        *ret_root = root;
    }
    return SL_OK;
}

extern "C" sl_rc sl_json_padded(sl_cleartext text, struct sl_arena *a, sl_cleartext *ret,
                                struct sl_err *e)
{
    char *copy = static_cast<char *>(sl_arena_calloc(a, 1, text.len + SL_JSON_PADDING));

    if (copy == nullptr) {
        return SL_FAIL(e, SL_NOMEM, "could not hold %zu bytes of JSON", text.len);
    }
    if (text.len > 0) {
        memcpy(copy, text.secret, text.len);
    }
    *ret = { copy, text.len };
    return SL_OK;
}

extern "C" const struct sl_json *sl_json_member(const struct sl_json *j, sl_str name)
{
    if (j == nullptr || j->type != SL_JSON_OBJECT) {
        return nullptr;
    }
    for (const sl_json *child = j->child; child != nullptr; child = child->next) {
        if (sl_str_eq(sl_cleartext_publish(child->name), name)) {
            return child;
        }
    }
    return nullptr;
}

extern "C" const struct sl_json *sl_json_element(const struct sl_json *j, unsigned i)
{
    if (j == nullptr || j->type != SL_JSON_ARRAY || i >= j->n) {
        return nullptr;
    }
    for (const sl_json *child = j->child; child != nullptr; child = child->next) {
        if (i-- == 0) {
            return child;
        }
    }
    return nullptr;
}
