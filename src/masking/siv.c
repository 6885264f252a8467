/* masking/siv.c - RFC 5297 (AES-SIV) over EVP's AES-ECB. */
#include "masking/siv.h"

#include <stdlib.h>

#include <openssl/crypto.h>

enum {
    BLOCK = SL_SIV_BLOCK,
    CHUNK = 32 * BLOCK, /* keystream at a time; any token takes one call */
};

struct sl_siv {
    EVP_CIPHER_CTX *mac;       /* K1, ECB without padding */
    EVP_CIPHER_CTX *ctr;       /* K2, likewise */
    unsigned char full[BLOCK]; /* CMAC subkey for a whole last block */
    unsigned char part[BLOCK]; /* CMAC subkey for a partial last block */
    unsigned char zero[BLOCK]; /* CMAC of a zero block, where S2V starts */
};

/* memcpy, as neither side need be aligned. */
static void block_xor(unsigned char *to, const unsigned char *from)
{
    uint64_t a[2];
    uint64_t b[2];

    memcpy(a, to, BLOCK);
    memcpy(b, from, BLOCK);
    a[0] ^= b[0];
    a[1] ^= b[1];
    memcpy(to, a, BLOCK);
}

/* Double in GF(2^128), big-endian, without a branch on secret bits. */
static void block_double(unsigned char b[static BLOCK])
{
    const unsigned carry = 0U - (b[0] >> 7);

    for (int i = 0; i < BLOCK - 1; i++) {
        b[i] = (unsigned char)(b[i] << 1 | b[i + 1] >> 7);
    }
    b[BLOCK - 1] = (unsigned char)((unsigned)b[BLOCK - 1] << 1 ^ (0x87 & carry));
}

/* Whole blocks.  No Final: without padding there is nothing to flush. */
static bool siv_ecb(EVP_CIPHER_CTX *ctx, unsigned char *out, const unsigned char *in, int n)
{
    int len = 0;

    return EVP_EncryptUpdate(ctx, out, &len, in, n) == 1 && len == n;
}

/* The last step of CMAC: `x` is the chain so far, `m` the last 1..16 bytes. */
static bool cmac_last(const struct sl_siv *s, unsigned char x[static BLOCK], const unsigned char *m,
                      size_t n)
{
    unsigned char t[BLOCK] = { 0 };
    bool ok;

    memcpy(t, m, n);
    if (n < BLOCK) {
        t[n] = 0x80;
    }
    block_xor(t, n == BLOCK ? s->full : s->part);
    block_xor(x, t);
    ok = siv_ecb(s->mac, x, x, BLOCK);
    OPENSSL_cleanse(t, sizeof t);
    return ok;
}

/* Absorb blocks into the chain `x` until `keep` bytes or fewer are left. */
static bool cmac_blocks(const struct sl_siv *s, unsigned char x[static BLOCK],
                        const unsigned char **m, size_t *n, size_t keep)
{
    while (*n > keep) {
        block_xor(x, *m);
        if (!siv_ecb(s->mac, x, x, BLOCK)) {
            return false;
        }
        *m += BLOCK;
        *n -= BLOCK;
    }
    return true;
}

static bool siv_cmac(const struct sl_siv *s, unsigned char out[static BLOCK],
                     const unsigned char *m, size_t n)
{
    memset(out, 0, BLOCK);
    return cmac_blocks(s, out, &m, &n, BLOCK) && cmac_last(s, out, m, n);
}

/* CMAC of the message with D xored into its last 16 bytes.  Only the tail, at most 32 bytes of a
 * long message, is copied. */
static bool s2v_long(const struct sl_siv *s, const struct sl_siv_aad *aad, const unsigned char *p,
                     size_t n, unsigned char v[static BLOCK])
{
    enum { TAIL = 2 * BLOCK };

    unsigned char tail[TAIL] = { 0 };
    const unsigned char *at = tail;
    bool ok;

    memset(v, 0, BLOCK);
    if (!cmac_blocks(s, v, &p, &n, TAIL)) {
        return false;
    }
    memcpy(tail, p, n);
    block_xor(tail + n - BLOCK, aad->d);
    ok = cmac_blocks(s, v, &at, &n, BLOCK) && cmac_last(s, v, at, n);
    OPENSSL_cleanse(tail, sizeof tail);
    return ok;
}

/* CMAC of dbl(D) xor the padded message. */
static bool s2v_short(const struct sl_siv *s, const struct sl_siv_aad *aad, const unsigned char *p,
                      size_t n, unsigned char v[static BLOCK])
{
    unsigned char t[BLOCK];
    bool ok;

    memcpy(t, aad->d, BLOCK);
    block_double(t);
    for (size_t i = 0; i < n; i++) {
        t[i] ^= p[i];
    }
    t[n] ^= 0x80;
    ok = siv_cmac(s, v, t, BLOCK);
    OPENSSL_cleanse(t, sizeof t);
    return ok;
}

static bool siv_s2v(const struct sl_siv *s, const struct sl_siv_aad *aad, const unsigned char *p,
                    size_t n, unsigned char v[static BLOCK])
{
    return n < BLOCK ? s2v_short(s, aad, p, n, v) : s2v_long(s, aad, p, n, v);
}

static uint32_t u32_load(const unsigned char *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static void u32_store(unsigned char *b, uint32_t v)
{
    b[0] = (unsigned char)(v >> 24);
    b[1] = (unsigned char)(v >> 16);
    b[2] = (unsigned char)(v >> 8);
    b[3] = (unsigned char)v;
}

/* One chunk of keystream over `n` bytes, 1..CHUNK; `count` is the counter of its first block. */
static bool ctr_chunk(const struct sl_siv *s, const unsigned char q[static BLOCK], uint32_t count,
                      unsigned char *bytes, size_t n)
{
    const size_t blocks = (n + BLOCK - 1) / BLOCK;
    unsigned char stream[CHUNK];
    bool ok;

    for (size_t i = 0; i < blocks; i++) {
        memcpy(stream + i * BLOCK, q, BLOCK - 4);
        u32_store(stream + i * BLOCK + BLOCK - 4, count + (uint32_t)i);
    }
    ok = siv_ecb(s->ctr, stream, stream, (int)(blocks * BLOCK));
    for (size_t i = 0; ok && i < n; i++) {
        /* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): n <= blocks * BLOCK */
        bytes[i] ^= stream[i];
    }
    OPENSSL_cleanse(stream, blocks * BLOCK);
    return ok;
}

/* Xor the keystream of V over `bytes`.  The counter's top bit starts cleared and `n` is below
 * 2^32, so that 32 bits of it are enough and nothing carries out. */
static bool siv_ctr(const struct sl_siv *s, const unsigned char v[static BLOCK],
                    unsigned char *bytes, size_t n)
{
    unsigned char q[BLOCK];
    uint32_t count;

    memcpy(q, v, BLOCK);
    q[8] &= 0x7f;
    q[12] &= 0x7f;
    count = u32_load(q + BLOCK - 4);
    while (n > 0) {
        const size_t step = n < CHUNK ? n : CHUNK;

        if (!ctr_chunk(s, q, count, bytes, step)) {
            return false;
        }
        bytes += step;
        n -= step;
        count += CHUNK / BLOCK;
    }
    return true;
}

sl_rc sl_siv_fetch(size_t key_n, EVP_CIPHER **ret, struct sl_err *e)
{
    const char *name = key_n == SL_SIV_KEY_BYTES ? "AES-256-ECB" : "AES-128-ECB";
    EVP_CIPHER *aes;

    if (key_n != SL_SIV_KEY_BYTES && key_n != SL_SIV_KEY_BYTES / 2) {
        return SL_FAIL(e, SL_BUG, "no AES-SIV has keys of %zu bytes", key_n);
    }
    aes = EVP_CIPHER_fetch(NULL, name, NULL);
    if (aes == NULL) {
        return SL_FAIL(e, SL_CRYPTO, "cannot mask: libcrypto has no %s", name);
    }
    *ret = aes;
    return SL_OK;
}

static EVP_CIPHER_CTX *siv_keyed(const EVP_CIPHER *aes, const unsigned char *key)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    if (ctx == NULL || EVP_EncryptInit_ex2(ctx, aes, key, NULL, NULL) != 1 ||
        EVP_CIPHER_CTX_set_padding(ctx, 0) != 1) {
        EVP_CIPHER_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

static bool siv_subkeys(struct sl_siv *s)
{
    static const unsigned char zero[BLOCK];

    if (!siv_ecb(s->mac, s->full, zero, BLOCK)) {
        return false;
    }
    block_double(s->full);
    memcpy(s->part, s->full, BLOCK);
    block_double(s->part);
    return siv_cmac(s, s->zero, zero, BLOCK);
}

sl_rc sl_siv_new(const EVP_CIPHER *aes, const unsigned char *key, struct sl_siv **ret,
                 struct sl_err *e)
{
    const int half = EVP_CIPHER_get_key_length(aes);
    struct sl_siv *s = calloc(1, sizeof *s);

    if (s == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not allocate a cipher context");
    }
    s->mac = siv_keyed(aes, key);
    s->ctr = siv_keyed(aes, key + half);
    if (s->mac == NULL || s->ctr == NULL || !siv_subkeys(s)) {
        sl_siv_free(s);
        return SL_FAIL(e, SL_CRYPTO, "cannot mask: libcrypto refused an AES key");
    }
    *ret = s;
    return SL_OK;
}

void sl_siv_free(struct sl_siv *s)
{
    if (s == NULL) {
        return;
    }
    EVP_CIPHER_CTX_free(s->mac); /* wipes the key schedule */
    EVP_CIPHER_CTX_free(s->ctr);
    OPENSSL_cleanse(s, sizeof *s);
    free(s);
}

sl_rc sl_siv_aad_init(struct sl_siv_aad *aad, const struct sl_siv *s, sl_str text, struct sl_err *e)
{
    struct sl_siv_aad made;
    unsigned char mac[BLOCK];

    if (text.len == 0) {
        return SL_FAIL(e, SL_BUG, "associated data is empty");
    }
    if (!siv_cmac(s, mac, (const unsigned char *)text.ptr, text.len)) {
        return SL_FAIL(e, SL_CRYPTO, "cannot mask: libcrypto refused AES");
    }
    memcpy(made.d, s->zero, BLOCK);
    block_double(made.d);
    block_xor(made.d, mac);
    *aad = made;
    return SL_OK;
}

sl_rc sl_siv_seal(const struct sl_siv *s, const struct sl_siv_aad *aad, const unsigned char *p,
                  size_t n, unsigned char *out, struct sl_err *e)
{
    unsigned char v[BLOCK];

    if (n == 0 || n > UINT32_MAX) {
        return SL_FAIL(e, SL_BUG, "cannot seal %zu bytes", n);
    }
    if (!siv_s2v(s, aad, p, n, v)) {
        OPENSSL_cleanse(out, BLOCK + n);
        return SL_FAIL(e, SL_CRYPTO, "cannot mask: libcrypto refused AES");
    }
    memmove(out + BLOCK, p, n);
    if (!siv_ctr(s, v, out + BLOCK, n)) {
        OPENSSL_cleanse(out, BLOCK + n);
        return SL_FAIL(e, SL_CRYPTO, "cannot mask: libcrypto refused AES");
    }
    memcpy(out, v, BLOCK);
    return SL_OK;
}

sl_rc sl_siv_open(const struct sl_siv *s, const struct sl_siv_aad *aad, const unsigned char *in,
                  size_t n, unsigned char *out, struct sl_err *e)
{
    unsigned char v[BLOCK];
    size_t body;

    if (n <= BLOCK || n - BLOCK > UINT32_MAX) {
        return SL_FAIL(e, SL_VALUE, "%zu bytes are too few or too many to be sealed ones", n);
    }
    body = n - BLOCK;
    memcpy(out, in + BLOCK, body);
    if (!siv_ctr(s, in, out, body) || !siv_s2v(s, aad, out, body, v)) {
        OPENSSL_cleanse(out, body);
        return SL_FAIL(e, SL_CRYPTO, "cannot unmask: libcrypto refused AES");
    }
    if (CRYPTO_memcmp(v, in, BLOCK) != 0) {
        OPENSSL_cleanse(out, body);
        OPENSSL_cleanse(v, sizeof v); /* the right tag for a forgery */
        return SL_FAIL(e, SL_VALUE, "sealed bytes are altered, or of another key or context");
    }
    return SL_OK;
}
