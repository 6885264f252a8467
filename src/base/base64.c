/* base/base64.c - RFC 4648, strict. */
#include "base/base64.h"

static const char alphabets[2][65] = {
    [SL_BASE64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    [SL_BASE64URL] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

size_t sl_base64_chars(enum sl_base64 kind, size_t n_bytes)
{
    return kind == SL_BASE64 ? (n_bytes + 2) / 3 * 4 : (n_bytes * 4 + 2) / 3;
}

/* Three bytes are four characters. */
static char *put_four(char *out, const char *alphabet, uint32_t three)
{
    out[0] = alphabet[three >> 18 & 63];
    out[1] = alphabet[three >> 12 & 63];
    out[2] = alphabet[three >> 6 & 63];
    out[3] = alphabet[three & 63];
    return out + 4;
}

size_t sl_base64_encode(enum sl_base64 kind, const void *bytes, size_t n, char *out)
{
    const unsigned char *in = bytes;
    const char *alphabet = alphabets[kind];
    char *to = out;

    for (; n >= 3; n -= 3, in += 3) {
        to = put_four(to, alphabet, (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2]);
    }
    if (n > 0) {
        *to++ = alphabet[in[0] >> 2];
        *to++ = alphabet[(in[0] & 3) << 4 | (n > 1 ? in[1] >> 4 : 0)];
    }
    if (n > 1) {
        *to++ = alphabet[(in[1] & 15) << 2];
    }
    while (kind == SL_BASE64 && (to - out) % 4 != 0) {
        *to++ = '=';
    }
    return (size_t)(to - out);
}

static int base64_value(enum sl_base64 kind, char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    if (c == alphabets[kind][62]) {
        return 62;
    }
    return c == alphabets[kind][63] ? 63 : -1;
}

/* Padding is a matter of the length: strip it, and refuse what encoding would have padded else. */
static bool base64_unpad(sl_str *text)
{
    const size_t padded = text->len;

    while (text->len > 0 && padded - text->len < 2 && text->ptr[text->len - 1] == '=') {
        text->len--;
    }
    return padded % 4 == 0 && padded == (text->len + 3) / 4 * 4;
}

bool sl_base64_decode(enum sl_base64 kind, sl_str text, void *out, size_t max, size_t *ret_n)
{
    unsigned char *to = out;
    uint32_t acc = 0;
    unsigned bits = 0;
    size_t k = 0;

    if ((kind == SL_BASE64 && !base64_unpad(&text)) || text.len % 4 == 1) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        const int value = base64_value(kind, text.ptr[i]);

        if (value < 0) {
            return false;
        }
        acc = acc << 6 | (uint32_t)value;
        bits += 6;
        if (bits >= 8) {
            if (k == max) {
                return false;
            }
            bits -= 8;
            to[k++] = (unsigned char)(acc >> bits);
        }
    }
    if ((acc & ((1U << bits) - 1)) != 0) {
        return false;
    }
    *ret_n = k;
    return true;
}
