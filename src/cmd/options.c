/* cmd/options.c - the options that several sub-commands share, and how each of them ends. */
#include "cmd/options.h"

#include <stdio.h>
#include <unistd.h>

#include "masking/column_mask.h"
#include "telemetry/log.h"

enum { WAIT_PRESET_S = 60, WAIT_MAX_S = 86400, MONITOR_URL_MAX = 512 };

/* Chosen piece by piece while options are read, then set as a whole. */
static enum sl_log_format log_format;
static enum sl_log_level log_level = SL_LOG_INFO;

void sl_options_init(struct sl_options *o, char **argv)
{
    *o = (struct sl_options){ .argv = argv, .wait_s = WAIT_PRESET_S };
    log_format = isatty(STDERR_FILENO) == 1 ? SL_LOG_TEXT : SL_LOG_JSON;
    sl_log_init(log_format, log_level);
}

static sl_rc take_wait(struct sl_options *o, sl_str value, struct sl_err *e)
{
    int64_t seconds = 0;

    if (!sl_str_to_i64(value, &seconds) || seconds < 0 || seconds > WAIT_MAX_S) {
        return SL_FAIL(e, SL_USAGE, "--wait takes 0 to %d seconds", WAIT_MAX_S);
    }
    o->wait_s = (unsigned)seconds;
    return SL_OK;
}

static sl_rc take_log_format(sl_str value, struct sl_err *e)
{
    static const char *const names[] = { "text", "json", "emf" };

    for (int i = 0; i < 3; i++) {
        if (sl_str_eq(value, sl_str_of(names[i]))) {
            log_format = (enum sl_log_format)i;
            sl_log_init(log_format, log_level);
            return SL_OK;
        }
    }
    return SL_FAIL(e, SL_USAGE, "--log-format takes text, json or emf");
}

static sl_rc take_log_level(sl_str value, struct sl_err *e)
{
    static const char *const names[] = { "debug", "info", "warn", "error" };

    for (int i = 0; i < 4; i++) {
        if (sl_str_eq(value, sl_str_of(names[i]))) {
            log_level = (enum sl_log_level)i;
            sl_log_init(log_format, log_level);
            return SL_OK;
        }
    }
    return SL_FAIL(e, SL_USAGE, "--log-level takes debug, info, warn or error");
}

/* As getopt_long leaves it: a long option that it does not know is the last word it took, without
 * its value, which may be a secret. */
static sl_rc option_wrong(const struct sl_options *o, int option, struct sl_err *e)
{
    const char *word = o->argv[optind - 1];

    if (option == ':') {
        return SL_FAIL(e, SL_USAGE, "%s needs a value", word);
    }
    return optopt != 0 ? SL_FAIL(e, SL_USAGE, "unknown option -%c", optopt)
                       : SL_FAIL(e, SL_USAGE, "unknown option %.*s", (int)strcspn(word, "="), word);
}

sl_rc sl_options_take(struct sl_options *o, int option, char *value, struct sl_err *e)
{
    switch (option) {
    case 'c':
        o->config = value;
        break;
    case 'h':
        o->wants_help = true;
        break;
    case 'Q':
        o->overrides.queue_url = sl_str_of(value);
        break;
    case 'P':
        o->overrides.postgres_url = sl_str_of(value);
        break;
    case 'T':
        o->overrides.table = sl_str_of(value);
        break;
    case 'K':
        o->overrides.keys = sl_str_of(value);
        break;
    case 'W':
        return take_wait(o, sl_str_of(value), e);
    case 'F':
        return take_log_format(sl_str_of(value), e);
    case 'L':
        return take_log_level(sl_str_of(value), e);
    default:
        return option_wrong(o, option, e);
    }
    return SL_OK;
}

/* A word that is not expected may be a database's URL. */
static const char *shown(const char *word)
{
    return sl_config_has_password(sl_str_of(word)) ? "..." : word;
}

sl_rc sl_options_take_queue(struct sl_options *o, int argc, struct sl_err *e)
{
    const sl_str url = optind < argc ? sl_str_of(o->argv[optind]) : SL_STR("");

    if (optind == argc) {
        return SL_OK;
    }
    if (!sl_str_starts(url, SL_STR("http://")) && !sl_str_starts(url, SL_STR("https://"))) {
        return SL_FAIL(e, SL_USAGE,
                       "unexpected argument '%s': say -c FILE, or the URL of a queue of logins",
                       shown(url.ptr));
    }
    if (optind + 1 < argc) {
        return SL_FAIL(e, SL_USAGE, "unexpected argument '%s'", shown(o->argv[optind + 1]));
    }
    if (o->config != NULL || o->overrides.queue_url.len > 0) {
        return SL_FAIL(e, SL_USAGE,
                       "a queue without an option goes with the built-in example; beside -c FILE "
                       "say --queue-url URL");
    }
    o->overrides.queue_url = url;
    o->is_example = true;
    return SL_OK;
}

sl_rc sl_options_take_monitor(int argc, char **argv, const char **ret_url, struct sl_err *e)
{
    static const char preset[] = "http://127.0.0.1:9464";
    const char *url = optind < argc ? argv[optind] : preset;

    if (strchr(url, '@') != NULL) {
        return SL_FAIL(e, SL_USAGE, "no user in the URL: it is not sent, and arguments are seen");
    }
    if (argc > optind + 1 || strlen(url) > MONITOR_URL_MAX ||
        (!sl_str_starts(sl_str_of(url), SL_STR("http://")) &&
         !sl_str_starts(sl_str_of(url), SL_STR("https://")))) {
        return SL_FAIL(e, SL_USAGE, "one URL, such as %s, or nothing", preset);
    }
    *ret_url = url;
    return SL_OK;
}

/* The example stands where its name would be read: in messages, as what prints it. */
static sl_rc load(const struct sl_options *o, struct sl_config *ret, struct sl_err *e)
{
    if (o->is_example) {
        return sl_config_parse("sluice docs example", sl_str_of(sl_config_example), &o->overrides,
                               ret, e);
    }
    return o->config != NULL ? sl_config_load(o->config, &o->overrides, ret, e)
                             : SL_FAIL(e, SL_USAGE, "which configuration? say -c FILE");
}

sl_rc sl_options_load(const struct sl_options *o, struct sl_config *ret, struct sl_err *e)
{
    sl_rc rc;

    SL_TRY(load(o, ret, e));
    rc = sl_column_masks_check(ret, e);
    if (rc != SL_OK) {
        sl_config_done(ret);
    }
    return rc;
}

int sl_cmd_fail(const char *command, const struct sl_err *e)
{
    const char *priority = sl_log_priority(SL_LOG_ERROR);

    if (e->rc == SL_USAGE) {
        (void)fprintf(stderr, "%ssluice %s: %s; see 'sluice %s --help'\n", priority, command,
                      e->msg, command);
    } else {
        (void)fprintf(stderr, "%ssluice: %s\n", priority, e->msg);
    }
    return sl_rc_exit(e->rc);
}

int sl_cmd_print(const struct sl_buf *out)
{
    if (out->has_failed || fwrite(out->ptr, 1, out->len, stdout) != out->len ||
        fflush(stdout) != 0) {
        (void)fprintf(stderr, "sluice: could not write to stdout\n");
        return sl_rc_exit(SL_IO);
    }
    return 0;
}
