/* net/aws_role.c - the identity of a profile: keys, or a role that others may become. */
#include "net/aws_role.h"

#include "net/aws_container.h"
#include "net/aws_imds.h"
#include "net/aws_process.h"

enum {
    ROLES_MAX = 8,
    DURATION_LEAST_S = 900, /* STS limits */
    DURATION_MOST_S = 43200,
};

/* From the profile to use towards the one that has keys. */
struct walk {
    const struct sl_aws_search *s;
    sl_str name;
    sl_str seen[ROLES_MAX]; /* names of those that were roles */
    struct sl_aws_role roles[ROLES_MAX];
    unsigned n;
    struct sl_aws_creds found; /* `from` is "" until they are */
};

sl_str sl_aws_role_endpoint(const struct sl_aws_profiles *p)
{
    const sl_str endpoint =
        sl_aws_first(sl_aws_env("AWS_ENDPOINT_URL_STS"), sl_aws_env("AWS_ENDPOINT_URL"));
    sl_str found = sl_aws_first(endpoint, sl_aws_profile_endpoint(p, "sts"));

    while (found.len > 0 && found.ptr[found.len - 1] == '/') {
        found.len--;
    }
    return found;
}

static sl_str value_of(const struct walk *w, const char *key)
{
    return sl_aws_profile_get(&w->s->profiles, w->name, sl_str_of(key));
}

static sl_rc own_keys(struct walk *w, struct sl_err *e)
{
    const struct sl_aws_creds pair = {
        .access_key_id = value_of(w, "aws_access_key_id"),
        .secret_access_key = value_of(w, "aws_secret_access_key"),
        .session_token =
            sl_aws_first(value_of(w, "aws_session_token"), value_of(w, "aws_security_token")),
        .from = sl_arena_printf(w->s->arena, "AWS profile %" SL_FMT, SL_ARG(w->name)),
    };

    return sl_aws_pair_take(pair, &w->found, e);
}

/* ---- a profile without a role ------------------------------------------------------------------- */

static sl_rc sso_refuse(const struct walk *w, struct sl_err *e)
{
    static const char *const keys[] = { "sso_session", "sso_start_url", "sso_account_id",
                                        "login_session" };

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (value_of(w, keys[i]).len > 0) {
            return SL_FAIL(e, SL_CONFIG,
                           "AWS profile %" SL_FMT
                           " uses %s, which needs a browser; make a profile with "
                           "credential_process = aws configure export-credentials --profile "
                           "%" SL_FMT,
                           SL_ARG(w->name), keys[i], SL_ARG(w->name));
        }
    }
    return SL_OK;
}

static sl_rc profile_end(struct walk *w, struct sl_err *e)
{
    const sl_str process = value_of(w, "credential_process");

    SL_TRY(own_keys(w, e));
    if (w->found.from.len == 0 && process.len > 0) {
        return sl_aws_process_creds(w->s, process, &w->found, e);
    }
    if (w->found.from.len == 0) {
        SL_TRY(sso_refuse(w, e));
    }
    if (w->found.from.len == 0 && w->n > 0) {
        return SL_FAIL(e, SL_CONFIG,
                       "AWS profile %" SL_FMT ", the source of %" SL_FMT ", has no credentials",
                       SL_ARG(w->name), SL_ARG(w->seen[w->n - 1]));
    }
    return SL_OK;
}

/* ---- a profile with one --------------------------------------------------------------------------- */

static sl_rc role_read(const struct walk *w, struct sl_aws_role *ret, struct sl_err *e)
{
    const sl_str duration = value_of(w, "duration_seconds");
    int64_t seconds = 0;

    *ret = (struct sl_aws_role){
        .arn = value_of(w, "role_arn"),
        .external_id = value_of(w, "external_id"),
        .session_name =
            sl_aws_first(value_of(w, "role_session_name"), sl_aws_env("AWS_ROLE_SESSION_NAME")),
        .token_file = value_of(w, "web_identity_token_file"),
    };
    if (value_of(w, "mfa_serial").len > 0) {
        return SL_FAIL(e, SL_CONFIG,
                       "AWS profile %" SL_FMT
                       " uses mfa_serial: nobody is there to type a code; let a role be assumed "
                       "without one, or use credential_process",
                       SL_ARG(w->name));
    }
    if (duration.len > 0 && (!sl_str_to_i64(duration, &seconds) || seconds < DURATION_LEAST_S ||
                             seconds > DURATION_MOST_S)) {
        return SL_FAIL(e, SL_CONFIG, "AWS profile %" SL_FMT ": duration_seconds is %d to %d",
                       SL_ARG(w->name), DURATION_LEAST_S, DURATION_MOST_S);
    }
    ret->duration_s = (unsigned)seconds;
    return SL_OK;
}

/* Who may become this role is none of the profiles. */
static sl_rc source_ask(struct walk *w, sl_str source, struct sl_err *e)
{
    static const struct {
        const char *name;
        sl_rc (*creds)(const struct sl_aws_search *, struct sl_aws_creds *, struct sl_err *);
    } sources[] = {
        { "Environment", sl_aws_env_creds },
        { "EcsContainer", sl_aws_container_creds },
        { "Ec2InstanceMetadata", sl_aws_imds_creds },
    };

    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        if (sl_str_eq(source, sl_str_of(sources[i].name))) {
            SL_TRY(sources[i].creds(w->s, &w->found, e));
            return w->found.from.len > 0
                       ? SL_OK
                       : SL_FAIL(e, SL_CONFIG,
                                 "credential_source of AWS profile %" SL_FMT " is %" SL_FMT
                                 ", where there are no credentials",
                                 SL_ARG(w->name), SL_ARG(source));
        }
    }
    return SL_FAIL(e, SL_CONFIG,
                   "credential_source of AWS profile %" SL_FMT
                   " is Environment, EcsContainer or Ec2InstanceMetadata",
                   SL_ARG(w->name));
}

/* Go to the profile that may become this role; a role may name itself, for the keys beside it. */
static sl_rc source_enter(struct walk *w, sl_str source, struct sl_err *e)
{
    if (sl_str_eq(source, w->name)) {
        return profile_end(w, e);
    }
    for (unsigned i = 0; i < w->n; i++) {
        if (sl_str_eq(w->seen[i], source)) {
            return SL_FAIL(e, SL_CONFIG,
                           "AWS profiles are a circle: source_profile of %" SL_FMT " is %" SL_FMT,
                           SL_ARG(w->name), SL_ARG(source));
        }
    }
    if (!sl_aws_profile_exists(&w->s->profiles, source)) {
        return SL_FAIL(
            e, SL_CONFIG,
            "there is no AWS profile %" SL_FMT ", the source of %" SL_FMT ", in %" SL_FMT,
            SL_ARG(source), SL_ARG(w->name), SL_ARG(sl_aws_profiles_places(&w->s->profiles)));
    }
    w->name = source;
    return SL_OK;
}

static sl_rc role_enter(struct walk *w, struct sl_err *e)
{
    const sl_str source = value_of(w, "source_profile");
    const sl_str place = value_of(w, "credential_source");
    struct sl_aws_role role;

    SL_TRY(role_read(w, &role, e));
    if (role.token_file.len > 0) {
        return sl_aws_sts_web_identity(&w->s->sts, &role, w->s->arena, &w->found, e);
    }
    if (w->n == ROLES_MAX) {
        return SL_FAIL(e, SL_CONFIG, "more than %d AWS roles, one by the other", ROLES_MAX);
    }
    w->seen[w->n] = w->name;
    w->roles[w->n++] = role;
    if ((source.len == 0) == (place.len == 0)) {
        return SL_FAIL(e, SL_CONFIG,
                       "AWS profile %" SL_FMT " has role_arn and %s: who is to become it",
                       SL_ARG(w->name),
                       source.len > 0 ? "both source_profile and credential_source"
                                      : "no source_profile, credential_source or "
                                        "web_identity_token_file");
    }
    return source.len > 0 ? source_enter(w, source, e) : source_ask(w, place, e);
}

/* A role comes before the keys that stand beside it in the profile to use; in a source, after. */
static sl_rc walk_step(struct walk *w, struct sl_err *e)
{
    if (w->n > 0) {
        SL_TRY(own_keys(w, e));
    }
    if (w->found.from.len > 0) {
        return SL_OK;
    }
    return value_of(w, "role_arn").len > 0 ? role_enter(w, e) : profile_end(w, e);
}

sl_rc sl_aws_profile_creds(const struct sl_aws_search *s, struct sl_aws_creds *ret,
                           struct sl_err *e)
{
    struct walk w = { .s = s, .name = s->profiles.name };
    sl_str before = { 0 };

    if (s->profiles.is_asked_for && !sl_aws_profile_exists(&s->profiles, w.name)) {
        return SL_FAIL(e, SL_CONFIG, "there is no AWS profile %" SL_FMT " in %" SL_FMT,
                       SL_ARG(w.name), SL_ARG(sl_aws_profiles_places(&s->profiles)));
    }
    while (w.found.from.len == 0 && !sl_str_eq(before, w.name)) {
        before = w.name;
        SL_TRY(walk_step(&w, e));
    }
    while (w.n > 0) {
        const struct sl_aws_creds as = w.found;

        w.n--;
        SL_TRY(sl_aws_sts_assume(&s->sts, &w.roles[w.n], &as, s->arena, &w.found, e));
    }
    if (w.found.from.len > 0) {
        *ret = w.found;
    }
    return SL_OK;
}
