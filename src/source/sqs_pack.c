/* source/sqs_pack.c - what is kept of received messages, without what the parser made besides. */
#include "source/sqs_pack.h"

#include "base/json.h"

enum { PIECE = 64 }; /* what a piece of an arena may take beyond its bytes */

static size_t packed_bytes(const struct sl_sqs_message *m)
{
    size_t n = sizeof *m + m->message_id.len + m->body.len + SL_JSON_PADDING +
               m->attributes_n * sizeof *m->attributes + (size_t)3 * PIECE;

    for (unsigned i = 0; i < m->attributes_n; i++) {
        n += m->attributes[i].name.len + m->attributes[i].value.len + (size_t)2 * PIECE;
    }
    return n;
}

static bool text_pack(sl_str *text, struct sl_arena *a)
{
    *text = sl_arena_copy(a, *text);
    return text->ptr != NULL;
}

static bool attributes_pack(struct sl_sqs_message *m, struct sl_arena *a)
{
    const struct sl_attribute *from = m->attributes;
    bool is_whole = true;

    if (m->attributes_n == 0) {
        m->attributes = NULL;
        return true;
    }
    m->attributes = sl_arena_calloc(a, m->attributes_n, sizeof *m->attributes);
    for (unsigned i = 0; m->attributes != NULL && i < m->attributes_n; i++) {
        sl_str value = sl_cleartext_publish(from[i].value);

        m->attributes[i].name = from[i].name;
        is_whole = is_whole && text_pack(&m->attributes[i].name, a) && text_pack(&value, a);
        m->attributes[i].value = sl_cleartext_of(value);
    }
    return is_whole && m->attributes != NULL;
}

static bool message_pack(struct sl_sqs_message *m, struct sl_arena *a)
{
    return text_pack(&m->message_id, a) && sl_json_padded(m->body, a, &m->body, NULL) == SL_OK &&
           attributes_pack(m, a);
}

sl_rc sl_sqs_pack(const struct sl_sqs_message *messages, unsigned n, size_t max_bytes,
                  struct sl_arena *arena, struct sl_sqs_message **ret, struct sl_err *e)
{
    size_t bytes = PIECE;
    bool is_whole = true;

    for (unsigned i = 0; i < n; i++) {
        bytes += packed_bytes(&messages[i]);
    }
    sl_arena_init(arena, max_bytes, bytes);
    *ret = sl_arena_alloc(arena, n * sizeof **ret);
    for (unsigned i = 0; *ret != NULL && i < n; i++) {
        (*ret)[i] = messages[i];
        is_whole = is_whole && message_pack(&(*ret)[i], arena);
    }
    return is_whole && *ret != NULL
               ? SL_OK
               : SL_FAIL(e, SL_NOMEM, "could not hold %u messages of %zu bytes", n, bytes);
}
