/* net/http_sockets.h - the sockets and the timer of libcurl, watched together.
 *
 * curl_multi_poll looks at every request each time it is called, so that a request costs the more
 * the more there are; here only those are looked at that have something.
 * Source: libcurl, curl_multi_socket_action(3).
 */
#ifndef SLUICE_NET_HTTP_SOCKETS_H
#define SLUICE_NET_HTTP_SOCKETS_H

#include <curl/curl.h>

#include "base/err.h"

struct sl_http_sockets {
    CURLM *multi;
    int epoll_fd;
    int wake_fd;    /* an eventfd, of sl_http_sockets_wake */
    int64_t due_ms; /* libcurl's timer; INT64_MAX = none */
};

/* Watch the sockets of `multi` from now on.
 *
 * Owns:    multi is borrowed; end with sl_http_sockets_close, also after a failure
 * Errors:  SL_NOMEM (retry) no descriptors are left
 */
sl_rc sl_http_sockets_open(struct sl_http_sockets *s, CURLM *multi, struct sl_err *e) SL_MUST_CHECK;

/* Let libcurl do what its timer wants. */
void sl_http_sockets_tick(struct sl_http_sockets *s);

/* Wait until a socket has something, its timer is due, it is woken, or due_ms; and let libcurl act.
 *
 * Shape:   fd is one more to wait for, with events of poll(2); -1 = none
 * Returns: what poll(2) says of fd
 * Blocks:  until due_ms (monotonic)
 */
short sl_http_sockets_wait(struct sl_http_sockets *s, int fd, short events, int64_t due_ms);

/* End the wait, or the next one.  Threads: any */
void sl_http_sockets_wake(struct sl_http_sockets *s);

/* After curl_multi_cleanup, which still tells of sockets. */
void sl_http_sockets_close(struct sl_http_sockets *s);

#endif
