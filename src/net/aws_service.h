/* net/aws_service.h - another AWS service than the queue's, asked now and then: KMS, Secrets Manager. */
#ifndef SLUICE_NET_AWS_SERVICE_H
#define SLUICE_NET_AWS_SERVICE_H

#include "base/json.h"
#include "net/aws_call.h"

struct sl_aws_service {
    const char *title;    /* "Secrets Manager", for people */
    const char *name;     /* "secretsmanager": in its host, and as signed for */
    const char *id;       /* "secrets_manager": in profiles */
    const char *variable; /* "AWS_ENDPOINT_URL_SECRETS_MANAGER" */
    sl_rc refusal;        /* what the rest is whose cause is neither rights nor an outage */
    struct sl_aws_caller caller;
    struct sl_aws_identity identity;
    _Atomic int64_t ahead_ms;
    const struct sl_stop *stop;
    struct sl_arena arena;
    bool is_open;
};

/* Find as whom a service is asked, and where.
 *
 *     identity  as sl_aws_creds_find, without the role of the configuration: that is the queue's
 *     endpoint  its variable, AWS_ENDPOINT_URL, profile, https://NAME.REGION.amazonaws.com
 *
 * Shape:   the texts and `refusal` are set, the rest is zero; stop may be NULL: nobody asks
 * Owns:    end with sl_aws_service_close, also after a failure
 * Errors:  those of sl_aws_creds_find; SL_CONFIG (stop)  the endpoint is no URL
 * Blocks:  as sl_aws_creds_find
 */
sl_rc sl_aws_service_open(struct sl_aws_service *s, const struct sl_config *cfg, sl_str region,
                          const struct sl_stop *stop, struct sl_err *e) SL_MUST_CHECK;

/* Ask in JSON 1.1 and wait for the answer.
 *
 * Shape:   action is X-Amz-Target: "TrentService.Decrypt"
 * Owns:    *ret, an object, lives in `a`, which wipes it
 * Errors:  SL_DENIED (retry)     no right, wrong credentials, a key that is disabled; said as AWS does
 *          SL_THROTTLED, SL_UNAVAILABLE, SL_DISCONNECTED, SL_TIMEOUT, SL_NOMEM (retry)
 *          `refusal`             everything else: the thing is not there, the text is not its own
 *          SL_STOPPED (stop)     the stop was asked for
 * Blocks:  up to 10 s
 */
sl_rc sl_aws_service_ask(struct sl_aws_service *s, const char *action, sl_str body,
                         struct sl_arena *a, const struct sl_json **ret, struct sl_err *e)
    SL_MUST_CHECK;

/* A text of an answer, "" if there is none. */
sl_str sl_aws_service_text(const struct sl_json *answer, const char *name);

/* Wipe and free.  Takes one that is not open, too. */
void sl_aws_service_close(struct sl_aws_service *s);

#endif
