/* net/aws_imds.h - the metadata service of an EC2 instance, version 2: identity and region. */
#ifndef SLUICE_NET_AWS_IMDS_H
#define SLUICE_NET_AWS_IMDS_H

#include "net/aws_search.h"

/* The identity of the instance's role.  Credentials that have expired and are served nevertheless
 * are taken for a while longer: the service behind them has trouble.
 *
 * Owns:    *ret lives in the arena of the search
 * Errors:  SL_CONFIG (stop)        AWS_EC2_METADATA_DISABLED, or the instance has no role
 *          those of sl_aws_ask
 * Source:  https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
 */
sl_rc sl_aws_imds_creds(const struct sl_aws_search *s, struct sl_aws_creds *ret, struct sl_err *e)
    SL_MUST_CHECK;

/* The region of the instance, asked for as its identity.
 * Errors: as sl_aws_imds_creds */
sl_rc sl_aws_imds_region(const struct sl_aws_profiles *p, sl_str *ret, struct sl_err *e)
    SL_MUST_CHECK;

/* Until when credentials that were valid until `expires_at_ms` are used.
 * Units: wall clock; jitter is any number */
int64_t sl_aws_imds_until(int64_t expires_at_ms, int64_t at_ms, uint64_t jitter);

#endif
