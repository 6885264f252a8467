/* net/aws_service.c - another AWS service than the queue's, asked now and then. */
#include "net/aws_service.h"

#include "net/aws_profile.h"
#include "net/aws_token.h"

enum {
    TIMEOUT_MS = 10000,
    REPLY_MAX = 256 << 10,     /* a secret has 64 KiB at most, and may be escaped */
    ARENA_MAX_BYTES = 8 << 20, /* profile files are 1 MiB each at most */
    ARENA_BLOCK_BYTES = 4 << 10,
    WORDS_MAX = 400, /* of AWS's own, repeated */
};

static bool is_url(sl_str s)
{
    return (sl_str_starts(s, SL_STR("http://")) || sl_str_starts(s, SL_STR("https://"))) &&
           sl_aws_is_visible(s);
}

static sl_rc endpoint_find(struct sl_aws_service *s, const struct sl_config *cfg, struct sl_err *e)
{
    const sl_str region = s->caller.target.region;
    struct sl_aws_profiles profiles;
    sl_str endpoint;

    SL_TRY(sl_aws_profiles_load(cfg, &s->arena, &profiles, e));
    endpoint = sl_aws_first(sl_aws_env(s->variable), sl_aws_env("AWS_ENDPOINT_URL"));
    endpoint = sl_aws_first(endpoint, sl_aws_profile_endpoint(&profiles, s->id));
    if (endpoint.len == 0) {
        endpoint =
            sl_arena_printf(&s->arena, "https://%s.%" SL_FMT ".amazonaws.com%s", s->name,
                            SL_ARG(region), sl_str_starts(region, SL_STR("cn-")) ? ".cn" : "");
    }
    while (endpoint.len > 0 && endpoint.ptr[endpoint.len - 1] == '/') {
        endpoint.len--;
    }
    if (endpoint.len > 0 && memchr(endpoint.ptr, '@', endpoint.len) != NULL) { /* not shown */
        return SL_FAIL(e, SL_CONFIG, "%s endpoint: no user in the URL, requests are signed",
                       s->title);
    }
    if (!is_url(endpoint)) {
        return SL_FAIL(e, SL_CONFIG, "%s endpoint \"%" SL_FMT "\" is not an http or https URL",
                       s->title, SL_ARG(endpoint));
    }
    s->caller.target.endpoint = sl_arena_copy(&s->arena, endpoint);
    return s->caller.target.endpoint.ptr != NULL
               ? SL_OK
               : SL_FAIL(e, SL_NOMEM, "memory for the endpoint of %s ran out", s->title);
}

static sl_rc identity_find(struct sl_aws_service *s, const struct sl_config *cfg, struct sl_err *e)
{
    struct sl_config plain = *cfg;
    struct sl_aws_snapshot *now = NULL;
    struct sl_aws_creds creds;

    plain.sqs.role_arn = SL_STR("");
    SL_TRY(sl_aws_creds_find(&plain, s->caller.target.region, s->stop, &s->arena, &creds, e));
    SL_TRY(sl_aws_snapshot_new(&creds, &now, e));
    sl_aws_identity_init(&s->identity, now);
    s->is_open = true;
    return SL_OK;
}

sl_rc sl_aws_service_open(struct sl_aws_service *s, const struct sl_config *cfg, sl_str region,
                          const struct sl_stop *stop, struct sl_err *e)
{
    sl_arena_init(&s->arena, ARENA_MAX_BYTES, ARENA_BLOCK_BYTES);
    s->stop = stop;
    s->caller.service = s->name;
    s->caller.target = (struct sl_aws_target){ .identity = &s->identity,
                                               .region = sl_arena_copy(&s->arena, region),
                                               .ahead_ms = &s->ahead_ms };
    if (s->caller.target.region.ptr == NULL) {
        return SL_FAIL(e, SL_NOMEM, "memory for the region of %s ran out", s->title);
    }
    SL_TRY(endpoint_find(s, cfg, e));
    return identity_find(s, cfg, e);
}

void sl_aws_service_close(struct sl_aws_service *s)
{
    sl_sigv4_key_done(&s->caller.key);
    if (s->is_open) {
        sl_aws_identity_done(&s->identity);
        s->is_open = false;
    }
    sl_arena_done(&s->arena);
}

/* ---- the answer ------------------------------------------------------------------------------ */

sl_str sl_aws_service_text(const struct sl_json *answer, const char *name)
{
    const struct sl_json *j = sl_json_member(answer, sl_str_of(name));

    return j != NULL && j->type == SL_JSON_STRING ? sl_cleartext_publish(j->text) : SL_STR("");
}

static sl_rc tree_read(const struct sl_aws_service *s, sl_str body, struct sl_arena *a,
                       const struct sl_json **ret, struct sl_err *e)
{
    SL_AUTO(sl_json_parser_freep) struct sl_json_parser *p = NULL;
    enum sl_json_fault fault = SL_JSON_OK;
    const struct sl_json *root = NULL;
    sl_cleartext padded;

    SL_TRY(sl_json_parser_new(REPLY_MAX, &p, e));
    SL_TRY(sl_json_padded(sl_cleartext_of(body), a, &padded, e));
    SL_TRY(sl_json_parse(p, padded, a, &root, &fault, e));
    if (fault != SL_JSON_OK || root->type != SL_JSON_OBJECT) {
        return SL_FAIL(e, SL_UNAVAILABLE, "%s gave no JSON object, or %" SL_FMT " is not it",
                       s->title, SL_ARG(s->caller.target.endpoint));
    }
    *ret = root;
    return SL_OK;
}

/* What AWS says of a refusal; its own words where they name who may not do what, and no more. */
static const struct known {
    const char *code;
    sl_rc rc;
    const char *meaning; /* NULL: AWS's words */
} codes[] = {
    { "AccessDeniedException", SL_DENIED, NULL },
    { "AccessDenied", SL_DENIED, NULL },
    { "DisabledException", SL_DENIED, "the KMS key is disabled" },
    { "KMSInvalidStateException", SL_DENIED, "the KMS key is pending deletion or import" },
    { "DecryptionFailure", SL_DENIED, "the key that the secret is encrypted with cannot be used" },
    { "InvalidCiphertextException", SL_OK,
      "it was not wrapped by this KMS key for this id, or was changed since" },
    { "IncorrectKeyException", SL_OK, "it was wrapped by another KMS key" },
    { "NotFoundException", SL_OK, "there is no such KMS key" },
    { "InvalidKeyUsageException", SL_OK, "the KMS key is not for encryption" },
    { "ResourceNotFoundException", SL_OK, "there is no such secret, or it has no value" },
    { "InvalidRequestException", SL_OK, "the secret is marked for deletion" },
    { "ThrottlingException", SL_THROTTLED, "too many requests" },
    { "LimitExceededException", SL_THROTTLED, "too many requests" },
    { "DependencyTimeoutException", SL_UNAVAILABLE, "it has trouble" },
    { "KMSInternalException", SL_UNAVAILABLE, "it has trouble" },
    { "KeyUnavailableException", SL_UNAVAILABLE, "the KMS key cannot be used for the moment" },
    { "InternalServiceError", SL_UNAVAILABLE, "it has trouble" },
};

static bool str_has(sl_str s, const char *part)
{
    return s.len > 0 && memmem(s.ptr, s.len, part, strlen(part)) != NULL;
}

/* Of the codes that are not in the table: those of credentials are many. */
static sl_rc rc_of_other(const struct sl_aws_service *s, int status, sl_str code)
{
    if (status == 429 || str_has(code, "Throttl")) {
        return SL_THROTTLED;
    }
    if (status == 401 || status == 403 || str_has(code, "Token") || str_has(code, "Client") ||
        str_has(code, "Signature")) {
        return SL_DENIED;
    }
    return status >= 500 || code.len == 0 ? SL_UNAVAILABLE : s->refusal;
}

/* "com.amazonaws.kms#DisabledException" */
static sl_str code_of(const struct sl_json *root)
{
    sl_str code = sl_aws_service_text(root, "__type");
    const char *hash = code.len > 0 ? memrchr(code.ptr, '#', code.len) : NULL;

    if (hash != NULL) {
        code = (sl_str){ hash + 1, code.len - (size_t)(hash + 1 - code.ptr) };
    }
    return code.len <= 64 && sl_aws_is_visible(code) ? code : SL_STR("");
}

/* action is "TrentService.Decrypt" */
static sl_rc refusal_say(const struct sl_aws_service *s, const char *action, int status,
                         const struct sl_json *root, struct sl_err *e)
{
    const sl_str code = code_of(root);
    const char *what = strchr(action, '.') + 1;
    sl_str words =
        sl_aws_first(sl_aws_service_text(root, "message"), sl_aws_service_text(root, "Message"));

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        const struct known *k = &codes[i];

        if (!sl_str_eq(code, sl_str_of(k->code))) {
            continue;
        }
        if (k->meaning != NULL) {
            words = sl_str_of(k->meaning);
        } else if (words.len > WORDS_MAX || !sl_aws_token_is_one(words)) {
            words = SL_STR("no right to do that");
        }
        return SL_FAIL(e, k->rc != SL_OK ? k->rc : s->refusal,
                       "%s refuses %s:%s (%" SL_FMT "): %" SL_FMT, s->title, s->name, what,
                       SL_ARG(code), SL_ARG(words));
    }
    return code.len > 0 ? SL_FAIL(e, rc_of_other(s, status, code), "%s refuses %s:%s (%" SL_FMT ")",
                                  s->title, s->name, what, SL_ARG(code))
                        : SL_FAIL(e, rc_of_other(s, status, code), "%s answers %s:%s with HTTP %d",
                                  s->title, s->name, what, status);
}

static sl_rc fetch(struct sl_aws_service *s, const char *action, sl_str body,
                   struct sl_http_reply *reply, struct sl_err *e)
{
    const struct sl_aws_call call = { .target = sl_str_of(action),
                                      .content_type = "application/x-amz-json-1.1",
                                      .body = body,
                                      .timeout_ms = TIMEOUT_MS,
                                      .reply_max_bytes = REPLY_MAX };
    struct sl_err why = { 0 };
    const sl_rc rc = sl_aws_call_once(&s->caller, &call, s->stop, reply, &why);

    return rc == SL_OK ? SL_OK
                       : SL_FAIL(e, rc, "could not ask %s at %" SL_FMT ": %.700s", s->title,
                                 SL_ARG(s->caller.target.endpoint), why.msg);
}

sl_rc sl_aws_service_ask(struct sl_aws_service *s, const char *action, sl_str body,
                         struct sl_arena *a, const struct sl_json **ret, struct sl_err *e)
{
    const struct sl_json *root = NULL;
    struct sl_http_reply reply = { 0 };
    int status;
    sl_rc rc;

    SL_TRY(fetch(s, action, body, &reply, e));
    if (reply.status >= 400 && reply.status <= 403 &&
        sl_aws_clock_learn(&s->caller.target, sl_http_server_at_s(&reply))) {
        sl_buf_done(&reply.body);
        SL_TRY(fetch(s, action, body, &reply, e));
    }
    status = reply.status;
    rc = tree_read(s, sl_buf_str(&reply.body), a, &root, status == 200 ? e : NULL);
    sl_buf_done(&reply.body);
    if (status != 200) {
        return rc == SL_NOMEM ? SL_FAIL(e, rc, "memory for an answer of %s ran out", s->title)
                              : refusal_say(s, action, status, rc == SL_OK ? root : NULL, e);
    }
    SL_TRY(rc);
    *ret = root;
    return SL_OK;
}
