/* record/batch.c - a batch, and the names of the reasons. */
#include "record/batch.h"

#include <sys/random.h>

#include "telemetry/log.h"

static const struct {
    const char *code;
    const char *stage;
    const char *text;
} reasons[] = {
    { "", "", "" },

#define X(name, code, stage, text) { code, stage, text },
#include "record/reasons.def"
#undef X
};

const char *sl_reason_code(enum sl_reason reason)
{
    return reasons[reason].code;
}

const char *sl_reason_stage(enum sl_reason reason)
{
    return reasons[reason].stage;
}

const char *sl_reason_text(enum sl_reason reason)
{
    return reasons[reason].text;
}

void sl_record_tell(const struct sl_record *r, const char *message)
{
    const struct sl_verdict *v = &r->verdict;
    const sl_str trace = sl_trace_text(&r->trace);
    struct sl_field fields[7] = {
        sl_field_str("sluice.stage", sl_str_of(sl_reason_stage(v->reason))),
        sl_field_str("sluice.message_id", r->message_id),
        sl_field_int("sluice.receive_count", r->receive_count),
        sl_field_str("sluice.reason", sl_str_of(sl_reason_code(v->reason))),
    };
    size_t n = 4;

    if (v->field.len > 0) {
        fields[n++] = sl_field_str("sluice.field", v->field);
    }
    if (v->sqlstate[0] != '\0') {
        fields[n++] = sl_field_str("db.response.status_code", sl_str_of(v->sqlstate));
    }
    if (trace.len > 0) {
        fields[n++] = sl_field_str("trace.id", trace);
    }
    sl_log_fields(SL_LOG_WARN, message, fields, n);
}

sl_rc sl_batch_init(struct sl_batch *b, unsigned cap, size_t max_bytes, struct sl_err *e)
{
    *b = (struct sl_batch){ .cap = cap };
    if (getrandom(b->id, sizeof b->id, 0) != (ssize_t)sizeof b->id) {
        return SL_FAIL(e, SL_BUG, "cannot read random bytes");
    }
    sl_arena_init(&b->arena, max_bytes, 64 << 10);
    b->records = sl_arena_alloc(&b->arena, cap * sizeof(struct sl_record *));
    if (b->records == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not make room for a batch of %u", cap);
    }
    return SL_OK;
}

void sl_batch_done(struct sl_batch *b)
{
    sl_arena_done(&b->arena);
    *b = (struct sl_batch){ 0 };
}
