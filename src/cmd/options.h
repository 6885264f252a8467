/* cmd/options.h - the options that several sub-commands share, and how each of them ends. */
#ifndef SLUICE_CMD_OPTIONS_H
#define SLUICE_CMD_OPTIONS_H

#include <getopt.h>

#include "base/err.h"
#include "config/config.h"

struct sl_options {
    char **argv; /* for messages */
    const char *config;
    struct sl_overrides overrides;
    unsigned wait_s;
    bool is_example; /* the built-in configuration, in place of `config` */
    bool wants_help;
};

/* For getopt_long: -c, and the long ones of the table; a command appends its own. */
#define SL_OPTIONS_SHORT ":c:h"
#define SL_OPTIONS_LONG                                                                           \
    { "config", required_argument, NULL, 'c' }, { "help", no_argument, NULL, 'h' },               \
        { "queue-url", required_argument, NULL, 'Q' },                                            \
        { "postgres-url", required_argument, NULL, 'P' },                                         \
        { "table", required_argument, NULL, 'T' }, { "keys", required_argument, NULL, 'K' },      \
        { "wait", required_argument, NULL, 'W' }, { "log-format", required_argument, NULL, 'F' }, \
    {                                                                                             \
        "log-level", required_argument, NULL, 'L'                                                 \
    }

/* The help text of those options. */
#define SL_OPTIONS_HELP                                                                            \
    "  -c, --config FILE      the configuration\n"                                                 \
    "      --queue-url URL    in place of source.sqs.queue_url\n"                                  \
    "      --postgres-url URL in place of sink.postgres.url; without a password, argv is public\n" \
    "      --table NAME       in place of sink.postgres.table\n"                                   \
    "      --keys FILE        in place of keys.file\n"                                             \
    "      --wait SECONDS     how long to wait for queue and database at start (preset 60)\n"      \
    "      --log-format F     text, json or emf (preset: text on a terminal, else json); emf is\n" \
    "                         json, with CloudWatch metrics\n"                                     \
    "      --log-level L      debug, info, warn or error (preset info)\n"                          \
    "  -h, --help             print this text\n"

/* The presets: wait 60 s, text on a terminal. */
void sl_options_init(struct sl_options *o, char **argv);

/* Take one option as getopt_long returned it.
 * Errors: SL_USAGE (stop) not one of these, or a value that it does not take */
sl_rc sl_options_take(struct sl_options *o, int option, char *value, struct sl_err *e)
    SL_MUST_CHECK;

/* Take what stands behind the options: nothing, or the URL of a queue, which is then read with the
 * built-in example in place of -c FILE.
 * Errors: SL_USAGE (stop) anything else */
sl_rc sl_options_take_queue(struct sl_options *o, int argc, struct sl_err *e) SL_MUST_CHECK;

/* Take what stands behind the options: the URL of a run's http.listen, or nothing for the usual one.
 * Errors: SL_USAGE (stop) anything else, or more */
sl_rc sl_options_take_monitor(int argc, char **argv, const char **ret_url, struct sl_err *e)
    SL_MUST_CHECK;

/* Load the configuration they name.
 * Errors: SL_USAGE (stop) they name none; those of sl_config_load */
sl_rc sl_options_load(const struct sl_options *o, struct sl_config *ret, struct sl_err *e)
    SL_MUST_CHECK;

/* Say what is wrong, once, on stderr.  Returns: the exit status. */
int sl_cmd_fail(const char *command, const struct sl_err *e);

/* Write a buffer to stdout.  Returns: the exit status. */
int sl_cmd_print(const struct sl_buf *out);

#endif
