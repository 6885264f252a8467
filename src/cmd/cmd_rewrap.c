/* cmd/cmd_rewrap.c - sluice rewrap: what is under other keys comes under the active one. */
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/rewrap.h"
#include "keys/key_config.h"
#include "sink/pg_schema.h"
#include "telemetry/log.h"

enum {
    BATCH_PRESET = 1000, /* rows */
    BATCH_MAX = 10000,
    RATE_MAX = 1000000, /* rows a second */
};

const char sl_help_rewrap[] =
    "Usage: sluice rewrap -c FILE [--kid OLD] [--rate N] [--batch N] [--dry-run]\n"
    "\n"
    "Bring what is under other keys under the active one: the tokens of columns with mask: siv,\n"
    "the bodies of dead letters, the key of the ledger (of dedup: field and body), and the\n"
    "originals in the vault. Nothing is shown, and values are in the memory of this program only.\n"
    "Works in small transactions while sluice run loads; may be stopped at any time, and goes on\n"
    "where it stopped when it is run again. Ends when a pass over the table finds nothing more to\n"
    "change.\n"
    "Tokens of mask: hmac stay under their key, for nothing opens them. Columns with mask: ip and\n"
    "fpe stay under the key that the configuration gives them; fernet and aes-cbc have their own.\n"
    "\n"
    "Options:\n"
    "      --kid OLD          only what is under this key\n"
    "      --rate N           at most N rows a second\n"
    "      --batch N          rows in one transaction (preset 1000, at most 10000)\n"
    "      --dry-run          print how many are under which key; change nothing\n" SL_OPTIONS_HELP
    "\n"
    "Exit status: 0 done, or stopped by SIGTERM or SIGINT; 1 something does not open or was\n"
    "refused, and is left as it was; others as for sluice run.\n"
    "\n"
    "Examples:\n"
    "  sluice rewrap -c sluice.yaml --dry-run\n"
    "  sluice rewrap -c sluice.yaml --kid k1 --rate 5000\n";

struct rewrap_options {
    struct sl_options common;
    const char *kid;
    unsigned rate;
    unsigned batch;
    bool is_dry;
};

/* ---- options -------------------------------------------------------------------------------------- */

static sl_rc number_take(const char *name, const char *value, int64_t most, unsigned *ret,
                         struct sl_err *e)
{
    int64_t n = 0;

    if (!sl_str_to_i64(sl_str_of(value), &n) || n < 1 || n > most) {
        return SL_FAIL(e, SL_USAGE, "%s takes 1 to %" PRId64, name, most);
    }
    *ret = (unsigned)n;
    return SL_OK;
}

static sl_rc rewrap_take(struct rewrap_options *o, int option, char *value, struct sl_err *e)
{
    switch (option) {
    case 'k':
        if (!sl_key_id_is_valid(sl_str_of(value))) {
            return SL_FAIL(e, SL_USAGE, "--kid takes a key id: 1 to %d of a-z and 0-9",
                           SL_KEY_ID_MAX);
        }
        o->kid = value;
        return SL_OK;
    case 'r':
        return number_take("--rate", value, RATE_MAX, &o->rate, e);
    case 'b':
        return number_take("--batch", value, BATCH_MAX, &o->batch, e);
    case 'd':
        o->is_dry = true;
        return SL_OK;
    default:
        return sl_options_take(&o->common, option, value, e);
    }
}

static sl_rc rewrap_parse(int argc, char **argv, struct rewrap_options *o, struct sl_err *e)
{
    static const struct option options[] = {
        SL_OPTIONS_LONG,
        { "kid", required_argument, NULL, 'k' },
        { "rate", required_argument, NULL, 'r' },
        { "batch", required_argument, NULL, 'b' },
        { "dry-run", no_argument, NULL, 'd' },
        { 0 },
    };
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, SL_OPTIONS_SHORT, options, NULL)) != -1) {
        SL_TRY(rewrap_take(o, option, optarg, e));
    }
    return optind < argc ? SL_FAIL(e, SL_USAGE, "unexpected argument '%s'", argv[optind]) : SL_OK;
}

/* ---- what is there ---------------------------------------------------------------------------------- */

static bool is_target(const struct sl_rewrap *r, sl_str kid)
{
    return !sl_str_eq(kid, sl_str_of(sl_keyring_active(r->ring)->id)) &&
           (r->only.len == 0 || sl_str_eq(kid, r->only));
}

static void count_print(sl_str what, sl_str kid, int64_t n, const char *then)
{
    if (n > 0) {
        (void)printf("%-24.*s %-8.*s %12" PRId64 "  %s\n", SL_ARG(what), SL_ARG(kid), n, then);
    }
}

/* One column, by key. */
static sl_rc count_show(const struct sl_rewrap *r, struct sl_pg_conn *conn, sl_str what,
                        const struct sl_pg_masked *masked, struct sl_err *e)
{
    const bool can = masked->form[0] == 'v';
    const unsigned n = sl_keyring_n(r->ring);
    sl_str kids[SL_KEYRING_MAX];
    int64_t counts[SL_KEYRING_MAX + 2] = { 0 };

    for (unsigned i = 0; i < n; i++) {
        kids[i] = sl_str_of(sl_keyring_at(r->ring, i)->id);
    }
    SL_TRY(sl_pg_tokens_count(conn, masked, kids, n, counts, e));
    for (unsigned i = 0; i < n; i++) {
        count_print(what, kids[i], counts[i],
                    !is_target(r, kids[i])                               ? "stays"
                    : !can                                               ? "cannot, stays"
                    : sl_keyring_at(r->ring, i)->state == SL_KEY_RETIRED ? "retired, stays"
                                                                         : "rewrap");
    }
    count_print(what, SL_STR("?"), counts[n], "no such key, stays");
    return SL_OK;
}

/* Values that do not say whose key they are under. */
static sl_rc count_fixed(struct sl_rewrap *r, const struct sl_column *column, struct sl_err *e)
{
    const struct sl_pg_masked masked = sl_pg_masked_column(r->cfg, column);
    const sl_str kid = column->masking.kid.len > 0 ? column->masking.kid
                                                   : sl_str_of(sl_keyring_at(r->ring, 0)->id);
    int64_t counts[3];

    SL_TRY(sl_pg_tokens_count(&r->conn, &masked, &kid, 1, counts, e));
    count_print(column->name, kid, counts[2], "cannot, stays");
    return SL_OK;
}

static sl_rc dry_run(struct sl_rewrap *r, struct sl_err *e)
{
    const struct sl_pg_masked dead_letters = sl_pg_masked_dead_letters();
    const struct sl_pg_masked ledger_keys = sl_pg_masked_ledger_keys();
    const struct sl_pg_masked vault = sl_pg_masked_vault(r->cfg);

    (void)printf("%-24s %-8s %12s  %s\n", "what", "key", "values", "then");
    for (unsigned i = 0; i < r->cfg->columns_n; i++) {
        const struct sl_column *column = &r->cfg->columns[i];
        const struct sl_pg_masked masked = sl_pg_masked_column(r->cfg, column);
        const enum sl_mask method = column->masking.method;

        if ((sl_mask_flags(method) & SL_MASK_HAS_KID) != 0) {
            SL_TRY(count_show(r, &r->conn, column->name, &masked, e));
        } else if (method == SL_MASK_IP || method == SL_MASK_FPE) {
            SL_TRY(count_fixed(r, column, e));
        }
    }
    SL_TRY(count_show(r, &r->conn, SL_STR("(dead letters)"), &dead_letters, e));
    if (r->cfg->dedup != SL_DEDUP_MESSAGE_ID) {
        SL_TRY(count_show(r, &r->conn, SL_STR("(ledger key)"), &ledger_keys, e));
    }
    return r->cfg->vault.url.len > 0 ? count_show(r, &r->vault, SL_STR("(vault)"), &vault, e)
                                     : SL_OK;
}

/* ---- what is said ------------------------------------------------------------------------------------ */

/* Once, at the start: what will not change. */
static void say_what_stays(const struct sl_config *cfg)
{
    for (unsigned i = 0; i < cfg->columns_n; i++) {
        const struct sl_column *column = &cfg->columns[i];
        const char *why = NULL;

        switch (column->masking.method) {
        case SL_MASK_HMAC:
        case SL_MASK_SHA256:
            why = cfg->vault.url.len > 0 ? "one-way tokens stay; their originals in the vault come "
                                           "under the active key"
                                         : "one-way tokens stay as they are: nothing opens them";
            break;
        case SL_MASK_IP:
        case SL_MASK_FPE:
            why = "values stay under the key that the configuration gives the column";
            break;
        case SL_MASK_FERNET:
        case SL_MASK_AES_CBC:
            why = "values stay under the key of the column, which is not of the key ring";
            break;
        default:
            continue;
        }
        SL_LOG(SL_LOG_INFO, why, sl_field_str("sluice.column", column->name),
               sl_field_str("sluice.mask", sl_str_of(sl_mask_name(column->masking.method))));
    }
}

static void say_who(const struct sl_rewrap *r)
{
    const struct passwd *user = getpwuid(getuid());

    SL_LOG(SL_LOG_INFO, "bringing values under the active key",
           sl_field_str("sluice.kid", sl_str_of(sl_keyring_active(r->ring)->id)),
           sl_field_str("sluice.kid_from", r->only.len > 0 ? r->only : SL_STR("every other")),
           sl_field_str("sluice.table", r->cfg->postgres.table),
           sl_field_int("user.id", (int64_t)getuid()),
           sl_field_str("user.name", sl_str_of(user != NULL ? user->pw_name : "")));
}

static sl_str site_name(const struct sl_rewrap_site *site, unsigned column)
{
    return site->kind == SL_REWRAP_TOKENS         ? site->masked.columns[column]
           : site->kind == SL_REWRAP_DEAD_LETTERS ? SL_STR("(dead letters)")
           : site->kind == SL_REWRAP_LEDGER_KEYS  ? SL_STR("(ledger key)")
                                                  : SL_STR("(vault)");
}

/* What is left as it was.  Returns: whether somebody must look. */
static bool say_what_is_left(const struct sl_rewrap *r)
{
    bool is_bad = r->has_more;

    for (unsigned i = 0; i < r->sites_n; i++) {
        const struct sl_rewrap_site *site = &r->sites[i];

        for (unsigned k = 0; k < site->masked.columns_n; k++) {
            if (site->closed_n[k] > 0) {
                is_bad = true;
                (void)fprintf(stderr,
                              "sluice: %" SL_FMT ": %" PRId64 " do not open with the keys of the "
                              "ring, and are left as they are\n",
                              SL_ARG(site_name(site, k)), site->closed_n[k]);
            }
        }
        if (site->refused_n > 0) {
            is_bad = true;
            (void)fprintf(stderr,
                          "sluice: %" SL_FMT ": the table refuses %" PRId64
                          " rows with new tokens; they are left as they are\n",
                          SL_ARG(site_name(site, 0)), site->refused_n);
        }
        if (site->raced_n > 0) {
            (void)fprintf(stderr,
                          "sluice: %" SL_FMT ": %" PRId64
                          " rows changed meanwhile; run it again for them\n",
                          SL_ARG(site_name(site, 0)), site->raced_n);
        }
    }
    if (r->has_more) {
        (void)fprintf(stderr, "sluice: values still come under other keys: whoever loads them must "
                              "read the new key file; then run it again\n");
    }
    return is_bad;
}

static void summary_print(const struct sl_rewrap *r)
{
    const double seconds = (double)(sl_clock_now_ms() - r->started_ms) / 1000;
    int64_t n[SL_REWRAP_VAULT + 1] = { 0 };
    int64_t rows_n = 0;

    for (unsigned i = 0; i < r->sites_n; i++) {
        n[r->sites[i].kind] += r->sites[i].rows_n;
        rows_n += r->sites[i].rows_n;
    }
    (void)fprintf(stderr,
                  "%s: %" PRId64 " rows, %" PRId64 " dead letters, %" PRId64
                  " originals of the vault%s under %s, in %.2f s (%.0f/s)\n",
                  r->is_stopped ? "stopped, rewrapped so far" : "rewrapped", n[SL_REWRAP_TOKENS],
                  n[SL_REWRAP_DEAD_LETTERS], n[SL_REWRAP_VAULT],
                  n[SL_REWRAP_LEDGER_KEYS] > 0 ? ", the ledger's key" : "",
                  sl_keyring_active(r->ring)->id, seconds,
                  seconds > 0 ? (double)rows_n / seconds : 0.0);
}

/* ---- the command ------------------------------------------------------------------------------------- */

static sl_rc kid_check(const struct rewrap_options *o, struct sl_rewrap *r, struct sl_err *e)
{
    if (o->kid == NULL) {
        return SL_OK;
    }
    r->only = sl_str_of(o->kid);
    if (sl_str_eq(r->only, sl_str_of(sl_keyring_active(r->ring)->id))) {
        return SL_FAIL(e, SL_KEY, "key %s is the active one: activate the new key first", o->kid);
    }
    return sl_keyring_find(r->ring, r->only) != NULL
               ? SL_OK
               : SL_FAIL(e, SL_KEY, "key %s is not in the key ring, or is retired", o->kid);
}

/* Nothing is written under a key that this database knows otherwise. */
static sl_rc keys_check(const struct rewrap_options *o, struct sl_rewrap *r, struct sl_err *e)
{
    bool has_schema = false;
    bool has_target = false;

    SL_TRY(sl_pg_schema_find(&r->conn, r->cfg, &has_schema, &has_target, e));
    if (!has_schema) {
        return SL_OK;
    }
    return o->is_dry ? sl_pg_key_compare(&r->conn, r->ring, e)
                     : sl_pg_key_check(&r->conn, r->ring, e);
}

/* Tokens under a key that came after the active one: then this key file is an old copy, and they would
 * go backwards. */
static sl_rc order_check(const struct rewrap_options *o, struct sl_rewrap *r, struct sl_err *e)
{
    sl_str later[SL_KEYRING_MAX];
    bool is_later = false;
    unsigned n = 0;

    for (unsigned i = 0; i < sl_keyring_n(r->ring); i++) {
        const struct sl_key *key = sl_keyring_at(r->ring, i);

        if (is_later && key->state == SL_KEY_DECRYPT) {
            later[n++] = sl_str_of(key->id);
        }
        is_later = is_later || key == sl_keyring_active(r->ring);
    }
    for (unsigned i = 0; i < r->cfg->columns_n && n > 0 && o->kid == NULL; i++) {
        const struct sl_pg_masked masked = sl_pg_masked_column(r->cfg, &r->cfg->columns[i]);
        int64_t counts[SL_KEYRING_MAX + 2];

        if (r->cfg->columns[i].masking.method != SL_MASK_SIV) {
            continue;
        }
        SL_TRY(sl_pg_tokens_count(&r->conn, &masked, later, n, counts, e));
        for (unsigned k = 0; k < n; k++) {
            if (counts[k] > 0) {
                return SL_FAIL(e, SL_KEY,
                               "the table has tokens under %" SL_FMT ", which stands after the "
                               "active key %s: is this the newest copy of the keys? to go on, say "
                               "--kid %" SL_FMT,
                               SL_ARG(later[k]), sl_keyring_active(r->ring)->id, SL_ARG(later[k]));
            }
        }
    }
    return SL_OK;
}

static sl_rc rewrap_work(const struct rewrap_options *o, struct sl_rewrap *r, bool *ret_is_bad,
                         struct sl_err *e)
{
    sl_rc rc;

    SL_TRY(kid_check(o, r, e));
    SL_TRY(keys_check(o, r, e));
    if (o->is_dry) {
        return dry_run(r, e);
    }
    SL_TRY(sl_rewrap_check(r, e));
    SL_TRY(order_check(o, r, e));
    say_who(r);
    say_what_stays(r->cfg);
    rc = sl_rewrap_run(r, e);
    *ret_is_bad = say_what_is_left(r);
    if (rc != SL_OK) {
        (void)fprintf(stderr, "sluice: could not go on; run it again, what is changed stays\n");
    }
    summary_print(r);
    return rc;
}

static sl_rc rewrap_config(const struct rewrap_options *o, const struct sl_config *cfg,
                           bool *ret_is_bad, struct sl_err *e)
{
    struct sl_rewrap r = { .batch_rows = o->batch,
                           .rate = o->rate,
                           .wait_s = o->common.wait_s,
                           .has_terminal = isatty(STDERR_FILENO) == 1 };
    struct sl_keyring *ring = NULL;
    sl_rc rc = sl_keys_of(cfg, &ring, e);

    if (rc == SL_OK) {
        r.ring = ring;
        rc = sl_rewrap_init(&r, cfg, e);
    }
    if (rc == SL_OK) {
        rc = sl_masker_new(ring, &r.masker, e);
    }
    if (rc == SL_OK) {
        rc = rewrap_work(o, &r, ret_is_bad, e);
    }
    sl_rewrap_done(&r);
    sl_masker_free(r.masker);
    sl_keyring_free(ring);
    return rc;
}

int sl_cmd_rewrap(int argc, char **argv)
{
    struct rewrap_options o = { .batch = BATCH_PRESET };
    struct sl_config cfg;
    bool is_bad = false;
    struct sl_err e;
    sl_rc rc;

    sl_options_init(&o.common, argv);
    if (rewrap_parse(argc, argv, &o, &e) != SL_OK) {
        return sl_cmd_fail("rewrap", &e);
    }
    if (o.common.wants_help) {
        return fputs(sl_help_rewrap, stdout) < 0;
    }
    if (sl_options_load(&o.common, &cfg, &e) != SL_OK) {
        return sl_cmd_fail("rewrap", &e);
    }
    rc = rewrap_config(&o, &cfg, &is_bad, &e);
    sl_config_done(&cfg);
    return rc == SL_OK ? is_bad : sl_cmd_fail("rewrap", &e);
}
