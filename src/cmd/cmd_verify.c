/* cmd/cmd_verify.c - sluice verify: does what the database has open, and belong where it stands? */
#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/dead_scan.h"
#include "cmd/options.h"
#include "cmd/verify_value.h"
#include "keys/key_config.h"
#include "sink/pg_schema.h"
#include "sink/pg_sql.h"
#include "sink/pg_target.h"

enum {
    SQL_MAX = 256 << 10,
    OUT_MAX = 1 << 20,
    ARENA_MAX = 256 << 20,
    ARENA_BLOCK = 64 << 10,
    SAMPLE_MAX = 100000000,
    SMALL_ROWS = 100000, /* up to here all rows are drawn from; beyond, those of some pages */
    DRAWN = 4,           /* times the sample: pages are not filled alike */
};

const char sl_help_verify[] =
    "Usage: sluice verify -c FILE [--columns LIST] [--sample N]\n"
    "\n"
    "Look at what the database has and say whether it opens: every token of the table under a\n"
    "key of the ring, in its column's context, and the same when it is masked again; the sealed\n"
    "bodies of dead letters; the sealed originals of the vault, and whether they give their\n"
    "tokens. Methods that cannot be opened are checked as far as they can be, and the line of a\n"
    "column says how far. Exit status 1 when something is wrong.\n"
    "\n"
    "It changes nothing and needs SELECT only. No value is shown, so nothing is recorded in\n"
    "sluice.unmask_audit.\n"
    "\n"
    "Options:\n"
    "      --columns LIST     these masked columns, with commas between; preset: all\n"
    "      --sample N         N rows, dead letters and originals, by chance\n" SL_OPTIONS_HELP "\n"
    "Examples:\n"
    "  sluice verify -c sluice.yaml\n"
    "  sluice verify -c sluice.yaml --columns masked_ip --sample 10000\n";

struct verify_options {
    struct sl_options common;
    const char *columns;
    unsigned sample; /* 0 = all */
};

struct verify {
    const struct verify_options *o;
    struct sl_config cfg;
    struct sl_keyring *ring;
    struct sl_masks masks;
    struct sl_pg_conn conn;
    struct sl_pg_conn vault;
    struct sl_arena arena;
    struct sl_pg_target target;
    struct sl_verify_column *columns; /* those that are looked at */
    struct sl_tally *tallies;         /* one a column */
    unsigned n;
    struct sl_verify_column *masked; /* all that are masked, for originals */
    unsigned masked_n;
    bool has_schema;
    bool is_bad;
};

/* ---- the command line ---------------------------------------------------------------------------- */

static sl_rc verify_take(struct verify_options *o, int option, char *value, struct sl_err *e)
{
    int64_t n = 0;

    if (option == 'l') {
        o->columns = value;
        return SL_OK;
    }
    if (option != 'n') {
        return sl_options_take(&o->common, option, value, e);
    }
    if (!sl_str_to_i64(sl_str_of(value), &n) || n < 1 || n > SAMPLE_MAX) {
        return SL_FAIL(e, SL_USAGE, "--sample takes 1 to %d", SAMPLE_MAX);
    }
    o->sample = (unsigned)n;
    return SL_OK;
}

static sl_rc verify_parse(int argc, char **argv, struct verify_options *o, struct sl_err *e)
{
    static const struct option options[] = { SL_OPTIONS_LONG,
                                             { "columns", required_argument, NULL, 'l' },
                                             { "sample", required_argument, NULL, 'n' },
                                             { 0 } };
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, SL_OPTIONS_SHORT, options, NULL)) != -1) {
        SL_TRY(verify_take(o, option, optarg, e));
    }
    return optind < argc && !o->common.wants_help ? SL_FAIL(e, SL_USAGE, "it takes options only")
                                                  : SL_OK;
}

/* ---- columns ------------------------------------------------------------------------------------- */

static bool is_named(sl_str names, sl_str name)
{
    while (names.len > 0) {
        if (sl_str_eq(sl_str_trim(sl_str_cut(&names, ',')), name)) {
            return true;
        }
    }
    return false;
}

static bool is_masked(const struct verify *v, sl_str name)
{
    for (unsigned i = 0; i < v->masked_n; i++) {
        if (sl_str_eq(v->masked[i].column->name, name)) {
            return true;
        }
    }
    return false;
}

static sl_rc names_check(const struct verify *v, sl_str names, struct sl_err *e)
{
    while (names.len > 0) {
        const sl_str name = sl_str_trim(sl_str_cut(&names, ','));

        if (!is_masked(v, name)) {
            return SL_FAIL(e, SL_USAGE, "the configuration has no masked column %" SL_FMT,
                           SL_ARG(name));
        }
    }
    return SL_OK;
}

static sl_rc columns_choose(struct verify *v, struct sl_err *e)
{
    const sl_str names = sl_str_of(v->o->columns);
    const size_t n = v->cfg.columns_n + (size_t)1;

    v->masked = sl_arena_calloc(&v->arena, n, sizeof *v->masked);
    v->columns = sl_arena_calloc(&v->arena, n, sizeof *v->columns);
    v->tallies = sl_arena_calloc(&v->arena, n, sizeof *v->tallies);
    if (v->masked == NULL || v->columns == NULL || v->tallies == NULL) {
        return SL_FAIL(e, SL_NOMEM, "no room for the columns");
    }
    for (unsigned i = 0; i < v->cfg.columns_n; i++) {
        const struct sl_column *column = &v->cfg.columns[i];

        if (column->masking.method == SL_MASK_NONE) {
            continue;
        }
        v->masked[v->masked_n++] =
            (struct sl_verify_column){ column, v->masks.of[i], v->masks.masker, v->ring };
        if (v->o->columns == NULL || is_named(names, column->name)) {
            v->columns[v->n++] = v->masked[v->masked_n - 1];
        }
    }
    SL_TRY(names_check(v, names, e));
    return v->n > 0 ? SL_OK : SL_FAIL(e, SL_USAGE, "no masked column to look at");
}

/* ---- drawing ------------------------------------------------------------------------------------- */

/* The rows of a table and its parts, as the server last counted them. */
static sl_rc rows_estimate(struct sl_pg_conn *c, sl_str schema, sl_str name, int64_t *ret,
                           struct sl_err *e)
{
    SL_AUTO(sl_pg_clear) PGresult *result = NULL;
    SL_AUTO(sl_buf_done) struct sl_buf table = { .max_bytes = SQL_MAX };
    SL_AUTO(sl_buf_done) struct sl_buf sql = { .max_bytes = SQL_MAX };

    sl_sql_table(&table, schema, name);
    sl_buf_add_str(&sql, SL_STR("WITH RECURSIVE t(oid) AS (SELECT "));
    sl_sql_literal(&sql, sl_buf_str(&table));
    sl_buf_add_str(&sql, SL_STR("::regclass::oid UNION ALL SELECT i.inhrelid FROM pg_inherits i"
                                " JOIN t ON i.inhparent = t.oid)"
                                " SELECT coalesce(sum(greatest(c.reltuples, 0))::bigint, 0)"
                                " FROM pg_class c JOIN t ON t.oid = c.oid"
                                " WHERE c.relkind <> 'p'"));
    sl_buf_add_char(&sql, '\0');
    SL_TRY(sl_buf_rc(&sql, e));
    SL_TRY(sl_pg_exec(c, SL_PG_SESSION, sql.ptr, NULL, 0, &result, e));
    return sl_str_to_i64(sl_str_of(PQgetvalue(result, 0, 0)), ret)
               ? SL_OK
               : SL_FAIL(e, SL_BUG, "the server counts rows with something else than a number");
}

/* " FROM table", and what draws the sample from it: from all rows of a small table, which costs
 * reading it; from some pages of a large one. */
static sl_rc from_add(const struct verify *v, struct sl_pg_conn *c, sl_str schema, sl_str name,
                      struct sl_buf *sql, struct sl_err *e)
{
    const double wanted = (double)v->o->sample * DRAWN;
    int64_t rows = 0;

    sl_buf_add_str(sql, SL_STR(" FROM "));
    sl_sql_table(sql, schema, name);
    if (v->o->sample == 0) {
        return SL_OK;
    }
    SL_TRY(rows_estimate(c, schema, name, &rows, e));
    if (rows > SMALL_ROWS && wanted < (double)rows) {
        sl_buf_printf(sql, " TABLESAMPLE SYSTEM (%.6f)", 100 * wanted / (double)rows);
    }
    sl_buf_printf(sql, " ORDER BY random() LIMIT %u", v->o->sample);
    return SL_OK;
}

/* ---- the table ----------------------------------------------------------------------------------- */

static sl_rc table_begin(struct verify *v, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf sql = { .max_bytes = SQL_MAX };

    sl_buf_add_str(&sql, SL_STR("DECLARE sluice_rows NO SCROLL CURSOR FOR SELECT "));
    for (unsigned i = 0; i < v->n; i++) {
        sl_buf_add_str(&sql, i > 0 ? SL_STR(", ") : SL_STR(""));
        sl_sql_identifier(&sql, v->columns[i].column->name);
    }
    SL_TRY(from_add(v, &v->conn, v->target.schema, v->target.name, &sql, e));
    sl_buf_add_char(&sql, '\0');
    SL_TRY(sl_buf_rc(&sql, e));
    return sl_pg_exec(&v->conn, SL_PG_SESSION, sql.ptr, NULL, 0, NULL, e);
}

static sl_str field_of(const PGresult *rows, int row, unsigned column)
{
    if (PQgetisnull(rows, row, (int)column) != 0) {
        return (sl_str){ 0 };
    }
    return (sl_str){ PQgetvalue(rows, row, (int)column),
                     (size_t)PQgetlength(rows, row, (int)column) };
}

static sl_rc table_rows(struct verify *v, const PGresult *rows, struct sl_arena *a,
                        struct sl_err *e)
{
    for (int row = 0; row < PQntuples(rows); row++) {
        for (unsigned i = 0; i < v->n; i++) {
            SL_TRY(sl_verify_value(&v->columns[i], field_of(rows, row, i), a, &v->tallies[i], e));
        }
        sl_arena_reset(a);
    }
    return SL_OK;
}

static void line_end(struct verify *v, const struct sl_tally *t, struct sl_buf *out)
{
    v->is_bad = v->is_bad || sl_tally_is_bad(t);
    sl_buf_add_char(out, '\n');
}

static sl_rc verify_table(struct verify *v, struct sl_buf *out, struct sl_err *e)
{
    SL_AUTO(sl_arena_done) struct sl_arena a = { 0 };
    int n = 1;

    sl_arena_init(&a, ARENA_MAX, ARENA_BLOCK);
    SL_TRY(table_begin(v, e));
    while (n > 0) {
        SL_AUTO(sl_pg_clear) PGresult *rows = NULL;

        SL_TRY(
            sl_pg_exec(&v->conn, SL_PG_SESSION, "FETCH 1000 FROM sluice_rows", NULL, 0, &rows, e));
        n = PQntuples(rows);
        SL_TRY(table_rows(v, rows, &a, e));
    }
    for (unsigned i = 0; i < v->n; i++) {
        const struct sl_column *column = v->columns[i].column;

        sl_buf_printf(out, "column %" SL_FMT " (%s), ", SL_ARG(column->name),
                      sl_mask_name(column->masking.method));
        sl_tally_write(&v->tallies[i], v->ring, "row", sl_verify_bad(column->masking.method), out);
        sl_buf_printf(out, "; %s", sl_verify_how(column->masking.method));
        line_end(v, &v->tallies[i], out);
    }
    return SL_OK;
}

/* ---- dead letters -------------------------------------------------------------------------------- */

struct dead_job {
    struct verify *v;
    struct sl_tally tally;
};

/* Something sealed that did not open: for want of its key, or spoiled. */
static void count_closed(const struct verify *v, sl_str sealed, struct sl_tally *t)
{
    sl_str kid = { 0 };

    if (sl_sealed_kid(sealed, &kid) && sl_keyring_find(v->ring, kid) == NULL) {
        sl_tally_unknown(t, kid);
    } else {
        t->bad++;
    }
}

static sl_rc dead_each(void *ctx, const struct sl_dead_body *d, struct sl_arena *arena,
                       struct sl_err *e)
{
    struct dead_job *job = ctx;

    (void)arena;
    (void)e;
    job->tally.n++;
    if (d->is_open) {
        job->tally.ok++;
    } else {
        count_closed(job->v, d->sealed, &job->tally);
    }
    return SL_OK;
}

static sl_rc verify_dead(struct verify *v, struct sl_buf *out, struct sl_err *e)
{
    struct dead_job job = { .v = v };
    const struct sl_dead_scan scan = {
        .conn = &v->conn,
        .masker = v->masks.masker,
        .pipeline = v->target.pipeline,
        .sample = v->o->sample,
        .each = dead_each,
        .ctx = &job,
    };

    if (!v->has_schema) {
        sl_buf_add_str(out, SL_STR("dead letters: none, the database has no schema sluice\n"));
        return SL_OK;
    }
    SL_TRY(sl_dead_scan(&scan, e));
    sl_buf_add_str(out, SL_STR("dead letters, "));
    sl_tally_write(&job.tally, v->ring, "sealed message", "altered or of another message", out);
    line_end(v, &job.tally, out);
    return SL_OK;
}

/* ---- the vault ----------------------------------------------------------------------------------- */

/* What the vault's entries come to; `foreign` are among the good ones. */
struct vault_sum {
    struct sl_tally tally;
    uint64_t foreign;
};

static sl_rc vault_begin(struct verify *v, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf sql = { .max_bytes = SQL_MAX };

    SL_TRY(sl_pg_connect(&v->vault, e));
    SL_TRY(sl_pg_exec(&v->vault, SL_PG_SESSION, "BEGIN READ ONLY", NULL, 0, NULL, e));
    sl_buf_add_str(&sql, SL_STR("DECLARE sluice_vault BINARY NO SCROLL CURSOR FOR"
                                " SELECT token, context, sealed"));
    SL_TRY(from_add(v, &v->vault, v->cfg.vault.table_schema, v->cfg.vault.table_name, &sql, e));
    sl_buf_add_char(&sql, '\0');
    SL_TRY(sl_buf_rc(&sql, e));
    return sl_pg_exec(&v->vault, SL_PG_SESSION, sql.ptr, NULL, 0, NULL, e);
}

static sl_rc vault_one(struct verify *v, const PGresult *rows, int row, struct sl_arena *a,
                       struct vault_sum *sum, struct sl_err *e)
{
    const sl_str sealed = field_of(rows, row, 2);
    struct sl_verify_original o = { .token = field_of(rows, row, 0),
                                    .context = field_of(rows, row, 1) };
    enum sl_original original = SL_ORIGINAL_WRONG;
    struct sl_err why = { 0 };
    const sl_rc rc = sl_open_original(v->masks.masker, o.token, sealed, a, &o.value, &why);

    sum->tally.n++;
    if (rc == SL_VALUE) {
        count_closed(v, sealed, &sum->tally);
        return SL_OK;
    }
    if (rc != SL_OK) {
        return SL_FAIL(e, rc, "%s", why.msg);
    }
    SL_TRY(sl_verify_original(v->masked, v->masked_n, &o, a, &original, e));
    sum->tally.ok += original != SL_ORIGINAL_WRONG ? 1 : 0;
    sum->tally.bad += original == SL_ORIGINAL_WRONG ? 1 : 0;
    sum->foreign += original == SL_ORIGINAL_FOREIGN ? 1 : 0;
    return SL_OK;
}

static sl_rc vault_run(struct verify *v, struct vault_sum *sum, struct sl_err *e)
{
    SL_AUTO(sl_arena_done) struct sl_arena a = { 0 };
    int n = 1;

    sl_arena_init(&a, ARENA_MAX, ARENA_BLOCK);
    while (n > 0) {
        SL_AUTO(sl_pg_clear) PGresult *rows = NULL;

        SL_TRY(
            sl_pg_exec(&v->vault, SL_PG_SESSION, "FETCH 100 FROM sluice_vault", NULL, 0, &rows, e));
        n = PQntuples(rows);
        for (int row = 0; row < n; row++) {
            SL_TRY(vault_one(v, rows, row, &a, sum, e));
            sl_arena_reset(&a);
        }
    }
    return SL_OK;
}

static sl_rc verify_vault(struct verify *v, struct sl_buf *out, struct sl_err *e)
{
    struct vault_sum sum = { 0 };

    if (v->cfg.vault.url.len == 0) {
        return SL_OK;
    }
    SL_TRY(vault_begin(v, e));
    SL_TRY(vault_run(v, &sum, e));
    sl_buf_add_str(out, SL_STR("vault, "));
    sl_tally_write(&sum.tally, v->ring, "sealed original", "altered or of another token", out);
    sl_buf_printf(out, "; %llu of no column here, or of a key that is gone: opened only",
                  (unsigned long long)sum.foreign);
    line_end(v, &sum.tally, out);
    return SL_OK;
}

/* ---- the command --------------------------------------------------------------------------------- */

static sl_rc verify_open(struct verify *v, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf mismatches = { .max_bytes = OUT_MAX };
    bool has_target = false;

    SL_TRY(sl_keys_of(&v->cfg, &v->ring, e));
    SL_TRY(sl_masks_open(&v->cfg, v->ring, &v->masks, e));
    SL_TRY(columns_choose(v, e));
    v->conn = (struct sl_pg_conn){ .wait = sl_wait_plain(), .cfg = &v->cfg };
    v->vault = (struct sl_pg_conn){ .wait = sl_wait_plain(), .url = v->cfg.vault.url.ptr };
    SL_TRY(sl_pg_connect(&v->conn, e));
    SL_TRY(sl_pg_exec(&v->conn, SL_PG_SESSION, "BEGIN READ ONLY", NULL, 0, NULL, e));
    SL_TRY(sl_pg_schema_find(&v->conn, &v->cfg, &v->has_schema, &has_target, e));
    if (v->has_schema) {
        SL_TRY(sl_pg_key_compare(&v->conn, v->ring, e));
    }
    return sl_pg_target_check(&v->conn, &v->cfg, &v->arena, &v->target, &mismatches, NULL, e);
}

static sl_rc verify_run(struct verify *v, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf out = { .max_bytes = OUT_MAX };

    sl_arena_init(&v->arena, ARENA_MAX, ARENA_BLOCK);
    SL_TRY(verify_open(v, e));
    SL_TRY(verify_table(v, &out, e));
    SL_TRY(verify_dead(v, &out, e));
    SL_TRY(verify_vault(v, &out, e));
    SL_TRY(sl_buf_rc(&out, e));
    return sl_cmd_print(&out) == 0 ? SL_OK : SL_FAIL(e, SL_IO, "the report is not complete");
}

int sl_cmd_verify(int argc, char **argv)
{
    struct verify_options o = { 0 };
    struct verify v = { .o = &o };
    struct sl_err e;
    sl_rc rc;

    sl_options_init(&o.common, argv);
    if (verify_parse(argc, argv, &o, &e) != SL_OK) {
        return sl_cmd_fail("verify", &e);
    }
    if (o.common.wants_help) {
        return fputs(sl_help_verify, stdout) < 0;
    }
    if (sl_options_load(&o.common, &v.cfg, &e) != SL_OK) {
        return sl_cmd_fail("verify", &e);
    }
    rc = verify_run(&v, &e);
    sl_pg_close(&v.conn);
    sl_pg_close(&v.vault);
    sl_masks_close(&v.masks);
    sl_keyring_free(v.ring);
    sl_arena_done(&v.arena);
    sl_config_done(&v.cfg);
    return rc == SL_OK ? v.is_bad : sl_cmd_fail("verify", &e);
}
