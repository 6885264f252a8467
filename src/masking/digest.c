/* masking/digest.c - SHA-256 in hex, and base64. */
#include "masking/digest.h"

#include <stdlib.h>
#include <time.h>

#include <openssl/crypto.h>

#include "base/base64.h"
#include "base/hash.h"
#include "base/hex.h"
#include "masking/normalize.h"

enum {
    DIGEST_BYTES = SL_DIGEST_CHARS / 2,
    SAMPLES = 20000,
    TEXT_MAX = 46,     /* bytes of an address with its NUL */
    LINE_OPENSSL = 64, /* characters */
    LINE_POSTGRES = 76,
};

struct sl_digest {
    struct sl_hash sha256;
};

sl_rc sl_digest_new(struct sl_digest **ret, struct sl_err *e)
{
    struct sl_digest *d = calloc(1, sizeof *d);

    if (d == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not allocate a digest context");
    }
    if (sl_hash_open(&d->sha256, "SHA256", e) != SL_OK) {
        sl_digest_free(d);
        return SL_CRYPTO;
    }
    *ret = d;
    return SL_OK;
}

void sl_digest_free(struct sl_digest *d)
{
    if (d != NULL) {
        sl_hash_close(&d->sha256);
        free(d);
    }
}

static sl_rc plain_full(const struct sl_arena *a, struct sl_err *e)
{
    return SL_FAIL(e, SL_NOMEM, "no room for a masked value: arena holds %zu of %zu bytes",
                   a->held_bytes, a->max_bytes);
}

sl_rc sl_digest_of(struct sl_digest *d, sl_cleartext value, struct sl_arena *a, sl_str *ret,
                   struct sl_err *e)
{
    unsigned char bytes[DIGEST_BYTES];
    char *hex = sl_arena_alloc(a, SL_DIGEST_CHARS);

    if (hex == NULL) {
        return plain_full(a, e);
    }
    SL_TRY(sl_hash_of(&d->sha256, value.secret, value.len, bytes, e));
    sl_hex(bytes, DIGEST_BYTES, hex);
    *ret = (sl_str){ hex, SL_DIGEST_CHARS };
    return SL_OK;
}

/* What this thread has computed, so that a busy machine does not look like a slow one. */
static double cpu_seconds(void)
{
    struct timespec t = { 0 };

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double sl_digest_ipv4_seconds(struct sl_digest *d)
{
    const double started = cpu_seconds();
    unsigned char bytes[DIGEST_BYTES];
    char quad[TEXT_MAX];

    for (uint32_t i = 0; i < SAMPLES; i++) {
        /* Spread over all addresses, most of which have twelve digits or nearly so. */
        const uint32_t address = i * 2654435761U;
        const unsigned char octets[4] = { (unsigned char)(address >> 24),
                                          (unsigned char)(address >> 16),
                                          (unsigned char)(address >> 8), (unsigned char)address };
        const size_t n = sl_normalize_address_text(octets, sizeof octets, quad);

        if (sl_hash_of(&d->sha256, quad, n, bytes, NULL) != SL_OK) {
            return 0;
        }
    }
    return (cpu_seconds() - started) / SAMPLES * 4294967296.0;
}

sl_rc sl_plain_base64(sl_cleartext value, struct sl_arena *a, sl_str *ret, struct sl_err *e)
{
    const size_t n = sl_base64_chars(SL_BASE64, value.len);
    char *text;

    if (n == 0) {
        *ret = SL_STR("");
        return SL_OK;
    }
    text = sl_arena_alloc(a, n);
    if (text == NULL) {
        return plain_full(a, e);
    }
    *ret = (sl_str){ text, sl_base64_encode(SL_BASE64, value.secret, value.len, text) };
    return SL_OK;
}

/* The length of every line but the last; 0 when there is but one, -1 when nobody breaks so. */
static int plain_line(sl_str text)
{
    const char *end = text.len > 0 ? memchr(text.ptr, '\n', text.len) : NULL;

    if (end == NULL) {
        return 0;
    }
    if (end - text.ptr == LINE_OPENSSL || end - text.ptr == LINE_POSTGRES) {
        return (int)(end - text.ptr);
    }
    return -1;
}

bool sl_plain_decode(sl_str text, unsigned char *out, size_t *ret_n)
{
    const size_t max = sl_plain_bytes(text);
    size_t done = 0;
    size_t n = 0;
    int line;

    if (text.len > 0 && text.ptr[text.len - 1] == '\n') {
        text.len--;
    }
    line = plain_line(text);
    while (line > 0 && text.len > (size_t)line) {
        const sl_str head = { text.ptr, (size_t)line };

        /* Fewer bytes than that is padding before the end. */
        if (text.ptr[line] != '\n' ||
            !sl_base64_decode(SL_BASE64, head, out + done, max - done, &n) ||
            n != (size_t)line / 4 * 3) {
            return false;
        }
        done += n;
        text.ptr += line + 1;
        text.len -= (size_t)line + 1;
        if (text.len == 0) {
            return false; /* two line ends */
        }
    }
    if (line < 0 || !sl_base64_decode(SL_BASE64, text, out + done, max - done, &n)) {
        return false;
    }
    *ret_n = done + n;
    return true;
}

sl_rc sl_plain_base64_back(sl_str text, struct sl_arena *a, sl_cleartext *ret, struct sl_err *e)
{
    const size_t max = sl_plain_bytes(text);
    unsigned char *bytes = sl_arena_alloc(a, max);
    size_t n = 0;

    if (bytes == NULL) {
        return plain_full(a, e);
    }
    if (!sl_plain_decode(text, bytes, &n)) {
        OPENSSL_cleanse(bytes, max);
        return SL_FAIL(e, SL_VALUE, "value is not base64 with its padding");
    }
    *ret = (sl_cleartext){ (const char *)bytes, n };
    return SL_OK;
}
