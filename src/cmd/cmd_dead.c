/* cmd/cmd_dead.c - sluice dead: what to do with the messages that were refused. */
#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/dead_filter.h"
#include "cmd/dead_verbs.h"
#include "net/wait.h"

enum { IDS_MAX = 1 << 20 }; /* bytes */

const char sl_help_dead[] =
    "Usage: sluice dead list [ID...] -c FILE [filters]\n"
    "       sluice dead show ID -c FILE [--reason TEXT]\n"
    "       sluice dead retry [ID...] -c FILE [filters] [--dry-run | --edit [--reason TEXT]]\n"
    "       sluice dead purge [ID...] -c FILE [filters] [--all] [--yes]\n"
    "       sluice dead export [ID...] -c FILE [filters]\n"
    "\n"
    "Dead letters of the pipeline of the configuration. list prints the newest, one a line: id,\n"
    "status, time, reason, field, SQLSTATE and message id; nothing personal.\n"
    "show opens the body of one with the keys and writes it to stdout, byte for byte. Before "
    "that,\n"
    "who opens it and why is committed to sluice.unmask_audit, and goes to the log.\n"
    "retry decodes, masks and loads those that are new with the configuration as it is now, and\n"
    "marks each as retried in the transaction of its row: stopped or killed, run it again. What "
    "is\n"
    "refused again is named and stays new, with the new reason. Times and message id are those of\n"
    "the message; $receive_count, $trace_id and, but for those of an envelope, $attribute.NAME "
    "are\n"
    "not kept and become NULL.\n"
    "With --edit the body of one is opened in $VISUAL, $EDITOR or vi first, on record as by show.\n"
    "It is in memory only, in a directory that is wiped afterwards; see that the editor keeps no\n"
    "copy elsewhere: EDITOR='vim -n -i NONE'. An empty or unchanged body changes nothing. The "
    "dead\n"
    "letter keeps the body as it came.\n"
    "purge deletes, and says how many before it asks. Their message ids stay in the ledger, so a\n"
    "purged message does not come back as a row, should the queue deliver it again.\n"
    "export prints them whole as NDJSON, the bodies as they are sealed, in base64.\n"
    "\n"
    "Filters; all that are given must hold, the ids, too:\n" SL_DEAD_FILTER_HELP "\n"
    "Options:\n"
    "      --reason TEXT      why a body is opened; recorded, without it as 'none given'\n"
    "      --dry-run          try it, roll it back, say of each what would become of it\n"
    "      --edit             change the body first; of one id\n"
    "      --older-than AGE   the same as --until AGE, of purge\n"
    "      --all              of purge: every one, where there is no id and no filter\n"
    "      --yes              do not ask; needed where there is no terminal\n" SL_OPTIONS_HELP "\n"
    "Exit status: 0 done; 1 some are still refused or do not open, or a body was not changed;\n"
    "others as for sluice run.\n"
    "\n"
    "Examples:\n"
    "  sluice dead list -c sluice.yaml --code missing_field --since 2d\n"
    "  sluice dead show 17 -c sluice.yaml --reason 'the app sends a wrong version'\n"
    "  sluice dead retry -c sluice.yaml --code bad_version --dry-run\n"
    "  sluice dead retry 17 18 -c sluice.yaml\n"
    "  sluice dead purge -c sluice.yaml --status retried --older-than 30d\n"
    "  sluice dead export -c sluice.yaml --status all > dead.ndjson\n";

/* ---- verbs and what they take ------------------------------------------------------------------------ */

enum dead_option {
    REASON = SL_DEAD_FILTER_END,
    EDIT,
    DRY_RUN,
    OLDER_THAN,
    ALL,
    YES,
    OPTIONS_END,
};

/* A set of options, by their numbers behind those of one character. */
#define BIT(option) (1u << ((option)-SL_DEAD_CODE))
#define FILTERS     (BIT(SL_DEAD_FILTER_END) - 1u)

struct verb {
    const char *name;
    sl_rc (*run)(struct sl_dead *d, struct sl_err *e);
    unsigned takes;
};

static const struct verb verbs[] = {
    { "list", sl_dead_list, FILTERS },
    { "show", sl_dead_show, BIT(REASON) },
    { "retry", sl_dead_retry, FILTERS | BIT(REASON) | BIT(EDIT) | BIT(DRY_RUN) },
    { "purge", sl_dead_purge, FILTERS | BIT(OLDER_THAN) | BIT(ALL) | BIT(YES) },
    { "export", sl_dead_export, FILTERS },
};

static const struct option options[] = {
    SL_OPTIONS_LONG,
    SL_DEAD_FILTER_LONG,
    { "reason", required_argument, NULL, REASON },
    { "edit", no_argument, NULL, EDIT },
    { "dry-run", no_argument, NULL, DRY_RUN },
    { "older-than", required_argument, NULL, OLDER_THAN },
    { "all", no_argument, NULL, ALL },
    { "yes", no_argument, NULL, YES },
    { 0 },
};

static const struct verb *verb_of(const char *name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(name, verbs[i].name) == 0) {
            return &verbs[i];
        }
    }
    return NULL;
}

static const char *option_name(unsigned given)
{
    const struct option *o = options;

    while (o->name != NULL && (o->val < SL_DEAD_CODE || (given & BIT(o->val)) == 0)) {
        o++;
    }
    return o->name;
}

/* ---- the command line -------------------------------------------------------------------------------- */

static sl_rc dead_take(struct sl_dead *d, int option, char *value, struct sl_err *e)
{
    switch (option) {
    case REASON:
        d->reason = value;
        return sl_record_check_reason(value, e);
    case EDIT:
        d->is_edit = true;
        return SL_OK;
    case DRY_RUN:
        d->is_dry_run = true;
        return SL_OK;
    case OLDER_THAN:
        return sl_dead_age(sl_str_of(value), &d->filter.until_ms)
                   ? SL_OK
                   : SL_FAIL(e, SL_USAGE, "--older-than takes an age, such as 12h or 30d");
    case ALL:
        return SL_OK;
    case YES:
        d->is_yes = true;
        return SL_OK;
    default:
        return option > SL_DEAD_CODE - 1 && option < SL_DEAD_FILTER_END
                   ? sl_dead_filter_take(&d->filter, option, value, e)
                   : sl_options_take(&d->common, option, value, e);
    }
}

static sl_rc check_retry(const struct sl_dead *d, unsigned given, int ids_n, struct sl_err *e)
{
    if ((given & BIT(SL_DEAD_STATUS)) != 0 && !sl_str_eq(d->filter.status, SL_STR("new"))) {
        return SL_FAIL(e, SL_USAGE, "only new ones can be retried: a retried one is a row already");
    }
    if (d->is_edit && ids_n != 1) {
        return SL_FAIL(e, SL_USAGE, "--edit takes the id of one dead letter");
    }
    if (!d->is_edit && d->reason != NULL) {
        return SL_FAIL(e, SL_USAGE,
                       "--reason says why a body is opened, so it goes with --edit; --code chooses "
                       "by the code of the reason");
    }
    return SL_OK;
}

static sl_rc check_verb(const struct sl_dead *d, const struct verb *verb, unsigned given, int ids_n,
                        struct sl_err *e)
{
    if ((given & ~verb->takes) != 0) {
        return SL_FAIL(e, SL_USAGE, "%s takes no --%s%s", verb->name,
                       option_name(given & ~verb->takes),
                       (given & BIT(REASON)) != 0 ? ", which says why a body is opened; --code "
                                                    "chooses by the code of the reason"
                                                  : "");
    }
    if (verb->run == sl_dead_show && ids_n != 1) {
        return SL_FAIL(e, SL_USAGE, "show takes the id of one dead letter");
    }
    if (verb->run == sl_dead_purge && ids_n == 0 && (given & ~BIT(YES)) == 0) {
        return SL_FAIL(e, SL_USAGE, "purge which? give ids or filters, or say --all");
    }
    if (verb->run == sl_dead_purge && (given & BIT(ALL)) != 0 &&
        (ids_n > 0 || (given & ~BIT(YES) & ~BIT(ALL)) != 0)) {
        return SL_FAIL(e, SL_USAGE, "--all goes with no id and no filter");
    }
    return verb->run == sl_dead_retry ? check_retry(d, given, ids_n, e) : SL_OK;
}

static sl_rc dead_parse(int argc, char **argv, struct sl_dead *d, const struct verb **ret,
                        struct sl_err *e)
{
    const struct verb *verb;
    unsigned given = 0;
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, SL_OPTIONS_SHORT, options, NULL)) != -1) {
        SL_TRY(dead_take(d, option, optarg, e));
        given |= option >= SL_DEAD_CODE ? BIT(option) : 0;
    }
    if (d->common.wants_help) {
        return SL_OK;
    }
    verb = optind < argc ? verb_of(argv[optind]) : NULL;
    if (verb == NULL) {
        return SL_FAIL(e, SL_USAGE, "say 'list', 'show', 'retry', 'purge' or 'export'");
    }
    SL_TRY(sl_dead_filter_ids(&d->filter, argv + optind + 1, argc - optind - 1, &d->ids, e));
    SL_TRY(check_verb(d, verb, given, argc - optind - 1, e));
    if ((given & BIT(SL_DEAD_STATUS)) == 0 && d->filter.ids.len == 0 &&
        verb->run != sl_dead_purge) {
        d->filter.status = SL_STR("new");
    }
    *ret = verb;
    return SL_OK;
}

/* ---- the command ------------------------------------------------------------------------------------- */

static sl_rc dead_run(struct sl_dead *d, const struct verb *verb, struct sl_err *e)
{
    sl_rc rc;

    SL_TRY(sl_options_load(&d->common, &d->cfg, e));
    d->conn = (struct sl_pg_conn){ .wait = sl_wait_plain(), .cfg = &d->cfg };
    rc = sl_pg_connect(&d->conn, e);
    if (rc == SL_OK) {
        rc = sl_record_pipeline(&d->conn, &d->cfg, d->pipeline, e);
    }
    if (rc == SL_OK) {
        d->filter.pipeline = sl_str_of(d->pipeline);
        rc = verb->run(d, e);
    }
    sl_pg_close(&d->conn);
    sl_config_done(&d->cfg);
    return rc;
}

int sl_cmd_dead(int argc, char **argv)
{
    struct sl_dead d = { .ids = { .max_bytes = IDS_MAX } };
    const struct verb *verb = NULL;
    struct sl_err e;
    sl_rc rc;

    sl_options_init(&d.common, argv);
    rc = dead_parse(argc, argv, &d, &verb, &e);
    if (rc == SL_OK && d.common.wants_help) {
        sl_buf_done(&d.ids);
        return fputs(sl_help_dead, stdout) < 0;
    }
    if (rc == SL_OK) {
        rc = dead_run(&d, verb, &e);
    }
    sl_buf_done(&d.ids);
    return rc == SL_OK ? d.has_left : sl_cmd_fail("dead", &e);
}
