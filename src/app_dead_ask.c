/* app_dead_ask.c - which dead letters are asked for over HTTP. */
#include "app_dead_ask.h"

#include <inttypes.h>

#include "base/json.h"
#include "record/batch.h"
#include "telemetry/counters.h"

enum {
    LIST_PRESET = 50,
    LIST_MAX = 500,
    FIELD_MAX = 256,
    IDS_MAX = 128 << 10, /* bytes; a body has 64 KiB */
    ARENA_MAX = 8 << 20,
};

/* ---- values -------------------------------------------------------------------------------------- */

/* A wrong word would find nothing, which looks like good news. */
static sl_rc take_code(struct sl_dead_ask *ask, sl_str text, struct sl_err *e)
{
    for (unsigned reason = SL_REASON_NONE + 1; reason < SL_REASONS_N; reason++) {
        if (sl_str_eq(text, sl_str_of(sl_reason_code((enum sl_reason)reason)))) {
            ask->filter.code = text;
            return SL_OK;
        }
    }
    return SL_FAIL(e, SL_USAGE, "code is no reason of a dead letter");
}

static sl_rc take_field(struct sl_dead_ask *ask, sl_str text, struct sl_err *e)
{
    if (text.len == 0 || text.len > FIELD_MAX) {
        return SL_FAIL(e, SL_USAGE, "field takes the name of a field");
    }
    ask->filter.field = text;
    return SL_OK;
}

static sl_rc take_status(struct sl_dead_ask *ask, sl_str text, struct sl_err *e)
{
    const bool is_all = sl_str_eq(text, SL_STR("all"));

    if (!is_all && !sl_str_eq(text, SL_STR("new")) && !sl_str_eq(text, SL_STR("retried"))) {
        return SL_FAIL(e, SL_USAGE, "status takes new, retried or all");
    }
    ask->filter.status = !is_all ? text : (sl_str){ 0 };
    return SL_OK;
}

static sl_rc take_number(const char *name, sl_str text, int64_t max, int64_t *ret, struct sl_err *e)
{
    int64_t n = 0;

    if (!sl_str_to_i64(text, &n) || n < 0 || n > max) {
        return SL_FAIL(e, SL_USAGE, "%s takes a number, at most %" PRId64, name, max);
    }
    *ret = n;
    return SL_OK;
}

static sl_rc take_before(struct sl_dead_ask *ask, sl_str text, struct sl_err *e)
{
    return take_number("before", text, INT64_MAX, &ask->filter.before_id, e);
}

static sl_rc take_limit(struct sl_dead_ask *ask, sl_str text, struct sl_err *e)
{
    int64_t limit = LIST_PRESET;

    SL_TRY(take_number("limit", text, LIST_MAX, &limit, e));
    ask->filter.limit = limit > 0 ? (unsigned)limit : LIST_PRESET;
    return SL_OK;
}

static sl_rc take_after(struct sl_dead_ask *ask, sl_str text, struct sl_err *e)
{
    return take_number("after", text, INT64_MAX, &ask->after_id, e);
}

static sl_rc take_expect(struct sl_dead_ask *ask, sl_str text, struct sl_err *e)
{
    return take_number("expect", text, INT64_MAX, &ask->expect_n, e);
}

static sl_rc take_id(struct sl_dead_ask *ask, sl_str text, struct sl_err *e)
{
    int64_t id = 0;

    if (!sl_str_to_i64(text, &id) || id < 1) {
        return SL_FAIL(e, SL_USAGE, "that is no id of a dead letter");
    }
    sl_buf_printf(&ask->ids, "%s%" PRId64, ask->ids.len > 0 ? "," : "", id);
    ask->filter.ids = sl_buf_str(&ask->ids);
    return sl_buf_rc(&ask->ids, e);
}

/* ---- queries and paths --------------------------------------------------------------------------- */

static void ask_init(struct sl_dead_ask *ask)
{
    *ask = (struct sl_dead_ask){ .expect_n = -1 };
    sl_buf_init(&ask->ids, IDS_MAX);
    sl_arena_init(&ask->arena, ARENA_MAX, 16 << 10);
}

void sl_dead_ask_done(struct sl_dead_ask *ask)
{
    sl_buf_done(&ask->ids);
    sl_arena_done(&ask->arena);
}

sl_rc sl_dead_ask_query(const struct sl_http_asked *asked, struct sl_dead_ask *ret,
                        struct sl_err *e)
{
    static const struct {
        const char *name;
        sl_rc (*take)(struct sl_dead_ask *ask, sl_str text, struct sl_err *e);
    } takers[] = {
        { "code", take_code },     { "field", take_field }, { "status", take_status },
        { "before", take_before }, { "limit", take_limit },
    };

    ask_init(ret);
    ret->filter.status = SL_STR("new");
    ret->filter.limit = LIST_PRESET;
    for (size_t i = 0; i < sizeof takers / sizeof *takers; i++) {
        const char *value = sl_http_asked_query(asked, takers[i].name);

        if (value != NULL && value[0] != '\0') {
            SL_TRY(takers[i].take(ret, sl_str_of(value), e));
        }
    }
    return SL_OK;
}

sl_rc sl_dead_ask_path(const char *path, struct sl_dead_ask *ret, struct sl_err *e)
{
    ask_init(ret);
    return take_id(ret, sl_str_of(strrchr(path, '/') + 1), e);
}

/* ---- bodies -------------------------------------------------------------------------------------- */

static sl_rc take_ids(struct sl_dead_ask *ask, const struct sl_json *list, struct sl_err *e)
{
    for (const struct sl_json *j = list->child; j != NULL; j = j->next) {
        if (j->type != SL_JSON_NUMBER) {
            return SL_FAIL(e, SL_USAGE, "ids takes numbers");
        }
        SL_TRY(take_id(ask, sl_cleartext_publish(j->text), e));
    }
    return list->n > 0 ? SL_OK : SL_FAIL(e, SL_USAGE, "ids has none");
}

static sl_rc take_member(struct sl_dead_ask *ask, const struct sl_json *j, struct sl_err *e)
{
    static const struct {
        sl_str name;
        enum sl_json_type type;
        sl_rc (*take)(struct sl_dead_ask *ask, sl_str text, struct sl_err *e);
    } takers[] = {
        { { "code", 4 }, SL_JSON_STRING, take_code },
        { { "field", 5 }, SL_JSON_STRING, take_field },
        { { "status", 6 }, SL_JSON_STRING, take_status },
        { { "after", 5 }, SL_JSON_NUMBER, take_after },
        { { "expect", 6 }, SL_JSON_NUMBER, take_expect },
    };

    const sl_str name = sl_cleartext_publish(j->name);

    if (sl_str_eq(name, SL_STR("ids")) && j->type == SL_JSON_ARRAY) {
        return take_ids(ask, j, e);
    }
    for (size_t i = 0; i < sizeof takers / sizeof *takers; i++) {
        if (sl_str_eq(name, takers[i].name) && j->type == takers[i].type) {
            return takers[i].take(ask, sl_cleartext_publish(j->text), e);
        }
    }
    return SL_FAIL(e, SL_USAGE, "the body has ids, code, field, status, after and expect");
}

static sl_rc body_parse(sl_str body, struct sl_arena *a, const struct sl_json **ret,
                        struct sl_err *e)
{
    SL_AUTO(sl_json_parser_freep) struct sl_json_parser *parser = NULL;
    enum sl_json_fault fault = SL_JSON_OK;
    sl_cleartext text;

    SL_TRY(sl_json_parser_new(1 << 20, &parser, e));
    SL_TRY(sl_json_padded(sl_cleartext_of(body), a, &text, e));
    SL_TRY(sl_json_parse(parser, text, a, ret, &fault, e));
    return fault == SL_JSON_OK && (*ret)->type == SL_JSON_OBJECT
               ? SL_OK
               : SL_FAIL(e, SL_USAGE, "the body is no object of JSON");
}

sl_rc sl_dead_ask_body(sl_str body, struct sl_dead_ask *ret, struct sl_err *e)
{
    const struct sl_json *root = NULL;

    ask_init(ret);
    SL_TRY(body_parse(body, &ret->arena, &root, e));
    for (const struct sl_json *j = root->child; j != NULL; j = j->next) {
        SL_TRY(take_member(ret, j, e));
    }
    return ret->filter.ids.len > 0 || ret->filter.code.len > 0
               ? SL_OK
               : SL_FAIL(e, SL_USAGE, "which? give ids or a code");
}
