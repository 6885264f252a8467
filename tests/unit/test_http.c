/* tests/unit/test_http.c - requests to a server that does what a test says: kept connections, and
 * those that are closed at the wrong moment. */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "net/http.h"

enum {
    PATIENCE_MS = 20000,
    CONNECTIONS_MAX = 8,
    STEPS_MAX = 8,
};

/* What the server does with a request; the n-th one of all. */
enum step {
    ANSWER,       /* and keep the connection */
    ANSWER_CLOSE, /* and close it, which it did not say */
    ANSWER_LAST,  /* "Connection: close" */
    CLOSE,        /* without a word */
    RESET,
    HALF,   /* of an answer, and close */
    REFUSE, /* before all of the request has come, and close */
    HANG,
};

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
static const char answer_last[] =
    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello";

struct server {
    int listener;
    unsigned port;
    pthread_t thread;
    int stop[2]; /* a pipe, closed at the end */
    enum step steps[STEPS_MAX];
    unsigned requests;    /* so far */
    unsigned connections; /* so far */
    atomic_bool has_refused;
    char last[4096]; /* request, as it came */
};

static void finish(struct pollfd *p, bool is_reset)
{
    const struct linger now = { .l_onoff = 1 };

    if (is_reset) {
        (void)setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    (void)close(p->fd);
    p->fd = -1;
}

static void say(int fd, const char *text, size_t n)
{
    (void)send(fd, text, n, MSG_NOSIGNAL); /* what is missing fails the test */
}

static void serve(struct server *s, struct pollfd *p)
{
    const ssize_t n = recv(p->fd, s->last, sizeof s->last - 1, 0); /* small: in one piece */

    if (n <= 0) {
        finish(p, false);
        return;
    }
    s->last[n] = '\0';
    switch (s->steps[s->requests++]) {
    case ANSWER:
        say(p->fd, answer, sizeof answer - 1);
        break;
    case ANSWER_CLOSE:
        say(p->fd, answer, sizeof answer - 1);
        finish(p, false);
        break;
    case ANSWER_LAST:
        say(p->fd, answer_last, sizeof answer_last - 1);
        break;
    case HALF:
        say(p->fd, answer, sizeof answer / 2);
        finish(p, false);
        break;
    case REFUSE:
        say(p->fd, answer_last, sizeof answer_last - 1);
        finish(p, false); /* with bytes unread: a reset */
        atomic_store(&s->has_refused, true);
        break;
    case CLOSE:
    case RESET:
        finish(p, s->steps[s->requests - 1] == RESET);
        break;
    case HANG:
        break;
    }
}

static void *server_main(void *ctx)
{
    struct server *s = ctx;
    struct pollfd fds[2 + CONNECTIONS_MAX] = { { .fd = s->stop[0], .events = POLLIN },
                                               { .fd = s->listener, .events = POLLIN } };

    for (unsigned i = 2; i < 2 + CONNECTIONS_MAX; i++) {
        fds[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
    }
    while (poll(fds, 2 + CONNECTIONS_MAX, -1) > 0 && fds[0].revents == 0) {
        for (unsigned i = 2; i < 2 + CONNECTIONS_MAX; i++) {
            if (fds[i].fd >= 0 && fds[i].revents != 0) {
                serve(s, &fds[i]);
            }
        }
        if (fds[1].revents != 0) {
            fds[2 + s->connections++].fd = accept(s->listener, NULL, NULL);
        }
    }
    for (unsigned i = 2; i < 2 + CONNECTIONS_MAX; i++) {
        if (fds[i].fd >= 0) {
            finish(&fds[i], false);
        }
    }
    return NULL;
}

static void server_start(struct server *s)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;

    s->listener = socket(AF_INET, SOCK_STREAM, 0);
    (void)setsockopt(s->listener, IPPROTO_TCP, TCP_MAXSEG, &(int){ 536 }, sizeof(int));
    (void)setsockopt(s->listener, SOL_SOCKET, SO_RCVBUF, &(int){ 4096 }, sizeof(int));
    assert_int_equal(bind(s->listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(s->listener, 8), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&at, &len), 0);
    s->port = ntohs(at.sin_port);
    assert_int_equal(pipe(s->stop), 0);
    assert_int_equal(pthread_create(&s->thread, NULL, server_main, s), 0);
}

static void server_stop(struct server *s)
{
    (void)close(s->stop[1]);
    assert_int_equal(pthread_join(s->thread, NULL), 0);
    (void)close(s->stop[0]);
    (void)close(s->listener);
}

/* ---- requests ------------------------------------------------------------------------------------ */

struct asked {
    struct sl_http_reply reply;
    unsigned times;
};

static void on_done(void *ctx, struct sl_http_reply *reply)
{
    struct asked *asked = ctx;

    asked->reply = *reply;
    reply->body = (struct sl_buf){ 0 };
    asked->times++;
}

static sl_rc ask(struct sl_http *h, const struct server *s, unsigned timeout_ms, struct asked *ret)
{
    static const char *const headers[] = { "x-test: yes", NULL };
    struct sl_http_request request = { .method = SL_HTTP_POST,
                                       .is_direct = true,
                                       .headers = headers,
                                       .body = SL_STR("{}"),
                                       .reply_max_bytes = 4096,
                                       .timeout_ms = timeout_ms,
                                       .done = on_done,
                                       .ctx = ret };
    struct sl_err e;
    char url[64];

    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/path?query#fragment", s->port);
    request.url = url;
    *ret = (struct asked){ 0 };
    assert_int_equal(sl_http_send(h, &request, &e), SL_OK);
    while (ret->times == 0) {
        (void)sl_http_wait(h, -1, 0, sl_clock_now_ms() + PATIENCE_MS);
    }
    assert_int_equal(ret->times, 1);
    sl_buf_done(&ret->reply.body);
    return ret->reply.rc;
}

/* Requests one after the other, each answered: seen are the connections and requests it took. */
static void assert_takes(const enum step *steps, unsigned steps_n, unsigned asks, unsigned requests,
                         unsigned connections)
{
    struct server s = { 0 };
    struct sl_http *h = NULL;
    struct asked asked;

    memcpy(s.steps, steps, steps_n * sizeof *steps);
    server_start(&s);
    assert_int_equal(sl_http_new(&h, NULL), SL_OK);
    for (unsigned i = 0; i < asks; i++) {
        assert_int_equal(ask(h, &s, PATIENCE_MS, &asked), SL_OK);
        assert_int_equal(asked.reply.status, 200);
    }
    sl_http_free(h);
    server_stop(&s);
    assert_int_equal(s.requests, requests);
    assert_int_equal(s.connections, connections);
}

static void a_connection_is_used_again(void **state)
{
    const enum step steps[] = { ANSWER, ANSWER, ANSWER };

    (void)state;
    assert_takes(steps, 3, 3, 3, 1);
}

static void a_connection_that_ends_with_its_answer_is_not(void **state)
{
    const enum step steps[] = { ANSWER_LAST, ANSWER, ANSWER };

    (void)state;
    assert_takes(steps, 3, 3, 3, 2);
}

static void what_was_closed_while_idle_is_no_failure(void **state)
{
    const enum step steps[] = { ANSWER_CLOSE, ANSWER_CLOSE, ANSWER };

    (void)state;
    assert_takes(steps, 3, 3, 3, 3);
}

static void what_is_closed_when_it_is_used_again_is_asked_on_a_new_one(void **state)
{
    const enum step steps[] = { ANSWER, CLOSE, ANSWER, RESET, ANSWER };

    (void)state;
    assert_takes(steps, 5, 3, 5, 3);
}

/* ---- failures ------------------------------------------------------------------------------------ */

static void assert_fails(const enum step *steps, unsigned steps_n, unsigned timeout_ms, sl_rc rc,
                         const char *text, unsigned requests)
{
    struct server s = { 0 };
    struct sl_http *h = NULL;
    struct asked asked;

    memcpy(s.steps, steps, steps_n * sizeof *steps);
    server_start(&s);
    assert_int_equal(sl_http_new(&h, NULL), SL_OK);
    for (unsigned i = 1; i < steps_n; i++) {
        assert_int_equal(ask(h, &s, PATIENCE_MS, &asked), SL_OK);
    }
    assert_int_equal(ask(h, &s, timeout_ms, &asked), rc);
    assert_non_null(strstr(asked.reply.err.msg, text));
    sl_http_free(h);
    server_stop(&s);
    assert_int_equal(s.requests, requests);
}

static void a_new_connection_that_is_closed_is_a_failure(void **state)
{
    const enum step steps[] = { CLOSE };

    (void)state;
    assert_fails(steps, 1, PATIENCE_MS, SL_DISCONNECTED,
                 ": the connection was closed before the answer", 1);
}

static void a_request_is_sent_twice_at_most(void **state)
{
    struct server s = { .steps = { ANSWER, CLOSE, CLOSE } };
    struct sl_http *h = NULL;
    struct asked asked;

    (void)state;
    server_start(&s);
    assert_int_equal(sl_http_new(&h, NULL), SL_OK);
    assert_int_equal(ask(h, &s, PATIENCE_MS, &asked), SL_OK);
    assert_int_equal(ask(h, &s, PATIENCE_MS, &asked), SL_DISCONNECTED);
    sl_http_free(h);
    server_stop(&s);
    assert_int_equal(s.requests, 3);
}

/* It may have been done, so it is for the caller to say whether it is asked again. */
static void half_an_answer_is_a_failure_and_not_asked_again(void **state)
{
    const enum step steps[] = { ANSWER, HALF };

    (void)state;
    assert_fails(steps, 2, PATIENCE_MS, SL_DISCONNECTED,
                 ": the connection was closed within the answer", 2);
}

static void no_answer_in_time_is_a_failure_and_not_asked_again(void **state)
{
    const enum step steps[] = { ANSWER, HANG };

    (void)state;
    assert_fails(steps, 2, 50, SL_TIMEOUT, "no answer from http://127.0.0.1:", 2);
}

/* Of a kept connection, and not asked again: it was the answer. */
static void an_answer_to_half_a_request_counts(void **state)
{
    static const char *const headers[] = { NULL };
    static char big[2000000];
    struct server s = { .steps = { ANSWER, REFUSE } };
    struct sl_http *h = NULL;
    struct asked asked;
    char url[64];
    const struct sl_http_request request = { .method = SL_HTTP_POST,
                                             .is_direct = true,
                                             .url = url,
                                             .headers = headers,
                                             .body = { big, sizeof big },
                                             .reply_max_bytes = 4096,
                                             .timeout_ms = PATIENCE_MS,
                                             .done = on_done,
                                             .ctx = &asked };

    (void)state;
    server_start(&s);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", s.port);
    assert_int_equal(sl_http_new(&h, NULL), SL_OK);
    assert_int_equal(ask(h, &s, PATIENCE_MS, &asked), SL_OK);
    asked = (struct asked){ 0 };
    assert_int_equal(sl_http_send(h, &request, NULL), SL_OK);
    (void)sl_http_wait(h, -1, 0, 0); /* a part of it goes out */
    while (!atomic_load(&s.has_refused)) {
        (void)usleep(1000);
    }
    while (asked.times == 0) {
        (void)sl_http_wait(h, -1, 0, sl_clock_now_ms() + PATIENCE_MS);
    }
    sl_buf_done(&asked.reply.body);
    sl_http_free(h);
    server_stop(&s);
    assert_int_equal(asked.reply.rc, SL_OK);
    assert_int_equal(s.requests, 2);
}

/* libcurl looks names up in threads of its own; no name is looked up but this. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **ret)
{
    (void)name;
    (void)service;
    (void)hints;
    (void)ret;
    (void)sleep(5);
    return EAI_AGAIN;
}

static void nobody_waits_for_a_name_that_is_given_up(void **state)
{
    static const char *const headers[] = { NULL };
    const int64_t begun_ms = sl_clock_now_ms();
    struct sl_http *h = NULL;
    struct asked asked = { 0 };
    struct sl_http_request request = { .method = SL_HTTP_GET,
                                       .is_direct = true,
                                       .url = "http://me:secret@slow.example/",
                                       .headers = headers,
                                       .timeout_ms = 100,
                                       .done = on_done,
                                       .ctx = &asked };

    (void)state;
    assert_int_equal(sl_http_new(&h, NULL), SL_OK);
    assert_int_equal(sl_http_send(h, &request, NULL), SL_OK);
    while (asked.times == 0) {
        (void)sl_http_wait(h, -1, 0, sl_clock_now_ms() + PATIENCE_MS);
    }
    assert_int_equal(asked.reply.rc, SL_TIMEOUT);
    assert_string_equal(asked.reply.err.msg, "no answer from slow.example: the deadline passed");
    sl_buf_done(&asked.reply.body);
    request.timeout_ms = PATIENCE_MS;
    assert_int_equal(sl_http_send(h, &request, NULL), SL_OK);
    (void)sl_http_wait(h, -1, 0, sl_clock_now_ms() + 100);
    sl_http_free(h); /* a stop */
    assert_int_equal(asked.reply.rc, SL_STOPPED);
    assert_in_range(sl_clock_now_ms() - begun_ms, 0, 3000);
}

static void a_proxy_that_cannot_be_read_is_not_shown(void **state)
{
    static const char *const headers[] = { NULL };
    struct sl_http *h = NULL;
    struct asked asked = { 0 };
    const struct sl_http_request request = { .method = SL_HTTP_GET,
                                             .url = "https://127.0.0.1:9/",
                                             .headers = headers,
                                             .timeout_ms = PATIENCE_MS,
                                             .done = on_done,
                                             .ctx = &asked };

    (void)state;
    assert_int_equal(setenv("https_proxy", "http://user:sec#ret@127.0.0.1:9", 1), 0);
    assert_int_equal(sl_http_new(&h, NULL), SL_OK);
    assert_int_equal(sl_http_send(h, &request, NULL), SL_OK);
    while (asked.times == 0) {
        (void)sl_http_wait(h, -1, 0, sl_clock_now_ms() + PATIENCE_MS);
    }
    sl_buf_done(&asked.reply.body);
    sl_http_free(h);
    assert_int_equal(unsetenv("https_proxy"), 0);
    assert_int_equal(asked.reply.rc, SL_DISCONNECTED);
    assert_null(strstr(asked.reply.err.msg, "ret@"));
    assert_non_null(strstr(asked.reply.err.msg, "HTTPS_PROXY"));
}

static void nobody_there_is_a_failure(void **state)
{
    struct server s = { 0 };
    struct sl_http *h = NULL;
    struct asked asked;

    (void)state;
    server_start(&s);
    server_stop(&s);
    assert_int_equal(sl_http_new(&h, NULL), SL_OK);
    assert_int_equal(ask(h, &s, PATIENCE_MS, &asked), SL_DISCONNECTED);
    assert_non_null(strstr(asked.reply.err.msg, "could not reach http://127.0.0.1:"));
    assert_non_null(strstr(asked.reply.err.msg, "curl 7: "));
    sl_http_free(h);
}

static void what_is_out_at_the_end_is_told(void **state)
{
    struct server s = { .steps = { HANG } };
    struct sl_http *h = NULL;
    struct asked asked = { 0 };
    static const char *const headers[] = { NULL };
    char url[64];
    const struct sl_http_request request = { .method = SL_HTTP_GET,
                                             .is_direct = true,
                                             .url = url,
                                             .headers = headers,
                                             .timeout_ms = PATIENCE_MS,
                                             .done = on_done,
                                             .ctx = &asked };

    (void)state;
    server_start(&s);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", s.port);
    assert_int_equal(sl_http_new(&h, NULL), SL_OK);
    for (unsigned i = 0; i < 2; i++) { /* one that has begun, and one that has not */
        assert_int_equal(sl_http_send(h, &request, NULL), SL_OK);
        (void)sl_http_wait(h, -1, 0, i == 0 ? sl_clock_now_ms() + 50 : 0);
    }
    assert_int_equal(sl_http_send(h, &request, NULL), SL_OK);
    sl_http_free(h);
    server_stop(&s);
    assert_int_equal(asked.times, 3);
    assert_int_equal(asked.reply.rc, SL_STOPPED);
}

/* ---- what is sent -------------------------------------------------------------------------------- */

static void the_text_of_a_request(void **state)
{
    struct server s = { .steps = { ANSWER } };
    struct sl_http *h = NULL;
    struct asked asked;
    char expected[256];

    (void)state;
    server_start(&s);
    assert_int_equal(sl_http_new(&h, NULL), SL_OK);
    assert_int_equal(ask(h, &s, PATIENCE_MS, &asked), SL_OK);
    sl_http_free(h);
    server_stop(&s);
    (void)snprintf(expected, sizeof expected,
                   "POST /path?query HTTP/1.1\r\nx-test: yes\r\nhost: 127.0.0.1:%u\r\n"
                   "user-agent: sluice/" SLUICE_VERSION "\r\naccept: */*\r\ncontent-length: 2\r\n"
                   "\r\n{}",
                   s.port);
    assert_string_equal(s.last, expected);
}

static void assert_text(const char *url, const char *header, const char *expected)
{
    const char *const headers[] = { header, NULL };
    const struct sl_http_request request = { .method = SL_HTTP_GET,
                                             .url = url,
                                             .headers = headers };
    struct sl_buf out;
    struct sl_err e;

    sl_buf_init(&out, 4096);
    if (*expected == '!') {
        assert_int_equal(sl_http_request_write(&request, &out, &e), SL_CONFIG);
        assert_string_equal(e.msg, expected + 1);
    } else {
        assert_int_equal(sl_http_request_write(&request, &out, &e), SL_OK);
        sl_buf_add_char(&out, '\0');
        assert_non_null(strstr(out.ptr, expected));
    }
    sl_buf_done(&out);
}

static void hosts_and_paths(void **state)
{
    (void)state;
    assert_text("https://sqs.example.com", "a: b", "GET / HTTP/1.1\r\n");
    assert_text("https://sqs.example.com?x=1", "a: b", "GET /?x=1 HTTP/1.1\r\n");
    assert_text("https://sqs.example.com:443/", "a: b", "\r\nhost: sqs.example.com\r\n");
    assert_text("http://sqs.example.com:443/", "a: b", "\r\nhost: sqs.example.com:443\r\n");
    assert_text("http://sqs.example.com:80/", "a: b", "\r\nhost: sqs.example.com\r\n");
    assert_text("http://me:secret@[::1]:8080/", "a: b", "\r\nhost: [::1]:8080\r\n");
    assert_text("https://x/", "accept: text/plain",
                "\r\naccept: text/plain\r\nhost: x\r\nuser-agent: sluice/" SLUICE_VERSION
                "\r\n\r\n");
    assert_text("https://me:secret@x/a b", "a: b", "!the URL of a request at x has a blank in it");
    assert_text("https://x/", "Host: signed", "\r\nHost: signed\r\nuser-agent: ");
}

static void nothing_ends_a_line_of_a_request_but_we(void **state)
{
    (void)state;
    assert_text("https://x/a b", "a: b", "!the URL of a request at https://x has a blank in it");
    assert_text("https://x/a\r\nb", "a: b", "!the URL of a request at https://x has a blank in it");
    assert_text("https://x/", "token: a\r\nb: c",
                "!the header token of a request has a line end in it");
    assert_text("https://x/", "token: a\nb", "!the header token of a request has a line end in it");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_is_used_again),
        cmocka_unit_test(a_connection_that_ends_with_its_answer_is_not),
        cmocka_unit_test(what_was_closed_while_idle_is_no_failure),
        cmocka_unit_test(what_is_closed_when_it_is_used_again_is_asked_on_a_new_one),
        cmocka_unit_test(a_new_connection_that_is_closed_is_a_failure),
        cmocka_unit_test(a_request_is_sent_twice_at_most),
        cmocka_unit_test(half_an_answer_is_a_failure_and_not_asked_again),
        cmocka_unit_test(no_answer_in_time_is_a_failure_and_not_asked_again),
        cmocka_unit_test(an_answer_to_half_a_request_counts),
        cmocka_unit_test(nobody_waits_for_a_name_that_is_given_up),
        cmocka_unit_test(a_proxy_that_cannot_be_read_is_not_shown),
        cmocka_unit_test(nobody_there_is_a_failure),
        cmocka_unit_test(what_is_out_at_the_end_is_told),
        cmocka_unit_test(the_text_of_a_request),
        cmocka_unit_test(hosts_and_paths),
        cmocka_unit_test(nothing_ends_a_line_of_a_request_but_we),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
