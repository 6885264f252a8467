/* cmd/cmd_run.c - sluice run: move messages until told to stop. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app.h"
#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/options.h"

enum { DRY_RUN_MESSAGES = 10 };

const char sl_help_run[] =
    "Usage: sluice run -c FILE [options]\n"
    "       sluice run QUEUE_URL [options]\n"
    "\n"
    "Receive messages, decode and mask them, load them into PostgreSQL, and delete them from the\n"
    "queue once they are committed. Runs until SIGTERM or SIGINT: the first finishes what is\n"
    "held, the second ends at once; neither loses anything. With files in place of a queue it\n"
    "runs to their end.\n"
    "\n"
    "With a QUEUE_URL and no file it loads logins into user_logins, as 'sluice docs example' "
    "says;\n"
    "DATABASE_URL or PG*, SLUICE_KEYS (preset sluice.keys) and AWS_* say where the rest is.\n"
    "\n"
    "Options:\n"
    "      --until-empty      end when the queue is empty\n"
    "      --max-messages N   end after N messages\n"
    "      --dry-run          print rows as NDJSON on stdout, write and delete nothing; at most\n"
    "                         10 messages unless --max-messages says otherwise; they are handed\n"
    "                         back, and their receive counts have risen\n"
    "      --exit-on-outage   exit with 75 when the database has taken nothing for "
    "outage_patience\n"
    "      --summary-json F   write the summary as JSON to file F as well\n" SL_OPTIONS_HELP "\n"
    "The last line on stderr is the summary. Exit status: 0 done; 64 wrong usage; 74 a file "
    "cannot\n"
    "be read; 75 queue or database not reachable; 78 wrong configuration, keys or schema; 1 or 70\n"
    "the work failed.\n"
    "\n"
    "Examples:\n"
    "  sluice run -c sluice.yaml\n"
    "  sluice run -c sluice.yaml --until-empty --summary-json summary.json\n"
    "  sluice run -c sluice.yaml --dry-run\n"
    "  sluice run http://localhost:4566/000000000000/login-queue --until-empty\n";

struct run_options {
    struct sl_options common;
    struct sl_app_options app;
    const char *summary_json;
};

static sl_rc run_take(struct run_options *o, int option, char *value, struct sl_err *e)
{
    int64_t n = 0;

    switch (option) {
    case 'e':
        o->app.until_empty = true;
        return SL_OK;
    case 'd':
        o->app.is_dry_run = true;
        return SL_OK;
    case 'x':
        o->app.exits_on_outage = true;
        return SL_OK;
    case 's':
        o->summary_json = value;
        return SL_OK;
    case 'm':
        if (!sl_str_to_i64(sl_str_of(value), &n) || n < 1 || n == INT64_MAX) {
            return SL_FAIL(e, SL_USAGE, "--max-messages takes a number of at least 1");
        }
        o->app.max_messages = n;
        return SL_OK;
    default:
        return sl_options_take(&o->common, option, value, e);
    }
}

static sl_rc run_parse(int argc, char **argv, struct run_options *o, struct sl_err *e)
{
    static const struct option options[] = {
        SL_OPTIONS_LONG,
        { "until-empty", no_argument, NULL, 'e' },
        { "dry-run", no_argument, NULL, 'd' },
        { "exit-on-outage", no_argument, NULL, 'x' },
        { "max-messages", required_argument, NULL, 'm' },
        { "summary-json", required_argument, NULL, 's' },
        { 0 },
    };
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, SL_OPTIONS_SHORT, options, NULL)) != -1) {
        SL_TRY(run_take(o, option, optarg, e));
    }
    SL_TRY(sl_options_take_queue(&o->common, argc, e));
    o->app.wait_s = o->common.wait_s;
    if (o->app.max_messages == 0) {
        o->app.max_messages = o->app.is_dry_run ? DRY_RUN_MESSAGES : INT64_MAX;
    }
    return SL_OK;
}

/* ---- the summary --------------------------------------------------------------------------------------------- */

/* To the last ack, not to the last empty poll: that is how long the work took. */
static double run_seconds(const struct sl_app *app, const struct sl_counts *c)
{
    const int64_t end_ms = c->last_ack_due_ms;

    return end_ms <= app->started_ms ? 0 : (double)(end_ms - app->started_ms) / 1000;
}

static void summary_print(const struct sl_app *app)
{
    const struct sl_counts c = sl_app_counts(app);
    const double seconds = run_seconds(app, &c);
    const uint64_t received = c.received;

    (void)fprintf(stderr,
                  "received %" PRIu64 ", loaded %" PRIu64 ", duplicates %" PRIu64
                  ", dead-lettered %" PRIu64 ", returned %" PRIu64 ", in %.2f s (%.0f/s)\n",
                  received, c.loaded, c.duplicates, c.dead_lettered, c.returned, seconds,
                  seconds > 0 ? (double)received / seconds : 0.0);
}

static void summary_json(const struct sl_app *app, struct sl_buf *out)
{
    const struct sl_counts c = sl_app_counts(app);
    const double seconds = run_seconds(app, &c);

    sl_buf_add_char(out, '{');
#define X(name, prometheus, text) sl_buf_printf(out, "\"" #name "\": %" PRIu64 ", ", c.name);
#include "telemetry/metrics.def"
#undef X
    sl_buf_printf(out, "\"seconds\": %.3f, \"per_second\": %.1f}\n", seconds,
                  seconds > 0 ? (double)c.received / seconds : 0.0);
}

static sl_rc summary_write(const struct sl_app *app, const char *path, struct sl_err *e)
{
    struct sl_buf out;
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    sl_rc rc;

    sl_buf_init(&out, 64 << 10);
    summary_json(app, &out);
    rc = sl_buf_rc(&out, e);
    if (rc == SL_OK && (fd < 0 || write(fd, out.ptr, out.len) != (ssize_t)out.len)) {
        rc = SL_FAIL(e, SL_IO, "could not write the summary to %s", path);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    sl_buf_done(&out);
    return rc;
}

static sl_rc run_app(const struct run_options *o, const struct sl_config *cfg, struct sl_err *e)
{
    struct sl_app app;
    sl_rc rc = sl_app_open(&app, cfg, &o->app, e);

    if (rc == SL_OK) {
        if (o->app.is_dry_run) {
            (void)fprintf(stderr, "dry run: nothing is written%s\n",
                          sl_config_reads_files(cfg)
                              ? ""
                              : " or deleted; the messages are handed back, and their receive "
                                "counts rise");
        }
        rc = sl_app_run(&app, e);
        if (o->summary_json != NULL) {
            const sl_rc written = summary_write(&app, o->summary_json, rc == SL_OK ? e : NULL);

            rc = rc == SL_OK ? written : rc;
        }
        if (rc != SL_OK) {
            (void)sl_cmd_fail("run", e);
        }
        summary_print(&app);
        if (app.is_abandoned) {
            _exit(sl_rc_exit(rc));
        }
    } else {
        (void)sl_cmd_fail("run", e);
    }
    sl_app_close(&app);
    return rc;
}

/* A worker may have dozens of connections, and receives that take the last descriptor would keep it
 * from the database for good.  The limit that is usual is low for the sake of select() alone. */
static void raise_open_files(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

int sl_cmd_run(int argc, char **argv)
{
    struct run_options o = { 0 };
    struct sl_config cfg;
    struct sl_err e;
    sl_rc rc;

    sl_options_init(&o.common, argv);
    if (run_parse(argc, argv, &o, &e) != SL_OK) {
        return sl_cmd_fail("run", &e);
    }
    if (o.common.wants_help) {
        return fputs(sl_help_run, stdout) < 0;
    }
    if (sl_options_load(&o.common, &cfg, &e) != SL_OK) {
        return sl_cmd_fail("run", &e);
    }
    raise_open_files();
    rc = run_app(&o, &cfg, &e);
    sl_config_done(&cfg);
    return sl_rc_exit(rc);
}
