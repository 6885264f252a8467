/* tests/unit/test_pg_copy.c - PostgreSQL's binary formats, byte by byte, as its manual has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sink/pg_copy.h"

static const int64_t y2000_ms = INT64_C(946684800000);

static int world_new(void **state)
{
    static struct sl_buf b;

    sl_buf_init(&b, 1 << 16);
    *state = &b;
    return 0;
}

static int world_free(void **state)
{
    sl_buf_done(*state);
    return 0;
}

/* Compare with bytes written as hex, blanks between them at will. */
static void holds(const struct sl_buf *b, const char *hex)
{
    size_t n = 0;

    assert_int_equal(sl_buf_rc(b, NULL), SL_OK);
    for (; *hex != '\0'; hex++) {
        static const char digits[] = "0123456789abcdef";

        if (*hex == ' ') {
            continue;
        }
        assert_true(n < b->len);
        assert_int_equal((unsigned char)b->ptr[n], (strchr(digits, hex[0]) - digits) * 16 +
                                                       (strchr(digits, hex[1]) - digits));
        n++;
        hex++;
    }
    assert_int_equal(n, b->len);
}

/* One value as a row of one column. */
static void row(struct sl_buf *b, enum sl_type type, struct sl_value v, const char *hex)
{
    const struct sl_column column = { .type = type };

    sl_buf_reset(b);
    sl_pg_copy_row(b, &column, 1, &v);
    holds(b, hex);
}

static struct sl_value integer(int64_t i)
{
    return (struct sl_value){ .kind = SL_VALUE_INT, .i = i };
}

static struct sl_value text(const char *s)
{
    return (struct sl_value){ .kind = SL_VALUE_TEXT, .text = sl_str_of(s) };
}

/* ---- values ---------------------------------------------------------------------------------- */

static void begins_with_the_signature_and_ends_with_minus_one(void **state)
{
    sl_pg_copy_begin(*state);
    sl_pg_copy_end(*state);
    holds(*state, "50 47 43 4f 50 59 0a ff 0d 0a 00  00000000  00000000  ffff");
}

static void integers_have_the_width_of_their_column(void **state)
{
    row(*state, SL_TYPE_INTEGER, integer(1), "0001 00000004 00000001");
    row(*state, SL_TYPE_INTEGER, integer(INT32_MIN), "0001 00000004 80000000");
    row(*state, SL_TYPE_INTEGER, integer(-2), "0001 00000004 fffffffe");
    row(*state, SL_TYPE_BIGINT, integer(1), "0001 00000008 0000000000000001");
    row(*state, SL_TYPE_BIGINT, integer(INT64_MAX), "0001 00000008 7fffffffffffffff");
    row(*state, SL_TYPE_BIGINT, integer(-2), "0001 00000008 fffffffffffffffe");
}

static void dates_are_days_since_2000(void **state)
{
    row(*state, SL_TYPE_DATE, integer(10957), "0001 00000004 00000000");
    row(*state, SL_TYPE_DATE, integer(10956), "0001 00000004 ffffffff");
    row(*state, SL_TYPE_DATE, integer(10958), "0001 00000004 00000001");
    row(*state, SL_TYPE_DATE, integer(0), "0001 00000004 ffffd533");
}

static void times_are_microseconds_since_2000(void **state)
{
    row(*state, SL_TYPE_TIMESTAMPTZ, integer(y2000_ms * 1000), "0001 00000008 0000000000000000");
    row(*state, SL_TYPE_TIMESTAMPTZ, integer(y2000_ms * 1000 - 1),
        "0001 00000008 ffffffffffffffff");
    row(*state, SL_TYPE_TIMESTAMPTZ, integer(y2000_ms * 1000 + 1),
        "0001 00000008 0000000000000001");
    row(*state, SL_TYPE_TIMESTAMPTZ, integer(0), "0001 00000008 fffca2fec4c82000");
    assert_true(sl_pg_timestamp(y2000_ms) == 0);
    assert_true(sl_pg_timestamp(y2000_ms + 1) == 1000);
    assert_true(sl_pg_timestamp(0) == -946684800000000);
}

static void texts_are_their_bytes(void **state)
{
    row(*state, SL_TYPE_TEXT, text("ab"), "0001 00000002 6162");
    row(*state, SL_TYPE_VARCHAR, text(""), "0001 00000000");
    row(*state, SL_TYPE_TEXT, text("\xc3\xa4\n\\N\t"), "0001 00000006 c3a4 0a 5c4e 09");
}

static void jsonb_has_its_version_before_it(void **state)
{
    row(*state, SL_TYPE_JSONB, text("{}"), "0001 00000003 01 7b7d");
}

static void null_has_no_bytes_in_any_type(void **state)
{
    for (int type = SL_TYPE_VARCHAR; type <= SL_TYPE_JSONB; type++) {
        row(*state, (enum sl_type)type, (struct sl_value){ .kind = SL_VALUE_NULL },
            "0001 ffffffff");
    }
}

static void doubles_are_ieee_754_with_the_sign_first(void **state)
{
    row(*state, SL_TYPE_DOUBLE, (struct sl_value){ .kind = SL_VALUE_DOUBLE, .d = 1.5 },
        "0001 00000008 3ff8000000000000");
    row(*state, SL_TYPE_DOUBLE, (struct sl_value){ .kind = SL_VALUE_DOUBLE, .d = -0.0 },
        "0001 00000008 8000000000000000");
}

static void booleans_are_one_byte(void **state)
{
    row(*state, SL_TYPE_BOOLEAN, (struct sl_value){ .kind = SL_VALUE_BOOL, .b = true },
        "0001 00000001 01");
    row(*state, SL_TYPE_BOOLEAN, (struct sl_value){ .kind = SL_VALUE_BOOL, .b = false },
        "0001 00000001 00");
}

static void uuids_are_sixteen_bytes(void **state)
{
    struct sl_value v = { .kind = SL_VALUE_UUID };

    for (unsigned i = 0; i < 16; i++) {
        v.uuid[i] = (unsigned char)(i * 17);
    }
    row(*state, SL_TYPE_UUID, v, "0001 00000010 00112233445566778899aabbccddeeff");
}

static void addresses_have_family_prefix_no_cidr_and_length(void **state)
{
    struct sl_value v4 = { .kind = SL_VALUE_INET, .inet = { { 192, 0, 2, 7, 0xee }, 24, false } };
    struct sl_value v6 = { .kind = SL_VALUE_INET, .inet = { { 0x20, 1, 0xd, 0xb8 }, 128, true } };

    v6.inet.addr[15] = 1;
    row(*state, SL_TYPE_INET, v4, "0001 00000008 02 18 00 04 c0000207");
    row(*state, SL_TYPE_INET, v6, "0001 00000014 03 80 00 10 20010db8000000000000000000000001");
}

static void a_row_has_its_columns_in_order(void **state)
{
    const struct sl_column columns[] = { { .type = SL_TYPE_TEXT },
                                         { .type = SL_TYPE_INTEGER },
                                         { .type = SL_TYPE_DATE } };
    const struct sl_value values[] = { text("a"), { .kind = SL_VALUE_NULL }, integer(10957) };

    sl_pg_copy_row(*state, columns, 3, values);
    holds(*state, "0003 00000001 61 ffffffff 00000004 00000000");
}

static void cleartext_spoils_the_buffer_and_is_not_in_it(void **state)
{
    struct sl_buf *b = *state;
    const struct sl_column columns[] = { { .type = SL_TYPE_TEXT },
                                         { .type = SL_TYPE_TEXT },
                                         { .type = SL_TYPE_TEXT } };
    const struct sl_value values[] = { text("before"),
                                       { .kind = SL_VALUE_CLEARTEXT, .cleartext = { "secret", 6 } },
                                       text("after") };

    sl_pg_copy_begin(b);
    sl_pg_copy_row(b, columns, 3, values);
    sl_pg_copy_end(b);
    assert_int_equal(sl_buf_rc(b, NULL), SL_NOMEM);
    assert_null(memmem(b->ptr, b->len, "secret", 6));
    assert_null(memmem(b->ptr, b->len, "after", 5));
}

/* ---- the ledger ------------------------------------------------------------------------------ */

static struct sl_ledger_key key_of(int64_t sent_at_ms, const char *message_id)
{
    const struct sl_record r = { .sent_at_ms = sent_at_ms, .message_id = sl_str_of(message_id) };
    const struct sl_config cfg = { .dedup = SL_DEDUP_MESSAGE_ID };

    return sl_ledger_key_of(&cfg, &r);
}

static void the_slot_is_the_utc_day_modulo_32(void **state)
{
    (void)state;
    assert_int_equal(key_of(0, "m").slot, 0);
    assert_int_equal(key_of(86399999, "m").slot, 0);
    assert_int_equal(key_of(86400000, "m").slot, 1);
    assert_int_equal(key_of(INT64_C(86400000) * 31, "m").slot, 31);
    assert_int_equal(key_of(INT64_C(86400000) * 32, "m").slot, 0);
    assert_int_equal(key_of(INT64_C(1769903999123), "m").slot, 20484 % 32);
    assert_true(key_of(y2000_ms + 5, "m").sent_at_us == 5000);
    assert_true(sl_str_eq(key_of(0, "m").id, SL_STR("m")));
}

static void every_slot_has_a_partition(void **state)
{
    (void)state;
    for (int64_t day = 0; day < 30000; day++) {
        assert_in_range(key_of(day * 86400000 + 86399999, "m").slot, 0, 31);
    }
}

static void keys_are_in_the_order_of_slot_time_and_id(void **state)
{
    const struct sl_ledger_key in_order[] = {
        key_of(INT64_C(86400000) * 32, "z"), /* slot 0, though later */
        key_of(INT64_C(86400000) * 32 + 1, "a"), key_of(INT64_C(86400000), "B"),
        key_of(INT64_C(86400000), "a"),          key_of(INT64_C(86400000), "a-"),
        key_of(INT64_C(86400000), "b"),          key_of(INT64_C(86400000), "\xc3"),
        key_of(INT64_C(86400000) + 1, "a"),      key_of(INT64_C(86400000) * 2, "a"),
    };
    const int n = sizeof in_order / sizeof in_order[0];

    (void)state;
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < n; k++) {
            const int order = sl_ledger_key_cmp(&in_order[i], &in_order[k]);

            assert_true(i < k ? order < 0 : i > k ? order > 0 : order == 0);
        }
    }
}

static void a_ledger_row_is_slot_time_id_pipeline_and_batch(void **state)
{
    const struct sl_ledger_key key = { .slot = 4, .sent_at_us = -1, .id = SL_STR("m1") };
    static const unsigned char batch_id[16] = { 1, 2, [15] = 0xff };

    sl_pg_copy_ledger(*state, &key, SL_STR("p"), batch_id);
    holds(*state, "0005 00000002 0004 00000008 ffffffffffffffff 00000002 6d31 00000001 70"
                  " 00000010 010200000000000000000000000000ff");
}

static void a_key_row_is_pipeline_key_with_its_kind_and_batch(void **state)
{
    const struct sl_ledger_key key = { .slot = SL_LEDGER_BY_ID, .id = SL_STR("m1") };
    static const unsigned char batch_id[16] = { 1, 2, [15] = 0xff };

    sl_pg_copy_ledger_key(*state, &key, SL_STR("p"), batch_id);
    holds(*state, "0003 00000001 70 00000003 016d31 00000010 010200000000000000000000000000ff");
}

static void a_key_comes_back_as_it_went(void **state)
{
    const struct sl_ledger_key keys[] = { { .slot = SL_LEDGER_BY_VALUE, .id = SL_STR("\0\xff") },
                                          { .slot = SL_LEDGER_BY_ID, .id = SL_STR("m1") } };
    struct sl_buf *b = *state;

    for (size_t i = 0; i < 2; i++) {
        sl_buf_reset(b);
        sl_pg_array_add_key(b, &keys[i]);
        const struct sl_ledger_key back = sl_ledger_key_from((sl_str){ b->ptr + 4, b->len - 4 });

        assert_int_equal(sl_ledger_key_cmp(&keys[i], &back), 0);
    }
    assert_int_equal(sl_ledger_key_from(SL_STR("")).slot, -1);
}

static void what_a_record_is_known_by_depends_on_queue_dedup_and_verdict(void **state)
{
    const struct sl_config fifo = { .sqs.queue_url = SL_STR("https://h/1/q.fifo") };
    const struct sl_config body = { .dedup = SL_DEDUP_BODY };
    struct sl_record r = { .sent_at_ms = 1, .message_id = SL_STR("m1"), .ledger_key = { 9 } };
    struct sl_ledger_key key = sl_ledger_key_of(&body, &r);

    (void)state;
    assert_int_equal(key.slot, SL_LEDGER_BY_VALUE);
    assert_int_equal(key.id.len, 32);
    assert_int_equal(key.id.ptr[0], 9);
    key = sl_ledger_key_of(&fifo, &r);
    assert_int_equal(key.slot, SL_LEDGER_BY_ID);
    assert_true(sl_str_eq(key.id, SL_STR("m1")));
    r.verdict.reason = SL_REASON_REFUSED;
    key = sl_ledger_key_of(&body, &r);
    assert_int_equal(key.slot, SL_LEDGER_BY_ID);
    assert_true(sl_str_eq(key.id, SL_STR("m1")));
}

/* ---- arrays ---------------------------------------------------------------------------------- */

static void an_array_has_one_dimension_from_1_and_may_have_nulls(void **state)
{
    sl_pg_array_begin(*state, 25, 3);
    sl_pg_array_add(*state, SL_STR("ab"));
    sl_pg_array_add_null(*state);
    sl_pg_array_add(*state, SL_STR(""));
    holds(*state, "00000001 00000001 00000019 00000003 00000001 00000002 6162 ffffffff 00000000");
}

static void elements_of_integers_have_their_width(void **state)
{
    sl_pg_array_begin(*state, 21, 1);
    sl_pg_array_add_i16(*state, -2);
    holds(*state, "00000001 00000001 00000015 00000001 00000001 00000002 fffe");
    sl_buf_reset(*state);
    sl_pg_array_add_i64(*state, -2);
    holds(*state, "00000008 fffffffffffffffe");
}

int main(void)
{
#define RULE(f) cmocka_unit_test_setup_teardown(f, world_new, world_free)
    const struct CMUnitTest tests[] = {
        RULE(begins_with_the_signature_and_ends_with_minus_one),
        RULE(integers_have_the_width_of_their_column),
        RULE(dates_are_days_since_2000),
        RULE(times_are_microseconds_since_2000),
        RULE(texts_are_their_bytes),
        RULE(jsonb_has_its_version_before_it),
        RULE(null_has_no_bytes_in_any_type),
        RULE(doubles_are_ieee_754_with_the_sign_first),
        RULE(booleans_are_one_byte),
        RULE(uuids_are_sixteen_bytes),
        RULE(addresses_have_family_prefix_no_cidr_and_length),
        RULE(a_row_has_its_columns_in_order),
        RULE(cleartext_spoils_the_buffer_and_is_not_in_it),
        RULE(the_slot_is_the_utc_day_modulo_32),
        RULE(every_slot_has_a_partition),
        RULE(keys_are_in_the_order_of_slot_time_and_id),
        RULE(a_ledger_row_is_slot_time_id_pipeline_and_batch),
        RULE(a_key_row_is_pipeline_key_with_its_kind_and_batch),
        RULE(a_key_comes_back_as_it_went),
        RULE(what_a_record_is_known_by_depends_on_queue_dedup_and_verdict),
        RULE(an_array_has_one_dimension_from_1_and_may_have_nulls),
        RULE(elements_of_integers_have_their_width),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
