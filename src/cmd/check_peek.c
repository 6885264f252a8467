/* cmd/check_peek.c - what the messages of a queue come in: each way of opening one is tried. */
#include "cmd/check_peek.h"

#include "pipeline/unwrap.h"
#include "source/s3.h"

enum { PARSER_MAX = SL_CONTENT_MAX };

/* Ways of opening a body, the more telling ones first. */
static const struct shape {
    enum sl_envelope envelope;
    enum sl_encoding encoding;
    const char *what;
    const char *settings;
} shapes[] = {
    { SL_ENVELOPE_SNS, SL_ENCODING_GZIP_BASE64, "packed notifications of SNS",
      "envelope: sns and encoding: gzip+base64" },
    { SL_ENVELOPE_SNS, SL_ENCODING_NONE, "notifications of SNS", "envelope: sns" },
    { SL_ENVELOPE_EVENTBRIDGE, SL_ENCODING_NONE, "events of EventBridge", "envelope: eventbridge" },
    { SL_ENVELOPE_S3, SL_ENCODING_NONE, "pointers to objects of S3", "envelope: s3" },
    { SL_ENVELOPE_NONE, SL_ENCODING_GZIP_BASE64, "packed", "encoding: gzip+base64" },
    { SL_ENVELOPE_NONE, SL_ENCODING_NONE, "not packed", "no envelope and no encoding" },
};

enum { SHAPES_N = sizeof shapes / sizeof shapes[0] };

static sl_rc shape_fits(const struct shape *shape, struct sl_json_parser *parser,
                        const struct sl_record *r, struct sl_arena *a, bool *ret, struct sl_err *e)
{
    const struct sl_config cfg = { .envelope = shape->envelope, .encoding = shape->encoding };
    enum sl_reason reason = SL_REASON_NONE;
    struct sl_content content;
    sl_str path;

    if (shape->envelope == SL_ENVELOPE_S3) {
        SL_TRY(sl_s3_pointer(parser, r->body, a, &path, &reason, e));
        *ret = path.len > 0;
        return SL_OK;
    }
    SL_TRY(sl_unwrap(&cfg, parser, r, a, &content, &reason, e));
    *ret = reason == SL_REASON_NONE;
    return SL_OK;
}

/* The last one fits whatever there is. */
static sl_rc shape_of(struct sl_json_parser *parser, sl_cleartext body, struct sl_arena *a,
                      unsigned *ret, struct sl_err *e)
{
    struct sl_record r = { 0 };
    bool fits = false;

    SL_TRY(sl_json_padded(body, a, &r.body, e));
    for (unsigned i = 0; i < SHAPES_N && !fits; i++) {
        SL_TRY(shape_fits(&shapes[i], parser, &r, a, &fits, e));
        *ret = i;
    }
    return SL_OK;
}

/* With `s3` small bodies have no pointer, and objects are not looked into. */
static bool is_expected(const struct sl_config *cfg, const struct shape *shape)
{
    if (cfg->envelope == SL_ENVELOPE_S3) {
        return shape->envelope == SL_ENVELOPE_S3 ||
               (shape->envelope == SL_ENVELOPE_NONE && shape->encoding == cfg->encoding);
    }
    return shape->envelope == cfg->envelope && shape->encoding == cfg->encoding;
}

static void say_shapes(const struct sl_config *cfg, const unsigned counts[static SHAPES_N],
                       unsigned n, struct sl_buf *good, struct sl_buf *warnings)
{
    unsigned expected = 0;

    for (unsigned i = 0; i < SHAPES_N; i++) {
        if (is_expected(cfg, &shapes[i])) {
            expected += counts[i];
        } else if (counts[i] > 0) {
            sl_buf_printf(warnings, "%u of %u are %s, which is %s\n", counts[i], n, shapes[i].what,
                          shapes[i].settings);
        }
    }
    if (n == 0) {
        sl_buf_add_str(good, SL_STR("none was there to look at\n"));
    } else if (expected > 0) {
        sl_buf_printf(good, "%u of %u are in the envelope and encoding that are configured\n",
                      expected, n);
    }
}

/* NOLINTNEXTLINE(readability-function-size): two outputs and who holds them */
sl_rc sl_check_peek(const struct sl_config *cfg, const struct sl_aws_target *target,
                    const struct sl_sqs_wire *wire, struct sl_arena *a, struct sl_buf *ret_good,
                    struct sl_buf *ret_warnings, struct sl_err *e)
{
    SL_AUTO(sl_json_parser_freep) struct sl_json_parser *parser = NULL;
    struct sl_sqs_message *messages = NULL;
    unsigned counts[SHAPES_N] = { 0 };
    unsigned n = 0;

    SL_TRY(sl_json_parser_new(PARSER_MAX, &parser, e));
    SL_TRY(sl_sqs_peek(cfg, target, wire, a, &messages, &n, e));
    for (unsigned i = 0; i < n; i++) {
        unsigned shape = 0;

        SL_TRY(shape_of(parser, messages[i].body, a, &shape, e));
        counts[shape]++;
    }
    say_shapes(cfg, counts, n, ret_good, ret_warnings);
    return SL_OK;
}
