/* net/aws_process.h - the identity that a program prints: credential_process of a profile. */
#ifndef SLUICE_NET_AWS_PROCESS_H
#define SLUICE_NET_AWS_PROCESS_H

#include "net/aws_search.h"

/* Run a program, without a shell, and take what it prints: JSON of Version 1.
 *
 * Shape:   words between blanks; quotes keep blanks in a word
 * Owns:    *ret lives in the arena of the search
 * Errors:  SL_CONFIG (stop)         no words, or a quote that is not closed
 *          SL_UNAVAILABLE (retry)   it cannot be run, fails, or prints no credentials
 *          SL_TIMEOUT (retry)       it took longer than a minute and was killed
 *          SL_NOMEM (retry)
 * Blocks:  up to 60 s
 * Source:  https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
 */
sl_rc sl_aws_process_creds(const struct sl_aws_search *s, sl_str words, struct sl_aws_creds *ret,
                           struct sl_err *e) SL_MUST_CHECK;

#endif
