/* tests/fakes/fake_control.c - fill, expire, faults, report. */
#include "fake_control.h"

#include <stdlib.h>

#include "cmd/generate_event.h"
#include "fake_action.h"

enum { EVENT_BYTES = 4096, GROUPS_MAX = 100000 };

static const char *const state_names[] = {
#define X(name, text) [FAKE_##name] = text,
    FAKE_STATES(X)
#undef X
};

static int control_refuse(struct sl_buf *out, const char *what)
{
    sl_buf_add_str(out, SL_STR("{\"error\":"));
    sl_buf_add_json(out, sl_str_of(what));
    sl_buf_add_char(out, '}');
    return 400;
}

/* ------------------------------------------------------------------------- fill */

static bool share_of(const struct sl_json *request, const char *name, double *ret)
{
    const struct sl_json *j = sl_json_member(request, sl_str_of(name));
    char text[32] = "";
    char *end = NULL;

    if (j == NULL) {
        return true;
    }
    if (j->type != SL_JSON_NUMBER || j->text.len >= sizeof text) {
        return false;
    }
    memcpy(text, j->text.secret, j->text.len);
    *ret = strtod(text, &end);
    return *end == '\0' && *ret >= 0 && *ret <= 1;
}

static void fill_run(struct fake_queues *qs, struct fake_queue *q, struct sl_generator *g,
                     int64_t groups)
{
    SL_AUTO(sl_buf_done) struct sl_buf event = { .max_bytes = EVENT_BYTES };
    uint64_t bad = 0;

    for (int64_t i = 0; sl_generator_next(g, &event); i++) {
        struct fake_send send = { .group_id = "", .body_bytes = event.len };
        char group[24] = "";

        if (q->is_fifo) {
            (void)snprintf(group, sizeof group, "g%jd", (intmax_t)(i % groups));
        }
        send.group_id = group;
        send.body = fake_alloc(event.len, 1);
        memcpy(send.body, event.ptr, event.len);
        send.is_bad = g->bad > bad;
        bad = g->bad;
        (void)fake_queue_send(qs, q, &send);
        sl_buf_reset(&event);
    }
}

static int control_fill(struct fake_queues *qs, const struct sl_json *request, struct sl_buf *out)
{
    struct fake_queue *q = fake_queue_find(qs, fake_text_of(request, "queue"));
    struct sl_generator g;
    int64_t n = 0;
    int64_t seed = 1;
    int64_t groups = 1;
    double duplicates = 0;
    double bad = 0;

    if (q == NULL) {
        return control_refuse(out, "there is no such queue");
    }
    if (!fake_number_of(request, "n", 1, SL_GENERATE_MAX, &n) || n == 0 ||
        !fake_number_of(request, "seed", 0, INT64_MAX, &seed) ||
        !fake_number_of(request, "groups", 1, GROUPS_MAX, &groups) ||
        !share_of(request, "duplicates", &duplicates) || !share_of(request, "bad", &bad) ||
        duplicates + bad > 1) {
        return control_refuse(out, "n, seed, groups, duplicates or bad is out of bounds");
    }
    sl_generator_init(&g, (uint64_t)seed, (uint64_t)n, duplicates, bad);
    fill_run(qs, q, &g, groups);
    sl_buf_printf(out, "{\"sent\":%ju,\"bad\":%ju,\"originals\":%ju}", (uintmax_t)g.made,
                  (uintmax_t)g.bad, (uintmax_t)g.originals);
    return 200;
}

static int control_expire(struct fake_queues *qs, const struct sl_json *request, struct sl_buf *out)
{
    struct fake_queue *q = fake_queue_find(qs, fake_text_of(request, "queue"));

    if (q == NULL) {
        return control_refuse(out, "there is no such queue");
    }
    sl_buf_printf(out, "{\"expired\":%u}", fake_queue_expire(qs, q));
    return 200;
}

/* ----------------------------------------------------------------------- report */

static void report_message(const struct fake_queues *qs, const struct fake_message *m,
                           struct sl_buf *out)
{
    char id[FAKE_ID_CHARS];

    fake_message_id(&qs->store, m->serial, id);
    sl_buf_printf(out, "[\"%.*s\",\"%s\",%u,%s,", FAKE_ID_CHARS, id, state_names[m->state],
                  m->received_n, m->is_bad ? "true" : "false");
    if (m->moved_to == 0) {
        sl_buf_add_str(out, SL_STR("null]"));
    } else {
        fake_message_id(&qs->store, m->moved_to, id);
        sl_buf_printf(out, "\"%.*s\"]", FAKE_ID_CHARS, id);
    }
}

static void report_messages(const struct fake_queues *qs, const struct fake_queue *q, sl_str fate,
                            struct sl_buf *out)
{
    sl_buf_add_str(out, SL_STR(",\"messages\":["));
    for (uint32_t serial = 1; serial <= qs->store.messages_n; serial++) {
        const struct fake_message *m = fake_message_at(&qs->store, serial);

        if (m->group->queue != q ||
            (fate.len > 0 && !sl_str_eq(sl_str_of(state_names[m->state]), fate))) {
            continue;
        }
        sl_buf_add_str(out, out->ptr[out->len - 1] == '[' ? SL_STR("") : SL_STR(","));
        report_message(qs, m, out);
    }
    sl_buf_add_char(out, ']');
}

/* Counted from the messages themselves, and compared with the queue's own counts. */
static void report_queue(const struct fake_queues *qs, const struct fake_queue *q,
                         struct sl_buf *out)
{
    uint64_t states[FAKE_STATES_N] = { 0 };
    uint64_t never = 0;
    uint64_t again = 0;
    uint64_t bad = 0;
    uint32_t most = 0;
    bool agrees = true;

    for (uint32_t serial = 1; serial <= qs->store.messages_n; serial++) {
        const struct fake_message *m = fake_message_at(&qs->store, serial);

        if (m->group->queue == q) {
            states[m->state]++;
            never += m->received_n == 0;
            again += m->received_n > 1;
            bad += m->is_bad;
            most = m->received_n > most ? m->received_n : most;
        }
    }
    sl_buf_add_str(out, SL_STR("{\"queue\":"));
    sl_buf_add_json(out, sl_str_of(q->name));
    sl_buf_printf(out, ",\"sent\":%ju,\"bad\":%ju", (uintmax_t)q->sent, (uintmax_t)bad);
    for (unsigned i = 0; i < FAKE_STATES_N; i++) {
        sl_buf_printf(out, ",\"%s\":%ju", state_names[i], (uintmax_t)states[i]);
        agrees = agrees && states[i] == q->counts[i];
    }
    sl_buf_printf(out,
                  ",\"receives\":%ju,\"never_received\":%ju,\"received_again\":%ju,"
                  "\"most_receives\":%u,\"stale_deletes\":%ju,\"undone_deletes\":%ju,\"agrees\":%s",
                  (uintmax_t)q->receives, (uintmax_t)never, (uintmax_t)again, most,
                  (uintmax_t)q->stale_deletes, (uintmax_t)q->undone_deletes,
                  agrees ? "true" : "false");
}

/* The value of a name in "a=1&b=2"; names and values need no decoding here. */
static sl_str query_value(sl_str query, sl_str name)
{
    while (query.len > 0) {
        sl_str value = sl_str_cut(&query, '&');

        if (sl_str_eq(sl_str_cut(&value, '='), name)) {
            return value;
        }
    }
    return (sl_str){ 0 };
}

static int control_report(const struct fake_queues *qs, const struct fake_faults *f, sl_str query,
                          struct sl_buf *out)
{
    const sl_str name = query_value(query, SL_STR("queue"));
    const struct fake_queue *q = fake_queue_find(qs, name);

    if (name.len > 0 && q == NULL) {
        return control_refuse(out, "there is no such queue");
    }
    if (q != NULL) {
        report_queue(qs, q, out);
        if (query_value(query, SL_STR("ids")).len > 0) {
            report_messages(qs, q, query_value(query, SL_STR("fate")), out);
        }
        sl_buf_add_char(out, '}');
        return 200;
    }
    sl_buf_add_str(out, SL_STR("{\"calls\":{"));
    fake_action_write_counts(out);
    sl_buf_add_str(out, SL_STR("},\"faults\":"));
    fake_faults_write(f, out);
    sl_buf_add_str(out, SL_STR(",\"queues\":["));
    for (q = qs->first; q != NULL; q = q->next) {
        report_queue(qs, q, out);
        sl_buf_add_str(out, q->next != NULL ? SL_STR("},") : SL_STR("}"));
    }
    sl_buf_add_str(out, SL_STR("]}"));
    return 200;
}

/* ----------------------------------------------------------------------- faults */

static int control_faults(struct fake_faults *f, sl_str method, const struct sl_json *request,
                          struct sl_buf *out)
{
    int64_t random;

    if (sl_str_eq(method, SL_STR("DELETE"))) {
        f->n = 0;
    } else if (sl_str_eq(method, SL_STR("POST"))) {
        if (sl_json_member(request, SL_STR("random")) != NULL) {
            if (!fake_number_of(request, "random", 0, INT64_MAX, &random)) {
                return control_refuse(out, "random must be a number");
            }
            f->random = (uint64_t)random;
        } else {
            const char *wrong = fake_faults_add(f, request);

            if (wrong != NULL) {
                return control_refuse(out, wrong);
            }
        }
    }
    fake_faults_write(f, out);
    return 200;
}

int fake_control(struct fake_queues *qs, struct fake_faults *f, sl_str method, sl_str path,
                 const struct sl_json *request, struct sl_buf *out)
{
    sl_str query = path;
    const sl_str what = sl_str_cut(&query, '?');
    const bool is_post = sl_str_eq(method, SL_STR("POST"));

    if (is_post && (request == NULL || request->type != SL_JSON_OBJECT)) {
        return control_refuse(out, "the body must be a JSON object");
    }
    if (sl_str_eq(what, SL_STR("/_fake/report")) && !is_post) {
        return control_report(qs, f, query, out);
    }
    if (sl_str_eq(what, SL_STR("/_fake/faults"))) {
        return control_faults(f, method, request, out);
    }
    if (sl_str_eq(what, SL_STR("/_fake/fill")) && is_post) {
        return control_fill(qs, request, out);
    }
    if (sl_str_eq(what, SL_STR("/_fake/expire")) && is_post) {
        return control_expire(qs, request, out);
    }
    return control_refuse(out, "there is no such thing to ask");
}
