/* tests/unit/world.h - a configuration, a key ring and a batch of records made by hand, for the
 * tests of the stages. */
#ifndef SLUICE_TESTS_WORLD_H
#define SLUICE_TESTS_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "keys/keyring_build.h"
#include "pipeline/pipeline.h"

struct world {
    struct sl_config cfg;
    struct sl_keyring *ring;
    struct sl_counters counters;
    struct sl_pipeline p;
    struct sl_batch b;
    struct sl_stop stop;
};

#define WORLD_SENT_AT_MS     INT64_C(1769903999123) /* 2026-01-31T23:59:59.123Z */
#define WORLD_RECEIVED_AT_MS INT64_C(1769904001456)

static inline sl_rc world_config(const char *columns, struct sl_config *ret, struct sl_err *e)
{
    char text[8192];
    const int n = snprintf(text, sizeof text,
                           "source: { sqs: { queue_url: http://localhost:4566/0/q } }\n"
                           "keys: { file: k }\n"
                           "sink: { postgres: { table: t } }\n"
                           "columns:\n%s",
                           columns);

    assert_in_range(n, 1, sizeof text - 1);
    return sl_config_parse("s.yaml", sl_str_of(text), NULL, ret, e);
}

static inline void world_batch(struct world *w, size_t max_bytes)
{
    sl_batch_done(&w->b);
    assert_int_equal(sl_batch_init(&w->b, 64, max_bytes, NULL), SL_OK);
}

/* An empty batch for these columns. */
static inline void world_begin(struct world *w, const char *columns)
{
    struct sl_err e = { 0 };
    const sl_rc rc = (sl_config_done(&w->cfg), world_config(columns, &w->cfg, &e));

    assert_string_equal(e.msg, "");
    assert_int_equal(rc, SL_OK);
    sl_masks_close(&w->p.masks);
    assert_int_equal(sl_masks_open(&w->cfg, w->ring, &w->p.masks, NULL), SL_OK);
    world_batch(w, 16 << 20);
}

static inline void world_open(struct world *w)
{
    unsigned char master[SL_KEY_BYTES];

    memset(master, 0x17, sizeof master);
    *w = (struct world){ .p = { .cfg = &w->cfg, .counters = &w->counters } };
    w->p.stop = &w->stop;
    assert_int_equal(sl_keyring_new(&w->ring, NULL), SL_OK);
    assert_int_equal(sl_keyring_add(w->ring, SL_STR("k1"), SL_KEY_ACTIVE, master, NULL), SL_OK);
    assert_int_equal(sl_keyring_finish(w->ring, NULL), SL_OK);
    assert_int_equal(sl_json_parser_new(1 << 20, &w->p.parser, NULL), SL_OK);
    sl_arena_init(&w->p.scratch, 16 << 20, 4096);
}

static inline void world_close(struct world *w)
{
    sl_batch_done(&w->b);
    sl_config_done(&w->cfg);
    sl_arena_done(&w->p.scratch);
    sl_json_parser_free(w->p.parser);
    sl_masks_close(&w->p.masks);
    sl_keyring_free(w->ring);
}

/* A run of the batch's, with what simdjson wants behind it. */
static inline sl_str world_run(struct sl_batch *b, sl_str s)
{
    char *copy = sl_arena_calloc(&b->arena, 1, s.len + SL_JSON_PADDING);

    assert_non_null(copy);
    memcpy(copy, s.ptr, s.len);
    return (sl_str){ copy, s.len };
}

/* Add a message as the queue would have given it. */
static inline struct sl_record *world_add(struct sl_batch *b, const char *message_id, sl_str body)
{
    struct sl_record *r = sl_arena_calloc(&b->arena, 1, sizeof *r);

    assert_non_null(r);
    assert_true(b->n < b->cap);
    r->message_id = sl_arena_copy(&b->arena, sl_str_of(message_id));
    r->sent_at_ms = WORLD_SENT_AT_MS;
    r->received_at_ms = WORLD_RECEIVED_AT_MS;
    r->receive_count = 3;
    r->body = sl_cleartext_of(world_run(b, body));
    b->records[b->n++] = r;
    b->body_bytes += body.len;
    return r;
}

#endif
