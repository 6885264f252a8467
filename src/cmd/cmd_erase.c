/* cmd/cmd_erase.c - sluice erase: the right to erasure, for one person's value. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/confirm.h"
#include "cmd/erase.h"
#include "cmd/options.h"
#include "cmd/record.h"
#include "keys/key_config.h"
#include "sink/pg_schema.h"

enum {
    VALUE_MAX = 64 << 10, /* bytes; a longer one is no value of a column */
    NOTES_MAX = 64 << 10,
    ARENA_MAX = 64 << 20,
    ARENA_BLOCK = 64 << 10,
    JSON_MAX = 80 << 20,
};

const char sl_help_erase[] =
    "Usage: sluice erase -c FILE (--context NAME | --columns LIST) --reason TEXT [--yes]\n"
    "\n"
    "Delete all that the databases have of one value, which comes as one line on standard input:\n"
    "rows of the table with any of its tokens, under every key that is not retired, in every\n"
    "column of the context; originals in the vault; and dead letters that have the value where\n"
    "the columns take it from. It shows counts, asks, deletes in one transaction, and records\n"
    "who, when, how many and why there, in sluice.unmask_audit, also when it found nothing. The\n"
    "vault, another database, is committed last: should that fail, run it again.\n"
    "\n"
    "A dead letter that is not JSON, or has none of the fields, is searched as bytes.\n"
    "The ledger stays: message ids, and codes of values that say nothing without the keys.\n"
    "Backups, write-ahead logs, replicas that lag and exports are out of reach, and so is what is\n"
    "still in the queue or comes later.\n"
    "It needs SELECT and DELETE on the table, on sluice.dead_letter and on the vault's table,\n"
    "INSERT on sluice.unmask_audit, SELECT on sluice.meta and sluice.key_check. An index on the\n"
    "masked columns makes it quick.\n"
    "\n"
    "Options:\n"
    "      --context NAME     every masked column of this context\n"
    "      --columns LIST     these columns, and those that share a context with one of them or,\n"
    "                         without contexts, the method and its key\n"
    "      --reason TEXT      why; it is recorded\n"
    "      --dry-run          show the counts, change nothing\n"
    "      --yes              do not ask; needed where there is no terminal\n" SL_OPTIONS_HELP "\n"
    "Examples:\n"
    "  sluice erase -c sluice.yaml --context device_id --reason 'request 4711' < value.txt\n"
    "  sluice erase -c sluice.yaml --columns masked_ip --reason 'request 4711' --dry-run < "
    "ip.txt\n";

struct erase_options {
    struct sl_options common;
    const char *context;
    const char *columns;
    const char *reason;
    bool is_dry_run;
    bool is_yes;
};

/* ---- the command line ---------------------------------------------------------------------------- */

static sl_rc erase_take(struct erase_options *o, int option, char *value, struct sl_err *e)
{
    switch (option) {
    case 'x':
        o->context = value;
        return SL_OK;
    case 'l':
        o->columns = value;
        return SL_OK;
    case 'r':
        o->reason = value;
        return SL_OK;
    case 'd':
        o->is_dry_run = true;
        return SL_OK;
    case 'y':
        o->is_yes = true;
        return SL_OK;
    default:
        return sl_options_take(&o->common, option, value, e);
    }
}

static sl_rc erase_parse(int argc, char **argv, struct erase_options *o, struct sl_err *e)
{
    static const struct option options[] = { SL_OPTIONS_LONG,
                                             { "context", required_argument, NULL, 'x' },
                                             { "columns", required_argument, NULL, 'l' },
                                             { "reason", required_argument, NULL, 'r' },
                                             { "dry-run", no_argument, NULL, 'd' },
                                             { "yes", no_argument, NULL, 'y' },
                                             { 0 } };
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, SL_OPTIONS_SHORT, options, NULL)) != -1) {
        SL_TRY(erase_take(o, option, optarg, e));
    }
    if (o->common.wants_help) {
        return SL_OK;
    }
    /* Nothing of argv is quoted: the value may be there by mistake. */
    if (optind < argc) {
        return SL_FAIL(e, SL_USAGE, "the value comes on standard input, never as an argument");
    }
    if ((o->context == NULL) == (o->columns == NULL)) {
        return SL_FAIL(e, SL_USAGE, "say which: --context NAME or --columns LIST");
    }
    return SL_OK;
}

/* ---- columns ------------------------------------------------------------------------------------- */

/* Whether equal values may stand as the same in both. */
static bool is_akin(const struct sl_masking *a, const struct sl_masking *b)
{
    if (a->context.len > 0 || b->context.len > 0) {
        return sl_str_eq(a->context, b->context);
    }
    return a->method == b->method && sl_str_eq(a->key, b->key) && sl_str_eq(a->iv, b->iv);
}

static bool joins(const struct sl_column *column)
{
    return (sl_mask_flags(column->masking.method) & SL_MASK_JOINS) != 0;
}

static sl_rc column_add(struct sl_erase *x, unsigned at, struct sl_err *e)
{
    const struct sl_column *column = &x->cfg->columns[at];

    for (unsigned i = 0; i < x->n; i++) {
        if (x->columns[i].in.column == column) {
            return SL_OK;
        }
    }
    if (x->n == SL_ERASE_COLUMNS_MAX) {
        return SL_FAIL(e, SL_USAGE, "more than %d columns have such values", SL_ERASE_COLUMNS_MAX);
    }
    x->columns[x->n++] =
        (struct sl_erase_column){ .in = { .column = column, .mask = x->masks.of[at] } };
    return SL_OK;
}

static sl_rc columns_of_context(struct sl_erase *x, sl_str context, struct sl_err *e)
{
    for (unsigned i = 0; i < x->cfg->columns_n; i++) {
        if (joins(&x->cfg->columns[i]) && context.len > 0 &&
            sl_str_eq(x->cfg->columns[i].masking.context, context)) {
            SL_TRY(column_add(x, i, e));
        }
    }
    return x->n > 0
               ? SL_OK
               : SL_FAIL(e, SL_USAGE, "the configuration has no masked column of context %" SL_FMT,
                         SL_ARG(context));
}

static sl_rc column_by_name(struct sl_erase *x, sl_str name, struct sl_err *e)
{
    const struct sl_column *named = NULL;

    for (unsigned i = 0; i < x->cfg->columns_n; i++) {
        if (sl_str_eq(x->cfg->columns[i].name, name)) {
            named = &x->cfg->columns[i];
        }
    }
    if (named == NULL || named->masking.method == SL_MASK_NONE) {
        return SL_FAIL(e, SL_USAGE, "the configuration has no masked column %" SL_FMT,
                       SL_ARG(name));
    }
    if (!joins(named)) {
        return SL_FAIL(e, SL_USAGE,
                       "column %" SL_FMT ": the results of mask: %s cannot be searched for, so "
                       "nothing can be erased by their values; name a column of the same person "
                       "with another mask",
                       SL_ARG(name), sl_mask_name(named->masking.method));
    }
    for (unsigned i = 0; i < x->cfg->columns_n; i++) {
        if (joins(&x->cfg->columns[i]) && is_akin(&x->cfg->columns[i].masking, &named->masking)) {
            SL_TRY(column_add(x, i, e));
        }
    }
    return SL_OK;
}

/* The same field masked in another way is the same person's value. */
static sl_rc columns_of_same_fields(struct sl_erase *x, struct sl_err *e)
{
    for (unsigned k = 0; k < x->n; k++) {
        for (unsigned i = 0; i < x->cfg->columns_n; i++) {
            if (joins(&x->cfg->columns[i]) &&
                sl_str_eq(x->cfg->columns[i].from_text, x->columns[k].in.column->from_text)) {
                SL_TRY(column_add(x, i, e));
            }
        }
    }
    return SL_OK;
}

static sl_rc columns_choose(struct sl_erase *x, const struct erase_options *o, struct sl_err *e)
{
    sl_str names = sl_str_of(o->columns);

    if (o->context != NULL) {
        SL_TRY(columns_of_context(x, sl_str_of(o->context), e));
        return columns_of_same_fields(x, e);
    }
    do {
        SL_TRY(column_by_name(x, sl_str_trim(sl_str_cut(&names, ',')), e));
    } while (names.len > 0);
    return columns_of_same_fields(x, e);
}

/* ---- the value ----------------------------------------------------------------------------------- */

/* Read stdin to its end; a terminal's only to the end of the line. */
static sl_rc stdin_read(struct sl_buf *out, struct sl_err *e)
{
    const bool is_terminal = isatty(STDIN_FILENO) == 1;
    ssize_t n = 1;

    if (is_terminal) {
        (void)fputs("Value: ", stderr);
    }
    while (n > 0 && out->len <= VALUE_MAX) {
        char *at = sl_buf_reserve(out, VALUE_MAX);

        n = at != NULL ? read(STDIN_FILENO, at, VALUE_MAX) : -1;
        out->len += n > 0 ? (size_t)n : 0;
        n = is_terminal && out->len > 0 && out->ptr[out->len - 1] == '\n' ? 0 : n;
    }
    return n < 0 ? SL_FAIL(e, SL_IO, "could not read standard input") : SL_OK;
}

static sl_rc value_read(struct sl_buf *out, sl_cleartext *ret, struct sl_err *e)
{
    sl_str text;
    sl_str value;

    SL_TRY(stdin_read(out, e));
    text = sl_buf_str(out);
    value = sl_str_cut(&text, '\n');
    if (text.len > 0) {
        return SL_FAIL(e, SL_USAGE, "standard input has more than one line: it takes one value");
    }
    if (value.len > 0 && value.ptr[value.len - 1] == '\r') {
        value.len--;
    }
    if (value.len == 0) {
        return SL_FAIL(e, SL_USAGE, "standard input has no value");
    }
    if (value.len > VALUE_MAX || memchr(value.ptr, '\0', value.len) != NULL) {
        return SL_FAIL(e, SL_USAGE, "that is no value: it has over %d bytes, or a NUL", VALUE_MAX);
    }
    *ret = sl_cleartext_of(value);
    return SL_OK;
}

/* ---- what is said -------------------------------------------------------------------------------- */

static const char *plural(int64_t n)
{
    return n == 1 ? "" : "s";
}

static void counts_print(const struct sl_erase *x, const struct sl_erase_counts *c)
{
    (void)printf("table %" SL_FMT ": %" PRId64 " row%s", SL_ARG(x->cfg->postgres.table), c->rows,
                 plural(c->rows));
    for (unsigned i = 0; i < x->n; i++) {
        (void)printf("%s%" SL_FMT " %" PRId64, i == 0 ? " (" : ", ",
                     SL_ARG(x->columns[i].in.column->name), x->columns[i].rows);
    }
    (void)printf(")\n");
    if (x->cfg->vault.url.len > 0) {
        (void)printf("vault: %" PRId64 " original%s\n", c->originals, plural(c->originals));
    }
    (void)printf("dead letters: %" PRId64 " of %" PRId64 " (%" PRId64 " searched as bytes, %" PRId64
                 " that do not open)\n",
                 c->letters, c->looked_at, c->as_bytes, c->closed);
    (void)fflush(stdout);
}

/* Whether a token says which key it is under. */
static bool has_kids(const struct sl_erase *x)
{
    bool has = false;

    for (unsigned i = 0; i < x->n; i++) {
        has =
            has || (sl_mask_flags(x->columns[i].in.column->masking.method) & SL_MASK_HAS_KID) != 0;
    }
    return has;
}

/* What the counts do not tell. */
static void notes_print(const struct sl_erase *x, const struct sl_keyring *ring,
                        const struct sl_buf *notes, const struct sl_erase_counts *c)
{
    const bool has_kid = has_kids(x);

    (void)fprintf(stderr, "%" SL_FMT, SL_ARG(sl_buf_str(notes)));
    for (unsigned i = 0; has_kid && i < sl_keyring_n(ring); i++) {
        if (sl_keyring_at(ring, i)->state == SL_KEY_RETIRED) {
            (void)fprintf(stderr, "key %s is retired: tokens under it are not looked for\n",
                          sl_keyring_at(ring, i)->id);
        }
    }
    if (c->closed > 0) {
        (void)fprintf(stderr,
                      "%" PRId64 " dead letter%s cannot be opened with these keys and may have the "
                      "value: see 'sluice verify'\n",
                      c->closed, plural(c->closed));
    }
}

/* ---- the command --------------------------------------------------------------------------------- */

static sl_rc erase_connect(struct sl_erase *x, const struct sl_keyring *ring, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf mismatches = { .max_bytes = NOTES_MAX };
    bool has_schema = false;
    bool has_target = false;

    x->conn = (struct sl_pg_conn){ .wait = sl_wait_plain(), .cfg = x->cfg };
    x->vault = (struct sl_pg_conn){ .wait = sl_wait_plain(), .url = x->cfg->vault.url.ptr };
    SL_TRY(sl_pg_connect(&x->conn, e));
    SL_TRY(sl_pg_schema_find(&x->conn, x->cfg, &has_schema, &has_target, e));
    if (!has_schema) {
        return SL_FAIL(e, SL_SCHEMA,
                       "the database has no schema sluice: nothing was ever loaded there, and "
                       "nothing can be recorded");
    }
    SL_TRY(sl_pg_key_compare(&x->conn, ring, e));
    return sl_pg_target_check(&x->conn, x->cfg, &x->arena, &x->target, &mismatches, NULL, e);
}

/* A trigger or a rule may keep what is deleted, and says nothing. */
static bool is_short(const struct sl_erase_counts *found, const struct sl_erase_counts *done)
{
    return done->rows < found->rows || done->originals < found->originals ||
           done->letters < found->letters;
}

static sl_rc erase_confirmed(struct sl_erase *x, const struct erase_options *o, FILE *terminal,
                             const struct sl_erase_counts *found, bool *ret_is_short,
                             struct sl_err *e)
{
    struct sl_erase_counts done = { 0 };
    const bool is_any = found->rows + found->letters + found->originals > 0;

    if (o->is_dry_run) {
        return SL_OK;
    }
    if (terminal != NULL && is_any) {
        SL_TRY(sl_confirm_ask(terminal, "erase", e));
    }
    SL_TRY(sl_erase_delete(x, found, sl_str_trim(sl_str_of(o->reason)), &done, e));
    (void)printf("erased %" PRId64 " row%s, %" PRId64 " original%s, %" PRId64
                 " dead letter%s; recorded in sluice.unmask_audit\n",
                 done.rows, plural(done.rows), done.originals, plural(done.originals), done.letters,
                 plural(done.letters));
    *ret_is_short = is_short(found, &done);
    if (*ret_is_short) {
        (void)fprintf(stderr, "not all that was found was there to erase: somebody else has erased "
                              "it, or a trigger or a rule keeps it; run it again\n");
    }
    (void)printf("backups, and replicas until they have followed, still have what was erased; so "
                 "may exports and the queue\n");
    return SL_OK;
}

/* All of it, with the value in `line`, which the caller wipes. */
static sl_rc erase_run(struct sl_erase *x, const struct erase_options *o,
                       const struct sl_keyring *ring, struct sl_buf *line, bool *ret_is_bad,
                       struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf notes = { .max_bytes = NOTES_MAX };
    struct sl_erase_counts found = { 0 };
    FILE *terminal = NULL;
    bool lacks_keys = false;
    bool is_left = false;
    sl_rc rc;

    SL_TRY(sl_masks_open(x->cfg, ring, &x->masks, e));
    SL_TRY(columns_choose(x, o, e));
    SL_TRY(sl_json_parser_new(JSON_MAX, &x->parser, e));
    SL_TRY(value_read(line, &x->value, e));
    SL_TRY(sl_erase_tokens(x, &notes, e));
    if (!o->is_yes && !o->is_dry_run) {
        SL_TRY(sl_confirm_open("--dry-run", &terminal, e)); /* before anything is counted */
    }
    rc = erase_connect(x, ring, e);
    if (rc == SL_OK && has_kids(x)) {
        rc = sl_erase_missing_keys(x, ring, &notes, &lacks_keys, e);
    }
    if (rc == SL_OK) {
        rc = sl_erase_find(x, &found, e);
    }
    if (rc == SL_OK) {
        counts_print(x, &found);
        notes_print(x, ring, &notes, &found);
        rc = erase_confirmed(x, o, terminal, &found, &is_left, e);
        *ret_is_bad = found.closed > 0 || lacks_keys || is_left;
    }
    if (terminal != NULL) {
        (void)fclose(terminal);
    }
    return rc;
}

static void erase_done(struct sl_erase *x)
{
    sl_pg_close(&x->conn);
    sl_pg_close(&x->vault);
    sl_masks_close(&x->masks);
    sl_json_parser_free(x->parser);
    for (unsigned i = 0; i < x->n; i++) {
        sl_buf_done(&x->columns[i].tokens);
    }
    sl_buf_done(&x->vault_tokens);
    sl_buf_done(&x->ids);
    sl_arena_done(&x->arena);
}

int sl_cmd_erase(int argc, char **argv)
{
    SL_AUTO(sl_buf_done) struct sl_buf line = { .max_bytes = (size_t)3 * VALUE_MAX };
    struct erase_options o = { 0 };
    struct sl_keyring *ring = NULL;
    struct sl_config cfg;
    struct sl_erase x = { .cfg = &cfg };
    bool is_bad = false;
    struct sl_err e;
    sl_rc rc;

    sl_options_init(&o.common, argv);
    rc = erase_parse(argc, argv, &o, &e);
    if (rc == SL_OK && o.common.wants_help) {
        return fputs(sl_help_erase, stdout) < 0;
    }
    if (rc != SL_OK || sl_record_check_reason(o.reason, &e) != SL_OK ||
        sl_options_load(&o.common, &cfg, &e) != SL_OK) {
        return sl_cmd_fail("erase", &e);
    }
    sl_arena_init(&x.arena, ARENA_MAX, ARENA_BLOCK);
    rc = sl_keys_of(&cfg, &ring, &e);
    if (rc == SL_OK) {
        rc = erase_run(&x, &o, ring, &line, &is_bad, &e);
    }
    erase_done(&x);
    sl_keyring_free(ring);
    sl_config_done(&cfg);
    return rc == SL_OK ? is_bad : sl_cmd_fail("erase", &e);
}
