/* net/http_conn.h - one connection to a server: names, proxies and TLS are libcurl's, the bytes
 * are of whoever holds it.
 */
#ifndef SLUICE_NET_HTTP_CONN_H
#define SLUICE_NET_HTTP_CONN_H

#include <curl/curl.h>

#include "net/http_sockets.h"

struct sl_http_conn {
    struct sl_http_conn *next; /* of the idle ones */
    CURLM *multi;
    struct sl_http_sockets *sockets;
    CURL *easy;
    int fd; /* -1 while it is being made */
    bool is_direct;
    bool wants_write;      /* and is told when it may */
    bool is_used;          /* it has carried an answer before */
    int64_t idle_since_ms; /* monotonic, of an idle one */
    void *user;            /* who holds it; NULL while it is idle */
    char *origin;          /* "https://host:443" */
    char error[CURL_ERROR_SIZE];
};

/* Begin to connect: libcurl goes on with it in sl_http_sockets_wait, and says in
 * curl_multi_info_read when it is done; CURLOPT_PRIVATE is the connection.
 *
 * Shape:   TLS certificates are verified; AWS_CA_BUNDLE names another bundle; proxies as in
 *          HTTPS_PROXY, NO_PROXY unless is_direct
 * Owns:    *ret is the caller's to close; multi and sockets are borrowed
 * Errors:  SL_NOMEM (retry)
 */
sl_rc sl_http_conn_open(CURLM *multi, struct sl_http_sockets *sockets, sl_str origin,
                        bool is_direct, struct sl_http_conn **ret, struct sl_err *e) SL_MUST_CHECK;

/* It is connected: watch its socket.  Errors: SL_NOMEM (retry) */
sl_rc sl_http_conn_begin(struct sl_http_conn *conn, struct sl_err *e) SL_MUST_CHECK;

/* Write what fits now; what does not is awaited.
 * Errors: SL_DISCONNECTED (retry); SL_NOMEM (retry) */
sl_rc sl_http_conn_write(struct sl_http_conn *conn, sl_str bytes, size_t *ret_n, struct sl_err *e)
    SL_MUST_CHECK;

/* Read what is there.
 *
 * Returns: in *ret_n how much; 0 is nothing yet, or that it has ended, in *ret_is_closed
 * Errors:  SL_DISCONNECTED (retry)
 */
sl_rc sl_http_conn_read(struct sl_http_conn *conn, char *room, size_t room_bytes, size_t *ret_n,
                        bool *ret_is_closed, struct sl_err *e) SL_MUST_CHECK;

void sl_http_conn_close(struct sl_http_conn *conn);

#endif
