/* tests/fakes/fake_server.c - the loop: one thread, one epoll. */
#include "fake_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "fake_conn.h"

enum {
    ARENA_MAX = 128 << 20,   /* bytes of one request, parsed */
    ARENA_BLOCK = 64 * 1024, /* holds most of them */
    EVENTS_MAX = 64,         /* a turn */
    BACKLOG = 128,
};

/* --------------------------------------------------------------------- the loop */

/* Both clocks, and what is due by them. */
static void server_turn(struct fake_server *s)
{
    s->queues.at_ms = sl_clock_at_ms();
    s->queues.now_ms = sl_clock_now_ms();
    fake_queues_turn(&s->queues);
}

/* Milliseconds until something is due; -1: nothing will be. */
static int server_wait_ms(const struct fake_server *s)
{
    int64_t due_ms = s->queues.store.due_n > 0 ? s->queues.store.due[1]->due_ms : INT64_MAX;
    const int64_t conns_due_ms = fake_conns_due_ms(s);
    int64_t wait_ms;

    if (conns_due_ms < due_ms) {
        due_ms = conns_due_ms;
    }
    if (due_ms == INT64_MAX) {
        return -1;
    }
    wait_ms = due_ms - s->queues.now_ms;
    return wait_ms < 0 ? 0 : wait_ms > 60000 ? 60000 : (int)wait_ms;
}

sl_rc fake_server_run(struct fake_server *s, struct sl_err *e)
{
    struct epoll_event events[EVENTS_MAX];

    server_turn(s);
    for (;;) {
        const int n = epoll_wait(s->epoll_fd, events, EVENTS_MAX, server_wait_ms(s));

        if (n < 0 && errno != EINTR) {
            return SL_FAIL(e, SL_BUG, "epoll_wait failed with errno %d", errno);
        }
        server_turn(s);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == &s->signal_fd) {
                return SL_OK;
            }
            if (events[i].data.ptr == &s->listen_fd) {
                fake_conns_accept(s);
            } else {
                fake_conn_event(s, events[i].data.ptr, events[i].events);
            }
            fake_queues_turn(&s->queues);
        }
        fake_conns_wake(s);
    }
}

/* -------------------------------------------------------------- open and close */

static sl_rc server_listen(struct fake_server *s, uint16_t port, struct sl_err *e)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    const int one = 1;

    s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->listen_fd < 0 ||
        setsockopt(s->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(s->listen_fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(s->listen_fd, BACKLOG) != 0 ||
        getsockname(s->listen_fd, (struct sockaddr *)&address, &size) != 0) {
        return SL_FAIL(e, SL_UNAVAILABLE, "could not listen on port %u of 127.0.0.1 (errno %d)",
                       port, errno);
    }
    s->port = ntohs(address.sin_port);
    (void)snprintf(s->origin, sizeof s->origin, "%s://127.0.0.1:%u",
                   s->tls != NULL ? "https" : "http", s->port);
    return SL_OK;
}

static sl_rc server_watch(struct fake_server *s, struct sl_err *e)
{
    struct epoll_event listening = { .events = EPOLLIN, .data.ptr = &s->listen_fd };
    struct epoll_event stopping = { .events = EPOLLIN, .data.ptr = &s->signal_fd };
    sigset_t signals;

    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    s->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (s->signal_fd < 0 || s->epoll_fd < 0 ||
        epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->listen_fd, &listening) != 0 ||
        epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->signal_fd, &stopping) != 0) {
        return SL_FAIL(e, SL_UNAVAILABLE, "could not watch sockets and signals (errno %d)", errno);
    }
    return SL_OK;
}

static sl_rc server_trust(struct fake_server *s, const struct fake_options *o, struct sl_err *e)
{
    if (o->certificate == NULL) {
        return SL_OK;
    }
    s->tls = fake_tls_new(o->certificate, o->key);
    return s->tls != NULL ? SL_OK
                          : SL_FAIL(e, SL_CONFIG, "%s and %s are no certificate with its key",
                                    o->certificate, o->key);
}

sl_rc fake_server_open(const struct fake_options *o, struct fake_server **ret, struct sl_err *e)
{
    struct fake_server *s = fake_alloc(1, sizeof *s);
    sl_rc rc;

    s->epoll_fd = s->listen_fd = s->signal_fd = -1;
    fake_queues_init(&s->queues, o->seed);
    s->faults.random = o->seed;
    sl_arena_init(&s->arena, ARENA_MAX, ARENA_BLOCK);
    sl_buf_init(&s->reply, FAKE_OUT_MAX);
    rc = sl_json_parser_new(FAKE_IN_MAX, &s->json, e);
    if (rc == SL_OK) {
        rc = server_trust(s, o, e);
    }
    if (rc == SL_OK) {
        rc = server_listen(s, o->port, e);
    }
    if (rc == SL_OK) {
        rc = server_watch(s, e);
    }
    if (rc != SL_OK) {
        fake_server_close(s);
        return rc;
    }
    *ret = s;
    return SL_OK;
}

void fake_server_close(struct fake_server *s)
{
    const int fds[] = { s->epoll_fd, s->listen_fd, s->signal_fd };

    fake_conns_free(s);
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
    SSL_CTX_free(s->tls);
    sl_json_parser_free(s->json);
    sl_arena_done(&s->arena);
    sl_buf_done(&s->reply);
    fake_queues_done(&s->queues);
    free(s);
}

unsigned fake_server_port(const struct fake_server *s)
{
    return s->port;
}
