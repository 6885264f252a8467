/* net/aws_sts.h - AWS's Security Token Service: become a role. */
#ifndef SLUICE_NET_AWS_STS_H
#define SLUICE_NET_AWS_STS_H

#include "net/aws_creds.h"

struct sl_aws_role {
    sl_str arn;
    sl_str external_id;  /* "" for none */
    sl_str session_name; /* "" for "sluice" */
    sl_str token_file;   /* of a web identity; "" for none */
    unsigned duration_s; /* 0 = STS's own, an hour */
};

struct sl_aws_sts {
    sl_str region;
    sl_str endpoint;            /* "" for the region's own */
    const struct sl_stop *stop; /* asked: no answer is waited for; NULL: nobody asks */
};

/* Become a role, as somebody who may: AssumeRole.
 *
 * Owns:    *ret lives in `a`
 * Errors:  SL_DENIED (retry)       STS refuses; its error code is said
 *          SL_THROTTLED, SL_UNAVAILABLE, SL_DISCONNECTED, SL_TIMEOUT, SL_NOMEM (retry)
 *          SL_STOPPED (stop)       the stop was asked for
 *          SL_CRYPTO (stop)
 * Blocks:  up to 10 s
 * Source:  https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
 */
sl_rc sl_aws_sts_assume(const struct sl_aws_sts *sts, const struct sl_aws_role *role,
                        const struct sl_aws_creds *as, struct sl_arena *a, struct sl_aws_creds *ret,
                        struct sl_err *e) SL_MUST_CHECK;

/* Become a role by the token in its file, which is read each time, unsigned:
 * AssumeRoleWithWebIdentity.
 *
 * Owns:    *ret lives in `a`
 * Errors:  those of sl_aws_sts_assume; SL_CONFIG (stop)  the file cannot be read, or has no token
 * Blocks:  up to 10 s
 * Source:  https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
 */
sl_rc sl_aws_sts_web_identity(const struct sl_aws_sts *sts, const struct sl_aws_role *role,
                              struct sl_arena *a, struct sl_aws_creds *ret, struct sl_err *e)
    SL_MUST_CHECK;

/* Read an answer of STS to `action`; pure.
 *
 * Owns:    *ret lives in `a`; it has no `from`
 * Errors:  SL_DENIED, SL_THROTTLED, SL_UNAVAILABLE, SL_NOMEM (retry)
 */
sl_rc sl_aws_sts_read(const char *action, int status, sl_str body, struct sl_arena *a,
                      struct sl_aws_creds *ret, struct sl_err *e) SL_MUST_CHECK;

#endif
