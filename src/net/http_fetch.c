/* net/http_fetch.c - one HTTP request and its answer. */
#include "net/http_fetch.h"

#include "base/clock.h"

enum { LOOK_MS = 100 }; /* between two looks at the stop */

struct answer {
    struct sl_http_reply reply;
    bool is_here;
};

static void answer_take(void *ctx, struct sl_http_reply *reply)
{
    struct answer *answer = ctx;

    answer->reply = *reply;
    answer->is_here = true;
    reply->body = (struct sl_buf){ 0 };
}

static bool is_stopping(const struct sl_stop *stop)
{
    return stop != NULL && atomic_load(&stop->is_asked);
}

/* To free the client is to abort what is out: that, too, comes to answer_take. */
sl_rc sl_http_fetch(const struct sl_http_request *request, const struct sl_stop *stop,
                    struct sl_http_reply *ret, struct sl_err *e)
{
    struct answer answer = { 0 };
    struct sl_http_request mine = *request;
    struct sl_http *h = NULL;
    sl_rc rc;

    mine.done = answer_take;
    mine.ctx = &answer;
    SL_TRY(sl_http_new(&h, e));
    rc = sl_http_send(h, &mine, e);
    while (rc == SL_OK && !answer.is_here && !is_stopping(stop)) {
        (void)sl_http_wait(h, -1, 0, sl_clock_now_ms() + LOOK_MS);
    }
    sl_http_free(h);
    if (rc == SL_OK && answer.reply.rc != SL_OK) {
        rc = answer.reply.rc;
        if (e != NULL) {
            *e = answer.reply.err;
        }
    }
    if (rc != SL_OK) {
        sl_buf_done(&answer.reply.body);
        return rc;
    }
    *ret = answer.reply;
    return SL_OK;
}
