/* tests/unit/test_sqs_pack.c - packed messages stand for themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "source/sqs_pack.h"

enum { BODY = 1000 };

static char body[BODY];
static char value[] = "a trace";

static struct sl_attribute attributes[] = { { { "Trace", 5 }, { value, 7 } } };

static const struct sl_sqs_message messages[] = {
    { .message_id = { "m1", 2 },
      .body = { body, BODY },
      .sent_at_ms = 17,
      .receive_count = 2,
      .group = 5,
      .attributes = attributes,
      .attributes_n = 1 },
    { .message_id = { "m2", 2 }, .body = { body, 0 } },
};

static void packs_what_is_kept_into_one_block(void **state)
{
    struct sl_sqs_message *packed = NULL;
    struct sl_arena arena;

    (void)state;
    memset(body, 'b', sizeof body);
    assert_int_equal(sl_sqs_pack(messages, 2, 1 << 20, &arena, &packed, NULL), SL_OK);
    memset(body, 'x', sizeof body); /* it may go now */
    memset(value, 'x', 7);
    assert_true(sl_str_eq(packed[0].message_id, SL_STR("m1")));
    assert_int_equal(packed[0].body.len, BODY);
    for (unsigned i = 0; i < BODY + SL_JSON_PADDING; i++) {
        assert_int_equal(packed[0].body.secret[i], i < BODY ? 'b' : '\0');
    }
    assert_int_equal(packed[0].sent_at_ms, 17);
    assert_int_equal(packed[0].receive_count, 2);
    assert_int_equal(packed[0].group, 5);
    assert_int_equal(packed[0].attributes_n, 1);
    assert_true(sl_str_eq(packed[0].attributes[0].name, SL_STR("Trace")));
    assert_memory_equal(packed[0].attributes[0].value.secret, "a trace", 7);
    assert_int_equal(packed[1].body.len, 0);
    assert_null(packed[1].attributes);
    assert_in_range(arena.held_bytes, BODY, BODY + 2000); /* and no second block */
    sl_arena_done(&arena);
}

static void says_when_memory_does_not_suffice(void **state)
{
    struct sl_sqs_message *packed = NULL;
    struct sl_arena arena;

    (void)state;
    assert_int_equal(sl_sqs_pack(messages, 2, BODY, &arena, &packed, NULL), SL_NOMEM);
    sl_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packs_what_is_kept_into_one_block),
        cmocka_unit_test(says_when_memory_does_not_suffice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
