/* net/http_reply.c - an answer of HTTP/1.1, read as it arrives. */
#include "net/http_reply.h"

#include <stdio.h>
#include <strings.h>

#include <curl/curl.h>

#include "base/json.h"

enum {
    HEAD_MAX = 64 << 10,        /* bytes of status line and headers, of lines between two chunks */
    EXPECT_MAX = 256 << 10,     /* bytes reserved for a body because it says that it is so long */
    RETRY_AFTER_MAX_MS = 30000, /* whatever a server says */
    CHUNK_DIGITS = 8,
    STATUS_CONTINUE_END = 200,
    STATUS_SWITCHING = 101,
    STATUS_NO_CONTENT = 204,
    STATUS_NOT_MODIFIED = 304,
};

static const int64_t year_10000_s = 253402300800;

/* Years of more than four digits cannot be signed. */
int64_t sl_http_server_at_s(const struct sl_http_reply *reply)
{
    const time_t at_s = curl_getdate(reply->date, NULL);

    return at_s > 0 && at_s < year_10000_s ? at_s : 0;
}

void sl_http_reading_begin(struct sl_http_reading *r, struct sl_http_reply *reply)
{
    struct sl_buf line = r->line;

    sl_buf_reset(&line);
    line.max_bytes = HEAD_MAX;
    *r = (struct sl_http_reading){ .reply = reply, .line = line };
}

/* ---- headers ------------------------------------------------------------------------------------- */

static sl_rc not_http(struct sl_err *e, const char *what)
{
    return SL_FAIL(e, SL_DISCONNECTED, "the answer is no HTTP/1.1: %s", what);
}

static bool text_is(sl_str text, const char *lower)
{
    return text.len == strlen(lower) && strncasecmp(text.ptr, lower, text.len) == 0;
}

/* Whether one of the words between commas is this. */
static bool has_word(sl_str list, const char *lower)
{
    while (list.len > 0) {
        if (text_is(sl_str_trim(sl_str_cut(&list, ',')), lower)) {
            return true;
        }
    }
    return false;
}

/* What is said of the length only saves copies: nothing but what arrives is believed. */
static sl_rc take_length(struct sl_http_reading *r, sl_str value, struct sl_err *e)
{
    struct sl_buf *body = &r->reply->body;
    int64_t n = 0;

    if (!sl_str_to_i64(value, &n) || n < 0 || (r->has_length && r->left != (uint64_t)n)) {
        return not_http(e, "its length is none");
    }
    r->has_length = true;
    r->left = (uint64_t)n;
    if (n > 0 && n <= EXPECT_MAX && (size_t)n + SL_JSON_PADDING <= body->max_bytes) {
        (void)sl_buf_reserve(body, (size_t)n + SL_JSON_PADDING);
    }
    return SL_OK;
}

static sl_rc take_coding(struct sl_http_reading *r, sl_str value, struct sl_err *e)
{
    if (!text_is(value, "chunked")) {
        return not_http(e, "an unknown coding");
    }
    r->is_chunked = true;
    return SL_OK;
}

static sl_rc take_connection(struct sl_http_reading *r, sl_str value, struct sl_err *e)
{
    (void)e;
    r->is_last = r->is_last || has_word(value, "close");
    return SL_OK;
}

static sl_rc take_date(struct sl_http_reading *r, sl_str value, struct sl_err *e)
{
    (void)e;
    (void)snprintf(r->reply->date, sizeof r->reply->date, "%" SL_FMT, SL_ARG(value));
    return SL_OK;
}

static sl_rc take_error_code(struct sl_http_reading *r, sl_str value, struct sl_err *e)
{
    const sl_str code = sl_str_trim(sl_str_cut(&value, ';'));

    (void)e;
    (void)snprintf(r->reply->error_code, sizeof r->reply->error_code, "%" SL_FMT, SL_ARG(code));
    return SL_OK;
}

static sl_rc take_retry_after(struct sl_http_reading *r, sl_str value, struct sl_err *e)
{
    int64_t wait_ms = 0;

    (void)e;
    if (sl_str_to_i64(value, &wait_ms) && wait_ms > 0) {
        r->reply->retry_after_ms =
            wait_ms < RETRY_AFTER_MAX_MS ? (unsigned)wait_ms : RETRY_AFTER_MAX_MS;
    }
    return SL_OK;
}

static sl_rc take_header(struct sl_http_reading *r, sl_str line, struct sl_err *e)
{
    static const struct {
        const char *name;
        sl_rc (*take)(struct sl_http_reading *r, sl_str value, struct sl_err *e);
    } headers[] = {
        { "connection", take_connection },
        { "content-length", take_length },
        { "date", take_date },
        { "transfer-encoding", take_coding },
        { "x-amz-retry-after", take_retry_after },
        { "x-amzn-query-error", take_error_code },
    };

    const sl_str name = sl_str_cut(&line, ':');

    if (line.ptr == NULL || name.len == 0 || *name.ptr == ' ' || *name.ptr == '\t') {
        return not_http(e, "a header without a name");
    }
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        if (text_is(name, headers[i].name)) {
            return headers[i].take(r, sl_str_trim(line), e);
        }
    }
    return SL_OK;
}

/* ---- lines --------------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "HTTP/1.1 200 OK" */
static sl_rc take_status(struct sl_http_reading *r, sl_str line, struct sl_err *e)
{
    const sl_str version = sl_str_cut(&line, ' ');
    const bool is_1_1 = sl_str_eq(version, SL_STR("HTTP/1.1"));
    const char *digits = line.ptr;

    if ((!is_1_1 && !sl_str_eq(version, SL_STR("HTTP/1.0"))) || line.len < 3 ||
        !is_digit(digits[0]) || !is_digit(digits[1]) || !is_digit(digits[2]) ||
        (line.len > 3 && digits[3] != ' ')) {
        return not_http(e, "its first line is not of it");
    }
    r->reply->status = (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0');
    r->is_last = !is_1_1;
    r->part = SL_HTTP_HEADERS;
    return SL_OK;
}

/* What follows the empty line.  Answers before the answer (100 Continue) have nothing. */
static sl_rc take_head_end(struct sl_http_reading *r, struct sl_err *e)
{
    const int status = r->reply->status;

    if (status < 100 || status == STATUS_SWITCHING) {
        return not_http(e, "a status that was not asked for");
    }
    if (status < STATUS_CONTINUE_END) {
        r->part = SL_HTTP_STATUS_LINE;
        r->is_chunked = r->has_length = false;
    } else if (status == STATUS_NO_CONTENT || status == STATUS_NOT_MODIFIED) {
        r->part = SL_HTTP_DONE;
    } else if (r->is_chunked) {
        r->is_last = r->is_last || r->has_length; /* who says both is not trusted with a second */
        r->part = SL_HTTP_CHUNK_SIZE;
    } else if (r->has_length) {
        r->part = r->left > 0 ? SL_HTTP_BODY : SL_HTTP_DONE;
    } else {
        r->is_last = true;
        r->left = UINT64_MAX;
        r->part = SL_HTTP_BODY;
    }
    return SL_OK;
}

static int hex_of(char c)
{
    return is_digit(c)            ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* "1f4;name=value": hexadecimal, and what nobody uses. */
static sl_rc take_chunk_size(struct sl_http_reading *r, sl_str line, struct sl_err *e)
{
    const sl_str digits = sl_str_trim(sl_str_cut(&line, ';'));

    r->left = 0;
    for (size_t i = 0; i < digits.len; i++) {
        const int digit = hex_of(digits.ptr[i]);

        if (digit < 0) {
            return not_http(e, "the length of a chunk is none");
        }
        r->left = r->left << 4 | (unsigned)digit;
    }
    if (digits.len == 0 || digits.len > CHUNK_DIGITS) {
        return not_http(e, "the length of a chunk is none");
    }
    if (r->left > 0) {
        r->head_bytes =
            0; /* of the line before the next chunk; how many there are, the body bounds */
    }
    r->part = r->left > 0 ? SL_HTTP_BODY : SL_HTTP_TRAILERS;
    return SL_OK;
}

static sl_rc take_chunk_end(struct sl_http_reading *r, sl_str line, struct sl_err *e)
{
    if (line.len > 0) {
        return not_http(e, "a chunk is longer than it says");
    }
    r->part = SL_HTTP_CHUNK_SIZE;
    return SL_OK;
}

static sl_rc take_line(struct sl_http_reading *r, sl_str line, struct sl_err *e)
{
    if (line.len > 0 && line.ptr[line.len - 1] == '\r') {
        line.len--;
    }
    switch (r->part) {
    case SL_HTTP_STATUS_LINE:
        return take_status(r, line, e);
    case SL_HTTP_HEADERS:
        return line.len > 0 ? take_header(r, line, e) : take_head_end(r, e);
    case SL_HTTP_CHUNK_SIZE:
        return take_chunk_size(r, line, e);
    case SL_HTTP_CHUNK_END:
        return take_chunk_end(r, line, e);
    case SL_HTTP_TRAILERS:
        r->part = line.len > 0 ? SL_HTTP_TRAILERS : SL_HTTP_DONE;
        return SL_OK;
    default:
        return SL_FAIL(e, SL_BUG, "a line where none is read");
    }
}

/* ---- pieces -------------------------------------------------------------------------------------- */

/* A line that is not whole yet waits in r->line. */
static sl_rc take_lines(struct sl_http_reading *r, sl_str *bytes, struct sl_err *e)
{
    const char *end = memchr(bytes->ptr, '\n', bytes->len);
    const size_t n = end != NULL ? (size_t)(end - bytes->ptr) + 1 : bytes->len;
    sl_str line = { bytes->ptr, n - 1 };
    sl_rc rc;

    r->head_bytes += n;
    if (r->head_bytes > HEAD_MAX) {
        return not_http(e, "its headers do not end");
    }
    if (end == NULL || r->line.len > 0) {
        sl_buf_add(&r->line, bytes->ptr, end != NULL ? n - 1 : n);
        SL_TRY(sl_buf_rc(&r->line, e));
        line = sl_buf_str(&r->line);
    }
    *bytes = (sl_str){ bytes->ptr + n, bytes->len - n };
    if (end == NULL) {
        return SL_OK;
    }
    rc = take_line(r, line, e);
    sl_buf_reset(&r->line);
    return rc;
}

static sl_rc take_body(struct sl_http_reading *r, sl_str *bytes, struct sl_err *e)
{
    struct sl_buf *body = &r->reply->body;
    const size_t n = bytes->len < r->left ? bytes->len : (size_t)r->left;

    sl_buf_add(body, bytes->ptr, n);
    if (body->has_failed || body->len + SL_JSON_PADDING > body->max_bytes) {
        return SL_FAIL(e, SL_NOMEM, "the reply is over %zu bytes",
                       body->max_bytes - SL_JSON_PADDING);
    }
    *bytes = (sl_str){ bytes->ptr + n, bytes->len - n };
    if (r->left != UINT64_MAX) {
        r->left -= n;
    }
    if (r->left == 0) {
        r->part = r->is_chunked ? SL_HTTP_CHUNK_END : SL_HTTP_DONE;
    }
    return SL_OK;
}

sl_rc sl_http_reading_take(struct sl_http_reading *r, sl_str bytes, size_t *ret_n, struct sl_err *e)
{
    const char *start = bytes.ptr;

    r->is_begun = r->is_begun || bytes.len > 0;
    while (bytes.len > 0 && r->part != SL_HTTP_DONE) {
        SL_TRY(r->part == SL_HTTP_BODY ? take_body(r, &bytes, e) : take_lines(r, &bytes, e));
    }
    *ret_n = (size_t)(bytes.ptr - start);
    return SL_OK;
}

sl_rc sl_http_reading_end(struct sl_http_reading *r, struct sl_err *e)
{
    if (r->part == SL_HTTP_BODY && r->left == UINT64_MAX) {
        r->part = SL_HTTP_DONE;
    }
    return r->part == SL_HTTP_DONE
               ? SL_OK
               : SL_FAIL(e, SL_DISCONNECTED, "the connection was closed %s the answer",
                         r->is_begun ? "within" : "before");
}
