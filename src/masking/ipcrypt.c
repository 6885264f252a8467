/* masking/ipcrypt.c - ipcrypt-deterministic and ipcrypt-pfx over EVP's AES-128-ECB. */
#include "masking/ipcrypt.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

enum {
    BLOCK = 16,
    BITS = 8 * BLOCK,
    V4_BITS = 32,
    V4_AT = 12, /* where the IPv4 address starts */
    GROUPS = BLOCK / 2,
    CHARS_MAX = SL_IPCRYPT_CHARS_MAX,
    TEXT_MAX = 45, /* six groups of four digits and a quad are read, never printed */
};

struct sl_ipcrypt {
    enum sl_ipcrypt_kind kind;
    EVP_CIPHER_CTX *one; /* encrypts, with K or K1 */
    EVP_CIPHER_CTX *two; /* decrypts with K, or encrypts with K2 */
};

/* Sixteen bytes as a number, for shifts. */
struct prefix {
    uint64_t high;
    uint64_t low;
};

/* ---- text ---- */

static bool is_v4(const unsigned char ip[static BLOCK])
{
    static const unsigned char mapped[V4_AT] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

    return memcmp(ip, mapped, sizeof mapped) == 0;
}

static bool address_read(const char *text, size_t n, unsigned char ip[static BLOCK])
{
    char copy[TEXT_MAX + 1];
    bool ok;

    if (n > TEXT_MAX || memchr(text, '\0', n) != NULL) {
        return false;
    }
    memcpy(copy, text, n);
    copy[n] = '\0';
    if (memchr(text, ':', n) != NULL) {
        ok = inet_pton(AF_INET6, copy, ip) == 1;
    } else {
        memset(ip, 0, V4_AT);
        ip[10] = 0xff;
        ip[11] = 0xff;
        ok = inet_pton(AF_INET, copy, ip + V4_AT) == 1;
    }
    OPENSSL_cleanse(copy, sizeof copy);
    return ok;
}

static char *quad_print(const unsigned char *ip, char *out)
{
    for (int i = 0; i < 4; i++) {
        const unsigned char byte = ip[i];

        if (i > 0) {
            *out++ = '.';
        }
        if (byte >= 100) {
            *out++ = (char)('0' + byte / 100);
        }
        if (byte >= 10) {
            *out++ = (char)('0' + byte / 10 % 10);
        }
        *out++ = (char)('0' + byte % 10);
    }
    return out;
}

static char *group_print(unsigned group, char *out)
{
    unsigned shift = 12;

    while (shift > 0 && group >> shift == 0) {
        shift -= 4;
    }
    for (;; shift -= 4) {
        *out++ = "0123456789abcdef"[group >> shift & 15];
        if (shift == 0) {
            return out;
        }
    }
}

static unsigned group_at(const unsigned char *ip, size_t i)
{
    return (unsigned)ip[2 * i] << 8 | ip[2 * i + 1];
}

/* The first of the longest runs of zero groups, if it has two or more. */
static void zeros_find(const unsigned char *ip, unsigned *ret_at, unsigned *ret_n)
{
    unsigned run = 0;

    *ret_at = GROUPS;
    *ret_n = 1;
    for (unsigned i = 0; i < GROUPS; i++) {
        run = group_at(ip, i) == 0 ? run + 1 : 0;
        if (run > *ret_n) {
            *ret_at = i + 1 - run;
            *ret_n = run;
        }
    }
}

/* As inet_ntop does, which takes ten times as long as AES.  RFC 5952; the dotted quad of ::a.b.c.d
 * is inet_ntop's, too. */
static size_t address_print(const unsigned char ip[static BLOCK], char out[static CHARS_MAX])
{
    char *to = out;
    unsigned at;
    unsigned n;

    if (is_v4(ip)) {
        return (size_t)(quad_print(ip + V4_AT, out) - out);
    }
    zeros_find(ip, &at, &n);
    for (unsigned i = 0; i < GROUPS; i++) {
        if (i == at) {
            *to++ = ':';
            i += n - 1;
            if (i == GROUPS - 1) {
                *to++ = ':';
            }
            continue;
        }
        if (i > 0) {
            *to++ = ':';
        }
        if (i == 6 && at == 0 && n == 6) {
            to = quad_print(ip + V4_AT, to);
            break;
        }
        to = group_print(group_at(ip, i), to);
    }
    return (size_t)(to - out);
}

/* ---- ciphers ---- */

static bool ecb(EVP_CIPHER_CTX *ctx, unsigned char *out, const unsigned char *in, size_t n)
{
    int len = 0;

    /* Without padding Encrypt- and DecryptUpdate hold nothing back; this one is either. */
    return EVP_CipherUpdate(ctx, out, &len, in, (int)n) == 1 && (size_t)len == n;
}

/* 0..01 before an IPv6 address; before an IPv4 one, its 96 mapping bits behind the one. */
static struct prefix prefix_start(bool v4)
{
    return v4 ? (struct prefix){ (uint64_t)1 << 32, 0xffff } : (struct prefix){ 0, 1 };
}

static void prefix_add(struct prefix *p, unsigned bit)
{
    p->high = p->high << 1 | p->low >> 63;
    p->low = p->low << 1 | bit;
}

static void prefix_store(const struct prefix *p, unsigned char out[static BLOCK])
{
    const uint64_t bytes[2] = { htobe64(p->high), htobe64(p->low) };

    memcpy(out, bytes, BLOCK);
}

static unsigned bit_at(const unsigned char *ip, unsigned i)
{
    return (unsigned)ip[i / 8] >> (7 - i % 8) & 1;
}

/* All prefixes of what is masked are known, so that two calls do them all. */
static bool prefix_mask(const struct sl_ipcrypt *c, unsigned char ip[static BLOCK])
{
    const unsigned first = is_v4(ip) ? BITS - V4_BITS : 0;
    const size_t n = (size_t)(BITS - first) * BLOCK;
    struct prefix p = prefix_start(first > 0);
    unsigned char blocks[BITS * BLOCK];
    unsigned char other[BITS * BLOCK];
    bool ok;

    for (unsigned i = first; i < BITS; i++) {
        prefix_store(&p, blocks + (size_t)(i - first) * BLOCK);
        prefix_add(&p, bit_at(ip, i));
    }
    ok = ecb(c->two, other, blocks, n) && ecb(c->one, blocks, blocks, n);
    for (unsigned i = first; ok && i < BITS; i++) {
        const size_t last = (size_t)(i - first) * BLOCK + BLOCK - 1;

        /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): ecb filled them */
        ip[i / 8] ^= (unsigned char)(((blocks[last] ^ other[last]) & 1) << (7 - i % 8));
    }
    OPENSSL_cleanse(&p, sizeof p);
    OPENSSL_cleanse(blocks, n);
    OPENSSL_cleanse(other, n);
    return ok;
}

static bool prefix_unmask(const struct sl_ipcrypt *c, unsigned char ip[static BLOCK])
{
    const unsigned first = is_v4(ip) ? BITS - V4_BITS : 0;
    struct prefix p = prefix_start(first > 0);
    unsigned char one[BLOCK];
    unsigned char two[BLOCK];
    bool ok = true;

    for (unsigned i = first; ok && i < BITS; i++) {
        prefix_store(&p, one);
        ok = ecb(c->two, two, one, BLOCK) && ecb(c->one, one, one, BLOCK);
        ip[i / 8] ^= (unsigned char)(((one[BLOCK - 1] ^ two[BLOCK - 1]) & 1) << (7 - i % 8));
        prefix_add(&p, bit_at(ip, i));
    }
    OPENSSL_cleanse(&p, sizeof p);
    OPENSSL_cleanse(one, sizeof one);
    OPENSSL_cleanse(two, sizeof two);
    return ok;
}

static bool ipcrypt_turn(const struct sl_ipcrypt *c, unsigned char ip[static BLOCK], bool is_mask)
{
    if (c->kind == SL_IPCRYPT_PREFIX) {
        return is_mask ? prefix_mask(c, ip) : prefix_unmask(c, ip);
    }
    return ecb(is_mask ? c->one : c->two, ip, ip, BLOCK);
}

/* Text to text in the arena, in one direction or the other. */
static sl_rc ipcrypt_text(const struct sl_ipcrypt *c, bool is_mask, sl_str text, struct sl_arena *a,
                          sl_str *ret, struct sl_err *e)
{
    const char *what = is_mask ? "value" : "token";
    unsigned char ip[BLOCK];
    char out[CHARS_MAX];
    sl_str made;
    bool was_v4;

    if (!address_read(text.ptr, text.len, ip)) {
        return SL_FAIL(e, SL_VALUE, "%s is not an IPv4 or IPv6 address", what);
    }
    was_v4 = is_v4(ip);
    if (!ipcrypt_turn(c, ip, is_mask)) {
        OPENSSL_cleanse(ip, sizeof ip);
        return SL_FAIL(e, SL_CRYPTO, "cannot mask: libcrypto refused AES");
    }
    if (c->kind == SL_IPCRYPT_PREFIX && is_v4(ip) != was_v4) {
        /* As text it would be one of IPv4, and come back as another address. */
        OPENSSL_cleanse(ip, sizeof ip);
        return SL_FAIL(e, SL_VALUE, "%s is an IPv6 address that would become one of IPv4", what);
    }
    made = sl_arena_copy(a, (sl_str){ out, address_print(ip, out) });
    OPENSSL_cleanse(ip, sizeof ip);
    OPENSSL_cleanse(out, sizeof out);
    if (made.ptr == NULL) {
        return SL_FAIL(e, SL_NOMEM, "no room for a masked value: arena holds %zu of %zu bytes",
                       a->held_bytes, a->max_bytes);
    }
    *ret = made;
    return SL_OK;
}

sl_rc sl_ipcrypt_mask(struct sl_ipcrypt *c, sl_cleartext value, struct sl_arena *a, sl_str *ret,
                      struct sl_err *e)
{
    if (value.len == 0) {
        *ret = SL_STR("");
        return SL_OK;
    }
    return ipcrypt_text(c, true, (sl_str){ value.secret, value.len }, a, ret, e);
}

sl_rc sl_ipcrypt_unmask(struct sl_ipcrypt *c, sl_str token, struct sl_arena *a, sl_cleartext *ret,
                        struct sl_err *e)
{
    sl_str value = SL_STR("");

    if (token.len > 0) {
        SL_TRY(ipcrypt_text(c, false, token, a, &value, e));
    }
    *ret = sl_cleartext_of(value);
    return SL_OK;
}

/* ---- life ---- */

static EVP_CIPHER_CTX *keyed(const EVP_CIPHER *aes, const unsigned char *key, bool is_encrypt)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    if (ctx == NULL || EVP_CipherInit_ex2(ctx, aes, key, NULL, is_encrypt, NULL) != 1 ||
        EVP_CIPHER_CTX_set_padding(ctx, 0) != 1) {
        EVP_CIPHER_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

static bool ipcrypt_begin(struct sl_ipcrypt *c, const unsigned char *key)
{
    const bool is_prefix = c->kind == SL_IPCRYPT_PREFIX;
    EVP_CIPHER *aes = EVP_CIPHER_fetch(NULL, "AES-128-ECB", NULL);

    if (aes != NULL) {
        c->one = keyed(aes, key, true);
        c->two = keyed(aes, is_prefix ? key + BLOCK : key, is_prefix);
    }
    EVP_CIPHER_free(aes); /* the contexts hold their own references */
    return c->one != NULL && c->two != NULL;
}

sl_rc sl_ipcrypt_new(enum sl_ipcrypt_kind kind, const unsigned char *key, struct sl_ipcrypt **ret,
                     struct sl_err *e)
{
    struct sl_ipcrypt *c;

    if (kind == SL_IPCRYPT_PREFIX && CRYPTO_memcmp(key, key + BLOCK, BLOCK) == 0) {
        return SL_FAIL(e, SL_KEY, "both halves of a prefix key are equal: it would mask nothing");
    }
    c = calloc(1, sizeof *c);
    if (c == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not allocate a cipher context");
    }
    c->kind = kind;
    if (!ipcrypt_begin(c, key)) {
        sl_ipcrypt_free(c);
        return SL_FAIL(e, SL_CRYPTO, "cannot mask: libcrypto refused an AES key");
    }
    *ret = c;
    return SL_OK;
}

void sl_ipcrypt_free(struct sl_ipcrypt *c)
{
    if (c == NULL) {
        return;
    }
    EVP_CIPHER_CTX_free(c->one); /* wipes the key schedule */
    EVP_CIPHER_CTX_free(c->two);
    free(c);
}
