/* pipeline/unwrap.c - a body out of its envelope and its encoding.
 *
 * What was packed is cleartext as the body is; texts are opened here to be unpacked, and go
 * nowhere else.
 */
#include "pipeline/unwrap.h"

#include "base/base64.h"
#include "base/buf.h"
#include "source/unpack.h"

enum { STEP_BYTES = 64 << 10 }; /* unpacked at a time */

/* ---- envelopes ------------------------------------------------------------------------------- */

/* What an envelope says in words of its own is an attribute; the body that it holds is none. */
static bool is_attribute(const struct sl_json *j)
{
    return j->type == SL_JSON_STRING &&
           !sl_str_eq(sl_cleartext_publish(j->name), SL_STR("Message"));
}

static void add_attribute(struct sl_content *c, struct sl_attribute *to, const struct sl_json *name,
                          const struct sl_json *value)
{
    to[c->attributes_n++] =
        (struct sl_attribute){ .name = sl_cleartext_publish(name->name), .value = value->text };
}

/* Those of the message first: the first of a name is the one that is found. */
static sl_rc attributes_read(const struct sl_json *envelope, const struct sl_json *own,
                             struct sl_arena *a, struct sl_content *c, struct sl_err *e)
{
    const unsigned own_n = own != NULL && own->type == SL_JSON_OBJECT ? own->n : 0;
    struct sl_attribute *to = sl_arena_calloc(a, own_n + envelope->n, sizeof *to);

    if (to == NULL) {
        return SL_FAIL(e, SL_NOMEM, "memory for the attributes of an envelope ran out");
    }
    c->attributes = to;
    c->attributes_n = 0;
    for (const struct sl_json *j = own_n > 0 ? own->child : NULL; j != NULL; j = j->next) {
        const struct sl_json *type = sl_json_member(j, SL_STR("Type"));
        const struct sl_json *value = sl_json_member(j, SL_STR("Value"));
        const bool is_binary = type != NULL && type->type == SL_JSON_STRING &&
                               sl_str_eq(sl_cleartext_publish(type->text), SL_STR("Binary"));

        if (value != NULL && value->type == SL_JSON_STRING && !is_binary) {
            add_attribute(c, to, j, value);
        }
    }
    for (const struct sl_json *j = envelope->child; j != NULL; j = j->next) {
        if (is_attribute(j)) {
            add_attribute(c, to, j, j);
        }
    }
    return SL_OK;
}

/* Other things than notifications come from SNS, too: to confirm a subscription, say. */
static const struct sl_json *notification_body(const struct sl_json *envelope)
{
    const struct sl_json *type = sl_json_member(envelope, SL_STR("Type"));
    const struct sl_json *message = sl_json_member(envelope, SL_STR("Message"));

    return type != NULL && type->type == SL_JSON_STRING &&
                   sl_str_eq(sl_cleartext_publish(type->text), SL_STR("Notification")) &&
                   message != NULL && message->type == SL_JSON_STRING
               ? message
               : NULL;
}

static const struct sl_json *event_body(const struct sl_json *envelope)
{
    const struct sl_json *detail = sl_json_member(envelope, SL_STR("detail"));

    return detail != NULL && detail->type == SL_JSON_OBJECT ? detail : NULL;
}

static sl_rc envelope_open(enum sl_envelope kind, const struct sl_json *envelope,
                           struct sl_arena *a, struct sl_content *c, enum sl_reason *ret_reason,
                           struct sl_err *e)
{
    const bool is_sns = kind == SL_ENVELOPE_SNS;
    const struct sl_json *body = is_sns ? notification_body(envelope) : event_body(envelope);

    if (body == NULL) {
        *ret_reason = SL_REASON_BAD_ENVELOPE;
        return SL_OK;
    }
    SL_TRY(attributes_read(
        envelope, is_sns ? sl_json_member(envelope, SL_STR("MessageAttributes")) : NULL, a, c, e));
    return sl_json_padded(body->text, a, &c->body, e);
}

static sl_rc envelope_read(enum sl_envelope kind, struct sl_json_parser *parser, struct sl_arena *a,
                           struct sl_content *c, enum sl_reason *ret_reason, struct sl_err *e)
{
    const struct sl_json *envelope = NULL;
    enum sl_json_fault fault = SL_JSON_OK;

    SL_TRY(sl_json_parse(parser, c->body, a, &envelope, &fault, e));
    if (fault != SL_JSON_OK) {
        *ret_reason = SL_REASON_BAD_ENVELOPE;
        return SL_OK;
    }
    return envelope_open(kind, envelope, a, c, ret_reason, e);
}

/* ---- encodings ------------------------------------------------------------------------------- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Some encoders break lines. */
static sl_rc without_space(sl_str text, struct sl_arena *a, sl_str *ret, struct sl_err *e)
{
    char *copy = sl_arena_alloc(a, text.len + 1);
    size_t n = 0;

    if (copy == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not hold %zu bytes of a body", text.len);
    }
    for (size_t i = 0; i < text.len; i++) {
        if (!is_space(text.ptr[i])) {
            copy[n++] = text.ptr[i];
        }
    }
    *ret = (sl_str){ copy, n };
    return SL_OK;
}

static sl_rc base64_read(sl_cleartext text, struct sl_arena *a, sl_str *ret,
                         enum sl_reason *ret_reason, struct sl_err *e)
{
    sl_str chars;
    char *bytes;
    size_t n = 0;

    SL_TRY(without_space(sl_cleartext_publish(text), a, &chars, e));
    bytes = sl_arena_alloc(a, chars.len + 1);
    if (bytes == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not hold %zu bytes of a body", chars.len);
    }
    if (!sl_base64_decode(SL_BASE64, chars, bytes, chars.len, &n)) {
        *ret_reason = SL_REASON_BAD_ENCODING;
    }
    *ret = (sl_str){ bytes, n };
    return SL_OK;
}

/* A small body may unpack to a thousand times its size, so it is looked at as it grows. */
static sl_rc gzip_some(struct sl_unpack *u, sl_str packed, struct sl_buf *out,
                       enum sl_reason *ret_reason, struct sl_err *e)
{
    size_t n = 1;

    while (n > 0 && out->len <= SL_CONTENT_MAX) {
        char *room = sl_buf_reserve(out, STEP_BYTES);

        if (room == NULL) {
            return sl_buf_rc(out, e);
        }
        if (sl_unpack_some(u, &packed, room, STEP_BYTES, &n, e) != SL_OK) {
            *ret_reason = SL_REASON_BAD_ENCODING;
            return u->lacks_memory ? SL_FAIL(e, SL_NOMEM, "could not unpack a body") : SL_OK;
        }
        out->len += n;
    }
    if (out->len > SL_CONTENT_MAX) {
        *ret_reason = SL_REASON_CONTENT_TOO_LARGE;
    } else if (sl_unpack_end(u, e) != SL_OK) {
        *ret_reason = SL_REASON_BAD_ENCODING;
    }
    return SL_OK;
}

static sl_rc gzip_read(sl_str packed, struct sl_arena *a, sl_cleartext *ret,
                       enum sl_reason *ret_reason, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf out = { .max_bytes = SL_CONTENT_MAX + 2 * STEP_BYTES };
    SL_AUTO(sl_unpack_done) struct sl_unpack u = { 0 };

    if (sl_packing_of(packed) != SL_PACKING_GZIP) {
        *ret_reason = SL_REASON_BAD_ENCODING;
        return SL_OK;
    }
    SL_TRY(sl_unpack_init(&u, SL_PACKING_GZIP, e));
    SL_TRY(gzip_some(&u, packed, &out, ret_reason, e));
    return *ret_reason == SL_REASON_NONE
               ? sl_json_padded(sl_cleartext_of(sl_buf_str(&out)), a, ret, e)
               : SL_OK;
}

static sl_rc encoding_read(struct sl_arena *a, struct sl_content *c, enum sl_reason *ret_reason,
                           struct sl_err *e)
{
    sl_str packed;

    SL_TRY(base64_read(c->body, a, &packed, ret_reason, e));
    return *ret_reason == SL_REASON_NONE ? gzip_read(packed, a, &c->body, ret_reason, e) : SL_OK;
}

/* NOLINTNEXTLINE(readability-function-size): two outputs and who holds them */
sl_rc sl_unwrap(const struct sl_config *cfg, struct sl_json_parser *parser,
                const struct sl_record *r, struct sl_arena *a, struct sl_content *ret,
                enum sl_reason *ret_reason, struct sl_err *e)
{
    enum sl_reason reason = SL_REASON_NONE;
    struct sl_content c = { .body = r->has_object ? r->object : r->body,
                            .attributes = r->attributes,
                            .attributes_n = r->attributes_n };

    if (sl_config_has_own_attributes(cfg)) {
        SL_TRY(envelope_read(cfg->envelope, parser, a, &c, &reason, e));
    }
    if (reason == SL_REASON_NONE && cfg->encoding == SL_ENCODING_GZIP_BASE64) {
        SL_TRY(encoding_read(a, &c, &reason, e));
    }
    if (reason == SL_REASON_NONE) {
        *ret = c;
    }
    *ret_reason = reason;
    return SL_OK;
}

const sl_cleartext *sl_content_attribute(const struct sl_content *c, sl_str name)
{
    for (unsigned i = 0; i < c->attributes_n; i++) {
        if (sl_str_eq(c->attributes[i].name, name)) {
            return &c->attributes[i].value;
        }
    }
    return NULL;
}
