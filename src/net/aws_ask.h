/* net/aws_ask.h - ask somebody near, who hands out credentials: a container's agent, an instance. */
#ifndef SLUICE_NET_AWS_ASK_H
#define SLUICE_NET_AWS_ASK_H

#include "net/http_fetch.h"

struct sl_aws_question {
    enum sl_http_method method;
    sl_str url;       /* with a NUL behind it; never said: it may be a secret itself */
    sl_str header;    /* "Name: value", "" for none */
    unsigned tries;   /* without an answer that is one */
    const char *whom; /* "the container's agent", for people */
    const struct sl_stop *stop;
};

/* Ask, at most 2 seconds a try, through no proxy when the URL is http.
 *
 * Owns:    *ret, 64 KiB at most; end it with sl_buf_done.  The status is 200, 401 or 404
 * Errors:  SL_DENIED (retry)       another status of 4xx
 *          SL_UNAVAILABLE, SL_DISCONNECTED, SL_TIMEOUT, SL_NOMEM (retry)
 *          SL_STOPPED (stop)
 * Blocks:  up to 2 s a try
 */
sl_rc sl_aws_ask(const struct sl_aws_question *q, int *ret_status, struct sl_buf *ret,
                 struct sl_err *e) SL_MUST_CHECK;

#endif
