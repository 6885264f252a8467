/* cmd/cmd_docs.c - sluice docs, sql and version: what the program knows of itself. */
#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/manual.h"
#include "cmd/options.h"
#include "masking/masker.h"
#include "sink/pg_schema.h"

enum {
    PRINT_MAX = 1 << 20,
    SQL_FOR_VERSION = 150000, /* the objects are the same from 11 on */
};

const char sl_help_docs[] =
    "Usage: sluice docs config | errors | methods\n"
    "\n"
    "Print a manual, in Markdown, from the tables in the program: every setting; every exit\n"
    "status, result code, dead-letter reason and SQLSTATE; every masking method.\n"
    "\n"
    "Options:\n"
    "  -h, --help             print this text\n"
    "\n"
    "Examples:\n"
    "  sluice docs config\n"
    "  sluice docs errors > errors.md\n";

const char sl_help_sql[] =
    "Usage: sluice sql schema [-c FILE]\n"
    "\n"
    "Print the SQL that 'sluice run' would execute where something is missing, for people whose\n"
    "DBA must run it: schema sluice and, with a configuration, the target table. For servers\n"
    "of version 11 and later.\n"
    "\n"
    "Options:\n" SL_OPTIONS_HELP "\n"
    "Examples:\n"
    "  sluice sql schema | psql mydb\n"
    "  sluice sql schema -c sluice.yaml\n";

const char sl_help_version[] = "Usage: sluice version\n"
                               "\n"
                               "Print the version of the program.\n"
                               "\n"
                               "Examples:\n"
                               "  sluice version\n";

static int print_and_end(struct sl_buf *out)
{
    const int status = sl_cmd_print(out);

    sl_buf_done(out);
    return status;
}

static bool wants_help(int argc, char **argv)
{
    return argc > 1 && (strcmp(argv[argc - 1], "--help") == 0 || strcmp(argv[argc - 1], "-h") == 0);
}

int sl_cmd_docs(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*print)(struct sl_buf *out);
    } manuals[] = {
        { "config", sl_config_manual },
        { "errors", sl_errors_manual },
        { "methods", sl_masking_manual },
    };
    struct sl_buf out;
    struct sl_err e;

    if (wants_help(argc, argv)) {
        return fputs(sl_help_docs, stdout) < 0;
    }
    sl_buf_init(&out, PRINT_MAX);
    for (size_t i = 0; argc == 2 && i < sizeof manuals / sizeof *manuals; i++) {
        if (strcmp(argv[1], manuals[i].name) == 0) {
            manuals[i].print(&out);
            return print_and_end(&out);
        }
    }
    (void)SL_FAIL(&e, SL_USAGE, "which manual? config, errors or methods");
    return sl_cmd_fail("docs", &e);
}

static sl_rc sql_parse(int argc, char **argv, struct sl_options *o, struct sl_err *e)
{
    static const struct option options[] = { SL_OPTIONS_LONG, { 0 } };
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, SL_OPTIONS_SHORT, options, NULL)) != -1) {
        SL_TRY(sl_options_take(o, option, optarg, e));
    }
    if (!o->wants_help && (optind + 1 != argc || strcmp(argv[optind], "schema") != 0)) {
        return SL_FAIL(e, SL_USAGE, "which SQL? say 'schema'");
    }
    return SL_OK;
}

int sl_cmd_sql(int argc, char **argv)
{
    struct sl_options o;
    struct sl_config cfg;
    struct sl_buf out;
    struct sl_err e;

    sl_options_init(&o, argv);
    if (sql_parse(argc, argv, &o, &e) != SL_OK) {
        return sl_cmd_fail("sql", &e);
    }
    if (o.wants_help) {
        return fputs(sl_help_sql, stdout) < 0;
    }
    sl_buf_init(&out, PRINT_MAX);
    sl_pg_schema_sql(&out, SQL_FOR_VERSION);
    if (o.config != NULL) {
        if (sl_options_load(&o, &cfg, &e) != SL_OK) {
            sl_buf_done(&out);
            return sl_cmd_fail("sql", &e);
        }
        sl_pg_target_sql(&out, &cfg);
        sl_config_done(&cfg);
    }
    return print_and_end(&out);
}

int sl_cmd_version(int argc, char **argv)
{
    if (wants_help(argc, argv)) {
        return fputs(sl_help_version, stdout) < 0;
    }
    return puts("sluice " SLUICE_VERSION) < 0;
}
