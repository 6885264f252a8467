/* source/s3.h - bodies that are too large for SQS, kept in S3 by the extended client: the message has
 * a pointer,
 *
 *     ["software.amazon.payloadoffloading.PayloadS3Pointer",
 *      {"s3BucketName": "...", "s3Key": "..."}]
 *
 * or the older "com.amazon.sqs.javamessaging.MessageS3Pointer".  Small bodies have none.
 */
#ifndef SLUICE_SOURCE_S3_H
#define SLUICE_SOURCE_S3_H

#include "base/json.h"
#include "net/aws_target.h"
#include "net/http.h"
#include "record/batch.h"

struct sl_s3;

struct sl_s3_settings {
    const struct sl_aws_target *target;
    struct sl_http *http; /* the worker's, whose requests go on in `wait` */
    struct sl_wait wait;
    size_t object_max_bytes;
};

/* What a body points to.
 *
 * Shape:   body is followed by SL_JSON_PADDING readable bytes; *ret_path is "bucket/key", encoded as
 *          in a URL, or "" for a body that is no pointer
 * Owns:    *ret_path lives in `a`
 * Returns: in *ret_reason SL_REASON_BAD_ENVELOPE for a pointer to nowhere
 * Errors:  SL_NOMEM (retry)
 */
sl_rc sl_s3_pointer(struct sl_json_parser *parser, sl_cleartext body, struct sl_arena *a,
                    sl_str *ret_path, enum sl_reason *ret_reason, struct sl_err *e) SL_MUST_CHECK;

/* Make the reader of objects of one worker.
 *
 * Owns:    everything in `settings` is borrowed for as long as it lives
 * Errors:  SL_NOMEM (retry)
 * Threads: one per reader
 */
sl_rc sl_s3_open(const struct sl_s3_settings *settings, struct sl_s3 **ret, struct sl_err *e)
    SL_MUST_CHECK;
void sl_s3_close(struct sl_s3 *s);

/* Fetch what the bodies of a batch point to, several objects at a time, for some seconds: call it
 * again until there is nothing left.
 *
 * Shape:   each record has its object then, or a verdict: there is no such object, it is over
 *          object_max_bytes, or it is refused while others of the batch are given
 * Returns: in *ret_has_more whether some are left
 * Errors:  SL_DISCONNECTED, SL_TIMEOUT, SL_THROTTLED, SL_DENIED, SL_UNAVAILABLE, SL_NOMEM (retry)
 *          some are not fetched: call again
 *          SL_CRYPTO (stop)
 * Blocks:  in the wait, until every request has its answer, 30 s each at most
 */
sl_rc sl_s3_fetch(struct sl_s3 *s, struct sl_batch *b, bool *ret_has_more, struct sl_err *e)
    SL_MUST_CHECK;

/* Delete the objects of those records of a batch that are committed as rows, or were before.  What
 * cannot be deleted is said in the log and stays.
 *
 * Blocks:  as sl_s3_fetch, but for the whole batch
 */
void sl_s3_delete(struct sl_s3 *s, const struct sl_batch *b);

#endif
