/* source/sqs_call.c - one SQS action, sent and perhaps waited for. */
#include "source/sqs_call.h"

#include <stdio.h>

enum { TARGET_CHARS = 64 };

/* `target` holds the text that the result points to. */
static struct sl_aws_call call_of(struct sl_aws_caller *c, const struct sl_sqs_call *call,
                                  char target[static TARGET_CHARS])
{
    c->service = "sqs";
    (void)snprintf(target, TARGET_CHARS, "AmazonSQS.%s", call->action);
    return (struct sl_aws_call){
        .target = sl_str_of(call->wire->has_target ? target : ""),
        .content_type = call->wire->content_type,
        .body = call->body,
        .wants_query_errors = call->wire->has_target,
        .timeout_ms = call->timeout_ms,
        .reply_max_bytes = call->reply_max_bytes,
        .done = call->done,
        .ctx = call->ctx,
    };
}

sl_rc sl_sqs_call_start(struct sl_aws_caller *c, const struct sl_sqs_call *call, struct sl_err *e)
{
    char target[TARGET_CHARS];
    const struct sl_aws_call aws = call_of(c, call, target);

    return sl_aws_call_start(c, &aws, e);
}

sl_rc sl_sqs_call_wait(struct sl_aws_caller *c, const struct sl_sqs_call *call,
                       struct sl_http_reply *ret, struct sl_err *e)
{
    char target[TARGET_CHARS];
    const struct sl_aws_call aws = call_of(c, call, target);

    return sl_aws_call_wait(c, &aws, ret, e);
}
