/* net/aws_kms.c - AWS's Key Management Service. */
#include "net/aws_kms.h"

#include "config/arn.h"

enum {
    BODY_MAX = 16 << 10,
    ARENA_MAX = 1 << 20,
    SHOWN_MAX = 100, /* of what is no ARN */
};

/* One action: what it is called, what it takes, and what it gives. */
struct action {
    const char *name;
    const char *takes;
    const char *gives;
};

sl_rc sl_aws_kms_open(struct sl_aws_service *kms, const struct sl_config *cfg, sl_str arn,
                      const struct sl_stop *stop, struct sl_err *e)
{
    const sl_str clipped = { arn.ptr, arn.len < SHOWN_MAX ? arn.len : SHOWN_MAX };
    struct sl_arn key;

    *kms = (struct sl_aws_service){ .title = "KMS",
                                    .name = "kms",
                                    .id = "kms",
                                    .variable = "AWS_ENDPOINT_URL_KMS",
                                    .refusal = SL_KEY };
    if (!sl_arn_read(arn, &key) || !sl_str_eq(key.service, SL_STR("kms"))) {
        return SL_FAIL(e, SL_KEY,
                       "\"%" SL_FMT "\" is not the ARN of a KMS key, such as "
                       "arn:aws:kms:eu-west-1:123456789012:key/...",
                       SL_ARG(clipped));
    }
    return sl_aws_service_open(kms, cfg, key.region, stop, e);
}

static sl_rc kms_ask(struct sl_aws_service *kms, const struct action *action, sl_str arn, sl_str id,
                     sl_str text, struct sl_buf *out, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf body = { .max_bytes = BODY_MAX };
    SL_AUTO(sl_arena_done) struct sl_arena a;
    const struct sl_json *answer = NULL;
    sl_str given;

    sl_arena_init(&a, ARENA_MAX, 4096);
    sl_buf_add_str(&body, SL_STR("{\"KeyId\":"));
    sl_buf_add_json(&body, arn);
    sl_buf_add_str(&body, SL_STR(",\"EncryptionContext\":{\"sluice\":"));
    sl_buf_add_json(&body, id);
    sl_buf_printf(&body, "},\"%s\":", action->takes);
    sl_buf_add_json(&body, text);
    sl_buf_add_char(&body, '}');
    SL_TRY(sl_buf_rc(&body, e));
    SL_TRY(sl_aws_service_ask(kms, action->name, sl_buf_str(&body), &a, &answer, e));
    given = sl_aws_service_text(answer, action->gives);
    if (given.len == 0) {
        return SL_FAIL(e, SL_UNAVAILABLE, "KMS gave no %s, or the endpoint is not one",
                       action->gives);
    }
    sl_buf_add_str(out, given);
    return sl_buf_rc(out, e);
}

sl_rc sl_aws_kms_encrypt(struct sl_aws_service *kms, sl_str arn, sl_str id, sl_str plain,
                         struct sl_buf *out, struct sl_err *e)
{
    static const struct action encrypt = { "TrentService.Encrypt", "Plaintext", "CiphertextBlob" };

    return kms_ask(kms, &encrypt, arn, id, plain, out, e);
}

sl_rc sl_aws_kms_decrypt(struct sl_aws_service *kms, sl_str arn, sl_str id, sl_str cipher,
                         struct sl_buf *out, struct sl_err *e)
{
    static const struct action decrypt = { "TrentService.Decrypt", "CiphertextBlob", "Plaintext" };

    return kms_ask(kms, &decrypt, arn, id, cipher, out, e);
}
