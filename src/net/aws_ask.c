/* net/aws_ask.c - ask somebody near, who hands out credentials. */
#include "net/aws_ask.h"

enum {
    TRY_MS = 2000,
    REPLY_MAX = 64 << 10,
};

static sl_rc status_check(const struct sl_aws_question *q, int status, struct sl_err *e)
{
    if (status == 200 || status == 401 || status == 404) {
        return SL_OK;
    }
    return SL_FAIL(e, status >= 400 && status < 500 && status != 429 ? SL_DENIED : SL_UNAVAILABLE,
                   "%s answers with HTTP %d", q->whom, status);
}

static sl_rc ask_once(const struct sl_aws_question *q, int *ret_status, struct sl_buf *ret,
                      struct sl_err *e)
{
    const char *const headers[] = { q->header.len > 0 ? q->header.ptr : NULL, NULL };
    const struct sl_http_request request = {
        .method = q->method,
        .is_direct = sl_str_starts(q->url, SL_STR("http://")),
        .url = q->url.ptr,
        .headers = headers,
        .reply_max_bytes = REPLY_MAX,
        .timeout_ms = TRY_MS,
    };
    struct sl_http_reply reply = { 0 };
    sl_rc rc = sl_http_fetch(&request, q->stop, &reply, NULL);

    if (rc != SL_OK) {
        return SL_FAIL(e, rc, "no answer from %s: %s", q->whom, sl_rc_text(rc));
    }
    rc = status_check(q, reply.status, e);
    if (rc != SL_OK) {
        sl_buf_done(&reply.body);
        return rc;
    }
    *ret_status = reply.status;
    *ret = reply.body;
    return SL_OK;
}

sl_rc sl_aws_ask(const struct sl_aws_question *q, int *ret_status, struct sl_buf *ret,
                 struct sl_err *e)
{
    sl_rc rc = SL_UNAVAILABLE;

    for (unsigned i = 0; i < q->tries && rc != SL_OK && rc != SL_DENIED && rc != SL_STOPPED; i++) {
        rc = ask_once(q, ret_status, ret, e);
    }
    return rc;
}
