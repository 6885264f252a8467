/* masking/masker.c - cleartext becomes tokens, and tokens cleartext again. */
#include "masking/masker.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "base/base64.h"
#include "masking/siv.h"

enum {
    BLOCK = SL_SIV_BLOCK,
    SLOTS_MAX = 256,                      /* contexts in use; beyond, the oldest are made anew */
    PADDED_MAX = SL_MASK_VALUE_MAX + 1,   /* bytes of a padded value */
    RAW_MAX = BLOCK + PADDED_MAX,         /* bytes of V || C in a token */
    BODY_MAX = 64 * 1024 * 1024,          /* bytes */
    SEAL_ID_MAX = 256,                    /* bytes; a message id of SQS has 128 at most */
    HEAD_MAX = 3 + SL_KEY_ID_MAX + 1,     /* characters of "v1." id "." */
    AAD_MAX = HEAD_MAX + 12 + SEAL_ID_MAX /* longer than with any context */
};

#define FORM        SL_STR("v1.")
#define DEAD_LETTER SL_STR("dead_letter")
#define LEDGER      SL_STR("ledger")
#define VAULT       SL_STR("vault")

/* The contexts of one key for one context of use. */
struct mask_slot {
    const struct sl_key *key;
    size_t context_len;
    char context[SL_CONTEXT_MAX];
    struct sl_siv *siv;
    struct sl_siv_aad aad;
};

struct sl_masker {
    const struct sl_keyring *ring;
    EVP_CIPHER *aes;
    unsigned n;
    unsigned oldest;
    struct mask_slot *slots[SLOTS_MAX];
};

static void slot_free(struct mask_slot *slot)
{
    if (slot != NULL) {
        sl_siv_free(slot->siv);
        OPENSSL_cleanse(slot, sizeof *slot);
        free(slot);
    }
}

static sl_rc slot_fill(struct mask_slot *slot, const EVP_CIPHER *aes, sl_str context,
                       struct sl_err *e)
{
    unsigned char key[SL_SIV_KEY_BYTES];
    char text[AAD_MAX + 1];
    int len;
    sl_rc rc;

    SL_TRY(sl_key_derive(slot->key, "siv", context, key, sizeof key, e));
    rc = sl_siv_new(aes, key, &slot->siv, e);
    OPENSSL_cleanse(key, sizeof key);
    SL_TRY(rc);
    /* sl_key_derive has seen to the context's length. */
    memcpy(slot->context, context.ptr, context.len);
    slot->context_len = context.len;
    len = snprintf(text, sizeof text, "v1.%s.%" SL_FMT, slot->key->id, SL_ARG(context));
    return sl_siv_aad_init(&slot->aad, slot->siv, (sl_str){ text, (size_t)len }, e);
}

static sl_rc slot_new(const struct sl_key *key, const EVP_CIPHER *aes, sl_str context,
                      struct mask_slot **ret, struct sl_err *e)
{
    struct mask_slot *slot = calloc(1, sizeof *slot);
    sl_rc rc;

    if (slot == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not allocate a masking context");
    }
    slot->key = key;
    rc = slot_fill(slot, aes, context, e);
    if (rc != SL_OK) {
        slot_free(slot);
        return rc;
    }
    *ret = slot;
    return SL_OK;
}

static bool slot_is(const struct mask_slot *slot, const struct sl_key *key, sl_str context)
{
    return slot->key == key && sl_str_eq((sl_str){ slot->context, slot->context_len }, context);
}

static sl_rc masker_slot(struct sl_masker *m, const struct sl_key *key, sl_str context,
                         const struct mask_slot **ret, struct sl_err *e)
{
    struct mask_slot *made = NULL;
    unsigned at = m->n;

    for (unsigned i = 0; i < m->n; i++) {
        if (slot_is(m->slots[i], key, context)) {
            *ret = m->slots[i];
            return SL_OK;
        }
    }
    SL_TRY(slot_new(key, m->aes, context, &made, e));
    if (m->n == SLOTS_MAX) {
        at = m->oldest;
        m->oldest = (m->oldest + 1) % SLOTS_MAX;
        slot_free(m->slots[at]);
    } else {
        m->n++;
    }
    m->slots[at] = made;
    *ret = made;
    return SL_OK;
}

sl_rc sl_masker_new(const struct sl_keyring *ring, struct sl_masker **ret, struct sl_err *e)
{
    struct sl_masker *m = calloc(1, sizeof *m);
    sl_rc rc;

    if (m == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not allocate a masker");
    }
    m->ring = ring;
    rc = sl_siv_fetch(SL_SIV_KEY_BYTES, &m->aes, e);
    if (rc != SL_OK) {
        sl_masker_free(m);
        return rc;
    }
    *ret = m;
    return SL_OK;
}

void sl_masker_free(struct sl_masker *m)
{
    if (m == NULL) {
        return;
    }
    for (unsigned i = 0; i < m->n; i++) {
        slot_free(m->slots[i]);
    }
    EVP_CIPHER_free(m->aes);
    free(m);
}

static size_t pad_bytes(size_t n)
{
    return n / BLOCK * BLOCK + BLOCK;
}

/* ISO/IEC 7816-4: 0x80, then zeros to the end of the block. */
static void pad_add(unsigned char *p, size_t n)
{
    p[n] = 0x80;
    memset(p + n + 1, 0, pad_bytes(n) - n - 1);
}

static bool pad_strip(const unsigned char *p, size_t n, size_t *ret_n)
{
    const size_t last = n - BLOCK;

    while (n > last && p[n - 1] == 0) {
        n--;
    }
    if (n == last || p[n - 1] != 0x80) {
        return false;
    }
    *ret_n = n - 1;
    return true;
}

/* Write "v1." id "."; out has room for HEAD_MAX. */
static size_t head_put(char *out, const struct sl_key *key)
{
    const sl_str form = FORM;
    const size_t id = strlen(key->id);

    memcpy(out, form.ptr, form.len);
    memcpy(out + form.len, key->id, id);
    out[form.len + id] = '.';
    return form.len + id + 1;
}

/* Cut "v1." id "." off the front of `s`. */
static bool head_cut(sl_str *s, sl_str *ret_id)
{
    const sl_str form = FORM;
    sl_str rest = *s;
    sl_str id;

    if (!sl_str_starts(rest, form)) {
        return false;
    }
    rest.ptr += form.len;
    rest.len -= form.len;
    id = sl_str_cut(&rest, '.');
    if (rest.ptr == NULL || !sl_key_id_is_valid(id)) {
        return false;
    }
    *s = rest;
    *ret_id = id;
    return true;
}

static sl_rc masker_key(const struct sl_masker *m, sl_str id, const struct sl_key **ret,
                        struct sl_err *e)
{
    const struct sl_key *key = sl_keyring_find(m->ring, id);

    if (key == NULL) {
        return SL_FAIL(e, SL_VALUE, "key %" SL_FMT " is not in the key ring, or is retired",
                       SL_ARG(id));
    }
    *ret = key;
    return SL_OK;
}

static sl_rc masker_full(const struct sl_arena *a, struct sl_err *e)
{
    return SL_FAIL(e, SL_NOMEM, "no room for a masked value: arena holds %zu of %zu bytes",
                   a->held_bytes, a->max_bytes);
}

sl_rc sl_mask_siv(struct sl_masker *m, sl_str context, sl_cleartext value, struct sl_arena *a,
                  sl_str *ret, struct sl_err *e)
{
    return sl_mask_siv_under(m, sl_keyring_active(m->ring), context, value, a, ret, e);
}

sl_rc sl_mask_siv_under(struct sl_masker *m, const struct sl_key *key, sl_str context,
                        sl_cleartext value, struct sl_arena *a, sl_str *ret, struct sl_err *e)
{
    const struct mask_slot *slot = NULL;
    unsigned char padded[PADDED_MAX];
    unsigned char raw[RAW_MAX];
    const size_t n = pad_bytes(value.len);
    char *token;
    size_t len;
    sl_rc rc;

    SL_TRY(masker_slot(m, key, context, &slot, e));
    if (value.len == 0) {
        *ret = SL_STR("");
        return SL_OK;
    }
    if (value.len > SL_MASK_VALUE_MAX) {
        return SL_FAIL(e, SL_VALUE, "value has %zu bytes, at most %d can be masked", value.len,
                       SL_MASK_VALUE_MAX);
    }
    token = sl_arena_alloc(a, HEAD_MAX + sl_base64_chars(SL_BASE64URL, BLOCK + n));
    if (token == NULL) {
        return masker_full(a, e);
    }
    memcpy(padded, value.secret, value.len);
    pad_add(padded, value.len);
    rc = sl_siv_seal(slot->siv, &slot->aad, padded, n, raw, e);
    OPENSSL_cleanse(padded, n);
    SL_TRY(rc);
    len = head_put(token, key);
    len += sl_base64_encode(SL_BASE64URL, raw, BLOCK + n, token + len);
    *ret = (sl_str){ token, len };
    return SL_OK;
}

/* Read the token's text, without asking whether it is genuine. */
static sl_rc token_read(sl_str token, sl_str *ret_id, unsigned char raw[static RAW_MAX],
                        size_t *ret_n, struct sl_err *e)
{
    sl_str rest = token;
    size_t n = 0;

    if (!head_cut(&rest, ret_id) || !sl_base64_decode(SL_BASE64URL, rest, raw, RAW_MAX, &n) ||
        n < 2 * (size_t)BLOCK || n % BLOCK != 0) {
        return SL_FAIL(e, SL_VALUE, "not a token of the form v1.<key id>.<base64url>");
    }
    *ret_n = n;
    return SL_OK;
}

sl_rc sl_unmask_siv(struct sl_masker *m, sl_str context, sl_str token, struct sl_arena *a,
                    sl_cleartext *ret, struct sl_err *e)
{
    const struct mask_slot *slot = NULL;
    const struct sl_key *key = sl_keyring_active(m->ring);
    unsigned char raw[RAW_MAX];
    unsigned char *value;
    sl_str id = { 0 };
    size_t n = 0;

    if (token.len == 0) {
        SL_TRY(masker_slot(m, key, context, &slot, e)); /* a bad context is one all the same */
        *ret = sl_cleartext_of(SL_STR(""));
        return SL_OK;
    }
    SL_TRY(token_read(token, &id, raw, &n, e));
    SL_TRY(masker_key(m, id, &key, e));
    SL_TRY(masker_slot(m, key, context, &slot, e));
    value = sl_arena_alloc(a, n - BLOCK);
    if (value == NULL) {
        return masker_full(a, e);
    }
    SL_TRY(sl_siv_open(slot->siv, &slot->aad, raw, n, value, e));
    /* Genuine, yet not ours: "" is never sealed, it has no token but "". */
    if (!pad_strip(value, n - BLOCK, &n) || n == 0) {
        return SL_FAIL(e, SL_VALUE, "token is genuine but its padding is not");
    }
    *ret = (sl_cleartext){ (const char *)value, n };
    return SL_OK;
}

/* A body, or a value, sealed for one message or one token: under the key of its purpose, with what
 * it belongs to in the associated data. */
struct seal {
    sl_str purpose; /* key context: dead_letter, ledger, vault */
    sl_str id;
};

static sl_rc body_slot(struct sl_masker *m, const struct sl_key *key, struct seal seal,
                       struct sl_siv_aad *ret_aad, const struct mask_slot **ret, struct sl_err *e)
{
    char text[AAD_MAX + 1];
    int len;

    if (seal.id.len > SEAL_ID_MAX) {
        return SL_FAIL(e, SL_VALUE, "what is sealed for has an id of %zu bytes, the limit is %d",
                       seal.id.len, SEAL_ID_MAX);
    }
    SL_TRY(masker_slot(m, key, seal.purpose, ret, e));
    /* Not "%.*s": it would stop at a NUL, and two ids would share their associated data. */
    len = snprintf(text, sizeof text, "v1.%s.%" SL_FMT ".", key->id, SL_ARG(seal.purpose));
    if (seal.id.len > 0) {
        memcpy(text + len, seal.id.ptr, seal.id.len);
    }
    return sl_siv_aad_init(ret_aad, (*ret)->siv, (sl_str){ text, (size_t)len + seal.id.len }, e);
}

static sl_rc seal_make(struct sl_masker *m, struct seal seal, sl_cleartext body, struct sl_arena *a,
                       sl_str *ret, struct sl_err *e)
{
    const struct sl_key *key = sl_keyring_active(m->ring);
    const struct mask_slot *slot = NULL;
    const size_t n = pad_bytes(body.len);
    struct sl_siv_aad aad;
    unsigned char *raw;
    char *sealed;
    size_t head;

    if (body.len > BODY_MAX) {
        return SL_FAIL(e, SL_VALUE, "body has %zu bytes, at most %d can be sealed", body.len,
                       BODY_MAX);
    }
    SL_TRY(body_slot(m, key, seal, &aad, &slot, e));
    sealed = sl_arena_alloc(a, HEAD_MAX + BLOCK + n);
    if (sealed == NULL) {
        return masker_full(a, e);
    }
    head = head_put(sealed, key);
    raw = (unsigned char *)sealed + head;
    if (body.len > 0) {
        memcpy(raw + BLOCK, body.secret, body.len);
    }
    pad_add(raw + BLOCK, body.len);
    SL_TRY(sl_siv_seal(slot->siv, &aad, raw + BLOCK, n, raw, e));
    *ret = (sl_str){ sealed, head + BLOCK + n };
    return SL_OK;
}

static sl_rc seal_open(struct sl_masker *m, struct seal seal, sl_str sealed, struct sl_arena *a,
                       sl_cleartext *ret, struct sl_err *e)
{
    const struct mask_slot *slot = NULL;
    const struct sl_key *key = NULL;
    struct sl_siv_aad aad;
    unsigned char *body;
    sl_str rest = sealed;
    sl_str id = { 0 };
    size_t n;

    if (!head_cut(&rest, &id) || rest.len < 2 * (size_t)BLOCK || rest.len % BLOCK != 0 ||
        rest.len > (size_t)BODY_MAX + 2 * (size_t)BLOCK) {
        return SL_FAIL(e, SL_VALUE, "not a sealed body: it has another form");
    }
    SL_TRY(masker_key(m, id, &key, e));
    SL_TRY(body_slot(m, key, seal, &aad, &slot, e));
    n = rest.len - BLOCK;
    body = sl_arena_alloc(a, n);
    if (body == NULL) {
        return masker_full(a, e);
    }
    SL_TRY(sl_siv_open(slot->siv, &aad, (const unsigned char *)rest.ptr, rest.len, body, e));
    if (!pad_strip(body, n, &n)) {
        return SL_FAIL(e, SL_VALUE, "sealed body is genuine but its padding is not");
    }
    *ret = (sl_cleartext){ (const char *)body, n };
    return SL_OK;
}

sl_rc sl_seal_body(struct sl_masker *m, sl_str message_id, sl_cleartext body, struct sl_arena *a,
                   sl_str *ret, struct sl_err *e)
{
    return seal_make(m, (struct seal){ DEAD_LETTER, message_id }, body, a, ret, e);
}

sl_rc sl_open_body(struct sl_masker *m, sl_str message_id, sl_str sealed, struct sl_arena *a,
                   sl_cleartext *ret, struct sl_err *e)
{
    return seal_open(m, (struct seal){ DEAD_LETTER, message_id }, sealed, a, ret, e);
}

sl_rc sl_seal_original(struct sl_masker *m, sl_str token, sl_cleartext value, struct sl_arena *a,
                       sl_str *ret, struct sl_err *e)
{
    return seal_make(m, (struct seal){ VAULT, token }, value, a, ret, e);
}

sl_rc sl_open_original(struct sl_masker *m, sl_str token, sl_str sealed, struct sl_arena *a,
                       sl_cleartext *ret, struct sl_err *e)
{
    return seal_open(m, (struct seal){ VAULT, token }, sealed, a, ret, e);
}

sl_rc sl_seal_ledger_key(struct sl_masker *m, sl_str pipeline, sl_cleartext key, struct sl_arena *a,
                         sl_str *ret, struct sl_err *e)
{
    return seal_make(m, (struct seal){ LEDGER, pipeline }, key, a, ret, e);
}

sl_rc sl_open_ledger_key(struct sl_masker *m, sl_str pipeline, sl_str sealed, struct sl_arena *a,
                         sl_cleartext *ret, struct sl_err *e)
{
    return seal_open(m, (struct seal){ LEDGER, pipeline }, sealed, a, ret, e);
}

bool sl_sealed_kid(sl_str sealed, sl_str *ret)
{
    return head_cut(&sealed, ret);
}
