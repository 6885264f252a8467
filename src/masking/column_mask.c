/* masking/column_mask.c - one column's method with its keys, ready for values. */
#include "masking/column_mask.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "base/base64.h"
#include "base/hmac.h"
#include "masking/cbc.h"
#include "masking/digest.h"
#include "masking/fernet.h"
#include "masking/fpe.h"
#include "masking/ipcrypt.h"
#include "masking/keep.h"
#include "masking/normalize.h"

enum {
    KEY_BYTES = 32,
    IV_BYTES = 16,
    HMAC_BYTES = 32,
    HMAC_CHARS = 43, /* of base64url */
};

/* Only the method's own member is set. */
struct sl_column_mask {
    struct sl_masking how;
    const struct sl_keyring *ring;
    struct sl_masker *masker;
    unsigned normalize;
    struct sl_hmac *hmacs[SL_KEYRING_MAX]; /* by place in the ring, made when first used */
    struct sl_ipcrypt *ipcrypt;
    struct sl_fpe *fpe;
    struct sl_keep keep;
    struct sl_fernet *fernet;
    struct sl_cbc *cbc;
    struct sl_digest *digest;
};

/* ---- options ------------------------------------------------------------------------------- */

static sl_rc options_normalize(const struct sl_masking *how, unsigned *ret, struct sl_err *e)
{
    *ret = 0;
    if (how->normalize.len > 0 && !sl_normalize_parse(how->normalize, ret)) {
        return SL_FAIL(e, SL_CONFIG,
                       "normalize takes ip, lower, trim and nfc, each once, with commas between");
    }
    return SL_OK;
}

static sl_rc options_keep(const struct sl_masking *how, struct sl_keep *ret, struct sl_err *e)
{
    return sl_keep_parse(how->keep, ret)
               ? SL_OK
               : SL_FAIL(e, SL_CONFIG,
                         "keep takes first N, last N, /BITS (IPv4 up to 31, IPv6 above), two of "
                         "these, domain or year");
}

static sl_rc options_keys(const struct sl_masking *how, unsigned char key[static KEY_BYTES],
                          unsigned char iv[static IV_BYTES], struct sl_err *e)
{
    struct sl_err why = { 0 };
    sl_rc rc = how->method == SL_MASK_FERNET ? sl_fernet_key(how->key, key, &why)
                                             : sl_cbc_bytes(how->key, KEY_BYTES, key, &why);

    if (rc != SL_OK) {
        return SL_FAIL(e, SL_CONFIG, "key: %s", why.msg);
    }
    rc = how->method == SL_MASK_AES_CBC ? sl_cbc_bytes(how->iv, IV_BYTES, iv, &why) : SL_OK;
    return rc == SL_OK ? rc : SL_FAIL(e, SL_CONFIG, "iv: %s", why.msg);
}

sl_rc sl_column_mask_check(const struct sl_masking *how, struct sl_err *e)
{
    unsigned char key[KEY_BYTES];
    unsigned char iv[IV_BYTES];
    struct sl_keep keep;
    unsigned normalize;
    sl_rc rc;

    SL_TRY(options_normalize(how, &normalize, e));
    switch (how->method) {
    case SL_MASK_KEEP:
        return options_keep(how, &keep, e);
    case SL_MASK_FPE:
        return sl_fpe_check(how->alphabet, how->format, e);
    case SL_MASK_FERNET:
    case SL_MASK_AES_CBC:
        rc = options_keys(how, key, iv, e);
        OPENSSL_cleanse(key, sizeof key);
        return rc;
    default:
        return SL_OK;
    }
}

sl_rc sl_column_masks_check(const struct sl_config *cfg, struct sl_err *e)
{
    for (unsigned i = 0; i < cfg->columns_n; i++) {
        const struct sl_column *column = &cfg->columns[i];
        struct sl_err why = { 0 };
        const sl_rc rc = sl_column_mask_check(&column->masking, &why);

        if (rc != SL_OK) {
            return SL_FAIL(e, rc, "%" SL_FMT ":%u: column %" SL_FMT ": %.900s", SL_ARG(cfg->file),
                           column->line, SL_ARG(column->name), why.msg);
        }
    }
    return SL_OK;
}

bool sl_column_mask_warning(enum sl_mask method, char out[static SL_MASK_WARNING_MAX])
{
    struct sl_digest *digest = NULL;

    switch (method) {
    case SL_MASK_BASE64:
        (void)snprintf(out, SL_MASK_WARNING_MAX,
                       "mask: base64 is an encoding, no masking: everybody reads it in no time");
        return true;
    case SL_MASK_SHA256:
        if (sl_digest_new(&digest, NULL) != SL_OK) {
            return false;
        }
        (void)snprintf(
            out, SL_MASK_WARNING_MAX,
            "mask: sha256 is reversed by trying: every IPv4 address in %.0f s on one core "
            "of this machine; hmac is not",
            sl_digest_ipv4_seconds(digest));
        sl_digest_free(digest);
        return true;
    case SL_MASK_FERNET:
        (void)snprintf(out, SL_MASK_WARNING_MAX,
                       "mask: fernet makes equal values differ: nothing joins, and no duplicates "
                       "are found");
        return true;
    default:
        return false;
    }
}

/* ---- making --------------------------------------------------------------------------------- */

/* The key of a method whose results cannot name one.  With several in the ring it must be said:
 * their order is nothing that a column's results may hang on. */
static sl_rc column_key(const struct sl_column_mask *c, const struct sl_key **ret, struct sl_err *e)
{
    const sl_str kid = c->how.kid;
    const sl_str id = kid.len > 0 ? kid : sl_str_of(sl_keyring_at(c->ring, 0)->id);
    const struct sl_key *key = sl_keyring_find(c->ring, id);

    if (kid.len == 0 && sl_keyring_n(c->ring) > 1) {
        return SL_FAIL(e, SL_KEY,
                       "the ring has %u keys and the results of mask: %s cannot name theirs; say "
                       "which with kid",
                       sl_keyring_n(c->ring), sl_mask_name(c->how.method));
    }
    if (key == NULL) {
        return SL_FAIL(e, SL_KEY, "key %" SL_FMT " is not in the key ring, or is retired",
                       SL_ARG(id));
    }
    *ret = key;
    return SL_OK;
}

static sl_rc make_ip(struct sl_column_mask *c, struct sl_err *e)
{
    const bool is_prefix = c->how.ip == SL_IP_PREFIX;
    unsigned char bytes[KEY_BYTES];
    const struct sl_key *key;
    sl_rc rc;

    SL_TRY(column_key(c, &key, e));
    SL_TRY(sl_key_derive(key, is_prefix ? "ipcrypt-pfx" : "ipcrypt-det", c->how.context, bytes,
                         is_prefix ? KEY_BYTES : KEY_BYTES / 2, e));
    rc = sl_ipcrypt_new(is_prefix ? SL_IPCRYPT_PREFIX : SL_IPCRYPT_DETERMINISTIC, bytes,
                        &c->ipcrypt, e);
    OPENSSL_cleanse(bytes, sizeof bytes);
    return rc;
}

static sl_rc make_fpe(struct sl_column_mask *c, struct sl_err *e)
{
    unsigned char bytes[KEY_BYTES];
    const struct sl_key *key;
    sl_rc rc;

    SL_TRY(column_key(c, &key, e));
    SL_TRY(sl_key_derive(key, "ff1", c->how.context, bytes, sizeof bytes, e));
    rc = sl_fpe_new(bytes, c->how.context, c->how.alphabet, c->how.format, &c->fpe, e);
    OPENSSL_cleanse(bytes, sizeof bytes);
    return rc;
}

static sl_rc make_keyed(struct sl_column_mask *c, struct sl_err *e)
{
    unsigned char key[KEY_BYTES];
    unsigned char iv[IV_BYTES];
    sl_rc rc = options_keys(&c->how, key, iv, e);

    if (rc == SL_OK) {
        rc = c->how.method == SL_MASK_FERNET ? sl_fernet_new(key, &c->fernet, e)
                                             : sl_cbc_new(key, iv, &c->cbc, e);
    }
    OPENSSL_cleanse(key, sizeof key);
    return rc;
}

static sl_rc make_method(struct sl_column_mask *c, struct sl_err *e)
{
    SL_TRY(sl_column_mask_check(&c->how, e));
    SL_TRY(options_normalize(&c->how, &c->normalize, e));
    switch (c->how.method) {
    case SL_MASK_IP:
        return make_ip(c, e);
    case SL_MASK_FPE:
        return make_fpe(c, e);
    case SL_MASK_KEEP:
        return options_keep(&c->how, &c->keep, e);
    case SL_MASK_FERNET:
    case SL_MASK_AES_CBC:
        return make_keyed(c, e);
    case SL_MASK_SHA256:
        return sl_digest_new(&c->digest, e);
    default:
        return SL_OK;
    }
}

sl_rc sl_column_mask_new(const struct sl_masking *how, const struct sl_keyring *ring,
                         struct sl_masker *m, struct sl_column_mask **ret, struct sl_err *e)
{
    struct sl_column_mask *c = calloc(1, sizeof *c);
    sl_rc rc;

    if (c == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not prepare the mask of a column");
    }
    c->how = *how;
    c->ring = ring;
    c->masker = m;
    rc = make_method(c, e);
    if (rc != SL_OK) {
        sl_column_mask_free(c);
        return rc;
    }
    *ret = c;
    return SL_OK;
}

void sl_column_mask_free(struct sl_column_mask *c)
{
    if (c == NULL) {
        return;
    }
    for (unsigned i = 0; i < SL_KEYRING_MAX; i++) {
        sl_hmac_free(c->hmacs[i]);
    }
    sl_ipcrypt_free(c->ipcrypt);
    sl_fpe_free(c->fpe);
    sl_fernet_free(c->fernet);
    sl_cbc_free(c->cbc);
    sl_digest_free(c->digest);
    free(c);
}

sl_rc sl_masks_open(const struct sl_config *cfg, const struct sl_keyring *ring,
                    struct sl_masks *ret, struct sl_err *e)
{
    *ret = (struct sl_masks){ .of = calloc(cfg->columns_n + 1, sizeof(struct sl_column_mask *)),
                              .n = cfg->columns_n };
    if (ret->of == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not prepare the masks");
    }
    SL_TRY(sl_masker_new(ring, &ret->masker, e));
    for (unsigned i = 0; i < cfg->columns_n; i++) {
        const struct sl_column *column = &cfg->columns[i];
        struct sl_err why = { 0 };

        if (column->masking.method != SL_MASK_NONE) {
            const sl_rc rc =
                sl_column_mask_new(&column->masking, ring, ret->masker, &ret->of[i], &why);

            if (rc != SL_OK) {
                return SL_FAIL(e, rc, "column %" SL_FMT ": %.900s", SL_ARG(column->name), why.msg);
            }
        }
    }
    return SL_OK;
}

void sl_masks_close(struct sl_masks *masks)
{
    for (unsigned i = 0; masks->of != NULL && i < masks->n; i++) {
        sl_column_mask_free(masks->of[i]);
    }
    free(masks->of);
    sl_masker_free(masks->masker);
    *masks = (struct sl_masks){ 0 };
}

/* ---- masking --------------------------------------------------------------------------------- */

static sl_rc column_hmac(struct sl_column_mask *c, unsigned at, struct sl_hmac **ret,
                         struct sl_err *e)
{
    unsigned char bytes[KEY_BYTES];
    sl_rc rc = SL_OK;

    if (c->hmacs[at] == NULL) {
        SL_TRY(sl_key_derive(sl_keyring_at(c->ring, at), "hmac", c->how.context, bytes,
                             sizeof bytes, e));
        rc = sl_hmac_new(bytes, sizeof bytes, &c->hmacs[at], e);
        OPENSSL_cleanse(bytes, sizeof bytes);
    }
    *ret = c->hmacs[at];
    return rc;
}

/* "h1." id "." base64url(HMAC-SHA-256(K, value)), under the key at a place of the ring. */
static sl_rc hmac_token(struct sl_column_mask *c, unsigned at, sl_cleartext value,
                        struct sl_arena *a, sl_str *ret, struct sl_err *e)
{
    unsigned char tag[HMAC_BYTES];
    char text[HMAC_CHARS];
    struct sl_hmac *hmac;
    size_t n;

    SL_TRY(column_hmac(c, at, &hmac, e));
    SL_TRY(sl_hmac_of(hmac, value, tag, e));
    n = sl_base64_encode(SL_BASE64URL, tag, sizeof tag, text);
    *ret = sl_arena_printf(a, "h1.%s.%.*s", sl_keyring_at(c->ring, at)->id, (int)n, text);
    return ret->ptr != NULL ? SL_OK : SL_FAIL(e, SL_NOMEM, "no room for a masked value");
}

static unsigned active_place(const struct sl_keyring *ring)
{
    unsigned at = 0;

    while (sl_keyring_at(ring, at) != sl_keyring_active(ring)) {
        at++;
    }
    return at;
}

static sl_rc method_mask(struct sl_column_mask *c, sl_cleartext value, struct sl_arena *a,
                         sl_str *ret, struct sl_err *e)
{
    switch (c->how.method) {
    case SL_MASK_SIV:
        return sl_mask_siv(c->masker, c->how.context, value, a, ret, e);
    case SL_MASK_HMAC:
        return hmac_token(c, active_place(c->ring), value, a, ret, e);
    case SL_MASK_IP:
        return sl_ipcrypt_mask(c->ipcrypt, value, a, ret, e);
    case SL_MASK_FPE:
        return sl_fpe_mask(c->fpe, value, a, ret, e);
    case SL_MASK_KEEP:
        return sl_keep_mask(&c->keep, value, a, ret, e);
    case SL_MASK_FERNET:
        return sl_fernet_mask(c->fernet, value, a, ret, e);
    case SL_MASK_AES_CBC:
        return sl_cbc_mask(c->cbc, value, a, ret, e);
    case SL_MASK_SHA256:
        return sl_digest_of(c->digest, value, a, ret, e);
    case SL_MASK_BASE64:
        return sl_plain_base64(value, a, ret, e);
    default:
        return SL_FAIL(e, SL_BUG, "a column without a mask was masked");
    }
}

sl_rc sl_column_mask_value(struct sl_column_mask *c, sl_cleartext value, struct sl_arena *a,
                           sl_str *ret, struct sl_err *e)
{
    if (c->how.method == SL_MASK_DROP || c->how.method == SL_MASK_FIXED) {
        *ret = c->how.method == SL_MASK_FIXED ? c->how.value : (sl_str){ 0 };
        return SL_OK;
    }
    if (c->normalize != 0) {
        SL_TRY(sl_normalize(c->normalize, value, a, &value, e));
    }
    if (value.len == 0) {
        *ret = SL_STR("");
        return SL_OK;
    }
    return method_mask(c, value, a, ret, e);
}

sl_rc sl_column_mask_tokens(struct sl_column_mask *c, sl_cleartext value, struct sl_arena *a,
                            sl_str *ret, unsigned *ret_n, struct sl_err *e)
{
    const bool is_siv = c->how.method == SL_MASK_SIV;
    unsigned n = 0;

    if ((sl_mask_flags(c->how.method) & SL_MASK_JOINS) == 0) {
        return SL_FAIL(e, SL_VALUE, "the results of mask: %s cannot be searched for",
                       sl_mask_name(c->how.method));
    }
    if (c->normalize != 0) {
        SL_TRY(sl_normalize(c->normalize, value, a, &value, e));
    }
    if (value.len == 0) {
        return SL_FAIL(e, SL_VALUE, "the value is empty once it is normalized: it has no token");
    }
    if ((sl_mask_flags(c->how.method) & SL_MASK_HAS_KID) == 0) {
        *ret_n = 1;
        return method_mask(c, value, a, ret, e);
    }
    for (unsigned i = 0; i < sl_keyring_n(c->ring); i++) {
        const struct sl_key *key = sl_keyring_at(c->ring, i);

        if (key->state == SL_KEY_RETIRED) {
            continue;
        }
        SL_TRY(is_siv ? sl_mask_siv_under(c->masker, key, c->how.context, value, a, &ret[n], e)
                      : hmac_token(c, i, value, a, &ret[n], e));
        n++;
    }
    *ret_n = n;
    return SL_OK;
}

/* ---- recovery -------------------------------------------------------------------------------- */

sl_rc sl_column_unmask(struct sl_column_mask *c, sl_str masked, struct sl_arena *a,
                       sl_cleartext *ret, struct sl_err *e)
{
    if (masked.len == 0) {
        *ret = sl_cleartext_of(SL_STR(""));
        return SL_OK;
    }
    switch (c->how.method) {
    case SL_MASK_SIV:
        return sl_unmask_siv(c->masker, c->how.context, masked, a, ret, e);
    case SL_MASK_IP:
        return sl_ipcrypt_unmask(c->ipcrypt, masked, a, ret, e);
    case SL_MASK_FPE:
        return sl_fpe_unmask(c->fpe, masked, a, ret, e);
    case SL_MASK_FERNET:
        return sl_fernet_open(c->fernet, masked, a, ret, e);
    case SL_MASK_AES_CBC:
        return sl_cbc_unmask(c->cbc, masked, a, ret, e);
    case SL_MASK_BASE64:
        return sl_plain_base64_back(masked, a, ret, e);
    default:
        return SL_FAIL(e, SL_VALUE, "mask: %s cannot be reversed%s", sl_mask_name(c->how.method),
                       (sl_mask_flags(c->how.method) & SL_MASK_ONE_WAY) != 0
                           ? "; a vault, where there is one, has the values"
                           : "");
    }
}
