/* keys/key_kms.c - a key file whose keys are wrapped by AWS KMS. */
#include "keys/key_kms.h"

#include "base/base64.h"
#include "keys/key_io.h"
#include "keys/key_line.h"
#include "net/aws_kms.h"

static const char file_head[] =
    "# sluice key ring, wrapped by AWS KMS: it takes kms:Decrypt of the key below to use it.\n"
    "# Without that key the originals are lost, for good: keep it from being deleted.\n"
    "# One key: base64 -d, then aws kms decrypt --encryption-context sluice=ID\n"
    "# id state kms:ciphertext check_value; states: active (exactly one), decrypt, retired\n";

/* ---- wrap ------------------------------------------------------------------------------------ */

static sl_rc key_wrap(struct sl_aws_service *kms, sl_str arn, const struct sl_key *key,
                      struct sl_buf *out, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf plain = { .max_bytes = 64 };
    char *place;

    if (key->master == NULL) {
        sl_buf_add_str(out, SL_STR(SL_KEY_DESTROYED));
        return sl_buf_rc(out, e);
    }
    place = sl_buf_reserve(&plain, sl_base64_chars(SL_BASE64, SL_KEY_BYTES));
    if (place == NULL) {
        return sl_buf_rc(&plain, e);
    }
    plain.len = sl_base64_encode(SL_BASE64, key->master, SL_KEY_BYTES, place);
    sl_buf_add_str(out, SL_STR(SL_KEY_WRAPPED));
    return sl_aws_kms_encrypt(kms, arn, sl_str_of(key->id), sl_buf_str(&plain), out, e);
}

sl_rc sl_key_kms_wrap(const struct sl_keyring *ring, const struct sl_config *cfg, sl_str arn,
                      struct sl_buf *out, struct sl_err *e)
{
    SL_AUTO(sl_aws_service_close) struct sl_aws_service kms = { 0 };

    SL_TRY(sl_aws_kms_open(&kms, cfg, arn, NULL, e));
    sl_buf_printf(out, "%skms %" SL_FMT "\n", file_head, SL_ARG(arn));
    for (unsigned i = 0; i < sl_keyring_n(ring); i++) {
        const struct sl_key *key = sl_keyring_at(ring, i);

        sl_buf_printf(out, "%s %s ", key->id, sl_key_state_name(key->state));
        SL_TRY(key_wrap(&kms, arn, key, out, e));
        sl_buf_printf(out, " %s\n", key->check);
    }
    return sl_buf_rc(out, e);
}

/* ---- unwrap ---------------------------------------------------------------------------------- */

/* A file on its way back. */
struct unwrapping {
    const struct sl_config *cfg;
    const struct sl_stop *stop;
    struct sl_aws_service kms;
    sl_str arn; /* "" until its line was read */
    struct sl_buf *out;
};

static void unwrapping_done(struct unwrapping *u)
{
    sl_aws_service_close(&u->kms);
}

static sl_rc unwrap_key(struct unwrapping *u, const struct sl_key_line *line, struct sl_err *e)
{
    const sl_str head = SL_STR(SL_KEY_WRAPPED);
    const sl_str cipher = { line->key.ptr + head.len, line->key.len - head.len };

    if (u->arn.len == 0) {
        return SL_FAIL(e, SL_KEY, "no line before it says which key of KMS: kms KEY_ARN");
    }
    if (u->kms.title == NULL) {
        SL_TRY(sl_aws_kms_open(&u->kms, u->cfg, u->arn, u->stop, e));
    }
    return sl_aws_kms_decrypt(&u->kms, u->arn, line->id, cipher, u->out, e);
}

static sl_rc unwrap_line(struct unwrapping *u, sl_str text, struct sl_err *e)
{
    const sl_str head = SL_STR("kms ");
    struct sl_key_line line;

    if (sl_key_line_is_plain(text)) {
        return SL_OK;
    }
    if (sl_str_starts(text, head) &&
        memchr(text.ptr + head.len, ' ', text.len - head.len) == NULL) {
        u->arn = (sl_str){ text.ptr + head.len, text.len - head.len };
        sl_aws_service_close(&u->kms); /* this one may be in another region */
        u->kms = (struct sl_aws_service){ 0 };
        return SL_OK;
    }
    SL_TRY(sl_key_line_split(text, &line, e));
    sl_buf_printf(u->out, "%" SL_FMT " %" SL_FMT " ", SL_ARG(line.id), SL_ARG(line.state));
    if (sl_str_starts(line.key, SL_STR(SL_KEY_WRAPPED))) {
        SL_TRY(unwrap_key(u, &line, e));
    } else if (sl_str_eq(line.key, SL_STR(SL_KEY_DESTROYED))) {
        sl_buf_add_str(u->out, line.key);
    } else {
        return SL_FAIL(e, SL_KEY, "the key is not wrapped: sluice keys wrap makes such a file");
    }
    sl_buf_printf(u->out, " %" SL_FMT, SL_ARG(line.check));
    return sl_buf_rc(u->out, e);
}

/* A line for a line: what is wrong with one later still has its number. */
sl_rc sl_key_kms_unwrap(const char *name, sl_str text, const struct sl_config *cfg,
                        const struct sl_stop *stop, struct sl_buf *out, struct sl_err *e)
{
    SL_AUTO(unwrapping_done)
    struct unwrapping u = { .cfg = cfg, .stop = stop, .out = out };
    struct sl_err why = { 0 };

    for (unsigned number = 1; text.len > 0; number++) {
        const sl_rc rc = unwrap_line(&u, sl_str_trim(sl_str_cut(&text, '\n')), &why);

        if (rc != SL_OK) {
            return SL_FAIL(e, rc, "keys from %s:%u: %.1000s", name, number, why.msg);
        }
        sl_buf_add_char(out, '\n');
    }
    return sl_buf_rc(out, e);
}
