/* tests/unit/test_decode.c - what becomes a value, what becomes a verdict, and that nothing that is
 * to be masked passes unmasked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "world.h"

static int world_new(void **state)
{
    static struct world w;

    world_open(&w);
    *state = &w;
    return 0;
}

static int world_free(void **state)
{
    world_close(*state);
    return 0;
}

/* One record through decode; the batch is its own. */
static struct sl_record *decode_bytes(struct world *w, const char *columns, sl_str body)
{
    struct sl_record *r;

    world_begin(w, columns);
    r = world_add(&w->b, "m1", body);
    assert_int_equal(sl_stage_decode(&w->p, &w->b, NULL), SL_OK);
    return r;
}

static struct sl_record *decode(struct world *w, const char *columns, const char *body)
{
    return decode_bytes(w, columns, sl_str_of(body));
}

static void is_text(const struct sl_value *v, const char *text)
{
    assert_int_equal(v->kind, SL_VALUE_TEXT);
    assert_int_equal(v->text.len, strlen(text));
    assert_memory_equal(v->text.ptr, text, v->text.len);
}

static void is_int(const struct sl_value *v, int64_t expected)
{
    assert_int_equal(v->kind, SL_VALUE_INT);
    assert_true(v->i == expected);
}

static void is_good(const struct sl_record *r)
{
    assert_string_equal(sl_reason_code(r->verdict.reason), "");
    assert_non_null(r->values);
}

static void refused(const struct sl_record *r, enum sl_reason reason, const char *field)
{
    assert_string_equal(sl_reason_code(r->verdict.reason), sl_reason_code(reason));
    assert_int_equal(r->verdict.field.len, strlen(field));
    assert_true(r->verdict.field.len == 0 ||
                memcmp(r->verdict.field.ptr, field, strlen(field)) == 0);
    assert_string_equal(r->verdict.sqlstate, "");
}

#define COLUMN(settings) "- { name: c, " settings " }\n"
#define TEXT             COLUMN("from: f, type: text")

/* ---- reasons --------------------------------------------------------------------------------- */

static const struct reason_row {
    enum sl_reason reason;
    const char *columns;
    const char *field;
    const char *bodies[16];
} reason_rows[] = {
    { SL_REASON_BAD_ENVELOPE,
      TEXT "envelope: sns\n",
      "",
      { "", "{\"f\":\"x\"}", "{\"Type\":\"Notification\",\"Message\":{\"f\":\"x\"}}" } },
    { SL_REASON_BAD_ENVELOPE,
      TEXT "envelope: eventbridge\n",
      "",
      { "{\"f\":\"x\"}", "[]", "{\"detail\":\"{}\"}" } },
    { SL_REASON_BAD_ENCODING, TEXT "encoding: gzip+base64\n", "", { "", "{\"f\":\"x\"}", "AAAA" } },
    { SL_REASON_EMPTY_BODY, TEXT, "", { "", " ", "\n\t\r " } },
    { SL_REASON_EMPTY_BODY,
      TEXT "envelope: sns\n",
      "",
      { "{\"Type\":\"Notification\",\"Message\":\" \"}" } },
    { SL_REASON_NOT_JSON,
      TEXT,
      "",
      { "{", "}", "{\"f\":\"x\"", "{\"f\":\"x\"} x", "{\"f\":\"x\"}{}", "hello", "{'f':1}",
        "{\"f\":\"x\",}", "{\"f\":01}", "{\"f\":tru}", "{\"f\":.5}", "{\"f\":+1}", "{\"f\":NaN}",
        "{\"f\":\"\\x\"}", "{\"f\":\"a\nb\"}" } },
    { SL_REASON_NOT_UTF8,
      TEXT,
      "",
      { "{\"f\":\"\xff\"}", "{\"g\":\"\xc3\"}", "{\"f\":\"\xed\xa0\x80\"}",
        "{\"f\":\"\xc0\xaf\"}" } },
    { SL_REASON_DUPLICATE_KEY,
      TEXT,
      "",
      { "{\"f\":\"x\",\"f\":\"x\"}", "{\"f\":\"x\",\"g\":{\"a\":1,\"a\":2}}",
        "{\"f\":\"x\",\"\\u0066\":\"x\"}" } },
    { SL_REASON_NOT_AN_OBJECT,
      TEXT,
      "",
      { "[]", "[{\"f\":\"x\"}]", "1", "\"x\"", "null", "true" } },
    { SL_REASON_MISSING_FIELD,
      COLUMN("from: device.id, type: text, required: true"),
      "device.id",
      { "{}", "{\"device\":{}}", "{\"device\":1}", "{\"device\":null}", "{\"device\":[{\"id\":1}]}",
        "{\"device.id\":\"x\"}", "{\"id\":\"x\"}", "{\"Device\":{\"id\":\"x\"}}" } },
    { SL_REASON_NULL_FIELD,
      COLUMN("from: f, type: text, required: true"),
      "f",
      { "{\"f\":null}" } },
    { SL_REASON_WRONG_TYPE,
      TEXT,
      "f",
      { "{\"f\":1}", "{\"f\":true}", "{\"f\":{}}", "{\"f\":[]}", "{\"f\":[\"x\"]}" } },
    { SL_REASON_WRONG_TYPE,
      COLUMN("from: f, type: integer"),
      "f",
      { "{\"f\":\"1\"}", "{\"f\":1.0}", "{\"f\":1e3}", "{\"f\":true}", "{\"f\":{}}" } },
    { SL_REASON_WRONG_TYPE,
      COLUMN("from: f, type: boolean"),
      "f",
      { "{\"f\":1}", "{\"f\":\"true\"}", "{\"f\":[true]}" } },
    { SL_REASON_WRONG_TYPE, COLUMN("from: f, type: double precision"), "f", { "{\"f\":\"1.5\"}" } },
    { SL_REASON_WRONG_TYPE, COLUMN("from: f, type: date"), "f", { "{\"f\":true}", "{\"f\":{}}" } },
    { SL_REASON_WRONG_TYPE, COLUMN("from: f, type: uuid"), "f", { "{\"f\":1}" } },
    { SL_REASON_WRONG_TYPE, COLUMN("from: f, type: inet"), "f", { "{\"f\":16909060}" } },
    { SL_REASON_WRONG_TYPE,
      COLUMN("from: f, type: integer, convert: version"),
      "f",
      { "{\"f\":2.3}", "{\"f\":2}" } },
    { SL_REASON_WRONG_TYPE,
      COLUMN("from: f, type: text, convert: text"),
      "f",
      { "{\"f\":{}}", "{\"f\":[1]}" } },
    { SL_REASON_OUT_OF_RANGE,
      COLUMN("from: f, type: integer"),
      "f",
      { "{\"f\":2147483648}", "{\"f\":-2147483649}", "{\"f\":99999999999999999999}" } },
    { SL_REASON_OUT_OF_RANGE,
      COLUMN("from: f, type: integer, convert: version"),
      "f",
      { "{\"f\":\"2148.0.0\"}", "{\"f\":\"1.1000\"}" } },
    { SL_REASON_OUT_OF_RANGE,
      COLUMN("from: f, type: bigint"),
      "f",
      { "{\"f\":9223372036854775808}", "{\"f\":-9223372036854775809}" } },
    { SL_REASON_OUT_OF_RANGE,
      COLUMN("from: f, type: double precision"),
      "f",
      { "{\"f\":1e400}", "{\"f\":-1e400}" } },
    { SL_REASON_TOO_LONG,
      COLUMN("from: f, type: varchar(3)"),
      "f",
      { "{\"f\":\"abcd\"}", "{\"f\":\"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\"}", "{\"f\":\"abc \"}" } },
    { SL_REASON_NUL_CHARACTER, TEXT, "f", { "{\"f\":\"a\\u0000b\"}", "{\"f\":\"\\u0000\"}" } },
    { SL_REASON_NUL_CHARACTER,
      COLUMN("from: f, type: text, mask: siv"),
      "f",
      { "{\"f\":\"a\\u0000b\"}" } },
    { SL_REASON_NUL_CHARACTER,
      COLUMN("from: f, type: jsonb"),
      "f",
      { "{\"f\":\"\\u0000\"}", "{\"f\":{\"a\":[\"\\u0000\"]}}", "{\"f\":[\"\\u0000\",1]}",
        "{\"f\":{\"\\u0000\":1}}" } },
    { SL_REASON_LONE_SURROGATE,
      TEXT,
      "f",
      { "{\"f\":\"\\ud800\"}", "{\"f\":\"\\udc00\"}", "{\"f\":\"\\ud800x\"}",
        "{\"f\":\"\\ud800\\ud800\"}" } },
    { SL_REASON_LONE_SURROGATE,
      COLUMN("from: f, type: jsonb"),
      "f",
      { "{\"f\":\"\\ud800\"}", "{\"f\":[1,{\"a\":\"\\udfff\"}]}" } },
    { SL_REASON_BAD_VERSION,
      COLUMN("from: f, type: integer, convert: version"),
      "f",
      { "{\"f\":\"\"}", "{\"f\":\"1.2.3.4\"}", "{\"f\":\"1.x\"}" } },
    { SL_REASON_BAD_DATE,
      COLUMN("from: f, type: date"),
      "f",
      { "{\"f\":\"\"}", "{\"f\":\"2023-02-29\"}", "{\"f\":\"soon\"}", "{\"f\":1e400}",
        "{\"f\":99999999999999999999}" } },
    { SL_REASON_BAD_DATE, COLUMN("from: f, type: timestamptz"), "f", { "{\"f\":\"24:00\"}" } },
    { SL_REASON_BAD_UUID, COLUMN("from: f, type: uuid"), "f", { "{\"f\":\"\"}", "{\"f\":\"x\"}" } },
    { SL_REASON_BAD_INET,
      COLUMN("from: f, type: inet"),
      "f",
      { "{\"f\":\"\"}", "{\"f\":\"1.2.3.256\"}", "{\"f\":\"1.2.3.4\\u0000\"}" } },
};

enum { REASON_ROWS_N = sizeof reason_rows / sizeof reason_rows[0] };

static void every_kind_of_bad_record_has_its_reason_and_its_field(void **state)
{
    (void)state;
    for (unsigned i = 0; i < REASON_ROWS_N; i++) {
        const struct reason_row *row = &reason_rows[i];

        for (unsigned k = 0; k < 16 && row->bodies[k] != NULL; k++) {
            const struct sl_record *r = decode(*state, row->columns, row->bodies[k]);

            if (r->verdict.reason != row->reason) {
                fail_msg("%s for %s", sl_reason_code(r->verdict.reason), row->bodies[k]);
            }
            refused(r, row->reason, row->field);
        }
    }
}

static sl_str nested(struct sl_arena *a, unsigned depth)
{
    const size_t len = 2 * (size_t)depth + 3; /* {"f":...} is one level */
    char *text = sl_arena_alloc(a, len + 8);
    size_t n = 0;

    assert_non_null(text);
    memcpy(text, "{\"f\":", 5);
    n = 5;
    for (unsigned i = 1; i < depth; i++) {
        text[n++] = '[';
    }
    for (unsigned i = 1; i < depth; i++) {
        text[n++] = ']';
    }
    text[n++] = '}';
    return (sl_str){ text, n };
}

static void columns_are_filled_from_what_is_in_the_envelope(void **state)
{
    const struct sl_record *r = decode(
        *state,
        "- { name: a, from: f, type: text }\n"
        "- { name: b, from: $attribute.tenant, type: text }\n"
        "- { name: c, from: $attribute.Timestamp, type: timestamptz }\n"
        "- { name: d, from: $body, type: text }\n"
        "- { name: e, from: $message_id, type: text }\n"
        "envelope: sns\n",
        "{\"Type\":\"Notification\",\"MessageId\":\"n1\",\"Message\":\"{\\\"f\\\":\\\"x\\\"}\","
        "\"Timestamp\":\"1970-01-01T00:00:01.5Z\",\"MessageAttributes\":"
        "{\"tenant\":{\"Type\":\"String\",\"Value\":\"blue\"}}}");

    is_good(r);
    is_text(&r->values[0], "x");
    is_text(&r->values[1], "blue");
    is_int(&r->values[2], 1500000);
    is_text(&r->values[3], "{\"f\":\"x\"}");
    is_text(&r->values[4], "m1");
}

static void a_body_may_be_64_levels_deep_and_no_deeper(void **state)
{
    struct sl_arena a;

    sl_arena_init(&a, 1 << 20, 4096);
    is_good(decode_bytes(*state, COLUMN("from: f, type: jsonb"), nested(&a, 64)));
    refused(decode_bytes(*state, COLUMN("from: f, type: jsonb"), nested(&a, 65)),
            SL_REASON_TOO_DEEP, "");
    refused(decode_bytes(*state, COLUMN("from: g, type: text"), nested(&a, 65)), SL_REASON_TOO_DEEP,
            "");
    sl_arena_done(&a);
}

static void every_reason_of_decode_is_reached_by_these_tests(void **state)
{
    static const enum sl_reason all[] = {

#define X(name, code, stage, text) SL_REASON_##name,
#include "record/reasons.def"
#undef X
    };

    (void)state;
    for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++) {
        /* The second in test_unwrap.c, the third by S3. */
        bool is_reached = all[i] == SL_REASON_TOO_DEEP || all[i] == SL_REASON_CONTENT_TOO_LARGE ||
                          all[i] == SL_REASON_OBJECT_MISSING;

        for (unsigned k = 0; k < REASON_ROWS_N; k++) {
            is_reached = is_reached || reason_rows[k].reason == all[i];
        }
        assert_int_equal(is_reached, strcmp(sl_reason_stage(all[i]), "decode") == 0);
    }
}

static void a_bad_record_costs_itself_only(void **state)
{
    struct world *w = *state;

    world_begin(w, TEXT);
    (void)world_add(&w->b, "m1", SL_STR("{\"f\":\"one\"}"));
    (void)world_add(&w->b, "m2", SL_STR("{\"f\":"));
    (void)world_add(&w->b, "m3", SL_STR("{\"f\":\"three\"}"));
    (void)world_add(&w->b, "m4", SL_STR("{\"f\":4}"));
    (void)world_add(&w->b, "m5", SL_STR("{\"f\":\"five\"}"));
    assert_int_equal(sl_stage_decode(&w->p, &w->b, NULL), SL_OK);
    is_text(&w->b.records[0]->values[0], "one");
    refused(w->b.records[1], SL_REASON_NOT_JSON, "");
    is_text(&w->b.records[2]->values[0], "three");
    refused(w->b.records[3], SL_REASON_WRONG_TYPE, "f");
    is_text(&w->b.records[4]->values[0], "five");
}

static void the_first_column_that_fails_is_the_one_named(void **state)
{
    const struct sl_record *r = decode(*state,
                                       "- { name: a, from: a, type: text }\n"
                                       "- { name: b, from: b, type: integer }\n"
                                       "- { name: c, from: c, type: text, required: true }\n",
                                       "{\"a\":\"x\",\"b\":\"y\"}");

    refused(r, SL_REASON_WRONG_TYPE, "b");
}

/* ---- values ---------------------------------------------------------------------------------- */

static void every_type_takes_its_json(void **state)
{
    static const char columns[] = "- { name: a, from: a, type: varchar(3) }\n"
                                  "- { name: b, from: b, type: integer }\n"
                                  "- { name: c, from: c, type: bigint }\n"
                                  "- { name: d, from: d, type: double precision }\n"
                                  "- { name: e, from: e, type: boolean }\n"
                                  "- { name: f, from: f, type: boolean }\n"
                                  "- { name: g, from: g, type: date }\n"
                                  "- { name: h, from: h, type: timestamptz }\n"
                                  "- { name: i, from: i, type: uuid }\n"
                                  "- { name: j, from: j, type: inet }\n"
                                  "- { name: k, from: k, type: integer, convert: version }\n"
                                  "- { name: l, from: l, type: text, convert: text }\n"
                                  "- { name: m, from: m, type: text, convert: text }\n"
                                  "- { name: n, from: n, type: text }\n";
    const struct sl_record *r =
        decode(*state, columns,
               "{\"a\":\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\",\"b\":-7,\"c\":9223372036854775807,"
               "\"d\":1.5e3,\"e\":true,\"f\":false,\"g\":\"2000-01-01T00:30:00+01:00\","
               "\"h\":1769903999123,\"i\":\"00112233-4455-6677-8899-aabbccddeeff\","
               "\"j\":\"192.0.2.7/24\",\"k\":\"2.3.1\",\"l\":1.50,\"m\":true,\"n\":\"\"}");
    const struct sl_value *v = r->values;

    is_good(r);
    is_text(&v[0], "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
    is_int(&v[1], -7);
    is_int(&v[2], INT64_MAX);
    assert_int_equal(v[3].kind, SL_VALUE_DOUBLE);
    assert_true(v[3].d == 1500.0);
    assert_int_equal(v[4].kind, SL_VALUE_BOOL);
    assert_true(v[4].b);
    assert_int_equal(v[5].kind, SL_VALUE_BOOL);
    assert_false(v[5].b);
    is_int(&v[6], 10956);
    is_int(&v[7], WORLD_SENT_AT_MS * 1000);
    assert_int_equal(v[8].kind, SL_VALUE_UUID);
    assert_memory_equal(v[8].uuid,
                        "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff", 16);
    assert_int_equal(v[9].kind, SL_VALUE_INET);
    assert_int_equal(v[9].inet.prefix, 24);
    assert_memory_equal(v[9].inet.addr, "\300\0\2\7", 4);
    is_int(&v[10], 2003001);
    is_text(&v[11], "1.50");
    is_text(&v[12], "true");
    is_text(&v[13], "");
}

static void dates_and_times_take_numbers_also(void **state)
{
    const struct sl_record *r = decode(*state,
                                       "- { name: a, from: a, type: date }\n"
                                       "- { name: b, from: a, type: timestamptz }\n",
                                       "{\"a\":-0.5}");

    is_good(r);
    is_int(&r->values[0], -1);
    is_int(&r->values[1], -500000);
}

static void escapes_become_the_characters_they_stand_for(void **state)
{
    const struct sl_record *r =
        decode(*state, TEXT, "{\"\\u0066\":\"\\\"\\\\\\/\\n\\u20ac\\ud83d\\ude00\"}");

    is_good(r);
    is_text(&r->values[0], "\"\\/\n\xe2\x82\xac\xf0\x9f\x98\x80");
}

static void what_is_absent_or_null_is_null_where_it_may_be(void **state)
{
    static const char columns[] = "- { name: a, from: a, type: text }\n"
                                  "- { name: b, from: b, type: integer }\n"
                                  "- { name: c, from: c, type: text, mask: siv }\n"
                                  "- { name: d, from: d.e, type: jsonb }\n"
                                  "- { name: e, from: $attribute.none, type: text }\n";
    const struct sl_record *r =
        decode(*state, columns, "{\"a\":null,\"c\":null,\"d\":{\"e\":null}}");

    is_good(r);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(r->values[i].kind, SL_VALUE_NULL);
    }
    r = decode(*state, columns, "{}");
    is_good(r);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(r->values[i].kind, SL_VALUE_NULL);
    }
}

static void jsonb_is_loaded_as_it_was_written(void **state)
{
    static const struct {
        const char *body;
        const char *text;
    } rows[] = {
        { "{\"f\": {\"a\" : [1, 2.50, 1e400] } }", "{\"a\" : [1, 2.50, 1e400] }" },
        { "{\"f\":123456789012345678901234567890}", "123456789012345678901234567890" },
        { "{\"f\":\"a\\\"\\u00e4\\n\"}", "\"a\\\"\xc3\xa4\\n\"" },
        { "{\"f\":true}", "true" },
        { "{\"f\":[ ]}", "[ ]" },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct sl_record *r = decode(*state, COLUMN("from: f, type: jsonb"), rows[i].body);

        is_good(r);
        is_text(&r->values[0], rows[i].text);
    }
}

static void paths_lead_through_objects_and_arrays(void **state)
{
    static const char columns[] = "- { name: a, from: device.id, type: text }\n"
                                  "- { name: b, from: 'tags[1]', type: text }\n"
                                  "- { name: c, from: 'm[0][1].x', type: integer }\n"
                                  "- { name: d, from: '\"odd.name\"[0]', type: text }\n"
                                  "- { name: e, from: 'tags[2]', type: text }\n"
                                  "- { name: f, from: tags.x, type: text }\n";
    const struct sl_record *r =
        decode(*state, columns,
               "{\"device\":{\"id\":\"d\"},\"tags\":[\"t0\",\"t1\"],\"m\":[[0,{\"x\":5}]],"
               "\"odd.name\":[\"o\"]}");

    is_good(r);
    is_text(&r->values[0], "d");
    is_text(&r->values[1], "t1");
    is_int(&r->values[2], 5);
    is_text(&r->values[3], "o");
    assert_int_equal(r->values[4].kind, SL_VALUE_NULL);
    assert_int_equal(r->values[5].kind, SL_VALUE_NULL);
}

static void one_field_may_fill_several_columns(void **state)
{
    const struct sl_record *r = decode(*state,
                                       "- { name: a, from: v, type: integer, convert: version }\n"
                                       "- { name: b, from: v, type: text }\n",
                                       "{\"v\":\"2.30.0\"}");

    is_good(r);
    is_int(&r->values[0], 2030000);
    is_text(&r->values[1], "2.30.0");
}

static void fields_that_no_column_reads_never_fail_a_record(void **state)
{
    const struct sl_record *r =
        decode(*state, TEXT,
               "{\"big\":123456789012345678901234567890,\"huge\":1e400,\"tiny\":-1e-400,"
               "\"nul\":\"\\u0000\",\"lone\":\"\\ud800\",\"x\":{\"f\":1},\"n\":null,"
               "\"ip\":\"no\",\"f\":\"x\",\"\":[]}");

    is_good(r);
    is_text(&r->values[0], "x");
}

/* ---- facts and attributes -------------------------------------------------------------------- */

static void facts_come_from_the_message_and_not_from_its_body(void **state)
{
    static const char columns[] = "- { name: a, from: $message_id, type: text }\n"
                                  "- { name: b, from: $sent_at, type: date }\n"
                                  "- { name: c, from: $sent_at, type: timestamptz }\n"
                                  "- { name: d, from: $sent_at, type: bigint }\n"
                                  "- { name: e, from: $received_at, type: date }\n"
                                  "- { name: f, from: $received_at, type: bigint }\n"
                                  "- { name: g, from: $receive_count, type: integer }\n"
                                  "- { name: h, from: $body, type: text }\n"
                                  "- { name: i, from: $body, type: jsonb }\n";
    static const char body[] = " {\"message_id\":\"no\", \"$message_id\":\"no\"} ";
    const struct sl_record *r = decode(*state, columns, body);
    const struct sl_value *v = r->values;

    is_good(r);
    is_text(&v[0], "m1");
    is_int(&v[1], 20484); /* 2026-01-31 */
    is_int(&v[2], WORLD_SENT_AT_MS * 1000);
    is_int(&v[3], WORLD_SENT_AT_MS);
    is_int(&v[4], 20485);
    is_int(&v[5], WORLD_RECEIVED_AT_MS);
    is_int(&v[6], 3);
    is_text(&v[7], body);
    is_text(&v[8], "{\"message_id\":\"no\", \"$message_id\":\"no\"}");
}

static void a_fact_that_is_not_known_is_null(void **state)
{
    struct world *w = *state;
    struct sl_record *r;

    for (int is_required = 0; is_required < 2; is_required++) {
        world_begin(w, is_required ? COLUMN("from: $receive_count, type: integer, required: true")
                                   : COLUMN("from: $receive_count, type: integer"));
        r = world_add(&w->b, "m1", SL_STR("{}"));
        r->receive_count = 0;
        assert_int_equal(sl_stage_decode(&w->p, &w->b, NULL), SL_OK);
        if (is_required) {
            refused(r, SL_REASON_MISSING_FIELD, "$receive_count");
        } else {
            is_good(r);
            assert_int_equal(r->values[0].kind, SL_VALUE_NULL);
        }
    }
}

static void a_body_that_is_wanted_whole_need_not_be_json(void **state)
{
    const struct sl_record *r = decode(*state, COLUMN("from: $body, type: text"), "hello");

    is_good(r);
    is_text(&r->values[0], "hello");
    refused(decode(*state, COLUMN("from: $body, type: varchar(4)"), "hello"), SL_REASON_TOO_LONG,
            "$body");
    refused(decode(*state, COLUMN("from: $body, type: jsonb"), "hello"), SL_REASON_NOT_JSON, "");
}

static struct sl_record *decode_attributes(struct world *w, const char *columns)
{
    static const struct sl_attribute attributes[] = {
        { { "app", 3 }, { "2.3.1", 5 } },
        { { "when", 4 }, { "2026-01-31T00:00:00Z", 20 } },
        { { "empty", 5 }, { "", 0 } },
        { { "ip", 2 }, { "192.0.2.7", 9 } },
    };
    struct sl_record *r;

    world_begin(w, columns);
    r = world_add(&w->b, "m1", SL_STR("{\"app\":\"no\"}"));
    r->attributes = attributes;
    r->attributes_n = 4;
    assert_int_equal(sl_stage_decode(&w->p, &w->b, NULL), SL_OK);
    return r;
}

static void attributes_are_read_like_strings_by_their_exact_name(void **state)
{
    const struct sl_record *r = decode_attributes(
        *state, "- { name: a, from: $attribute.app, type: text }\n"
                "- { name: b, from: $attribute.app, type: integer, convert: version }\n"
                "- { name: c, from: $attribute.when, type: date }\n"
                "- { name: d, from: $attribute.empty, type: text }\n"
                "- { name: e, from: $attribute.App, type: text }\n"
                "- { name: f, from: $attribute.ap, type: text }\n"
                "- { name: g, from: app, type: text }\n");

    is_good(r);
    is_text(&r->values[0], "2.3.1");
    is_int(&r->values[1], 2003001);
    is_int(&r->values[2], 20484);
    is_text(&r->values[3], "");
    assert_int_equal(r->values[4].kind, SL_VALUE_NULL);
    assert_int_equal(r->values[5].kind, SL_VALUE_NULL);
    is_text(&r->values[6], "no");
}

static void a_trace_is_text_or_uuid_and_null_when_it_is_not_known(void **state)
{
    struct world *w = *state;
    struct sl_record *r;

    world_begin(w, "- { name: a, from: $trace_id, type: text }\n"
                   "- { name: b, from: $trace_id, type: uuid }\n");
    r = world_add(&w->b, "m1", SL_STR("{}"));
    memcpy(r->trace.digits, "4bf92f3577b34da6a3ce929d0e0e4736", SL_TRACE_DIGITS);
    (void)world_add(&w->b, "m2", SL_STR("{}"));
    assert_int_equal(sl_stage_decode(&w->p, &w->b, NULL), SL_OK);
    is_text(&r->values[0], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_int_equal(r->values[1].kind, SL_VALUE_UUID);
    assert_int_equal(r->values[1].uuid[15], 0x36);
    assert_int_equal(w->b.records[1]->values[0].kind, SL_VALUE_NULL);
    assert_int_equal(w->b.records[1]->values[1].kind, SL_VALUE_NULL);
}

static const char notification[] =
    "{\"Type\":\"Notification\",\"Message\":\"{}\",\"MessageAttributes\":{\"traceparent\":"
    "{\"Type\":\"String\",\"Value\":"
    "\"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\"}}}";

static void a_trace_inside_of_an_envelope_is_found_there(void **state)
{
    struct sl_record *r =
        decode(*state, COLUMN("from: $trace_id, type: text") "envelope: sns\n", notification);

    is_good(r);
    is_text(&r->values[0], "4bf92f3577b34da6a3ce929d0e0e4736");
}

static void a_trace_that_nobody_asks_for_is_not_kept(void **state)
{
    struct sl_record *r =
        decode(*state, COLUMN("from: $message_id, type: text") "envelope: sns\n", notification);

    is_good(r);
    assert_int_equal(sl_trace_text(&r->trace).len, 0);
}

static void attributes_fail_as_fields_do(void **state)
{
    refused(decode_attributes(*state, COLUMN("from: $attribute.none, type: text, required: true")),
            SL_REASON_MISSING_FIELD, "$attribute.none");
    refused(decode_attributes(*state, COLUMN("from: $attribute.app, type: date")),
            SL_REASON_BAD_DATE, "$attribute.app");
    refused(decode_attributes(*state, COLUMN("from: $attribute.app, type: varchar(3)")),
            SL_REASON_TOO_LONG, "$attribute.app");
}

/* ---- masking --------------------------------------------------------------------------------- */

#define MASKED                                                       \
    "- { name: a, from: id, type: text }\n"                          \
    "- { name: b, from: ip, type: varchar(256), mask: siv }\n"       \
    "- { name: c, from: n, type: text, mask: siv, convert: text }\n" \
    "- { name: d, from: $attribute.ip, type: text, mask: siv }\n"

static void what_is_to_be_masked_is_cleartext_until_it_is_a_token(void **state)
{
    struct world *w = *state;
    static const struct sl_attribute attribute = { { "ip", 2 }, { "192.0.2.8", 9 } };
    const struct sl_record *r;

    world_begin(w, MASKED);
    world_add(&w->b, "m1", SL_STR("{\"id\":\"u\",\"ip\":\"192.0.2.7\",\"n\":1500}"))->attributes =
        &attribute;
    w->b.records[0]->attributes_n = 1;
    assert_int_equal(sl_stage_decode(&w->p, &w->b, NULL), SL_OK);
    r = w->b.records[0];
    is_good(r);
    is_text(&r->values[0], "u");
    for (unsigned i = 1; i < 4; i++) {
        assert_int_equal(r->values[i].kind, SL_VALUE_CLEARTEXT);
    }
    assert_int_equal(sl_stage_mask(&w->p, &w->b, NULL), SL_OK);
    is_good(r);
    is_text(&r->values[0], "u");
    for (unsigned i = 1; i < 4; i++) {
        assert_int_equal(r->values[i].kind, SL_VALUE_TEXT);
        assert_true(sl_str_starts(r->values[i].text, SL_STR("v1.k1.")));
        assert_int_equal(r->values[i].text.len, 49);
    }
    assert_int_equal(r->sealed.len, 0);
}

static void tokens_open_to_what_was_there_under_their_own_context_only(void **state)
{
    struct world *w = *state;
    const struct sl_record *r = decode(w, MASKED, "{\"id\":\"u\",\"ip\":\"192.0.2.7\",\"n\":1500}");
    sl_cleartext back = { 0 };

    assert_int_equal(sl_stage_mask(&w->p, &w->b, NULL), SL_OK);
    assert_int_equal(
        sl_unmask_siv(w->p.masks.masker, SL_STR("ip"), r->values[1].text, &w->b.arena, &back, NULL),
        SL_OK);
    assert_true(sl_str_eq(sl_cleartext_publish(back), SL_STR("192.0.2.7")));
    assert_int_equal(
        sl_unmask_siv(w->p.masks.masker, SL_STR("n"), r->values[2].text, &w->b.arena, &back, NULL),
        SL_OK);
    assert_true(sl_str_eq(sl_cleartext_publish(back), SL_STR("1500")));
    assert_int_equal(
        sl_unmask_siv(w->p.masks.masker, SL_STR("n"), r->values[1].text, &w->b.arena, &back, NULL),
        SL_VALUE);
}

static void null_stays_null_and_empty_stays_empty(void **state)
{
    struct world *w = *state;
    const struct sl_record *r = decode(w, MASKED, "{\"id\":null,\"ip\":\"\",\"n\":null}");

    assert_int_equal(sl_stage_mask(&w->p, &w->b, NULL), SL_OK);
    is_good(r);
    is_text(&r->values[1], "");
    assert_int_equal(r->values[2].kind, SL_VALUE_NULL);
    assert_int_equal(r->values[3].kind, SL_VALUE_NULL);
}

static void a_value_of_159_bytes_is_masked_and_one_of_160_is_a_dead_letter(void **state)
{
    struct world *w = *state;

    for (int n = 159; n <= 160; n++) {
        char body[256];
        const struct sl_record *r;

        (void)snprintf(body, sizeof body, "{\"id\":\"u\",\"ip\":\"%0*d\"}", n, 7);
        r = decode(w, MASKED, body);
        assert_int_equal(r->values[1].kind, SL_VALUE_CLEARTEXT);
        assert_int_equal(sl_stage_mask(&w->p, &w->b, NULL), SL_OK);
        if (n == 159) {
            is_good(r);
            assert_int_equal(r->values[1].kind, SL_VALUE_TEXT);
            assert_in_range(r->values[1].text.len, 1, 256);
        } else {
            refused(r, SL_REASON_TOO_LONG_TO_MASK, "ip");
            assert_true(r->sealed.len > 160);
        }
    }
}

static void a_body_with_a_verdict_is_sealed_and_opens_again_by_its_id(void **state)
{
    static const char body[] = "{\"id\":7,\"ip\":\"192.0.2.7\"}";
    struct world *w = *state;
    const struct sl_record *r = decode(w, MASKED, body);
    sl_cleartext back = { 0 };

    refused(r, SL_REASON_WRONG_TYPE, "id");
    assert_int_equal(sl_stage_mask(&w->p, &w->b, NULL), SL_OK);
    assert_true(sl_str_starts(r->sealed, SL_STR("v1.k1.")));
    assert_null(memmem(r->sealed.ptr, r->sealed.len, "192.0.2.7", 9));
    assert_int_equal(
        sl_open_body(w->p.masks.masker, SL_STR("m2"), r->sealed, &w->b.arena, &back, NULL),
        SL_VALUE);
    assert_int_equal(
        sl_open_body(w->p.masks.masker, SL_STR("m1"), r->sealed, &w->b.arena, &back, NULL), SL_OK);
    assert_true(sl_str_eq(sl_cleartext_publish(back), sl_str_of(body)));
}

static void an_empty_body_is_sealed_also(void **state)
{
    struct world *w = *state;
    const struct sl_record *r = decode(w, MASKED, "");
    sl_cleartext back = { "x", 1 };

    assert_int_equal(sl_stage_mask(&w->p, &w->b, NULL), SL_OK);
    assert_int_equal(
        sl_open_body(w->p.masks.masker, SL_STR("m1"), r->sealed, &w->b.arena, &back, NULL), SL_OK);
    assert_int_equal(back.len, 0);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static const char *const memory_bodies[] = {
    "{\"id\":\"u\",\"ip\":\"192.0.2.7\",\"n\":1500,\"j\":{\"a\":[1,2,3,{\"b\":\"c\"}]}}",
    "{\"id\":\"0123456789012345678901234567890123456789\",\"ip\":\"2001:db8::1\",\"j\":\"x\"}",
    "{\"id\":7,\"ip\":\"sealed\"}",
};

/* What went through is all there. */
static void check_values(const struct sl_value *v, unsigned body)
{
    is_text(&v[0], body == 0 ? "u" : "0123456789012345678901234567890123456789");
    assert_int_equal(v[1].kind, SL_VALUE_TEXT);
    assert_int_equal(v[1].text.len, 49);
    is_text(&v[4], body == 0 ? "{\"a\":[1,2,3,{\"b\":\"c\"}]}" : "\"x\"");
}

/* A batch and a scratch with room for so many bytes.  Returns: whether all of it went through. */
static bool fits(struct world *w, size_t batch_bytes, size_t scratch_bytes)
{
    struct sl_arena bodies_arena;
    struct sl_err e = { 0 };
    sl_rc rc;

    sl_arena_init(&bodies_arena, 1 << 20, 4096);
    sl_batch_done(&w->b);
    w->b = (struct sl_batch){ .cap = 8 };
    w->b.records = sl_arena_calloc(&bodies_arena, 8, sizeof(struct sl_record *));
    for (unsigned i = 0; i < 6; i++) {
        struct sl_record *r = sl_arena_calloc(&bodies_arena, 1, sizeof *r);
        const sl_str body = sl_str_of(memory_bodies[i % 3]);
        char *copy = sl_arena_calloc(&bodies_arena, 1, body.len + SL_JSON_PADDING);

        memcpy(copy, body.ptr, body.len);
        *r = (struct sl_record){ .message_id = SL_STR("m"), .body = { copy, body.len } };
        w->b.records[w->b.n++] = r;
    }
    sl_arena_init(&w->b.arena, batch_bytes, 128);
    sl_arena_done(&w->p.scratch);
    sl_arena_init(&w->p.scratch, scratch_bytes, 128);
    rc = sl_stage_decode(&w->p, &w->b, &e);
    if (rc == SL_OK) {
        rc = sl_stage_mask(&w->p, &w->b, &e);
    }
    assert_true(rc == SL_OK || rc == SL_NOMEM);
    assert_int_equal(e.rc, rc);
    assert_true(w->b.arena.held_bytes <= batch_bytes);
    assert_true(w->p.scratch.held_bytes <= scratch_bytes);
    for (unsigned i = 0; rc == SL_OK && i < w->b.n; i++) {
        assert_int_equal(w->b.records[i]->verdict.reason,
                         i % 3 == 2 ? SL_REASON_WRONG_TYPE : SL_REASON_NONE);
        assert_int_equal(w->b.records[i]->sealed.len > 0, i % 3 == 2);
        if (i % 3 != 2) {
            check_values(w->b.records[i]->values, i % 3);
        }
    }
    sl_arena_done(&w->b.arena);
    w->b = (struct sl_batch){ 0 };
    sl_arena_done(&bodies_arena);
    return rc == SL_OK;
}

static void memory_that_runs_out_anywhere_is_said_and_never_a_verdict(void **state)
{
    struct world *w = *state;
    bool has_fitted = false;

    world_begin(w, MASKED "- { name: e, from: j, type: jsonb }\n");
    for (size_t bytes = 0; bytes <= 16 << 10; bytes += 64) {
        const bool does = fits(w, bytes, 1 << 20);

        assert_true(does || !has_fitted); /* more memory never fits less */
        assert_true(bytes > 0 || !does);
        has_fitted = does;
    }
    assert_true(has_fitted);
}

static void memory_that_runs_out_while_parsing_is_said_and_never_a_verdict(void **state)
{
    struct world *w = *state;
    bool has_fitted = false;

    world_begin(w, MASKED "- { name: e, from: j, type: jsonb }\n");
    for (size_t bytes = 0; bytes <= 16 << 10; bytes += 64) {
        const bool does = fits(w, 1 << 20, bytes);

        assert_true(does || !has_fitted);
        assert_true(bytes > 0 || !does);
        has_fitted = does;
    }
    assert_true(has_fitted);
}

/* The last thing that the batch has no room for is the text itself. */
static void a_text_without_room_is_said_and_never_an_empty_value(void **state)
{
    static const char *const columns[] = { TEXT, COLUMN("from: f, type: text, mask: siv"),
                                           COLUMN("from: f, type: jsonb"),
                                           COLUMN("from: $body, type: jsonb") };
    struct world *w = *state;
    char body[512];

    (void)snprintf(body, sizeof body, "{\"f\":\"%0300d\"}", 7);
    for (unsigned i = 0; i < 4; i++) {
        unsigned full = 0;

        for (size_t bytes = 256; bytes <= 1024; bytes += 16) {
            struct sl_arena arena = { 0 };
            struct sl_record *r;
            sl_rc rc;

            world_begin(w, columns[i]);
            r = world_add(&w->b, "m1", sl_str_of(body));
            arena = w->b.arena;
            sl_arena_init(&w->b.arena, bytes, 16);
            rc = sl_stage_decode(&w->p, &w->b, NULL);
            if (rc == SL_OK) {
                is_good(r);
                assert_true(r->values[0].text.len >= 300);
                assert_non_null(r->values[0].text.ptr);
            } else {
                assert_int_equal(rc, SL_NOMEM);
                full += r->values != NULL;
            }
            sl_arena_adopt(&w->b.arena, &arena);
        }
        assert_true(full > 0);
    }
}

static void memory_for_parsing_is_that_of_one_record_at_a_time(void **state)
{
    struct world *w = *state;

    world_begin(w, TEXT);
    sl_arena_done(&w->p.scratch);
    sl_arena_init(&w->p.scratch, 4096, 512);
    for (int i = 0; i < 60; i++) {
        (void)world_add(&w->b, "m", SL_STR("{\"f\":\"x\",\"g\":[1,2,3]}"));
    }
    assert_int_equal(sl_stage_decode(&w->p, &w->b, NULL), SL_OK);
    is_good(w->b.records[59]);
}

/* ---- the key of a message -------------------------------------------------------------------- */

#define KEYED TEXT "dedup: field:id\n"

/* Decode bodies with a ledger of keys. */
static void decode_keyed(struct world *w, const char *columns, const char *const *bodies,
                         unsigned n)
{
    static const unsigned char key[1] = { 1 };

    assert_int_equal(sl_hmac_new(key, sizeof key, &w->p.ledger_mac, NULL), SL_OK);
    world_begin(w, columns);
    for (unsigned i = 0; i < n; i++) {
        char id[3] = { 'm', (char)('0' + i), '\0' };

        (void)world_add(&w->b, id, sl_str_of(bodies[i]));
    }
    assert_int_equal(sl_stage_decode(&w->p, &w->b, NULL), SL_OK);
    sl_hmac_free(w->p.ledger_mac);
    w->p.ledger_mac = NULL;
}

static bool is_same(const struct world *w, unsigned a, unsigned b)
{
    return memcmp(w->b.records[a]->ledger_key, w->b.records[b]->ledger_key, SL_LEDGER_KEY_BYTES) ==
           0;
}

static void equal_values_of_the_field_have_one_key(void **state)
{
    static const char *const bodies[] = {
        "{\"id\":\"47\",\"f\":\"x\"}",
        "{\"f\":\"y\", \"id\":\"\\u0034\\u0037\"}",
        "{\"id\":47}",
        "{\"id\":\"48\"}",
        "{\"id\":true}",
    };
    struct world *w = *state;

    decode_keyed(w, KEYED, bodies, 5);
    assert_true(is_same(w, 0, 1));
    assert_true(is_same(w, 0, 2));
    assert_false(is_same(w, 0, 3));
    assert_false(is_same(w, 3, 4));
}

static void equal_bodies_have_one_key_to_the_byte(void **state)
{
    static const char *const bodies[] = { "{\"f\":\"x\"}", "{\"f\":\"x\"}", "{\"f\": \"x\"}" };
    struct world *w = *state;

    decode_keyed(w, TEXT "dedup: body\n", bodies, 3);
    assert_true(is_same(w, 0, 1));
    assert_false(is_same(w, 0, 2));
}

static void a_record_without_a_key_that_can_be_trusted_is_a_dead_letter(void **state)
{
    static const struct {
        const char *body;
        enum sl_reason reason;
    } rows[] = {
        { "{\"f\":\"x\"}", SL_REASON_MISSING_FIELD },
        { "{\"id\":\"\"}", SL_REASON_MISSING_FIELD },
        { "{\"id\":null}", SL_REASON_NULL_FIELD },
        { "{\"id\":{\"a\":1}}", SL_REASON_WRONG_TYPE },
        { "{\"id\":[1]}", SL_REASON_WRONG_TYPE },
        { "{\"id\":\"\\ud800\"}", SL_REASON_LONE_SURROGATE },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        /* also in a dry run, which has no ledger */
        refused(decode(*state, KEYED, rows[i].body), rows[i].reason, "id");
    }
}

static void an_attribute_may_be_the_key(void **state)
{
    struct world *w = *state;
    const struct sl_attribute attribute = { SL_STR("event"), sl_cleartext_of(SL_STR("e1")) };
    struct sl_record *r;

    world_begin(w, TEXT "dedup: field:$attribute.event\n");
    r = world_add(&w->b, "m1", SL_STR("{}"));
    r->attributes = &attribute;
    r->attributes_n = 1;
    (void)world_add(&w->b, "m2", SL_STR("{}"));
    assert_int_equal(sl_stage_decode(&w->p, &w->b, NULL), SL_OK);
    is_good(r);
    refused(w->b.records[1], SL_REASON_MISSING_FIELD, "$attribute.event");
}

int main(void)
{
#define RULE(f) cmocka_unit_test_setup_teardown(f, world_new, world_free)
    const struct CMUnitTest tests[] = {
        RULE(every_kind_of_bad_record_has_its_reason_and_its_field),
        RULE(columns_are_filled_from_what_is_in_the_envelope),
        RULE(a_body_may_be_64_levels_deep_and_no_deeper),
        RULE(every_reason_of_decode_is_reached_by_these_tests),
        RULE(a_bad_record_costs_itself_only),
        RULE(the_first_column_that_fails_is_the_one_named),
        RULE(every_type_takes_its_json),
        RULE(dates_and_times_take_numbers_also),
        RULE(escapes_become_the_characters_they_stand_for),
        RULE(what_is_absent_or_null_is_null_where_it_may_be),
        RULE(jsonb_is_loaded_as_it_was_written),
        RULE(paths_lead_through_objects_and_arrays),
        RULE(one_field_may_fill_several_columns),
        RULE(fields_that_no_column_reads_never_fail_a_record),
        RULE(facts_come_from_the_message_and_not_from_its_body),
        RULE(a_fact_that_is_not_known_is_null),
        RULE(a_body_that_is_wanted_whole_need_not_be_json),
        RULE(attributes_are_read_like_strings_by_their_exact_name),
        RULE(a_trace_is_text_or_uuid_and_null_when_it_is_not_known),
        RULE(a_trace_inside_of_an_envelope_is_found_there),
        RULE(a_trace_that_nobody_asks_for_is_not_kept),
        RULE(attributes_fail_as_fields_do),
        RULE(what_is_to_be_masked_is_cleartext_until_it_is_a_token),
        RULE(tokens_open_to_what_was_there_under_their_own_context_only),
        RULE(null_stays_null_and_empty_stays_empty),
        RULE(a_value_of_159_bytes_is_masked_and_one_of_160_is_a_dead_letter),
        RULE(a_body_with_a_verdict_is_sealed_and_opens_again_by_its_id),
        RULE(an_empty_body_is_sealed_also),
        RULE(memory_that_runs_out_anywhere_is_said_and_never_a_verdict),
        RULE(memory_that_runs_out_while_parsing_is_said_and_never_a_verdict),
        RULE(a_text_without_room_is_said_and_never_an_empty_value),
        RULE(memory_for_parsing_is_that_of_one_record_at_a_time),
        RULE(equal_values_of_the_field_have_one_key),
        RULE(equal_bodies_have_one_key_to_the_byte),
        RULE(a_record_without_a_key_that_can_be_trusted_is_a_dead_letter),
        RULE(an_attribute_may_be_the_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
