/* net/aws_creds.c - which AWS identity, region and endpoint to use. */
#include "net/aws_creds.h"

#include <stdlib.h>

#include "net/ini.h"

/* A profile as its two files have it; `credentials` comes before `config`. */
struct profile {
    sl_str name;
    bool is_asked_for; /* by name, in the configuration or AWS_PROFILE */
    sl_str credentials_file;
    sl_str config_file;
    struct sl_ini credentials;
    struct sl_ini config;
    sl_str config_section;
};

/* What is being put together; its texts are copied into the arena at the end. */
struct finding {
    const struct sl_config *cfg;
    struct sl_arena *arena;
    struct profile profile;
    struct sl_aws_target target;
    const char *creds_from; /* for reports */
};

static sl_str env(const char *name)
{
    return sl_str_trim(sl_str_of(getenv(name)));
}

static sl_str first_of(sl_str a, sl_str b)
{
    return a.len > 0 ? a : b;
}

/* -------------------------------------------------------------------- region */

/* "us-east-1", "us-gov-west-1": words and a number, parted by at least two dashes. */
static bool is_region(sl_str s)
{
    unsigned dashes = 0;

    if (s.len == 0 || s.ptr[s.len - 1] < '0' || s.ptr[s.len - 1] > '9') {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        const char c = s.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) {
            return false;
        }
        dashes += c == '-';
    }
    return dashes >= 2;
}

/* Host and port: what stands behind "://", up to the path. */
static sl_str host_of(sl_str url)
{
    const char *at = url.len == 0 ? NULL : memmem(url.ptr, url.len, "://", 3);

    if (at == NULL) {
        return (sl_str){ 0 };
    }
    url = (sl_str){ at + 3, url.len - (size_t)(at + 3 - url.ptr) };
    return sl_str_cut(&url, '/');
}

sl_str sl_aws_region_of_url(sl_str url)
{
    sl_str rest = host_of(url);
    const sl_str host = sl_str_cut(&rest, ':');
    sl_str before = { 0 };

    if (sl_str_eq(host, SL_STR("queue.amazonaws.com")) ||
        sl_str_eq(host, SL_STR("sqs.amazonaws.com"))) {
        return SL_STR("us-east-1");
    }
    rest = host;
    while (rest.len > 0) {
        const sl_str label = sl_str_cut(&rest, '.');
        const bool is_sqs =
            sl_str_eq(before, SL_STR("sqs")) || sl_str_eq(before, SL_STR("sqs-fips"));

        if (is_sqs && is_region(label)) {
            return label;
        }
        if (sl_str_eq(label, SL_STR("queue")) && is_region(before)) {
            return before;
        }
        before = label;
    }
    return (sl_str){ 0 };
}

/* ------------------------------------------------------------------- profile */

/* The path that a variable names, or `name` in ~/.aws; with a NUL behind it. */
static sl_str profile_file(struct sl_arena *a, const char *variable, const char *name)
{
    const sl_str home = env("HOME");
    const sl_str named = env(variable);

    if (named.len == 0) {
        return sl_arena_printf(a, "%" SL_FMT "/.aws/%s", SL_ARG(home), name);
    }
    if (sl_str_starts(named, SL_STR("~/"))) {
        return sl_arena_printf(a, "%" SL_FMT "%" SL_FMT, SL_ARG(home),
                               SL_ARG(((sl_str){ named.ptr + 1, named.len - 1 })));
    }
    return sl_arena_copy(a, named);
}

static sl_rc profile_load(const struct sl_config *cfg, struct sl_arena *a, struct profile *p,
                          struct sl_err *e)
{
    const sl_str asked =
        first_of(first_of(cfg->sqs.profile, env("AWS_PROFILE")), env("AWS_DEFAULT_PROFILE"));
    sl_str section;

    p->is_asked_for = asked.len > 0;
    p->name = first_of(asked, SL_STR("default"));
    p->credentials_file = profile_file(a, "AWS_SHARED_CREDENTIALS_FILE", "credentials");
    p->config_file = profile_file(a, "AWS_CONFIG_FILE", "config");
    section = sl_arena_printf(a, "profile %" SL_FMT, SL_ARG(p->name));
    if (p->credentials_file.ptr == NULL || p->config_file.ptr == NULL || section.ptr == NULL) {
        return SL_FAIL(e, SL_NOMEM, "memory for the AWS profile ran out");
    }
    SL_TRY(sl_ini_load(p->credentials_file.ptr, a, &p->credentials, e));
    SL_TRY(sl_ini_load(p->config_file.ptr, a, &p->config, e));
    if (sl_str_eq(p->name, SL_STR("default")) && !sl_ini_has(&p->config, section)) {
        section = p->name;
    }
    p->config_section = section;
    return SL_OK;
}

static bool profile_exists(const struct profile *p)
{
    return sl_ini_has(&p->credentials, p->name) || sl_ini_has(&p->config, p->config_section);
}

static sl_str profile_get(const struct profile *p, sl_str key)
{
    return first_of(sl_ini_get(&p->credentials, p->name, key),
                    sl_ini_get(&p->config, p->config_section, key));
}

/* Endpoints: of the service in the profile's [services] section, then of the profile. */
static sl_str profile_endpoint(const struct profile *p, struct sl_arena *a)
{
    const sl_str services = profile_get(p, SL_STR("services"));
    sl_str endpoint = { 0 };

    if (services.len > 0) {
        endpoint = sl_ini_get(&p->config, sl_arena_printf(a, "services %" SL_FMT, SL_ARG(services)),
                              SL_STR("sqs.endpoint_url"));
    }
    return first_of(endpoint, profile_get(p, SL_STR("endpoint_url")));
}

/* " (permission denied)" behind the name of a file that is there and cannot be read. */
static sl_str file_text(struct sl_arena *a, sl_str file, const struct sl_ini *ini)
{
    if (ini->error == 0) {
        return file;
    }
    return sl_arena_printf(a, "%" SL_FMT " (%s)", SL_ARG(file), strerrordesc_np(ini->error));
}

/* What the profile asks for in place of keys, NULL if nothing.  A role comes before the keys that
 * stand beside it, the others after, as in the AWS tools. */
static const char *profile_needs(const struct profile *p, bool has_keys)
{
    static const char *const others[] = {
        "sso_session",        "sso_start_url",           "sso_account_id",
        "credential_process", "web_identity_token_file", "login_session"
    };

    if (profile_get(p, SL_STR("role_arn")).len > 0) {
        return "role_arn";
    }
    for (size_t i = 0; !has_keys && i < sizeof others / sizeof others[0]; i++) {
        if (profile_get(p, sl_str_of(others[i])).len > 0) {
            return others[i];
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- credentials */

/* Take a key pair, if there is one; half of one is a mistake somebody wants to know about. */
static sl_rc creds_take(struct finding *f, struct sl_aws_creds creds, const char *from,
                        struct sl_err *e)
{
    if (creds.access_key_id.len == 0 && creds.secret_access_key.len == 0) {
        return SL_OK;
    }
    if (creds.access_key_id.len == 0 || creds.secret_access_key.len == 0) {
        return SL_FAIL(e, SL_CONFIG, "%s has an AWS %s and no %s", from,
                       creds.access_key_id.len > 0 ? "access key id" : "secret access key",
                       creds.access_key_id.len > 0 ? "secret access key" : "access key id");
    }
    f->target.creds = creds;
    f->creds_from = from;
    return SL_OK;
}

static sl_rc creds_of_profile(struct finding *f, struct sl_err *e)
{
    const struct profile *p = &f->profile;
    const struct sl_aws_creds creds = {
        .access_key_id = profile_get(p, SL_STR("aws_access_key_id")),
        .secret_access_key = profile_get(p, SL_STR("aws_secret_access_key")),
        .session_token = first_of(profile_get(p, SL_STR("aws_session_token")),
                                  profile_get(p, SL_STR("aws_security_token"))),
    };
    const char *needs = profile_needs(p, creds.access_key_id.len > 0);
    sl_str from;

    if (p->is_asked_for && !profile_exists(p)) {
        return SL_FAIL(
            e, SL_CONFIG, "there is no AWS profile %" SL_FMT " in %" SL_FMT " or %" SL_FMT,
            SL_ARG(p->name), SL_ARG(file_text(f->arena, p->credentials_file, &p->credentials)),
            SL_ARG(file_text(f->arena, p->config_file, &p->config)));
    }
    if (needs != NULL) {
        return SL_FAIL(e, SL_CONFIG,
                       "AWS profile %" SL_FMT " uses %s, which is not supported by this version; "
                       "it may have aws_access_key_id and aws_secret_access_key",
                       SL_ARG(p->name), needs);
    }
    from = sl_arena_printf(f->arena, "AWS profile %" SL_FMT, SL_ARG(p->name));
    return creds_take(f, creds, from.ptr != NULL ? from.ptr : "the AWS profile", e);
}

static sl_rc creds_of_config(struct finding *f, struct sl_err *e)
{
    const struct sl_aws_creds creds = {
        .access_key_id = f->cfg->sqs.access_key_id,
        .secret_access_key = f->cfg->sqs.secret_access_key,
        .session_token = f->cfg->sqs.session_token,
    };

    return creds_take(f, creds, "the configuration", e);
}

static sl_rc creds_of_env(struct finding *f, struct sl_err *e)
{
    const struct sl_aws_creds creds = {
        .access_key_id = env("AWS_ACCESS_KEY_ID"),
        .secret_access_key = env("AWS_SECRET_ACCESS_KEY"),
        .session_token = first_of(env("AWS_SESSION_TOKEN"), env("AWS_SECURITY_TOKEN")),
    };

    return creds_take(f, creds, "the environment", e);
}

/* They become parts of headers: a line break in one would begin another. */
static bool is_visible(sl_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] <= ' ' || s.ptr[i] > '~') {
            return false;
        }
    }
    return true;
}

static sl_rc creds_find(struct finding *f, struct sl_err *e)
{
    typedef sl_rc creds_place(struct finding *, struct sl_err *);
    creds_place *const either[] = { creds_of_config, creds_of_profile, creds_of_env };
    creds_place *const usual[] = { creds_of_config, creds_of_env, creds_of_profile };
    creds_place *const *places = f->cfg->sqs.profile.len > 0 ? either : usual;
    const struct profile *p = &f->profile;
    const struct sl_aws_creds *creds = &f->target.creds;

    for (unsigned i = 0; i < 3 && f->creds_from == NULL; i++) {
        SL_TRY(places[i](f, e));
    }
    if (f->creds_from == NULL) {
        return SL_FAIL(e, SL_CONFIG,
                       "no AWS credentials: not sqs.access_key_id, not AWS_ACCESS_KEY_ID, nor in "
                       "profile %" SL_FMT " of %" SL_FMT " or %" SL_FMT,
                       SL_ARG(p->name),
                       SL_ARG(file_text(f->arena, p->credentials_file, &p->credentials)),
                       SL_ARG(file_text(f->arena, p->config_file, &p->config)));
    }
    if (!is_visible(creds->access_key_id) || !is_visible(creds->secret_access_key) ||
        !is_visible(creds->session_token)) {
        return SL_FAIL(e, SL_CONFIG,
                       "the AWS credentials of %s have a character that is not visible ASCII",
                       f->creds_from);
    }
    return SL_OK;
}

/* --------------------------------------------------------- region and endpoint */

static sl_rc region_find(struct finding *f, struct sl_err *e)
{
    const struct profile *p = &f->profile;
    sl_str region = first_of(f->cfg->sqs.region, sl_aws_region_of_url(f->cfg->sqs.queue_url));

    region = first_of(region, env("AWS_REGION"));
    region = first_of(region, env("AWS_DEFAULT_REGION"));
    region = first_of(region, profile_get(p, SL_STR("region")));
    if (region.len == 0) {
        return SL_FAIL(e, SL_CONFIG,
                       "no AWS region: not sqs.region, not in the queue URL, not AWS_REGION or "
                       "AWS_DEFAULT_REGION, nor in profile %" SL_FMT " of %" SL_FMT " or %" SL_FMT,
                       SL_ARG(p->name), SL_ARG(file_text(f->arena, p->config_file, &p->config)),
                       SL_ARG(file_text(f->arena, p->credentials_file, &p->credentials)));
    }
    if (!is_visible(region)) {
        return SL_FAIL(e, SL_CONFIG, "AWS region \"%" SL_FMT "\" is not one", SL_ARG(region));
    }
    f->target.region = region;
    return SL_OK;
}

/* Scheme and host of a URL; "" when it is none. */
static sl_str origin_of(sl_str url)
{
    const sl_str host = host_of(url);

    return host.len == 0 ? host : (sl_str){ url.ptr, (size_t)(host.ptr + host.len - url.ptr) };
}

static sl_rc endpoint_find(struct finding *f, struct sl_err *e)
{
    sl_str endpoint = first_of(f->cfg->sqs.endpoint, env("AWS_ENDPOINT_URL_SQS"));
    bool is_http;

    endpoint = first_of(endpoint, env("AWS_ENDPOINT_URL"));
    endpoint = first_of(endpoint, profile_endpoint(&f->profile, f->arena));
    endpoint = first_of(endpoint, origin_of(f->cfg->sqs.queue_url));
    while (endpoint.len > 0 && endpoint.ptr[endpoint.len - 1] == '/') {
        endpoint.len--;
    }
    is_http =
        sl_str_starts(endpoint, SL_STR("http://")) || sl_str_starts(endpoint, SL_STR("https://"));
    if (!is_http || host_of(endpoint).len == 0 || !is_visible(endpoint)) {
        return SL_FAIL(e, SL_CONFIG, "SQS endpoint \"%" SL_FMT "\" is not an http or https URL",
                       SL_ARG(endpoint));
    }
    f->target.endpoint = endpoint;
    return SL_OK;
}

sl_rc sl_aws_target_find(const struct sl_config *cfg, struct sl_arena *a, struct sl_aws_target *ret,
                         struct sl_err *e)
{
    struct finding f = { .cfg = cfg, .arena = a };
    sl_str *const kept[] = { &f.target.creds.access_key_id, &f.target.creds.secret_access_key,
                             &f.target.creds.session_token, &f.target.region, &f.target.endpoint };

    SL_TRY(profile_load(cfg, a, &f.profile, e));
    SL_TRY(creds_find(&f, e));
    SL_TRY(region_find(&f, e));
    SL_TRY(endpoint_find(&f, e));
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        *kept[i] = sl_arena_copy(a, *kept[i]);
        if (kept[i]->ptr == NULL) {
            return SL_FAIL(e, SL_NOMEM, "memory for the AWS credentials ran out");
        }
    }
    *ret = f.target;
    return SL_OK;
}
