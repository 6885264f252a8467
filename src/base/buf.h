/* base/buf.h - a growing run of bytes on the heap that fails once and stays failed.
 *
 * Appends return nothing; ask sl_buf_rc once at the end.  Whatever it held is wiped: request
 * bodies, replies and rows go through buffers.
 */
#ifndef SLUICE_BASE_BUF_H
#define SLUICE_BASE_BUF_H

#include "base/err.h"
#include "base/str.h"

struct sl_buf {
    char *ptr; /* NULL while empty */
    size_t len;
    size_t cap;
    size_t max_bytes;
    bool has_failed;
};

/* An empty buffer that will never hold more than `max_bytes`. */
void sl_buf_init(struct sl_buf *b, size_t max_bytes);

/* Wipe and free.  Takes a zeroed buffer, too. */
void sl_buf_done(struct sl_buf *b);

/* Forget the contents and the failure, keep the memory. */
void sl_buf_reset(struct sl_buf *b);

/* SL_OK, or SL_NOMEM (retry) if any append since the last reset did not fit. */
sl_rc sl_buf_rc(const struct sl_buf *b, struct sl_err *e) SL_MUST_CHECK;

/* What it holds; valid until the next append. */
static inline sl_str sl_buf_str(const struct sl_buf *b)
{
    return (sl_str){ b->ptr, b->len };
}

/* The slow half of sl_buf_reserve: more memory, or the failure. */
char *sl_buf_grow(struct sl_buf *b, size_t n);

/* Make room for `n` more bytes without adding them.
 * Returns: where they would go, NULL if they do not fit. */
static inline char *sl_buf_reserve(struct sl_buf *b, size_t n)
{
    return n <= b->cap - b->len && !b->has_failed ? b->ptr + b->len : sl_buf_grow(b, n);
}

/* Bytes at the end.  What does not fit makes the buffer failed, and is seen by sl_buf_rc.
 * Inline: a message is some fifty pieces, and most of them are a few bytes long. */
static inline void sl_buf_add(struct sl_buf *b, const void *bytes, size_t n)
{
    char *room = n == 0 ? NULL : sl_buf_reserve(b, n);

    if (room != NULL) {
        memcpy(room, bytes, n);
        b->len += n;
    }
}

static inline void sl_buf_add_str(struct sl_buf *b, sl_str s)
{
    sl_buf_add(b, s.ptr, s.len);
}

static inline void sl_buf_add_char(struct sl_buf *b, char c)
{
    sl_buf_add(b, &c, 1);
}

/* The same with a text as printf writes it, for where it need not be quick. */
void sl_buf_printf(struct sl_buf *b, const char *fmt, ...) SL_PRINTF(2, 3);

/* Digits, without what printf would cost. */
void sl_buf_add_unsigned(struct sl_buf *b, uint64_t v);

/* Big-endian integers, as network formats have them. */
static inline void sl_buf_add_u8(struct sl_buf *b, uint8_t v)
{
    sl_buf_add(b, &v, sizeof v);
}

static inline void sl_buf_add_u16(struct sl_buf *b, uint16_t v)
{
    const uint16_t wire = __builtin_bswap16(v);

    sl_buf_add(b, &wire, sizeof wire);
}

static inline void sl_buf_add_u32(struct sl_buf *b, uint32_t v)
{
    const uint32_t wire = __builtin_bswap32(v);

    sl_buf_add(b, &wire, sizeof wire);
}

static inline void sl_buf_add_u64(struct sl_buf *b, uint64_t v)
{
    const uint64_t wire = __builtin_bswap64(v);

    sl_buf_add(b, &wire, sizeof wire);
}

/* A JSON string with its quotes, escaped as RFC 8259 section 7 has it.
 * Shape: s is UTF-8; bytes that are not become U+FFFD, control characters are escaped. */
void sl_buf_add_json(struct sl_buf *b, sl_str s);

/* Append as a part of a URL or form: %XX for everything but RFC 3986's unreserved characters. */
void sl_buf_add_percent(struct sl_buf *b, sl_str s);

#endif
