/* net/http_fetch.h - one HTTP request and its answer, for those who have nothing else to do. */
#ifndef SLUICE_NET_HTTP_FETCH_H
#define SLUICE_NET_HTTP_FETCH_H

#include "base/stop.h"
#include "net/http.h"

/* Send and wait, with a client of its own.  `done` and `ctx` of the request are not used.
 *
 * Shape:   stop may be NULL: nobody asks
 * Owns:    *ret, an answer of any HTTP status; end it with sl_buf_done(&ret->body)
 * Errors:  SL_DISCONNECTED, SL_TIMEOUT, SL_NOMEM (retry)  no answer
 *          SL_STOPPED (stop)  the stop was asked for meanwhile
 * Blocks:  up to timeout_ms of the request
 */
sl_rc sl_http_fetch(const struct sl_http_request *request, const struct sl_stop *stop,
                    struct sl_http_reply *ret, struct sl_err *e) SL_MUST_CHECK;

#endif
