/* cmd/table_ndjson.c - a table that is an object a line. */
#include "cmd/json_span.h"
#include "cmd/table.h"

static const char *json_fault_text(enum sl_json_fault fault)
{
    switch (fault) {
    case SL_JSON_NOT_UTF8:
        return "not UTF-8";
    case SL_JSON_TOO_DEEP:
        return "JSON nested deeper than 64 levels";
    case SL_JSON_DUPLICATE_KEY:
        return "one name twice in an object";
    case SL_JSON_OK:
    case SL_JSON_EMPTY:
    case SL_JSON_NOT_JSON:
    default:
        return "not well-formed JSON";
    }
}

static void member_refuse(struct sl_table *t, unsigned column, sl_str span, const char *why)
{
    const size_t from = (size_t)(span.ptr - t->in.ptr);

    sl_table_report(t, column, t->line, why);
    sl_table_patch_add(t, from, from + span.len, NULL);
}

static sl_rc member_take(struct sl_table *t, const struct sl_json *j, unsigned column, sl_str span,
                         struct sl_err *e)
{
    const size_t from = (size_t)(span.ptr - t->in.ptr);
    sl_str value = sl_cleartext_publish(j->text);

    t->has_column[column] = true;
    switch (j->type) {
    case SL_JSON_NULL:
        return SL_OK;
    case SL_JSON_ARRAY:
    case SL_JSON_OBJECT:
        member_refuse(t, column, span, "the value is an array or an object");
        return SL_OK;
    case SL_JSON_LONE_SURROGATE:
        member_refuse(t, column, span, "the value has half of a surrogate pair, which is no text");
        return SL_OK;
    case SL_JSON_STRING:
        if (value.len == 0) {
            return SL_OK;
        }
        value = sl_arena_copy(&t->arena, value); /* the tree ends with its line */
        if (value.ptr == NULL) {
            return sl_table_full(e);
        }
        break;
    case SL_JSON_BOOL:
    case SL_JSON_NUMBER:
    default:
        if (!sl_str_eq(value, span)) {
            return SL_FAIL(e, SL_BUG, "line %lu: two readers differ on where a value ends",
                           t->line);
        }
        value = span;
    }
    sl_table_patch_add(t, from, from + span.len, sl_table_cell_add(t, column, value));
    return SL_OK;
}

static sl_rc ndjson_object(struct sl_table *t, const struct sl_json *root, sl_str line,
                           struct sl_err *e)
{
    struct sl_json_span members = sl_json_span_of(line);

    for (const struct sl_json *j = root->child; j != NULL; j = j->next) {
        const sl_str name = sl_cleartext_publish(j->name);
        unsigned column = 0;
        sl_str span;

        if (!sl_json_span_next(&members, &span)) {
            return SL_FAIL(e, SL_BUG, "line %lu: two readers differ on its members", t->line);
        }
        while (column < t->job->columns_n && !sl_str_eq(t->job->columns[column], name)) {
            column++;
        }
        if (column < t->job->columns_n) {
            SL_TRY(member_take(t, j, column, span, e));
        }
    }
    t->has_objects = true;
    return SL_OK;
}

static sl_rc ndjson_line(struct sl_table *t, sl_str line, struct sl_err *e)
{
    enum sl_json_fault fault = SL_JSON_OK;
    const struct sl_json *root = NULL;

    if (sl_str_trim(line).len == 0) {
        return SL_OK;
    }
    SL_TRY(sl_json_parse(t->json, sl_cleartext_of(line), &t->tree, &root, &fault, e));
    if (fault != SL_JSON_OK) {
        return sl_table_refuse(t, json_fault_text(fault), e);
    }
    if (root->type != SL_JSON_OBJECT) {
        return sl_table_refuse(t, "not a JSON object", e);
    }
    SL_TRY(ndjson_object(t, root, line, e));
    sl_arena_reset(&t->tree);
    return SL_OK;
}

sl_rc sl_table_ndjson_take(struct sl_table *t, bool *ret_is_taken, struct sl_err *e)
{
    sl_str line;
    size_t n = 0;
    const bool is_whole = sl_table_line(t, &line, &n);

    if (line.len > SL_TABLE_RECORD_MAX) {
        return sl_table_refuse(t, "a line is over 1048576 bytes", e);
    }
    *ret_is_taken = is_whole;
    if (is_whole) {
        SL_TRY(ndjson_line(t, line, e));
        sl_table_took(t, n, 1);
    }
    return SL_OK;
}

void sl_table_ndjson_end(const struct sl_table *t)
{
    for (unsigned c = 0; t->has_objects && c < t->job->columns_n; c++) {
        if (!t->has_column[c]) {
            sl_table_report(t, c, 0, "no line has this member");
        }
    }
}
