/* net/http_reply.h - an answer of HTTP/1.1, read as it arrives.  No sockets here. */
#ifndef SLUICE_NET_HTTP_REPLY_H
#define SLUICE_NET_HTTP_REPLY_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct sl_http_reply {
    sl_rc rc; /* SL_OK: an answer came, of any status; else SL_DISCONNECTED, SL_TIMEOUT, SL_NOMEM,
               * SL_STOPPED */
    struct sl_err err;  /* when rc is not SL_OK */
    int status;         /* of HTTP */
    int64_t took_us;    /* from when it was sent, on a connection that was there, to its end */
    struct sl_buf body; /* padded for sl_json_parse; the receiver may keep it, and then zeroes it */
    char date[40];      /* header Date, as it came; see sl_http_server_at_s */
    unsigned retry_after_ms; /* header x-amz-retry-after, 30 s at most; 0 = not said */
    char error_code[96];     /* header x-amzn-query-error, up to ';' */
};

/* The server's clock when it answered, of its header Date.
 * Returns: seconds since 1970; 0 = not said, or no date. */
int64_t sl_http_server_at_s(const struct sl_http_reply *reply);

enum sl_http_part {
    SL_HTTP_STATUS_LINE,
    SL_HTTP_HEADERS,
    SL_HTTP_BODY,
    SL_HTTP_CHUNK_SIZE,
    SL_HTTP_CHUNK_END,
    SL_HTTP_TRAILERS,
    SL_HTTP_DONE,
};

/* How far an answer has been read. */
struct sl_http_reading {
    struct sl_http_reply *reply;
    enum sl_http_part part; /* that comes next */
    bool is_begun;          /* a byte of it has come */
    bool is_chunked;
    bool has_length;
    bool is_last;       /* the connection ends with it */
    uint64_t left;      /* bytes of the body or of a chunk; UINT64_MAX = all until the end */
    size_t head_bytes;  /* of lines so far, since the last chunk */
    struct sl_buf line; /* begun, and not ended */
};

/* Read into `reply`, whose body has its limit already.
 *
 * Owns:    reply is borrowed; the memory of the last answer is used again; end with sl_buf_done(&line)
 */
void sl_http_reading_begin(struct sl_http_reading *r, struct sl_http_reply *reply);

/* Read what has arrived.
 *
 * Returns: in *ret_n how much of it belongs to this answer; less than all only once it is DONE
 * Errors:  SL_DISCONNECTED (retry)  this is no HTTP/1.1, or 64 KiB of headers
 *          SL_NOMEM (retry)         the body is over its limit
 * Source:  RFC 9112
 */
sl_rc sl_http_reading_take(struct sl_http_reading *r, sl_str bytes, size_t *ret_n, struct sl_err *e)
    SL_MUST_CHECK;

/* The other side has closed.  Errors: SL_DISCONNECTED (retry)  before the answer was whole */
sl_rc sl_http_reading_end(struct sl_http_reading *r, struct sl_err *e) SL_MUST_CHECK;

#endif
