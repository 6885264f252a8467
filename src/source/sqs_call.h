/* source/sqs_call.h - one SQS action, sent and perhaps waited for. */
#ifndef SLUICE_SOURCE_SQS_CALL_H
#define SLUICE_SOURCE_SQS_CALL_H

#include "net/aws_call.h"
#include "source/sqs_wire.h"

struct sl_sqs_call {
    const struct sl_sqs_wire *wire; /* that wrote the body */
    const char *action;             /* "ReceiveMessage" */
    sl_str body;                    /* copied */
    unsigned timeout_ms;
    size_t reply_max_bytes;

    /* As in sl_http_request; sl_sqs_call_wait has its own. */
    void (*done)(void *ctx, struct sl_http_reply *reply);
    void *ctx;
};

/* As sl_aws_call_start, for the service "sqs". */
sl_rc sl_sqs_call_start(struct sl_aws_caller *c, const struct sl_sqs_call *call, struct sl_err *e)
    SL_MUST_CHECK;

/* As sl_aws_call_wait, for the service "sqs". */
sl_rc sl_sqs_call_wait(struct sl_aws_caller *c, const struct sl_sqs_call *call,
                       struct sl_http_reply *ret, struct sl_err *e) SL_MUST_CHECK;

#endif
