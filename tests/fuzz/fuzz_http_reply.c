/* tests/fuzz/fuzz_http_reply.c - any bytes as an answer of HTTP: whole and in pieces the same is read,
 * and nothing that did not come.
 */
#include "fuzz.h"
#include "net/http_reply.h"

enum { BODY_MAX = 1 << 16 };

struct result {
    struct sl_http_reply reply;
    struct sl_http_reading reading;
    size_t taken;
    sl_rc rc;
};

/* The first byte says how long the pieces are. */
static void read_all(struct result *r, sl_str bytes, size_t piece)
{
    struct sl_err e = { 0 };

    *r = (struct result){ 0 };
    sl_buf_init(&r->reply.body, BODY_MAX + SL_JSON_PADDING);
    sl_http_reading_begin(&r->reading, &r->reply);
    while (r->rc == SL_OK && r->taken < bytes.len && r->reading.part != SL_HTTP_DONE) {
        const size_t left = bytes.len - r->taken;
        const size_t n = piece < left ? piece : left;
        size_t taken = 0;

        r->rc = sl_http_reading_take(&r->reading, (sl_str){ bytes.ptr + r->taken, n }, &taken, &e);
        must(r->rc != SL_OK || taken == n || r->reading.part == SL_HTTP_DONE, "bytes left over");
        r->taken += r->rc == SL_OK ? taken : 0;
    }
    if (r->rc == SL_OK) {
        r->rc = sl_http_reading_end(&r->reading, &e);
    }
    if (r->rc != SL_OK) {
        must_say(&e, r->rc);
    }
}

static void done(struct result *r)
{
    sl_buf_done(&r->reply.body);
    sl_buf_done(&r->reading.line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const sl_str bytes = { (const char *)data + 1, n > 0 ? n - 1 : 0 };
    struct result whole;
    struct result pieces;

    if (n == 0) {
        return 0;
    }
    read_all(&whole, bytes, bytes.len + 1);
    read_all(&pieces, bytes, (size_t)data[0] + 1);
    must(whole.rc == pieces.rc, "another end in pieces");
    if (whole.rc == SL_OK) {
        must(whole.reply.status >= 200 && whole.reply.status < 1000, "a status that is none");
        must(whole.reply.status == pieces.reply.status, "another status in pieces");
        must(whole.taken == pieces.taken, "another length in pieces");
        must(sl_str_eq(sl_buf_str(&whole.reply.body), sl_buf_str(&pieces.reply.body)),
             "another body in pieces");
        must(whole.reply.body.len <= bytes.len, "a body out of nowhere");
        must(whole.reading.is_last == pieces.reading.is_last, "another connection in pieces");
    }
    done(&whole);
    done(&pieces);
    return 0;
}
