/* config/arn.h - the name of something in AWS: arn:PARTITION:SERVICE:REGION:ACCOUNT:NAME; pure. */
#ifndef SLUICE_CONFIG_ARN_H
#define SLUICE_CONFIG_ARN_H

#include "base/str.h"

struct sl_arn {
    sl_str service; /* "kms" */
    sl_str region;  /* a-z 0-9 and dashes */
    sl_str owner;   /* the account, 12 digits */
    sl_str name;    /* not empty, visible ASCII; its form is the service's business */
};

/* Split an ARN that has all of its parts.
 *
 * Owns:    the parts point into `text`
 * Returns: false, leaving *ret alone, when it is none
 * Source:  https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
 */
bool sl_arn_read(sl_str text, struct sl_arn *ret);

#endif
