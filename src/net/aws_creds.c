/* net/aws_creds.c - as whom AWS is called: the places, in order. */
#include "net/aws_creds.h"

#include "net/aws_profile.h"

/* What is being looked for. */
struct finding {
    const struct sl_config *cfg;
    struct sl_arena *arena;
    struct sl_aws_profiles profiles;
    struct sl_aws_creds creds; /* `from` is "" until they are found */
};

/* What the profile asks for in place of keys, NULL if nothing.  A role comes before the keys that
 * stand beside it, the others after, as in the AWS tools. */
static const char *profile_needs(const struct sl_aws_profiles *p, bool has_keys)
{
    static const char *const others[] = {
        "sso_session",        "sso_start_url",           "sso_account_id",
        "credential_process", "web_identity_token_file", "login_session"
    };

    if (sl_aws_profile_get(p, p->name, SL_STR("role_arn")).len > 0) {
        return "role_arn";
    }
    for (size_t i = 0; !has_keys && i < sizeof others / sizeof others[0]; i++) {
        if (sl_aws_profile_get(p, p->name, sl_str_of(others[i])).len > 0) {
            return others[i];
        }
    }
    return NULL;
}

/* Take a key pair, if there is one; half of one is a mistake somebody wants to know about. */
static sl_rc creds_take(struct finding *f, struct sl_aws_creds creds, struct sl_err *e)
{
    if (creds.access_key_id.len == 0 && creds.secret_access_key.len == 0) {
        return SL_OK;
    }
    if (creds.access_key_id.len == 0 || creds.secret_access_key.len == 0) {
        return SL_FAIL(e, SL_CONFIG, "%" SL_FMT " has an AWS %s and no %s", SL_ARG(creds.from),
                       creds.access_key_id.len > 0 ? "access key id" : "secret access key",
                       creds.access_key_id.len > 0 ? "secret access key" : "access key id");
    }
    f->creds = creds;
    return SL_OK;
}

static sl_rc creds_of_profile(struct finding *f, struct sl_err *e)
{
    const struct sl_aws_profiles *p = &f->profiles;
    const struct sl_aws_creds creds = {
        .access_key_id = sl_aws_profile_get(p, p->name, SL_STR("aws_access_key_id")),
        .secret_access_key = sl_aws_profile_get(p, p->name, SL_STR("aws_secret_access_key")),
        .session_token = sl_aws_first(sl_aws_profile_get(p, p->name, SL_STR("aws_session_token")),
                                      sl_aws_profile_get(p, p->name, SL_STR("aws_security_token"))),
        .from = sl_arena_printf(f->arena, "AWS profile %" SL_FMT, SL_ARG(p->name)),
    };
    const char *needs = profile_needs(p, creds.access_key_id.len > 0);

    if (p->is_asked_for && !sl_aws_profile_exists(p, p->name)) {
        return SL_FAIL(e, SL_CONFIG, "there is no AWS profile %" SL_FMT " in %" SL_FMT,
                       SL_ARG(p->name), SL_ARG(sl_aws_profiles_places(p)));
    }
    if (needs != NULL) {
        return SL_FAIL(e, SL_CONFIG,
                       "AWS profile %" SL_FMT " uses %s, which is not supported by this version; "
                       "it may have aws_access_key_id and aws_secret_access_key",
                       SL_ARG(p->name), needs);
    }
    return creds_take(f, creds, e);
}

static sl_rc creds_of_config(struct finding *f, struct sl_err *e)
{
    const struct sl_aws_creds creds = {
        .access_key_id = f->cfg->sqs.access_key_id,
        .secret_access_key = f->cfg->sqs.secret_access_key,
        .session_token = f->cfg->sqs.session_token,
        .from = SL_STR("the configuration"),
    };

    return creds_take(f, creds, e);
}

static sl_rc creds_of_env(struct finding *f, struct sl_err *e)
{
    const struct sl_aws_creds creds = {
        .access_key_id = sl_aws_env("AWS_ACCESS_KEY_ID"),
        .secret_access_key = sl_aws_env("AWS_SECRET_ACCESS_KEY"),
        .session_token =
            sl_aws_first(sl_aws_env("AWS_SESSION_TOKEN"), sl_aws_env("AWS_SECURITY_TOKEN")),
        .from = SL_STR("the environment"),
    };

    return creds_take(f, creds, e);
}

static sl_rc creds_look(struct finding *f, struct sl_err *e)
{
    typedef sl_rc creds_place(struct finding *, struct sl_err *);
    creds_place *const either[] = { creds_of_config, creds_of_profile, creds_of_env };
    creds_place *const usual[] = { creds_of_config, creds_of_env, creds_of_profile };
    creds_place *const *places = f->cfg->sqs.profile.len > 0 ? either : usual;
    const struct sl_aws_profiles *p = &f->profiles;
    const struct sl_aws_creds *creds = &f->creds;

    for (unsigned i = 0; i < 3 && creds->from.len == 0; i++) {
        SL_TRY(places[i](f, e));
    }
    if (creds->from.len == 0) {
        return SL_FAIL(e, SL_CONFIG,
                       "no AWS credentials: not sqs.access_key_id, not AWS_ACCESS_KEY_ID, nor in "
                       "profile %" SL_FMT " of %" SL_FMT,
                       SL_ARG(p->name), SL_ARG(sl_aws_profiles_places(p)));
    }
    if (!sl_aws_is_visible(creds->access_key_id) || !sl_aws_is_visible(creds->secret_access_key) ||
        !sl_aws_is_visible(creds->session_token)) {
        return SL_FAIL(e, SL_CONFIG,
                       "the AWS credentials of %" SL_FMT
                       " have a character that is not visible ASCII",
                       SL_ARG(creds->from));
    }
    return SL_OK;
}

sl_rc sl_aws_creds_find(const struct sl_config *cfg, struct sl_arena *a, struct sl_aws_creds *ret,
                        struct sl_err *e)
{
    struct finding f = { .cfg = cfg, .arena = a };
    sl_str *const kept[] = { &f.creds.access_key_id, &f.creds.secret_access_key,
                             &f.creds.session_token, &f.creds.from };

    SL_TRY(sl_aws_profiles_load(cfg, a, &f.profiles, e));
    SL_TRY(creds_look(&f, e));
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        *kept[i] = sl_arena_copy(a, *kept[i]);
        if (kept[i]->ptr == NULL) {
            return SL_FAIL(e, SL_NOMEM, "memory for the AWS credentials ran out");
        }
    }
    *ret = f.creds;
    return SL_OK;
}
