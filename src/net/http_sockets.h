/* net/http_sockets.h - sockets of connections, and the sockets and timer of libcurl, which opens
 * them: watched together.
 */
#ifndef SLUICE_NET_HTTP_SOCKETS_H
#define SLUICE_NET_HTTP_SOCKETS_H

#include <curl/curl.h>

#include "base/err.h"
#include "base/str.h"

/* Something has come for `who`, or it can be written to, or is closed. */
typedef void sl_http_ready(void *ctx, void *who);

struct sl_http_sockets {
    CURLM *multi;
    sl_http_ready *ready;
    void *ctx; /* of ready */
    int epoll_fd;
    int wake_fd;    /* an eventfd, of sl_http_sockets_wake */
    int64_t due_ms; /* libcurl's timer; INT64_MAX = none */
};

/* Watch the sockets of `multi` from now on; of those that are watched for others, call `ready`.
 *
 * Owns:    multi is borrowed; end with sl_http_sockets_close, also after a failure
 * Errors:  SL_NOMEM (retry) no descriptors are left
 */
sl_rc sl_http_sockets_open(struct sl_http_sockets *s, CURLM *multi, sl_http_ready *ready, void *ctx,
                           struct sl_err *e) SL_MUST_CHECK;

/* Watch a socket for `who`, or change what for; `ready` may end `who`, but nobody else.
 *
 * Shape:   who is a pointer to something aligned; it is borrowed until sl_http_sockets_leave
 * Errors:  SL_NOMEM (retry)
 */
sl_rc sl_http_sockets_watch(struct sl_http_sockets *s, int fd, void *who, bool wants_write,
                            struct sl_err *e) SL_MUST_CHECK;
void sl_http_sockets_leave(struct sl_http_sockets *s, int fd);

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
