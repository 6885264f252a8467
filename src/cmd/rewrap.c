/* cmd/rewrap.c - tokens and sealed bytes of other keys, brought under the active one. */
#include "cmd/rewrap.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "base/clock.h"
#include "net/backoff.h"
#include "telemetry/log.h"

enum {
    NAMES_MAX = 64 << 20,
    SCRATCH_MAX = 512 << 20,
    MISSING_MAX = 4 << 10,
    SHOW_MS = 250,
    SHOW_LOG_MS = 10000, /* without a terminal */
    BAR_CELLS = 20,
    OTHER_SITES = 3, /* besides the target: dead letters, ledger keys, vault */
};

/* ---- sites -------------------------------------------------------------------------------------- */

/* The last site, if it takes one more column of the target; a new one otherwise. */
static sl_rc site_for_column(struct sl_rewrap *r, struct sl_rewrap_site **ret, struct sl_err *e)
{
    struct sl_rewrap_site *last = r->sites_n > 0 ? &r->sites[r->sites_n - 1] : NULL;

    if (last == NULL || last->masked.columns_n == SL_PG_MASKED_MAX) {
        if (r->sites_n == SL_REWRAP_SITES_MAX - OTHER_SITES) {
            return SL_FAIL(e, SL_CONFIG, "more than %d masked columns",
                           (SL_REWRAP_SITES_MAX - OTHER_SITES) * SL_PG_MASKED_MAX);
        }
        last = &r->sites[r->sites_n++];
        *last = (struct sl_rewrap_site){ .kind = SL_REWRAP_TOKENS, .conn = &r->conn };
    }
    *ret = last;
    return SL_OK;
}

sl_rc sl_rewrap_init(struct sl_rewrap *r, const struct sl_config *cfg, struct sl_err *e)
{
    r->cfg = cfg;
    r->conn = (struct sl_pg_conn){ .wait = sl_wait_plain(), .cfg = cfg };
    r->vault = (struct sl_pg_conn){ .wait = sl_wait_plain(), .url = cfg->vault.url.ptr };
    sl_arena_init(&r->names, NAMES_MAX, 16 << 10);
    sl_arena_init(&r->scratch, SCRATCH_MAX, 256 << 10);
    for (unsigned i = 0; i < cfg->columns_n; i++) {
        const struct sl_column *column = &cfg->columns[i];
        struct sl_rewrap_site *site;
        unsigned n;

        if (column->masking.method != SL_MASK_SIV) {
            continue;
        }
        SL_TRY(site_for_column(r, &site, e));
        n = site->masked.columns_n;
        if (n == 0) {
            site->masked = sl_pg_masked_column(cfg, column);
        }
        site->masked.columns[n] = column->name;
        site->contexts[n] = column->masking.context;
        site->masked.columns_n = n + 1;
    }
    r->sites[r->sites_n++] = (struct sl_rewrap_site){ .kind = SL_REWRAP_DEAD_LETTERS,
                                                      .conn = &r->conn,
                                                      .masked = sl_pg_masked_dead_letters() };
    if (cfg->dedup != SL_DEDUP_MESSAGE_ID) {
        r->sites[r->sites_n++] = (struct sl_rewrap_site){ .kind = SL_REWRAP_LEDGER_KEYS,
                                                          .conn = &r->conn,
                                                          .masked = sl_pg_masked_ledger_keys() };
    }
    if (cfg->vault.url.len > 0) {
        r->sites[r->sites_n++] = (struct sl_rewrap_site){ .kind = SL_REWRAP_VAULT,
                                                          .conn = &r->vault,
                                                          .masked = sl_pg_masked_vault(cfg) };
    }
    return SL_OK;
}

void sl_rewrap_done(struct sl_rewrap *r)
{
    sl_pg_close(&r->conn);
    sl_pg_close(&r->vault);
    sl_arena_done(&r->names);
    sl_arena_done(&r->scratch);
}

static sl_rc site_rights(struct sl_rewrap *r, struct sl_rewrap_site *site, struct sl_buf *missing,
                         struct sl_err *e)
{
    struct sl_pg_parts parts;
    struct sl_err why = { 0 };
    const sl_rc rc = sl_pg_parts_find(site->conn, &site->masked, &r->names, &parts, &why);

    if (rc != SL_OK) {
        return SL_FAIL(e, rc, "%s%.1000s", site->kind == SL_REWRAP_VAULT ? "vault: " : "", why.msg);
    }
    if (parts.n == 0 && site->kind == SL_REWRAP_TOKENS) {
        return SL_FAIL(e, SL_SCHEMA, "table %" SL_FMT " does not exist, or has no partition",
                       SL_ARG(r->cfg->postgres.table));
    }
    for (unsigned i = 0; i < parts.n; i++) {
        const struct sl_pg_part *part = &parts.of[i];

        if (!part->can_select || !part->can_update) {
            sl_buf_printf(missing, "%s%" SL_FMT, missing->len > 0 ? ", " : "", SL_ARG(part->sql));
        }
    }
    return SL_OK;
}

sl_rc sl_rewrap_check(struct sl_rewrap *r, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf missing = { .max_bytes = MISSING_MAX };

    for (unsigned i = 0; i < r->sites_n; i++) {
        SL_TRY(site_rights(r, &r->sites[i], &missing, e));
    }
    if (missing.len > 0) {
        return SL_FAIL(e, SL_DENIED,
                       "this role may not change what is there: grant select, update on %" SL_FMT,
                       SL_ARG(sl_buf_str(&missing)));
    }
    return SL_OK;
}

/* ---- signals and time ------------------------------------------------------------------------------ */

static sigset_t stop_signals(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    return set;
}

/* They are blocked, and taken here alone: between two batches.  Waits until the deadline. */
static bool is_stopped(struct sl_rewrap *r, int64_t due_ms)
{
    const sigset_t set = stop_signals();
    int64_t left_ms = due_ms - sl_clock_now_ms();

    while (!r->is_stopped) {
        const struct timespec wait = { .tv_sec = left_ms > 0 ? left_ms / 1000 : 0,
                                       .tv_nsec = left_ms > 0 ? left_ms % 1000 * 1000000 : 0 };
        const int sig = sigtimedwait(&set, NULL, &wait);

        if (sig > 0) {
            r->is_stopped = true;
            SL_LOG(SL_LOG_INFO, "stopping: what is changed stays, run it again to go on",
                   sl_field_int("sluice.signal", sig));
        }
        left_ms = due_ms - sl_clock_now_ms();
        if (sig <= 0 && left_ms <= 0) {
            break;
        }
    }
    return r->is_stopped;
}

static int64_t rows_changed(const struct sl_rewrap *r)
{
    int64_t n = 0;

    for (unsigned i = 0; i < r->sites_n; i++) {
        n += r->sites[i].rows_n;
    }
    return n;
}

/* When the next batch may begin. */
static int64_t throttle_due(const struct sl_rewrap *r)
{
    return r->rate == 0 ? 0 : r->started_ms + rows_changed(r) * 1000 / r->rate;
}

static void show_bar(const struct sl_rewrap *r)
{
    const int full = r->blocks_n > 0 ? (int)(r->walked_n * BAR_CELLS / r->blocks_n) : 0;
    const int64_t elapsed_ms = sl_clock_now_ms() - r->started_ms;
    const int64_t n = rows_changed(r);
    char text[200];

    (void)snprintf(text, sizeof text, "[%.*s%.*s] pass %u, %" PRId64 " rewrapped, %" PRId64 "/s",
                   full, "####################", BAR_CELLS - full, "....................", r->pass,
                   n, elapsed_ms > 0 ? n * 1000 / elapsed_ms : 0);
    sl_log_status_line(text);
}

static void show_progress(struct sl_rewrap *r, const struct sl_rewrap_site *site)
{
    const int64_t now_ms = sl_clock_now_ms();

    if (now_ms < r->next_show_ms) {
        return;
    }
    r->next_show_ms = now_ms + (r->has_terminal ? SHOW_MS : SHOW_LOG_MS);
    if (r->has_terminal) {
        show_bar(r);
        return;
    }
    SL_LOG(SL_LOG_INFO, "rewrapping", sl_field_int("sluice.rewrapped", rows_changed(r)),
           sl_field_int("sluice.pass", r->pass), sl_field_str("sluice.table", site->masked.table),
           sl_field_int("sluice.blocks", (int64_t)r->walked_n),
           sl_field_int("sluice.blocks_all", (int64_t)r->blocks_n));
}

/* ---- values ------------------------------------------------------------------------------------------ */

/* Some rows of a part, as they were read and as they shall be. */
struct rewrap_batch {
    struct sl_rewrap_site *site;
    struct sl_pg_part *part;
    struct sl_pg_token_row *rows;
    unsigned n;
    int64_t closed_n[SL_PG_MASKED_MAX];
};

static bool is_head(sl_str text, sl_str kid)
{
    const size_t n = strlen("v1.");

    return text.len > n + kid.len && memcmp(text.ptr, "v1.", n) == 0 &&
           memcmp(text.ptr + n, kid.ptr, kid.len) == 0 && text.ptr[n + kid.len] == '.';
}

static bool is_wanted(const struct sl_rewrap *r, sl_str text)
{
    if (r->only.len > 0) {
        return is_head(text, r->only);
    }
    return sl_str_starts(text, SL_STR("v1.")) &&
           !is_head(text, sl_str_of(sl_keyring_active(r->ring)->id));
}

/* The value is in memory between two lines, and wiped with the batch. */
static sl_rc value_rewrap(struct sl_rewrap *r, const struct sl_rewrap_site *site, unsigned column,
                          sl_str id, sl_str *text, struct sl_err *e)
{
    const sl_str context = site->contexts[column];
    sl_cleartext value = { 0 };

    switch (site->kind) {
    case SL_REWRAP_DEAD_LETTERS:
        SL_TRY(sl_open_body(r->masker, id, *text, &r->scratch, &value, e));
        return sl_seal_body(r->masker, id, value, &r->scratch, text, e);
    case SL_REWRAP_LEDGER_KEYS:
        SL_TRY(sl_open_ledger_key(r->masker, id, *text, &r->scratch, &value, e));
        return sl_seal_ledger_key(r->masker, id, value, &r->scratch, text, e);
    case SL_REWRAP_VAULT:
        SL_TRY(sl_open_original(r->masker, id, *text, &r->scratch, &value, e));
        return sl_seal_original(r->masker, id, value, &r->scratch, text, e);
    case SL_REWRAP_TOKENS:
    default:
        SL_TRY(sl_unmask_siv(r->masker, context, *text, &r->scratch, &value, e));
        return sl_mask_siv(r->masker, context, value, &r->scratch, text, e);
    }
}

static sl_str cell(const PGresult *result, int row, int column)
{
    if (PQgetisnull(result, row, column) != 0) {
        return (sl_str){ 0 };
    }
    return (sl_str){ PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column) };
}

/* A row in which nothing can be opened is not changed. */
static sl_rc row_rewrap(struct sl_rewrap *r, struct rewrap_batch *b, const PGresult *read, int at,
                        struct sl_err *e)
{
    const bool is_sealed = b->site->kind != SL_REWRAP_TOKENS;
    struct sl_pg_token_row *row = &b->rows[b->n];
    bool is_changed = false;

    row->tid = cell(read, at, 0);
    for (unsigned k = 0; k < b->site->masked.columns_n; k++) {
        struct sl_err why = { 0 };
        sl_rc rc;

        row->before[k] = row->after[k] = cell(read, at, (int)k + (is_sealed ? 2 : 1));
        if (!is_wanted(r, row->before[k])) {
            continue;
        }
        rc = value_rewrap(r, b->site, k, is_sealed ? cell(read, at, 1) : (sl_str){ 0 },
                          &row->after[k], &why);
        if (rc == SL_VALUE) {
            row->after[k] = row->before[k];
            b->closed_n[k]++;
        } else if (rc != SL_OK) {
            return SL_FAIL(e, rc, "%.1000s", why.msg);
        } else {
            is_changed = true;
        }
    }
    b->n += is_changed;
    return SL_OK;
}

/* ---- batches ------------------------------------------------------------------------------------------ */

static void batch_refused(struct sl_rewrap_site *site, const struct sl_err *why)
{
    if (site->refused_n++ == 0) {
        sl_log_err(SL_LOG_WARN, "the table refuses a row with its new token", why);
    }
}

/* Rows from..from + n; what the table refuses is halved until the row is found that it is for. */
static sl_rc batch_update(struct rewrap_batch *b, unsigned from, unsigned n, struct sl_err *e)
{
    struct sl_rewrap_site *site = b->site;
    const struct sl_pg_token_rows rows = { .part = b->part, .of = b->rows + from, .n = n };
    struct sl_err why = { 0 };
    unsigned changed = 0;
    sl_rc rc = sl_pg_tokens_update(site->conn, &site->masked, &rows, &changed, &why);

    if (rc == SL_ROW && strcmp(why.sqlstate, "23514") == 0 && b->part->is_child &&
        !b->part->moves_rows) {
        b->part->moves_rows = true; /* the token decides the partition, perhaps */
        rc = sl_pg_tokens_update(site->conn, &site->masked, &rows, &changed, &why);
    }
    if (rc == SL_ROW && n == 1) {
        batch_refused(site, &why);
        return SL_OK;
    }
    if (rc == SL_ROW) {
        SL_TRY(batch_update(b, from, n / 2, e));
        return batch_update(b, from + n / 2, n - n / 2, e);
    }
    if (rc != SL_OK) {
        return SL_FAIL(e, rc, "%.1000s", why.msg);
    }
    site->changed_n += changed;
    site->rows_n += changed;
    site->raced_n += n - changed;
    return SL_OK;
}

/* Read some rows of a piece, open and seal them, change them: a transaction each.  The piece goes
 * on behind them; *ret_n is 0 at its end. */
static sl_rc batch_run(struct sl_rewrap *r, struct sl_rewrap_site *site, struct sl_pg_part *part,
                       struct sl_pg_piece *piece, unsigned *ret_n, struct sl_err *e)
{
    SL_AUTO(sl_pg_clear) PGresult *read = NULL;
    struct rewrap_batch b = { .site = site, .part = part };
    const struct sl_pg_wanted wanted = { .kid = r->only.len > 0
                                                    ? r->only
                                                    : sl_str_of(sl_keyring_active(r->ring)->id),
                                         .is_others = r->only.len == 0,
                                         .rows_n = r->batch_rows };
    int rows_n;

    sl_arena_reset(&r->scratch);
    SL_TRY(sl_pg_tokens_read(site->conn, &site->masked, piece, &wanted, &read, e));
    rows_n = PQntuples(read);
    b.rows = sl_arena_calloc(&r->scratch, (size_t)rows_n + 1, sizeof *b.rows);
    if (b.rows == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not hold %d rows", rows_n);
    }
    for (int i = 0; i < rows_n; i++) {
        SL_TRY(row_rewrap(r, &b, read, i, e));
    }
    if (b.n > 0) {
        SL_TRY(batch_update(&b, 0, b.n, e));
    }
    for (unsigned k = 0; k < site->masked.columns_n; k++) {
        site->closed_n[k] += b.closed_n[k];
    }
    if (rows_n > 0) {
        memcpy(piece->after, PQgetvalue(read, rows_n - 1, 0), sizeof piece->after);
    }
    *ret_n = (unsigned)rows_n;
    sl_arena_reset(&r->scratch);
    return SL_OK;
}

/* ---- passes ------------------------------------------------------------------------------------------- */

static struct sl_backoff new_backoff(void)
{
    return (
        struct sl_backoff){ .base_ms = 100, .cap_ms = 2000, .random = (uint64_t)sl_clock_at_ms() };
}

/* What to do again when the database is away; what was read is not there twice. */
static bool may_retry(struct sl_rewrap *r, sl_rc rc, struct sl_backoff *backoff, int64_t *due_ms,
                      const struct sl_err *why)
{
    const int64_t now_ms = sl_clock_now_ms();

    if (sl_rc_fate(rc) != SL_FATE_RETRY || rc == SL_DENIED || rc == SL_TABLE || rc == SL_NOMEM) {
        return false;
    }
    if (backoff->tries == 0) {
        *due_ms = now_ms + (int64_t)r->wait_s * 1000;
        sl_log_err(SL_LOG_WARN, "trying again", why);
    }
    return now_ms < *due_ms && !is_stopped(r, now_ms + sl_backoff_next(backoff));
}

static sl_rc piece_run(struct sl_rewrap *r, struct sl_rewrap_site *site, struct sl_pg_part *part,
                       struct sl_pg_piece *piece, struct sl_err *e)
{
    struct sl_backoff backoff = new_backoff();
    int64_t due_ms = 0;
    unsigned n = 1;

    while (n > 0 && !is_stopped(r, throttle_due(r))) {
        struct sl_err why = { 0 };
        const sl_rc rc = batch_run(r, site, part, piece, &n, &why);

        show_progress(r, site);
        if (rc == SL_OK) {
            sl_backoff_reset(&backoff);
        } else if (!may_retry(r, rc, &backoff, &due_ms, &why)) {
            return r->is_stopped ? SL_OK : SL_FAIL(e, rc, "%.1000s", why.msg);
        }
    }
    return SL_OK;
}

static sl_rc site_parts(struct sl_rewrap *r, struct sl_rewrap_site *site, struct sl_pg_parts *ret,
                        struct sl_err *e)
{
    struct sl_backoff backoff = new_backoff();
    struct sl_err why = { 0 };
    int64_t due_ms = 0;
    sl_rc rc;

    *ret = (struct sl_pg_parts){ 0 };
    do {
        sl_arena_reset(&r->names);
        rc = sl_pg_parts_find(site->conn, &site->masked, &r->names, ret, &why);
    } while (rc != SL_OK && may_retry(r, rc, &backoff, &due_ms, &why));
    return rc == SL_OK || r->is_stopped ? SL_OK : SL_FAIL(e, rc, "%.1000s", why.msg);
}

static sl_rc site_run(struct sl_rewrap *r, struct sl_rewrap_site *site, struct sl_err *e)
{
    struct sl_pg_parts parts;

    site->changed_n = site->raced_n = site->refused_n = 0;
    memset(site->closed_n, 0, sizeof site->closed_n);
    SL_TRY(site_parts(r, site, &parts, e));
    r->walked_n = 0;
    r->blocks_n = parts.blocks_n;
    for (unsigned i = 0; i < parts.n; i++) {
        struct sl_pg_part *part = &parts.of[i];

        for (uint32_t block = 0; block < part->blocks_n && !r->is_stopped;) {
            struct sl_pg_piece piece = sl_pg_piece_at(part, block);

            SL_TRY(piece_run(r, site, part, &piece, e));
            r->walked_n += piece.end_block - block;
            block = piece.end_block;
        }
    }
    return SL_OK;
}

static sl_rc run_passes(struct sl_rewrap *r, struct sl_err *e)
{
    int64_t changed = 1;

    while (changed > 0 && !r->is_stopped) {
        if (r->pass == SL_REWRAP_PASSES_MAX) {
            r->has_more = true;
            return SL_OK;
        }
        r->pass++;
        changed = 0;
        for (unsigned i = 0; i < r->sites_n && !r->is_stopped; i++) {
            SL_TRY(site_run(r, &r->sites[i], e));
            changed += r->sites[i].changed_n;
        }
    }
    return SL_OK;
}

sl_rc sl_rewrap_run(struct sl_rewrap *r, struct sl_err *e)
{
    const sigset_t set = stop_signals();
    sl_rc rc;

    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) {
        return SL_FAIL(e, SL_BUG, "could not block signals");
    }
    r->started_ms = sl_clock_now_ms();
    r->next_show_ms = r->started_ms + (r->has_terminal ? SHOW_MS : SHOW_LOG_MS);
    rc = run_passes(r, e);
    if (r->has_terminal) {
        sl_log_status_line("");
    }
    return rc;
}
