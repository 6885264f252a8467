/* masking/ff1.c - FF1 of NIST SP 800-38G over EVP's AES-ECB, in whole numbers only.
 *
 * The names u, v, b, d, P, Q, R, S and y are those of the standard.  Halves are kept as limbs of
 * base radix^k, the largest that fits 32 bits: one limb holds nine decimal digits, and "mod
 * radix^m" is a carry that is dropped.
 */
#include "masking/ff1.h"

#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

enum {
    BLOCK = 16,
    ROUNDS = 10,
    HALF_MAX = SL_FF1_DIGITS_MAX / 2,              /* numerals */
    LIMBS = HALF_MAX / 4,                          /* 256^4 = 2^32: no limb has less than four */
    B_MAX = HALF_MAX,                              /* bytes of a half as one number */
    D_MAX = B_MAX + 4,                             /* bytes of y */
    WORDS = D_MAX / 4,                             /* 32 bits each */
    S_MAX = (D_MAX + BLOCK - 1) / BLOCK * BLOCK,   /* y in whole blocks */
    TAIL_MAX = (BLOCK + 1 + B_MAX) / BLOCK * BLOCK /* Q after the tweak's whole blocks */
};

/* What depends on the length alone. */
struct ff1_shape {
    unsigned n; /* numerals; 0: made for none yet */
    size_t tweak_n;
    unsigned len[2];            /* u and v, numerals */
    unsigned limbs[2];          /* of u and of v */
    uint64_t top[2];            /* the base of their last limbs */
    unsigned b;                 /* bytes */
    unsigned d;                 /* bytes */
    unsigned char mac_p[BLOCK]; /* the MAC's chain after P */
};

struct sl_ff1 {
    EVP_CIPHER_CTX *aes; /* ECB without padding */
    unsigned radix;
    unsigned limb_n; /* numerals in a limb */
    uint64_t base;   /* radix^limb_n, at most 2^32 */
    struct ff1_shape shape;
};

/* All that holds cleartext while a run is worked on; wiped as one. */
struct ff1_work {
    uint32_t half[2][LIMBS]; /* A and B, least significant limb first */
    uint32_t words[WORDS];
    unsigned char mac_tweak[BLOCK]; /* the MAC's chain after P and the tweak's whole blocks */
    unsigned char mac[BLOCK];
    unsigned char tail[TAIL_MAX];
    size_t tail_n;
    unsigned char s[S_MAX];
};

static bool ff1_ecb(const struct sl_ff1 *f, unsigned char *blocks, size_t n)
{
    int len = 0;

    return EVP_EncryptUpdate(f->aes, blocks, &len, blocks, (int)n) == 1 && (size_t)len == n;
}

/* CBC-MAC: absorb whole blocks into the chain. */
static bool ff1_mac(const struct sl_ff1 *f, unsigned char chain[static BLOCK],
                    const unsigned char *m, size_t n)
{
    for (; n > 0; m += BLOCK, n -= BLOCK) {
        for (int i = 0; i < BLOCK; i++) {
            chain[i] ^= m[i];
        }
        if (!ff1_ecb(f, chain, BLOCK)) {
            return false;
        }
    }
    return true;
}

static void half_read(const struct sl_ff1 *f, const uint8_t *digits, unsigned n, uint32_t *limbs)
{
    while (n > 0) {
        const unsigned take = n < f->limb_n ? n : f->limb_n;
        uint64_t limb = 0;

        for (unsigned i = n - take; i < n; i++) {
            limb = limb * f->radix + digits[i];
        }
        *limbs++ = (uint32_t)limb;
        n -= take;
    }
}

static void half_write(const struct sl_ff1 *f, const uint32_t *limbs, unsigned n, uint8_t *digits)
{
    while (n > 0) {
        const unsigned take = n < f->limb_n ? n : f->limb_n;
        uint32_t limb = *limbs++;

        for (unsigned i = n; i > n - take; i--) {
            digits[i - 1] = (uint8_t)(limb % f->radix);
            limb /= f->radix;
        }
        n -= take;
    }
}

/* The number a half stands for, as words, least significant first; there are enough of them. */
static void half_number(const struct sl_ff1 *f, const uint32_t *limbs, unsigned limbs_n,
                        uint32_t *words, unsigned words_n)
{
    memset(words, 0, words_n * sizeof *words);
    while (limbs_n > 0) {
        uint64_t carry = limbs[--limbs_n];

        for (unsigned i = 0; i < words_n; i++) {
            carry += words[i] * f->base;
            words[i] = (uint32_t)carry;
            carry >>= 32;
        }
    }
}

/* Divide a number in place.  Returns: the remainder. */
static uint32_t words_divide(uint32_t *words, unsigned n, uint64_t by)
{
    uint64_t rest = 0;

    while (n-- > 0) {
        rest = rest << 32 | words[n];
        words[n] = (uint32_t)(rest / by);
        rest %= by;
    }
    return (uint32_t)rest;
}

static void bytes_of_words(const uint32_t *words, unsigned char *out, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        out[n - 1 - i] = (unsigned char)(words[i / 4] >> 8 * (i % 4));
    }
}

static void words_of_bytes(const unsigned char *bytes, unsigned n, uint32_t *words)
{
    for (unsigned i = n / 4; i > 0; i--, bytes += 4) {
        words[i - 1] = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
                       (uint32_t)bytes[2] << 8 | bytes[3];
    }
}

/* half = (half + y) mod radix^m, or - y; y is in w->words. */
static void half_shift(const struct sl_ff1 *f, struct ff1_work *w, uint32_t *half, unsigned parity,
                       bool is_minus)
{
    const unsigned limbs_n = f->shape.limbs[parity];
    uint64_t carry = 0;

    for (unsigned i = 0; i < limbs_n; i++) {
        const uint64_t base = i + 1 < limbs_n ? f->base : f->shape.top[parity];
        uint64_t limb = words_divide(w->words, f->shape.d / 4, base);

        limb = is_minus ? half[i] + base - limb - carry : half[i] + limb + carry;
        carry = (limb >= base) != is_minus;
        half[i] = (uint32_t)(limb >= base ? limb - base : limb);
    }
}

/* S: the MAC R, and as many blocks of AES(R xor j) as y needs. */
static bool round_stretch(const struct sl_ff1 *f, struct ff1_work *w)
{
    const size_t n = ((size_t)f->shape.d + BLOCK - 1) / BLOCK * BLOCK;

    for (size_t at = 0; at < n; at += BLOCK) {
        memcpy(w->s + at, w->mac, BLOCK);
        w->s[at + BLOCK - 1] ^= (unsigned char)(at / BLOCK); /* five at most */
    }
    return n == BLOCK || ff1_ecb(f, w->s + BLOCK, n - BLOCK);
}

static bool ff1_round(const struct sl_ff1 *f, struct ff1_work *w, unsigned i, bool is_decrypt)
{
    const struct ff1_shape *shape = &f->shape;
    const unsigned parity = i % 2;
    /* A and B change places each round: A is where the even rounds of encryption add. */
    uint32_t *changed = w->half[parity];
    const uint32_t *known = w->half[1 - parity];

    half_number(f, known, shape->limbs[1 - parity], w->words, (shape->b + 3) / 4);
    bytes_of_words(w->words, w->tail + w->tail_n - shape->b, shape->b);
    w->tail[w->tail_n - shape->b - 1] = (unsigned char)i;
    memcpy(w->mac, w->mac_tweak, BLOCK);
    if (!ff1_mac(f, w->mac, w->tail, w->tail_n) || !round_stretch(f, w)) {
        return false;
    }
    words_of_bytes(w->s, shape->d, w->words);
    half_shift(f, w, changed, parity, is_decrypt);
    return true;
}

/* Q without its round number and half: the tweak, then zeros. */
static bool work_begin(const struct sl_ff1 *f, struct ff1_work *w, sl_str tweak)
{
    const size_t rest = tweak.len % BLOCK;
    const size_t whole = tweak.len - rest;

    memcpy(w->mac_tweak, f->shape.mac_p, BLOCK);
    w->tail_n = (rest + 1 + f->shape.b + BLOCK - 1) / BLOCK * BLOCK;
    memset(w->tail, 0, w->tail_n);
    if (rest > 0) {
        memcpy(w->tail, tweak.ptr + whole, rest);
    }
    return ff1_mac(f, w->mac_tweak, (const unsigned char *)tweak.ptr, whole);
}

/* b = ceil(ceil(v * log2(radix)) / 8): the bytes of the largest half. */
static unsigned shape_b(const struct sl_ff1 *f, const struct ff1_shape *shape)
{
    uint32_t limbs[LIMBS];
    uint32_t words[WORDS];
    unsigned char bytes[B_MAX];
    unsigned b = B_MAX;

    for (unsigned i = 0; i < shape->limbs[1]; i++) {
        limbs[i] = (uint32_t)((i + 1 < shape->limbs[1] ? f->base : shape->top[1]) - 1);
    }
    half_number(f, limbs, shape->limbs[1], words, B_MAX / 4);
    bytes_of_words(words, bytes, B_MAX);
    while (bytes[B_MAX - b] == 0) {
        b--;
    }
    return b;
}

static uint64_t power(uint64_t radix, unsigned n)
{
    uint64_t p = 1;

    while (n-- > 0) {
        p *= radix;
    }
    return p;
}

/* P = 1, 2, 1, radix in 3 bytes, rounds, u, n in 4 bytes, t in 4 bytes. */
static bool shape_mac_p(const struct sl_ff1 *f, struct ff1_shape *shape)
{
    unsigned char *p = shape->mac_p;

    p[0] = 1;
    p[1] = 2;
    p[2] = 1;
    p[4] = (unsigned char)(f->radix >> 8);
    p[5] = (unsigned char)f->radix;
    p[6] = ROUNDS;
    p[7] = (unsigned char)shape->len[0];
    p[11] = (unsigned char)shape->n;
    for (unsigned i = 0; i < 4; i++) {
        p[12 + i] = (unsigned char)(shape->tweak_n >> (24 - 8 * i));
    }
    return ff1_ecb(f, p, BLOCK);
}

static bool shape_make(struct sl_ff1 *f, unsigned n, size_t tweak_n)
{
    struct ff1_shape shape = { .n = n, .tweak_n = tweak_n, .len = { n / 2, n - n / 2 } };

    for (unsigned i = 0; i < 2; i++) {
        shape.limbs[i] = (shape.len[i] + f->limb_n - 1) / f->limb_n;
        shape.top[i] = power(f->radix, shape.len[i] - (shape.limbs[i] - 1) * f->limb_n);
    }
    shape.b = shape_b(f, &shape);
    shape.d = (shape.b + 3) / 4 * 4 + 4;
    if (!shape_mac_p(f, &shape)) {
        return false;
    }
    f->shape = shape;
    return true;
}

static sl_rc ff1_check(const struct sl_ff1 *f, sl_str tweak, const uint8_t *digits, unsigned n,
                       struct sl_err *e)
{
    if (n > SL_FF1_DIGITS_MAX || !sl_ff1_domain_is_allowed(f->radix, n)) {
        return SL_FAIL(e, SL_VALUE, "%u characters of %u kinds cannot be masked, %u to %d can", n,
                       f->radix, sl_ff1_digits_min(f->radix), SL_FF1_DIGITS_MAX);
    }
    if (tweak.len > UINT32_MAX) {
        return SL_FAIL(e, SL_BUG, "tweak has %zu bytes", tweak.len);
    }
    for (unsigned i = 0; i < n; i++) {
        if (digits[i] >= f->radix) {
            return SL_FAIL(e, SL_BUG, "numeral %u is not below %u", i + 1, f->radix);
        }
    }
    return SL_OK;
}

static sl_rc ff1_run(struct sl_ff1 *f, sl_str tweak, uint8_t *digits, unsigned n, bool is_decrypt,
                     struct sl_err *e)
{
    struct ff1_work w = { 0 };
    bool ok;

    SL_TRY(ff1_check(f, tweak, digits, n, e));
    ok = (f->shape.n == n && f->shape.tweak_n == tweak.len) || shape_make(f, n, tweak.len);
    ok = ok && work_begin(f, &w, tweak);
    if (ok) {
        half_read(f, digits, f->shape.len[0], w.half[0]);
        half_read(f, digits + f->shape.len[0], f->shape.len[1], w.half[1]);
    }
    for (unsigned i = 0; ok && i < ROUNDS; i++) {
        ok = ff1_round(f, &w, is_decrypt ? ROUNDS - 1 - i : i, is_decrypt);
    }
    if (ok) {
        half_write(f, w.half[0], f->shape.len[0], digits);
        half_write(f, w.half[1], f->shape.len[1], digits + f->shape.len[0]);
    }
    OPENSSL_cleanse(&w, sizeof w);
    return ok ? SL_OK : SL_FAIL(e, SL_CRYPTO, "cannot mask: libcrypto refused AES");
}

sl_rc sl_ff1_encrypt(struct sl_ff1 *f, sl_str tweak, uint8_t *digits, unsigned n, struct sl_err *e)
{
    return ff1_run(f, tweak, digits, n, false, e);
}

sl_rc sl_ff1_decrypt(struct sl_ff1 *f, sl_str tweak, uint8_t *digits, unsigned n, struct sl_err *e)
{
    return ff1_run(f, tweak, digits, n, true, e);
}

unsigned sl_ff1_digits_min(unsigned radix)
{
    unsigned n = 0;

    for (uint64_t domain = 1; domain < SL_FF1_DOMAIN_MIN && radix > 1; domain *= radix) {
        n++;
    }
    return n;
}

bool sl_ff1_domain_is_allowed(unsigned radix, unsigned n)
{
    return radix > 1 && n >= sl_ff1_digits_min(radix);
}

static bool ff1_begin(struct sl_ff1 *f, const unsigned char *key, size_t key_n)
{
    const char *name = key_n == 16 ? "AES-128-ECB" : key_n == 24 ? "AES-192-ECB" : "AES-256-ECB";
    EVP_CIPHER *aes = EVP_CIPHER_fetch(NULL, name, NULL);
    bool ok;

    f->aes = EVP_CIPHER_CTX_new();
    ok = aes != NULL && f->aes != NULL && EVP_EncryptInit_ex2(f->aes, aes, key, NULL, NULL) == 1 &&
         EVP_CIPHER_CTX_set_padding(f->aes, 0) == 1;
    EVP_CIPHER_free(aes); /* the context holds its own reference */
    return ok;
}

sl_rc sl_ff1_new(const unsigned char *key, size_t key_n, unsigned radix, struct sl_ff1 **ret,
                 struct sl_err *e)
{
    struct sl_ff1 *f;

    if ((key_n != 16 && key_n != 24 && key_n != 32) || radix < 2 || radix > SL_FF1_RADIX_MAX) {
        return SL_FAIL(e, SL_BUG, "no FF1 has a key of %zu bytes and radix %u", key_n, radix);
    }
    f = calloc(1, sizeof *f);
    if (f == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not allocate a cipher context");
    }
    f->radix = radix;
    f->base = 1;
    while (f->base * radix <= (uint64_t)1 << 32) {
        f->base *= radix;
        f->limb_n++;
    }
    if (!ff1_begin(f, key, key_n)) {
        sl_ff1_free(f);
        return SL_FAIL(e, SL_CRYPTO, "cannot mask: libcrypto refused an AES key");
    }
    *ret = f;
    return SL_OK;
}

void sl_ff1_free(struct sl_ff1 *f)
{
    if (f == NULL) {
        return;
    }
    EVP_CIPHER_CTX_free(f->aes); /* wipes the key schedule */
    OPENSSL_cleanse(f, sizeof *f);
    free(f);
}
