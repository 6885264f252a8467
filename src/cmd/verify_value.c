/* cmd/verify_value.c - is a masked value what its method makes?  As far as a method lets one tell. */
#include "cmd/verify_value.h"

#include "base/base64.h"

enum {
    HMAC_BYTES = 32,
    SHA256_CHARS = 64,
};

static const struct {
    enum sl_mask method;
    const char *how;
    const char *bad;
} checks[] = {
    { SL_MASK_SIV, "opened, and masked again", "altered or of another context" },
    { SL_MASK_HMAC, "form and key only", "of another form" },
    { SL_MASK_IP, "opened; a change or another key would not show", "of another form" },
    { SL_MASK_FPE, "opened; a change or another key would not show", "of another form" },
    { SL_MASK_FERNET, "opened", "altered or of another key" },
    { SL_MASK_AES_CBC, "opened; not every change would show", "altered or of another key" },
    { SL_MASK_SHA256, "form only", "of another form" },
    { SL_MASK_BASE64, "form only", "of another form" },
    { SL_MASK_FIXED, "compared with the constant", "something else" },
    { SL_MASK_DROP, "must be null", "not null" },
    { SL_MASK_KEEP, "counted only", "wrong" },
};

static size_t check_find(enum sl_mask method)
{
    size_t i = 0;

    while (i + 1 < sizeof checks / sizeof *checks && checks[i].method != method) {
        i++;
    }
    return i;
}

const char *sl_verify_how(enum sl_mask method)
{
    return checks[check_find(method)].how;
}

const char *sl_verify_bad(enum sl_mask method)
{
    return checks[check_find(method)].bad;
}

static void count(struct sl_tally *t, bool is_ok)
{
    t->ok += is_ok ? 1 : 0;
    t->bad += is_ok ? 0 : 1;
}

/* SL_VALUE says that something is wrong with the value, and is no failure of ours. */
static sl_rc judge(sl_rc rc, const struct sl_err *why, struct sl_tally *t, struct sl_err *e)
{
    if (rc != SL_OK && rc != SL_VALUE) {
        return SL_FAIL(e, rc, "%s", why->msg);
    }
    count(t, rc == SL_OK);
    return SL_OK;
}

/* ---- methods ------------------------------------------------------------------------------------ */

static sl_rc siv_round(const struct sl_verify_column *c, const struct sl_key *key, sl_str token,
                       struct sl_arena *a, struct sl_err *e)
{
    const sl_str context = c->column->masking.context;
    sl_cleartext value = { 0 };
    sl_str again = { 0 };

    SL_TRY(sl_unmask_siv(c->masker, context, token, a, &value, e));
    SL_TRY(sl_mask_siv_under(c->masker, key, context, value, a, &again, e));
    return sl_str_eq(again, token)
               ? SL_OK
               : SL_FAIL(e, SL_VALUE, "masked again, the value gives another token");
}

static sl_rc siv_check(const struct sl_verify_column *c, sl_str token, struct sl_arena *a,
                       struct sl_tally *t, struct sl_err *e)
{
    struct sl_err why = { 0 };
    const struct sl_key *key;
    sl_str kid = { 0 };

    if (!sl_sealed_kid(token, &kid)) {
        count(t, false);
        return SL_OK;
    }
    key = sl_keyring_find(c->ring, kid);
    if (key == NULL) {
        sl_tally_unknown(t, kid);
        return SL_OK;
    }
    return judge(siv_round(c, key, token, a, &why), &why, t, e);
}

/* The key's id of "h1." id "." base64url of 32 bytes; false if it is of another form. */
static bool hmac_kid(sl_str token, sl_str *ret)
{
    const sl_str form = SL_STR("h1.");
    unsigned char tag[HMAC_BYTES];
    sl_str rest = token;
    size_t n = 0;

    if (!sl_str_starts(rest, form)) {
        return false;
    }
    rest.ptr += form.len;
    rest.len -= form.len;
    *ret = sl_str_cut(&rest, '.');
    return sl_key_id_is_valid(*ret) && rest.ptr != NULL &&
           sl_base64_decode(SL_BASE64URL, rest, tag, sizeof tag, &n) && n == sizeof tag;
}

static void hmac_check(const struct sl_verify_column *c, sl_str token, struct sl_tally *t)
{
    sl_str kid = { 0 };

    if (!hmac_kid(token, &kid)) {
        count(t, false);
    } else if (sl_keyring_find(c->ring, kid) == NULL) {
        sl_tally_unknown(t, kid);
    } else {
        count(t, true);
    }
}

static bool is_sha256(sl_str text)
{
    size_t i = 0;

    while (i < text.len && ((text.ptr[i] >= '0' && text.ptr[i] <= '9') ||
                            (text.ptr[i] >= 'a' && text.ptr[i] <= 'f'))) {
        i++;
    }
    return i == text.len && text.len == SHA256_CHARS;
}

static sl_rc opens_check(const struct sl_verify_column *c, sl_str text, struct sl_arena *a,
                         struct sl_tally *t, struct sl_err *e)
{
    struct sl_err why = { 0 };
    sl_cleartext value = { 0 };

    return judge(sl_column_unmask(c->mask, text, a, &value, &why), &why, t, e);
}

sl_rc sl_verify_value(const struct sl_verify_column *c, sl_str text, struct sl_arena *a,
                      struct sl_tally *t, struct sl_err *e)
{
    const struct sl_masking *how = &c->column->masking;

    t->n++;
    /* A constant may be "", and "" is not NULL. */
    if (text.ptr == NULL ||
        (text.len == 0 && how->method != SL_MASK_DROP && how->method != SL_MASK_FIXED)) {
        t->empty++;
        return SL_OK;
    }
    switch (how->method) {
    case SL_MASK_SIV:
        return siv_check(c, text, a, t, e);
    case SL_MASK_HMAC:
        hmac_check(c, text, t);
        return SL_OK;
    case SL_MASK_SHA256:
        count(t, is_sha256(text));
        return SL_OK;
    case SL_MASK_FIXED:
        count(t, sl_str_eq(text, how->value));
        return SL_OK;
    case SL_MASK_DROP:
        count(t, false);
        return SL_OK;
    case SL_MASK_KEEP:
        count(t, true);
        return SL_OK;
    default:
        return opens_check(c, text, a, t, e);
    }
}

/* ---- originals ---------------------------------------------------------------------------------- */

static sl_rc original_gives(const struct sl_verify_column *c, const struct sl_verify_original *o,
                            struct sl_arena *a, bool *ret, struct sl_err *e)
{
    sl_str tokens[SL_KEYRING_MAX];
    struct sl_err why = { 0 };
    unsigned n = 0;
    const sl_rc rc = sl_column_mask_tokens(c->mask, o->value, a, tokens, &n, &why);

    if (rc != SL_OK && rc != SL_VALUE) {
        return SL_FAIL(e, rc, "%s", why.msg);
    }
    for (unsigned i = 0; rc == SL_OK && i < n; i++) {
        *ret = *ret || sl_str_eq(tokens[i], o->token);
    }
    return SL_OK;
}

/* Whether a column's tokens are of this one's kind, and can still be made. */
static bool makes_such(const struct sl_verify_column *c, const struct sl_verify_original *o)
{
    const struct sl_masking *how = &c->column->masking;
    sl_str kid = { 0 };
    const bool is_hmac = hmac_kid(o->token, &kid);

    if ((sl_mask_flags(how->method) & SL_MASK_ONE_WAY) == 0 ||
        !sl_str_eq(how->context, o->context)) {
        return false;
    }
    return how->method != SL_MASK_HMAC || !is_hmac || sl_keyring_find(c->ring, kid) != NULL;
}

sl_rc sl_verify_original(const struct sl_verify_column *columns, unsigned n,
                         const struct sl_verify_original *o, struct sl_arena *a,
                         enum sl_original *ret, struct sl_err *e)
{
    bool is_known = false;
    bool is_ok = false;

    for (unsigned i = 0; i < n && !is_ok; i++) {
        if (makes_such(&columns[i], o)) {
            is_known = true;
            SL_TRY(original_gives(&columns[i], o, a, &is_ok, e));
        }
    }
    *ret = is_ok ? SL_ORIGINAL_OK : is_known ? SL_ORIGINAL_WRONG : SL_ORIGINAL_FOREIGN;
    return SL_OK;
}
