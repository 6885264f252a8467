/* net/aws_secret.h - a secret of AWS Secrets Manager. */
#ifndef SLUICE_NET_AWS_SECRET_H
#define SLUICE_NET_AWS_SECRET_H

#include "net/aws_service.h"

/* Read the text of a secret as it is now (AWSCURRENT).
 *
 * Shape:   arn of the secret, whose region is asked; `refusal` as in sl_aws_service; appended to
 *          `out`, which the caller wipes
 * Errors:  those of sl_aws_service_open and sl_aws_service_ask; `refusal`  it has no text, but bytes
 * Blocks:  up to 10 s, and as sl_aws_creds_find
 * Source:  https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
 */
sl_rc sl_aws_secret_read(const struct sl_config *cfg, sl_str arn, sl_rc refusal,
                         const struct sl_stop *stop, struct sl_buf *out, struct sl_err *e)
    SL_MUST_CHECK;

#endif
