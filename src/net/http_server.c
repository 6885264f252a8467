/* net/http_server.c - a small HTTP server over libmicrohttpd. */
#include "net/http_server.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SILENCE_S = 10,
    HEADERS_MAX = 16 << 10, /* of a request; libmicrohttpd's memory a connection */
    BODY_MAX = 64 << 10,
    PAGE_MAX = 32 << 20, /* a sealed body of 16 MiB in base64 */
    BACKLOG = 32,
    TOO_LARGE = 413, /* as HTTP has it; libmicrohttpd has called it by several names */
};

/* One request, from its headers to the end of its answer. */
struct request {
    struct sl_http_job job;
    struct sl_http_server *server;
    const struct sl_http_route *route;
    struct sl_http_place *place;
    struct sl_http_asked asked;
    struct sl_buf body;
    struct sl_http_page page;
    bool is_answered; /* the page is filled, and to be sent */
};

const char *sl_http_asked_header(const struct sl_http_asked *asked, const char *name)
{
    const char *value = MHD_lookup_connection_value(asked->connection, MHD_HEADER_KIND, name);

    return value != NULL ? value : "";
}

const char *sl_http_asked_query(const struct sl_http_asked *asked, const char *name)
{
    return MHD_lookup_connection_value(asked->connection, MHD_GET_ARGUMENT_KIND, name);
}

/* ---- pages --------------------------------------------------------------------------------------- */

static void page_fail(struct sl_http_page *page, unsigned status, const char *text)
{
    sl_buf_reset(&page->body);
    page->status = status;
    page->type = "application/json";
    sl_buf_printf(&page->body, "{\"error\":\"%s\"}\n", text);
}

static void headers_add(struct MHD_Response *response, const struct request *r)
{
    const char *const(*header)[2] = r->server->site->headers;

    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, r->page.type);
    for (; (*header)[0] != NULL; header++) {
        (void)MHD_add_response_header(response, (*header)[0], (*header)[1]);
    }
    if (r->page.status == MHD_HTTP_UNAUTHORIZED) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    }
    if (r->page.status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW,
                                      r->route->is_post ? "POST" : "GET, HEAD");
    }
}

static enum MHD_Result page_send(struct request *r)
{
    struct MHD_Response *response;
    enum MHD_Result result;

    if (r->page.body.has_failed) {
        page_fail(&r->page, MHD_HTTP_INTERNAL_SERVER_ERROR, "no memory for the answer");
    }
    response = MHD_create_response_from_buffer(
        r->page.body.len, r->page.body.len > 0 ? r->page.body.ptr : "", MHD_RESPMEM_MUST_COPY);
    if (response == NULL) {
        return MHD_NO;
    }
    headers_add(response, r);
    result = MHD_queue_response(r->asked.connection, r->page.status, response);
    MHD_destroy_response(response);
    if (r->place != NULL) {
        r->place->is_sent = true;
    }
    return result;
}

/* ---- requests ------------------------------------------------------------------------------------ */

static bool route_fits(const char *route, const char *path)
{
    const size_t n = route != NULL ? strlen(route) : 0;

    return n == 0 || strcmp(route, path) == 0 ||
           (route[n - 1] == '/' && n > 1 && strncmp(route, path, n) == 0);
}

static const struct sl_http_route *route_of(const struct sl_http_site *site, const char *path)
{
    size_t i = 0;

    while (i + 1 < site->routes_n && !route_fits(site->routes[i].path, path)) {
        i++;
    }
    return &site->routes[i];
}

static void address_read(struct MHD_Connection *connection, char out[static SL_LISTEN_HOST_MAX])
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const socklen_t n = info != NULL && info->client_addr->sa_family == AF_INET6
                            ? sizeof(struct sockaddr_in6)
                            : sizeof(struct sockaddr_in);

    if (info == NULL ||
        getnameinfo(info->client_addr, n, out, SL_LISTEN_HOST_MAX, NULL, 0, NI_NUMERICHOST) != 0) {
        out[0] = '\0';
    }
}

static struct sl_http_place *place_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info != NULL ? info->socket_context : NULL;
}

static void job_run(struct sl_http_job *job, bool is_over);

static struct request *request_new(struct sl_http_server *server, struct MHD_Connection *connection,
                                   const char *path)
{
    struct request *r = calloc(1, sizeof *r);

    if (r == NULL) {
        return NULL;
    }
    r->job.run = job_run;
    r->server = server;
    r->route = route_of(server->site, path);
    r->place = place_of(connection);
    r->asked.path = path;
    r->asked.connection = connection;
    r->page.status = MHD_HTTP_OK;
    sl_buf_init(&r->body, BODY_MAX);
    sl_buf_init(&r->page.body, PAGE_MAX);
    address_read(connection, r->asked.from);
    return r;
}

static bool is_read(const char *method)
{
    return strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
}

/* What a request without an acceptable body says it brings. */
static bool is_too_long(const struct request *r)
{
    int64_t n = 0;

    return sl_str_to_i64(sl_str_of(sl_http_asked_header(&r->asked, MHD_HTTP_HEADER_CONTENT_LENGTH)),
                         &n) &&
           n > BODY_MAX;
}

/* Returns: false when it is refused, by its headers alone. */
static bool request_may(struct request *r, const char *method)
{
    const bool is_post = strcmp(method, MHD_HTTP_METHOD_POST) == 0;

    if (r->route->is_post ? !is_post : !is_read(method)) {
        page_fail(&r->page, MHD_HTTP_METHOD_NOT_ALLOWED,
                  r->route->is_post ? "only POST" : "only GET and HEAD");
        return false;
    }
    if (is_too_long(r)) {
        page_fail(&r->page, TOO_LARGE, "at most 64 KiB");
        return false;
    }
    return r->route->check == NULL || r->route->check(r->server->site->ctx, &r->asked, &r->page);
}

/* In the thread for what takes time. */
static void job_run(struct sl_http_job *job, bool is_over)
{
    struct request *r = (struct request *)((char *)job - offsetof(struct request, job));

    if (is_over) {
        page_fail(&r->page, MHD_HTTP_SERVICE_UNAVAILABLE, "stopping");
    } else {
        r->route->answer(r->server->site->ctx, &r->asked, &r->page);
    }
    r->is_answered = true;
    MHD_resume_connection(r->asked.connection);
}

static enum MHD_Result request_answer(struct request *r)
{
    r->asked.body = sl_buf_str(&r->body);
    if (!r->route->is_slow) {
        r->route->answer(r->server->site->ctx, &r->asked, &r->page);
        return page_send(r);
    }
    MHD_suspend_connection(r->asked.connection);
    if (!sl_http_desk_give(&r->server->desk, &r->job)) {
        page_fail(&r->page, MHD_HTTP_SERVICE_UNAVAILABLE,
                  sl_http_desk_is_over(&r->server->desk) ? "stopping"
                                                         : "too much is asked at a time");
        r->is_answered = true;
        MHD_resume_connection(r->asked.connection);
    }
    return MHD_YES;
}

/* The headers are there.  A body is refused before it is sent; else the answer waits for the end of
 * the request, so that the connection can be used again. */
static enum MHD_Result request_begin(struct request *r, const char *method)
{
    if (is_read(method)) {
        return MHD_YES;
    }
    return request_may(r, method) ? MHD_YES : page_send(r);
}

static enum MHD_Result request_end(struct request *r, const char *method)
{
    if (r->place != NULL) {
        r->place->is_busy = true;
    }
    if (r->is_answered || (is_read(method) && !request_may(r, method))) {
        return page_send(r);
    }
    return request_answer(r);
}

/* Called with the headers, for each piece of a body, once behind it, and again when it was suspended
 * and goes on. */
/* NOLINTNEXTLINE(readability-function-size): libmicrohttpd says which parameters there are */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_bytes, void **mark)
{
    struct request *r = *mark;

    (void)version;
    if (r == NULL) {
        r = request_new(ctx, connection, path);
        *mark = r;
        return r == NULL ? MHD_NO : request_begin(r, method);
    }
    if (*upload_bytes == 0) {
        return request_end(r, method);
    }
    sl_buf_add(&r->body, upload, *upload_bytes);
    *upload_bytes = 0;
    return is_read(method) || r->body.has_failed ? MHD_NO : MHD_YES; /* hangs up */
}

static void on_end(void *ctx, struct MHD_Connection *connection, void **mark,
                   enum MHD_RequestTerminationCode code)
{
    struct request *r = *mark;

    (void)ctx;
    (void)connection;
    (void)code;
    if (r == NULL) {
        return;
    }
    if (r->place != NULL) {
        r->place->is_busy = false;
        r->place->is_sent = false;
    }
    sl_buf_done(&r->body);
    sl_buf_done(&r->page.body);
    free(r);
    *mark = NULL;
}

static void on_connection(void *ctx, struct MHD_Connection *connection, void **place,
                          enum MHD_ConnectionNotificationCode code)
{
    struct sl_http_server *server = ctx;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    if (code == MHD_CONNECTION_NOTIFY_STARTED && info != NULL) {
        *place = sl_http_place_open(&server->places, info->connect_fd);
    } else {
        sl_http_place_close(*place);
    }
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
    struct sockaddr_in6 name = { 0 }; /* sockaddr_in has its port in the same place */
    socklen_t n = sizeof name;

    (void)getsockname(fd, (struct sockaddr *)&name, &n);
    return ntohs(name.sin6_port);
}

static struct MHD_Daemon *daemon_start(struct sl_http_server *server, int fd)
{
    return MHD_start_daemon(
        MHD_USE_AUTO_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, server,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)SL_HTTP_PLACES,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SILENCE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HEADERS_MAX, MHD_OPTION_NOTIFY_COMPLETED, on_end, NULL,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_END);
}

static sl_rc threads_start(struct sl_http_server *server, int fd, struct sl_err *e)
{
    SL_TRY(sl_http_desk_start(&server->desk, e));
    server->daemon = daemon_start(server, fd);
    return server->daemon != NULL ? SL_OK : SL_FAIL(e, SL_NOMEM, "could not start a thread");
}

sl_rc sl_http_server_start(struct sl_http_server *server, const struct sl_listen *at,
                           const struct sl_http_site *site, struct sl_err *e)
{
    sigset_t all;
    sigset_t before;
    int fd = -1;
    sl_rc rc;

    SL_TRY(listen_at(at, &fd, e));
    *server = (struct sl_http_server){ .site = site, .port = port_of(fd) };
    (void)sigfillset(&all); /* signals are for the threads that wait for them */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = threads_start(server, fd, e);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != SL_OK) {
        sl_http_server_stop(server);
        (void)close(fd);
    }
    return rc;
}

/* libmicrohttpd wants no connection suspended when it stops. */
void sl_http_server_stop(struct sl_http_server *server)
{
    sl_http_desk_stop(&server->desk);
    if (server->daemon != NULL) {
        MHD_stop_daemon(server->daemon);
        server->daemon = NULL;
    }
}
