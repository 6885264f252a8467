/* net/http.h - HTTP requests of one worker, side by side, over connections that libcurl makes. */
#ifndef SLUICE_NET_HTTP_H
#define SLUICE_NET_HTTP_H

#include "net/http_request.h"
#include "net/wait.h"

struct sl_http;

/* Errors: SL_NOMEM (retry) */
sl_rc sl_http_new(struct sl_http **ret, struct sl_err *e) SL_MUST_CHECK;

/* Abort what is under way and free; `done` is called with SL_STOPPED and must not send again. */
void sl_http_free(struct sl_http *h);

/* Start a request; redirections are not followed.  A kept connection may have been closed meanwhile:
 * a request of which no answer came on such a one is sent once more, on a new one.
 *
 * Errors:  SL_CONFIG (stop)  as of sl_http_request_write
 *          SL_NOMEM (retry)
 */
sl_rc sl_http_send(struct sl_http *h, const struct sl_http_request *request, struct sl_err *e)
    SL_MUST_CHECK;

/* Move all requests forward and wait, as net/wait.h has it. */
short sl_http_wait(struct sl_http *h, int fd, short events, int64_t due_ms);

/* End the worker's wait early.  Threads: any; the only function here that is. */
void sl_http_wake(struct sl_http *h);

#endif
