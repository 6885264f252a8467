/* net/aws_container.c - the identity that a container is given: ECS, EKS Pod Identity. */
#include "net/aws_container.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "net/aws_ask.h"
#include "net/aws_json.h"
#include "net/aws_token.h"

#define ECS_AGENT "http://169.254.170.2"

enum { TRIES = 3 };

/* Host and port, up to the path; "" when there is a user, which may look like a host, or a
 * backslash: to some it begins the path, to curl it is a part of the user. */
static sl_str authority_of(sl_str url)
{
    size_t n = 0;

    while (n < url.len && strchr("/?#", url.ptr[n]) == NULL) {
        if (url.ptr[n] == '@' || url.ptr[n] == '\\') {
            return (sl_str){ 0 };
        }
        n++;
    }
    return (sl_str){ url.ptr, n };
}

/* Without the port and the brackets. */
static sl_str host_of(sl_str authority)
{
    sl_str host = authority;

    if (authority.len > 0 && authority.ptr[0] == '[') {
        host = (sl_str){ authority.ptr + 1, authority.len - 1 };
        return sl_str_cut(&host, ']');
    }
    return sl_str_cut(&host, ':');
}

static bool host_is_near(sl_str host)
{
    static const char *const agents[] = { "169.254.170.2", "169.254.170.23", "fd00:ec2::23" };
    struct in6_addr six;
    struct in_addr four;
    char text[INET6_ADDRSTRLEN];

    if (host.len == 0 || host.len >= sizeof text) {
        return false;
    }
    (void)snprintf(text, sizeof text, "%" SL_FMT, SL_ARG(host));
    for (size_t i = 0; i < sizeof agents / sizeof agents[0]; i++) {
        if (strcmp(text, agents[i]) == 0) {
            return true;
        }
    }
    if (inet_pton(AF_INET, text, &four) == 1) {
        return ntohl(four.s_addr) >> 24 == 127;
    }
    return strcmp(text, "localhost") == 0 ||
           (inet_pton(AF_INET6, text, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six));
}

bool sl_aws_container_url_is_near(sl_str url)
{
    const sl_str secure = SL_STR("https://");
    const sl_str plain = SL_STR("http://");

    if (!sl_aws_is_visible(url)) {
        return false;
    }
    if (sl_str_starts(url, secure)) {
        return authority_of((sl_str){ url.ptr + secure.len, url.len - secure.len }).len > 0;
    }
    return sl_str_starts(url, plain) && host_is_near(host_of(authority_of(
                                            (sl_str){ url.ptr + plain.len, url.len - plain.len })));
}

static sl_rc url_find(struct sl_arena *a, sl_str *ret, struct sl_err *e)
{
    const sl_str relative = sl_aws_env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const sl_str full = sl_aws_env("AWS_CONTAINER_CREDENTIALS_FULL_URI");

    if (relative.len > 0 && (relative.ptr[0] != '/' || !sl_aws_is_visible(relative))) {
        return SL_FAIL(e, SL_CONFIG, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is a path: /...");
    }
    if (relative.len == 0 && full.len > 0 && !sl_aws_container_url_is_near(full)) {
        return SL_FAIL(e, SL_CONFIG,
                       "AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or http to this machine, "
                       "169.254.170.2, 169.254.170.23 or [fd00:ec2::23]");
    }
    *ret = relative.len > 0 ? sl_arena_printf(a, ECS_AGENT "%" SL_FMT, SL_ARG(relative))
                            : sl_arena_copy(a, full);
    return ret->ptr != NULL ? SL_OK : SL_FAIL(e, SL_NOMEM, "memory for a URL ran out");
}

/* "" when nothing is to be shown. */
static sl_rc header_make(struct sl_arena *a, sl_str *ret, struct sl_err *e)
{
    const sl_str file = sl_aws_env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    sl_str token = sl_aws_env("AWS_CONTAINER_AUTHORIZATION_TOKEN");

    if (file.len > 0) {
        SL_TRY(sl_aws_token_read(file, a, &token, e));
    } else if (!sl_aws_token_is_one(token)) {
        return SL_FAIL(e, SL_CONFIG,
                       "AWS_CONTAINER_AUTHORIZATION_TOKEN is no token: it is one line of ASCII");
    }
    *ret = token.len == 0 ? token : sl_arena_printf(a, "Authorization: %" SL_FMT, SL_ARG(token));
    return token.len == 0 || ret->ptr != NULL ? SL_OK
                                              : SL_FAIL(e, SL_NOMEM, "memory for a token ran out");
}

sl_rc sl_aws_container_creds(const struct sl_aws_search *s, struct sl_aws_creds *ret,
                             struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf answer = { 0 };
    struct sl_aws_question q = {
        .method = SL_HTTP_GET, .tries = TRIES, .whom = "the container's agent", .stop = s->sts.stop
    };
    struct sl_aws_creds creds;
    struct sl_err why = { 0 };
    int status = 0;
    sl_rc rc;

    SL_TRY(url_find(s->arena, &q.url, e));
    if (q.url.len == 0) {
        return SL_OK;
    }
    SL_TRY(header_make(s->arena, &q.header, e));
    SL_TRY(sl_aws_ask(&q, &status, &answer, e));
    if (status != 200) {
        return SL_FAIL(e, SL_DENIED, "%s answers with HTTP %d", q.whom, status);
    }
    rc = sl_aws_json_read(SL_AWS_JSON_CONTAINER, sl_buf_str(&answer), s->arena, &creds, &why);
    if (rc != SL_OK) {
        return SL_FAIL(e, rc, "%s: %.700s", q.whom, why.msg);
    }
    creds.from = SL_STR("the container");
    *ret = creds;
    return SL_OK;
}
