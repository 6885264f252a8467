/* cmd/cmd_dead.c - sluice dead: look at the messages that were refused. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/record.h"
#include "keys/key_config.h"
#include "masking/masker.h"
#include "net/wait.h"
#include "sink/pg_dead.h"
#include "telemetry/log.h"

enum {
    LIST_PRESET = 100,
    BODY_MAX = 80 << 20,
};

const char sl_help_dead[] =
    "Usage: sluice dead list -c FILE [--limit N] [options]\n"
    "       sluice dead show ID -c FILE [--reason TEXT] [options]\n"
    "\n"
    "list prints the newest dead letters, one a line: id, status, time, reason, field, SQLSTATE,\n"
    "pipeline and message id; nothing personal. show opens the body of one with the keys and\n"
    "writes it to stdout, byte for byte. Before that, who opens it and why is committed to\n"
    "sluice.unmask_audit, and goes to the log.\n"
    "\n"
    "Options:\n"
    "      --limit N          at most N lines (preset 100)\n"
    "      --reason TEXT      why; it is recorded\n" SL_OPTIONS_HELP "\n"
    "Examples:\n"
    "  sluice dead list -c sluice.yaml\n"
    "  sluice dead show 17 -c sluice.yaml --reason 'the app sends a wrong version'\n";

struct dead_options {
    struct sl_options common;
    unsigned limit;
    const char *reason;
    const char *verb;
    int64_t id;
};

static sl_rc dead_take(struct dead_options *o, int option, char *value, struct sl_err *e)
{
    int64_t n = 0;

    if (option == 'r') {
        o->reason = value;
        return sl_record_check_reason(value, e);
    }
    if (option != 'n') {
        return sl_options_take(&o->common, option, value, e);
    }
    if (!sl_str_to_i64(sl_str_of(value), &n) || n < 1 || n > 1000000) {
        return SL_FAIL(e, SL_USAGE, "--limit takes 1 to 1000000");
    }
    o->limit = (unsigned)n;
    return SL_OK;
}

static sl_rc dead_parse(int argc, char **argv, struct dead_options *o, struct sl_err *e)
{
    static const struct option options[] = { SL_OPTIONS_LONG,
                                             { "limit", required_argument, NULL, 'n' },
                                             { "reason", required_argument, NULL, 'r' },
                                             { 0 } };
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, SL_OPTIONS_SHORT, options, NULL)) != -1) {
        SL_TRY(dead_take(o, option, optarg, e));
    }
    if (o->common.wants_help) {
        return SL_OK;
    }
    o->verb = optind < argc ? argv[optind] : "";
    if (strcmp(o->verb, "list") == 0 && optind + 1 == argc) {
        return SL_OK;
    }
    if (strcmp(o->verb, "show") == 0 && optind + 2 == argc &&
        sl_str_to_i64(sl_str_of(argv[optind + 1]), &o->id)) {
        return SL_OK;
    }
    return SL_FAIL(e, SL_USAGE, "say 'list', or 'show' and the id of a dead letter");
}

static void list_print(const PGresult *result)
{
    (void)printf("%-8s %-8s %-20s %-17s %-16s %-8s %-24s %s\n", "id", "status", "received",
                 "reason", "field", "sqlstate", "pipeline", "message id");
    for (int row = 0; row < PQntuples(result); row++) {
        (void)printf("%-8s %-8s %-20s %-17s %-16s %-8s %-24s %s\n", PQgetvalue(result, row, 0),
                     PQgetvalue(result, row, 1), PQgetvalue(result, row, 2),
                     PQgetvalue(result, row, 6), PQgetvalue(result, row, 7),
                     PQgetvalue(result, row, 8), PQgetvalue(result, row, 3),
                     PQgetvalue(result, row, 4));
    }
}

static sl_rc dead_list(const struct dead_options *o, struct sl_pg_conn *conn, struct sl_err *e)
{
    SL_AUTO(sl_pg_clear) PGresult *result = NULL;

    SL_TRY(sl_pg_dead_list(conn, o->limit, &result, e));
    list_print(result);
    return SL_OK;
}

/* The one place that shows a body: asked for by id, with the keys, and on record. */
static sl_rc body_print(int64_t id, sl_cleartext body, struct sl_err *e)
{
    const sl_str text = sl_cleartext_publish(body);

    SL_LOG(SL_LOG_INFO, "opened a dead letter", sl_field_int("sluice.dead_letter", id),
           sl_field_int("user.id", (int64_t)getuid()));
    if (fwrite(text.ptr, 1, text.len, stdout) != text.len || fflush(stdout) != 0) {
        return SL_FAIL(e, SL_IO, "could not write to stdout");
    }
    return SL_OK;
}

static sl_rc body_open(const struct dead_options *o, struct sl_masker *masker,
                       const PGresult *result, struct sl_err *e)
{
    const sl_str message_id = { PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0) };
    const sl_str sealed = { PQgetvalue(result, 0, 1), (size_t)PQgetlength(result, 0, 1) };
    struct sl_arena arena;
    sl_cleartext body;
    sl_rc rc;

    sl_arena_init(&arena, BODY_MAX, 64 << 10);
    rc = sl_open_body(masker, message_id, sealed, &arena, &body, e);
    if (rc == SL_OK) {
        rc = body_print(o->id, body, e);
    }
    sl_arena_done(&arena);
    return rc;
}

static sl_rc dead_show(const struct dead_options *o, const struct sl_config *cfg,
                       struct sl_pg_conn *conn, struct sl_err *e)
{
    const sl_str context = SL_STR("dead_letter");
    char pipeline[SL_RECORD_PIPELINE_MAX] = "";
    SL_AUTO(sl_pg_clear) PGresult *result = NULL;
    struct sl_keyring *ring = NULL;
    struct sl_masker *masker = NULL;
    sl_rc rc;

    SL_TRY(sl_record_pipeline(conn, cfg, pipeline, e));
    SL_TRY(sl_pg_dead_get(conn, o->id, &result, e));
    const struct sl_record_use use = {
        .pipeline = sl_str_of(pipeline),
        .how = "dead show",
        .reason = sl_str_of(o->reason != NULL ? o->reason : "none given"),
        .contexts = &context,
        .contexts_n = 1,
        .n = 1,
    };

    SL_TRY(sl_keys_of(cfg, &ring, e));
    rc = sl_masker_new(ring, &masker, e);
    if (rc == SL_OK) {
        rc = sl_record_commit(conn, &use, e);
    }
    if (rc == SL_OK) {
        rc = body_open(o, masker, result, e);
    }
    sl_masker_free(masker);
    sl_keyring_free(ring);
    return rc;
}

static sl_rc dead_run(const struct dead_options *o, struct sl_err *e)
{
    struct sl_pg_conn conn = { .wait = sl_wait_plain() };
    struct sl_config cfg;
    sl_rc rc;

    SL_TRY(sl_options_load(&o->common, &cfg, e));
    conn.url = cfg.postgres.url.ptr;
    rc = sl_pg_connect(&conn, e);
    if (rc == SL_OK) {
        rc = strcmp(o->verb, "list") == 0 ? dead_list(o, &conn, e) : dead_show(o, &cfg, &conn, e);
    }
    sl_pg_close(&conn);
    sl_config_done(&cfg);
    return rc;
}

int sl_cmd_dead(int argc, char **argv)
{
    struct dead_options o = { .limit = LIST_PRESET };
    struct sl_err e;

    sl_options_init(&o.common, argv);
    if (dead_parse(argc, argv, &o, &e) != SL_OK) {
        return sl_cmd_fail("dead", &e);
    }
    if (o.common.wants_help) {
        return fputs(sl_help_dead, stdout) < 0;
    }
    return dead_run(&o, &e) == SL_OK ? 0 : sl_cmd_fail("dead", &e);
}
