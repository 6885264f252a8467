/* tests/unit/test_config.c - a configuration is taken whole, or refused with its place. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "config/columns.h"
#include "config/config.h"
#include "config/listen.h"
#include "config/settings.h"

/* Lines 1 to 3 of most files here, good as they are; columns follow from line 4 on. */
#define SQS    "source: { sqs: { queue_url: http://localhost:4566/0/q } }\n"
#define KEYS   "keys: { file: k }\n"
#define SINK   "sink: { postgres: { table: t } }\n"
#define HEAD   SQS KEYS SINK
#define COLUMN "columns: [ { name: id, from: id, type: text } ]\n"

/* One column on line 5; its braces open at column 3. */
#define ONE(settings) HEAD "columns:\n- { " settings " }\n"

static sl_rc parse(const char *text, const struct sl_overrides *overrides, struct sl_config *ret,
                   struct sl_err *e)
{
    return sl_config_parse("s.yaml", sl_str_of(text), overrides, ret, e);
}

static void check_refused(const char *text, const struct sl_overrides *overrides,
                          const char *message)
{
    struct sl_config cfg = { .workers = 77 };
    struct sl_err e = { 0 };

    assert_int_equal(parse(text, overrides, &cfg, &e), SL_CONFIG);
    assert_string_equal(e.msg, message);
    assert_int_equal(cfg.workers, 77);
}

static void refused(const char *text, const char *message)
{
    check_refused(text, NULL, message);
}

/* The caller ends it. */
static struct sl_config taken(const char *text)
{
    struct sl_config cfg = { 0 };
    struct sl_err e = { 0 };
    const sl_rc rc = parse(text, NULL, &cfg, &e);

    assert_string_equal(e.msg, "");
    assert_int_equal(rc, SL_OK);
    return cfg;
}

static void accepted(const char *text)
{
    struct sl_config cfg = taken(text);

    sl_config_done(&cfg);
}

static void equals(sl_str s, const char *text)
{
    assert_int_equal(s.len, strlen(text));
    assert_memory_equal(s.ptr, text, s.len);
}

/* --- a whole file -------------------------------------------------------------------------- */

static const char whole[] =
    "source:\n"
    "  sqs:\n"
    "    queue_url: http://localhost:4566/000000000000/login-queue\n"
    "keys:\n"
    "  file: sluice.keys\n"
    "sink:\n"
    "  postgres:\n"
    "    url: postgresql://postgres:postgres@localhost:5432/postgres\n"
    "    table: user_logins\n"
    "    create: if_missing          # never | if_missing\n"
    "pipeline: login-events\n"
    "dedup: message_id\n"
    "dead_letter: table\n"
    "workers: 2\n"
    "memory: 64MiB\n"
    "linger: 200ms\n"
    "columns:                        # in table order\n"
    "  - { name: user_id,          from: user_id,     type: varchar(128), required: true }\n"
    "  - { name: device_type,      from: device_type, type: varchar(32),  required: true }\n"
    "  - { name: masked_ip,        from: ip,          type: varchar(256), required: true, mask: "
    "siv "
    "}\n"
    "  - { name: masked_device_id, from: device_id,   type: varchar(256), required: true, mask: "
    "siv "
    "}\n"
    "  - { name: locale,           from: locale,      type: varchar(32) }\n"
    "  - { name: app_version,      from: app_version, type: integer, required: true, convert: "
    "version }\n"
    "  - { name: create_date,      from: $sent_at,    type: date }\n";

static void takes_every_setting_of_the_design(void **state)
{
    struct sl_config cfg = taken(whole);

    (void)state;
    equals(cfg.file, "s.yaml");
    equals(cfg.sqs.queue_url, "http://localhost:4566/000000000000/login-queue");
    equals(cfg.sqs.region, "");
    assert_int_equal(cfg.sqs.protocol, SL_SQS_PROTOCOL_AUTO);
    assert_int_equal(cfg.sqs.wait_time_s, 20);
    assert_int_equal(cfg.sqs.visibility_timeout_s, 0);
    assert_int_equal(cfg.sqs.receives, 0);
    equals(cfg.keys.file, "sluice.keys");
    equals(cfg.postgres.url, "postgresql://postgres:postgres@localhost:5432/postgres");
    equals(cfg.postgres.table, "user_logins");
    equals(cfg.postgres.table_schema, "");
    equals(cfg.postgres.table_name, "user_logins");
    assert_int_equal(cfg.postgres.create, SL_CREATE_IF_MISSING);
    equals(cfg.pipeline, "login-events");
    assert_int_equal(cfg.workers, 2);
    assert_int_equal(cfg.memory_bytes, 64 << 20);
    assert_int_equal(cfg.linger_ms, 200);
    assert_false(cfg.allow_cleartext);
    assert_int_equal(cfg.columns_n, 7);
    sl_config_done(&cfg);
}

static void takes_every_column_of_the_design(void **state)
{
    struct sl_config cfg = taken(whole);
    const struct sl_column *ip = &cfg.columns[2];
    const struct sl_column *version = &cfg.columns[5];
    const struct sl_column *date = &cfg.columns[6];

    (void)state;
    equals(ip->name, "masked_ip");
    equals(ip->from_text, "ip");
    equals(ip->masking.context, "ip");
    equals(ip->type_text, "varchar(256)");
    assert_int_equal(ip->type, SL_TYPE_VARCHAR);
    assert_int_equal(ip->max_chars, 256);
    assert_int_equal(ip->masking.method, SL_MASK_SIV);
    assert_int_equal(ip->line, 20);
    assert_true(ip->is_required);
    assert_int_equal(ip->path_n, 1);
    equals(ip->path[0].name, "ip");
    assert_int_equal(version->type, SL_TYPE_INTEGER);
    assert_int_equal(version->convert, SL_CONVERT_VERSION);
    equals(version->masking.context, "");
    assert_int_equal(date->from, SL_FROM_SENT_AT);
    assert_int_equal(date->type, SL_TYPE_DATE);
    assert_int_equal(date->path_n, 0);
    assert_false(date->is_required);
    sl_config_done(&cfg);
}

static void leaves_the_presets_where_nothing_is_said(void **state)
{
    struct sl_config cfg = taken(HEAD COLUMN);

    (void)state;
    equals(cfg.pipeline, "");
    equals(cfg.postgres.url, "");
    equals(cfg.sqs.endpoint, "");
    assert_non_null(cfg.sqs.endpoint.ptr);
    assert_int_equal(cfg.workers, 0);
    assert_int_equal(cfg.memory_bytes, 64 << 20);
    assert_int_equal(cfg.linger_ms, 200);
    assert_int_equal(cfg.postgres.create, SL_CREATE_IF_MISSING);
    assert_int_equal(cfg.dedup, SL_DEDUP_MESSAGE_ID);
    assert_int_equal(cfg.dead_letter, SL_DEAD_LETTER_TABLE);
    sl_config_done(&cfg);
}

/* --- names --------------------------------------------------------------------------------- */

static void refuses_an_unknown_setting(void **state)
{
    (void)state;
    refused(
        HEAD COLUMN "sourse: {}\n",
        "s.yaml:5:1: unknown setting \"sourse\"; did you mean \"source\"? allowed here: source, "
        "envelope, encoding, delete_objects, keys, vault, sink, pipeline, dedup, dedup_window, "
        "ledger_days, "
        "dead_letter, "
        "dead_letter_days, outage_patience, stall_after, workers, memory, linger, tracing, http, "
        "allow_cleartext, "
        "columns");
    refused("sink:\n  postgres:\n    tabel: x\n",
            "s.yaml:3:5: unknown setting \"tabel\"; did you mean \"table\"? allowed here: url, "
            "url_secret, auth, table, create");
    refused("keys: { path: x }\n", "s.yaml:1:9: unknown setting \"path\"; allowed here: file, env, "
                                   "credential, command, fd, kms, secret");
    refused(
        ONE("nmae: id"),
        "s.yaml:5:5: unknown setting \"nmae\"; did you mean \"name\"? allowed here: name, from, "
        "type, required, mask, context, normalize, kid, ip, alphabet, format, keep, "
        "value, key, iv, convert");
    refused("metrics: {}\n",
            "s.yaml:1:1: unknown setting \"metrics\"; allowed here: source, envelope, encoding, "
            "delete_objects, "
            "keys, vault, sink, "
            "pipeline, "
            "dedup, dedup_window, ledger_days, dead_letter, "
            "dead_letter_days, outage_patience, stall_after, workers, memory, linger, tracing, "
            "http, allow_cleartext, columns");
}

static void refuses_a_dotted_or_a_cut_name(void **state)
{
    (void)state;
    refused("keys.file: x\n",
            "s.yaml:1:1: unknown setting \"keys.file\"; allowed here: source, envelope, encoding, "
            "delete_objects, "
            "keys, vault, sink, "
            "pipeline, "
            "dedup, dedup_window, ledger_days, dead_letter, "
            "dead_letter_days, outage_patience, stall_after, workers, memory, linger, tracing, "
            "http, allow_cleartext, columns");
    refused("keys: { \"file\\0x\": y }\n",
            "s.yaml:1:9: unknown setting \"file\"; did you mean \"file\"? allowed here: file, env, "
            "credential, command, fd, kms, secret");
}

static void refuses_a_setting_given_twice(void **state)
{
    (void)state;
    refused("workers: 1\nlinger: 1s\nworkers: 2\n",
            "s.yaml:3:1: \"workers\" is given twice; the first is at line 1");
    refused("keys: { file: a }\nkeys: { file: a }\n",
            "s.yaml:2:1: \"keys\" is given twice; the first is at line 1");
    refused(ONE("name: a, name: b"),
            "s.yaml:5:14: \"name\" is given twice; the first is at line 5");
}

static void refuses_a_file_without_what_is_required(void **state)
{
    (void)state;
    refused(KEYS SINK COLUMN,
            "s.yaml:1:1: source.sqs.queue_url is missing; give an http or https URL, here or with "
            "--queue-url, or the queue's name in source.sqs.queue, or files in "
            "source.file.path");
    refused("source:\n  sqs:\n    region: r\n" SINK COLUMN,
            "s.yaml:2:3: source.sqs.queue_url is missing; give an http or https URL, here or with "
            "--queue-url, or the queue's name in source.sqs.queue, or files in "
            "source.file.path");
    refused(SQS "sink:\n  postgres: {}\n" COLUMN KEYS,
            "s.yaml:3:3: sink.postgres.table is missing; give a table name, here or with --table");
    refused(HEAD, "s.yaml:1:1: columns is missing; give a list of columns");
    refused(HEAD "columns:\n", "s.yaml:4:1: columns is missing; give a list of columns");
    refused(HEAD "columns: []\n", "s.yaml:4:10: columns must be a list of 1 to 1000 columns, not "
                                  "of 0");
    refused(ONE("name: a, from: b"), "s.yaml:5:3: columns.type is missing; give a column type");
    refused(ONE("name: a, type: text"), "s.yaml:5:3: columns.from is missing; give a path or fact");
    refused(ONE("name: , from: b"), "s.yaml:5:5: columns.name is missing; give a text");
}

static void refuses_to_do_without_a_key_file(void **state)
{
    (void)state;
    refused(SQS SINK COLUMN,
            "s.yaml:1:1: keys.file is missing; give a text, here or with --keys, or one of "
            "keys.env, keys.credential, keys.command, keys.fd, keys.kms.file, keys.secret");
}

/* --- kinds --------------------------------------------------------------------------------- */

static void refuses_the_wrong_kind_of_value(void **state)
{
    (void)state;
    refused("workers: [1]\n", "s.yaml:1:10: workers must be a whole number, not a list");
    refused("pipeline:\n  a: b\n", "s.yaml:2:3: pipeline must be a text, not a mapping");
    refused("columns: a\n", "s.yaml:1:10: columns must be a list of columns, not a text");
    refused("columns: { a: b }\n", "s.yaml:1:10: columns must be a list of columns, not a mapping");
    refused("keys: k\n", "s.yaml:1:7: keys must be a mapping of settings, not a text");
    refused("source: [ a ]\n", "s.yaml:1:9: source must be a mapping of settings, not a list");
    refused("[ a ]\n", "s.yaml:1:1: the file must be a mapping of settings, not a list");
    refused("hello\n", "s.yaml:1:1: the file must be a mapping of settings, not a text");
    refused("? [ a ]\n: b\n", "s.yaml:1:3: the name of a setting must be a text, not a list");
    refused(HEAD "columns: [ a ]\n", "s.yaml:4:12: a column must be a mapping with name, from and "
                                     "type, not a text");
    refused(ONE("name: [ a ]"), "s.yaml:5:11: columns.name must be a text, not a list");
}

static void refuses_a_word_that_is_not_allowed(void **state)
{
    (void)state;
    refused("dedup: header\n", "s.yaml:1:8: dedup cannot be \"header\"; allowed: message_id, "
                               "field:NAME, body");
    refused("dead_letter: queue\n", "s.yaml:1:14: dead_letter cannot be \"queue\"; allowed: table, "
                                    "leave, queue:URL");
    refused("dedup: 'field:'\n", "s.yaml:1:8: dedup must be 1 to 1024 bytes");
    refused("dedup: field:a..b\n" HEAD COLUMN,
            "s.yaml:1:8: dedup: \"a..b\" is no path: a name is empty; write it as a column's from");
    refused("dedup: field:$message_id\n" HEAD COLUMN,
            "s.yaml:1:8: \"$message_id\" makes no two messages the same; allowed after field: a "
            "path in the body, or $attribute.NAME");
    refused("sink: { postgres: { create: always } }\n",
            "s.yaml:1:29: sink.postgres.create cannot be \"always\"; allowed: never, if_missing, "
            "add_columns");
    refused(
        ONE("mask: rot13"),
        "s.yaml:5:11: columns.mask cannot be \"rot13\"; allowed: siv, hmac, ip, fpe, keep, null, "
        "fixed, fernet, aes-cbc, sha256, base64");
    refused(ONE("convert: int"),
            "s.yaml:5:14: columns.convert cannot be \"int\"; allowed: version, text");
    refused("allow_cleartext: yes\n",
            "s.yaml:1:18: allow_cleartext must be true or false, not \"yes\"");
}

static void takes_where_to_listen(void **state)
{
    static const struct {
        const char *text;
        const char *host;
        unsigned port;
    } good[] = {
        { "9464", "127.0.0.1", 9464 },
        { "0", "127.0.0.1", 0 },
        { "0.0.0.0:9464", "0.0.0.0", 9464 },
        { "[::1]:65535", "::1", 65535 },
    };

    static const char *const bad[] = {
        "",           "65536", "-1",       "localhost:9464", ":9464",     "127.0.0.1",
        "127.1:9464", "[::1]", "::1:9464", "[127.0.0.1]:1",  "[::1:9464", "0.0.0.0:",
        "0.0.0.0:1 ", "[]:1"
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct sl_listen at = { 0 };

        assert_true(sl_listen_read(sl_str_of(good[i].text), &at));
        assert_string_equal(at.host, good[i].host);
        assert_int_equal(at.port, good[i].port);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct sl_listen at = { .host = "x", .port = 7 };

        assert_false(sl_listen_read(sl_str_of(bad[i]), &at));
        assert_string_equal(at.host, "x");
    }
    refused("http: { listen: everywhere }\n",
            "s.yaml:1:17: http.listen must be an address and a port, such as 127.0.0.1:9464 or "
            "[::1]:9464, or a port");
}

static void refuses_a_number_out_of_bounds(void **state)
{
    (void)state;
    refused("workers: 0\n", "s.yaml:1:10: workers must be auto or 1 to 256, not \"0\"");
    refused("workers: 257\n", "s.yaml:1:10: workers must be auto or 1 to 256, not \"257\"");
    refused("workers: many\n", "s.yaml:1:10: workers must be auto or 1 to 256, not \"many\"");
    refused("workers: -1\n", "s.yaml:1:10: workers must be auto or 1 to 256, not \"-1\"");
    refused("source: { sqs: { protocol: xml } }\n",
            "s.yaml:1:28: source.sqs.protocol cannot be \"xml\"; allowed: auto, json, query");
    refused("source: { sqs: { receives: 65 } }\n",
            "s.yaml:1:28: source.sqs.receives must be auto or 1 to 64, not \"65\"");
    refused("memory: 1MiB\n",
            "s.yaml:1:9: memory must be 8MiB to 64GiB, written as 67108864, 64MiB "
            "or 1GiB, not \"1MiB\"");
    refused("memory: 64MB\n",
            "s.yaml:1:9: memory must be 8MiB to 64GiB, written as 67108864, 64MiB "
            "or 1GiB, not \"64MB\"");
    refused("memory: 99999999999999999GiB\n",
            "s.yaml:1:9: memory must be 8MiB to 64GiB, written as 67108864, 64MiB or 1GiB, not "
            "\"99999999999999999GiB\"");
    refused("linger: 61s\n", "s.yaml:1:9: linger must be 0s to 1m, written as 200ms, 30s or 2m, "
                             "not \"61s\"");
    refused("source: { sqs: { wait_time: 21 } }\n",
            "s.yaml:1:29: source.sqs.wait_time must be 0s to 20s in whole seconds, written as 30, "
            "30s, 2m, 12h or 15d, not \"21\"");
    refused("source: { sqs: { wait_time: 200ms } }\n",
            "s.yaml:1:29: source.sqs.wait_time must be 0s to 20s in whole seconds, written as 30, "
            "30s, 2m, 12h or 15d, not \"200ms\"");
    refused("source: { sqs: { visibility_timeout: 13h } }\n",
            "s.yaml:1:38: source.sqs.visibility_timeout must be 0s to 12h in whole seconds, "
            "written as 30, 30s, 2m, 12h or 15d, not \"13h\"");
}

static void takes_a_word_with_an_argument(void **state)
{
    struct sl_config cfg = taken("dedup: field:order.id\ndead_letter: 'queue:https://h/dlq'\n"
                                 "source: { sqs: { queue_url: https://h/q } }\n" KEYS SINK COLUMN);

    (void)state;
    assert_int_equal(cfg.dedup, SL_DEDUP_FIELD);
    assert_true(sl_str_eq(cfg.dedup_field, SL_STR("order.id")));
    assert_int_equal(cfg.dedup_from.from, SL_FROM_PATH);
    assert_int_equal(cfg.dedup_from.path_n, 2);
    assert_true(sl_str_eq(cfg.dedup_from.path[1].name, SL_STR("id")));
    assert_int_equal(cfg.dead_letter, SL_DEAD_LETTER_QUEUE);
    assert_true(sl_str_eq(cfg.dead_letter_url, SL_STR("https://h/dlq")));
    sl_config_done(&cfg);
}

static void takes_an_envelope_and_an_encoding_that_go_together(void **state)
{
    struct sl_config cfg = taken("envelope: sns\nencoding: gzip+base64\n" HEAD COLUMN);

    (void)state;
    assert_int_equal(cfg.envelope, SL_ENVELOPE_SNS);
    assert_int_equal(cfg.encoding, SL_ENCODING_GZIP_BASE64);
    assert_true(sl_config_has_own_attributes(&cfg));
    sl_config_done(&cfg);
    refused("envelope: eventbridge\nencoding: gzip+base64\n" HEAD COLUMN,
            "s.yaml:2:11: the detail of an EventBridge event is an object: leave out encoding");
    accepted("envelope: s3\nencoding: gzip+base64\ndelete_objects: true\n" HEAD COLUMN);
    refused("delete_objects: true\n" HEAD COLUMN,
            "s.yaml:1:17: delete_objects needs envelope: s3 and dedup: message_id");
    refused("envelope: s3\ndelete_objects: true\ndedup: body\n" HEAD COLUMN,
            "s.yaml:2:17: delete_objects needs envelope: s3 and dedup: message_id");
    refused("envelope: auto\n" HEAD COLUMN,
            "s.yaml:1:11: envelope cannot be \"auto\"; allowed: none, sns, eventbridge, s3");
}

static bool is_keyed(const char *dedup, const char *queue_url)
{
    char text[512];
    struct sl_config cfg;
    bool is;

    (void)snprintf(text, sizeof text, "%ssource: { sqs: { queue_url: %s } }\n" KEYS SINK COLUMN,
                   dedup, queue_url);
    cfg = taken(text);
    is = sl_config_is_keyed(&cfg);
    sl_config_done(&cfg);
    return is;
}

static void the_ledger_is_one_of_keys_unless_the_queue_tells_messages_apart(void **state)
{
    (void)state;
    assert_false(is_keyed("", "https://h/q"));
    assert_false(is_keyed("dedup: message_id\n", "https://h/fifo"));
    assert_true(is_keyed("", "https://h/q.fifo"));
    assert_true(is_keyed("dedup: body\n", "https://h/q"));
    assert_true(is_keyed("dedup: field:id\n", "https://h/q"));
    assert_true(is_keyed("dedup: field:$attribute.event-id\n", "https://h/q"));
}

static void takes_numbers_with_their_units(void **state)
{
    struct sl_config cfg =
        taken("workers: auto\nmemory: 8388608\nlinger: 1m\nsource:\n  sqs:\n"
              "    queue_url: https://h/q\n    visibility_timeout: 12h\n"
              "    wait_time: 2000ms\n    receives: 64\n    protocol: query\n" KEYS SINK COLUMN);

    (void)state;
    assert_int_equal(cfg.workers, 0);
    assert_int_equal(cfg.memory_bytes, 8 << 20);
    assert_int_equal(cfg.linger_ms, 60000);
    assert_int_equal(cfg.sqs.visibility_timeout_s, 43200);
    assert_int_equal(cfg.sqs.wait_time_s, 2);
    assert_int_equal(cfg.sqs.protocol, SL_SQS_PROTOCOL_QUERY);
    assert_int_equal(cfg.sqs.receives, 64);
    sl_config_done(&cfg);
    cfg = taken("memory: 64GiB\nlinger: 0\n" HEAD COLUMN);
    assert_true(cfg.memory_bytes == (size_t)64 << 30);
    assert_int_equal(cfg.linger_ms, 0);
    sl_config_done(&cfg);
}

static void refuses_a_text_out_of_bounds(void **state)
{
    (void)state;
    refused("pipeline: h\xc3\xb6r\n",
            "s.yaml:1:11: pipeline must be 1 to 64 printable ASCII characters");
    refused("pipeline: 12345678901234567890123456789012345678901234567890123456789012345\n",
            "s.yaml:1:11: pipeline must be 1 to 64 printable ASCII characters");
    refused(ONE("name: a123456789b123456789c123456789d123456789e123456789f123456789g123"),
            "s.yaml:5:11: columns.name must be 1 to 63 bytes");
    refused("keys: { file: \"a\\nb\" }\n", "s.yaml:1:15: keys.file has a control character in it");
    refused("keys: { file: \"a\\0b\" }\n", "s.yaml:1:15: keys.file has a control character in it");
}

static void refuses_an_address_that_is_none(void **state)
{
    static const char message[] = "s.yaml:1:30: source.sqs.queue_url must be a URL such as "
                                  "https://sqs.eu-west-1.amazonaws.com/123456789012/my-queue";

    (void)state;
    refused("source: { sqs: { queue_url:  login-queue } }\n", message);
    refused("source: { sqs: { queue_url:  ftp://host/q } }\n", message);
    refused("source: { sqs: { queue_url:  http://host } }\n", message);
    refused("source: { sqs: { queue_url:  http://host/ } }\n", message);
    refused("source: { sqs: { queue_url:  http:///q } }\n", message);
    refused("source: { sqs: { queue_url:  http://me:secret@host/q } }\n", message);
    refused("source: { sqs: { endpoint: localhost:4566 } }\n",
            "s.yaml:1:28: source.sqs.endpoint must be a URL such as http://localhost:4566");
}

static void refuses_a_dead_letter_queue_that_is_none_or_the_one_that_is_read(void **state)
{
    static const char message[] = "s.yaml:1:14: dead_letter must be a URL such as "
                                  "https://sqs.eu-west-1.amazonaws.com/123456789012/my-queue";

    (void)state;
    accepted("dead_letter: leave\n" HEAD COLUMN);
    accepted("dead_letter: 'queue:http://localhost:4566/0/q2'\n" HEAD COLUMN);
    refused("dead_letter: 'queue:dlq'\n" HEAD COLUMN, message);
    refused("dead_letter: 'queue:https://h'\n" HEAD COLUMN, message);
    refused("dead_letter: 'queue:http://localhost:4566/0/q'\n" HEAD COLUMN,
            "s.yaml:1:14: dead_letter is the queue that is read; give another one");
    check_refused("dead_letter: 'queue:http://h/q2'\n" HEAD COLUMN,
                  &(struct sl_overrides){ .queue_url = SL_STR("http://h/q2") },
                  "s.yaml:1:14: dead_letter is the queue that is read; give another one");
}

static void takes_the_spellings_of_a_connection(void **state)
{
    static const char message[] = "s.yaml:1:26: sink.postgres.url must start with postgresql:// or "
                                  "postgres://, or be libpq's key=value words";

    (void)state;
    accepted(SQS COLUMN KEYS "sink: { postgres: { table: t, url: 'postgres://h/d' } }\n");
    accepted(SQS COLUMN KEYS "sink: { postgres: { table: t, url: 'host=h password=x' } }\n");
    accepted(SQS COLUMN KEYS "sink: { postgres: { table: t, url: '' } }\n");
    refused("sink: { postgres: { url: mysql://me:secret@h/d } }\n", message);
    refused("sink: { postgres: { url: localhost } }\n", message);
    refused("sink: { postgres: { url: 'local host=x' } }\n", message);
}

static void refuses_half_of_a_credential(void **state)
{
    (void)state;
    refused("source:\n  sqs:\n    queue_url: http://h/q\n    access_key_id: A\n" KEYS SINK COLUMN,
            "s.yaml:4:20: source.sqs.access_key_id needs source.sqs.secret_access_key, too");
    refused("source:\n  sqs:\n    queue_url: http://h/q\n    session_token: A\n" KEYS SINK COLUMN,
            "s.yaml:4:20: source.sqs.session_token needs source.sqs.access_key_id, too");
    accepted("source:\n  sqs:\n    queue_url: http://h/q\n    access_key_id: A\n"
             "    secret_access_key: B\n    session_token: C\n" KEYS SINK COLUMN);
}

/* --- files --------------------------------------------------------------------------------- */

#define FILES "source: { file: { path: 'a/*.gz' } }\n"

static void takes_files_in_place_of_a_queue(void **state)
{
    struct sl_config cfg = taken(FILES "dedup: body\n" KEYS SINK COLUMN);

    (void)state;
    assert_true(sl_config_reads_files(&cfg));
    equals(cfg.files.path, "a/*.gz");
    sl_config_done(&cfg);
    accepted(FILES "dedup: field:id\n" KEYS SINK COLUMN);
    accepted("source: { file: { path: '-' } }\ndedup: body\n" KEYS SINK COLUMN);
    accepted(FILES "dedup: body\n" KEYS SINK
                   "columns: [ { name: d, from: $sent_at, type: date } ]\n");
}

static void takes_messages_from_one_place(void **state)
{
    const struct sl_overrides overrides = { .queue_url = SL_STR("http://h/q") };
    struct sl_config cfg;

    (void)state;
    refused("source:\n  file: { path: a }\n  sqs: { queue_url: http://h/q }\n" KEYS SINK COLUMN,
            "s.yaml:2:17: messages come from one place: leave out source.file.path or "
            "source.sqs.queue_url");
    refused("source:\n  file: { path: a }\n  sqs: { wait_time: 1s }\n" KEYS SINK COLUMN,
            "s.yaml:2:17: messages come from one place: leave out source.file.path or "
            "source.sqs.wait_time");
    assert_int_equal(parse(FILES KEYS SINK COLUMN, &overrides, &cfg, NULL), SL_OK);
    assert_false(sl_config_reads_files(&cfg));
    sl_config_done(&cfg);
}

static void refuses_what_a_line_of_a_file_has_not(void **state)
{
    (void)state;
    refused(FILES KEYS SINK COLUMN,
            "s.yaml:1:1: a line of a file has no id of its own: say dedup: field:NAME, a field "
            "that no two events share, or dedup: body");
    refused(FILES "dedup: message_id\n" KEYS SINK COLUMN,
            "s.yaml:2:8: a line of a file has no id of its own: say dedup: field:NAME, a field "
            "that no two events share, or dedup: body");
    refused(FILES "dedup: field:$attribute.id\n" KEYS SINK COLUMN,
            "s.yaml:2:8: a line of a file has no $attribute.id: say a field of the body");
    refused("envelope: s3\n" FILES "dedup: body\n" KEYS SINK COLUMN,
            "s.yaml:1:11: envelope: s3 is for a queue, whose identity fetches the objects");
    refused(FILES "dedup: body\ndead_letter: leave\n" KEYS SINK COLUMN,
            "s.yaml:3:14: bad lines of a file go to the table: dead_letter: leave is for a queue");
    refused(FILES "dedup: body\ndead_letter: queue:http://h/q\n" KEYS SINK COLUMN,
            "s.yaml:3:14: bad lines of a file go to the table: dead_letter: queue:URL is for a "
            "queue");
    refused(FILES "dedup: body\n" KEYS SINK "columns:\n- { name: id, from: id, type: text }\n"
                  "- { name: d, from: $sent_at, type: date, required: true }\n",
            "s.yaml:7:3: column d is required, and a line of a file has no $sent_at");
}

/* --- the table's name ---------------------------------------------------------------------- */

static void check_table(const char *yaml, const char *schema, const char *name)
{
    char text[512];
    struct sl_config cfg;

    (void)snprintf(text, sizeof text, SQS COLUMN KEYS "sink: { postgres: { table: %s } }\n", yaml);
    cfg = taken(text);
    equals(cfg.postgres.table_schema, schema);
    equals(cfg.postgres.table_name, name);
    sl_config_done(&cfg);
}

static void takes_a_table_name_exactly_as_written(void **state)
{
    (void)state;
    check_table("user_logins", "", "user_logins");
    check_table("app.Logins", "app", "Logins");
    check_table("'\"App\".\"User Logins\"'", "App", "User Logins");
    check_table("'\"a.b\"'", "", "a.b");
    check_table("'app.\"say \"\"so\"\"\"'", "app", "say \"so\"");
}

static void refuses_a_table_name_that_is_none(void **state)
{
    static const char *const bad[] = { "a.b.c",  ".a",     "a.",     "'a b'",   "'\"a'",
                                       "'a\"b'", "'\"\"'", "'a[0]'", "'\"a\"b'" };
    char text[512];

    (void)state;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)snprintf(text, sizeof text, "sink: { postgres: { table: %s } }\n" SQS COLUMN KEYS,
                       bad[i]);
        refused(text, "s.yaml:1:28: sink.postgres.table must be name or schema.name, each 1 to 63 "
                      "bytes, in double quotes if there is a dot, blank, bracket or quote in it");
    }
    refused("sink: { postgres: { table: sluice.x } }\n" SQS COLUMN KEYS,
            "s.yaml:1:28: the schema sluice is for sluice's own tables; name another");
}

/* --- columns ------------------------------------------------------------------------------- */

static void refuses_two_columns_of_one_name(void **state)
{
    (void)state;
    refused(HEAD "columns:\n"
                 "- { name: ip, from: a, type: text }\n"
                 "- { name: x, from: b, type: text }\n"
                 "- { name: ip, from: c, type: text }\n",
            "s.yaml:7:11: two columns are named \"ip\"; the first is at line 5");
    accepted(HEAD "columns: [ { name: a, from: x, type: text }, { name: A, from: x, type: text } "
                  "]\n");
}

static void refuses_the_names_of_system_columns(void **state)
{
    (void)state;
    refused(HEAD "columns: [ { name: ctid, from: a, type: text } ]\n",
            "s.yaml:4:20: \"ctid\" is a system column of PostgreSQL, in every table");
    accepted(HEAD
             "columns: [ { name: CTID, from: a, type: text }, { name: oid, from: a, type: text } "
             "]\n");
}

static void refuses_more_columns_than_are_allowed(void **state)
{
    struct sl_buf text;
    struct sl_err e;
    struct sl_config cfg;

    (void)state;
    sl_buf_init(&text, 1 << 20);
    sl_buf_printf(&text, HEAD "columns:\n");
    for (unsigned i = 0; i < 1000; i++) {
        sl_buf_printf(&text, "- { name: c%u, from: f, type: text, context: , required: true }\n",
                      i);
    }
    assert_int_equal(sl_config_parse("s.yaml", sl_buf_str(&text), NULL, &cfg, &e), SL_OK);
    assert_int_equal(cfg.columns_n, 1000);
    sl_config_done(&cfg);
    sl_buf_printf(&text, "- { name: x, from: f, type: text }\n");
    assert_int_equal(sl_config_parse("s.yaml", sl_buf_str(&text), NULL, &cfg, &e), SL_CONFIG);
    assert_string_equal(e.msg,
                        "s.yaml:5:1: columns must be a list of 1 to 1000 columns, not of 1001");
    sl_buf_done(&text);
}

static void check_type(const char *yaml, enum sl_type type, const char *usual)
{
    char text[512];
    struct sl_config cfg;

    (void)snprintf(text, sizeof text, ONE("name: a, from: b, type: '%s'"), yaml);
    cfg = taken(text);
    assert_int_equal(cfg.columns[0].type, type);
    equals(cfg.columns[0].type_text, usual);
    assert_true(strncmp(usual, sl_type_name(type), strlen(sl_type_name(type))) == 0);
    sl_config_done(&cfg);
}

static void takes_every_spelling_of_a_type(void **state)
{
    (void)state;
    check_type("varchar(1)", SL_TYPE_VARCHAR, "varchar(1)");
    check_type("character varying(10485760)", SL_TYPE_VARCHAR, "varchar(10485760)");
    check_type("Character  Varying ( 7 )", SL_TYPE_VARCHAR, "varchar(7)");
    check_type("TEXT", SL_TYPE_TEXT, "text");
    check_type("integer", SL_TYPE_INTEGER, "integer");
    check_type("int", SL_TYPE_INTEGER, "integer");
    check_type("int4", SL_TYPE_INTEGER, "integer");
    check_type("bigint", SL_TYPE_BIGINT, "bigint");
    check_type("int8", SL_TYPE_BIGINT, "bigint");
    check_type("double precision", SL_TYPE_DOUBLE, "double precision");
    check_type("double  precision", SL_TYPE_DOUBLE, "double precision");
    check_type("float8", SL_TYPE_DOUBLE, "double precision");
    check_type("boolean", SL_TYPE_BOOLEAN, "boolean");
    check_type("bool", SL_TYPE_BOOLEAN, "boolean");
    check_type("date", SL_TYPE_DATE, "date");
    check_type("timestamptz", SL_TYPE_TIMESTAMPTZ, "timestamptz");
    check_type("timestamp with time zone", SL_TYPE_TIMESTAMPTZ, "timestamptz");
    check_type("uuid", SL_TYPE_UUID, "uuid");
    check_type("inet", SL_TYPE_INET, "inet");
    check_type("jsonb", SL_TYPE_JSONB, "jsonb");
}

static void refuses_a_type_that_is_none(void **state)
{
    static const char *const bad[] = { "smallint",        "integer(4)",  "varchar2(3)",
                                       "doubleprecision", "varchar(3)x", "text[]",
                                       "varchar(3",       "int eger" };
    char text[512];
    char message[512];

    (void)state;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)snprintf(text, sizeof text, ONE("name: a, from: b, type: '%s'"), bad[i]);
        (void)snprintf(message, sizeof message,
                       "s.yaml:5:29: columns.type cannot be \"%s\"; allowed: varchar(n), text, "
                       "integer, bigint, double precision, boolean, date, timestamptz, uuid, inet, "
                       "jsonb",
                       bad[i]);
        refused(text, message);
    }
}

static void refuses_a_varchar_without_a_length(void **state)
{
    static const char *const bad[] = { "varchar",     "varchar()",         "varchar(0)",
                                       "varchar(-1)", "varchar(10485761)", "character varying" };
    char text[512];

    (void)state;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)snprintf(text, sizeof text, ONE("name: a, from: b, type: '%s'"), bad[i]);
        refused(text, "s.yaml:5:29: varchar needs a length from 1 to 10485760, as in varchar(128); "
                      "text has none");
    }
}

static void takes_paths_apart(void **state)
{
    struct sl_config cfg =
        taken(HEAD "columns:\n"
                   "- { name: a, from: \"device.tags[12][0].id\", type: text }\n"
                   "- { name: b, from: '\"a.b\".\"say \"\"so\"\"\"', type: text }\n"
                   "- { name: c, from: '\"$x\"', type: text }\n");
    const struct sl_column *a = &cfg.columns[0];
    const struct sl_column *b = &cfg.columns[1];

    (void)state;
    assert_int_equal(a->path_n, 5);
    equals(a->path[0].name, "device");
    equals(a->path[1].name, "tags");
    assert_true(a->path[2].is_index);
    assert_int_equal(a->path[2].index, 12);
    assert_true(a->path[3].is_index);
    assert_int_equal(a->path[3].index, 0);
    equals(a->path[4].name, "id");
    assert_false(a->path[4].is_index);
    assert_int_equal(b->path_n, 2);
    equals(b->path[0].name, "a.b");
    equals(b->path[1].name, "say \"so\"");
    equals(cfg.columns[2].path[0].name, "$x");
    sl_config_done(&cfg);
}

static void refuses_a_path_that_is_none(void **state)
{
    static const struct {
        const char *path;
        const char *fault;
    } bad[] = {
        { "a..b", "a name is empty" },
        { "a.", "a name is empty" },
        { ".a", "a name is empty" },
        { "[0]", "a name is empty" },
        { "a[x]", "an index must be [0] to [999999]" },
        { "a[-1]", "an index must be [0] to [999999]" },
        { "a[-0]", "an index must be [0] to [999999]" },
        { "a[]", "an index must be [0] to [999999]" },
        { "a[1", "an index must be [0] to [999999]" },
        { "a[", "an index must be [0] to [999999]" },
        { "a[1000000]", "an index must be [0] to [999999]" },
        { "a[0]b", "after a quote or an index comes . or [" },
        { "\"a", "a quote is not closed" },
        { "a b", "a name with a blank, ] or \" in it must be quoted" },
        { "a]", "a name with a blank, ] or \" in it must be quoted" },
    };

    char text[512];
    char message[512];

    (void)state;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)snprintf(text, sizeof text, ONE("name: a, type: text, from: '%s'"), bad[i].path);
        (void)snprintf(message, sizeof message,
                       "s.yaml:5:32: columns.from \"%s\" is no path: %s; write names with dots "
                       "between, [n] for elements, odd names in quotes",
                       bad[i].path, bad[i].fault);
        refused(text, message);
    }
}

static void refuses_a_path_deeper_than_json_may_be(void **state)
{
    char path[2 * 65 + 1];
    char text[512];
    struct sl_err e;
    struct sl_config cfg;

    (void)state;
    for (unsigned i = 0; i < 65; i++) {
        memcpy(path + 2 * i, ".a", 3);
    }
    (void)snprintf(text, sizeof text, ONE("name: a, type: text, from: '%s'"), path + 3);
    accepted(text);
    (void)snprintf(text, sizeof text, ONE("name: a, type: text, from: '%s'"), path + 1);
    assert_int_equal(parse(text, NULL, &cfg, &e), SL_CONFIG);
    assert_non_null(strstr(e.msg, "it is deeper than 64 steps"));
}

static void takes_every_fact_into_its_types(void **state)
{
    struct sl_config cfg =
        taken(HEAD "columns:\n"
                   "- { name: a, from: $message_id, type: varchar(36) }\n"
                   "- { name: b, from: $sent_at, type: bigint }\n"
                   "- { name: c, from: $received_at, type: timestamptz }\n"
                   "- { name: d, from: $receive_count, type: integer }\n"
                   "- { name: e, from: $attribute.trace-id_1.x, type: uuid }\n"
                   "- { name: f, from: $body, type: jsonb }\n"
                   "- { name: g, from: $attribute.v, type: integer, convert: version }\n"
                   "- { name: h, from: $attribute.ip, type: text, mask: siv }\n"
                   "allow_cleartext: true\n");

    (void)state;
    assert_int_equal(cfg.columns[0].from, SL_FROM_MESSAGE_ID);
    assert_int_equal(cfg.columns[1].from, SL_FROM_SENT_AT);
    assert_int_equal(cfg.columns[2].from, SL_FROM_RECEIVED_AT);
    assert_int_equal(cfg.columns[3].from, SL_FROM_RECEIVE_COUNT);
    assert_int_equal(cfg.columns[4].from, SL_FROM_ATTRIBUTE);
    equals(cfg.columns[4].attribute, "trace-id_1.x");
    assert_int_equal(cfg.columns[5].from, SL_FROM_BODY);
    equals(cfg.columns[5].attribute, "");
    equals(cfg.columns[7].masking.context, "$attribute.ip");
    sl_config_done(&cfg);
}

static void refuses_a_fact_that_is_none(void **state)
{
    static const char *const bad[] = { "$sent", "$attribute", "$attribute.", "$attribute.a b",
                                       "$Body" };
    char text[512];
    char message[512];

    (void)state;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)snprintf(text, sizeof text, ONE("name: a, type: text, from: '%s'"), bad[i]);
        (void)snprintf(
            message, sizeof message,
            "s.yaml:5:32: \"%s\" is no fact of a message; allowed: $message_id, $sent_at, "
            "$received_at, $receive_count, $attribute.NAME, $body, $trace_id",
            bad[i]);
        refused(text, message);
    }
}

static void refuses_a_type_that_a_fact_cannot_give(void **state)
{
    (void)state;
    refused(ONE("name: a, from: $sent_at, type: uuid"),
            "s.yaml:5:36: $sent_at cannot become uuid; allowed: bigint, date, timestamptz");
    refused(ONE("name: a, from: $received_at, type: integer"),
            "s.yaml:5:40: $received_at cannot become integer; allowed: bigint, date, timestamptz");
    refused(ONE("name: a, from: $receive_count, type: text"),
            "s.yaml:5:42: $receive_count cannot become text; allowed: integer, bigint");
    refused(ONE("name: a, from: $message_id, type: uuid"),
            "s.yaml:5:39: $message_id cannot become uuid; allowed: varchar(n), text");
    refused(ONE("name: a, from: $body, type: integer"),
            "s.yaml:5:33: $body cannot become integer; allowed: varchar(n), text, jsonb");
    refused(ONE("name: a, from: $attribute.n, type: integer"),
            "s.yaml:5:40: $attribute.n cannot become integer; allowed: varchar(n), text, date, "
            "timestamptz, uuid, inet");
}

static void refuses_a_mask_that_cannot_fit(void **state)
{
    (void)state;
    refused(ONE("name: a, from: b, type: varchar(246), mask: siv"),
            "s.yaml:5:29: varchar(246) is too short for mask: siv; the shortest allowed is "
            "varchar(247)");
    refused(ONE("name: a, from: b, type: inet, mask: siv"),
            "s.yaml:5:29: a column with mask: siv cannot be inet; allowed: varchar(n), text");
    refused(ONE("name: a, from: $message_id, type: text, mask: siv"),
            "s.yaml:5:51: $message_id cannot be masked");
    refused(ONE("name: a, from: $sent_at, type: date, mask: siv"),
            "s.yaml:5:48: $sent_at cannot be masked");
    accepted(ONE("name: a, from: b, type: varchar(247), mask: siv"));
    accepted(ONE("name: a, from: b, type: text, mask: siv, convert: text"));
}

/* An empty mask would load cleartext. */
static void refuses_a_mask_that_says_nothing(void **state)
{
    (void)state;
    (void)unsetenv("SL_TEST_A");
    refused(ONE("name: a, from: b, type: text, mask: "),
            "s.yaml:5:42: columns.mask is empty; say which, or leave it out");
    refused(ONE("name: a, from: b, type: text, mask: ~"),
            "s.yaml:5:41: columns.mask is empty; say which, or leave it out");
    refused(ONE("name: a, from: b, type: text, mask: \"${SL_TEST_A:-}\""),
            "s.yaml:5:41: columns.mask is empty; say which, or leave it out");
    accepted(ONE("name: a, from: b, type: text, mask: null"));
    accepted(ONE("name: a, from: b, type: jsonb, mask: \"null\""));
}

static void takes_of_a_method_its_own_options_only(void **state)
{
    (void)state;
    accepted(ONE("name: a, from: b, type: inet, mask: ip, ip: prefix, kid: k1"));
    accepted(ONE("name: a, from: b, type: integer, mask: keep, keep: year"));
    accepted(ONE("name: a, from: b, type: varchar(11), mask: fpe, format: ddd-dd-dddd"));
    refused(ONE("name: a, from: b, type: text, mask: siv, format: ddd"),
            "s.yaml:5:54: columns.format goes with mask: fpe; leave it out");
    refused(ONE("name: a, from: b, type: text, mask: keep"),
            "s.yaml:5:41: mask: keep needs columns.keep");
    refused(ONE("name: a, from: b, type: text, mask: aes-cbc, key: x"),
            "s.yaml:5:41: mask: aes-cbc needs columns.iv");
    refused(ONE("name: a, from: b, type: inet, mask: hmac"),
            "s.yaml:5:29: a column with mask: hmac cannot be inet; allowed: varchar(n), text");
    refused(ONE("name: a, from: b, type: text, keep: year"),
            "s.yaml:5:41: columns.keep goes with mask: keep; leave it out");
}

#define KEYS_FROM(keys) SQS "keys: { " keys " }\n" SINK COLUMN

static void takes_keys_from_one_place(void **state)
{
    (void)state;
    accepted(KEYS_FROM("env: SLUICE_KEYS"));
    accepted(KEYS_FROM("command: sops -d keys.enc"));
    accepted(KEYS_FROM("credential: sluice.keys"));
    accepted(KEYS_FROM("fd: 3"));
    refused(KEYS_FROM("file: k, env: SLUICE_KEYS"),
            "s.yaml:2:23: keys come from one place: leave out keys.file or keys.env");
}

static void refuses_a_vault_for_nothing(void **state)
{
    (void)state;
    refused("vault: { url: postgresql://h/v }\n" HEAD COLUMN,
            "s.yaml:1:15: a vault keeps what mask: hmac and mask: sha256 cannot give back, and no "
            "column has one of these");
    refused("vault: { table: v }\n" HEAD COLUMN, "s.yaml:1:17: vault.table needs vault.url, too");
}

static void refuses_a_context_that_is_none(void **state)
{
    (void)state;
    refused(ONE("name: a, from: b, type: text, context: c"),
            "s.yaml:5:44: columns.context goes with mask: siv, hmac, ip, fpe; leave it out");
    refused(ONE("name: a, from: b, type: text, mask: siv, context: dead_letter"),
            "s.yaml:5:55: the context dead_letter is taken; give another");
    refused(ONE("name: a, from: dead_letter, type: text, mask: siv"),
            "s.yaml:5:20: the context dead_letter is taken; give another");
    refused(ONE("name: a, from: h\xc3\xb6r, type: text, mask: siv"),
            "s.yaml:5:20: this path is no context for a mask; give a context of 1 to 64 printable "
            "ASCII characters");
    accepted(ONE("name: a, from: h\xc3\xb6r, type: text, mask: siv, context: hoer"));
}

static void refuses_a_conversion_that_cannot_fit(void **state)
{
    (void)state;
    refused(ONE("name: a, from: b, type: bigint, convert: version"),
            "s.yaml:5:46: convert: version needs a column of type integer");
    refused(ONE("name: a, from: $receive_count, type: integer, convert: version"),
            "s.yaml:5:60: convert: version needs a field or an attribute, not $receive_count");
    refused(ONE("name: a, from: b, type: jsonb, convert: text"),
            "s.yaml:5:45: convert: text needs a column of type text or varchar(n)");
    refused(ONE("name: a, from: $body, type: text, convert: text"),
            "s.yaml:5:48: convert: text needs a field, not $body");
}

static void refuses_to_show_what_is_masked(void **state)
{
    static const char masked[] = "- { name: m, from: device.ip, type: text, mask: siv }\n";

    static const struct {
        const char *from;
        const char *type;
        bool is_allowed;
    } cases[] = {
        { "$body", "jsonb", false },
        { "device.ip", "inet", false },
        { "device", "jsonb", false },
        { "device.id", "text", true },
        { "ip", "text", true },
        { "device.ip.x", "text", true },
        { "$attribute.device.ip", "text", true },
    };

    char text[512];
    char message[256];

    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        (void)snprintf(text, sizeof text, HEAD "columns:\n- { name: s, from: %s, type: %s }\n%s%s",
                       cases[i].from, cases[i].type, masked, "allow_cleartext: true\n");
        accepted(text);
        text[strlen(text) - strlen("allow_cleartext: true\n")] = '\0';
        if (cases[i].is_allowed) {
            accepted(text);
            continue;
        }
        (void)snprintf(message, sizeof message,
                       "s.yaml:5:20: \"%s\" would show what column \"m\" masks; mask it, or set "
                       "allow_cleartext: true",
                       cases[i].from);
        refused(text, message);
    }
    accepted(HEAD "columns: [ { name: b, from: $body, type: jsonb } ]\n");
}

/* --- the environment ----------------------------------------------------------------------- */

static int clear_environment(void **state)
{
    (void)state;
    return unsetenv("SL_TEST_A") != 0 || setenv("SL_TEST_EMPTY", "", 1) != 0 ||
           setenv("SL_TEST_B", "b: { c", 1) != 0;
}

static void check_value(const char *yaml, const char *value)
{
    char text[512];
    struct sl_config cfg;

    (void)snprintf(text, sizeof text, HEAD COLUMN "pipeline: %s\n", yaml);
    cfg = taken(text);
    equals(cfg.pipeline, value);
    sl_config_done(&cfg);
}

static void replaces_variables(void **state)
{
    (void)state;
    check_value("x-${SL_TEST_B}-y", "x-b: { c-y");
    check_value("${SL_TEST_A:-d}", "d");
    check_value("${SL_TEST_EMPTY:-d}", "d");
    check_value("${SL_TEST_A:-}", "");
    check_value("${SL_TEST_EMPTY}", "");
    check_value("${SL_TEST_A:-a:-b}${SL_TEST_B}", "a:-bb: { c");
    check_value("$${SL_TEST_A}", "${SL_TEST_A}");
    check_value("$SL_TEST_A$", "$SL_TEST_A$");
    check_value("'$$'", "$$");
}

static void counts_an_empty_value_as_not_given(void **state)
{
    struct sl_config cfg = taken(HEAD COLUMN "workers: ${SL_TEST_EMPTY}\nmemory: ~\nlinger:\n");

    (void)state;
    assert_int_equal(cfg.workers, 0);
    assert_int_equal(cfg.memory_bytes, 64 << 20);
    assert_int_equal(cfg.linger_ms, 200);
    sl_config_done(&cfg);
}

static void refuses_a_variable_that_is_not_set(void **state)
{
    (void)state;
    refused("pipeline: ${SL_TEST_A}\n", "s.yaml:1:11: the environment has no SL_TEST_A; set it, or "
                                        "write ${SL_TEST_A:-default}");
    refused("keys:\n  file: x${SL_TEST_A}y\n",
            "s.yaml:2:9: the environment has no SL_TEST_A; set it, or write ${SL_TEST_A:-default}");
    refused("pipeline: ${1A}\n", "s.yaml:1:11: \"${1A}\" names no variable; write ${NAME}, "
                                 "${NAME:-default}, or $${ for a plain ${");
    refused("pipeline: ${}\n", "s.yaml:1:11: \"${}\" names no variable; write ${NAME}, "
                               "${NAME:-default}, or $${ for a plain ${");
    refused("pipeline: ${SL_TEST_A\n",
            "s.yaml:1:11: a ${ has no } after it; write $${ for a plain ${");
}

#define QUEUE(MORE) "source: { sqs: { queue: " MORE " } }\n" KEYS SINK COLUMN

static void a_queue_may_be_known_by_its_name_or_arn(void **state)
{
    struct sl_config cfg;

    (void)state;
    cfg = taken(QUEUE("login-queue_2.fifo"));
    equals(cfg.sqs.queue_name, "login-queue_2.fifo");
    equals(cfg.sqs.queue_owner, "");
    equals(cfg.sqs.queue_url, "");
    assert_true(sl_config_is_keyed(&cfg));
    sl_config_done(&cfg);
    cfg = taken(QUEUE("\"arn:aws-cn:sqs:cn-north-1:012345678901:q\""));
    equals(cfg.sqs.queue_name, "q");
    equals(cfg.sqs.queue_owner, "012345678901");
    equals(cfg.sqs.region, "cn-north-1");
    sl_config_done(&cfg);
}

static void refuses_a_queue_that_is_named_wrongly_or_twice(void **state)
{
    static const char *const wrong[] = {
        "a.b",
        "\"a b\"",
        ".fifo",
        "aaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbc",
        "http://h/q",
        "\"arn:aws:sqs:us-east-1:123456789012:\"",
        "\"arn:aws:sns:us-east-1:123456789012:q\"",
        "\"arn:aws:sqs:us-east-1:12345678901:q\"",
        "\"arn:aws:sqs:us-east-1:12345678901x:q\"",
        "\"arn:aws:sqs::123456789012:q\"",
        "\"arn:aws:sqs:us-east-1:123456789012:q:r\"",
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[1024];

        (void)snprintf(text, sizeof text, "source: { sqs: { queue: %s } }\n%s", wrong[i],
                       KEYS SINK COLUMN);
        refused(text, "s.yaml:1:25: source.sqs.queue must be a queue's name, such as my-queue, or "
                      "its ARN, such as arn:aws:sqs:eu-west-1:123456789012:my-queue");
    }
    refused(QUEUE("q, queue_url: http://h/q"),
            "s.yaml:1:25: the queue is named once: leave out source.sqs.queue_url or "
            "source.sqs.queue");
    refused(QUEUE("\"arn:aws:sqs:us-east-1:123456789012:q\", region: eu-west-1"),
            "s.yaml:1:25: source.sqs.queue is in region us-east-1, and source.sqs.region is "
            "eu-west-1");
}

static void a_queue_url_of_a_flag_takes_the_place_of_a_name(void **state)
{
    struct sl_overrides flags = { .queue_url = SL_STR("http://h/q2") };
    struct sl_config cfg;

    (void)state;
    assert_int_equal(sl_config_parse("s.yaml", SL_STR(QUEUE("q")), &flags, &cfg, NULL), SL_OK);
    equals(cfg.sqs.queue_url, "http://h/q2");
    equals(cfg.sqs.queue, "");
    sl_config_done(&cfg);
}

static void never_replaces_a_name(void **state)
{
    (void)state;
    refused(
        "${SL_TEST_B}: x\n",
        "s.yaml:1:1: unknown setting \"${SL_TEST_B}\"; allowed here: source, envelope, encoding, "
        "delete_objects, "
        "keys, vault, sink, "
        "pipeline, dedup, dedup_window, ledger_days, dead_letter, "
        "dead_letter_days, outage_patience, stall_after, workers, memory, linger, tracing, "
        "http, allow_cleartext, columns");
}

/* --- flags --------------------------------------------------------------------------------- */

static void takes_flags_before_the_file(void **state)
{
    const struct sl_overrides flags = {
        .queue_url = SL_STR("https://h/other"),
        .postgres_url = SL_STR("postgresql://me@h/d"),
        .table = SL_STR("x.y"),
        .keys = SL_STR("other.keys"),
    };
    struct sl_config cfg;
    struct sl_err e;

    (void)state;
    assert_int_equal(parse(HEAD COLUMN, &flags, &cfg, &e), SL_OK);
    equals(cfg.sqs.queue_url, "https://h/other");
    equals(cfg.postgres.url, "postgresql://me@h/d");
    equals(cfg.postgres.table_schema, "x");
    equals(cfg.postgres.table_name, "y");
    equals(cfg.keys.file, "other.keys");
    sl_config_done(&cfg);
    assert_int_equal(
        parse("columns: [ { name: a, from: b, type: text, mask: siv } ]\n", &flags, &cfg, &e),
        SL_OK);
    sl_config_done(&cfg);
}

static void takes_an_empty_flag_as_none(void **state)
{
    const struct sl_overrides flags = { .table = SL_STR("") };
    struct sl_config cfg;
    struct sl_err e;

    (void)state;
    assert_int_equal(parse(HEAD COLUMN, &flags, &cfg, &e), SL_OK);
    equals(cfg.postgres.table, "t");
    sl_config_done(&cfg);
}

static void refuses_a_password_in_a_flag(void **state)
{
    static const char message[] = "--postgres-url: a password on the command line can be read by "
                                  "everybody on this machine; use the environment (PGPASSWORD), a "
                                  "passfile or a service file";

    (void)state;
    check_refused(HEAD COLUMN,
                  &(struct sl_overrides){ .postgres_url = SL_STR("postgresql://u:p@h/d") },
                  message);
    check_refused(HEAD COLUMN,
                  &(struct sl_overrides){ .postgres_url = SL_STR("host=h password=p") }, message);
    check_refused(HEAD COLUMN, &(struct sl_overrides){ .queue_url = SL_STR("nowhere") },
                  "--queue-url: source.sqs.queue_url must be a URL such as "
                  "https://sqs.eu-west-1.amazonaws.com/123456789012/my-queue");
    check_refused(
        HEAD COLUMN, &(struct sl_overrides){ .table = SL_STR("a.b.c") },
        "--table: sink.postgres.table must be name or schema.name, each 1 to 63 bytes, in "
        "double quotes if there is a dot, blank, bracket or quote in it");
}

/* --- YAML ---------------------------------------------------------------------------------- */

static void refuses_what_is_not_yaml(void **state)
{
    (void)state;
    refused("source: {\n", "s.yaml:2:1: not valid YAML: did not find expected node content");
    refused("a: b: c\n",
            "s.yaml:1:5: not valid YAML: mapping values are not allowed in this context");
    refused("keys:\n\tfile: x\n",
            "s.yaml:2:1: not valid YAML: found character that cannot start any token; indent with "
            "spaces, quote a value that starts with one of @`%");
    refused(ONE("name: a, from: tags[0], type: text"),
            "s.yaml:5:24: not valid YAML: did not find expected ',' or '}'; inside { } and [ ], "
            "quote a value that has one of ,[]{} in it");
    refused("a: *b\n", "s.yaml:1:4: not valid YAML: found undefined alias");
    refused("a: b\nc: \"\xff\"\n", "s.yaml:2:5: not a text in UTF-8: invalid leading UTF-8 octet");
    refused("a: b\nc: \x01\n",
            "s.yaml:2:4: not a text in UTF-8: control characters are not allowed");
    refused("a: &x b\nc: &x d\n", "s.yaml:2:4: not valid YAML: an anchor is given twice");
    refused("a: !!int 1\n", "s.yaml:1:4: tags such as !!int mean nothing here; leave it out");
}

static void refuses_a_file_with_nothing_in_it(void **state)
{
    static const char *const nothing[] = { "", "\n", "# only words\n", "---\n", "~\n" };

    (void)state;
    for (unsigned i = 0; i < sizeof nothing / sizeof nothing[0]; i++) {
        refused(nothing[i], "s.yaml is empty; `sluice docs config` has an example");
    }
}

static void refuses_a_second_document(void **state)
{
    (void)state;
    refused(HEAD COLUMN "---\nworkers: 1\n",
            "s.yaml:6:1: a second document starts here; only one is allowed");
    accepted("---\n" HEAD COLUMN "...\n");
}

static void follows_aliases(void **state)
{
    struct sl_config cfg = taken(HEAD "columns:\n"
                                      "- { name: a, from: b, type: &long varchar(300) }\n"
                                      "- { name: c, from: d, type: *long }\n");

    (void)state;
    assert_int_equal(cfg.columns[1].max_chars, 300);
    sl_config_done(&cfg);
}

static void refuses_aliases_that_grow_without_end(void **state)
{
    (void)state;
    refused("a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
            "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
            "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n",
            "s.yaml:1:14: more than 50000 values, those of aliases counted each time");
    refused("a: &a [ *a ]\n", "s.yaml:1:4: nested deeper than 16 levels");
}

/* As long as a file may be: this took libyaml alone minutes. */
static void refuses_a_text_nested_too_deep(void **state)
{
    const size_t n = 1 << 20;
    char *text = malloc(n + 1);

    (void)state;
    assert_non_null(text);
    memset(text, '[', n);
    text[n] = '\0';
    refused(text, "s.yaml:1:18: nested deeper than 16 levels");
    free(text);
    refused("a: [[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]\n", "s.yaml:1:20: nested deeper than 16 levels");
}

static void refuses_more_values_than_any_file_needs(void **state)
{
    const size_t n = 60000;
    char *text = malloc(n * 3 + 1);

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < n; i++) {
        memcpy(text + i * 3, "- \n", 4);
    }
    refused(text, "s.yaml:50000:2: more than 50000 values, those of aliases counted each time");
    free(text);
}

/* --- files --------------------------------------------------------------------------------- */

static void write_file(const char *path, const char *text, size_t n)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void check_file(const char *path, const char *format)
{
    struct sl_config cfg;
    struct sl_err e;
    char message[512];

    assert_int_equal(sl_config_load(path, NULL, &cfg, &e), SL_CONFIG);
    (void)snprintf(message, sizeof message, "%s%s%s", format, path, strchr(format, '\0') + 1);
    assert_string_equal(e.msg, message);
}

static void as_nobody(bool is_nobody)
{
    if (getuid() == 0) {
        assert_int_equal(seteuid(is_nobody ? 65534 : 0), 0);
    }
}

static void refuses_a_file_that_cannot_be_read(void **state)
{
    char dir[] = "/tmp/sluice-test-XXXXXX";
    char path[64];

    (void)state;
    assert_non_null(mkdtemp(dir));
    check_file(dir, "cannot read \0: it is a directory");
    (void)snprintf(path, sizeof path, "%s/none.yaml", dir);
    check_file(path, "cannot read \0: there is no such file");
    write_file(path, HEAD COLUMN, strlen(HEAD COLUMN));
    assert_int_equal(chmod(path, 0), 0);
    assert_int_equal(chmod(dir, 0711), 0);
    as_nobody(true); /* root reads everything */
    check_file(path, "cannot read \0: permission denied");
    as_nobody(false);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void loads_a_file_of_up_to_one_mib(void **state)
{
    char dir[] = "/tmp/sluice-test-XXXXXX";
    char path[64];
    const size_t most = 1 << 20;
    char *text = malloc(most + 1);
    struct sl_config cfg;

    (void)state;
    assert_non_null(text);
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/a.yaml", dir);
    memset(text, '#', most + 1);
    memcpy(text, HEAD COLUMN, strlen(HEAD COLUMN));
    write_file(path, text, most);
    assert_int_equal(sl_config_load(path, NULL, &cfg, NULL), SL_OK);
    equals(cfg.file, path);
    sl_config_done(&cfg);
    write_file(path, text, most + 1);
    check_file(path, "\0 is over 1 MiB, which no configuration needs");
    write_file(path, text, 0);
    check_file(path, "\0 is empty; `sluice docs config` has an example");
    free(text);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void shortens_a_long_file_name_from_its_start(void **state)
{
    char name[301];
    struct sl_config cfg;
    struct sl_err e;

    (void)state;
    memset(name, 'a', 290);
    memcpy(name + 290, "/last.yaml", 11);
    assert_int_equal(sl_config_parse(name, SL_STR("workers: 0\n"), NULL, &cfg, &e), SL_CONFIG);
    assert_true(strncmp(e.msg, "...aaaa", 7) == 0);
    assert_non_null(strstr(e.msg, "a/last.yaml:1:10: workers must be auto or 1 to 256, not \"0\""));
}

/* --- the tables, and the manual printed from them ------------------------------------------ */

static bool ends_in(const char *text, const char *tail)
{
    const size_t n = strlen(text);

    return n > strlen(tail) && strcmp(text + n - strlen(tail), tail) == 0;
}

static void check_row(const struct sl_setting *s)
{
    const bool is_number = !sl_kind_is_text(s->kind) && s->kind != SL_KIND_BOOL &&
                           s->kind != SL_KIND_WORD && s->kind != SL_KIND_COLUMNS;

    assert_true(s->doc != NULL && s->doc[strlen(s->doc) - 1] == '.');
    assert_true(s->min <= s->max || s->max == 0);
    if (is_number && !(s->has_auto && s->preset == 0)) {
        assert_in_range(s->preset, s->min, s->max);
    }
    if (s->kind == SL_KIND_WORD && s->preset_doc == NULL) {
        assert_non_null(s->words[s->preset]);
    }
    if (sl_kind_is_text(s->kind) && !s->is_required) {
        assert_non_null(s->preset_doc);
    }
    if (s->unit != NULL) {
        char tail[16];

        (void)snprintf(tail, sizeof tail, "_%s", s->unit);
        assert_true(ends_in(s->member, tail));
    } else {
        assert_false(ends_in(s->member, "_s") || ends_in(s->member, "_ms") ||
                     ends_in(s->member, "_bytes"));
    }
}

static void check_table_of_settings(const struct sl_settings *t)
{
    assert_true(t->n <= SL_SETTINGS_MAX);
    for (unsigned i = 0; i < t->n; i++) {
        check_row(&t->rows[i]);
        assert_false(sl_settings_has_below(t, t->rows[i].path));
        for (unsigned k = 0; k < i; k++) {
            assert_string_not_equal(t->rows[i].path, t->rows[k].path);
            assert_int_not_equal(t->rows[i].at, t->rows[k].at);
        }
    }
}

static void keeps_its_tables_in_order(void **state)
{
    (void)state;
    check_table_of_settings(&sl_settings);
    check_table_of_settings(&sl_column_settings);
    for (unsigned i = 0; i <= SL_TYPE_JSONB; i++) {
        assert_non_null(sl_type_rows[i].name);
        assert_string_equal(sl_type_name((enum sl_type)i), sl_type_rows[i].name);
    }
}

static void prints_every_setting_into_the_manual(void **state)
{
    struct sl_buf manual;
    char row[128];

    (void)state;
    sl_buf_init(&manual, 1 << 20);
    sl_config_manual(&manual);
    sl_buf_add_char(&manual, '\0');
    assert_int_equal(sl_buf_rc(&manual, NULL), SL_OK);
    for (unsigned i = 0; i < sl_settings.n; i++) {
        (void)snprintf(row, sizeof row, "\n| `%s` | ", sl_settings.rows[i].path);
        assert_non_null(strstr(manual.ptr, row));
    }
    for (unsigned i = 0; i < sl_column_settings.n; i++) {
        (void)snprintf(row, sizeof row, "\n| `%s` | ", sl_column_settings.rows[i].path + 8);
        assert_non_null(strstr(manual.ptr, row));
    }
    for (unsigned i = 0; i <= SL_TYPE_JSONB; i++) {
        (void)snprintf(row, sizeof row, "\n| `%s", sl_type_rows[i].name);
        assert_non_null(strstr(manual.ptr, row));
    }
    for (unsigned i = 0; i < sl_fact_rows_n; i++) {
        (void)snprintf(row, sizeof row, "\n| `%s", sl_fact_rows[i].name);
        assert_non_null(strstr(manual.ptr, row));
    }
    sl_buf_done(&manual);
}

static void loads_the_example_of_the_manual(void **state)
{
    struct sl_buf manual;
    char *start;
    char *end;

    (void)state;
    sl_buf_init(&manual, 1 << 20);
    sl_config_manual(&manual);
    sl_buf_add_char(&manual, '\0');
    start = strstr(manual.ptr, "```yaml\n");
    assert_non_null(start);
    end = strstr(start + 8, "```");
    assert_non_null(end);
    *end = '\0';
    accepted(start + 8);
    sl_buf_done(&manual);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_every_setting_of_the_design),
        cmocka_unit_test(takes_every_column_of_the_design),
        cmocka_unit_test(leaves_the_presets_where_nothing_is_said),
        cmocka_unit_test(refuses_an_unknown_setting),
        cmocka_unit_test(refuses_a_dotted_or_a_cut_name),
        cmocka_unit_test(refuses_a_setting_given_twice),
        cmocka_unit_test(refuses_a_file_without_what_is_required),
        cmocka_unit_test(takes_files_in_place_of_a_queue),
        cmocka_unit_test(takes_messages_from_one_place),
        cmocka_unit_test(refuses_what_a_line_of_a_file_has_not),
        cmocka_unit_test(refuses_to_do_without_a_key_file),
        cmocka_unit_test(refuses_the_wrong_kind_of_value),
        cmocka_unit_test(refuses_a_word_that_is_not_allowed),
        cmocka_unit_test(takes_where_to_listen),
        cmocka_unit_test(refuses_a_number_out_of_bounds),
        cmocka_unit_test(takes_an_envelope_and_an_encoding_that_go_together),
        cmocka_unit_test(takes_a_word_with_an_argument),
        cmocka_unit_test(the_ledger_is_one_of_keys_unless_the_queue_tells_messages_apart),
        cmocka_unit_test(takes_numbers_with_their_units),
        cmocka_unit_test(refuses_a_text_out_of_bounds),
        cmocka_unit_test(refuses_an_address_that_is_none),
        cmocka_unit_test(refuses_a_dead_letter_queue_that_is_none_or_the_one_that_is_read),
        cmocka_unit_test(takes_the_spellings_of_a_connection),
        cmocka_unit_test(refuses_half_of_a_credential),
        cmocka_unit_test(takes_a_table_name_exactly_as_written),
        cmocka_unit_test(refuses_a_table_name_that_is_none),
        cmocka_unit_test(refuses_two_columns_of_one_name),
        cmocka_unit_test(refuses_the_names_of_system_columns),
        cmocka_unit_test(refuses_more_columns_than_are_allowed),
        cmocka_unit_test(takes_every_spelling_of_a_type),
        cmocka_unit_test(refuses_a_type_that_is_none),
        cmocka_unit_test(refuses_a_varchar_without_a_length),
        cmocka_unit_test(takes_paths_apart),
        cmocka_unit_test(refuses_a_path_that_is_none),
        cmocka_unit_test(refuses_a_path_deeper_than_json_may_be),
        cmocka_unit_test(takes_every_fact_into_its_types),
        cmocka_unit_test(refuses_a_fact_that_is_none),
        cmocka_unit_test(refuses_a_type_that_a_fact_cannot_give),
        cmocka_unit_test(refuses_a_mask_that_cannot_fit),
        cmocka_unit_test(refuses_a_mask_that_says_nothing),
        cmocka_unit_test(takes_of_a_method_its_own_options_only),
        cmocka_unit_test(takes_keys_from_one_place),
        cmocka_unit_test(refuses_a_vault_for_nothing),
        cmocka_unit_test(refuses_a_context_that_is_none),
        cmocka_unit_test(refuses_a_conversion_that_cannot_fit),
        cmocka_unit_test(refuses_to_show_what_is_masked),
        cmocka_unit_test_setup(replaces_variables, clear_environment),
        cmocka_unit_test_setup(counts_an_empty_value_as_not_given, clear_environment),
        cmocka_unit_test_setup(refuses_a_variable_that_is_not_set, clear_environment),
        cmocka_unit_test_setup(a_queue_may_be_known_by_its_name_or_arn, clear_environment),
        cmocka_unit_test_setup(refuses_a_queue_that_is_named_wrongly_or_twice, clear_environment),
        cmocka_unit_test_setup(a_queue_url_of_a_flag_takes_the_place_of_a_name, clear_environment),
        cmocka_unit_test_setup(never_replaces_a_name, clear_environment),
        cmocka_unit_test(takes_flags_before_the_file),
        cmocka_unit_test(takes_an_empty_flag_as_none),
        cmocka_unit_test(refuses_a_password_in_a_flag),
        cmocka_unit_test(refuses_what_is_not_yaml),
        cmocka_unit_test(refuses_a_file_with_nothing_in_it),
        cmocka_unit_test(refuses_a_second_document),
        cmocka_unit_test(follows_aliases),
        cmocka_unit_test(refuses_aliases_that_grow_without_end),
        cmocka_unit_test(refuses_a_text_nested_too_deep),
        cmocka_unit_test(refuses_more_values_than_any_file_needs),
        cmocka_unit_test(refuses_a_file_that_cannot_be_read),
        cmocka_unit_test(loads_a_file_of_up_to_one_mib),
        cmocka_unit_test(shortens_a_long_file_name_from_its_start),
        cmocka_unit_test(keeps_its_tables_in_order),
        cmocka_unit_test(prints_every_setting_into_the_manual),
        cmocka_unit_test(loads_the_example_of_the_manual),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
