/* net/aws_secret.c - a secret of AWS Secrets Manager. */
#include "net/aws_secret.h"

#include "config/arn.h"

enum {
    BODY_MAX = 4096,
    ARENA_MAX = 8 << 20,
};

static sl_rc secret_ask(struct sl_aws_service *s, sl_str arn, struct sl_buf *out, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf body = { .max_bytes = BODY_MAX };
    SL_AUTO(sl_arena_done) struct sl_arena a;
    const struct sl_json *answer = NULL;
    sl_str text;

    sl_arena_init(&a, ARENA_MAX, 16 << 10);
    sl_buf_add_str(&body, SL_STR("{\"SecretId\":"));
    sl_buf_add_json(&body, arn);
    sl_buf_add_char(&body, '}');
    SL_TRY(sl_buf_rc(&body, e));
    SL_TRY(
        sl_aws_service_ask(s, "secretsmanager.GetSecretValue", sl_buf_str(&body), &a, &answer, e));
    text = sl_aws_service_text(answer, "SecretString");
    if (text.len == 0) {
        return SL_FAIL(e, s->refusal, "the secret has no text, but bytes or nothing");
    }
    sl_buf_add_str(out, text);
    return sl_buf_rc(out, e);
}

sl_rc sl_aws_secret_read(const struct sl_config *cfg, sl_str arn, sl_rc refusal,
                         const struct sl_stop *stop, struct sl_buf *out, struct sl_err *e)
{
    SL_AUTO(sl_aws_service_close)
    struct sl_aws_service s = { .title = "Secrets Manager",
                                .name = "secretsmanager",
                                .id = "secrets_manager",
                                .variable = "AWS_ENDPOINT_URL_SECRETS_MANAGER",
                                .refusal = refusal };
    struct sl_arn secret;

    if (!sl_arn_read(arn, &secret)) {
        return SL_FAIL(e, refusal, "that is not the ARN of a secret");
    }
    SL_TRY(sl_aws_service_open(&s, cfg, secret.region, stop, e));
    return secret_ask(&s, arn, out, e);
}
