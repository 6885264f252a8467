/* net/aws_imds.c - the metadata service of an EC2 instance, version 2. */
#include "net/aws_imds.h"

#include <strings.h>

#include "base/clock.h"
#include "net/aws_ask.h"
#include "net/aws_json.h"

#define CREDENTIALS_PATH "/latest/meta-data/iam/security-credentials/"

enum {
    TRIES = 3,
    MINUTE_MS = 60000,
    LONGER_MS = 15 * MINUTE_MS, /* and 2 to 10 minutes: not all instances at once */
    JITTER_LEAST_MS = 2 * MINUTE_MS,
    JITTER_MOST_MS = 10 * MINUTE_MS,
};

/* One conversation; version 1, which asks for no token, is never spoken. */
struct imds {
    struct sl_arena *arena;
    const struct sl_stop *stop;
    sl_str base; /* without a slash at the end */
    sl_str token_header;
};

static sl_str base_of(const struct sl_aws_profiles *p)
{
    const sl_str mode =
        sl_aws_first(sl_aws_env("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"),
                     sl_aws_profile_get(p, p->name, SL_STR("ec2_metadata_service_endpoint_mode")));
    sl_str base =
        sl_aws_first(sl_aws_env("AWS_EC2_METADATA_SERVICE_ENDPOINT"),
                     sl_aws_profile_get(p, p->name, SL_STR("ec2_metadata_service_endpoint")));

    while (base.len > 0 && base.ptr[base.len - 1] == '/') {
        base.len--;
    }
    if (base.len > 0) {
        return base;
    }
    return mode.len == 4 && strncasecmp(mode.ptr, "ipv6", 4) == 0
               ? SL_STR("http://[fd00:ec2::254]")
               : SL_STR("http://169.254.169.254");
}

/* One try for the token: on most machines nobody is there, and they do not want to wait. */
static sl_rc token_get(struct imds *m, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf answer = { 0 };
    const struct sl_aws_question q = {
        .method = SL_HTTP_PUT,
        .url = sl_arena_printf(m->arena, "%" SL_FMT "/latest/api/token", SL_ARG(m->base)),
        .header = SL_STR("X-aws-ec2-metadata-token-ttl-seconds: 21600"),
        .tries = 1,
        .whom = "the instance's metadata service",
        .stop = m->stop,
    };
    int status = 0;
    sl_str token;

    SL_TRY(sl_aws_ask(&q, &status, &answer, e));
    token = sl_str_trim(sl_buf_str(&answer));
    if (status != 200 || token.len == 0 || !sl_aws_is_visible(token)) {
        return SL_FAIL(e, SL_UNAVAILABLE, "%s gave no token (HTTP %d)", q.whom, status);
    }
    m->token_header =
        sl_arena_printf(m->arena, "X-aws-ec2-metadata-token: %" SL_FMT, SL_ARG(token));
    return m->token_header.ptr != NULL ? SL_OK : SL_FAIL(e, SL_NOMEM, "memory for a token ran out");
}

static sl_rc imds_open(struct imds *m, const struct sl_aws_profiles *p, struct sl_err *e)
{
    const sl_str disabled = sl_aws_env("AWS_EC2_METADATA_DISABLED");

    if (disabled.len == 4 && strncasecmp(disabled.ptr, "true", 4) == 0) {
        return SL_FAIL(e, SL_CONFIG, "AWS_EC2_METADATA_DISABLED is set");
    }
    m->arena = p->arena;
    m->base = base_of(p);
    if (!sl_aws_is_visible(m->base)) {
        return SL_FAIL(e, SL_CONFIG, "AWS_EC2_METADATA_SERVICE_ENDPOINT is no URL");
    }
    return token_get(m, e);
}

/* A token that is refused has come to its end: one more. */
static sl_rc imds_get(struct imds *m, const char *path, sl_str name, int *ret_status,
                      struct sl_buf *ret, struct sl_err *e)
{
    struct sl_aws_question q = {
        .method = SL_HTTP_GET,
        .url =
            sl_arena_printf(m->arena, "%" SL_FMT "%s%" SL_FMT, SL_ARG(m->base), path, SL_ARG(name)),
        .header = m->token_header,
        .tries = TRIES,
        .whom = "the instance's metadata service",
        .stop = m->stop,
    };

    if (q.url.ptr == NULL) {
        return SL_FAIL(e, SL_NOMEM, "memory for a URL ran out");
    }
    SL_TRY(sl_aws_ask(&q, ret_status, ret, e));
    if (*ret_status == 401) {
        sl_buf_done(ret);
        SL_TRY(token_get(m, e));
        q.header = m->token_header;
        SL_TRY(sl_aws_ask(&q, ret_status, ret, e));
    }
    return *ret_status == 401 ? SL_FAIL(e, SL_DENIED, "%s refuses its own token", q.whom) : SL_OK;
}

/* The first line of an answer that is a name, and so can be a part of a URL. */
static sl_rc name_get(struct imds *m, const char *path, const char *what, sl_str *ret,
                      struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf answer = { 0 };
    int status = 0;
    sl_str rest;
    sl_str name;

    SL_TRY(imds_get(m, path, SL_STR(""), &status, &answer, e));
    rest = sl_buf_str(&answer);
    name = sl_str_trim(sl_str_cut(&rest, '\n'));
    if (status == 404) {
        return SL_FAIL(e, SL_CONFIG, "the instance has no %s", what);
    }
    if (name.len == 0 || name.len > 128 || !sl_aws_is_visible(name) ||
        memchr(name.ptr, '/', name.len) != NULL) {
        return SL_FAIL(e, SL_UNAVAILABLE, "the instance's metadata service gave no %s", what);
    }
    *ret = sl_arena_copy(m->arena, name);
    return ret->ptr != NULL ? SL_OK : SL_FAIL(e, SL_NOMEM, "memory for a name ran out");
}

int64_t sl_aws_imds_until(int64_t expires_at_ms, int64_t at_ms, uint64_t jitter)
{
    const uint64_t span = JITTER_MOST_MS - JITTER_LEAST_MS;

    return expires_at_ms > at_ms
               ? expires_at_ms
               : at_ms + LONGER_MS + JITTER_LEAST_MS + (int64_t)(jitter % (span + 1));
}

sl_rc sl_aws_imds_creds(const struct sl_aws_search *s, struct sl_aws_creds *ret, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf answer = { 0 };
    struct imds m = { .stop = s->sts.stop };
    struct sl_aws_creds creds;
    struct sl_err why = { 0 };
    int status = 0;
    sl_str role;
    sl_rc rc;

    SL_TRY(imds_open(&m, &s->profiles, e));
    SL_TRY(name_get(&m, CREDENTIALS_PATH, "role", &role, e));
    SL_TRY(imds_get(&m, CREDENTIALS_PATH, role, &status, &answer, e));
    if (status != 200) {
        return SL_FAIL(e, SL_UNAVAILABLE, "the instance's metadata service answers with HTTP %d",
                       status);
    }
    rc = sl_aws_json_read(SL_AWS_JSON_INSTANCE, sl_buf_str(&answer), s->arena, &creds, &why);
    if (rc != SL_OK) {
        return SL_FAIL(e, rc, "the instance's metadata service: %.700s", why.msg);
    }
    creds.expires_at_ms = sl_aws_imds_until(creds.expires_at_ms, sl_clock_at_ms(),
                                            (uint64_t)sl_clock_now_ms() * 2654435761U);
    creds.from = sl_arena_printf(s->arena, "the instance's role %" SL_FMT, SL_ARG(role));
    *ret = creds;
    return SL_OK;
}

sl_rc sl_aws_imds_region(const struct sl_aws_profiles *p, sl_str *ret, struct sl_err *e)
{
    struct imds m = { 0 };

    SL_TRY(imds_open(&m, p, e));
    return name_get(&m, "/latest/meta-data/placement/region", "region", ret, e);
}
