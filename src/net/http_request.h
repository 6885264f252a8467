/* net/http_request.h - a request of HTTP/1.1, and its text. */
#ifndef SLUICE_NET_HTTP_REQUEST_H
#define SLUICE_NET_HTTP_REQUEST_H

#include "base/buf.h"
#include "net/http_reply.h"

enum sl_http_method { SL_HTTP_POST, SL_HTTP_GET, SL_HTTP_PUT, SL_HTTP_DELETE };

struct sl_http_request {
    enum sl_http_method method;
    bool is_direct; /* through no proxy, whatever the environment says */
    const char *url;
    const char *const *headers; /* "Name: value", NULL at the end; copied.  Host, Accept,
                                 * User-Agent and Content-Length come by themselves, the first two
                                 * unless they are there */
    sl_str body;                /* copied; a GET or DELETE has none */
    size_t reply_max_bytes;
    unsigned timeout_ms; /* for the whole of it */

    /* Called once, from sl_http_wait or sl_http_free, never from sl_http_send. */
    void (*done)(void *ctx, struct sl_http_reply *reply);
    void *ctx;
};

/* "https://host:443" of a URL.  What follows may be a message's own word, the key of an object, say,
 * and none of that gets into an error. */
sl_str sl_http_origin(const char *url);

/* What may be shown of an origin: without a user, who may have a password. */
sl_str sl_http_origin_shown(sl_str origin);

/* Append the request as it is sent.
 *
 * Errors:  SL_CONFIG (stop)  a blank or control character in the URL, or a line end in a header
 *          SL_NOMEM (retry)
 * Source:  RFC 9112
 */
sl_rc sl_http_request_write(const struct sl_http_request *request, struct sl_buf *out,
                            struct sl_err *e) SL_MUST_CHECK;

#endif
