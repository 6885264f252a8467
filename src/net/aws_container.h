/* net/aws_container.h - the identity that a container is given: ECS, EKS Pod Identity. */
#ifndef SLUICE_NET_AWS_CONTAINER_H
#define SLUICE_NET_AWS_CONTAINER_H

#include "net/aws_search.h"

/* The identity of AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or ..._FULL_URI; the token of
 * AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE is read each time, else ..._TOKEN is shown.
 *
 * Owns:    *ret lives in the arena of the search; untouched when there is no such variable
 * Errors:  SL_CONFIG (stop)  a URL that is not near enough for a token, a token that is none
 *          those of sl_aws_ask
 * Source:  https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
 */
sl_rc sl_aws_container_creds(const struct sl_aws_search *s, struct sl_aws_creds *ret,
                             struct sl_err *e) SL_MUST_CHECK;

/* Whether credentials may be asked for there: https, or http to this machine or one of the
 * addresses that AWS has for that. */
bool sl_aws_container_url_is_near(sl_str url);

#endif
