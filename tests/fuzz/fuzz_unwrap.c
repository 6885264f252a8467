/* tests/fuzz/fuzz_unwrap.c - any bytes as a body in an envelope or an encoding, or as a pointer: what comes out stays
 * below its limit and has readable bytes behind it, and a refusal gives nothing out.
 *
 * The first byte chooses the envelope and the encoding.  Packed by this program, any content comes
 * out as it was.
 */
#include <ctype.h>
#include <zlib.h>

#include "base/base64.h"
#include "fuzz.h"
#include "pipeline/unwrap.h"
#include "source/s3.h"

enum { BODY_MAX = 64 << 10 };

static struct sl_json_parser *parser;

static sl_rc unwrap(const struct sl_config *cfg, sl_str body, struct sl_arena *a,
                    struct sl_content *ret, enum sl_reason *ret_reason)
{
    const struct sl_record r = { .body = sl_cleartext_of(padded(a, body, '{')) };

    return sl_unwrap(cfg, parser, &r, a, ret, ret_reason, NULL);
}

static void check_content(const struct sl_content *c)
{
    volatile char last = 0;

    must(c->body.len <= SL_CONTENT_MAX, "a content over its limit");
    must(c->body.secret != NULL, "a content that is nowhere");
    last = c->body.secret[c->body.len + SL_JSON_PADDING - 1];
    (void)last;
    for (unsigned i = 0; i < c->attributes_n; i++) {
        const sl_cleartext *value = sl_content_attribute(c, c->attributes[i].name);

        must(value != NULL, "an attribute that is not found");
    }
}

/* As a producer packs it, without compression. */
static sl_str stored(struct sl_arena *a, sl_str content)
{
    unsigned char *packed = sl_arena_calloc(a, 1, content.len + 1024);
    char *text = sl_arena_alloc(a, 2 * content.len + 2048);
    z_stream z = { 0 };
    size_t n;

    must(packed != NULL && text != NULL, "memory");
    must(deflateInit2(&z, 0, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK, "memory");
    z.next_in = (z_const Bytef *)content.ptr;
    z.avail_in = (uInt)content.len;
    z.next_out = packed;
    z.avail_out = (uInt)content.len + 1024;
    must(deflate(&z, Z_FINISH) == Z_STREAM_END, "it does not pack");
    n = sl_base64_encode(SL_BASE64, packed, z.total_out, text);
    (void)deflateEnd(&z);
    return (sl_str){ text, n };
}

static void check_packed(sl_str content, struct sl_arena *a)
{
    const struct sl_config cfg = { .encoding = SL_ENCODING_GZIP_BASE64 };
    enum sl_reason reason = SL_REASON_NONE;
    struct sl_content c = { 0 };

    must(unwrap(&cfg, stored(a, content), a, &c, &reason) == SL_OK, "no memory");
    must(reason == SL_REASON_NONE, "what was packed is refused");
    must(c.body.len == content.len && memcmp(c.body.secret, content.ptr, content.len) == 0,
         "what was packed comes out as something else");
}

/* Nothing that a message says gets out of its part of the URL. */
static void check_pointer(sl_str body, struct sl_arena *a)
{
    enum sl_reason reason = SL_REASON_NONE;
    sl_str path = { 0 };

    must(sl_s3_pointer(parser, sl_cleartext_of(padded(a, body, '{')), a, &path, &reason, NULL) ==
             SL_OK,
         "no memory");
    must(path.len == 0 || (reason == SL_REASON_NONE && memchr(path.ptr, '/', path.len) != NULL),
         "a path without a bucket");
    for (size_t i = 0; i < path.len; i++) {
        must(strchr("%/-_.~", path.ptr[i]) != NULL || isalnum((unsigned char)path.ptr[i]),
             "a path that is no path");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct sl_content c = { 0 };
    enum sl_reason reason = SL_REASON_NONE;
    struct sl_config cfg = { 0 };
    struct sl_arena a;
    sl_str body;

    if (n < 1 || n > BODY_MAX) {
        return 0;
    }
    must(parser != NULL || sl_json_parser_new(SL_CONTENT_MAX, &parser, NULL) == SL_OK, "memory");
    sl_arena_init(&a, 64 << 20, 4096);
    cfg.envelope = data[0] % (SL_ENVELOPE_EVENTBRIDGE + 1);
    cfg.encoding = data[0] / 16 % (SL_ENCODING_GZIP_BASE64 + 1);
    body = (sl_str){ (const char *)data + 1, n - 1 };
    must(unwrap(&cfg, body, &a, &c, &reason) == SL_OK, "a body that spoils its batch");
    if (reason == SL_REASON_NONE) {
        check_content(&c);
    } else {
        must(c.body.secret == NULL, "a refusal that gives something out");
    }
    check_packed(body, &a);
    check_pointer(body, &a);
    sl_arena_done(&a);
    return 0;
}
