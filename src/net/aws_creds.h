/* net/aws_creds.h - SEAM: which AWS identity, region and endpoint to use. */
#ifndef SLUICE_NET_AWS_CREDS_H
#define SLUICE_NET_AWS_CREDS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "config/config.h"

struct sl_aws_creds {
    sl_str access_key_id;
    sl_str secret_access_key;
    sl_str session_token; /* "" for none */
};

/* Where to send, and as whom. */
struct sl_aws_target {
    struct sl_aws_creds creds;
    sl_str region;   /* "us-east-1" */
    sl_str endpoint; /* "https://sqs.us-east-1.amazonaws.com", no slash at the end */
};

/* Find identity, region and endpoint of an SQS queue.
 *
 *     creds     configuration, configured profile, environment, profile of AWS_PROFILE (default)
 *     region    configuration, queue URL, AWS_REGION, AWS_DEFAULT_REGION, profile
 *     endpoint  configuration, AWS_ENDPOINT_URL_SQS, AWS_ENDPOINT_URL, profile, the queue URL's
 *
 * Owns:    *ret lives in `a`
 * Errors:  SL_CONFIG (stop)  nothing found, or a profile that is not there or needs what is not
 *                            supported; says where it looked
 * Source:  https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
 */
sl_rc sl_aws_target_find(const struct sl_config *cfg, struct sl_arena *a, struct sl_aws_target *ret,
                         struct sl_err *e) SL_MUST_CHECK;

/* The region in a queue URL's host (sqs.REGION.amazonaws.com and its older forms); "" if none. */
sl_str sl_aws_region_of_url(sl_str url);

#endif
