/* net/aws_rds.h - tokens with which a database of RDS lets an AWS identity in. */
#ifndef SLUICE_NET_AWS_RDS_H
#define SLUICE_NET_AWS_RDS_H

#include "base/buf.h"
#include "net/aws_creds.h"

/* Whom a token is for. */
struct sl_aws_rds {
    sl_str host;
    sl_str port;
    sl_str user; /* of the database */
    sl_str region;
};

/* Make a token: good for 15 minutes, in place of a password.
 *
 *     HOST:PORT/?Action=connect&DBUser=USER&X-Amz-Algorithm=...&X-Amz-Signature=...
 *
 * Owns:    appended to `out`, which the caller wipes
 * Errors:  SL_CRYPTO (stop)
 * Source:  https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html
 *          vectors: tests/unit/test_aws_rds.c
 */
sl_rc sl_aws_rds_token(const struct sl_aws_rds *db, const struct sl_aws_creds *creds, int64_t at_ms,
                       struct sl_buf *out, struct sl_err *e) SL_MUST_CHECK;

/* The region in a host of RDS (NAME.ID.REGION.rds.amazonaws.com); "" if none. */
sl_str sl_aws_rds_region(sl_str host);

/* Find as whom, without the role of the configuration, and make a token of now.  The region is that
 * of the host, else AWS_REGION or AWS_DEFAULT_REGION; db->region is not looked at.
 * Errors:  SL_CONFIG (stop)  no region; those of sl_aws_creds_find and sl_aws_rds_token
 * Blocks:  as sl_aws_creds_find */
sl_rc sl_aws_rds_enter(const struct sl_aws_rds *db, const struct sl_config *cfg,
                       const struct sl_stop *stop, struct sl_buf *out, struct sl_err *e)
    SL_MUST_CHECK;

#endif
