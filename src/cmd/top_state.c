/* cmd/top_state.c - the answers of a run, read. */
#include "cmd/top_state.h"

#include <math.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/json.h"
#include "cmd/top_text.h"

enum { DIGITS_MAX = 32, STEP_MAX_S = 3600 };

static const double number_max = 9e15; /* every whole number below it is a double */

/* ---- JSON, leniently ----------------------------------------------------------------------------- */

static sl_rc root_read(sl_str text, struct sl_arena *a, const struct sl_json **ret,
                       struct sl_err *e)
{
    SL_AUTO(sl_json_parser_freep) struct sl_json_parser *p = NULL;
    enum sl_json_fault fault = SL_JSON_OK;
    const struct sl_json *root = NULL;
    sl_cleartext padded;

    SL_TRY(sl_json_parser_new(SL_TOP_ANSWER_MAX, &p, e));
    SL_TRY(sl_json_padded(sl_cleartext_of(text), a, &padded, e));
    SL_TRY(sl_json_parse(p, padded, a, &root, &fault, e));
    if (fault != SL_JSON_OK || root->type != SL_JSON_OBJECT) {
        return SL_FAIL(e, SL_UNAVAILABLE, "the answer is no JSON object");
    }
    *ret = root;
    return SL_OK;
}

static sl_str text_of(const struct sl_json *j, struct sl_arena *a)
{
    return j != NULL && j->type == SL_JSON_STRING ? sl_top_clean(sl_cleartext_publish(j->text), a)
                                                  : SL_STR("");
}

static sl_str member_text(const struct sl_json *j, const char *name, struct sl_arena *a)
{
    return text_of(sl_json_member(j, sl_str_of(name)), a);
}

static bool is_true(const struct sl_json *j, const char *name)
{
    const struct sl_json *found = sl_json_member(j, sl_str_of(name));

    return found != NULL && found->type == SL_JSON_BOOL && found->text.len == strlen("true");
}

/* From 0 to number_max; whatever else is unknown. */
static double number_of(const struct sl_json *j)
{
    char digits[DIGITS_MAX];
    sl_str text;
    double value;

    if (j == NULL || j->type != SL_JSON_NUMBER || j->text.len >= sizeof digits) {
        return SL_TOP_UNKNOWN;
    }
    text = sl_cleartext_publish(j->text);
    memcpy(digits, text.ptr, text.len);
    digits[text.len] = '\0';
    value = strtod(digits, NULL);
    return value >= 0 && value <= number_max ? value : SL_TOP_UNKNOWN;
}

static int64_t member_whole(const struct sl_json *j, const char *name)
{
    return (int64_t)number_of(sl_json_member(j, sl_str_of(name)));
}

static const struct sl_json *list_of(const struct sl_json *j, const char *name)
{
    const struct sl_json *found = sl_json_member(j, sl_str_of(name));

    return found != NULL && found->type == SL_JSON_ARRAY ? found->child : NULL;
}

/* ---- /api/state ---------------------------------------------------------------------------------- */

static void reasons_read(const struct sl_json *root, struct sl_arena *a, struct sl_top_state *s)
{
    for (const struct sl_json *j = list_of(root, "reasons");
         j != NULL && s->reasons_n < SL_TOP_REASONS_MAX; j = j->next) {
        s->reasons[s->reasons_n++] = text_of(j, a);
    }
}

static void workers_read(const struct sl_json *root, struct sl_arena *a, struct sl_top_state *s)
{
    for (const struct sl_json *j = list_of(root, "workers");
         j != NULL && s->workers_n < SL_TOP_WORKERS_MAX; j = j->next) {
        s->workers[s->workers_n++] = (struct sl_top_worker){
            .number = member_whole(j, "worker"),
            .stage = member_text(j, "stage", a),
            .still_s = member_whole(j, "still_s"),
            .is_idle = is_true(j, "idle"),
            .is_stalled = is_true(j, "stalled"),
            .outage_s = member_whole(j, "outage_s"),
            .outage = member_text(j, "outage", a),
            .awaited = member_text(j, "awaited", a),
            .queue_error = member_text(j, "queue_error", a),
        };
    }
}

static void errors_read(const struct sl_json *root, struct sl_arena *a, struct sl_top_state *s)
{
    for (const struct sl_json *j = list_of(root, "errors");
         j != NULL && s->errors_n < SL_TOP_ERRORS_MAX; j = j->next) {
        s->errors[s->errors_n++] = (struct sl_top_error){
            .last_ms = member_whole(j, "last_ms"),
            .n = member_whole(j, "n"),
            .level = member_text(j, "level", a),
            .message = member_text(j, "message", a),
            .code = member_text(j, "code", a),
            .detail = member_text(j, "detail", a),
            .remedy = member_text(j, "remedy", a),
        };
    }
}

static struct sl_top_counts counts_read(const struct sl_json *j)
{
    return (struct sl_top_counts){
        .received = member_whole(j, "received"),
        .loaded = member_whole(j, "loaded"),
        .duplicates = member_whole(j, "duplicates"),
        .dead_lettered = member_whole(j, "dead_lettered"),
        .returned = member_whole(j, "returned"),
        .in_flight = member_whole(j, "in_flight"),
        .deleted = member_whole(j, "deleted"),
        .delete_failed = member_whole(j, "delete_failed"),
    };
}

static sl_rc keys_read(const struct sl_json *root, struct sl_arena *a, struct sl_top_state *s,
                       struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf text = { .max_bytes = SL_TOP_ANSWER_MAX };

    for (const struct sl_json *j = list_of(root, "keys"); j != NULL; j = j->next) {
        sl_buf_add_str(&text, text.len > 0 ? SL_STR(", ") : SL_STR(""));
        sl_buf_add_str(&text, text_of(j, a));
    }
    SL_TRY(sl_buf_rc(&text, e));
    s->keys = sl_arena_copy(a, sl_buf_str(&text));
    return SL_OK;
}

static void ends_read(const struct sl_json *root, struct sl_arena *a, struct sl_top_state *s)
{
    const struct sl_json *source = sl_json_member(root, SL_STR("source"));
    const struct sl_json *target = sl_json_member(root, SL_STR("target"));

    s->source_kind = member_text(source, "kind", a);
    s->source_name = member_text(source, "name", a);
    s->visible = member_whole(source, "visible");
    s->in_flight = member_whole(source, "in_flight");
    s->delayed = member_whole(source, "delayed");
    s->asked_s_ago = member_whole(source, "asked_s_ago");
    s->target_kind = member_text(target, "kind", a);
    s->target_name = member_text(target, "name", a);
}

sl_rc sl_top_state_read(sl_str text, struct sl_arena *a, const struct sl_top_state **ret,
                        struct sl_err *e)
{
    const struct sl_json *root = NULL;
    struct sl_top_state *s;
    sl_str status;

    SL_TRY(root_read(text, a, &root, e));
    status = member_text(root, "status", a);
    if (status.len == 0) {
        return SL_FAIL(e, SL_UNAVAILABLE, "the answer has no status of a run");
    }
    s = sl_arena_calloc(a, 1, sizeof *s);
    if (s == NULL) {
        return SL_FAIL(e, SL_NOMEM, "the answer is too large");
    }
    s->version = member_text(root, "version", a);
    s->pipeline = member_text(root, "pipeline", a);
    s->started_at_ms = member_whole(root, "started_at_ms");
    s->now_ms = member_whole(root, "now_ms");
    s->is_ready = sl_str_eq(status, SL_STR("ready"));
    s->counts = counts_read(sl_json_member(root, SL_STR("counts")));
    s->oldest_s = member_whole(root, "oldest_s");
    ends_read(root, a, s);
    reasons_read(root, a, s);
    workers_read(root, a, s);
    errors_read(root, a, s);
    SL_TRY(keys_read(root, a, s, e));
    *ret = s;
    return SL_OK;
}

/* ---- /api/history -------------------------------------------------------------------------------- */

/* The newest `n` of a list; what it does not have is 0. */
static void series_read(const struct sl_json *root, const char *name, unsigned n, double *points)
{
    const struct sl_json *j = list_of(root, name);
    const struct sl_json *list = sl_json_member(root, sl_str_of(name));
    unsigned i = 0;

    for (unsigned skip = list != NULL && list->n > n ? list->n - n : 0; j != NULL && skip > 0;
         skip--) {
        j = j->next;
    }
    for (; j != NULL && i < n; j = j->next) {
        points[i++] = fmax(number_of(j), 0);
    }
}

static double last_known(const struct sl_json *root, const char *name)
{
    double last = SL_TOP_UNKNOWN;

    for (const struct sl_json *j = list_of(root, name); j != NULL; j = j->next) {
        const double value = number_of(j);

        last = value >= 0 ? value : last;
    }
    return last;
}

sl_rc sl_top_history_read(sl_str text, struct sl_arena *a, struct sl_top_history *ret,
                          struct sl_err *e)
{
    const struct sl_json *root = NULL;
    const struct sl_json *received;
    int64_t step_s;

    SL_TRY(root_read(text, a, &root, e));
    received = sl_json_member(root, SL_STR("received"));
    step_s = member_whole(root, "step_s");
    if (received == NULL || received->type != SL_JSON_ARRAY || step_s < 1 || step_s > STEP_MAX_S) {
        return SL_FAIL(e, SL_UNAVAILABLE, "the answer has no points of a history");
    }
    *ret = (struct sl_top_history){
        .step_s = (unsigned)step_s,
        .n = received->n < SL_TOP_POINTS_MAX ? received->n : SL_TOP_POINTS_MAX,
        .p50_ms = last_known(root, "p50_ms"),
        .p99_ms = last_known(root, "p99_ms"),
    };
    series_read(root, "received", ret->n, ret->received);
    series_read(root, "loaded", ret->n, ret->loaded);
    series_read(root, "dead_lettered", ret->n, ret->dead_lettered);
    return SL_OK;
}
