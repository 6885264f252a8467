/* source/sqs.c - the source "sqs": sqs_receive.c asks the queue, what it brings waits in sqs_reply.c
 * until a batch is due, and sqs_lease.c is what happens to a message afterwards. */
#include "source/sqs.h"

#include <stdlib.h>

#include "base/clock.h"
#include "net/concurrency.h"
#include "source/sqs_lease.h"
#include "source/sqs_receive.h"
#include "source/sqs_reply.h"
#include "telemetry/log.h"

enum {
    DELETES_FIRST = 8, /* deletes and hand-backs in flight, at first */
    DELETES_MAX = 64,
    POLLS_END_MS = 5000, /* after a stop: an aborted long poll hides what it would have brought */
    OWED_MAX = 10000,    /* deletes and hand-backs not answered, above which nothing is received */
};

struct sqs_source {
    struct sl_sqs_settings settings;
    struct sl_aws_caller caller;
    struct sl_json_parser *parser;
    struct sl_leases leases;
    struct sl_replies replies;
    struct sl_receives receives;
    uint64_t to_return; /* messages handed back, not yet counted so */
    bool is_paused;
    int64_t polls_due_ms; /* after a stop: when receives still out are given up; 0 = no stop */
};

static bool is_stopping(const struct sqs_source *s)
{
    return atomic_load(&s->settings.stop->is_asked);
}

/* No receive is out any more, or those that are have had their time since the stop. */
static bool polls_are_over(struct sqs_source *s)
{
    if (s->polls_due_ms == 0) {
        s->polls_due_ms = sl_clock_now_ms() + POLLS_END_MS;
    }
    return s->receives.out == 0 || sl_clock_now_ms() >= s->polls_due_ms;
}

static bool may_receive(const struct sqs_source *s)
{
    return !s->is_paused && !is_stopping(s) && s->leases.owed < OWED_MAX;
}

/* ---- the one wait ----------------------------------------------------------------------------- */

/* Once round: send what is due, wait, take in answers. */
static short source_step(struct sqs_source *s, int fd, short events, int64_t due_ms)
{
    const int64_t leases_due_ms = sl_leases_tick(&s->leases);
    const int64_t receives_due_ms = sl_receives_tick(&s->receives, may_receive(s));
    const int64_t next_ms = receives_due_ms < leases_due_ms ? receives_due_ms : leases_due_ms;

    return sl_http_wait(s->caller.http, fd, events, due_ms < next_ms ? due_ms : next_ms);
}

static short source_wait(void *self, int fd, short events, int64_t due_ms)
{
    struct sqs_source *s = self;
    short ready = source_step(s, fd, events, due_ms);

    while (fd >= 0 && ready == 0 && sl_clock_now_ms() < due_ms) {
        ready = source_step(s, fd, events, due_ms);
    }
    return ready;
}

/* ---- a batch is filled ------------------------------------------------------------------------ */

/* When the oldest that is ready has waited long enough. */
static int64_t linger_due_ms(const struct sqs_source *s)
{
    return sl_replies_oldest_ms(&s->replies) + s->settings.cfg->linger_ms;
}

/* Enough for a batch, or the oldest has waited long enough, or there is nothing more to wait
 * for. */
static bool is_batch_due(const struct sqs_source *s)
{
    return s->replies.n > 0 &&
           (sl_replies_are_enough(&s->replies) || s->receives.out == 0 || s->receives.was_empty ||
            is_stopping(s) || sl_clock_now_ms() >= linger_due_ms(s));
}

/* When to look again whether a batch is due. */
static int64_t linger_until(const struct sqs_source *s, int64_t due_ms)
{
    const int64_t until_ms = s->replies.n == 0 ? due_ms : linger_due_ms(s);

    return until_ms < due_ms ? until_ms : due_ms;
}

static bool nothing_will_come(struct sqs_source *s)
{
    return is_stopping(s) && s->replies.n == 0 && polls_are_over(s);
}

static sl_rc source_receive(void *self, struct sl_batch *b, int64_t due_ms, struct sl_err *e)
{
    struct sqs_source *s = self;

    sl_replies_begin_batch(&s->replies, b->cap);
    do {
        (void)source_step(s, -1, 0, nothing_will_come(s) ? 0 : linger_until(s, due_ms));
        /* before it is looked at how many are out: none means that none can go out */
        (void)sl_receives_tick(&s->receives, may_receive(s));
    } while (!is_batch_due(s) && s->receives.error.rc == SL_OK && sl_clock_now_ms() < due_ms &&
             !nothing_will_come(s));
    return is_batch_due(s) ? sl_replies_fill(&s->replies, b, e)
                           : sl_receives_error(&s->receives, e);
}

/* ---- what becomes of them --------------------------------------------------------------------- */

static void source_ack(void *self, const struct sl_batch *b)
{
    struct sqs_source *s = self;

    for (unsigned i = 0; i < b->n; i++) {
        const struct sl_record *r = b->records[i];

        if (r->outcome == SL_OUTCOME_LEFT) {
            sl_leases_leave(&s->leases, r->lease);
            sl_sqs_leave(s->settings.shared, sl_clock_now_ms(),
                         (int64_t)s->settings.visibility_timeout_s * 1000);
        } else if (r->outcome != SL_OUTCOME_NONE) {
            sl_leases_delete(&s->leases, r->lease);
        }
    }
}

static void count_returned(struct sqs_source *s)
{
    sl_count(&s->settings.counters->returned, s->to_return);
    s->to_return = 0;
}

static void source_release(void *self, const struct sl_batch *b)
{
    struct sqs_source *s = self;

    for (unsigned i = 0; i < b->n; i++) {
        if (b->records[i]->outcome != SL_OUTCOME_NONE) {
            continue;
        }
        s->to_return++;
        if (!s->settings.returns_at_end) {
            sl_leases_return(&s->leases, b->records[i]->lease);
        }
    }
    if (!s->settings.returns_at_end) {
        count_returned(s);
    }
}

static void source_pause(void *self, bool is_paused)
{
    struct sqs_source *s = self;

    s->is_paused = is_paused;
}

/* What no batch has taken, and whatever else is held, goes back. */
static void return_ready(struct sqs_source *s)
{
    s->to_return += sl_replies_drop(&s->replies);
    sl_leases_return_all(&s->leases);
    count_returned(s);
}

/* A poll that is still out would bring the same messages again. */
static void source_give_back(void *self)
{
    struct sqs_source *s = self;

    if (s->receives.out == 0) {
        return_ready(s);
    }
}

static void source_flush(void *self, int64_t due_ms)
{
    struct sqs_source *s = self;

    for (;;) {
        const bool is_over = polls_are_over(s);

        return_ready(s);
        sl_leases_keep(&s->leases, !is_over, sl_receives_end_in_s(&s->receives));
        if ((is_over && s->leases.owed == 0 && s->leases.calls == 0) ||
            sl_clock_now_ms() >= due_ms) {
            break;
        }
        (void)source_step(s, -1, 0, is_over || due_ms < s->polls_due_ms ? due_ms : s->polls_due_ms);
    }
    if (s->leases.owed > 0) {
        SL_LOG(SL_LOG_WARN, "could not tell the queue about all messages; they will come back",
               sl_field_int("sluice.messages", s->leases.owed));
    }
}

static bool source_is_idle(const void *self)
{
    const struct sqs_source *s = self;

    return s->receives.was_empty && s->replies.n == 0 && s->leases.owed == 0 &&
           s->leases.calls == 0 && (s->leases.held == 0 || s->settings.returns_at_end);
}

static uint64_t source_in_flight(const void *self)
{
    const struct sqs_source *s = self;

    return s->replies.n + s->to_return;
}

static void source_wake(const void *self)
{
    const struct sqs_source *s = self;

    sl_http_wake(s->caller.http);
}

static void source_close(void *self)
{
    struct sqs_source *s = self;

    if (s == NULL) {
        return;
    }
    (void)sl_replies_drop(&s->replies);
    sl_http_free(s->caller.http);
    sl_sigv4_key_done(&s->caller.key);
    sl_leases_done(&s->leases);
    sl_json_parser_free(s->parser);
    sl_receives_done(&s->receives);
    free(s);
}

/* ---- life ------------------------------------------------------------------------------------- */

static void leases_start(struct sqs_source *s)
{
    s->leases = (struct sl_leases){
        .caller = &s->caller,
        .wire = s->settings.wire,
        .parser = s->parser,
        .counters = s->settings.counters,
        .queue_url = s->settings.cfg->sqs.queue_url,
        .visibility_timeout_s = s->settings.visibility_timeout_s,
        .backoff = { .base_ms = 100, .cap_ms = 20000, .random = (uint64_t)sl_clock_now_ms() },
    };
    sl_concurrency_init(&s->leases.in_flight, DELETES_FIRST, DELETES_MAX);
}

sl_rc sl_sqs_open(const struct sl_sqs_settings *settings, struct sl_source *ret, struct sl_err *e)
{
    static const struct sl_source_ops ops = {
        .receive = source_receive,
        .ack = source_ack,
        .release = source_release,
        .pause = source_pause,
        .give_back = source_give_back,
        .flush = source_flush,
        .is_idle = source_is_idle,
        .in_flight = source_in_flight,
        .wake = source_wake,
        .close = source_close,
    };
    struct sqs_source *s = calloc(1, sizeof *s);

    if (s == NULL || sl_http_new(&s->caller.http, e) != SL_OK ||
        sl_json_parser_new(SL_RECEIVE_REPLY_MAX, &s->parser, e) != SL_OK) {
        if (s != NULL) {
            sl_http_free(s->caller.http);
        }
        free(s);
        return SL_FAIL(e, SL_NOMEM, "could not make a source");
    }
    s->settings = *settings;
    s->caller.target = *settings->target;
    leases_start(s);
    sl_replies_init(&s->replies, &s->leases, settings->memory_bytes, settings->is_fifo);
    sl_receives_init(&s->receives, &s->settings, &s->caller, s->parser, &s->replies);
    *ret =
        (struct sl_source){ .self = s, .ops = &ops, .wait = { .self = s, .until = source_wait } };
    return SL_OK;
}

struct sl_http *sl_sqs_http(const struct sl_source *source)
{
    const struct sqs_source *s = source->self;

    return s->caller.http;
}
