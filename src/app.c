/* app.c - builds every object of a run from the configuration, owns them, and stops them. */
#include "app.h"

#include <stdio.h>
#include <stdlib.h>

#include "app_ledger.h"
#include "app_monitor.h"
#include "app_queue.h"
#include "base/clock.h"
#include "base/cores.h"
#include "keys/key_config.h"
#include "pipeline/unwrap.h"
#include "sink/ndjson.h"
#include "sink/pg.h"
#include "sink/pg_schema.h"
#include "source/file.h"
#include "telemetry/log.h"

enum {
    VISIBILITY_S = 30,      /* asked for where the queue's own is 0: nothing would be ours at all */
    UNTIL_EMPTY_WAIT_S = 1, /* a long poll still asks every server, and the end comes soon */
    PARSER_MAX = 16 << 20,
};

/* ---- both ends --------------------------------------------------------------------------------------------- */

static sl_rc find_identity(struct sl_app *app, struct sl_err *e)
{
    return sl_aws_refresher_open(&app->refresher, app->cfg, &app->aws, e);
}

static sl_rc ask_queue(struct sl_app *app, struct sl_err *e)
{
    SL_TRY(sl_sqs_find(&app->found, &app->aws, &app->wire, &app->arena, e));
    return sl_app_queue_ask(app, &app->queue, e);
}

static sl_rc ask_dead_queue(struct sl_app *app, struct sl_err *e)
{
    const struct sl_config cfg = sl_dead_queue_config(app->cfg);
    struct sl_sqs_attributes queue;
    struct sl_err why = { 0 };
    const sl_rc rc = sl_sqs_ask(&cfg, &app->dead_aws, &app->dead_wire, &queue, &why);

    return rc == SL_OK ? sl_dead_queue_check(&app->queue, &queue, e)
                       : SL_FAIL(e, rc, "dead-letter %.1000s", why.msg);
}

static sl_rc key_check(struct sl_app *app, struct sl_pg_conn *conn, struct sl_err *e)
{
    return !app->has_keys ? SL_OK : sl_pg_key_check(conn, app->keys.now, e);
}

static sl_rc target_check(struct sl_app *app, struct sl_pg_conn *conn, struct sl_err *e)
{
    struct sl_buf mismatches;
    sl_rc rc;

    sl_buf_init(&mismatches, 64 << 10);
    rc = sl_pg_target_check(conn, app->cfg, &app->arena, &app->target, &mismatches, NULL, e);
    if (rc == SL_OK && mismatches.len > 0) {
        for (size_t i = 0; i < mismatches.len; i++) {
            if (mismatches.ptr[i] == '\n') {
                mismatches.ptr[i] = ';';
            }
        }
        rc = SL_FAIL(e, SL_SCHEMA, "table %" SL_FMT " does not fit the columns: %.*s",
                     SL_ARG(app->cfg->postgres.table), (int)mismatches.len - 1, mismatches.ptr);
    }
    sl_buf_done(&mismatches);
    return rc;
}

/* After the keys have been compared: what a wrong key seals, the right one could not open. */
static sl_rc find_ledger_key(struct sl_app *app, struct sl_pg_conn *conn, struct sl_err *e)
{
    return app->cfg->dedup == SL_DEDUP_MESSAGE_ID
               ? SL_OK
               : sl_app_ledger_find(conn, app->keys.now, app->target.pipeline, &app->arena,
                                    &app->ledger_key, e);
}

static sl_rc prepare_database(struct sl_app *app, struct sl_err *e)
{
    struct sl_pg_conn conn = { .wait = sl_wait_plain(), .cfg = app->cfg };
    sl_rc rc;

    rc = sl_pg_schema_prepare(&conn, app->cfg, e);
    if (rc == SL_OK) {
        rc = target_check(app, &conn, e);
    }
    if (rc == SL_OK) {
        rc = key_check(app, &conn, e);
    }
    if (rc == SL_OK) {
        rc = find_ledger_key(app, &conn, e);
    }
    sl_pg_close(&conn);
    return rc;
}

static sl_rc prepare_vault(struct sl_app *app, struct sl_err *e)
{
    struct sl_pg_conn conn = { .wait = sl_wait_plain(), .url = app->cfg->vault.url.ptr };
    struct sl_err why = { 0 };
    const sl_rc rc = sl_vault_prepare(&conn, app->cfg, &why);

    sl_pg_close(&conn);
    return rc == SL_OK ? SL_OK : SL_FAIL(e, rc, "vault: %.1000s", why.msg);
}

/* Try until it works, the fault is nobody's who could come up yet, or the time is over. */
static sl_rc wait_for(struct sl_app *app, const char *what,
                      sl_rc (*attempt)(struct sl_app *app, struct sl_err *e), struct sl_err *e)
{
    const int64_t due_ms = sl_clock_now_ms() + (int64_t)app->options.wait_s * 1000;
    struct sl_backoff backoff = { .base_ms = 100, .cap_ms = 2000, .random = (uint64_t)due_ms };
    struct sl_wait wait = sl_wait_plain();

    for (;;) {
        struct sl_err failure = { 0 };
        const sl_rc rc = attempt(app, &failure);

        atomic_store(&app->waiting, rc == SL_OK ? NULL : what);
        if (rc == SL_OK || sl_rc_fate(rc) != SL_FATE_RETRY || rc == SL_DENIED || rc == SL_TABLE ||
            sl_clock_now_ms() >= due_ms) {
            if (e != NULL) {
                *e = failure;
            }
            return rc;
        }
        if (backoff.tries == 0) {
            sl_log_err(SL_LOG_INFO, what, &failure);
        }
        (void)wait.until(wait.self, -1, 0, sl_clock_now_ms() + sl_backoff_next(&backoff));
    }
}

static sl_rc prepare_source(struct sl_app *app, struct sl_err *e)
{
    const struct sl_config *cfg = app->cfg;

    if (sl_config_reads_files(cfg)) {
        return sl_file_list_find(cfg->files.path, app->options.max_messages, &app->arena,
                                 &app->files, e);
    }
    SL_TRY(sl_aws_target_find(cfg, &app->arena, &app->aws, e));
    SL_TRY(wait_for(app, "waiting for AWS credentials", find_identity, e));
    if (cfg->envelope == SL_ENVELOPE_S3) {
        SL_TRY(sl_aws_target_s3(cfg, &app->aws, &app->arena, &app->s3_aws, e));
    }
    return wait_for(app, "waiting for the queue", ask_queue, e);
}

/* Where bad messages end besides the table. */
static sl_rc prepare_dead_letters(struct sl_app *app, struct sl_err *e)
{
    const struct sl_config cfg = sl_dead_queue_config(app->cfg);

    if (cfg.dead_letter == SL_DEAD_LETTER_LEAVE && !app->queue.has_redrive) {
        SL_LOG(SL_LOG_WARN,
               "bad messages stay in a queue without a redrive policy: they come back until the "
               "queue drops them",
               sl_field_int("sluice.retention_s", app->queue.retention_s));
    }
    if (cfg.dead_letter != SL_DEAD_LETTER_QUEUE) {
        return SL_OK;
    }
    SL_TRY(sl_aws_target_find(&cfg, &app->arena, &app->dead_aws, e));
    app->dead_aws.identity = app->aws.identity;
    return wait_for(app, "waiting for the dead-letter queue", ask_dead_queue, e);
}

/* ---- workers -------------------------------------------------------------------------------------------------- */

static unsigned workers_wanted(const struct sl_app *app)
{
    const unsigned n = app->cfg->workers > 0 ? app->cfg->workers : sl_cores();

    if (app->options.is_dry_run) {
        return 1;
    }
    return app->files.n > 0 && n > app->files.n ? app->files.n : n; /* no files: a queue */
}

static struct sl_sqs_settings sqs_settings(struct sl_app *app, struct sl_worker *w)
{
    const struct sl_config *cfg = app->cfg;
    const unsigned queue_s = (unsigned)app->queue.visibility_timeout_s;
    const unsigned own_s = cfg->sqs.visibility_timeout_s;
    const bool ends = app->options.until_empty || app->options.is_dry_run;

    return (struct sl_sqs_settings){
        .cfg = cfg,
        .target = &app->aws,
        .wire = app->wire,
        .shared = &app->shared,
        .counters = &w->counters,
        .stop = &app->stop,
        .is_fifo = app->queue.is_fifo,
        .sets_visibility = own_s != 0 || queue_s == 0,
        .returns_at_end = app->options.is_dry_run,
        .visibility_timeout_s = own_s != 0     ? own_s
                                : queue_s != 0 ? queue_s
                                               : VISIBILITY_S,
        .wait_time_s = ends && cfg->sqs.wait_time_s > UNTIL_EMPTY_WAIT_S ? UNTIL_EMPTY_WAIT_S
                                                                         : cfg->sqs.wait_time_s,
        .memory_bytes = cfg->memory_bytes / app->workers_n,
    };
}

static sl_rc source_open(struct sl_app *app, struct sl_worker *w, struct sl_err *e)
{
    const struct sl_sqs_settings sqs = sqs_settings(app, w);
    const struct sl_file_settings file = { .cfg = app->cfg,
                                           .files = &app->files,
                                           .counters = &w->counters,
                                           .stop = &app->stop,
                                           .is_dry_run = app->options.is_dry_run,
                                           .memory_bytes =
                                               app->cfg->memory_bytes / app->workers_n };

    return sl_config_reads_files(app->cfg) ? sl_file_open(&file, &w->pipeline.source, e)
                                           : sl_sqs_open(&sqs, &w->pipeline.source, e);
}

static sl_rc dead_queue_open(struct sl_app *app, struct sl_pipeline *p, struct sl_err *e)
{
    const struct sl_dead_queue_settings settings = {
        .url = app->cfg->dead_letter_url,
        .pipeline = app->target.pipeline,
        .target = &app->dead_aws,
        .wire = app->dead_wire,
        .requests = &p->counters->requests,
        .http = sl_sqs_http(&p->source),
        .wait = p->source.wait,
    };

    return sl_dead_queue_open(&settings, &p->dead_queue, e);
}

static sl_rc s3_open(struct sl_app *app, struct sl_pipeline *p, struct sl_err *e)
{
    const struct sl_s3_settings settings = { .target = &app->s3_aws,
                                             .http = sl_sqs_http(&p->source),
                                             .wait = p->source.wait,
                                             .object_max_bytes = SL_CONTENT_MAX };

    p->batch_rows = SL_BATCH_ROWS_S3;
    return sl_s3_open(&settings, &p->s3, e);
}

static sl_rc worker_open(struct sl_app *app, struct sl_worker *w, struct sl_err *e)
{
    struct sl_pipeline *p = &w->pipeline;

    *p = (struct sl_pipeline){ .cfg = app->cfg,
                               .counters = &w->counters,
                               .stop = &app->stop,
                               .batch_rows = SL_BATCH_ROWS,
                               .backoff = { .base_ms = 100,
                                            .cap_ms = 5000,
                                            .random = (uint64_t)sl_clock_at_ms() + w->number } };
    w->stop = &app->stop;
    w->exits_on_outage = app->options.exits_on_outage;
    p->keys = &app->keys;
    p->masks_ring = sl_key_share_take(&app->keys);
    sl_arena_init(&p->scratch, SL_BATCH_BYTES, 64 << 10);
    SL_TRY(source_open(app, w, e));
    SL_TRY(sl_json_parser_new(PARSER_MAX, &p->parser, e));
    if (app->cfg->vault.url.len > 0 && !app->options.is_dry_run) {
        SL_TRY(sl_vault_open(app->cfg, sl_worker_wait(w), &app->stop, &p->vault, e));
    }
    if (app->cfg->dead_letter == SL_DEAD_LETTER_QUEUE && !app->options.is_dry_run) {
        SL_TRY(dead_queue_open(app, p, e));
    }
    if (app->cfg->envelope == SL_ENVELOPE_S3) {
        SL_TRY(s3_open(app, p, e));
    }
    SL_TRY(sl_masks_open(app->cfg, p->masks_ring, &p->masks, e));
    if (app->options.is_dry_run) {
        return sl_ndjson_open(app->cfg, &p->sink, e);
    }
    if (app->cfg->dedup != SL_DEDUP_MESSAGE_ID) {
        SL_TRY(sl_app_ledger_open(app->cfg, p->masks.masker, app->target.pipeline, app->ledger_key,
                                  &p->ledger_mac, e));
    }
    return sl_pg_open(app->cfg, &app->target, sl_worker_wait(w), &app->stop, &p->sink, e);
}

static void worker_close(struct sl_worker *w)
{
    struct sl_pipeline *p = &w->pipeline;

    if (p->sink.ops != NULL) {
        p->sink.ops->close(p->sink.self);
    }
    sl_hmac_free(p->ledger_mac);
    sl_masks_close(&p->masks);
    sl_keyring_free(p->masks_ring);
    sl_vault_close(p->vault);
    sl_dead_queue_close(p->dead_queue);
    sl_s3_close(p->s3);
    sl_json_parser_free(p->parser);
    if (p->source.ops != NULL) {
        p->source.ops->close(p->source.self);
    }
    sl_arena_done(&p->scratch);
}

static sl_rc open_workers(struct sl_app *app, struct sl_err *e)
{
    app->workers_n = workers_wanted(app);
    app->workers = calloc(app->workers_n, sizeof *app->workers);
    if (app->workers == NULL) {
        app->workers_n = 0;
        return SL_FAIL(e, SL_NOMEM, "could not make room for the workers");
    }
    for (unsigned i = 0; i < app->workers_n; i++) {
        app->workers[i].number = i;
        SL_TRY(worker_open(app, &app->workers[i], e));
    }
    return SL_OK;
}

static void warn_of_masks(const struct sl_config *cfg)
{
    for (unsigned i = 0; i < cfg->columns_n; i++) {
        const struct sl_column *column = &cfg->columns[i];
        char warning[SL_MASK_WARNING_MAX];

        if (sl_column_mask_warning(column->masking.method, warning)) {
            SL_LOG(SL_LOG_WARN, warning, sl_field_str("sluice.column", column->name));
        }
    }
}

static sl_rc open_keys(struct sl_app *app, struct sl_err *e)
{
    struct sl_keyring *ring = NULL;

    SL_TRY(sl_keys_of(app->cfg, &ring, e));
    sl_key_share_init(&app->keys, ring);
    app->has_keys = true;
    return SL_OK;
}

sl_rc sl_app_open(struct sl_app *app, const struct sl_config *cfg,
                  const struct sl_app_options *options, struct sl_err *e)
{
    *app = (struct sl_app){
        .cfg = &app->found, .found = *cfg, .options = *options, .opened_at_ms = sl_clock_at_ms()
    };
    sl_app_signals_prepare();
    sl_log_pipeline(cfg->pipeline);
    sl_arena_init(&app->arena, 16 << 20, 16 << 10);
    sl_sqs_shared_init(&app->shared, options->max_messages);
    sl_app_history_init(&app->history);
    SL_TRY(sl_app_monitor_start(app, e));
    SL_TRY(wait_for(app, "waiting for the keys", open_keys, e));
    if (!sl_keyring_is_locked(app->keys.now)) {
        SL_LOG(SL_LOG_WARN,
               "the keys cannot be locked in memory and may reach swap: raise the memlock limit",
               sl_field_str("sluice.kid", sl_str_of(sl_keyring_active(app->keys.now)->id)));
    }
    warn_of_masks(cfg);
    SL_TRY(prepare_source(app, e));
    if (!options->is_dry_run) {
        SL_TRY(wait_for(app, "waiting for the database", prepare_database, e));
        sl_log_pipeline(app->target.pipeline); /* which may be called after the table it found */
        if (cfg->vault.url.len > 0) {
            SL_TRY(wait_for(app, "waiting for the vault", prepare_vault, e));
        }
        SL_TRY(prepare_dead_letters(app, e));
    }
    return open_workers(app, e);
}

void sl_app_close(struct sl_app *app)
{
    sl_http_server_stop(&app->server);
    for (unsigned i = 0; i < app->workers_n; i++) {
        worker_close(&app->workers[i]);
    }
    free(app->workers);
    sl_aws_refresher_close(&app->refresher);
    if (app->has_keys) {
        sl_key_share_done(&app->keys);
    }
    sl_sqs_shared_done(&app->shared);
    sl_app_history_done(&app->history);
    sl_arena_done(&app->arena);
}
