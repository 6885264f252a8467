/* net/aws_target.h - where an SQS queue is asked, and as whom. */
#ifndef SLUICE_NET_AWS_TARGET_H
#define SLUICE_NET_AWS_TARGET_H

#include "net/aws_identity.h"

struct sl_aws_target {
    struct sl_aws_identity *identity; /* borrowed */
    sl_str region;                    /* "us-east-1" */
    sl_str endpoint;           /* "https://sqs.us-east-1.amazonaws.com", no slash at the end */
    _Atomic int64_t *ahead_ms; /* the server's clock before ours, as far as it has refused ours;
                                * shared by all copies; NULL = never */
};

/* Find region and endpoint of an SQS queue.
 *
 *     region    configuration, queue URL, AWS_REGION, AWS_DEFAULT_REGION, profile, instance
 *     endpoint  configuration, AWS_ENDPOINT_URL_SQS, AWS_ENDPOINT_URL, profile, the queue URL's
 *
 * Owns:    *ret lives in `a`; its identity is the caller's to set
 * Errors:  SL_CONFIG (stop)  nothing found; says where it looked
 *          SL_NOMEM (retry)
 * Blocks:  on files; up to 8 s where an instance is asked
 */
sl_rc sl_aws_target_find(const struct sl_config *cfg, struct sl_arena *a, struct sl_aws_target *ret,
                         struct sl_err *e) SL_MUST_CHECK;

/* Where the objects of S3 are, for whoever reads the queue of `queue`.
 *
 *     endpoint  AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, profile, else S3 of the queue's region
 *
 * Owns:    *ret lives in `a`, and shares queue's identity
 * Errors:  as sl_aws_target_find
 * Blocks:  on files
 */
sl_rc sl_aws_target_s3(const struct sl_config *cfg, const struct sl_aws_target *queue,
                       struct sl_arena *a, struct sl_aws_target *ret, struct sl_err *e)
    SL_MUST_CHECK;

/* The region in a queue URL's host (sqs.REGION.amazonaws.com and its older forms); "" if none. */
sl_str sl_aws_region_of_url(sl_str url);

#endif
