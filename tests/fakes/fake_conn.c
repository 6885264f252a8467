/* tests/fakes/fake_conn.c - connections, long polls, and the faults that are about bytes.
 *
 * A connection has one request at a time.  A request that must wait stays in the buffer where it
 * came in, and is run again from its start when it is its time.
 */
#include "fake_conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_action.h"
#include "fake_control.h"
#include "fake_http.h"
#include "fake_stream.h"

#define JSON_TYPE "application/x-amz-json-1.0"

enum { READ_BYTES = 64 * 1024 /* at a time */ };

enum conn_state {
    CONN_READING, /* for a whole request */
    CONN_POLLING, /* until its queue has something, or due_ms */
    CONN_SLOW,    /* a fault: the request begins at due_ms */
    CONN_HELD,    /* a fault: the reply, which is in `out`, begins at due_ms */
    CONN_SILENT,  /* a fault: nothing, ever */
    CONN_OVER,    /* closed; freed at the end of the turn */
};

struct conn {
    struct conn *next;
    struct fake_stream stream;
    enum conn_state state;
    int64_t due_ms;
    struct sl_buf in;
    struct sl_buf out;
    size_t sent_bytes; /* of `out` */
    struct fake_fault fault;
    const struct fake_queue *queue; /* while polling */
    bool has_continued;
    bool ends; /* close it when `out` is sent */
};

/* ------------------------------------------------------------------ connections */

static bool conn_waits(const struct conn *c)
{
    return c->state == CONN_POLLING || c->state == CONN_SLOW || c->state == CONN_HELD;
}

static void conn_set(struct fake_server *s, struct conn *c, enum conn_state state)
{
    s->waiting_n -= conn_waits(c);
    c->state = state;
    s->waiting_n += conn_waits(c);
}

static void conn_over(struct fake_server *s, struct conn *c)
{
    if (c->state != CONN_OVER) {
        conn_set(s, c, CONN_OVER);
        fake_stream_close(&c->stream);
        s->has_over = true;
    }
}

/* With a RST, as of a machine that is gone. */
static void conn_reset(struct fake_server *s, struct conn *c)
{
    const struct linger now = { .l_onoff = 1, .l_linger = 0 };

    (void)setsockopt(c->stream.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    conn_over(s, c);
}

static void conn_free(struct conn *c)
{
    sl_buf_done(&c->in);
    sl_buf_done(&c->out);
    free(c);
}

static void conns_sweep(struct fake_server *s)
{
    struct conn **at = &s->conns;

    while (s->has_over && *at != NULL) {
        struct conn *c = *at;

        if (c->state == CONN_OVER) {
            *at = c->next;
            conn_free(c);
        } else {
            at = &c->next;
        }
    }
    s->has_over = false;
}

static void conn_watch(struct fake_server *s, struct conn *c, bool wants_out)
{
    struct epoll_event event = { .events = EPOLLIN | (wants_out ? EPOLLOUT : 0), .data.ptr = c };

    (void)epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, c->stream.fd, &event);
}

void fake_conns_accept(struct fake_server *s)
{
    const int one = 1;
    int fd;

    while ((fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct conn *c = fake_alloc(1, sizeof *c);
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };

        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        *c = (struct conn){ .next = s->conns };
        sl_buf_init(&c->in, FAKE_IN_MAX);
        sl_buf_init(&c->out, FAKE_OUT_MAX);
        s->conns = c;
        if (!fake_stream_open(&c->stream, fd, s->tls) ||
            epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
            conn_over(s, c);
        }
    }
}

static void conn_send(struct fake_server *s, struct conn *c)
{
    ssize_t n = 0;

    while (c->sent_bytes < c->out.len && n >= 0) {
        n = fake_stream_send(&c->stream, c->out.ptr + c->sent_bytes, c->out.len - c->sent_bytes);
        c->sent_bytes += n > 0 ? (size_t)n : 0;
    }
    if (n < 0) {
        if (errno == EAGAIN) {
            conn_watch(s, c, true);
        } else {
            conn_over(s, c);
        }
        return;
    }
    c->sent_bytes = 0;
    sl_buf_reset(&c->out);
    if (c->ends) {
        conn_over(s, c);
    }
}

/* ---------------------------------------------------------------------- replies */

/* The request that was answered leaves the buffer. */
static void conn_forget_request(struct conn *c)
{
    struct fake_request r;

    if (fake_http_read(sl_buf_str(&c->in), &r) == FAKE_HTTP_WHOLE) {
        c->ends = c->ends || r.ends_connection;
        c->in.len -= r.bytes;
        memmove(c->in.ptr, c->in.ptr + r.bytes, c->in.len);
    }
    c->has_continued = false;
}

/* Answer with s->reply, as far as the fault lets it through. */
static void conn_reply(struct fake_server *s, struct conn *c, int status, const char *type,
                       const char *more)
{
    const enum fake_fault_kind fault = c->fault.kind;
    size_t body_bytes = s->reply.len;

    c->fault.kind = FAKE_FAULT_NONE;
    if (fault == FAKE_FAULT_RESET_AFTER) {
        conn_reset(s, c);
        return;
    }
    conn_forget_request(c);
    if (fault == FAKE_FAULT_HALF_JSON) {
        body_bytes /= 2;
    }
    fake_http_head(&c->out, status, type, more, body_bytes);
    if (fault == FAKE_FAULT_TRUNCATED) {
        body_bytes /= 2;
        c->ends = true;
    }
    sl_buf_add(&c->out, s->reply.ptr, body_bytes);
    conn_set(s, c, CONN_READING);
    if (fault == FAKE_FAULT_SLOW_REPLY) {
        c->due_ms = s->queues.now_ms + c->fault.ms;
        conn_set(s, c, CONN_HELD);
        return;
    }
    conn_send(s, c);
}

static void conn_refuse(struct fake_server *s, struct conn *c, enum fake_error error)
{
    const struct fake_error_row *row = fake_error_row(error);
    char header[128];

    sl_buf_reset(&s->reply);
    sl_buf_printf(&s->reply, "{\"__type\":\"com.amazonaws.sqs#%s\",\"message\":\"%s\"}", row->type,
                  row->text);
    (void)snprintf(header, sizeof header, "x-amzn-query-error: %s;%s\r\n", row->code, row->by);
    conn_reply(s, c, row->status, JSON_TYPE, header);
}

/* --------------------------------------------------------------------- requests */

static const struct sl_json *request_parse(struct fake_server *s, sl_str body)
{
    const struct sl_json *root = NULL;
    enum sl_json_fault fault;

    sl_arena_reset(&s->arena);
    if (sl_json_parse(s->json, sl_cleartext_of(body), &s->arena, &root, &fault, NULL) != SL_OK ||
        fault != SL_JSON_OK || root->type != SL_JSON_OBJECT) {
        return NULL;
    }
    return root;
}

/* Run the request in the buffer; it is whole. */
static void conn_act(struct fake_server *s, struct conn *c, bool is_last)
{
    struct fake_request r = { 0 };
    struct fake_call call = { .queues = &s->queues,
                              .json = s->json,
                              .arena = &s->arena,
                              .fault = &c->fault,
                              .random = &s->faults.random,
                              .origin = s->origin,
                              .out = &s->reply,
                              .is_again = c->state == CONN_POLLING,
                              .is_last = is_last };
    enum fake_error error = FAKE_ERROR_NOT_JSON;

    (void)fake_http_read(sl_buf_str(&c->in), &r);
    sl_buf_reset(&s->reply);
    call.request = request_parse(s, r.body);
    if (call.request != NULL) {
        error = fake_action_run(&call, r.action);
    }
    if (error == FAKE_WAIT) {
        if (c->state != CONN_POLLING) {
            c->due_ms = s->queues.now_ms + call.wait_ms;
        }
        c->queue = call.queue;
        conn_set(s, c, CONN_POLLING);
    } else if (c->fault.kind == FAKE_FAULT_LATE_500) {
        conn_refuse(s, c, FAKE_ERROR_INTERNAL);
    } else if (error != FAKE_OK) {
        conn_refuse(s, c, error);
    } else {
        conn_reply(s, c, 200, JSON_TYPE, "");
    }
}

/* Returns: false when the request must be run. */
static bool conn_fail_before(struct fake_server *s, struct conn *c)
{
    switch (c->fault.kind) {
    case FAKE_FAULT_THROTTLE:
        conn_refuse(s, c, FAKE_ERROR_THROTTLED);
        return true;
    case FAKE_FAULT_ERROR_500:
        conn_refuse(s, c, FAKE_ERROR_INTERNAL);
        return true;
    case FAKE_FAULT_ERROR_503:
        conn_refuse(s, c, FAKE_ERROR_UNAVAILABLE);
        return true;
    case FAKE_FAULT_EXPIRED_TOKEN:
        conn_refuse(s, c, FAKE_ERROR_EXPIRED_TOKEN);
        return true;
    case FAKE_FAULT_HTML:
        sl_buf_reset(&s->reply);
        sl_buf_add_str(&s->reply, SL_STR("<html><body>Please log in.</body></html>"));
        conn_reply(s, c, 200, "text/html", "");
        return true;
    case FAKE_FAULT_RESET_BEFORE:
        conn_reset(s, c);
        return true;
    case FAKE_FAULT_SLOW:
        c->due_ms = s->queues.now_ms + c->fault.ms;
        conn_set(s, c, CONN_SLOW);
        return true;
    case FAKE_FAULT_BLACK_HOLE:
        conn_set(s, c, CONN_SILENT);
        return true;
    default:
        return false;
    }
}

/* A whole request has come. */
static void conn_begin(struct fake_server *s, struct conn *c, const struct fake_request *r)
{
    if (sl_str_starts(r->path, SL_STR("/_fake/"))) {
        sl_buf_reset(&s->reply);
        conn_reply(s, c,
                   fake_control(&s->queues, &s->faults, r->method, r->path,
                                r->body.len > 0 ? request_parse(s, r->body) : NULL, &s->reply),
                   "application/json", "");
        return;
    }
    c->fault = (struct fake_fault){ 0 };
    if (s->faults.n > 0) {
        const struct sl_json *request = request_parse(s, r->body);

        (void)fake_faults_take(&s->faults, r->action,
                               fake_queue_url_name(fake_text_of(request, "QueueUrl")), &c->fault);
    }
    if (!conn_fail_before(s, c)) {
        conn_act(s, c, false);
    }
}

/* Begin what has come whole, one request after another. */
static void conn_serve(struct fake_server *s, struct conn *c)
{
    while (c->state == CONN_READING && c->out.len == 0) {
        struct fake_request r = { 0 };
        enum fake_http is = FAKE_HTTP_BROKEN;

        if (sl_buf_reserve(&c->in, SL_JSON_PADDING) != NULL) {
            is = fake_http_read(sl_buf_str(&c->in), &r);
        }
        if (is == FAKE_HTTP_BROKEN) {
            conn_over(s, c);
        } else if (is == FAKE_HTTP_WHOLE) {
            conn_begin(s, c, &r);
        } else {
            if (r.wants_continue && !c->has_continued) {
                c->has_continued = true;
                sl_buf_add_str(&c->out, SL_STR("HTTP/1.1 100 Continue\r\n\r\n"));
                conn_send(s, c);
            }
            return;
        }
    }
}

static void conn_read(struct fake_server *s, struct conn *c)
{
    ssize_t n;

    do {
        char *room = sl_buf_reserve(&c->in, READ_BYTES);

        n = room != NULL ? fake_stream_recv(&c->stream, room, READ_BYTES) : 0;
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
            conn_over(s, c); /* and a poll that nobody waits for takes no message */
            return;
        }
        c->in.len += n > 0 ? (size_t)n : 0;
    } while (n == READ_BYTES || (n > 0 && c->stream.tls != NULL)); /* a record is shorter */
    conn_serve(s, c);
}

/* --------------------------------------------------------------------- all of them */

static void conn_wake(struct fake_server *s, struct conn *c)
{
    const bool is_due = c->due_ms <= s->queues.now_ms;

    if (c->state == CONN_POLLING && (is_due || c->queue->is_deleted || c->queue->ready != NULL)) {
        conn_act(s, c, is_due);
    } else if (c->state == CONN_SLOW && is_due) {
        conn_set(s, c, CONN_READING);
        conn_act(s, c, false);
    } else if (c->state == CONN_HELD && is_due) {
        conn_set(s, c, CONN_READING);
        conn_send(s, c);
    }
    conn_serve(s, c);
}

void fake_conn_event(struct fake_server *s, struct conn *c, uint32_t events)
{
    if (c->state == CONN_OVER) {
        return;
    }
    if ((events & EPOLLOUT) != 0) {
        conn_watch(s, c, false);
        conn_send(s, c);
        if (c->state != CONN_OVER) {
            conn_serve(s, c);
        }
    }
    if (c->state != CONN_OVER && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        conn_read(s, c);
    }
}

void fake_conns_wake(struct fake_server *s)
{
    for (struct conn *c = s->waiting_n > 0 ? s->conns : NULL; c != NULL; c = c->next) {
        if (conn_waits(c)) {
            conn_wake(s, c);
        }
    }
    conns_sweep(s);
}

int64_t fake_conns_due_ms(const struct fake_server *s)
{
    int64_t due_ms = INT64_MAX;

    for (const struct conn *c = s->waiting_n > 0 ? s->conns : NULL; c != NULL; c = c->next) {
        if (conn_waits(c) && c->due_ms < due_ms) {
            due_ms = c->due_ms;
        }
    }
    return due_ms;
}

void fake_conns_free(struct fake_server *s)
{
    struct conn *next;

    for (struct conn *c = s->conns; c != NULL; c = next) {
        next = c->next;
        if (c->state != CONN_OVER) {
            fake_stream_close(&c->stream);
        }
        conn_free(c);
    }
}
