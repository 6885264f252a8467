/* net/aws_sts.c - AWS's Security Token Service: become a role. */
#include "net/aws_sts.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/xml.h"
#include "net/aws_call.h"
#include "net/aws_profile.h"
#include "net/aws_token.h"
#include "net/http_fetch.h"

enum {
    STS_TIMEOUT_MS = 10000,
    STS_REPLY_MAX = 64 << 10,
    STS_BODY_MAX = 128 << 10, /* a token is 20000 characters at most, and may be escaped */
    STS_PATH_MAX = 160,
    STS_WORDS_MAX = 300, /* of STS's own, repeated */
};

#define STS_TYPE "application/x-www-form-urlencoded; charset=utf-8"

/* ---- what is asked ------------------------------------------------------------------------------- */

static void add_parameter(struct sl_buf *b, const char *name, sl_str value)
{
    if (value.len > 0) {
        sl_buf_printf(b, "&%s=", name);
        sl_buf_add_percent(b, value);
    }
}

static void request_write(struct sl_buf *b, const char *action, const struct sl_aws_role *role)
{
    sl_buf_printf(b, "Action=%s&Version=2011-06-15", action);
    add_parameter(b, "RoleArn", role->arn);
    add_parameter(b, "RoleSessionName", sl_aws_first(role->session_name, SL_STR("sluice")));
    if (role->duration_s > 0) {
        sl_buf_printf(b, "&DurationSeconds=%u", role->duration_s);
    }
}

/* The one of the region, never the global one: it is nearer, and stays up with the region. */
static sl_str endpoint_of(const struct sl_aws_sts *sts, struct sl_arena *a)
{
    const bool is_china = sl_str_starts(sts->region, SL_STR("cn-"));

    if (sts->endpoint.len > 0) {
        return sts->endpoint;
    }
    return sl_arena_printf(a, "https://sts.%" SL_FMT ".amazonaws.com%s", SL_ARG(sts->region),
                           is_china ? ".cn" : "");
}

/* ---- what it answers ------------------------------------------------------------------------------ */

static sl_rc rc_of_error(int status, sl_str code)
{
    static const struct {
        const char *code;
        sl_rc rc;
    } known[] = {
        { "Throttling", SL_THROTTLED },
        { "ThrottlingException", SL_THROTTLED },
        { "RequestLimitExceeded", SL_THROTTLED },
        { "IDPCommunicationError", SL_UNAVAILABLE },
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (sl_str_eq(code, sl_str_of(known[i].code))) {
            return known[i].rc;
        }
    }
    if (status == 429) {
        return SL_THROTTLED;
    }
    return status >= 400 && status < 500 && code.len > 0 ? SL_DENIED : SL_UNAVAILABLE;
}

/* Only the words of AccessDenied, which name who may not become what; others quote parameters, and a
 * token is one. */
static sl_rc error_read(int status, sl_str body, struct sl_arena *a, struct sl_err *e)
{
    sl_str code = { 0 };
    sl_str words = { 0 };
    const struct sl_xml_want wants[] = {
        { "ErrorResponse/Error/Code", &code },
        { "ErrorResponse/Error/Message", &words },
    };

    if (sl_xml_read(body, wants, 2, a, e) == SL_NOMEM) {
        return SL_NOMEM;
    }
    if (code.len == 0 || code.len > 64 || !sl_aws_is_visible(code)) {
        return SL_FAIL(e, rc_of_error(status, (sl_str){ 0 }),
                       "STS could not serve, or the endpoint is not one (HTTP %d)", status);
    }
    if (!sl_str_eq(code, SL_STR("AccessDenied")) || words.len > STS_WORDS_MAX ||
        !sl_aws_token_is_one(words)) {
        words.len = 0;
    }
    return SL_FAIL(e, rc_of_error(status, code), "STS refuses (%" SL_FMT ")%s%" SL_FMT,
                   SL_ARG(code), words.len > 0 ? ": " : "", SL_ARG(words));
}

sl_rc sl_aws_sts_read(const char *action, int status, sl_str body, struct sl_arena *a,
                      struct sl_aws_creds *ret, struct sl_err *e)
{
    static const char *const names[4] = { "AccessKeyId", "SecretAccessKey", "SessionToken",
                                          "Expiration" };
    char paths[4][STS_PATH_MAX];
    struct sl_aws_creds creds = { 0 };
    sl_str until = { 0 };
    sl_str *const texts[4] = { &creds.access_key_id, &creds.secret_access_key, &creds.session_token,
                               &until };
    struct sl_xml_want wants[4];

    if (status != 200) {
        return error_read(status, body, a, e);
    }
    for (unsigned i = 0; i < 4; i++) {
        (void)snprintf(paths[i], STS_PATH_MAX, "%sResponse/%sResult/Credentials/%s", action, action,
                       names[i]);
        wants[i] = (struct sl_xml_want){ paths[i], texts[i] };
    }
    SL_TRY(sl_xml_read(body, wants, 4, a, e));
    if (creds.access_key_id.len == 0 || creds.secret_access_key.len == 0 ||
        creds.session_token.len == 0 || !sl_clock_read(until, &creds.expires_at_ms) ||
        !sl_aws_is_visible(creds.access_key_id) || !sl_aws_is_visible(creds.secret_access_key) ||
        !sl_aws_is_visible(creds.session_token)) {
        return SL_FAIL(e, SL_UNAVAILABLE, "STS gave no credentials, or the endpoint is not one");
    }
    *ret = creds;
    return SL_OK;
}

/* ---- the two actions ------------------------------------------------------------------------------- */

static sl_rc answer_read(const char *action, struct sl_http_reply *reply,
                         const struct sl_aws_role *role, struct sl_arena *a,
                         struct sl_aws_creds *ret, struct sl_err *e)
{
    struct sl_err why = { 0 };
    const sl_rc rc = sl_aws_sts_read(action, reply->status, sl_buf_str(&reply->body), a, ret, &why);

    sl_buf_done(&reply->body);
    return rc == SL_OK
               ? SL_OK
               : SL_FAIL(e, rc, "could not become %" SL_FMT ": %.700s", SL_ARG(role->arn), why.msg);
}

static sl_rc signed_fetch(const struct sl_aws_sts *sts, const struct sl_aws_creds *as, sl_str body,
                          struct sl_arena *a, struct sl_http_reply *reply, struct sl_err *e)
{
    struct sl_aws_caller caller = { .service = "sts", .target.region = sts->region };
    const struct sl_aws_call call = { .content_type = STS_TYPE,
                                      .body = body,
                                      .timeout_ms = STS_TIMEOUT_MS,
                                      .reply_max_bytes = STS_REPLY_MAX };
    struct sl_aws_identity identity;
    struct sl_aws_snapshot *now = NULL;
    _Atomic int64_t ahead_ms = 0;
    sl_rc rc;

    caller.target.endpoint = endpoint_of(sts, a);
    caller.target.ahead_ms = &ahead_ms;
    SL_TRY(sl_aws_snapshot_new(as, &now, e));
    sl_aws_identity_init(&identity, now);
    caller.target.identity = &identity;
    rc = sl_aws_call_once(&caller, &call, sts->stop, reply, e);
    if (rc == SL_OK && reply->status >= 400 && reply->status <= 403 &&
        sl_aws_clock_learn(&caller.target, sl_http_server_at_s(reply))) {
        sl_buf_done(&reply->body);
        rc = sl_aws_call_once(&caller, &call, sts->stop, reply, e);
    }
    sl_sigv4_key_done(&caller.key);
    sl_aws_identity_done(&identity);
    return rc;
}

sl_rc sl_aws_sts_assume(const struct sl_aws_sts *sts, const struct sl_aws_role *role,
                        const struct sl_aws_creds *as, struct sl_arena *a, struct sl_aws_creds *ret,
                        struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf body = { .max_bytes = STS_BODY_MAX };
    struct sl_http_reply reply;

    request_write(&body, "AssumeRole", role);
    add_parameter(&body, "ExternalId", role->external_id);
    SL_TRY(sl_buf_rc(&body, e));
    SL_TRY(signed_fetch(sts, as, sl_buf_str(&body), a, &reply, e));
    SL_TRY(answer_read("AssumeRole", &reply, role, a, ret, e));
    ret->from = sl_arena_printf(a, "%" SL_FMT ", as %" SL_FMT, SL_ARG(role->arn), SL_ARG(as->from));
    return SL_OK;
}

sl_rc sl_aws_sts_web_identity(const struct sl_aws_sts *sts, const struct sl_aws_role *role,
                              struct sl_arena *a, struct sl_aws_creds *ret, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf body = { .max_bytes = STS_BODY_MAX };
    static const char *const headers[] = { "Content-Type: " STS_TYPE, NULL };
    const sl_str endpoint = endpoint_of(sts, a);
    const sl_str url = sl_arena_printf(a, "%" SL_FMT "/", SL_ARG(endpoint));
    struct sl_http_request request = { .url = url.ptr,
                                       .headers = headers,
                                       .reply_max_bytes = STS_REPLY_MAX,
                                       .timeout_ms = STS_TIMEOUT_MS };
    struct sl_http_reply reply;
    sl_str token = { 0 };

    SL_TRY(sl_aws_token_read(role->token_file, a, &token, e));
    request_write(&body, "AssumeRoleWithWebIdentity", role);
    add_parameter(&body, "WebIdentityToken", token);
    SL_TRY(sl_buf_rc(&body, e));
    if (url.ptr == NULL) {
        return SL_FAIL(e, SL_NOMEM, "memory for the URL of STS ran out");
    }
    request.body = sl_buf_str(&body);
    SL_TRY(sl_http_fetch(&request, sts->stop, &reply, e));
    SL_TRY(answer_read("AssumeRoleWithWebIdentity", &reply, role, a, ret, e));
    ret->from = sl_arena_printf(a, "%" SL_FMT ", by a web identity", SL_ARG(role->arn));
    return SL_OK;
}
