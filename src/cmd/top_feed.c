/* cmd/top_feed.c - a run is asked. */
#include "cmd/top_feed.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

#include "base/clock.h"

enum {
    ANSWER_WITHIN_MS = 5000,
    HISTORY_MS = 5000, /* between two points of it */
    ARENA_MAX = 8 << 20,
    OK = 200, /* status of HTTP */
};

/* ---- answers ------------------------------------------------------------------------------------- */

static sl_rc state_take(struct sl_top_feed *f, sl_str text, struct sl_err *e)
{
    struct sl_arena *const a = &f->arenas[1 - f->arena];

    sl_arena_reset(a);
    SL_TRY(sl_top_state_read(text, a, &f->state, e));
    f->arena = 1 - f->arena;
    sl_top_pace_add(&f->pace, f->state);
    return SL_OK;
}

static sl_rc history_take(struct sl_top_feed *f, sl_str text, struct sl_err *e)
{
    SL_AUTO(sl_arena_done) struct sl_arena a;

    sl_arena_init(&a, ARENA_MAX, 64 << 10);
    SL_TRY(sl_top_history_read(text, &a, &f->history, e));
    f->has_history = true;
    return SL_OK;
}

static sl_rc reply_take(struct sl_top_ask *ask, const struct sl_http_reply *reply, struct sl_err *e)
{
    struct sl_top_feed *const f = ask->feed;
    struct sl_err why = { 0 };
    sl_rc rc = reply->rc;

    if (rc != SL_OK) {
        return SL_FAIL(e, rc, "%.1000s", reply->err.msg);
    }
    if (reply->status != OK) {
        return SL_FAIL(e, SL_UNAVAILABLE, "what answers at %.200s is no sluice (HTTP %d)", f->base,
                       reply->status);
    }
    rc = ask->take(f, sl_buf_str(&reply->body), &why);
    if (rc != SL_OK) {
        return SL_FAIL(e, rc, "what answers at %.200s is no sluice: %.700s", f->base, why.msg);
    }
    return SL_OK;
}

static void ask_done(void *ctx, struct sl_http_reply *reply)
{
    struct sl_top_ask *const ask = ctx;
    struct sl_top_feed *const f = ask->feed;
    struct sl_err e = { 0 };

    ask->is_out = false;
    if (reply->rc != SL_STOPPED && reply_take(ask, reply, &e) != SL_OK && ask == &f->history_ask) {
        f->has_history = false; /* a run that has none may be looked at all the same */
    } else if (ask == &f->state_ask) {
        f->absent = e;
        f->heard_ms = e.rc == SL_OK ? sl_clock_now_ms() : f->heard_ms;
    }
    f->is_new = true;
    sl_buf_done(&reply->body);
}

/* ---- questions ----------------------------------------------------------------------------------- */

/* Of the history only what may be shown. */
static void url_write(const struct sl_top_ask *ask, char out[static SL_TOP_URL_MAX])
{
    const struct sl_top_feed *f = ask->feed;
    const size_t len = strlen(f->base);
    const char *slash = len > 0 && f->base[len - 1] == '/' ? "" : "/";
    const int64_t span_ms = (int64_t)SL_TOP_POINTS_MAX * HISTORY_MS;

    if (ask == &f->history_ask && f->state != NULL && f->state->now_ms > span_ms) {
        (void)snprintf(out, SL_TOP_URL_MAX, "%s%s%s?after_ms=%" PRId64, f->base, slash, ask->path,
                       f->state->now_ms - span_ms);
    } else {
        (void)snprintf(out, SL_TOP_URL_MAX, "%s%s%s", f->base, slash, ask->path);
    }
}

static sl_rc ask_send(struct sl_top_ask *ask, struct sl_err *e)
{
    static const char *const headers[] = { "Accept: application/json", NULL };
    char url[SL_TOP_URL_MAX];
    const struct sl_http_request request = { .method = SL_HTTP_GET,
                                             .is_direct = true,
                                             .url = url,
                                             .headers = headers,
                                             .reply_max_bytes = SL_TOP_ANSWER_MAX,
                                             .timeout_ms = ANSWER_WITHIN_MS,
                                             .done = ask_done,
                                             .ctx = ask };

    url_write(ask, url);
    ask->due_ms = sl_clock_now_ms() + ask->every_ms;
    SL_TRY(sl_http_send(ask->feed->http, &request, e));
    ask->is_out = true;
    return SL_OK;
}

static void ask_if_due(struct sl_top_ask *ask)
{
    if (!ask->is_out && sl_clock_now_ms() >= ask->due_ms) {
        (void)ask_send(ask, NULL); /* else at the next turn */
    }
}

sl_rc sl_top_feed_open(struct sl_top_feed *f, const char *base, unsigned interval_ms,
                       struct sl_err *e)
{
    *f = (struct sl_top_feed){ .base = base, .heard_ms = sl_clock_now_ms() };
    f->state_ask = (struct sl_top_ask){
        .feed = f, .path = "api/state", .every_ms = interval_ms, .take = state_take
    };
    f->history_ask = (struct sl_top_ask){
        .feed = f, .path = "api/history", .every_ms = HISTORY_MS, .take = history_take
    };
    sl_arena_init(&f->arenas[0], ARENA_MAX, 64 << 10);
    sl_arena_init(&f->arenas[1], ARENA_MAX, 64 << 10);
    return sl_http_new(&f->http, e);
}

void sl_top_feed_close(struct sl_top_feed *f)
{
    if (f->http != NULL) {
        sl_http_free(f->http);
    }
    sl_arena_done(&f->arenas[0]);
    sl_arena_done(&f->arenas[1]);
    *f = (struct sl_top_feed){ 0 };
}

short sl_top_feed_wait(struct sl_top_feed *f, int fd, int64_t due_ms)
{
    if (!f->is_paused) {
        ask_if_due(&f->state_ask);
    }
    if (!f->is_paused && f->state != NULL) {
        ask_if_due(&f->history_ask);
    }
    if (!f->is_paused && !f->state_ask.is_out && f->state_ask.due_ms < due_ms) {
        due_ms = f->state_ask.due_ms;
    }
    return sl_http_wait(f->http, fd, POLLIN, due_ms);
}

sl_rc sl_top_feed_once(struct sl_top_feed *f, struct sl_err *e)
{
    SL_TRY(ask_send(&f->state_ask, e));
    while (f->state_ask.is_out) {
        (void)sl_http_wait(f->http, -1, 0, sl_clock_now_ms() + ANSWER_WITHIN_MS);
    }
    if (f->absent.rc != SL_OK) {
        if (e != NULL) {
            *e = f->absent;
        }
        return f->absent.rc;
    }
    SL_TRY(ask_send(&f->history_ask, e));
    while (f->history_ask.is_out) {
        (void)sl_http_wait(f->http, -1, 0, sl_clock_now_ms() + ANSWER_WITHIN_MS);
    }
    return SL_OK;
}
