/* tests/fakes/fake_message.c - messages, ids, handles, and the heap of what is due. */
#include "fake_message.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"

enum {
    CHUNK_BITS = 12, /* messages that are allocated together */
    CHUNK = 1 << CHUNK_BITS,
    HANDLE_BYTES = 64,
};

void *fake_alloc(size_t n, size_t size)
{
    void *piece = calloc(n == 0 ? 1 : n, size);

    if (piece == NULL) {
        (void)fprintf(stderr, "fakesqs: out of memory\n");
        exit(70);
    }
    return piece;
}

/* Source: https://prng.di.unimi.it/splitmix64.c (public domain) */
uint64_t fake_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

double fake_random_share(uint64_t *state)
{
    return (double)(fake_random(state) >> 11) * 0x1p-53;
}

void fake_store_init(struct fake_store *s, uint64_t seed)
{
    *s = (struct fake_store){ .seed = seed,
                              .md5 = EVP_MD_fetch(NULL, "MD5", NULL),
                              .md5_ctx = EVP_MD_CTX_new() };
    if (s->md5 == NULL || s->md5_ctx == NULL) {
        (void)fprintf(stderr, "fakesqs: libcrypto has no MD5\n");
        exit(70);
    }
}

void fake_store_done(struct fake_store *s)
{
    for (uint32_t serial = 1; serial <= s->messages_n; serial++) {
        fake_message_empty(fake_message_at(s, serial));
    }
    for (uint32_t i = 0; i < s->chunks_n; i++) {
        free(s->chunks[i]);
    }
    free(s->chunks);
    free(s->due);
    EVP_MD_CTX_free(s->md5_ctx);
    EVP_MD_free(s->md5);
}

/* Twice as much room; what was there stays. */
static void *array_grow(void *old, uint32_t n, size_t size)
{
    void *grown = fake_alloc((size_t)n * 2 + 16, size);

    if (n > 0) {
        memcpy(grown, old, n * size);
    }
    free(old);
    return grown;
}

struct fake_message *fake_message_new(struct fake_store *s)
{
    const uint32_t serial = s->messages_n + 1;
    struct fake_message *m;

    if (serial >> CHUNK_BITS == s->chunks_n) {
        /* The array of chunks doubles when their number is 0 or a power of two. */
        if ((s->chunks_n & (s->chunks_n - 1)) == 0) {
            s->chunks = array_grow(s->chunks, s->chunks_n, sizeof(struct fake_message *));
        }
        s->chunks[s->chunks_n++] = fake_alloc(CHUNK, sizeof(struct fake_message));
    }
    s->messages_n = serial;
    m = fake_message_at(s, serial);
    m->serial = serial;
    return m;
}

struct fake_message *fake_message_at(const struct fake_store *s, uint32_t serial)
{
    return &s->chunks[serial >> CHUNK_BITS][serial & (CHUNK - 1)];
}

void fake_extra_free(struct fake_extra *extra)
{
    if (extra != NULL) {
        sl_arena_done(&extra->arena);
        free(extra);
    }
}

void fake_message_empty(struct fake_message *m)
{
    fake_extra_free(m->extra);
    m->extra = NULL;
    free(m->body);
    m->body = NULL;
}

/* RFC 9562 section 5.4: version 4. */
void fake_message_id(const struct fake_store *s, uint32_t serial, char out[static FAKE_ID_CHARS])
{
    static const char hex[] = "0123456789abcdef";
    uint64_t state = s->seed ^ (uint64_t)serial << 32;
    uint64_t halves[2] = { fake_random(&state), fake_random(&state) };

    halves[0] = (halves[0] & ~(uint64_t)0xf000) | 0x4000;
    halves[1] = (halves[1] & ~((uint64_t)3 << 62)) | (uint64_t)2 << 62;
    for (unsigned i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20) {
            *out++ = '-';
        }
        *out++ = hex[halves[i / 16] >> (60 - i % 16 * 4) & 0xf];
    }
}

/* -------------------------------------------------------------------- handles */

/* Eight numbers: what the handle names, and seven that only this server could have made. */
static void handle_make(const struct fake_store *s, uint64_t what, uint64_t out[static 8])
{
    uint64_t state = ~s->seed ^ what;

    out[0] = what;
    for (unsigned i = 1; i < 8; i++) {
        out[i] = fake_random(&state);
    }
}

void fake_handle_write(const struct fake_store *s, const struct fake_message *m,
                       char out[static FAKE_HANDLE_CHARS])
{
    uint64_t bytes[8];

    handle_make(s, (uint64_t)m->received_n << 32 | m->serial, bytes);
    (void)sl_base64_encode(SL_BASE64, bytes, HANDLE_BYTES, out);
}

bool fake_handle_read(const struct fake_store *s, sl_str handle, uint32_t *ret_serial,
                      uint32_t *ret_received_n)
{
    uint64_t bytes[8];
    uint64_t expected[8];
    size_t n;

    if (!sl_base64_decode(SL_BASE64, handle, bytes, HANDLE_BYTES, &n) || n != HANDLE_BYTES) {
        return false;
    }
    handle_make(s, bytes[0], expected);
    if (memcmp(bytes, expected, HANDLE_BYTES) != 0) {
        return false;
    }
    *ret_serial = (uint32_t)bytes[0];
    *ret_received_n = (uint32_t)(bytes[0] >> 32);
    return *ret_serial >= 1 && *ret_serial <= s->messages_n;
}

void fake_md5(struct fake_store *s, sl_str text, unsigned char out[static FAKE_MD5_BYTES])
{
    if (!EVP_DigestInit_ex2(s->md5_ctx, s->md5, NULL) ||
        !EVP_DigestUpdate(s->md5_ctx, text.ptr, text.len) ||
        !EVP_DigestFinal_ex(s->md5_ctx, out, NULL)) {
        abort();
    }
}

/* ------------------------------------------------------------------- the due */

static void due_set(struct fake_store *s, uint32_t i, struct fake_message *m)
{
    s->due[i] = m;
    m->due_i = i;
}

static void due_up(struct fake_store *s, uint32_t i, struct fake_message *m)
{
    while (i > 1 && s->due[i / 2]->due_ms > m->due_ms) {
        due_set(s, i, s->due[i / 2]);
        i /= 2;
    }
    due_set(s, i, m);
}

static void due_down(struct fake_store *s, uint32_t i, struct fake_message *m)
{
    uint32_t child;

    while ((child = i * 2) <= s->due_n) {
        if (child < s->due_n && s->due[child + 1]->due_ms < s->due[child]->due_ms) {
            child++;
        }
        if (s->due[child]->due_ms >= m->due_ms) {
            break;
        }
        due_set(s, i, s->due[child]);
        i = child;
    }
    due_set(s, i, m);
}

void fake_due_remove(struct fake_store *s, struct fake_message *m)
{
    const uint32_t i = m->due_i;
    struct fake_message *last;

    if (i == 0) {
        return;
    }
    m->due_i = 0;
    last = s->due[s->due_n--];
    if (last == m) {
        return;
    }
    if (i > 1 && s->due[i / 2]->due_ms > last->due_ms) {
        due_up(s, i, last);
    } else {
        due_down(s, i, last);
    }
}

void fake_due_put(struct fake_store *s, struct fake_message *m, int64_t due_ms)
{
    fake_due_remove(s, m);
    m->due_ms = due_ms;
    if (s->due_n + 1 >= s->due_cap) {
        s->due = array_grow(s->due, s->due_cap, sizeof(struct fake_message *));
        s->due_cap = s->due_cap * 2 + 16;
    }
    due_up(s, ++s->due_n, m);
}
