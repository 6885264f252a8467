/* net/aws_creds.c - as whom AWS is called: the places, in order. */
#include "net/aws_creds.h"

#include "net/aws_container.h"
#include "net/aws_imds.h"
#include "net/aws_role.h"

/* Each place leaves *ret alone when it has nothing. */
typedef sl_rc creds_place(const struct sl_aws_search *, struct sl_aws_creds *, struct sl_err *);

static sl_rc creds_of_config(const struct sl_aws_search *s, struct sl_aws_creds *ret,
                             struct sl_err *e)
{
    const struct sl_aws_creds pair = {
        .access_key_id = s->cfg->sqs.access_key_id,
        .secret_access_key = s->cfg->sqs.secret_access_key,
        .session_token = s->cfg->sqs.session_token,
        .from = SL_STR("the configuration"),
    };

    return sl_aws_pair_take(pair, ret, e);
}

static sl_rc creds_of_web_identity(const struct sl_aws_search *s, struct sl_aws_creds *ret,
                                   struct sl_err *e)
{
    const struct sl_aws_role role = {
        .arn = sl_aws_env("AWS_ROLE_ARN"),
        .session_name = sl_aws_env("AWS_ROLE_SESSION_NAME"),
        .token_file = sl_aws_env("AWS_WEB_IDENTITY_TOKEN_FILE"),
    };

    if (role.token_file.len == 0) {
        return SL_OK;
    }
    if (role.arn.len == 0) {
        return SL_FAIL(e, SL_CONFIG, "AWS_WEB_IDENTITY_TOKEN_FILE needs AWS_ROLE_ARN, too");
    }
    return sl_aws_sts_web_identity(&s->sts, &role, s->arena, ret, e);
}

/* The last place.  Where nobody answers there is no instance: then it is told where all was looked
 * for.  An instance that has trouble is another matter. */
static sl_rc creds_of_instance(const struct sl_aws_search *s, struct sl_aws_creds *ret,
                               struct sl_err *e)
{
    struct sl_err why = { 0 };
    const sl_rc rc = sl_aws_imds_creds(s, ret, &why);

    if (rc == SL_CONFIG || rc == SL_DISCONNECTED || rc == SL_TIMEOUT) {
        return SL_FAIL(e, SL_CONFIG,
                       "no AWS credentials: not sqs.access_key_id, not AWS_ACCESS_KEY_ID, not in "
                       "profile %" SL_FMT " of %" SL_FMT ", no AWS_WEB_IDENTITY_TOKEN_FILE, no "
                       "AWS_CONTAINER_CREDENTIALS_FULL_URI, and not of an instance (%.200s)",
                       SL_ARG(s->profiles.name), SL_ARG(sl_aws_profiles_places(&s->profiles)),
                       why.msg);
    }
    if (rc != SL_OK && e != NULL) {
        *e = why;
    }
    return rc;
}

/* A profile that the configuration names comes before the environment. */
static sl_rc creds_look(const struct sl_aws_search *s, struct sl_aws_creds *ret, struct sl_err *e)
{
    const bool is_named = s->cfg->sqs.profile.len > 0;
    creds_place *const places[] = {
        creds_of_config,
        is_named ? sl_aws_profile_creds : sl_aws_env_creds,
        is_named ? sl_aws_env_creds : sl_aws_profile_creds,
        creds_of_web_identity,
        sl_aws_container_creds,
        creds_of_instance,
    };

    for (unsigned i = 0; i < sizeof places / sizeof places[0] && ret->from.len == 0; i++) {
        SL_TRY(places[i](s, ret, e));
    }
    return SL_OK;
}

/* The role of the configuration, on top of whoever was found. */
static sl_rc role_become(const struct sl_aws_search *s, struct sl_aws_creds *creds,
                         struct sl_err *e)
{
    const struct sl_aws_creds as = *creds;
    const struct sl_aws_role role = {
        .arn = s->cfg->sqs.role_arn,
        .external_id = s->cfg->sqs.external_id,
        .session_name = s->cfg->sqs.role_session_name,
    };

    if (role.arn.len == 0) {
        return SL_OK;
    }
    return sl_aws_sts_assume(&s->sts, &role, &as, s->arena, creds, e);
}

sl_rc sl_aws_creds_find(const struct sl_config *cfg, sl_str region, const struct sl_stop *stop,
                        struct sl_arena *a, struct sl_aws_creds *ret, struct sl_err *e)
{
    struct sl_aws_search s = { .cfg = cfg, .arena = a, .sts = { .region = region, .stop = stop } };
    struct sl_aws_creds creds = { 0 };
    sl_str *const kept[] = { &creds.access_key_id, &creds.secret_access_key, &creds.session_token,
                             &creds.from };

    SL_TRY(sl_aws_profiles_load(cfg, a, &s.profiles, e));
    s.sts.endpoint = sl_aws_role_endpoint(&s.profiles);
    SL_TRY(creds_look(&s, &creds, e));
    SL_TRY(role_become(&s, &creds, e));
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        *kept[i] = sl_arena_copy(a, *kept[i]);
        if (kept[i]->ptr == NULL) {
            return SL_FAIL(e, SL_NOMEM, "memory for the AWS credentials ran out");
        }
    }
    *ret = creds;
    return SL_OK;
}
