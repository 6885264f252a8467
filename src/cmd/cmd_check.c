/* cmd/cmd_check.c - sluice check: everything a run needs, one line each, all of them. */
#include <stdarg.h>
#include <stdio.h>

#include "app.h"
#include "app_ledger.h"
#include "base/clock.h"
#include "cmd/check_peek.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "config/settings.h"
#include "keys/key_config.h"
#include "sink/pg_login.h"
#include "sink/pg_migrations.h"
#include "sink/pg_rights.h"
#include "sink/pg_schema.h"
#include "sink/pg_secret.h"
#include "sink/vault.h"

enum {
    SKEW_MAX_S = 60,         /* AWS refuses signatures five minutes off */
    VISIBILITY_LEAST_S = 10, /* below, a slow load has no time for two heartbeats */
};

const char sl_help_check[] =
    "Usage: sluice check -c FILE [options]\n"
    "       sluice check QUEUE_URL [options]\n"
    "\n"
    "Look at everything that 'sluice run' needs and change nothing: configuration, keys, AWS\n"
    "identity, queue and rights on it, clock, or files; database, schema, target table and "
    "rights.\n"
    "One line each: ok, warn or FAIL. Exit status: 0 when nothing fails, 1 when something does.\n"
    "QUEUE_URL in place of a file: as for 'sluice run'.\n"
    "\n"
    "Options:\n"
    "      --peek             receive up to ten messages, say what they come in, and hand them\n"
    "                         back: their receive counts rise by one\n" SL_OPTIONS_HELP "\n"
    "Examples:\n"
    "  sluice check -c sluice.yaml\n"
    "  sluice check -c sluice.yaml && sluice run -c sluice.yaml\n";

struct checks {
    const struct sl_config *cfg;
    struct sl_config found; /* *cfg with the URL of a queue that is known by its name */
    struct sl_arena arena;
    struct sl_aws_refresher refresher;
    struct sl_aws_target aws;
    struct sl_sqs_attributes queue; /* zeroed until it has answered */
    const struct sl_sqs_wire *wire;
    struct sl_keyring *ring;
    struct sl_pg_conn conn;
    struct sl_pg_target target;
    struct sl_key_token token;
    struct sl_err token_why;
    sl_rc token_rc;
    bool peeks; /* look at messages */
    unsigned failed;
};

static void SL_PRINTF(3, 4) say(const char *verdict, const char *what, const char *fmt, ...)
{
    va_list args;

    (void)printf("%-4s  %-9s ", verdict, what);
    va_start(args, fmt);
    (void)vprintf(fmt, args);
    va_end(args);
    (void)putchar('\n');
}

static bool passed(struct checks *c, const char *what, sl_rc rc, const struct sl_err *e)
{
    if (rc != SL_OK) {
        say("FAIL", what, "%s", e->msg);
        c->failed++;
    }
    return rc == SL_OK;
}

/* Each line of a list on a line of its own.  Returns: how many. */
static unsigned say_lines(const char *verdict, const char *what, const struct sl_buf *lines)
{
    sl_str rest = sl_buf_str(lines);
    unsigned n = 0;

    while (rest.len > 0) {
        const sl_str line = sl_str_cut(&rest, '\n');

        say(verdict, what, "%" SL_FMT, SL_ARG(line));
        n++;
    }
    return n;
}

static void check_masks(const struct checks *c)
{
    for (unsigned i = 0; i < c->cfg->columns_n; i++) {
        char warning[SL_MASK_WARNING_MAX];

        if (sl_column_mask_warning(c->cfg->columns[i].masking.method, warning)) {
            say("warn", "mask", "column %" SL_FMT ": %s", SL_ARG(c->cfg->columns[i].name), warning);
        }
    }
}

static void check_keys(struct checks *c)
{
    struct sl_err e;

    if (!passed(c, "keys", sl_keys_of(c->cfg, &c->ring, &e), &e)) {
        return;
    }
    say("ok", "keys", "%s: %u key%s, %s is active, check value %s", sl_keys_place(c->cfg),
        sl_keyring_n(c->ring), sl_keyring_n(c->ring) == 1 ? "" : "s",
        sl_keyring_active(c->ring)->id, sl_keyring_active(c->ring)->check);
    if (!sl_keyring_is_locked(c->ring)) {
        say("warn", "keys",
            "the keys cannot be locked in memory and may reach swap: raise the "
            "memlock limit");
    }
}

/* A right that is missing, by its name in a policy. */
static bool allowed(struct checks *c, const char *what, const char *right, sl_rc rc,
                    const struct sl_err *e)
{
    if (rc != SL_DENIED) {
        return passed(c, what, rc, e);
    }
    say("FAIL", what, "%s is not allowed: %s", right, e->msg);
    c->failed++;
    return false;
}

static void check_messages(struct checks *c)
{
    SL_AUTO(sl_arena_done) struct sl_arena a;
    SL_AUTO(sl_buf_done) struct sl_buf good = { .max_bytes = 4096 };
    SL_AUTO(sl_buf_done) struct sl_buf warnings = { .max_bytes = 4096 };
    struct sl_err e;

    sl_arena_init(&a, 1 << 30, 64 << 10);
    if (c->peeks && passed(c, "messages",
                           sl_check_peek(c->cfg, &c->aws, c->wire, &a, &good, &warnings, &e), &e)) {
        (void)say_lines("ok", "messages", &good);
        (void)say_lines("warn", "messages", &warnings);
    }
}

static void check_rights_on_queue(struct checks *c)
{
    static const struct {
        const char *what;
        const char *name;
        enum sl_sqs_right right;
    } rights[] = {
        { "receive", "sqs:ReceiveMessage", SL_SQS_MAY_RECEIVE },
        { "delete", "sqs:DeleteMessage", SL_SQS_MAY_DELETE },
        { "extend", "sqs:ChangeMessageVisibility", SL_SQS_MAY_CHANGE_VISIBILITY },
    };

    for (unsigned i = 0; i < sizeof rights / sizeof rights[0]; i++) {
        struct sl_err e;

        if (allowed(c, rights[i].what, rights[i].name,
                    sl_sqs_may(c->cfg, &c->aws, c->wire, rights[i].right, &e), &e)) {
            say("ok", rights[i].what, "%s is allowed", rights[i].name);
        }
    }
}

/* A bad message in a queue without a redrive policy comes back until the queue drops it. */
static void check_leave(struct checks *c, const struct sl_sqs_attributes *queue)
{
    if (c->cfg->dead_letter != SL_DEAD_LETTER_LEAVE) {
        return;
    }
    if (queue->has_redrive) {
        say("ok", "dead", "bad messages stay in the queue, for its redrive policy");
        return;
    }
    say("FAIL", "dead",
        "dead_letter: leave needs a redrive policy of the queue: without it a bad message comes "
        "back "
        "for %lld s and is lost then",
        (long long)queue->retention_s);
    c->failed++;
}

static void check_dead_queue(struct checks *c)
{
    const struct sl_config cfg = sl_dead_queue_config(c->cfg);
    const struct sl_sqs_wire *wire = NULL;
    struct sl_sqs_attributes queue;
    struct sl_aws_target target;
    struct sl_err e;

    if (cfg.dead_letter != SL_DEAD_LETTER_QUEUE ||
        !passed(c, "dead", sl_aws_target_find(&cfg, &c->arena, &target, &e), &e)) {
        return;
    }
    target.identity = c->aws.identity;
    if (!allowed(c, "dead", "sqs:GetQueueAttributes", sl_sqs_ask(&cfg, &target, &wire, &queue, &e),
                 &e) ||
        !passed(c, "dead", sl_dead_queue_check(&c->queue, &queue, &e), &e)) {
        return;
    }
    say("ok", "dead", "bad messages go to a queue with about %lld messages, retention %lld s",
        (long long)queue.visible + queue.delayed + queue.not_visible, (long long)queue.retention_s);
    if (allowed(c, "dead", "sqs:SendMessage", sl_sqs_may(&cfg, &target, wire, SL_SQS_MAY_SEND, &e),
                &e)) {
        say("ok", "dead", "sqs:SendMessage is allowed");
    }
}

static void check_clock(struct checks *c, const struct sl_sqs_attributes *queue)
{
    const int64_t skew_s = sl_clock_at_ms() / 1000 - queue->server_at_s;

    if (queue->server_at_s == 0) {
        say("warn", "clock", "the queue does not say what time it is");
    } else if (skew_s > SKEW_MAX_S || skew_s < -SKEW_MAX_S) {
        say("FAIL", "clock", "this machine is %lld s ahead of the queue: set its clock",
            (long long)skew_s);
        c->failed++;
    } else {
        say("ok", "clock", "within %d s of the queue's", SKEW_MAX_S);
    }
}

static bool check_identity(struct checks *c)
{
    SL_AUTO(sl_aws_snapshot_freep) struct sl_aws_snapshot *now = NULL;
    struct sl_err e;

    if (!passed(c, "aws", sl_aws_target_find(c->cfg, &c->arena, &c->aws, &e), &e) ||
        !passed(c, "aws", sl_aws_refresher_open(&c->refresher, c->cfg, &c->aws, &e), &e)) {
        return false;
    }
    now = sl_aws_identity_take(c->aws.identity);
    say("ok", "aws", "key %.4s... of %" SL_FMT ", region %" SL_FMT ", endpoint %" SL_FMT,
        now->creds.access_key_id.ptr, SL_ARG(now->creds.from), SL_ARG(c->aws.region),
        SL_ARG(c->aws.endpoint));
    return true;
}

static void check_queue(struct checks *c)
{
    struct sl_sqs_attributes queue;
    struct sl_err e;
    unsigned visibility_s;

    if (!check_identity(c)) {
        return;
    }
    if (!allowed(c, "queue", "sqs:GetQueueUrl",
                 sl_sqs_find(&c->found, &c->aws, &c->wire, &c->arena, &e), &e)) {
        return;
    }
    if (c->cfg->sqs.queue.len > 0) {
        say("ok", "queue", "%" SL_FMT " is %" SL_FMT, SL_ARG(c->cfg->sqs.queue),
            SL_ARG(c->cfg->sqs.queue_url));
    }
    if (!allowed(c, "queue", "sqs:GetQueueAttributes",
                 sl_sqs_ask(c->cfg, &c->aws, &c->wire, &queue, &e), &e)) {
        return;
    }
    c->queue = queue;
    visibility_s = c->cfg->sqs.visibility_timeout_s != 0 ? c->cfg->sqs.visibility_timeout_s
                                                         : (unsigned)queue.visibility_timeout_s;
    say("ok", "queue", "about %lld messages, visibility timeout %u s, retention %lld s%s",
        (long long)queue.visible + queue.delayed + queue.not_visible, visibility_s,
        (long long)queue.retention_s,
        c->wire == &sl_sqs_query ? ", asked in the Query protocol" : "");
    if (visibility_s < VISIBILITY_LEAST_S) {
        say("warn", "queue", "a visibility timeout of %u s leaves little time: 30 s is usual",
            visibility_s);
    }
    if (queue.is_fifo) {
        say("ok", "queue",
            "this is a FIFO queue: the rows of a message group are loaded in order%s",
            c->cfg->dead_letter == SL_DEAD_LETTER_LEAVE ? ", and a bad one holds up its group"
                                                        : "");
    }
    check_messages(c);
    check_rights_on_queue(c);
    check_leave(c, &queue);
    check_clock(c, &queue);
}

static void check_files(struct checks *c)
{
    struct sl_file_list files;
    struct sl_err e;

    if (!passed(c, "files", sl_file_list_find(c->cfg->files.path, INT64_MAX, &c->arena, &files, &e),
                &e)) {
        return;
    }
    if (sl_file_is_stdin(c->cfg->files.path)) {
        say("ok", "files", "lines come on stdin");
    } else {
        say("ok", "files", "%u to read, %.1f MB as they lie there", files.n,
            (double)files.bytes / 1e6);
    }
}

static void check_target(struct checks *c)
{
    struct sl_buf mismatches;
    struct sl_buf warnings;
    struct sl_err e;

    sl_buf_init(&mismatches, 64 << 10);
    sl_buf_init(&warnings, 64 << 10);
    if (passed(
            c, "table",
            sl_pg_target_check(&c->conn, c->cfg, &c->arena, &c->target, &mismatches, &warnings, &e),
            &e)) {
        c->failed += say_lines("FAIL", "table", &mismatches);
        (void)say_lines("warn", "table", &warnings);
        if (mismatches.len == 0) {
            say("ok", "table", "%" SL_FMT ".%" SL_FMT " takes the %u columns",
                SL_ARG(c->target.schema), SL_ARG(c->target.name), c->cfg->columns_n);
        }
    }
    sl_buf_done(&warnings);
    sl_buf_done(&mismatches);
}

static void say_schema(const struct checks *c, const struct sl_pg_objects *o)
{
    if (o->version > 0 && o->version < SL_SCHEMA_VERSION) {
        say("ok", "schema", "schema sluice will be brought from version %u to %d", o->version,
            SL_SCHEMA_VERSION);
    } else {
        say("ok", "schema", "%s",
            o->version > 0 ? "schema sluice is there" : "schema sluice will be created");
    }
    if (!o->has_target) {
        say("ok", "table", "%" SL_FMT " will be created", SL_ARG(c->cfg->postgres.table));
    }
}

static void check_rights(struct checks *c, const struct sl_pg_objects *o)
{
    const bool is_complete = o->version == SL_SCHEMA_VERSION && o->has_target;
    SL_AUTO(sl_buf_done) struct sl_buf missing = { .max_bytes = 64 << 10 };
    struct sl_err e;
    const sl_rc rc = is_complete ? sl_pg_rights_load(&c->conn, c->cfg, &missing, &e)
                                 : sl_pg_rights_create(&c->conn, o->version, &missing, &e);

    if (passed(c, "rights", rc, &e)) {
        c->failed += say_lines("FAIL", "rights", &missing);
        if (missing.len == 0) {
            say("ok", "rights", "this role may load");
        }
    }
}

static void check_schema(struct checks *c, const struct sl_pg_objects *o)
{
    struct sl_err e;

    if (c->cfg->postgres.create == SL_CREATE_NEVER &&
        !passed(c, "schema", sl_pg_objects_require(o, c->cfg, &e), &e)) {
        return;
    }
    say_schema(c, o);
    check_rights(c, o);
}

static void check_keys_seen(struct checks *c)
{
    struct sl_err e;

    if (c->ring != NULL && passed(c, "keys", sl_pg_key_compare(&c->conn, c->ring, &e), &e)) {
        say("ok", "keys", "no other key is known to this database by the same id");
    }
}

/* ---- what is not loaded twice ------------------------------------------------------------------ */

static void say_dedup(const struct sl_config *cfg)
{
    char window[SL_SETTING_NUMBER_MAX];

    sl_setting_number(SL_KIND_SECONDS, cfg->dedup_window_s, window);
    switch (cfg->dedup) {
    case SL_DEDUP_FIELD:
        say("ok", "dedup", "messages with the same %" SL_FMT " within %s are one",
            SL_ARG(cfg->dedup_field), window);
        break;
    case SL_DEDUP_BODY:
        say("ok", "dedup", "messages with the same body within %s are one", window);
        say("warn", "dedup",
            "dedup: body merges events that are two and read alike: a body should have an id or a "
            "precise time in it");
        break;
    default:
        if (!sl_config_is_keyed(cfg)) {
            (void)snprintf(window, sizeof window, "%ud", cfg->ledger_days);
        }
        say("ok", "dedup", "messages with the same id of the queue within %s are one", window);
    }
}

/* As a run opens it; where there is none yet, it will be made. */
static sl_rc open_ledger(struct checks *c, sl_str pipeline, struct sl_err *e)
{
    struct sl_masker *m = NULL;
    struct sl_hmac *mac = NULL;
    sl_str sealed;
    sl_rc rc;

    SL_TRY(sl_pg_secret_get(&c->conn, pipeline, &c->arena, &sealed, e));
    if (sealed.ptr == NULL) {
        return SL_OK;
    }
    SL_TRY(sl_masker_new(c->ring, &m, e));
    rc = sl_app_ledger_open(c->cfg, m, pipeline, sealed, &mac, e);
    sl_hmac_free(mac);
    sl_masker_free(m);
    return rc;
}

static void check_ledger(struct checks *c)
{
    SL_AUTO(sl_buf_done) struct sl_buf missing = { .max_bytes = 64 << 10 };
    struct sl_err e;

    if (passed(c, "ledger", sl_pg_rights_upkeep(&c->conn, c->cfg, &missing, &e), &e)) {
        (void)say_lines("warn", "ledger", &missing);
    }
    if (c->cfg->dedup != SL_DEDUP_MESSAGE_ID && c->ring != NULL && c->target.pipeline.len > 0) {
        (void)passed(c, "ledger", open_ledger(c, c->target.pipeline, &e), &e);
    }
}

/* As a run does it, but only where nothing would be written. */
static void check_database(struct checks *c)
{
    struct sl_pg_objects o;
    struct sl_err e;

    c->conn.cfg = c->cfg;
    c->conn.wait = sl_wait_plain();
    if (!passed(c, "database", sl_pg_connect(&c->conn, &e), &e)) {
        return;
    }
    say("ok", "database", "PostgreSQL %d, database %s, role %s",
        PQserverVersion(c->conn.pg) / 10000, PQdb(c->conn.pg), PQuser(c->conn.pg));
    if (c->cfg->postgres.auth == SL_AUTH_IAM && !sl_pg_login_is_verified(c->conn.pg)) {
        say("warn", "database", "whoever answers there gets the tokens: say sslmode=verify-full");
    }
    if (!passed(c, "schema", sl_pg_objects_find(&c->conn, c->cfg, &o, &e), &e)) {
        return;
    }
    check_schema(c, &o);
    if (o.has_target) {
        check_target(c);
    }
    if (o.version == SL_SCHEMA_VERSION) {
        check_keys_seen(c);
        check_ledger(c);
    }
}

/* As a run finds it, but nothing is created. */
static void check_vault(struct checks *c)
{
    struct sl_pg_conn conn = { .url = c->cfg->vault.url.ptr, .wait = sl_wait_plain() };
    bool is_there = false;
    struct sl_err e;

    if (c->cfg->vault.url.len == 0) {
        return;
    }
    if (passed(c, "vault", sl_vault_find(&conn, c->cfg, &is_there, &e), &e)) {
        if (!is_there && c->cfg->postgres.create == SL_CREATE_NEVER) {
            say("FAIL", "vault", "its table %" SL_FMT " does not exist",
                SL_ARG(c->cfg->vault.table));
            c->failed++;
        } else {
            say("ok", "vault", "table %" SL_FMT " %s", SL_ARG(c->cfg->vault.table),
                is_there ? "is there" : "will be created");
        }
    }
    sl_pg_close(&conn);
}

/* Before a program is started, which prints keys and needs no token. */
static void read_token(struct checks *c)
{
    if (c->cfg->http.listen.len > 0) {
        c->token_rc = sl_key_token_read(c->cfg->http.token_file, &c->token, &c->token_why);
    }
    sl_key_token_forget();
}

static void check_console(struct checks *c)
{
    if (c->cfg->http.listen.len > 0 && passed(c, "console", c->token_rc, &c->token_why)) {
        say("ok", "console", "%s",
            c->token.is_set ? "who has the token may act" : "there is no token: nobody may act");
    }
}

static unsigned check_all(const struct sl_config *cfg, bool peeks)
{
    struct checks c = { .cfg = &c.found, .found = *cfg, .peeks = peeks };

    sl_arena_init(&c.arena, 16 << 20, 16 << 10);
    read_token(&c);
    say("ok", "config", "%" SL_FMT ": %u columns", SL_ARG(cfg->file), cfg->columns_n);
    check_masks(&c);
    say_dedup(cfg);
    check_keys(&c);
    if (sl_config_reads_files(cfg)) {
        check_files(&c);
    } else {
        check_queue(&c);
        check_dead_queue(&c);
    }
    check_database(&c);
    check_vault(&c);
    check_console(&c);
    sl_pg_close(&c.conn);
    sl_aws_refresher_close(&c.refresher);
    sl_keyring_free(c.ring);
    sl_arena_done(&c.arena);
    return c.failed;
}

static sl_rc check_parse(int argc, char **argv, struct sl_options *o, bool *ret_peeks,
                         struct sl_err *e)
{
    static const struct option options[] = { SL_OPTIONS_LONG,
                                             { "peek", no_argument, NULL, 'p' },
                                             { 0 } };
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, SL_OPTIONS_SHORT, options, NULL)) != -1) {
        if (option == 'p') {
            *ret_peeks = true;
            continue;
        }
        SL_TRY(sl_options_take(o, option, optarg, e));
    }
    return sl_options_take_queue(o, argc, e);
}

int sl_cmd_check(int argc, char **argv)
{
    struct sl_options o;
    struct sl_config cfg;
    struct sl_err e;
    bool peeks = false;
    unsigned failed;

    sl_options_init(&o, argv);
    if (check_parse(argc, argv, &o, &peeks, &e) != SL_OK) {
        return sl_cmd_fail("check", &e);
    }
    if (o.wants_help) {
        return fputs(sl_help_check, stdout) < 0;
    }
    if (sl_options_load(&o, &cfg, &e) != SL_OK) {
        if (e.rc == SL_USAGE) {
            return sl_cmd_fail("check", &e);
        }
        say("FAIL", "config", "%s", e.msg);
        return 1;
    }
    failed = check_all(&cfg, peeks);
    sl_config_done(&cfg);
    return failed > 0;
}
