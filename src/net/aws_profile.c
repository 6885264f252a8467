/* net/aws_profile.c - the profiles of AWS as their two files have them, and its environment. */
#include "net/aws_profile.h"

#include <stdlib.h>

sl_str sl_aws_env(const char *name)
{
    return sl_str_trim(sl_str_of(getenv(name)));
}

bool sl_aws_is_visible(sl_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] <= ' ' || s.ptr[i] > '~') {
            return false;
        }
    }
    return true;
}

/* The path that a variable names, or `name` in ~/.aws; with a NUL behind it. */
static sl_str profile_file(struct sl_arena *a, const char *variable, const char *name)
{
    const sl_str home = sl_aws_env("HOME");
    const sl_str named = sl_aws_env(variable);

    if (named.len == 0) {
        return sl_arena_printf(a, "%" SL_FMT "/.aws/%s", SL_ARG(home), name);
    }
    if (sl_str_starts(named, SL_STR("~/"))) {
        return sl_arena_printf(a, "%" SL_FMT "%" SL_FMT, SL_ARG(home),
                               SL_ARG(((sl_str){ named.ptr + 1, named.len - 1 })));
    }
    return sl_arena_copy(a, named);
}

sl_rc sl_aws_profiles_load(const struct sl_config *cfg, struct sl_arena *a,
                           struct sl_aws_profiles *ret, struct sl_err *e)
{
    const sl_str asked = sl_aws_first(sl_aws_first(cfg->sqs.profile, sl_aws_env("AWS_PROFILE")),
                                      sl_aws_env("AWS_DEFAULT_PROFILE"));
    struct sl_aws_profiles p = {
        .name = sl_aws_first(asked, SL_STR("default")),
        .is_asked_for = asked.len > 0,
        .credentials_file = profile_file(a, "AWS_SHARED_CREDENTIALS_FILE", "credentials"),
        .config_file = profile_file(a, "AWS_CONFIG_FILE", "config"),
        .arena = a,
    };

    if (p.credentials_file.ptr == NULL || p.config_file.ptr == NULL) {
        return SL_FAIL(e, SL_NOMEM, "memory for the AWS profile ran out");
    }
    SL_TRY(sl_ini_load(p.credentials_file.ptr, a, &p.credentials, e));
    SL_TRY(sl_ini_load(p.config_file.ptr, a, &p.config, e));
    *ret = p;
    return SL_OK;
}

/* "profile NAME"; the default one may go without the word. */
static sl_str profile_section(const struct sl_aws_profiles *p, sl_str name)
{
    const sl_str section = sl_arena_printf(p->arena, "profile %" SL_FMT, SL_ARG(name));

    return sl_str_eq(name, SL_STR("default")) && !sl_ini_has(&p->config, section) ? name : section;
}

bool sl_aws_profile_exists(const struct sl_aws_profiles *p, sl_str name)
{
    return sl_ini_has(&p->credentials, name) || sl_ini_has(&p->config, profile_section(p, name));
}

sl_str sl_aws_profile_get(const struct sl_aws_profiles *p, sl_str name, sl_str key)
{
    const sl_str value = sl_ini_get(&p->credentials, name, key);

    return value.len > 0 ? value : sl_ini_get(&p->config, profile_section(p, name), key);
}

/* Of the service in the profile's [services] section, then of the profile. */
sl_str sl_aws_profile_endpoint(const struct sl_aws_profiles *p, const char *service)
{
    const sl_str services = sl_aws_profile_get(p, p->name, SL_STR("services"));
    sl_str endpoint = { 0 };

    if (services.len > 0) {
        endpoint =
            sl_ini_get(&p->config, sl_arena_printf(p->arena, "services %" SL_FMT, SL_ARG(services)),
                       sl_arena_printf(p->arena, "%s.endpoint_url", service));
    }
    return sl_aws_first(endpoint, sl_aws_profile_get(p, p->name, SL_STR("endpoint_url")));
}

/* " (permission denied)" behind the name of a file that is there and cannot be read. */
static sl_str file_text(struct sl_arena *a, sl_str file, const struct sl_ini *ini)
{
    if (ini->error == 0) {
        return file;
    }
    return sl_arena_printf(a, "%" SL_FMT " (%s)", SL_ARG(file), strerrordesc_np(ini->error));
}

sl_str sl_aws_profiles_places(const struct sl_aws_profiles *p)
{
    const sl_str credentials = file_text(p->arena, p->credentials_file, &p->credentials);
    const sl_str config = file_text(p->arena, p->config_file, &p->config);

    return sl_arena_printf(p->arena, "%" SL_FMT " or %" SL_FMT, SL_ARG(credentials),
                           SL_ARG(config));
}
