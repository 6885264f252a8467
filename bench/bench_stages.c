/* bench/bench_stages.c - one batch of login events through the flow, up to a stage, without I/O.
 *
 *     bench_stages STAGE BATCHES
 *
 * For callgrind (bench/instructions.py): what a stage costs is the difference to the stage before,
 * and what a message costs that between two numbers of batches.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cmd/generate_event.h"
#include "keys/keyring_build.h"
#include "net/aws_sigv4.h"
#include "pipeline/pipeline.h"
#include "sink/pg_work.h"
#include "source/sqs_pack.h"
#include "source/sqs_wire.h"

enum {
    REPLIES = 100, /* of ten messages: a batch of 1000 */
    REPLY_BYTES = 64 << 10,
    REPLIES_BYTES = 16 << 20,
};

enum stage { STAGE_NONE, STAGE_RECEIVE, STAGE_DECODE, STAGE_MASK, STAGE_ENCODE, STAGE_ACK };

static const char *const stage_names[] = { "none", "receive", "decode", "mask", "encode", "ack" };

static const char file[] =
    "source: { sqs: { queue_url: http://localhost:4566/0/q } }\n"
    "keys: { file: k }\n"
    "sink: { postgres: { table: user_logins } }\n"
    "columns:\n"
    "- { name: user_id,          from: user_id,     type: varchar(128), required: true }\n"
    "- { name: device_type,      from: device_type, type: varchar(32) }\n"
    "- { name: masked_ip,        from: ip,          type: text, mask: siv }\n"
    "- { name: masked_device_id, from: device_id,   type: text, mask: siv }\n"
    "- { name: locale,           from: locale,      type: varchar(32) }\n"
    "- { name: app_version,      from: app_version, type: text }\n"
    "- { name: create_date,      from: $sent_at,    type: timestamptz }\n";

static struct world {
    struct sl_config cfg;
    struct sl_keyring *ring;
    struct sl_counters counters;
    struct sl_pipeline p;
    struct sl_sigv4_key key;
    struct sl_buf replies[REPLIES];
    struct sl_buf out;
} world;

static void must(bool is_so, const char *what)
{
    if (!is_so) {
        (void)fprintf(stderr, "bench_stages: %s\n", what);
        exit(1);
    }
}

/* ---- the input --------------------------------------------------------------------------------- */

static void add_message(struct sl_buf *out, struct sl_generator *g, unsigned number)
{
    SL_AUTO(sl_buf_done) struct sl_buf event = { .max_bytes = REPLY_BYTES };

    must(sl_generator_next(g, &event), "no event");
    sl_buf_printf(out, "{\"MessageId\":\"5fea7756-0ea4-451a-a703-%012u\",\"ReceiptHandle\":\"",
                  number);
    for (unsigned i = 0; i < 5; i++) { /* AWS's are that long */
        sl_buf_printf(out, "AQEBzbVv2Ch9Zc0Jd1mBoF%08xK3J5uLh4gtPPqVGFSsJk5Qf", number * 31 + i);
    }
    sl_buf_printf(out,
                  "\",\"MD5OfBody\":\"fafb00f5732ab283681e124bf8747ed1\",\"Attributes\":{"
                  "\"SentTimestamp\":\"%u000\",\"ApproximateReceiveCount\":\"1\"},\"Body\":",
                  1769903999 + number);
    sl_buf_add_json(out, sl_buf_str(&event));
    sl_buf_add_char(out, '}');
}

static void replies_make(void)
{
    struct sl_generator g;

    sl_generator_init(&g, 1, (uint64_t)REPLIES * SL_SQS_BATCH, 0.1, 0);
    for (unsigned i = 0; i < REPLIES; i++) {
        struct sl_buf *out = &world.replies[i];

        sl_buf_init(out, REPLY_BYTES);
        sl_buf_add_str(out, SL_STR("{\"Messages\":["));
        for (unsigned j = 0; j < SL_SQS_BATCH; j++) {
            sl_buf_add_str(out, j > 0 ? SL_STR(",") : SL_STR(""));
            add_message(out, &g, i * SL_SQS_BATCH + j);
        }
        sl_buf_add_str(out, SL_STR("]}"));
        must(sl_buf_reserve(out, SL_JSON_PADDING) != NULL, "a reply does not fit");
    }
}

static void world_new(void)
{
    unsigned char master[SL_KEY_BYTES];
    struct sl_err e = { 0 };

    memset(master, 0x17, sizeof master);
    must(sl_config_parse("bench", SL_STR(file), NULL, &world.cfg, &e) == SL_OK, e.msg);
    must(sl_keyring_new(&world.ring, NULL) == SL_OK &&
             sl_keyring_add(world.ring, SL_STR("k1"), SL_KEY_ACTIVE, master, NULL) == SL_OK &&
             sl_keyring_finish(world.ring, NULL) == SL_OK,
         "no key ring");
    world.p = (struct sl_pipeline){ .cfg = &world.cfg, .counters = &world.counters };
    must(sl_masks_open(&world.cfg, world.ring, &world.p.masks, &e) == SL_OK, e.msg);
    must(sl_json_parser_new(1 << 20, &world.p.parser, NULL) == SL_OK, "no JSON parser");
    sl_arena_init(&world.p.scratch, 64 << 20, 64 << 10);
    sl_buf_init(&world.out, REPLIES_BYTES);
    replies_make();
}

static void world_done(void)
{
    sl_sigv4_key_done(&world.key);
    sl_buf_done(&world.out);
    for (unsigned i = 0; i < REPLIES; i++) {
        sl_buf_done(&world.replies[i]);
    }
    sl_arena_done(&world.p.scratch);
    sl_json_parser_free(world.p.parser);
    sl_masks_close(&world.p.masks);
    sl_keyring_free(world.ring);
    sl_config_done(&world.cfg);
}

/* ---- the stages -------------------------------------------------------------------------------- */

static void record_take(struct sl_batch *b, const struct sl_sqs_message *m,
                        struct sl_sqs_entry *entry)
{
    struct sl_record *r = sl_arena_alloc(&b->arena, sizeof *r);

    must(r != NULL, "memory");
    *r = (struct sl_record){ .message_id = m->message_id,
                             .sent_at_ms = m->sent_at_ms,
                             .receive_count = m->receive_count,
                             .body = m->body };
    *entry = (struct sl_sqs_entry){ .receipt_handle = sl_arena_copy(&b->arena, m->receipt_handle) };
    b->records[b->n++] = r;
}

static void stage_receive(struct sl_batch *b, const struct sl_buf *reply,
                          struct sl_sqs_entry *entries)
{
    SL_AUTO(sl_arena_done) struct sl_arena tree;
    struct sl_sqs_message *messages = NULL;
    struct sl_arena packed;
    unsigned n = 0;

    sl_arena_init(&tree, REPLIES_BYTES, REPLY_BYTES / 2);
    must(sl_sqs_read_receive(world.p.parser, sl_buf_str(reply), &tree, &messages, &n, NULL) ==
                 SL_OK &&
             n == SL_SQS_BATCH &&
             sl_sqs_pack(messages, n, REPLIES_BYTES, &packed, &messages, NULL) == SL_OK,
         "a reply is not read");
    for (unsigned i = 0; i < n; i++) {
        record_take(b, &messages[i], &entries[b->n]);
    }
    sl_arena_adopt(&b->arena, &packed);
}

static void stage_encode(struct sl_batch *b)
{
    struct sl_pg_work w;

    must(sl_pg_work_init(&w, b, &world.cfg, &b->arena, NULL) == SL_OK, "memory");
    sl_buf_reset(&world.out);
    sl_pg_copy_begin(&world.out);
    for (unsigned i = 0; i < w.n; i++) {
        sl_pg_copy_ledger(&world.out, &w.sorted[i].key, SL_STR("user_logins"), b->id);
    }
    sl_pg_copy_end(&world.out);
    sl_pg_copy_begin(&world.out);
    for (unsigned i = 0; i < w.n; i++) {
        sl_pg_copy_row(&world.out, world.cfg.columns, world.cfg.columns_n, w.entries[i]->r->values);
    }
    sl_pg_copy_end(&world.out);
    must(sl_buf_rc(&world.out, NULL) == SL_OK, "rows do not fit");
}

static void stage_ack(const struct sl_sqs_entry *entries)
{
    static const struct sl_sigv4_header headers[] = {
        { { "content-type", 12 }, { "application/x-amz-json-1.0", 26 } },
        { { "host", 4 }, { "sqs.us-east-1.amazonaws.com", 27 } },
        { { "x-amz-date", 10 }, { "20260131T235959Z", 16 } },
        { { "x-amz-target", 12 }, { "AmazonSQS.DeleteMessageBatch", 28 } },
    };
    const struct sl_aws_creds creds = { .access_key_id = SL_STR("AKIDEXAMPLE"),
                                        .secret_access_key = SL_STR("bench") };
    SL_AUTO(sl_buf_done) struct sl_buf authorization = { .max_bytes = 1024 };
    struct sl_sigv4_request request = {
        .method = SL_STR("POST"), .path = SL_STR("/"), .headers = headers, .headers_n = 4
    };

    sl_buf_reset(&world.out);
    sl_sqs_json.write_delete(&world.out, world.cfg.sqs.queue_url, entries, SL_SQS_BATCH);
    request.body = sl_buf_str(&world.out);
    must(sl_sigv4_sign(&request, &creds, SL_STR("us-east-1"), SL_STR("sqs"), INT64_C(1769903999000),
                       &world.key, &authorization, NULL) == SL_OK,
         "no signature");
}

static void batch_run(enum stage last)
{
    static struct sl_sqs_entry entries[REPLIES * SL_SQS_BATCH];
    struct sl_batch b;

    must(sl_batch_init(&b, REPLIES * SL_SQS_BATCH, SL_BATCH_BYTES, NULL) == SL_OK, "no batch");
    for (unsigned i = 0; i < REPLIES && last >= STAGE_RECEIVE; i++) {
        stage_receive(&b, &world.replies[i], entries);
    }
    must(last < STAGE_DECODE || sl_stage_decode(&world.p, &b, NULL) == SL_OK, "not decoded");
    must(last < STAGE_MASK || sl_stage_mask(&world.p, &b, NULL) == SL_OK, "not masked");
    if (last >= STAGE_ENCODE) {
        stage_encode(&b);
    }
    for (unsigned i = 0; i < REPLIES && last >= STAGE_ACK; i++) {
        stage_ack(&entries[(size_t)i * SL_SQS_BATCH]);
    }
    sl_batch_done(&b);
}

static enum stage stage_of(const char *name)
{
    enum stage stage = STAGE_NONE;

    while (strcmp(stage_names[stage], name) != 0) {
        must(stage++ < STAGE_ACK, "no such stage");
    }
    return stage;
}

int main(int argc, char **argv)
{
    int64_t batches = 0;
    enum stage last;

    must(argc == 3 && sl_str_to_i64(sl_str_of(argv[2]), &batches), "say STAGE BATCHES");
    last = stage_of(argv[1]);
    world_new();
    for (int64_t i = 0; i < batches; i++) {
        batch_run(last);
    }
    world_done();
    return 0;
}
