/* net/aws_role.h - the identity of a profile: keys, or a role that others may become.  Only for
 * aws_creds. */
#ifndef SLUICE_NET_AWS_ROLE_H
#define SLUICE_NET_AWS_ROLE_H

#include "net/aws_search.h"

/* The endpoint of STS as environment or profile have it, "" for the region's own. */
sl_str sl_aws_role_endpoint(const struct sl_aws_profiles *p);

/* The identity of the profile to use.
 *
 * Owns:    *ret lives in the arena of the search; untouched when the profile has none
 * Errors:  SL_CONFIG (stop)  it is not there although it was asked for, makes a circle, or asks for
 *                            what cannot be done here
 *          those of sl_aws_sts_assume and sl_aws_sts_web_identity
 * Source:  https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html
 */
sl_rc sl_aws_profile_creds(const struct sl_aws_search *s, struct sl_aws_creds *ret,
                           struct sl_err *e) SL_MUST_CHECK;

#endif
