/* net/aws_json.c - credentials in JSON. */
#include "net/aws_json.h"

#include "base/clock.h"
#include "base/json.h"
#include "net/aws_profile.h"

enum { PARSER_MAX = 1 << 20, CODE_MAX = 64 };

static sl_str text_of(const struct sl_json *root, const char *name)
{
    const struct sl_json *j = sl_json_member(root, sl_str_of(name));

    return j != NULL && j->type == SL_JSON_STRING ? sl_cleartext_publish(j->text) : (sl_str){ 0 };
}

static sl_rc tree_read(sl_str text, struct sl_arena *a, const struct sl_json **ret,
                       struct sl_err *e)
{
    SL_AUTO(sl_json_parser_freep) struct sl_json_parser *p = NULL;
    enum sl_json_fault fault = SL_JSON_OK;
    sl_cleartext padded;

    SL_TRY(sl_json_parser_new(PARSER_MAX, &p, e));
    SL_TRY(sl_json_padded(sl_cleartext_of(text), a, &padded, e));
    SL_TRY(sl_json_parse(p, padded, a, ret, &fault, e));
    if (fault != SL_JSON_OK || (*ret)->type != SL_JSON_OBJECT) {
        return SL_FAIL(e, SL_UNAVAILABLE, "the answer is no JSON object");
    }
    return SL_OK;
}

static sl_rc kind_check(enum sl_aws_json kind, const struct sl_json *root, struct sl_err *e)
{
    const struct sl_json *version = sl_json_member(root, SL_STR("Version"));
    const sl_str code = text_of(root, "Code");

    if (kind == SL_AWS_JSON_INSTANCE && !sl_str_eq(code, SL_STR("Success"))) {
        const bool is_plain = code.len > 0 && code.len <= CODE_MAX && sl_aws_is_visible(code);

        return SL_FAIL(e, SL_UNAVAILABLE, "the answer has the code %" SL_FMT " and not Success",
                       SL_ARG(is_plain ? code : SL_STR("nothing")));
    }
    if (kind == SL_AWS_JSON_PROCESS &&
        (version == NULL || version->type != SL_JSON_NUMBER ||
         !sl_str_eq(sl_cleartext_publish(version->text), SL_STR("1")))) {
        return SL_FAIL(e, SL_UNAVAILABLE, "the answer does not say Version 1");
    }
    return SL_OK;
}

sl_rc sl_aws_json_read(enum sl_aws_json kind, sl_str text, struct sl_arena *a,
                       struct sl_aws_creds *ret, struct sl_err *e)
{
    const bool is_process = kind == SL_AWS_JSON_PROCESS;
    const struct sl_json *root = NULL;
    struct sl_aws_creds creds;
    sl_str until;

    SL_TRY(tree_read(text, a, &root, e));
    SL_TRY(kind_check(kind, root, e));
    creds = (struct sl_aws_creds){
        .access_key_id = text_of(root, "AccessKeyId"),
        .secret_access_key = text_of(root, "SecretAccessKey"),
        .session_token = text_of(root, is_process ? "SessionToken" : "Token"),
    };
    until = text_of(root, "Expiration");
    if (creds.access_key_id.len == 0 || creds.secret_access_key.len == 0 ||
        !sl_aws_is_visible(creds.access_key_id) || !sl_aws_is_visible(creds.secret_access_key) ||
        !sl_aws_is_visible(creds.session_token)) {
        return SL_FAIL(e, SL_UNAVAILABLE, "the answer has no AccessKeyId and SecretAccessKey");
    }
    if (!sl_clock_read(until, &creds.expires_at_ms) &&
        !(is_process && sl_json_member(root, SL_STR("Expiration")) == NULL)) {
        return SL_FAIL(e, SL_UNAVAILABLE, "the answer has no Expiration that is a time");
    }
    *ret = creds;
    return SL_OK;
}
