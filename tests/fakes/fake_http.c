/* tests/fakes/fake_http.c - HTTP/1.1 as text. */
#include "fake_http.h"

#include <stdio.h>
#include <strings.h>
#include <time.h>

enum { BODY_MAX = 16 << 20 /* 1 MiB of text can be six times as long when it is escaped */ };

static bool header_is(sl_str name, const char *wanted)
{
    return name.len == strlen(wanted) && strncasecmp(name.ptr, wanted, name.len) == 0;
}

static bool word_is(sl_str value, const char *wanted)
{
    return value.len == strlen(wanted) && strncasecmp(value.ptr, wanted, value.len) == 0;
}

/* Returns: false for a header that this server cannot follow. */
static bool header_read(sl_str line, struct fake_request *r, size_t *ret_body_bytes)
{
    sl_str value = line;
    const sl_str name = sl_str_cut(&value, ':');
    int64_t n;

    value = sl_str_trim(value);
    if (header_is(name, "content-length")) {
        if (!sl_str_to_i64(value, &n) || n < 0 || n > BODY_MAX) {
            return false;
        }
        *ret_body_bytes = (size_t)n;
    } else if (header_is(name, "transfer-encoding")) {
        return false;
    } else if (header_is(name, "x-amz-target")) {
        r->action = value;
        (void)sl_str_cut(&r->action, '.');
    } else if (header_is(name, "host")) {
        r->host = value;
    } else if (header_is(name, "expect")) {
        r->wants_continue = word_is(value, "100-continue");
    } else if (header_is(name, "connection")) {
        r->ends_connection = word_is(value, "close");
    }
    return true;
}

enum fake_http fake_http_read(sl_str text, struct fake_request *ret)
{
    const char *end = text.len == 0 ? NULL : memmem(text.ptr, text.len, "\r\n\r\n", 4);
    struct fake_request r = { 0 };
    size_t body_bytes = 0;
    size_t head_bytes;
    sl_str head;
    sl_str line;

    if (end == NULL) {
        return text.len > 64 * 1024 ? FAKE_HTTP_BROKEN : FAKE_HTTP_PART;
    }
    head_bytes = (size_t)(end + 4 - text.ptr);
    head = (sl_str){ text.ptr, head_bytes - 4 };
    line = sl_str_trim(sl_str_cut(&head, '\n'));
    r.method = sl_str_cut(&line, ' ');
    r.path = sl_str_cut(&line, ' ');
    if (!sl_str_starts(line, SL_STR("HTTP/1."))) {
        return FAKE_HTTP_BROKEN;
    }
    r.ends_connection = sl_str_eq(line, SL_STR("HTTP/1.0"));
    while (head.len > 0) {
        if (!header_read(sl_str_cut(&head, '\n'), &r, &body_bytes)) {
            return FAKE_HTTP_BROKEN;
        }
    }
    r.bytes = head_bytes + body_bytes;
    r.body = (sl_str){ text.ptr + head_bytes, body_bytes };
    *ret = r;
    return text.len < r.bytes ? FAKE_HTTP_PART : FAKE_HTTP_WHOLE;
}

void fake_http_head(struct sl_buf *out, int status, const char *type, const char *more,
                    size_t body_bytes)
{
    static time_t dated_at;
    static char date[64];
    static unsigned replies;
    const time_t now = time(NULL);

    if (now != dated_at) {
        struct tm tm;

        (void)strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
        dated_at = now;
    }
    sl_buf_printf(out,
                  "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                  "x-amzn-RequestId: 00000000-0000-4000-8000-%012x\r\n%s\r\n",
                  status, status == 200 ? "OK" : "Refused", date, type, body_bytes, ++replies,
                  more);
}
