/* net/http_sockets.c - sockets of connections, and those of libcurl, watched together. */
#include "net/http_sockets.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    EVENTS_MAX = 64, /* taken at a time; more are left for the next wait */
    LONGEST_WAIT_MS = 60000,
};

/* ---- what is watched ---------------------------------------------------------------------------- */

/* An event carries the eventfd's 0, a socket of libcurl, or a pointer, which is even. */
static uint64_t word_of_socket(int fd)
{
    return (uint64_t)(unsigned)fd << 1 | 1;
}

sl_rc sl_http_sockets_watch(struct sl_http_sockets *s, int fd, void *who, bool wants_write,
                            struct sl_err *e)
{
    struct epoll_event event = { .events = EPOLLIN | (wants_write ? EPOLLOUT : 0U),
                                 .data.u64 = (uintptr_t)who };

    if (epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, fd, &event) != 0 &&
        (errno != ENOENT || epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)) {
        return SL_FAIL(e, SL_NOMEM, "could not watch a socket");
    }
    return SL_OK;
}

void sl_http_sockets_leave(struct sl_http_sockets *s, int fd)
{
    (void)epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

/* ---- what libcurl tells ------------------------------------------------------------------------ */

/* `known` is what curl_multi_assign has put there: not NULL once the socket is watched. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *known)
{
    struct sl_http_sockets *s = ctx;
    struct epoll_event event = {
        .events = ((what & CURL_POLL_IN) != 0 ? EPOLLIN : 0U) |
                  ((what & CURL_POLL_OUT) != 0 ? EPOLLOUT : 0U),
        .data.u64 = word_of_socket(fd),
    };

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        (void)epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    if (epoll_ctl(s->epoll_fd, known != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0) {
        return 0; /* it ends by its timeout; -1 would end all the others, too */
    }
    (void)curl_multi_assign(s->multi, fd, s);
    return 0;
}

static int on_timer(CURLM *multi, long wait_ms, void *ctx)
{
    struct sl_http_sockets *s = ctx;

    (void)multi;
    s->due_ms = wait_ms < 0 ? INT64_MAX : sl_clock_now_ms() + wait_ms;
    return 0;
}

sl_rc sl_http_sockets_open(struct sl_http_sockets *s, CURLM *multi, sl_http_ready *ready, void *ctx,
                           struct sl_err *e)
{
    struct epoll_event waking = { .events = EPOLLIN };

    *s = (struct sl_http_sockets){
        .multi = multi,
        .ready = ready,
        .ctx = ctx,
        .epoll_fd = epoll_create1(EPOLL_CLOEXEC),
        .wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
        .due_ms = INT64_MAX,
    };
    if (s->epoll_fd < 0 || s->wake_fd < 0 ||
        epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->wake_fd, &waking) != 0) {
        return SL_FAIL(e, SL_NOMEM, "could not watch the sockets of an HTTP client");
    }
    (void)curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, s);
    (void)curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
    (void)curl_multi_setopt(multi, CURLMOPT_TIMERDATA, s);
    return SL_OK;
}

/* ---- waiting ----------------------------------------------------------------------------------- */

void sl_http_sockets_tick(struct sl_http_sockets *s)
{
    int running;

    if (sl_clock_now_ms() >= s->due_ms) {
        s->due_ms = INT64_MAX; /* unless it is set again */
        (void)curl_multi_socket_action(s->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
}

static int events_to_curl(uint32_t events)
{
    return ((events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) |
           ((events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
           ((events & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0);
}

static void sockets_act(struct sl_http_sockets *s, int wait_ms)
{
    struct epoll_event events[EVENTS_MAX];
    const int n = epoll_wait(s->epoll_fd, events, EVENTS_MAX, wait_ms);

    for (int i = 0; i < n; i++) {
        const uint64_t word = events[i].data.u64;
        eventfd_t wakes;
        int running;

        if (word == 0) {
            (void)eventfd_read(s->wake_fd, &wakes);
        } else if ((word & 1) != 0) {
            (void)curl_multi_socket_action(s->multi, (int)(word >> 1),
                                           events_to_curl(events[i].events), &running);
        } else {
            s->ready(s->ctx, (void *)(uintptr_t)word);
        }
    }
}

short sl_http_sockets_wait(struct sl_http_sockets *s, int fd, short events, int64_t due_ms)
{
    struct pollfd watched[2] = { { .fd = s->epoll_fd, .events = POLLIN },
                                 { .fd = fd, .events = events } };
    int64_t wait_ms = (due_ms < s->due_ms ? due_ms : s->due_ms) - sl_clock_now_ms();

    wait_ms = wait_ms < 0 ? 0 : wait_ms > LONGEST_WAIT_MS ? LONGEST_WAIT_MS : wait_ms;
    if (fd < 0) {
        sockets_act(s, (int)wait_ms);
    } else if (poll(watched, 2, (int)wait_ms) > 0 && watched[0].revents != 0) {
        sockets_act(s, 0);
    }
    sl_http_sockets_tick(s);
    return watched[1].revents;
}

void sl_http_sockets_wake(struct sl_http_sockets *s)
{
    (void)eventfd_write(s->wake_fd, 1);
}

void sl_http_sockets_close(struct sl_http_sockets *s)
{
    if (s->epoll_fd >= 0) {
        (void)close(s->epoll_fd);
    }
    if (s->wake_fd >= 0) {
        (void)close(s->wake_fd);
    }
    s->epoll_fd = s->wake_fd = -1;
}
