/* cmd/cmd_mask.c - sluice mask and sluice tokens: values in, what stands in the table out. */
#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/values.h"

enum { LIST_MAX = 32 << 10 };

#define VALUES_HELP                                                                              \
    "  -c, --config FILE  the configuration: its keys, and its columns by name\n"                \
    "      --keys FILE    a key file, with --context, where there is no configuration\n"         \
    "      --context NAME context of tokens (mask: siv): a column's 'context', or its field's\n" \
    "                     name\n"

#define HELP_HELP "  -h, --help         print this text\n"

const char sl_help_mask[] =
    "Usage: sluice mask (-c FILE --columns LIST | --keys FILE --context NAME) [options]\n"
    "\n"
    "Turn values on standard input into what 'sluice run' writes in their place: one a line, or\n"
    "columns of CSV or NDJSON. An empty value stays empty. A value that cannot be masked gives a\n"
    "message and stays empty, so that lines stay side by side, and exit status 1.\n"
    "\n"
    "Options:\n" VALUES_HELP
    "      --columns LIST columns of the configuration, with commas between\n"
    "      --csv          CSV with a header line; preset for --columns: every masked column\n"
    "      --ndjson       an object a line; the same preset\n" HELP_HELP "\n"
    "Examples:\n"
    "  echo 192.0.2.1 | sluice mask --keys sluice.keys --context ip\n"
    "  sluice mask -c sluice.yaml --columns masked_ip,masked_device_id --csv < logins.csv\n";

const char sl_help_tokens[] =
    "Usage: sluice tokens (-c FILE --columns NAME | --keys FILE --context NAME)\n"
    "\n"
    "Print what each value on standard input, one a line, may stand as in the table: its tokens\n"
    "under every key that is not retired, as a PostgreSQL array for '= ANY (...)'. So a search\n"
    "finds every row while keys are being changed.\n"
    "\n"
    "Options:\n" VALUES_HELP "      --columns NAME a column of the configuration\n" HELP_HELP "\n"
    "Examples:\n"
    "  echo 192.0.2.1 | sluice tokens --keys sluice.keys --context ip\n"
    "  echo \"SELECT count(*) FROM user_logins WHERE masked_ip = ANY (:'t')\" |\n"
    "    psql -v t=\"$(echo 192.0.2.1 | sluice tokens -c sluice.yaml --columns masked_ip)\"\n";

static sl_rc mask_cell(struct sl_values *v, struct sl_table_cell *cell, struct sl_arena *a,
                       struct sl_err *e)
{
    sl_str masked = { 0 };

    SL_TRY(sl_column_mask_value(v->columns[cell->column].mask, sl_cleartext_of(cell->in), a,
                                &masked, e));
    cell->out = masked.ptr != NULL ? masked : SL_STR("");
    cell->is_null_out = masked.ptr == NULL;
    return SL_OK;
}

static sl_rc tokens_cell(struct sl_values *v, struct sl_table_cell *cell, struct sl_arena *a,
                         struct sl_err *e)
{
    sl_str tokens[SL_KEYRING_MAX];
    struct sl_buf list;
    unsigned n = 0;
    sl_rc rc;

    SL_TRY(sl_column_mask_tokens(v->columns[cell->column].mask, sl_cleartext_of(cell->in), a,
                                 tokens, &n, e));
    sl_buf_init(&list, LIST_MAX);
    for (unsigned i = 0; i < n; i++) {
        sl_buf_add_char(&list, i == 0 ? '{' : ',');
        sl_buf_add_json(&list, tokens[i]); /* as an array's elements are quoted, too */
    }
    sl_buf_add_char(&list, '}');
    rc = sl_buf_rc(&list, e);
    cell->out = sl_arena_copy(a, sl_buf_str(&list));
    sl_buf_done(&list);
    return rc;
}

/* A value that cannot be masked is reported; anything else that fails ends the work. */
static sl_rc change(struct sl_values *v, struct sl_table_cell *cells, unsigned n,
                    struct sl_arena *arena, struct sl_err *e,
                    sl_rc (*one)(struct sl_values *v, struct sl_table_cell *cell,
                                 struct sl_arena *a, struct sl_err *e))
{
    for (unsigned i = 0; i < n; i++) {
        struct sl_err why = { 0 };
        const sl_rc rc = one(v, &cells[i], arena, &why);

        if (rc == SL_VALUE) {
            sl_values_report(v, cells[i].line, why.msg);
        } else if (rc != SL_OK) {
            return SL_FAIL(e, rc, "line %lu: %.900s", cells[i].line, why.msg);
        }
    }
    return SL_OK;
}

static sl_rc mask_change(void *ctx, struct sl_table_cell *cells, unsigned n, struct sl_arena *arena,
                         struct sl_err *e)
{
    return change(ctx, cells, n, arena, e, mask_cell);
}

static sl_rc tokens_change(void *ctx, struct sl_table_cell *cells, unsigned n,
                           struct sl_arena *arena, struct sl_err *e)
{
    return change(ctx, cells, n, arena, e, tokens_cell);
}

static sl_rc values_work(const struct sl_values_options *o,
                         sl_rc (*work)(void *ctx, struct sl_table_cell *cells, unsigned n,
                                       struct sl_arena *arena, struct sl_err *e),
                         bool *ret_is_bad, struct sl_err *e)
{
    struct sl_values v;
    sl_rc rc;

    if (o->reason != NULL || o->where != NULL) {
        return SL_FAIL(e, SL_USAGE, "--reason and --where are for unmask");
    }
    rc = sl_values_open(&v, o, e);
    if (rc == SL_OK) {
        rc = sl_values_run(&v, &v, work, e);
    }
    *ret_is_bad = v.has_bad_value;
    sl_values_close(&v);
    return rc;
}

int sl_cmd_mask(int argc, char **argv)
{
    struct sl_values_options o = { 0 };
    bool is_bad = false;
    struct sl_err e;

    sl_options_init(&o.common, argv);
    if (sl_values_parse(argc, argv, &o, &e) != SL_OK) {
        return sl_cmd_fail("mask", &e);
    }
    if (o.common.wants_help) {
        return fputs(sl_help_mask, stdout) < 0;
    }
    return values_work(&o, mask_change, &is_bad, &e) == SL_OK ? is_bad : sl_cmd_fail("mask", &e);
}

int sl_cmd_tokens(int argc, char **argv)
{
    struct sl_values_options o = { 0 };
    bool is_bad = false;
    struct sl_err e;

    sl_options_init(&o.common, argv);
    if (sl_values_parse(argc, argv, &o, &e) != SL_OK) {
        return sl_cmd_fail("tokens", &e);
    }
    if (o.common.wants_help) {
        return fputs(sl_help_tokens, stdout) < 0;
    }
    if (o.is_csv || o.is_ndjson) {
        (void)SL_FAIL(&e, SL_USAGE, "tokens takes lines");
        return sl_cmd_fail("tokens", &e);
    }
    return values_work(&o, tokens_change, &is_bad, &e) == SL_OK ? is_bad
                                                                : sl_cmd_fail("tokens", &e);
}
