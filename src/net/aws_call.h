/* net/aws_call.h - one action of an AWS service as a signed POST, or one object as a signed GET or
 * DELETE: its headers, and waiting for its answer. */
#ifndef SLUICE_NET_AWS_CALL_H
#define SLUICE_NET_AWS_CALL_H

#include "base/err.h"
#include "base/stop.h"
#include "base/str.h"
#include "net/aws_sigv4.h"
#include "net/aws_target.h"
#include "net/http.h"

/* Who calls: one a thread.  `http` and what `target` points to are borrowed. */
struct sl_aws_caller {
    struct sl_http *http;
    struct sl_aws_target target;
    const char *service;     /* as signed for: "sqs", "kms" */
    struct sl_sigv4_key key; /* zeroed at first */
    uint64_t key_of;         /* the number of the snapshot that it was derived from */
};

struct sl_aws_call {
    sl_str target; /* X-Amz-Target: "AmazonSQS.ReceiveMessage"; "" in the Query protocol */
    const char *content_type;
    sl_str path;             /* of an object, behind the endpoint's: "bucket/key", encoded */
    const char *range;       /* of an object, "Range: ...", not signed; NULL deletes it */
    sl_str body;             /* copied */
    bool wants_query_errors; /* the codes of the Query protocol, in a header */
    unsigned timeout_ms;
    size_t reply_max_bytes;

    /* As in sl_http_request; sl_aws_call_wait has its own. */
    void (*done)(void *ctx, struct sl_http_reply *reply);
    void *ctx;
};

/* Sign and start an action; its answer comes through `done`, from a later sl_http_wait.  When the
 * answer says that the credentials are good no more, others are asked for at once.
 *
 * Errors:  SL_CRYPTO (stop)  the signature could not be made
 *          SL_NOMEM (retry)
 *          On failure `done` is not called.
 * Threads: one per caller; Blocks: never
 */
sl_rc sl_aws_call_start(struct sl_aws_caller *c, const struct sl_aws_call *call, struct sl_err *e)
    SL_MUST_CHECK;

/* Start an action and wait for its answer; other requests of the same sl_http go on meanwhile.
 *
 * Owns:    *ret, an answer of any HTTP status; end it with sl_buf_done(&ret->body)
 * Errors:  as sl_aws_call_start, and SL_DISCONNECTED, SL_TIMEOUT, ... (retry) without an answer
 * Threads: one per caller; Blocks: up to timeout_ms of the call
 */
sl_rc sl_aws_call_wait(struct sl_aws_caller *c, const struct sl_aws_call *call,
                       struct sl_http_reply *ret, struct sl_err *e) SL_MUST_CHECK;

/* The same with a client of its own, until a stop is asked for; `http` and `done` are not used.
 *
 * Owns:    *ret, as in sl_aws_call_wait
 * Errors:  as sl_aws_call_start and sl_http_fetch
 * Blocks:  up to timeout_ms of the call
 */
sl_rc sl_aws_call_once(struct sl_aws_caller *c, const struct sl_aws_call *call,
                       const struct sl_stop *stop, struct sl_http_reply *ret, struct sl_err *e)
    SL_MUST_CHECK;

/* After a refusal: take the server's clock (header Date) for ours, from now on and for all copies of
 * the target, if it is a minute or more from the one that requests are signed with.
 *
 * Returns: true when the clock was wrong, so that the call is worth another try
 * Threads: any
 */
bool sl_aws_clock_learn(const struct sl_aws_target *target, int64_t server_at_s);

#endif
