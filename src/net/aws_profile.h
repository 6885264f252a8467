/* net/aws_profile.h - the profiles of AWS as their two files have them, and its environment. */
#ifndef SLUICE_NET_AWS_PROFILE_H
#define SLUICE_NET_AWS_PROFILE_H

#include "config/config.h"
#include "net/ini.h"

/* The two files; `credentials` comes before `config`. */
struct sl_aws_profiles {
    sl_str name;       /* of the profile to use */
    bool is_asked_for; /* by name, in the configuration or AWS_PROFILE */
    sl_str credentials_file;
    sl_str config_file;
    struct sl_ini credentials;
    struct sl_ini config;
    struct sl_arena *arena;
};

/* A variable of the environment without blanks around it, "" when there is none. */
sl_str sl_aws_env(const char *name);

/* The first that is not empty. */
static inline sl_str sl_aws_first(sl_str a, sl_str b)
{
    return a.len > 0 ? a : b;
}

/* True when it can stand in a header: a line break would begin another. */
bool sl_aws_is_visible(sl_str s);

/* Read both files; those that are not there have nothing.
 *
 * Owns:    all lives in `a`, which is kept
 * Errors:  SL_NOMEM (retry)
 * Blocks:  on files
 */
sl_rc sl_aws_profiles_load(const struct sl_config *cfg, struct sl_arena *a,
                           struct sl_aws_profiles *ret, struct sl_err *e) SL_MUST_CHECK;

/* True if either file has that profile. */
bool sl_aws_profile_exists(const struct sl_aws_profiles *p, sl_str name);

/* A value of a profile, "" for none. */
sl_str sl_aws_profile_get(const struct sl_aws_profiles *p, sl_str name, sl_str key);

/* The endpoint that the profile to use gives for a service ("sqs"), "" for none. */
sl_str sl_aws_profile_endpoint(const struct sl_aws_profiles *p, const char *service);

/* "FILE or FILE", with what is wrong with one that cannot be read. */
sl_str sl_aws_profiles_places(const struct sl_aws_profiles *p);

#endif
