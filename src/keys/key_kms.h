/* keys/key_kms.h - a key file whose keys are wrapped by AWS KMS.
 *
 *     kms KEY_ARN                          one such line, before the keys
 *     id state kms:CIPHERTEXT check_value  what `aws kms decrypt` takes, in base64
 *
 * KMS is told {"sluice": id} as encryption context, so a ciphertext is good for its id alone.
 */
#ifndef SLUICE_KEYS_KEY_KMS_H
#define SLUICE_KEYS_KEY_KMS_H

#include "base/buf.h"
#include "base/stop.h"
#include "config/config.h"
#include "keys/keyring.h"

/* What stands before a ciphertext. */
#define SL_KEY_WRAPPED "kms:"

/* Print the text of a ring's key file with all keys wrapped.
 *
 * Shape:   arn of a KMS key or alias; what is destroyed stays `destroyed`
 * Errors:  those of sl_aws_kms_open and sl_aws_kms_encrypt
 * Blocks:  up to 10 s a key
 */
sl_rc sl_key_kms_wrap(const struct sl_keyring *ring, const struct sl_config *cfg, sl_str arn,
                      struct sl_buf *out, struct sl_err *e) SL_MUST_CHECK;

/* Print the text of a key file as it was before it was wrapped, line by line.
 *
 * Shape:   `name` stands for it in messages
 * Owns:    the caller wipes `out`, also after a failure
 * Errors:  SL_KEY (stop)  no `kms` line, or a key that is not wrapped; those of sl_aws_kms_open and
 *                         sl_aws_kms_decrypt.  Each says which line
 * Blocks:  up to 10 s a key
 */
sl_rc sl_key_kms_unwrap(const char *name, sl_str text, const struct sl_config *cfg,
                        const struct sl_stop *stop, struct sl_buf *out, struct sl_err *e)
    SL_MUST_CHECK;

#endif
