/* net/aws_kms.h - AWS's Key Management Service: wrap a master key, and unwrap it. */
#ifndef SLUICE_NET_AWS_KMS_H
#define SLUICE_NET_AWS_KMS_H

#include "net/aws_service.h"

/* Find as whom KMS is asked, and where.
 *
 * Shape:   arn of a key or an alias: its region is asked
 * Owns:    end with sl_aws_service_close, also after a failure
 * Errors:  those of sl_aws_service_open; SL_KEY (stop)  the ARN is not one of KMS
 */
sl_rc sl_aws_kms_open(struct sl_aws_service *kms, const struct sl_config *cfg, sl_str arn,
                      const struct sl_stop *stop, struct sl_err *e) SL_MUST_CHECK;

/* Encrypt, with the encryption context {"sluice": id}.
 *
 * Shape:   plain is base64; what is appended to `out`, the ciphertext, too
 * Errors:  those of sl_aws_service_ask
 * Blocks:  up to 10 s
 * Source:  https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html
 */
sl_rc sl_aws_kms_encrypt(struct sl_aws_service *kms, sl_str arn, sl_str id, sl_str plain,
                         struct sl_buf *out, struct sl_err *e) SL_MUST_CHECK;

/* Decrypt what was encrypted by that very key for that id.
 *
 * Shape:   as sl_aws_kms_encrypt, the other way; the caller wipes `out`
 * Errors:  those of sl_aws_service_ask
 * Source:  https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html
 */
sl_rc sl_aws_kms_decrypt(struct sl_aws_service *kms, sl_str arn, sl_str id, sl_str cipher,
                         struct sl_buf *out, struct sl_err *e) SL_MUST_CHECK;

#endif
