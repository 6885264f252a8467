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

/* Make room for `n` more bytes without adding them.
 * Returns: where they would go, NULL if they do not fit. */
char *sl_buf_reserve(struct sl_buf *b, size_t n);

/* Bytes at the end.  What does not fit makes the buffer failed, and is seen by sl_buf_rc. */
void sl_buf_add(struct sl_buf *b, const void *bytes, size_t n);
void sl_buf_add_str(struct sl_buf *b, sl_str s);
void sl_buf_add_char(struct sl_buf *b, char c);
void sl_buf_printf(struct sl_buf *b, const char *fmt, ...) SL_PRINTF(2, 3);

/* Big-endian integers, as network formats have them. */
void sl_buf_add_u8(struct sl_buf *b, uint8_t v);
void sl_buf_add_u16(struct sl_buf *b, uint16_t v);
void sl_buf_add_u32(struct sl_buf *b, uint32_t v);
void sl_buf_add_u64(struct sl_buf *b, uint64_t v);

/* Write a 32-bit integer over bytes already there, for a length known only later. */
void sl_buf_put_u32(struct sl_buf *b, size_t at, uint32_t v);

/* A JSON string with its quotes, escaped as RFC 8259 section 7 has it.
 * Shape: s is UTF-8; bytes that are not become U+FFFD, control characters are escaped. */
void sl_buf_add_json(struct sl_buf *b, sl_str s);

/* Append as a part of a URL or form: %XX for everything but RFC 3986's unreserved characters. */
void sl_buf_add_percent(struct sl_buf *b, sl_str s);

#endif
