/* pipeline/decode.c - bodies become checked fields.
 *
 * The one place outside masking/ where cleartext is published: a field is published when the
 * configuration loads it into a column that is not masked, and not before it is checked.
 */
#include <endian.h>
#include <inttypes.h>

#include "pipeline/convert.h"
#include "pipeline/pipeline.h"
#include "pipeline/unwrap.h"

static const enum sl_reason fault_reasons[] = {
    [SL_JSON_OK] = SL_REASON_NONE,           [SL_JSON_EMPTY] = SL_REASON_EMPTY_BODY,
    [SL_JSON_NOT_JSON] = SL_REASON_NOT_JSON, [SL_JSON_NOT_UTF8] = SL_REASON_NOT_UTF8,
    [SL_JSON_TOO_DEEP] = SL_REASON_TOO_DEEP, [SL_JSON_DUPLICATE_KEY] = SL_REASON_DUPLICATE_KEY,
};

static bool has_nul(sl_cleartext c)
{
    const sl_str s = sl_cleartext_publish(c);

    return s.len > 0 && memchr(s.ptr, '\0', s.len) != NULL;
}

/* ---- one column ------------------------------------------------------------------------------------------ */

static const struct sl_json *find_path(const struct sl_json *root, const struct sl_column *column)
{
    for (unsigned i = 0; i < column->path_n && root != NULL; i++) {
        const struct sl_path_step *step = &column->path[i];

        root =
            step->is_index ? sl_json_element(root, step->index) : sl_json_member(root, step->name);
    }
    return root;
}

static enum sl_reason text_to_varchar(const struct sl_column *column, sl_cleartext text,
                                      struct sl_arena *a, struct sl_value *ret, bool *ret_is_full)
{
    const sl_str copy = sl_arena_copy(a, sl_cleartext_publish(text));

    *ret_is_full = copy.ptr == NULL;
    if (has_nul(text)) {
        return SL_REASON_NUL_CHARACTER;
    }
    if (column->type == SL_TYPE_VARCHAR && copy.len > column->max_chars &&
        sl_str_chars(copy) > column->max_chars) {
        return SL_REASON_TOO_LONG;
    }
    *ret = (struct sl_value){ .kind = SL_VALUE_TEXT, .text = copy };
    return SL_REASON_NONE;
}

/* Strings that PostgreSQL's jsonb refuses, anywhere inside. */
static enum sl_reason jsonb_check(const struct sl_json *j)
{
    enum sl_reason reason = SL_REASON_NONE;

    if (has_nul(j->name) || (j->type == SL_JSON_STRING && has_nul(j->text))) {
        return SL_REASON_NUL_CHARACTER;
    }
    if (j->type == SL_JSON_LONE_SURROGATE) {
        return SL_REASON_LONE_SURROGATE;
    }
    for (const struct sl_json *child = j->child; child != NULL && reason == SL_REASON_NONE;
         child = child->next) {
        reason = jsonb_check(child);
    }
    return reason;
}

static enum sl_reason json_to_jsonb(const struct sl_json *j, struct sl_arena *a,
                                    struct sl_value *ret, bool *ret_is_full)
{
    const enum sl_reason reason = jsonb_check(j);
    sl_str text = sl_cleartext_publish(j->text);

    if (reason != SL_REASON_NONE) {
        return reason;
    }
    if (j->type == SL_JSON_STRING) {
        struct sl_buf quoted;

        sl_buf_init(&quoted, SL_BATCH_BYTES);
        sl_buf_add_json(&quoted, text);
        *ret_is_full = quoted.has_failed;
        text = sl_arena_copy(a, sl_buf_str(&quoted));
        sl_buf_done(&quoted);
    } else {
        text = sl_arena_copy(a, text);
    }
    *ret_is_full = *ret_is_full || text.ptr == NULL;
    *ret = (struct sl_value){ .kind = SL_VALUE_TEXT, .text = text };
    return SL_REASON_NONE;
}

static enum sl_reason time_to_value(const struct sl_column *column, sl_str text, bool is_number,
                                    struct sl_value *ret)
{
    struct sl_value v = { .kind = SL_VALUE_INT };
    const enum sl_reason reason = sl_convert_time(text, is_number, &v.i);

    if (reason == SL_REASON_NONE) {
        v.i = column->type == SL_TYPE_DATE ? sl_convert_day(v.i) : v.i;
        *ret = v;
    }
    return reason;
}

static enum sl_reason string_to_value(const struct sl_column *column, sl_str text,
                                      struct sl_value *ret)
{
    struct sl_value v = { .kind = SL_VALUE_INT };
    enum sl_reason reason;

    if (column->type == SL_TYPE_UUID) {
        v.kind = SL_VALUE_UUID;
        reason = sl_convert_uuid(text, v.uuid);
    } else if (column->type == SL_TYPE_INET) {
        v.kind = SL_VALUE_INET;
        reason = sl_convert_inet(text, &v.inet);
    } else if (column->convert == SL_CONVERT_VERSION) {
        reason = sl_convert_version(text, &v.i);
    } else if (column->type == SL_TYPE_DATE || column->type == SL_TYPE_TIMESTAMPTZ) {
        return time_to_value(column, text, false, ret);
    } else {
        reason = SL_REASON_WRONG_TYPE;
    }
    if (reason == SL_REASON_NONE) {
        *ret = v;
    }
    return reason;
}

static enum sl_reason number_to_value(const struct sl_column *column, sl_str text,
                                      struct sl_value *ret)
{
    struct sl_value v = { .kind = SL_VALUE_INT };
    enum sl_reason reason = SL_REASON_WRONG_TYPE;

    if (column->convert == SL_CONVERT_VERSION) {
        return SL_REASON_WRONG_TYPE;
    }
    if (column->type == SL_TYPE_INTEGER) {
        reason = sl_convert_integer(text, INT32_MIN, INT32_MAX, &v.i);
    } else if (column->type == SL_TYPE_BIGINT) {
        reason = sl_convert_integer(text, INT64_MIN, INT64_MAX, &v.i);
    } else if (column->type == SL_TYPE_DOUBLE) {
        v.kind = SL_VALUE_DOUBLE;
        reason = sl_convert_double(text, &v.d);
    } else if (column->type == SL_TYPE_DATE || column->type == SL_TYPE_TIMESTAMPTZ) {
        return time_to_value(column, text, true, ret);
    }
    if (reason == SL_REASON_NONE) {
        *ret = v;
    }
    return reason;
}

/* What is to be masked: a text, or, where the column takes no texts anyway, what JSON writes. */
static enum sl_reason json_to_cleartext(const struct sl_column *column, const struct sl_json *j,
                                        struct sl_arena *a, struct sl_value *ret, bool *ret_is_full)
{
    const bool is_text = column->type == SL_TYPE_VARCHAR || column->type == SL_TYPE_TEXT;
    const bool is_scalar =
        j->type == SL_JSON_STRING || j->type == SL_JSON_NUMBER || j->type == SL_JSON_BOOL;
    sl_str copy;

    if (column->masking.method == SL_MASK_DROP) {
        *ret = (struct sl_value){ .kind = SL_VALUE_NULL };
        return SL_REASON_NONE;
    }
    if (j->type == SL_JSON_LONE_SURROGATE) {
        return SL_REASON_LONE_SURROGATE;
    }
    if (!is_scalar ||
        (j->type != SL_JSON_STRING && is_text && column->convert != SL_CONVERT_TEXT)) {
        return SL_REASON_WRONG_TYPE;
    }
    if (has_nul(j->text)) {
        return SL_REASON_NUL_CHARACTER;
    }
    copy = sl_arena_copy(a, sl_cleartext_publish(j->text));
    *ret_is_full = copy.ptr == NULL;
    *ret = (struct sl_value){ .kind = SL_VALUE_CLEARTEXT, .cleartext = sl_cleartext_of(copy) };
    return SL_REASON_NONE;
}

static enum sl_reason json_to_value(const struct sl_column *column, const struct sl_json *j,
                                    struct sl_arena *a, struct sl_value *ret, bool *ret_is_full)
{
    const bool is_text = column->type == SL_TYPE_VARCHAR || column->type == SL_TYPE_TEXT;
    const sl_str text = sl_cleartext_publish(j->text);

    if (column->masking.method != SL_MASK_NONE) {
        return json_to_cleartext(column, j, a, ret, ret_is_full);
    }
    if (column->type == SL_TYPE_JSONB) {
        return json_to_jsonb(j, a, ret, ret_is_full);
    }
    if (j->type == SL_JSON_LONE_SURROGATE) {
        return SL_REASON_LONE_SURROGATE;
    }
    if (is_text &&
        (j->type == SL_JSON_STRING || (column->convert == SL_CONVERT_TEXT &&
                                       (j->type == SL_JSON_NUMBER || j->type == SL_JSON_BOOL)))) {
        return text_to_varchar(column, j->text, a, ret, ret_is_full);
    }
    if (j->type == SL_JSON_STRING) {
        return string_to_value(column, text, ret);
    }
    if (j->type == SL_JSON_NUMBER) {
        return number_to_value(column, text, ret);
    }
    if (j->type == SL_JSON_BOOL && column->type == SL_TYPE_BOOLEAN) {
        *ret = (struct sl_value){ .kind = SL_VALUE_BOOL, .b = text.ptr[0] == 't' };
        return SL_REASON_NONE;
    }
    return SL_REASON_WRONG_TYPE;
}

/* A fact of the message's, which is a moment or a number; 0 is what is not known of it. */
static struct sl_value fact_to_value(const struct sl_column *column, const struct sl_record *r)
{
    const int64_t at_ms = column->from == SL_FROM_SENT_AT ? r->sent_at_ms : r->received_at_ms;
    struct sl_value v = { .kind = SL_VALUE_INT,
                          .i = column->from == SL_FROM_RECEIVE_COUNT ? r->receive_count : at_ms };

    if (v.i == 0) {
        v.kind = SL_VALUE_NULL;
    } else if (column->type == SL_TYPE_TIMESTAMPTZ) {
        v.i = at_ms * 1000;
    } else if (column->type == SL_TYPE_DATE) {
        v.i = sl_convert_day(at_ms * 1000);
    }
    return v;
}

/* A message attribute, as a string of JSON; NULL when the message has none of that name. */
static const struct sl_json *attribute_json(const struct sl_column *column,
                                            const struct sl_content *c, struct sl_json *text)
{
    const sl_cleartext *value = sl_content_attribute(c, column->attribute);

    if (value == NULL) {
        return NULL;
    }
    text->text = *value;
    return text;
}

/* What a column is made from, NULL if it is not there; `text` is for what is not JSON itself. */
static const struct sl_json *source_json(const struct sl_column *column, const struct sl_record *r,
                                         const struct sl_content *c, struct sl_json *text)
{
    *text = (struct sl_json){ .type = SL_JSON_STRING };
    switch (column->from) {
    case SL_FROM_BODY:
        text->text = c->body;
        return column->type == SL_TYPE_JSONB ? c->root : text;
    case SL_FROM_MESSAGE_ID:
        text->text = sl_cleartext_of(r->message_id);
        return text;
    case SL_FROM_ATTRIBUTE:
        return attribute_json(column, c, text);
    case SL_FROM_TRACE_ID:
        text->text = sl_cleartext_of(sl_trace_text(&r->trace));
        return text->text.len > 0 ? text : NULL;
    default:
        return find_path(c->root, column);
    }
}

/* ---- one record --------------------------------------------------------------------------------------------- */

static enum sl_reason column_decode(const struct sl_column *column, const struct sl_record *r,
                                    const struct sl_content *c, struct sl_arena *a,
                                    struct sl_value *ret, bool *ret_is_full)
{
    struct sl_json text;
    const struct sl_json *j;

    if (column->from == SL_FROM_SENT_AT || column->from == SL_FROM_RECEIVED_AT ||
        column->from == SL_FROM_RECEIVE_COUNT) {
        *ret = fact_to_value(column, r);
        return ret->kind == SL_VALUE_NULL && column->is_required ? SL_REASON_MISSING_FIELD
                                                                 : SL_REASON_NONE;
    }
    j = source_json(column, r, c, &text);
    if (j == NULL || j->type == SL_JSON_NULL) {
        *ret = (struct sl_value){ .kind = SL_VALUE_NULL };
        return !column->is_required ? SL_REASON_NONE
               : j == NULL          ? SL_REASON_MISSING_FIELD
                                    : SL_REASON_NULL_FIELD;
    }
    return json_to_value(column, j, a, ret, ret_is_full);
}

static sl_rc record_columns(const struct sl_config *cfg, struct sl_record *r,
                            const struct sl_content *c, struct sl_arena *a, struct sl_err *e)
{
    bool is_full = false;

    r->values = sl_arena_calloc(a, cfg->columns_n, sizeof *r->values);
    if (r->values == NULL) {
        return SL_FAIL(e, SL_NOMEM, "the batch is full at %zu bytes", a->held_bytes);
    }
    for (unsigned i = 0; i < cfg->columns_n; i++) {
        const enum sl_reason reason =
            column_decode(&cfg->columns[i], r, c, a, &r->values[i], &is_full);

        if (is_full) {
            return SL_FAIL(e, SL_NOMEM, "the batch is full at %zu bytes", a->held_bytes);
        }
        if (reason != SL_REASON_NONE) {
            r->verdict =
                (struct sl_verdict){ .reason = reason, .field = cfg->columns[i].from_text };
            return SL_OK;
        }
    }
    return SL_OK;
}

/* Without a key that can be trusted two messages would be one, or one be two. */
static enum sl_reason key_check(const struct sl_json *j)
{
    if (j == NULL || (j->type == SL_JSON_STRING && j->text.len == 0)) {
        return SL_REASON_MISSING_FIELD;
    }
    switch (j->type) {
    case SL_JSON_STRING:
    case SL_JSON_NUMBER:
    case SL_JSON_BOOL:
        return SL_REASON_NONE;
    case SL_JSON_NULL:
        return SL_REASON_NULL_FIELD;
    case SL_JSON_LONE_SURROGATE:
        return SL_REASON_LONE_SURROGATE;
    default:
        return SL_REASON_WRONG_TYPE;
    }
}

/* The value that the ledger knows the message by, if by a value; a dry run has no ledger, and looks all the same. */
static sl_rc record_key(struct sl_pipeline *p, struct sl_record *r, const struct sl_content *c,
                        struct sl_err *e)
{
    const struct sl_column *from = &p->cfg->dedup_from;
    const struct sl_json *j;
    enum sl_reason reason;
    struct sl_json text;

    if (r->verdict.reason != SL_REASON_NONE || p->cfg->dedup == SL_DEDUP_MESSAGE_ID) {
        return SL_OK;
    }
    j = source_json(from, r, c, &text);
    reason = key_check(j);
    if (reason != SL_REASON_NONE) {
        r->verdict = (struct sl_verdict){ .reason = reason, .field = from->from_text };
        return SL_OK;
    }
    return p->ledger_mac == NULL ? SL_OK : sl_hmac_of(p->ledger_mac, j->text, r->ledger_key, e);
}

enum { LINE_MAC_BYTES = 8 };

/* A line has no id of its own, and files of one name follow each other: where it stands, and a mark of
 * what it says, which tells nobody else anything.  A dry run has no key for that. */
static sl_rc line_identify(struct sl_pipeline *p, struct sl_record *r, struct sl_arena *a,
                           struct sl_err *e)
{
    unsigned char mac[SL_HMAC_BYTES];
    uint64_t mark;

    if (!r->is_line || p->ledger_mac == NULL) {
        return SL_OK;
    }
    SL_TRY(sl_hmac_of(p->ledger_mac, r->body, mac, e));
    memcpy(&mark, mac, LINE_MAC_BYTES);
    r->message_id =
        sl_arena_printf(a, "%" SL_FMT ":%016" PRIx64, SL_ARG(r->message_id), htobe64(mark));
    return r->message_id.ptr != NULL ? SL_OK : SL_FAIL(e, SL_NOMEM, "the batch is full");
}

static bool needs_json(const struct sl_config *cfg)
{
    if (cfg->dedup == SL_DEDUP_FIELD && cfg->dedup_from.from == SL_FROM_PATH) {
        return true;
    }
    for (unsigned i = 0; i < cfg->columns_n; i++) {
        if (cfg->columns[i].from == SL_FROM_PATH ||
            (cfg->columns[i].from == SL_FROM_BODY && cfg->columns[i].type == SL_TYPE_JSONB)) {
            return true;
        }
    }
    return false;
}

static sl_rc content_parse(struct sl_pipeline *p, struct sl_content *c, enum sl_reason *ret_reason,
                           struct sl_err *e)
{
    enum sl_json_fault fault = SL_JSON_OK;

    SL_TRY(sl_json_parse(p->parser, c->body, &p->scratch, &c->root, &fault, e));
    *ret_reason = fault_reasons[fault];
    if (fault == SL_JSON_OK && c->root->type != SL_JSON_OBJECT) {
        *ret_reason = SL_REASON_NOT_AN_OBJECT;
    }
    return SL_OK;
}

/* SNS hands attributes on inside of its envelope. */
static void envelope_trace(const struct sl_config *cfg, const struct sl_content *c,
                           struct sl_record *r)
{
    const sl_cleartext *header = NULL;

    if (sl_config_has_own_attributes(cfg) && sl_config_wants_trace(cfg)) {
        header = sl_content_attribute(c, SL_STR(SL_TRACE_ATTRIBUTE));
    }
    if (header != NULL) {
        (void)sl_trace_read_w3c(sl_cleartext_publish(*header), &r->trace);
    }
}

static sl_rc record_decode(struct sl_pipeline *p, struct sl_record *r, struct sl_arena *a,
                           struct sl_err *e)
{
    enum sl_reason *reason = &r->verdict.reason;
    struct sl_content c = { 0 };

    SL_TRY(line_identify(p, r, a, e));
    if (*reason == SL_REASON_NONE) {
        SL_TRY(sl_unwrap(p->cfg, p->parser, r, &p->scratch, &c, reason, e));
    }
    envelope_trace(p->cfg, &c, r);
    if (*reason == SL_REASON_NONE && needs_json(p->cfg)) {
        SL_TRY(content_parse(p, &c, reason, e));
    }
    if (*reason != SL_REASON_NONE) {
        return SL_OK;
    }
    SL_TRY(record_columns(p->cfg, r, &c, a, e));
    return record_key(p, r, &c, e);
}

sl_rc sl_stage_decode(struct sl_pipeline *p, struct sl_batch *b, struct sl_err *e)
{
    for (unsigned i = 0; i < b->n; i++) {
        const sl_rc rc = record_decode(p, b->records[i], &b->arena, e);

        sl_arena_reset(&p->scratch);
        SL_TRY(rc);
    }
    return SL_OK;
}
