/* net/http_server.c - a small HTTP server over libmicrohttpd. */
#include "net/http_server.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 32,
    SILENCE_S = 10,
    HEADERS_MAX = 16 << 10, /* of a request; libmicrohttpd's memory a connection */
    PAGE_MAX = 4 << 20,
    BACKLOG = 32,
};

/* ---- answers ------------------------------------------------------------------------------------- */

static enum MHD_Result page_send(struct MHD_Connection *connection, const struct sl_http_page *page)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        page->body.len, page->body.len > 0 ? page->body.ptr : "", MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result;

    if (response == NULL) {
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, page->type);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (page->status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    }
    result = MHD_queue_response(connection, page->status, response);
    MHD_destroy_response(response);
    return result;
}

static void page_fail(struct sl_http_page *page, unsigned status, const char *text)
{
    sl_buf_reset(&page->body);
    page->status = status;
    page->type = "text/plain; charset=utf-8";
    sl_buf_add_str(&page->body, sl_str_of(text));
}

static bool is_read(const char *method)
{
    return strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
}

static enum MHD_Result request_answer(struct sl_http_server *server,
                                      struct MHD_Connection *connection, const char *path,
                                      const char *method)
{
    SL_AUTO(sl_buf_done) struct sl_buf room = { .max_bytes = PAGE_MAX };
    const char *accept =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
    const struct sl_http_asked asked = { .path = path, .accept = accept != NULL ? accept : "" };
    struct sl_http_page page = { .status = MHD_HTTP_OK, .body = room };
    enum MHD_Result result;

    if (is_read(method)) {
        server->answer(server->ctx, &asked, &page);
    } else {
        page_fail(&page, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    }
    if (page.body.has_failed) {
        page_fail(&page, MHD_HTTP_INTERNAL_SERVER_ERROR, "no memory for the answer\n");
    }
    result = page_send(connection, &page);
    room = page.body; /* for its end */
    return result;
}

/* Called once with the headers, for each piece of a body, and once behind it; `mark` tells the
 * first from the last. */
/* NOLINTNEXTLINE(readability-function-size): libmicrohttpd says which parameters there are */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_bytes, void **mark)
{
    static char seen;

    (void)version;
    (void)upload;
    if (*mark == NULL && is_read(method)) {
        *mark = &seen;
        return MHD_YES;
    }
    if (*upload_bytes > 0) {
        return MHD_NO; /* hangs up */
    }
    return request_answer(ctx, connection, path, method);
}

/* ---- life ---------------------------------------------------------------------------------------- */

/* "" for an unknown one; its first letter as in the middle of a sentence. */
static sl_rc cannot_listen(const struct sl_listen *at, int reason, struct sl_err *e)
{
    const char *text = strerrordesc_np(reason);
    const bool is_v6 = strchr(at->host, ':') != NULL;

    if (reason == EADDRINUSE) {
        text = "somebody listens there already";
    }
    return SL_FAIL(e, SL_CONFIG, "cannot listen on %s%s%s:%u: %s", is_v6 ? "[" : "", at->host,
                   is_v6 ? "]" : "", at->port, text != NULL ? text : "unknown error");
}

static int socket_open(const struct addrinfo *a)
{
    const int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int yes = 1;

    if (fd < 0) {
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, a->ai_addr, a->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        const int reason = errno;

        (void)close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}

static sl_rc listen_at(const struct sl_listen *at, int *ret_fd, struct sl_err *e)
{
    const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                                    .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    char port[16];
    int fd;

    (void)snprintf(port, sizeof port, "%u", at->port);
    if (getaddrinfo(at->host, port, &hints, &found) != 0) {
        return cannot_listen(at, EADDRNOTAVAIL, e);
    }
    fd = socket_open(found);
    freeaddrinfo(found);
    if (fd < 0) {
        return cannot_listen(at, errno, e);
    }
    *ret_fd = fd;
    return SL_OK;
}

static unsigned port_of(int fd)
{
    struct sockaddr_storage name = { 0 };
    socklen_t n = sizeof name;

    (void)getsockname(fd, (struct sockaddr *)&name, &n);
    return ntohs(name.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&name)->sin6_port
                                            : ((struct sockaddr_in *)&name)->sin_port);
}

/* Signals are for the threads that wait for them. */
static struct MHD_Daemon *daemon_start(struct sl_http_server *server, int fd)
{
    struct MHD_Daemon *daemon;
    sigset_t all;
    sigset_t before;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    daemon = MHD_start_daemon(MHD_USE_AUTO_INTERNAL_THREAD, 0, NULL, NULL, on_request, server,
                              MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
                              (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
                              (unsigned)SILENCE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                              (size_t)HEADERS_MAX, MHD_OPTION_END);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return daemon;
}

sl_rc sl_http_server_start(struct sl_http_server *server, const struct sl_listen *at,
                           sl_http_answer *answer, void *ctx, struct sl_err *e)
{
    int fd = -1;

    SL_TRY(listen_at(at, &fd, e));
    *server = (struct sl_http_server){ .answer = answer, .ctx = ctx, .port = port_of(fd) };
    server->daemon = daemon_start(server, fd);
    if (server->daemon == NULL) {
        (void)close(fd);
        return SL_FAIL(e, SL_NOMEM, "could not start a thread");
    }
    return SL_OK;
}

void sl_http_server_stop(struct sl_http_server *server)
{
    if (server->daemon != NULL) {
        MHD_stop_daemon(server->daemon);
        server->daemon = NULL;
    }
}
