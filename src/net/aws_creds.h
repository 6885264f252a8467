/* net/aws_creds.h - SEAM: as whom AWS is called, and where that was found. */
#ifndef SLUICE_NET_AWS_CREDS_H
#define SLUICE_NET_AWS_CREDS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/stop.h"
#include "base/str.h"
#include "config/config.h"

struct sl_aws_creds {
    sl_str access_key_id;
    sl_str secret_access_key;
    sl_str session_token;  /* "" for none */
    int64_t expires_at_ms; /* 0 = never */
    sl_str from;           /* "the environment", for people */
};

/* Find an identity: configuration, configured profile, environment, profile of AWS_PROFILE
 * (default), web identity, container, instance; and become the role of the configuration.
 *
 * Shape:   region is that of the queue, for STS; stop may be NULL
 * Owns:    *ret lives in `a`
 * Errors:  SL_CONFIG (stop)  nothing found, or a profile that is not there or needs what is not
 *                            supported; says where it looked
 *          those of sl_aws_sts_assume, where somebody has to be asked
 * Blocks:  on files, and on each that is asked, 10 s
 * Source:  https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
 */
sl_rc sl_aws_creds_find(const struct sl_config *cfg, sl_str region, const struct sl_stop *stop,
                        struct sl_arena *a, struct sl_aws_creds *ret, struct sl_err *e)
    SL_MUST_CHECK;

#endif
