/* tests/unit/pending.h - a request that was noted where it would have gone out, and is answered by hand. */
#ifndef SLUICE_TESTS_PENDING_H
#define SLUICE_TESTS_PENDING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/json.h"
#include "source/sqs_call.h"

struct pending {
    char action[64];
    char body[8192];
    void (*done)(void *ctx, struct sl_http_reply *reply);
    void *ctx;
    bool is_answered;
};

static inline void pending_note(struct pending *p, const struct sl_sqs_call *call)
{
    assert_true(call->body.len < sizeof p->body);
    *p = (struct pending){ .done = call->done, .ctx = call->ctx };
    (void)snprintf(p->action, sizeof p->action, "%s", call->action);
    (void)snprintf(p->body, sizeof p->body, "%" SL_FMT, SL_ARG(call->body));
}

/* Once, with the rest of the answer as `like` has it. */
static inline void pending_answer(struct pending *p, const struct sl_http_reply *like,
                                  const char *body)
{
    struct sl_http_reply reply = *like;

    assert_false(p->is_answered);
    p->is_answered = true;
    sl_buf_init(&reply.body, 1 << 16);
    sl_buf_add_str(&reply.body, sl_str_of(body));
    assert_non_null(sl_buf_reserve(&reply.body, SL_JSON_PADDING));
    p->done(p->ctx, &reply);
    sl_buf_done(&reply.body);
}

#endif
