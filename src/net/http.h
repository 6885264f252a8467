/* net/http.h - HTTP requests of one worker, side by side, over libcurl multi. */
#ifndef SLUICE_NET_HTTP_H
#define SLUICE_NET_HTTP_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "net/wait.h"

struct sl_http;
struct sl_http_call;

struct sl_http_reply {
    sl_rc rc; /* SL_OK: an answer came, of any status; else SL_DISCONNECTED, SL_TIMEOUT, SL_NOMEM,
               * SL_STOPPED */
    struct sl_err err;  /* when rc is not SL_OK */
    int status;         /* of HTTP */
    struct sl_buf body; /* padded for sl_json_parse; the receiver may keep it, and then zeroes it */
    char date[40];      /* header Date, as it came; see sl_http_server_at_s */
    unsigned retry_after_ms; /* header x-amz-retry-after, 30 s at most; 0 = not said */
    char error_code[96];     /* header x-amzn-query-error, up to ';' */
};

/* The server's clock when it answered, of its header Date.
 * Returns: seconds since 1970; 0 = not said, or no date. */
int64_t sl_http_server_at_s(const struct sl_http_reply *reply);

enum sl_http_method { SL_HTTP_POST, SL_HTTP_GET, SL_HTTP_PUT, SL_HTTP_DELETE };

struct sl_http_request {
    enum sl_http_method method;
    bool is_direct; /* through no proxy, whatever the environment says */
    const char *url;
    const char *const *headers; /* "Name: value", NULL at the end; copied */
    sl_str body;                /* copied; a GET or DELETE has none */
    size_t reply_max_bytes;
    unsigned timeout_ms; /* for the whole of it */

    /* Called once, from sl_http_wait or sl_http_free, never from sl_http_send. */
    void (*done)(void *ctx, struct sl_http_reply *reply);
    void *ctx;
};

/* Errors: SL_NOMEM (retry) */
sl_rc sl_http_new(struct sl_http **ret, struct sl_err *e) SL_MUST_CHECK;

/* Abort what is under way and free; `done` is called with SL_STOPPED and must not send again. */
void sl_http_free(struct sl_http *h);

/* Start a request; redirections are not followed.  TLS certificates are verified; AWS_CA_BUNDLE names another bundle; proxies as in
 * HTTPS_PROXY, NO_PROXY.
 * Errors: SL_NOMEM (retry) */
sl_rc sl_http_send(struct sl_http *h, const struct sl_http_request *request, struct sl_err *e)
    SL_MUST_CHECK;

/* Move all requests forward and wait, as net/wait.h has it. */
short sl_http_wait(struct sl_http *h, int fd, short events, int64_t due_ms);

/* End the worker's wait early.  Threads: any; the only function here that is. */
void sl_http_wake(struct sl_http *h);

#endif
