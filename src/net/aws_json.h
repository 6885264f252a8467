/* net/aws_json.h - credentials in JSON, as containers, instances and programs give them; pure. */
#ifndef SLUICE_NET_AWS_JSON_H
#define SLUICE_NET_AWS_JSON_H

#include "net/aws_creds.h"

enum sl_aws_json {
    SL_AWS_JSON_CONTAINER, /* Token, Expiration */
    SL_AWS_JSON_INSTANCE,  /* the same, and Code is Success */
    SL_AWS_JSON_PROCESS,   /* Version is 1; SessionToken and Expiration may be missing */
};

/* Read credentials.
 *
 * Owns:    *ret lives in `a`; it has no `from`
 * Errors:  SL_UNAVAILABLE (retry)  these are none; nothing of the text is said but a Code
 *          SL_NOMEM (retry)
 */
sl_rc sl_aws_json_read(enum sl_aws_json kind, sl_str text, struct sl_arena *a,
                       struct sl_aws_creds *ret, struct sl_err *e) SL_MUST_CHECK;

#endif
