/* cmd/values.c - masked columns, for the commands that mask, search and recover single values. */
#include "cmd/values.h"

#include <stdio.h>
#include <unistd.h>

#include "keys/key_config.h"
#include "keys/key_source.h"

const struct option sl_values_long[] = {
    SL_OPTIONS_LONG,
    { "context", required_argument, NULL, 'x' },
    { "columns", required_argument, NULL, 'l' },
    { "csv", no_argument, NULL, 'v' },
    { "ndjson", no_argument, NULL, 'j' },
    { "reason", required_argument, NULL, 'r' },
    { "where", required_argument, NULL, 'w' },
    { 0 },
};

sl_rc sl_values_take(struct sl_values_options *o, int option, char *value, struct sl_err *e)
{
    switch (option) {
    case 'x':
        o->context = value;
        return SL_OK;
    case 'l':
        o->columns = value;
        return SL_OK;
    case 'v':
        o->is_csv = true;
        return SL_OK;
    case 'j':
        o->is_ndjson = true;
        return SL_OK;
    case 'r':
        o->reason = value;
        return SL_OK;
    case 'w':
        o->where = value;
        return SL_OK;
    default:
        return sl_options_take(&o->common, option, value, e);
    }
}

sl_rc sl_values_parse(int argc, char **argv, struct sl_values_options *o, struct sl_err *e)
{
    int option;

    opterr = 0;
    optind = 0; /* glibc: begin anew */
    while ((option = getopt_long(argc, argv, SL_OPTIONS_SHORT, sl_values_long, NULL)) != -1) {
        SL_TRY(sl_values_take(o, option, optarg, e));
    }
    if (o->common.wants_help) {
        return SL_OK;
    }
    /* Nothing of argv is quoted: a value may be there by mistake. */
    if (optind < argc) {
        return SL_FAIL(e, SL_USAGE, "values come on standard input, never as arguments");
    }
    if (o->is_csv && o->is_ndjson) {
        return SL_FAIL(e, SL_USAGE, "--csv and --ndjson do not go together");
    }
    if (o->context != NULL && (o->columns != NULL || o->is_csv || o->is_ndjson)) {
        return SL_FAIL(e, SL_USAGE, "--context is for lines; columns have theirs");
    }
    return SL_OK;
}

/* ---- columns ---------------------------------------------------------------------------------- */

static sl_rc column_add(struct sl_values *v, sl_str name, const struct sl_masking *masking,
                        struct sl_err *e)
{
    struct sl_values_column *column = &v->columns[v->n];
    struct sl_err why = { 0 };
    sl_rc rc;

    if (v->n == SL_TABLE_COLUMNS_MAX) {
        return SL_FAIL(e, SL_USAGE, "more than %d columns", SL_TABLE_COLUMNS_MAX);
    }
    *column = (struct sl_values_column){
        .name = name,
        .label = masking->context.len > 0 ? masking->context : name,
        .masking = *masking,
    };
    rc = sl_column_mask_new(&column->masking, v->ring, v->masker, &column->mask, &why);
    if (rc != SL_OK) {
        return SL_FAIL(e, rc, "%" SL_FMT ": %.900s", SL_ARG(column->label), why.msg);
    }
    v->n++;
    return SL_OK;
}

/* How the configuration masks in a context: in one way, or a column must be named. */
static sl_rc context_masking(const struct sl_values *v, struct sl_masking *ret, struct sl_err *e)
{
    const sl_str context = ret->context;
    bool is_found = false;

    for (unsigned i = 0; v->has_config && i < v->cfg.columns_n; i++) {
        const struct sl_masking *how = &v->cfg.columns[i].masking;

        if (how->method == SL_MASK_NONE || !sl_str_eq(how->context, context)) {
            continue;
        }
        if (is_found &&
            (how->method != ret->method || !sl_str_eq(how->normalize, ret->normalize))) {
            return SL_FAIL(e, SL_USAGE,
                           "columns of context %" SL_FMT " are masked in several ways; name one "
                           "with --columns",
                           SL_ARG(context));
        }
        *ret = *how;
        is_found = true;
    }
    return SL_OK;
}

static sl_rc columns_of_context(struct sl_values *v, sl_str context, struct sl_err *e)
{
    struct sl_masking masking = { .method = SL_MASK_SIV, .context = context };
    unsigned char probe[1];

    if (context.len == 0) {
        return SL_FAIL(e, SL_USAGE, "--context is empty");
    }
    /* A wrong context is said before the first line is read. */
    SL_TRY(sl_key_derive(sl_keyring_active(v->ring), "siv", context, probe, sizeof probe, e));
    SL_TRY(context_masking(v, &masking, e));
    return column_add(v, (sl_str){ 0 }, &masking, e);
}

static const struct sl_column *column_find(const struct sl_config *cfg, sl_str name)
{
    for (unsigned i = 0; i < cfg->columns_n; i++) {
        if (sl_str_eq(cfg->columns[i].name, name)) {
            return &cfg->columns[i];
        }
    }
    return NULL;
}

static sl_rc columns_by_name(struct sl_values *v, sl_str names, struct sl_err *e)
{
    while (names.len > 0) {
        const sl_str name = sl_str_trim(sl_str_cut(&names, ','));
        const struct sl_column *column = column_find(&v->cfg, name);

        if (column == NULL || column->masking.method == SL_MASK_NONE) {
            return SL_FAIL(e, SL_USAGE, "the configuration has no masked column %" SL_FMT,
                           SL_ARG(name));
        }
        SL_TRY(column_add(v, column->name, &column->masking, e));
    }
    return SL_OK;
}

static sl_rc columns_all(struct sl_values *v, struct sl_err *e)
{
    for (unsigned i = 0; i < v->cfg.columns_n; i++) {
        const struct sl_column *column = &v->cfg.columns[i];

        if (column->masking.method != SL_MASK_NONE) {
            SL_TRY(column_add(v, column->name, &column->masking, e));
        }
    }
    return v->n > 0 ? SL_OK : SL_FAIL(e, SL_USAGE, "the configuration masks no column");
}

static sl_rc columns_open(struct sl_values *v, const struct sl_values_options *o, struct sl_err *e)
{
    const bool is_table = v->form != SL_TABLE_LINES || o->where != NULL;

    if (o->context != NULL) {
        return columns_of_context(v, sl_str_of(o->context), e);
    }
    if (!v->has_config) {
        return SL_FAIL(e, SL_USAGE, "say --context NAME, or -c FILE and --columns");
    }
    if (o->columns == NULL && !is_table) {
        return SL_FAIL(e, SL_USAGE, "say which: --context NAME or --columns NAME");
    }
    if (o->columns == NULL) {
        return columns_all(v, e);
    }
    SL_TRY(columns_by_name(v, sl_str_of(o->columns), e));
    return v->n == 1 || is_table
               ? SL_OK
               : SL_FAIL(e, SL_USAGE, "lines have one column; for more say --csv or --ndjson");
}

/* ---- life -------------------------------------------------------------------------------------- */

sl_rc sl_values_open(struct sl_values *v, const struct sl_values_options *o, struct sl_err *e)
{
    struct sl_key_source source = SL_KEY_SOURCE_NONE;

    *v = (struct sl_values){ .form = o->is_csv      ? SL_TABLE_CSV
                                     : o->is_ndjson ? SL_TABLE_NDJSON
                                                    : SL_TABLE_LINES };
    if (o->common.config != NULL) {
        SL_TRY(sl_options_load(&o->common, &v->cfg, e));
        v->has_config = true;
        SL_TRY(sl_keys_of(&v->cfg, &v->ring, e));
    } else if (o->common.overrides.keys.len > 0) {
        source.file = o->common.overrides.keys;
        SL_TRY(sl_keys_open(&source, &v->ring, e));
    } else {
        return SL_FAIL(e, SL_USAGE, "say --keys FILE, or -c FILE");
    }
    SL_TRY(sl_masker_new(v->ring, &v->masker, e));
    return columns_open(v, o, e);
}

void sl_values_close(struct sl_values *v)
{
    for (unsigned i = 0; i < v->n; i++) {
        sl_column_mask_free(v->columns[i].mask);
    }
    sl_masker_free(v->masker);
    sl_keyring_free(v->ring);
    if (v->has_config) {
        sl_config_done(&v->cfg);
    }
}

void sl_values_report(struct sl_values *v, unsigned long line, const char *why)
{
    v->has_bad_value = true;
    (void)fprintf(stderr, "line %lu: %s\n", line, why);
}

/* ---- stdin ------------------------------------------------------------------------------------- */

/* What the table's callbacks need. */
struct values_job {
    struct sl_values *v;
    void *ctx;
    sl_rc (*change)(void *ctx, struct sl_table_cell *cells, unsigned n, struct sl_arena *arena,
                    struct sl_err *e);
};

static sl_rc values_change(void *ctx, struct sl_table_cell *cells, unsigned n,
                           struct sl_arena *arena, struct sl_err *e)
{
    const struct values_job *job = ctx;

    return job->change(job->ctx, cells, n, arena, e);
}

static void values_report(void *ctx, const struct sl_table_cell *cell, const char *why)
{
    const struct values_job *job = ctx;

    sl_values_report(job->v, cell->line, why);
}

sl_rc sl_values_run(struct sl_values *v, void *ctx,
                    sl_rc (*change)(void *ctx, struct sl_table_cell *cells, unsigned n,
                                    struct sl_arena *arena, struct sl_err *e),
                    struct sl_err *e)
{
    struct values_job job = { v, ctx, change };
    sl_str names[SL_TABLE_COLUMNS_MAX];
    const struct sl_table_job table = {
        .form = v->form,
        .columns = v->form == SL_TABLE_LINES ? NULL : names,
        .columns_n = v->form == SL_TABLE_LINES ? 0 : v->n,
        .in_fd = STDIN_FILENO,
        .out_fd = STDOUT_FILENO,
        .change = values_change,
        .report = values_report,
        .ctx = &job,
    };

    for (unsigned i = 0; i < v->n; i++) {
        names[i] = v->columns[i].name;
    }
    return sl_table_run(&table, e);
}
