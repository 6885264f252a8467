/* net/aws_search.h - what every place where credentials may be is asked with.  Only for aws_creds
 * and the places. */
#ifndef SLUICE_NET_AWS_SEARCH_H
#define SLUICE_NET_AWS_SEARCH_H

#include "net/aws_profile.h"
#include "net/aws_sts.h"

struct sl_aws_search {
    const struct sl_config *cfg;
    struct sl_arena *arena;
    struct sl_aws_profiles profiles;
    struct sl_aws_sts sts;
};

/* Take a key pair where there is one.
 *
 * Returns: *ret untouched when there is neither half
 * Errors:  SL_CONFIG (stop)  half of one is a mistake that somebody wants to know about;
 *                            a character that would end a header
 */
sl_rc sl_aws_pair_take(struct sl_aws_creds pair, struct sl_aws_creds *ret, struct sl_err *e)
    SL_MUST_CHECK;

/* The identity of the environment; *ret untouched when it has none.
 * Errors: as sl_aws_pair_take, SL_CONFIG (stop) */
sl_rc sl_aws_env_creds(const struct sl_aws_search *s, struct sl_aws_creds *ret, struct sl_err *e)
    SL_MUST_CHECK;

#endif
