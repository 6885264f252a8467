/* net/http_server.h - a small HTTP server over libmicrohttpd: a table of routes, each answered by a
 * function.
 *
 * Limits: 32 connections, of which new ones take the places of those that ask nothing; 10 s of
 * silence on one, 16 KiB of request headers, 64 KiB of a body, which only a route of POST takes.
 */
#ifndef SLUICE_NET_HTTP_SERVER_H
#define SLUICE_NET_HTTP_SERVER_H

#include "base/buf.h"
#include "config/listen.h"
#include "net/http_desk.h"
#include "net/http_places.h"

/* One request, whole. */
struct sl_http_asked {
    const char *path; /* "/metrics", without what follows a '?' */
    sl_str body;
    char from[SL_LISTEN_HOST_MAX]; /* the address that it came from */
    struct MHD_Connection *connection;
};

/* A header of the request, "" if there is none; a parameter behind the '?', NULL if there is none.
 * Owns: valid as long as the request */
const char *sl_http_asked_header(const struct sl_http_asked *asked, const char *name);
const char *sl_http_asked_query(const struct sl_http_asked *asked, const char *name);

struct sl_http_page {
    unsigned status; /* of HTTP */
    const char *type;
    struct sl_buf body;
};

/* Fill an empty page.  Threads: one at a time of the routes that are slow, and one of the others. */
typedef void sl_http_answer(void *ctx, const struct sl_http_asked *asked,
                            struct sl_http_page *page);

/* Look at a request before its body is taken.
 * Returns: false when it is refused, and the page says why
 * Threads: the server's own, one at a time */
typedef bool sl_http_check(void *ctx, const struct sl_http_asked *asked, struct sl_http_page *page);

struct sl_http_route {
    const char *path; /* "/metrics"; with a '/' at its end all below it; NULL: all, for the last */
    sl_http_check *check; /* NULL: everybody may */
    sl_http_answer *answer;
    bool is_post; /* else GET and HEAD */
    bool is_slow; /* waits for others: answered in a thread beside the server's */
};

/* What is served; the first route that fits answers. */
struct sl_http_site {
    const struct sl_http_route *routes;
    size_t routes_n;
    const char *const (*headers)[2]; /* name and value, of every reply; ends with NULL */
    void *ctx;
};

/* One server; zeroed while there is none. */
struct sl_http_server {
    struct MHD_Daemon *daemon;
    const struct sl_http_site *site;
    struct sl_http_desk desk;
    struct sl_http_places places;
    unsigned port; /* that it listens on */
};

/* Listen, and answer in threads of its own, to which no signal comes.
 *
 * Owns:    *server, which stays where it is until sl_http_server_stop; *site is borrowed as long
 * Errors:  SL_CONFIG (stop)  "cannot listen on ADDRESS:PORT: why"
 *          SL_NOMEM (retry)
 */
sl_rc sl_http_server_start(struct sl_http_server *server, const struct sl_listen *at,
                           const struct sl_http_site *site, struct sl_err *e) SL_MUST_CHECK;

/* End it, and every connection; an answer that is being made is awaited.  Takes a zeroed one. */
void sl_http_server_stop(struct sl_http_server *server);

#endif
