/* net/http_server.h - a small HTTP server: GET and HEAD of a few short pages, over libmicrohttpd.
 *
 * Limits: 32 connections, 10 s of silence on one, 16 KiB of request headers, no request body.
 */
#ifndef SLUICE_NET_HTTP_SERVER_H
#define SLUICE_NET_HTTP_SERVER_H

#include "base/buf.h"
#include "config/listen.h"

struct sl_http_asked {
    const char *path;   /* "/metrics", without what follows a '?' */
    const char *accept; /* header Accept; "" if there is none */
};

struct sl_http_page {
    unsigned status; /* of HTTP */
    const char *type;
    struct sl_buf body;
};

/* Fill an empty page.  Threads: the server's own, one at a time. */
typedef void sl_http_answer(void *ctx, const struct sl_http_asked *asked,
                            struct sl_http_page *page);

/* One server; zeroed while there is none. */
struct sl_http_server {
    struct MHD_Daemon *daemon;
    sl_http_answer *answer;
    void *ctx;
    unsigned port; /* that it listens on */
};

/* Listen, and answer in a thread of its own, to which no signal comes.
 *
 * Owns:    *server, which stays where it is until sl_http_server_stop; ctx is borrowed as long
 * Errors:  SL_CONFIG (stop)  "cannot listen on ADDRESS:PORT: why"
 *          SL_NOMEM (retry)
 */
sl_rc sl_http_server_start(struct sl_http_server *server, const struct sl_listen *at,
                           sl_http_answer *answer, void *ctx, struct sl_err *e) SL_MUST_CHECK;

/* End it, and every connection.  Takes a zeroed one. */
void sl_http_server_stop(struct sl_http_server *server);

#endif
