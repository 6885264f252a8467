/* net/http.c - HTTP requests of one worker, side by side.
 *
 * libcurl makes the connections; what goes over them is written and read here, which takes a third
 * off the time of a message (docs/decisions/0010-libcurl-connects.md).
 */
#include "net/http.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "net/http_pool.h"

enum {
    READ_BYTES = 16 << 10, /* a record of TLS, which is all that libcurl reads at a time */
    REQUEST_MAX = 2 << 20,
};

/* One request, from send to done.  It keeps its buffers for the next one. */
struct sl_http_call {
    struct sl_http_call *next; /* in `idle` or `busy` */
    struct sl_http_call *prev; /* in `busy` */
    struct sl_http_call *next_fresh;
    struct sl_http_conn *conn; /* NULL until it begins */
    struct sl_buf text;        /* of the request */
    struct sl_buf origin;
    size_t written; /* of the text */
    bool is_direct;
    bool is_again; /* on a new connection, since a kept one was closed */
    int64_t due_ms;
    int64_t begun_us; /* to write */
    struct sl_http_reading reading;
    struct sl_http_reply reply;
    void (*done)(void *ctx, struct sl_http_reply *reply);
    void *ctx;
};

struct sl_http {
    CURLM *multi;
    struct sl_http_sockets sockets;
    struct sl_http_call *idle;
    struct sl_http_call *busy;
    struct sl_http_call *fresh; /* busy ones that are to begin, the oldest first */
    struct sl_http_call **fresh_end;
    struct sl_http_pool kept; /* connections of no call */
    unsigned completed_n;     /* calls in one sl_http_wait */
    int64_t next_due_ms;      /* no call is due before */
    char room[READ_BYTES];
};

/* ---- life ---------------------------------------------------------------------------------------- */

static void on_ready(void *ctx, void *who);

static pthread_once_t curl_started = PTHREAD_ONCE_INIT;

static void curl_start(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

sl_rc sl_http_new(struct sl_http **ret, struct sl_err *e)
{
    struct sl_http *h = calloc(1, sizeof *h);

    (void)pthread_once(&curl_started, curl_start);
    if (h != NULL) {
        h->multi = curl_multi_init();
#if LIBCURL_VERSION_NUM >= 0x081400
        (void)curl_multi_setopt(h->multi, CURLMOPT_QUICK_EXIT,
                                1L); /* of the end, as in http_conn.c */
#endif
    }
    if (h == NULL || h->multi == NULL) {
        free(h);
        return SL_FAIL(e, SL_NOMEM, "could not start an HTTP client");
    }
    h->fresh_end = &h->fresh;
    h->next_due_ms = INT64_MAX;
    if (sl_http_sockets_open(&h->sockets, h->multi, on_ready, h, e) != SL_OK) {
        sl_http_free(h);
        return SL_NOMEM;
    }
    *ret = h;
    return SL_OK;
}

static void call_free(struct sl_http_call *call)
{
    sl_http_conn_close(call->conn);
    sl_buf_done(&call->reading.line);
    sl_buf_done(&call->reply.body);
    sl_buf_done(&call->text);
    sl_buf_done(&call->origin);
    free(call);
}

void sl_http_free(struct sl_http *h)
{
    struct sl_http_call *next;

    if (h == NULL) {
        return;
    }
    for (struct sl_http_call *call = h->busy; call != NULL; call = next) {
        next = call->next;
        call->reply.rc = SL_FAIL(&call->reply.err, SL_STOPPED, "the request was aborted");
        call->done(call->ctx, &call->reply);
        call_free(call);
    }
    for (struct sl_http_call *call = h->idle; call != NULL; call = next) {
        next = call->next;
        call_free(call);
    }
    sl_http_pool_end(&h->kept);
    (void)curl_multi_cleanup(h->multi);
    sl_http_sockets_close(&h->sockets);
    explicit_bzero(h->room, sizeof h->room); /* bodies of messages, or keys, as they came */
    free(h);
}

/* ---- ends of calls --------------------------------------------------------------------------------- */

static void call_unlink(struct sl_http *h, struct sl_http_call *call)
{
    *(call->prev != NULL ? &call->prev->next : &h->busy) = call->next;
    if (call->next != NULL) {
        call->next->prev = call->prev;
    }
    call->next = h->idle;
    h->idle = call;
}

/* `done` may send again, and be given this very call. */
static void call_end(struct sl_http *h, struct sl_http_call *call)
{
    struct sl_http_reply reply;
    char *padding = sl_buf_reserve(&call->reply.body, SL_JSON_PADDING);

    if (padding != NULL) {
        memset(padding, 0, SL_JSON_PADDING);
    } else if (call->reply.rc == SL_OK) {
        call->reply.rc = SL_FAIL(&call->reply.err, SL_NOMEM, "memory for a reply ran out");
    }
    call->reply.took_us = sl_clock_now_us() - call->begun_us;
    call_unlink(h, call);
    h->completed_n++;
    reply = call->reply;
    call->reply = (struct sl_http_reply){ 0 };
    call->done(call->ctx, &reply);
    sl_buf_done(&reply.body);
}

static void call_fail(struct sl_http *h, struct sl_http_call *call, const char *what,
                      const struct sl_err *why)
{
    struct sl_http_reply *reply = &call->reply;

    reply->rc = SL_FAIL(&reply->err, why->rc, "%s %" SL_FMT ": %.600s", what,
                        SL_ARG(sl_http_origin_shown(sl_buf_str(&call->origin))), why->msg);
    call_end(h, call);
}

static void call_drop(struct sl_http_call *call)
{
    sl_http_conn_close(call->conn);
    call->conn = NULL;
}

static void http_begin_soon(struct sl_http *h, struct sl_http_call *call)
{
    call->written = 0;
    call->next_fresh = NULL;
    *h->fresh_end = call;
    h->fresh_end = &call->next_fresh;
}

/* A server closes what is idle when it likes, also at the moment when a request is sent. */
static void call_lose(struct sl_http *h, struct sl_http_call *call, const struct sl_err *why)
{
    const bool was_closed = call->conn->is_used && !call->reading.is_begun && !call->is_again &&
                            why->rc == SL_DISCONNECTED;

    call_drop(call);
    if (was_closed) {
        call->is_again = true;
        http_begin_soon(h, call);
        return;
    }
    call_fail(h, call, "no answer from", why);
}

static void call_complete(struct sl_http *h, struct sl_http_call *call, bool is_clean)
{
    struct sl_http_conn *conn = call->conn;

    call->conn = NULL;
    if (is_clean && !call->reading.is_last && call->written == call->text.len) {
        sl_http_pool_add(&h->kept, conn);
    } else {
        sl_http_conn_close(conn);
    }
    call_end(h, call);
}

/* ---- bytes --------------------------------------------------------------------------------------- */

enum taken {
    TAKEN_SOME,
    TAKEN_NOTHING, /* that is there now */
    TAKEN_ALL,     /* the call has ended, or begins again */
};

/* Read one piece. */
static enum taken call_read(struct sl_http *h, struct sl_http_call *call)
{
    bool is_closed = false;
    size_t taken = 0;
    size_t n = 0;
    struct sl_err why;
    sl_rc rc = sl_http_conn_read(call->conn, h->room, sizeof h->room, &n, &is_closed, &why);

    if (rc == SL_OK && is_closed) {
        rc = sl_http_reading_end(&call->reading, &why);
    } else if (rc == SL_OK) {
        rc = sl_http_reading_take(&call->reading, (sl_str){ h->room, n }, &taken, &why);
    }
    if (rc != SL_OK) {
        call_lose(h, call, &why);
        return TAKEN_ALL;
    }
    if (call->reading.part == SL_HTTP_DONE) {
        call_complete(h, call, taken == n && !is_closed);
        return TAKEN_ALL;
    }
    return n > 0 ? TAKEN_SOME : TAKEN_NOTHING;
}

static enum taken call_read_all(struct sl_http *h, struct sl_http_call *call)
{
    enum taken taken;

    do {
        taken = call_read(h, call);
    } while (taken == TAKEN_SOME);
    return taken;
}

/* Who does not want all of a request may answer, and close: what cannot be written any more may have
 * its answer.  What has not begun to be written has none. */
static bool call_write(struct sl_http *h, struct sl_http_call *call)
{
    const sl_str rest = { call->text.ptr + call->written, call->text.len - call->written };
    struct sl_err why;
    size_t n = 0;

    if (call->written == 0) {
        call->begun_us = sl_clock_now_us();
    }
    if (sl_http_conn_write(call->conn, rest, &n, &why) != SL_OK) {
        if (!call->conn->wants_write || call_read_all(h, call) == TAKEN_NOTHING) {
            call_lose(h, call, &why);
        }
        return false;
    }
    call->written += n;
    return true;
}

static void on_ready(void *ctx, void *who)
{
    struct sl_http *h = ctx;
    struct sl_http_conn *conn = who;
    struct sl_http_call *call = conn->user;

    if (call == NULL) {
        sl_http_pool_ready(&h->kept, conn);
        return;
    }
    if (call->written < call->text.len && !call_write(h, call)) {
        return;
    }
    (void)call_read_all(h, call);
}

/* ---- beginnings ------------------------------------------------------------------------------------ */

static struct sl_http_call *http_take(struct sl_http *h)
{
    struct sl_http_call *call = h->idle;

    if (call == NULL) {
        return calloc(1, sizeof *call);
    }
    h->idle = call->next;
    return call;
}

static sl_rc call_prepare(struct sl_http_call *call, const struct sl_http_request *request,
                          struct sl_err *e)
{
    call->done = request->done;
    call->ctx = request->ctx;
    call->is_direct = request->is_direct;
    call->is_again = false;
    call->due_ms = sl_clock_now_ms() + request->timeout_ms;
    call->text.max_bytes = call->origin.max_bytes = REQUEST_MAX;
    sl_buf_reset(&call->text);
    sl_buf_reset(&call->origin);
    sl_buf_add_str(&call->origin, sl_http_origin(request->url));
    SL_TRY(sl_buf_rc(&call->origin, e));
    call->reply = (struct sl_http_reply){ 0 };
    sl_buf_init(&call->reply.body, request->reply_max_bytes + SL_JSON_PADDING);
    sl_http_reading_begin(&call->reading, &call->reply);
    return sl_http_request_write(request, &call->text, e);
}

sl_rc sl_http_send(struct sl_http *h, const struct sl_http_request *request, struct sl_err *e)
{
    struct sl_http_call *call = http_take(h);
    sl_rc rc;

    if (call == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not prepare a request");
    }
    rc = call_prepare(call, request, e);
    if (rc != SL_OK) {
        call_free(call);
        return rc;
    }
    call->prev = NULL;
    call->next = h->busy;
    if (h->busy != NULL) {
        h->busy->prev = call;
    }
    h->busy = call;
    if (call->due_ms < h->next_due_ms) {
        h->next_due_ms = call->due_ms;
    }
    http_begin_soon(h, call);
    return SL_OK;
}

static void call_begin(struct sl_http *h, struct sl_http_call *call)
{
    struct sl_err why;

    call->conn = call->is_again
                     ? NULL
                     : sl_http_pool_take(&h->kept, sl_buf_str(&call->origin), call->is_direct);
    if (call->conn != NULL) {
        call->conn->user = call;
        (void)call_write(h, call);
        return;
    }
    if (sl_http_conn_open(h->multi, &h->sockets, sl_buf_str(&call->origin), call->is_direct,
                          &call->conn, &why) != SL_OK) {
        call_fail(h, call, "could not reach", &why);
        return;
    }
    call->conn->user = call;
}

static void http_begin(struct sl_http *h)
{
    while (h->fresh != NULL) {
        struct sl_http_call *call = h->fresh;

        h->fresh = call->next_fresh;
        if (h->fresh == NULL) {
            h->fresh_end = &h->fresh;
        }
        call_begin(h, call);
    }
}

/* A proxy that libcurl cannot read it quotes, with the password. */
static const char *connect_text(const struct sl_http_conn *conn, CURLcode result)
{
    static const char quote[] = "Unsupported proxy";

    return conn->error[0] == '\0' ? curl_easy_strerror(result)
           : strncmp(conn->error, quote, sizeof quote - 1) == 0
               ? "the URL of the proxy, in HTTPS_PROXY or such, cannot be read"
               : conn->error;
}

static sl_rc connect_outcome(const struct sl_http_conn *conn, CURLcode result, struct sl_err *e)
{
    return SL_FAIL(e, result == CURLE_OPERATION_TIMEDOUT ? SL_TIMEOUT : SL_DISCONNECTED,
                   "curl %d: %s", (int)result, connect_text(conn, result));
}

/* What libcurl has connected, or could not. */
static void http_connected(struct sl_http *h)
{
    int queued;
    CURLMsg *message;

    while ((message = curl_multi_info_read(h->multi, &queued)) != NULL) {
        struct sl_http_conn *conn = NULL;
        const CURLcode result = message->data.result;
        struct sl_http_call *call;
        struct sl_err why;
        sl_rc rc;

        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&conn);
        call = conn->user;
        rc = result != CURLE_OK ? connect_outcome(conn, result, &why)
                                : sl_http_conn_begin(conn, &why);
        if (rc == SL_OK) {
            (void)call_write(h, call);
        } else {
            call_drop(call);
            call_fail(h, call, "could not reach", &why);
        }
    }
}

/* ---- time ---------------------------------------------------------------------------------------- */

static void call_expire(struct sl_http *h, struct sl_http_call *call)
{
    struct sl_err why;

    (void)SL_FAIL(&why, SL_TIMEOUT, "the deadline passed");
    call_drop(call);
    call_fail(h, call, "no answer from", &why);
}

static void http_expire(struct sl_http *h)
{
    const int64_t now_ms = sl_clock_now_ms();
    struct sl_http_call *next;

    if (now_ms < h->next_due_ms) {
        return;
    }
    sl_http_pool_expire(&h->kept);
    h->next_due_ms = INT64_MAX;
    for (struct sl_http_call *call = h->busy; call != NULL; call = next) {
        next = call->next;
        if (now_ms >= call->due_ms && call->conn != NULL) { /* else it is in `fresh` */
            call_expire(h, call);
        } else if (call->due_ms < h->next_due_ms) {
            h->next_due_ms = call->due_ms;
        }
    }
}

short sl_http_wait(struct sl_http *h, int fd, short events, int64_t due_ms)
{
    short ready;

    h->completed_n = 0;
    http_begin(h);
    sl_http_sockets_tick(&h->sockets);
    http_connected(h);
    http_expire(h);
    /* What was completed may be what the caller waits for. */
    due_ms = h->completed_n > 0 ? 0 : due_ms < h->next_due_ms ? due_ms : h->next_due_ms;
    ready = sl_http_sockets_wait(&h->sockets, fd, events, due_ms);
    http_connected(h);
    http_begin(h); /* what was sent in `done` */
    return ready;
}

void sl_http_wake(struct sl_http *h)
{
    sl_http_sockets_wake(&h->sockets);
}
