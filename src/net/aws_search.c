/* net/aws_search.c - what every place where credentials may be is asked with. */
#include "net/aws_search.h"

sl_rc sl_aws_pair_take(struct sl_aws_creds pair, struct sl_aws_creds *ret, struct sl_err *e)
{
    if (pair.access_key_id.len == 0 && pair.secret_access_key.len == 0) {
        return SL_OK;
    }
    if (pair.access_key_id.len == 0 || pair.secret_access_key.len == 0) {
        return SL_FAIL(e, SL_CONFIG, "%" SL_FMT " has an AWS %s and no %s", SL_ARG(pair.from),
                       pair.access_key_id.len > 0 ? "access key id" : "secret access key",
                       pair.access_key_id.len > 0 ? "secret access key" : "access key id");
    }
    if (!sl_aws_is_visible(pair.access_key_id) || !sl_aws_is_visible(pair.secret_access_key) ||
        !sl_aws_is_visible(pair.session_token)) {
        return SL_FAIL(e, SL_CONFIG,
                       "the AWS credentials of %" SL_FMT
                       " have a character that is not visible ASCII",
                       SL_ARG(pair.from));
    }
    *ret = pair;
    return SL_OK;
}

sl_rc sl_aws_env_creds(const struct sl_aws_search *s, struct sl_aws_creds *ret, struct sl_err *e)
{
    const struct sl_aws_creds pair = {
        .access_key_id = sl_aws_env("AWS_ACCESS_KEY_ID"),
        .secret_access_key = sl_aws_env("AWS_SECRET_ACCESS_KEY"),
        .session_token =
            sl_aws_first(sl_aws_env("AWS_SESSION_TOKEN"), sl_aws_env("AWS_SECURITY_TOKEN")),
        .from = SL_STR("the environment"),
    };

    (void)s;
    return sl_aws_pair_take(pair, ret, e);
}
