/* cmd/cmd_docs.c - sluice docs and version: what the program knows of itself. */
#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/manual.h"
#include "cmd/options.h"
#include "masking/masker.h"
#include "telemetry/exposition.h"

enum { PRINT_MAX = 1 << 20 };

const char sl_help_docs[] =
    "Usage: sluice docs config | errors | methods | metrics | example\n"
    "\n"
    "Print a manual, in Markdown, from the tables in the program: every setting; every exit\n"
    "status, result code, dead-letter reason and SQLSTATE; every masking method; every metric.\n"
    "'example' is the configuration of 'sluice run QUEUE_URL', to begin one's own with.\n"
    "\n"
    "Options:\n"
    "  -h, --help             print this text\n"
    "\n"
    "Examples:\n"
    "  sluice docs config\n"
    "  sluice docs errors > errors.md\n"
    "  sluice docs example > sluice.yaml\n";

const char sl_help_version[] = "Usage: sluice version\n"
                               "\n"
                               "Print the version of the program.\n"
                               "\n"
                               "Examples:\n"
                               "  sluice version\n";

static void print_example(struct sl_buf *out)
{
    sl_buf_add_str(out, sl_str_of(sl_config_example));
}

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
        { "config", sl_config_manual },   { "errors", sl_errors_manual },
        { "methods", sl_masking_manual }, { "metrics", sl_metrics_manual },
        { "example", print_example },
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
    (void)SL_FAIL(&e, SL_USAGE, "which manual? config, errors, methods, metrics or example");
    return sl_cmd_fail("docs", &e);
}

int sl_cmd_version(int argc, char **argv)
{
    if (wants_help(argc, argv)) {
        return fputs(sl_help_version, stdout) < 0;
    }
    return puts("sluice " SLUICE_VERSION) < 0;
}
