/* net/aws_target.c - where an SQS queue is asked. */
#include "net/aws_target.h"

#include "net/aws_imds.h"

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

/* Of the instance, last. */
static sl_rc region_ask(const struct sl_aws_profiles *p, sl_str *ret, struct sl_err *e)
{
    struct sl_err why = { 0 };
    const sl_rc rc = sl_aws_imds_region(p, ret, &why);

    if (rc == SL_OK) {
        return SL_OK;
    }
    return SL_FAIL(e, SL_CONFIG,
                   "no AWS region: not sqs.region, not in the queue URL, not AWS_REGION or "
                   "AWS_DEFAULT_REGION, not in profile %" SL_FMT " of %" SL_FMT
                   ", and not of an instance (%.200s)",
                   SL_ARG(p->name), SL_ARG(sl_aws_profiles_places(p)), why.msg);
}

static sl_rc region_find(const struct sl_config *cfg, const struct sl_aws_profiles *p,
                         struct sl_aws_target *ret, struct sl_err *e)
{
    sl_str region = sl_aws_first(cfg->sqs.region, sl_aws_region_of_url(cfg->sqs.queue_url));

    region = sl_aws_first(region, sl_aws_env("AWS_REGION"));
    region = sl_aws_first(region, sl_aws_env("AWS_DEFAULT_REGION"));
    region = sl_aws_first(region, sl_aws_profile_get(p, p->name, SL_STR("region")));
    if (region.len == 0) {
        SL_TRY(region_ask(p, &region, e));
    }
    if (!sl_aws_is_visible(region)) {
        return SL_FAIL(e, SL_CONFIG, "AWS region \"%" SL_FMT "\" is not one", SL_ARG(region));
    }
    ret->region = region;
    return SL_OK;
}

/* Scheme and host of a URL; "" when it is none. */
static sl_str origin_of(sl_str url)
{
    const sl_str host = host_of(url);

    return host.len == 0 ? host : (sl_str){ url.ptr, (size_t)(host.ptr + host.len - url.ptr) };
}

static const char *domain_end(sl_str region)
{
    return sl_str_starts(region, SL_STR("cn-")) ? ".cn" : "";
}

static sl_rc endpoint_check(sl_str endpoint, const char *service, sl_str *ret, struct sl_err *e)
{
    bool is_http;

    if (endpoint.len > 0 && memchr(endpoint.ptr, '@', endpoint.len) != NULL) { /* not shown */
        return SL_FAIL(e, SL_CONFIG, "%s endpoint: no user in the URL, requests are signed",
                       service);
    }
    while (endpoint.len > 0 && endpoint.ptr[endpoint.len - 1] == '/') {
        endpoint.len--;
    }
    is_http =
        sl_str_starts(endpoint, SL_STR("http://")) || sl_str_starts(endpoint, SL_STR("https://"));
    if (!is_http || host_of(endpoint).len == 0 || !sl_aws_is_visible(endpoint)) {
        return SL_FAIL(e, SL_CONFIG, "%s endpoint \"%" SL_FMT "\" is not an http or https URL",
                       service, SL_ARG(endpoint));
    }
    *ret = endpoint;
    return SL_OK;
}

static sl_rc endpoint_find(const struct sl_config *cfg, const struct sl_aws_profiles *p,
                           struct sl_arena *a, struct sl_aws_target *ret, struct sl_err *e)
{
    sl_str endpoint = sl_aws_first(cfg->sqs.endpoint, sl_aws_env("AWS_ENDPOINT_URL_SQS"));

    endpoint = sl_aws_first(endpoint, sl_aws_env("AWS_ENDPOINT_URL"));
    endpoint = sl_aws_first(endpoint, sl_aws_profile_endpoint(p, "sqs"));
    endpoint = sl_aws_first(endpoint, origin_of(cfg->sqs.queue_url));
    if (endpoint.len == 0) { /* of a queue that is known by its name */
        endpoint = sl_arena_printf(a, "https://sqs.%" SL_FMT ".amazonaws.com%s",
                                   SL_ARG(ret->region), domain_end(ret->region));
    }
    return endpoint_check(endpoint, "SQS", &ret->endpoint, e);
}

sl_rc sl_aws_target_s3(const struct sl_config *cfg, const struct sl_aws_target *queue,
                       struct sl_arena *a, struct sl_aws_target *ret, struct sl_err *e)
{
    struct sl_aws_profiles profiles;
    struct sl_aws_target target = *queue;
    sl_str endpoint =
        sl_aws_first(sl_aws_env("AWS_ENDPOINT_URL_S3"), sl_aws_env("AWS_ENDPOINT_URL"));

    SL_TRY(sl_aws_profiles_load(cfg, a, &profiles, e));
    endpoint = sl_aws_first(endpoint, sl_aws_profile_endpoint(&profiles, "s3"));
    if (endpoint.len == 0) {
        endpoint = sl_arena_printf(a, "https://s3.%" SL_FMT ".amazonaws.com%s",
                                   SL_ARG(target.region), domain_end(target.region));
    }
    SL_TRY(endpoint_check(endpoint, "S3", &target.endpoint, e));
    target.endpoint = sl_arena_copy(a, target.endpoint);
    if (target.endpoint.ptr == NULL) {
        return SL_FAIL(e, SL_NOMEM, "memory for the AWS endpoint ran out");
    }
    *ret = target;
    return SL_OK;
}

sl_rc sl_aws_target_find(const struct sl_config *cfg, struct sl_arena *a, struct sl_aws_target *ret,
                         struct sl_err *e)
{
    struct sl_aws_profiles profiles;
    struct sl_aws_target target = { 0 };

    SL_TRY(sl_aws_profiles_load(cfg, a, &profiles, e));
    SL_TRY(region_find(cfg, &profiles, &target, e));
    SL_TRY(endpoint_find(cfg, &profiles, a, &target, e));
    target.region = sl_arena_copy(a, target.region);
    target.endpoint = sl_arena_copy(a, target.endpoint);
    target.ahead_ms = sl_arena_calloc(a, 1, sizeof *target.ahead_ms);
    if (target.region.ptr == NULL || target.endpoint.ptr == NULL || target.ahead_ms == NULL) {
        return SL_FAIL(e, SL_NOMEM, "memory for the AWS endpoint ran out");
    }
    *ret = target;
    return SL_OK;
}
