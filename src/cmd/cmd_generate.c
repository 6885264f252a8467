/* cmd/cmd_generate.c - sluice generate: login events to stdout or into a queue. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "cmd/cmd.h"
#include "cmd/generate_event.h"
#include "net/aws_refresher.h"
#include "net/backoff.h"
#include "net/http.h"
#include "source/sqs_batch.h"
#include "source/sqs_queue.h"

const char sl_help_generate[] =
    "Usage: sluice generate [OPTIONS]\n"
    "\n"
    "Make login events, one JSON text a line, on stdout or into an SQS queue. The same\n"
    "options give the same events on every machine; nobody's data are in them.\n"
    "\n"
    "Options:\n"
    "  --count N           how many events, 1 to 1000000000 (100)\n"
    "  --seed N            another seed, other events (1)\n"
    "  --duplicates SHARE  share of them, 0 to 1, that repeat the ip and device_id of an\n"
    "                      earlier one (0)\n"
    "  --bad SHARE         share of them, 0 to 1, that are bad, in thirteen ways in turn: of\n"
    "                      another type, not JSON, cut off, a field missing, null, of a wrong\n"
    "                      type or too long, ... (0)\n"
    "  --queue-url URL     send them to this queue; a send whose answer is lost is repeated\n"
    "  --region REGION     of the queue (from its URL, AWS_REGION or the AWS profile)\n"
    "  --endpoint URL      of SQS (from AWS_ENDPOINT_URL, the AWS profile or the queue's URL)\n"
    "  -h, --help          print this text\n"
    "\n"
    "Credentials come from the environment or the AWS profile, as for 'sluice run'.\n"
    "\n"
    "Examples:\n"
    "  sluice generate --count 3\n"
    "  sluice generate --count 1000 --duplicates 0.2 --bad 0.05 --seed 7 > events.ndjson\n"
    "  sluice generate --queue-url http://localhost:4566/000000000000/login-queue\n";

enum {
    EVENTS_MAX_BYTES = 1024 * 1024,     /* of one send, SQS limit */
    TARGET_MAX_BYTES = 4 * 1024 * 1024, /* profile files are 1 MiB each at most */
    BODY_MAX_BYTES = 8 * 1024 * 1024,
    SEND_TIMEOUT_MS = 30000,
    SEND_TRIES = 8, /* without any success between; 20 s or so */
};

struct generate_options {
    int64_t count;
    int64_t seed;
    double duplicates;
    double bad;
    const char *queue_url;
    const char *region;
    const char *endpoint;
    bool wants_help;
};

/* What it takes to send. */
struct sender {
    struct sl_config cfg;
    struct sl_aws_refresher refresher;
    struct sl_aws_caller caller;
    const struct sl_sqs_wire *wire;
    struct sl_json_parser *parser;
    struct sl_arena arena; /* of the target */
    struct sl_backoff backoff;
    sl_str queue_url;
    uint64_t sent_n;
};

static int generate_usage(const char *what)
{
    (void)fprintf(stderr, "sluice generate: %s; see 'sluice generate --help'\n", what);
    return sl_rc_exit(SL_USAGE);
}

/* ------------------------------------------------------------------ options */

static bool share_parse(const char *text, double *ret)
{
    char *end = NULL;
    const double share = strtod(text, &end);

    if (end == text || *end != '\0' || !(share >= 0 && share <= 1)) {
        return false;
    }
    *ret = share;
    return true;
}

static bool number_parse(const char *text, int64_t min, int64_t max, int64_t *ret)
{
    int64_t n;

    if (!sl_str_to_i64(sl_str_of(text), &n) || n < min || n > max) {
        return false;
    }
    *ret = n;
    return true;
}

/* Returns: NULL, or what is wrong. */
static const char *option_set(struct generate_options *o, int option, const char *value)
{
    switch (option) {
    case 'n':
        return number_parse(value, 1, SL_GENERATE_MAX, &o->count)
                   ? NULL
                   : "--count must be a number from 1 to 1000000000";
    case 's':
        return number_parse(value, 0, INT64_MAX, &o->seed) ? NULL : "--seed must be a number";
    case 'd':
        return share_parse(value, &o->duplicates) ? NULL : "--duplicates must be from 0 to 1";
    case 'b':
        return share_parse(value, &o->bad) ? NULL : "--bad must be from 0 to 1";
    case 'q':
        o->queue_url = value;
        return NULL;
    case 'r':
        o->region = value;
        return NULL;
    case 'e':
        o->endpoint = value;
        return NULL;
    case 'h':
        o->wants_help = true;
        return NULL;
    case ':':
        return "an option needs a value";
    default:
        return "unknown option";
    }
}

static const char *generate_parse(int argc, char **argv, struct generate_options *ret)
{
    static const struct option known[] = {
        { "count", required_argument, NULL, 'n' },
        { "seed", required_argument, NULL, 's' },
        { "duplicates", required_argument, NULL, 'd' },
        { "bad", required_argument, NULL, 'b' },
        { "queue-url", required_argument, NULL, 'q' },
        { "region", required_argument, NULL, 'r' },
        { "endpoint", required_argument, NULL, 'e' },
        { "help", no_argument, NULL, 'h' },
        { 0 },
    };
    const char *wrong = NULL;
    int option;

    opterr = 0;
    optind = 0; /* glibc: begin anew */
    while (wrong == NULL && !ret->wants_help &&
           (option = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
        wrong = option_set(ret, option, optarg);
    }
    if (wrong != NULL || ret->wants_help) {
        return wrong;
    }
    if (optind < argc) {
        return "there are no arguments besides options";
    }
    if (ret->duplicates + ret->bad > 1) {
        return "--duplicates and --bad are together at most 1";
    }
    if (ret->queue_url == NULL && (ret->region != NULL || ret->endpoint != NULL)) {
        return "--region and --endpoint go with --queue-url";
    }
    return NULL;
}

/* ------------------------------------------------------------------- to stdout */

static sl_rc generate_print(struct sl_generator *g, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf line;

    sl_buf_init(&line, EVENTS_MAX_BYTES);
    while (sl_generator_next(g, &line)) {
        sl_buf_add_char(&line, '\n');
        SL_TRY(sl_buf_rc(&line, e));
        if (fwrite(line.ptr, 1, line.len, stdout) != line.len) {
            return SL_FAIL(e, SL_IO, "cannot write to standard output");
        }
        sl_buf_reset(&line);
    }
    if (fflush(stdout) != 0) {
        return SL_FAIL(e, SL_IO, "cannot write to standard output");
    }
    return SL_OK;
}

/* ------------------------------------------------------------------ to a queue */

static void sender_done(struct sender *s)
{
    sl_http_free(s->caller.http);
    sl_sigv4_key_done(&s->caller.key);
    sl_aws_refresher_close(&s->refresher);
    sl_json_parser_free(s->parser);
    sl_arena_done(&s->arena);
}

/* Whoever may send may not be allowed to ask: a queue that does not answer is sent to in JSON. */
static void sender_find_wire(struct sender *s)
{
    struct sl_sqs_attributes queue;

    if (sl_sqs_ask(&s->cfg, &s->caller.target, &s->wire, &queue, NULL) != SL_OK) {
        s->wire = &sl_sqs_json;
    }
}

static sl_rc sender_init(struct sender *s, const struct generate_options *o, struct sl_err *e)
{
    *s = (struct sender){
        .cfg.sqs = { .queue_url = sl_str_of(o->queue_url),
                     .region = sl_str_of(o->region),
                     .endpoint = sl_str_of(o->endpoint) },
        .queue_url = sl_str_of(o->queue_url),
        .backoff = { .base_ms = 100, .cap_ms = 5000, .random = (uint64_t)sl_clock_now_ms() },
    };
    sl_arena_init(&s->arena, TARGET_MAX_BYTES, 4096);
    SL_TRY(sl_aws_target_find(&s->cfg, &s->arena, &s->caller.target, e));
    SL_TRY(sl_aws_refresher_open(&s->refresher, &s->cfg, &s->caller.target, e));
    sender_find_wire(s);
    SL_TRY(sl_json_parser_new(SL_SQS_BATCH_REPLY_BYTES, &s->parser, e));
    return sl_http_new(&s->caller.http, e);
}

/* Those that failed are moved to the front and left in *n. */
static sl_rc sender_read(struct sender *s, const struct sl_http_reply *reply,
                         struct sl_sqs_entry *entries, unsigned *n, struct sl_err *e)
{
    SL_AUTO(sl_sqs_results_done) struct sl_sqs_results results;
    unsigned failed = 0;

    SL_TRY(sl_sqs_batch_read(s->parser, reply, *n, &results, e));
    for (unsigned i = 0; i < *n; i++) {
        if (results.of[i].code.len > 0) {
            results.of[failed] = results.of[i];
            entries[failed++] = entries[i];
        }
    }
    s->sent_n += *n - failed;
    *n = failed;
    return failed == 0
               ? SL_OK
               : SL_FAIL(e, SL_UNAVAILABLE, "SQS refuses %u messages of a batch (%" SL_FMT ")",
                         failed, SL_ARG(results.of[0].code));
}

/* Send entries once, and keep those that failed. */
static sl_rc sender_try(struct sender *s, struct sl_sqs_entry *entries, unsigned *n,
                        struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf body = { .max_bytes = BODY_MAX_BYTES };
    struct sl_sqs_call call = { .wire = s->wire,
                                .action = "SendMessageBatch",
                                .timeout_ms = SEND_TIMEOUT_MS,
                                .reply_max_bytes = SL_SQS_BATCH_REPLY_BYTES };
    struct sl_http_reply reply;
    sl_rc rc;

    s->wire->write_send(&body, s->queue_url, entries, *n);
    SL_TRY(sl_buf_rc(&body, e));
    call.body = sl_buf_str(&body);
    SL_TRY(sl_sqs_call_wait(&s->caller, &call, &reply, e));
    rc = sender_read(s, &reply, entries, n, e);
    sl_buf_done(&reply.body);
    return rc;
}

static bool is_worth_a_try(sl_rc rc)
{
    return sl_rc_fate(rc) == SL_FATE_RETRY && rc != SL_NOT_FOUND && rc != SL_DENIED;
}

static sl_rc sender_send(struct sender *s, struct sl_sqs_entry *entries, unsigned n,
                         struct sl_err *e)
{
    while (n > 0) {
        const unsigned before = n;
        const sl_rc rc = sender_try(s, entries, &n, e);
        int64_t due_ms;

        if (n < before) {
            sl_backoff_reset(&s->backoff);
        }
        if (rc == SL_OK) {
            continue;
        }
        if (!is_worth_a_try(rc) || s->backoff.tries + 1 >= SEND_TRIES) {
            return rc;
        }
        due_ms = sl_clock_now_ms() + sl_backoff_next(&s->backoff);
        while (sl_clock_now_ms() < due_ms) {
            (void)sl_http_wait(s->caller.http, -1, 0, due_ms);
        }
    }
    return SL_OK;
}

static sl_rc generate_send(struct sl_generator *g, struct sender *s, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf events;
    bool is_more = true;

    sl_buf_init(&events, EVENTS_MAX_BYTES);
    while (is_more) {
        struct sl_sqs_entry entries[SL_SQS_BATCH] = { 0 };
        size_t ends[SL_SQS_BATCH];
        size_t begin = 0;
        unsigned n = 0;

        sl_buf_reset(&events);
        while (n < SL_SQS_BATCH && (is_more = sl_generator_next(g, &events))) {
            ends[n++] = events.len;
        }
        SL_TRY(sl_buf_rc(&events, e));
        for (unsigned i = 0; i < n; i++) {
            entries[i].body = (sl_str){ events.ptr + begin, ends[i] - begin };
            begin = ends[i];
        }
        SL_TRY(sender_send(s, entries, n, e));
    }
    return SL_OK;
}

static int generate_fail(const struct sl_err *e)
{
    (void)fprintf(stderr, "sluice: %s\n", e->msg);
    return sl_rc_exit(e->rc);
}

int sl_cmd_generate(int argc, char **argv)
{
    struct generate_options options = { .count = 100, .seed = 1 };
    const char *wrong = generate_parse(argc, argv, &options);
    SL_AUTO(sender_done) struct sender s = { 0 };
    struct sl_generator g;
    struct sl_err e = { 0 };
    sl_rc rc;

    if (wrong != NULL) {
        return generate_usage(wrong);
    }
    if (options.wants_help) {
        return fputs(sl_help_generate, stdout) < 0 || fflush(stdout) != 0 ? sl_rc_exit(SL_IO) : 0;
    }
    sl_generator_init(&g, (uint64_t)options.seed, (uint64_t)options.count, options.duplicates,
                      options.bad);
    if (options.queue_url == NULL) {
        return generate_print(&g, &e) == SL_OK ? 0 : generate_fail(&e);
    }
    if (sender_init(&s, &options, &e) != SL_OK) {
        return generate_fail(&e);
    }
    rc = generate_send(&g, &s, &e);
    (void)fprintf(stderr, "sent %llu messages\n", (unsigned long long)s.sent_n);
    return rc == SL_OK ? 0 : generate_fail(&e);
}
