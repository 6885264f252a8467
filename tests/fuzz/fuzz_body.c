/* tests/fuzz/fuzz_body.c - any bytes as the body of a message, through decode, mask and the format
 * of COPY: it ends as one value a column or as one verdict with a sealed body, every value fits its
 * column, and what is to be masked is masked.
 *
 * The same bytes are a message attribute when they are text, as attributes are.
 */
#include "fuzz.h"
#include "keys/keyring_build.h"
#include "pipeline/pipeline.h"
#include "sink/pg_copy.h"
#include "utf8.h"

enum { BODY_MAX = 64 << 10 };

static const char file[] =
    "source: { sqs: { queue_url: http://localhost:4566/0/q } }\n"
    "keys: { file: k }\n"
    "sink: { postgres: { table: t } }\n"
    "allow_cleartext: true\n"
    "columns:\n"
    "- { name: c0,  from: t,                type: text }\n"
    "- { name: c1,  from: t,                type: varchar(3) }\n"
    "- { name: c2,  from: a.b,              type: text, convert: text }\n"
    "- { name: c3,  from: 'l[1].x',         type: jsonb }\n"
    "- { name: c4,  from: i,                type: integer }\n"
    "- { name: c5,  from: i,                type: bigint }\n"
    "- { name: c6,  from: f,                type: double precision }\n"
    "- { name: c7,  from: o,                type: boolean }\n"
    "- { name: c8,  from: d,                type: date }\n"
    "- { name: c9,  from: d,                type: timestamptz }\n"
    "- { name: c10, from: u,                type: uuid }\n"
    "- { name: c11, from: ip,               type: inet }\n"
    "- { name: c12, from: v,                type: integer, convert: version }\n"
    "- { name: c13, from: v,                type: text, required: true }\n"
    "- { name: c14, from: ip,               type: varchar(256), mask: siv, normalize: ip }\n"
    "- { name: c15, from: ip,               type: inet, mask: ip }\n"
    "- { name: c16, from: ip,               type: text, mask: hmac }\n"
    "- { name: c17, from: t,                type: text, mask: keep, keep: first 1 }\n"
    "- { name: c18, from: i,                type: text, mask: siv, convert: text }\n"
    "- { name: c19, from: t,                type: text, mask: fixed, value: x }\n"
    "- { name: c20, from: t,                type: text, mask: 'null' }\n"
    "- { name: c21, from: $body,            type: jsonb }\n"
    "- { name: c22, from: $attribute.a,     type: text }\n"
    "- { name: c23, from: $message_id,      type: text }\n"
    "- { name: c24, from: $sent_at,         type: date }\n"
    "- { name: c25, from: '\"\"',           type: jsonb }\n";

static struct world {
    struct sl_config cfg;
    struct sl_keyring *ring;
    struct sl_counters counters;
    struct sl_pipeline p;
    struct sl_buf out;
} world;

static void world_new(void)
{
    unsigned char master[SL_KEY_BYTES];
    struct sl_err e = { 0 };

    memset(master, 0x17, sizeof master);
    must(sl_config_parse("s.yaml", SL_STR(file), NULL, &world.cfg, &e) == SL_OK, e.msg);
    must(sl_keyring_new(&world.ring, NULL) == SL_OK &&
             sl_keyring_add(world.ring, SL_STR("k1"), SL_KEY_ACTIVE, master, NULL) == SL_OK &&
             sl_keyring_finish(world.ring, NULL) == SL_OK,
         "no key ring");
    world.p = (struct sl_pipeline){ .cfg = &world.cfg, .counters = &world.counters };
    must(sl_masks_open(&world.cfg, world.ring, &world.p.masks, &e) == SL_OK, e.msg);
    must(sl_json_parser_new(1 << 20, &world.p.parser, NULL) == SL_OK, "memory");
    sl_arena_init(&world.p.scratch, 64 << 20, 64 << 10);
    sl_buf_init(&world.out, 64 << 20);
}

static struct sl_record *add(struct sl_batch *b, sl_str body)
{
    struct sl_record *r = sl_arena_calloc(&b->arena, 1, sizeof *r);
    struct sl_attribute *attribute = sl_arena_calloc(&b->arena, 1, sizeof *attribute);

    must(r != NULL && attribute != NULL, "memory");
    *attribute = (struct sl_attribute){ SL_STR("a"), sl_cleartext_of(body) };
    *r = (struct sl_record){
        .message_id = SL_STR("m1"),
        .sent_at_ms = INT64_C(1769903999123),
        .received_at_ms = INT64_C(1769904001456),
        .receive_count = 1,
        .attributes = attribute,
        .attributes_n = is_utf8(body),
        .body = sl_cleartext_of(padded(&b->arena, body, '\0')),
    };
    b->records[b->n++] = r;
    return r;
}

/* ---- what must hold ---------------------------------------------------------------------------- */

/* Within what PostgreSQL holds. */
static void check_int(const struct sl_column *c, int64_t i)
{
    if (c->type == SL_TYPE_INTEGER) {
        must(i >= INT32_MIN && i <= INT32_MAX, "an integer over its column");
    } else if (c->type == SL_TYPE_DATE) {
        must(i >= -719163 && i <= 2932897, "a day of another age");
    } else {
        must(c->type == SL_TYPE_BIGINT || c->type == SL_TYPE_TIMESTAMPTZ, "a number elsewhere");
    }
}

static void check_text(const struct sl_column *c, sl_str text)
{
    must(c->type == SL_TYPE_TEXT || c->type == SL_TYPE_JSONB || c->type == SL_TYPE_VARCHAR,
         "a text elsewhere");
    must(is_utf8(text) && (text.len == 0 || memchr(text.ptr, '\0', text.len) == NULL),
         "a text that PostgreSQL cannot hold");
    must(c->type != SL_TYPE_VARCHAR || sl_str_chars(text) <= c->max_chars, "a text too long");
}

static void check_value(const struct sl_column *c, const struct sl_value *v)
{
    const bool is_masked = c->masking.method != SL_MASK_NONE;

    switch (v->kind) {
    case SL_VALUE_NULL:
        must(!c->is_required, "nothing in a column that needs a value");
        break;
    case SL_VALUE_CLEARTEXT:
        must(is_masked, "a value waits for a mask that is none");
        break;
    case SL_VALUE_TEXT:
        check_text(c, v->text);
        break;
    case SL_VALUE_INT:
        check_int(c, v->i);
        break;
    case SL_VALUE_DOUBLE:
        must(c->type == SL_TYPE_DOUBLE, "a double elsewhere");
        break;
    case SL_VALUE_BOOL:
        must(c->type == SL_TYPE_BOOLEAN, "a boolean elsewhere");
        break;
    case SL_VALUE_UUID:
        must(c->type == SL_TYPE_UUID, "a uuid elsewhere");
        break;
    case SL_VALUE_INET:
        must(c->type == SL_TYPE_INET, "an address elsewhere");
        break;
    default:
        must(false, "a value of no kind");
    }
}

/* Of decode: what is to be masked is still apart. */
static void check_decoded(const struct sl_record *r)
{
    if (r->verdict.reason != SL_REASON_NONE) {
        must(strcmp(sl_reason_stage(r->verdict.reason), "decode") == 0, "another stage's verdict");
        return;
    }
    must(r->values != NULL, "neither values nor a verdict");
    for (unsigned i = 0; i < world.cfg.columns_n; i++) {
        const struct sl_column *c = &world.cfg.columns[i];

        check_value(c, &r->values[i]);
        must(c->masking.method == SL_MASK_NONE || r->values[i].kind == SL_VALUE_CLEARTEXT ||
                 r->values[i].kind == SL_VALUE_NULL,
             "a value passes its mask");
    }
}

static void check_masked(const struct sl_record *r)
{
    if (r->verdict.reason != SL_REASON_NONE) {
        must(r->sealed.len > 0, "a verdict without a sealed body");
        return;
    }
    for (unsigned i = 0; i < world.cfg.columns_n; i++) {
        must(r->values[i].kind != SL_VALUE_CLEARTEXT, "a value stays without its mask");
        check_value(&world.cfg.columns[i], &r->values[i]);
    }
    sl_buf_reset(&world.out);
    sl_pg_copy_row(&world.out, world.cfg.columns, world.cfg.columns_n, r->values);
    must(sl_buf_rc(&world.out, NULL) == SL_OK, "a row that cannot be written");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct sl_batch b;
    struct sl_record *r;

    if (n > BODY_MAX) {
        return 0;
    }
    if (world.ring == NULL) {
        world_new();
    }
    must(sl_batch_init(&b, 1, 64 << 20, NULL) == SL_OK, "memory");
    r = add(&b, (sl_str){ (const char *)data, n });
    must(sl_stage_decode(&world.p, &b, NULL) == SL_OK, "a body that spoils its batch");
    check_decoded(r);
    must(sl_stage_mask(&world.p, &b, NULL) == SL_OK, "a body that spoils its batch");
    check_masked(r);
    sl_batch_done(&b);
    return 0;
}
