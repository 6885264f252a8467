/* source/sqs.c - the source "sqs": receives in flight, and what they brought until a batch takes
 * it.  What happens to a message afterwards is sqs_lease.c. */
#include "source/sqs.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/hex.h"
#include "net/concurrency.h"
#include "source/sqs_attempt.h"
#include "source/sqs_call.h"
#include "source/sqs_lease.h"
#include "source/sqs_pack.h"
#include "telemetry/log.h"

enum {
    MD5_BYTES = 16,
    RECEIVES_MAX = 64, /* in flight, when the configuration leaves it to us */
    DELETES_FIRST = 8, /* the same of deletes and hand-backs */
    DELETES_MAX = 64,
    REPLY_MAX = 96 << 20,      /* ten messages of 1 MiB, escaped six times over, and more */
    TREE_BYTES = 12 << 10,     /* what the parser makes of ten messages, beside their text */
    REPLY_GUESS = 64 << 10,    /* reserved for a reply before any has been seen */
    ANSWER_TIMEOUT_MS = 20000, /* beyond the long poll itself */
    PARSER_MAX = REPLY_MAX,
    ARENA_MAX = 512 << 20,
    ATTRIBUTES_MAX = 11, /* SQS limit of message attributes, and that of a trace */
    QUICK_MS = 200,      /* an empty answer sooner than this is no long poll */
    POLLS_END_MS = 5000, /* after a stop: an aborted long poll hides what it would have brought */
    OWED_MAX = 10000,    /* deletes and hand-backs not answered, above which nothing is received */
};

/* A receive reply that no batch has taken yet. */
struct sqs_reply {
    struct sqs_reply *next;
    struct sl_arena arena;
    struct sl_sqs_message *messages;
    struct sl_lease_entry **entries; /* of the messages */
    unsigned n;
    int64_t at_ms;      /* wall clock of its arrival */
    int64_t arrived_ms; /* monotonic */
};

struct sqs_source {
    struct sl_sqs_settings settings;
    struct sl_aws_caller caller;
    struct sl_json_parser *parser;
    struct sl_leases leases;
    sl_str attributes[ATTRIBUTES_MAX]; /* message attributes that a column or dedup wants */
    unsigned attributes_n;
    bool wants_trace;
    struct sl_hash md5;
    bool has_md5; /* some libraries have none */

    struct sqs_reply *ready; /* oldest first */
    struct sqs_reply **ready_last;
    unsigned ready_n; /* messages */
    size_t ready_bytes;
    unsigned batch_cap;              /* records that fit into a batch */
    size_t batch_bytes;              /* lent to the batch that is being loaded */
    size_t reply_bytes;              /* recent largest reply */
    size_t message_bytes;            /* recent largest message, its share of a reply */
    unsigned receives;               /* out */
    int64_t asked_ms;                /* when the last one went out */
    struct sl_concurrency in_flight; /* receives wanted out */
    bool was_empty;                  /* the last answer brought nothing */
    uint64_t to_return;              /* messages handed back, not yet counted so */
    struct sl_sqs_attempts attempts;
    bool is_paused;
    int64_t polls_due_ms; /* after a stop: when receives still out are given up; 0 = no stop */
    struct sl_backoff backoff;
    int64_t receive_due_ms;
    struct sl_err error; /* of a receive, not yet told; rc SL_OK for none */
};

struct sqs_receive {
    struct sqs_source *s;
    unsigned asked;
    int64_t started_ms;
    struct sl_sqs_attempt attempt; /* of a FIFO queue */
};

/* ---- a reply arrives --------------------------------------------------------------------------------- */

static bool md5_matches(struct sqs_source *s, const struct sl_sqs_message *m)
{
    /* A digest of the body; the body itself goes nowhere. */
    const sl_str body = sl_cleartext_publish(m->body);
    unsigned char digest[MD5_BYTES];
    char hex[2 * MD5_BYTES];

    if (!s->has_md5 || m->md5_of_body.len == 0) {
        return true;
    }
    if (sl_hash_of(&s->md5, body.ptr, body.len, digest, NULL) != SL_OK) {
        return false;
    }
    sl_hex(digest, sizeof digest, hex);
    return sl_str_eq(m->md5_of_body, (sl_str){ hex, sizeof hex });
}

/* A message stays in the queue and comes back when its visibility timeout is over. */
static void leave(struct sqs_source *s)
{
    sl_sqs_leave(s->settings.shared, sl_clock_now_ms(),
                 (int64_t)s->settings.visibility_timeout_s * 1000);
}

static void leave_altered(struct sqs_source *s, struct sl_sqs_message *m)
{
    const sl_str trace = sl_trace_text(&m->trace);
    const struct sl_field fields[] = {
        sl_field_str("sluice.stage", SL_STR("receive")),
        sl_field_str("sluice.message_id", m->message_id),
        sl_field_str("trace.id", trace),
    };

    m->stays = true;
    sl_count(&s->settings.counters->md5_mismatch, 1);
    sl_log_fields(SL_LOG_WARN, "a body does not match its MD5; left in the queue", fields,
                  trace.len > 0 ? 3 : 2);
}

/* Nothing goes past a message of its group that stays. */
static bool is_behind(const struct sl_sqs_message *messages, unsigned i)
{
    for (unsigned k = 0; k < i; k++) {
        if (messages[k].stays && messages[k].group == messages[i].group) {
            return true;
        }
    }
    return false;
}

/* Messages whose body is not what was sent stay in the queue, undecoded. */
static unsigned drop_altered(struct sqs_source *s, struct sl_sqs_message *messages, unsigned n)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < n; i++) {
        if (!md5_matches(s, &messages[i])) {
            leave_altered(s, &messages[i]);
        } else {
            messages[i].stays = s->settings.is_fifo && is_behind(messages, i);
        }
    }
    for (unsigned i = 0; i < n; i++) {
        if (messages[i].stays) {
            sl_count(&s->settings.counters->returned, 1);
            leave(s);
        } else {
            messages[kept++] = messages[i];
        }
    }
    return kept;
}

static sl_rc reply_keep(struct sqs_source *s, struct sqs_reply *reply, int64_t started_ms,
                        struct sl_err *e)
{
    reply->entries = sl_arena_calloc(&reply->arena, reply->n, sizeof(struct sl_lease_entry *));
    if (reply->entries == NULL ||
        !sl_leases_add(&s->leases, reply->messages, reply->n, started_ms, reply->entries)) {
        return SL_FAIL(e, SL_NOMEM, "could not remember %u receipt handles", reply->n);
    }
    reply->at_ms = sl_clock_at_ms();
    reply->arrived_ms = sl_clock_now_ms();
    *s->ready_last = reply;
    s->ready_last = &reply->next;
    s->ready_n += reply->n;
    s->ready_bytes += reply->arena.held_bytes;
    return SL_OK;
}

static void reply_free(struct sqs_reply *reply)
{
    sl_arena_done(&reply->arena);
    free(reply);
}

/* Recent largest: rises at once, sinks slowly. */
static size_t recent_max(size_t recent, size_t now)
{
    return now > recent ? now : recent - (recent - now) / 16;
}

/* What was asked for and did not come may be asked for again. */
static void receive_settle(struct sqs_source *s, struct sqs_receive *receive, unsigned n)
{
    sl_sqs_quota_give(s->settings.shared, n < receive->asked ? receive->asked - n : 0);
    receive->asked = 0;
}

/* Ask again at once only if the queue made us wait, or had something. */
static void receive_pace(struct sqs_source *s, const struct sqs_receive *receive, unsigned n,
                         int64_t took_us)
{
    const int64_t now_ms = sl_clock_now_ms();

    s->was_empty = n == 0;
    if (n >= receive->asked) {
        sl_concurrency_more(&s->in_flight, took_us);
    } else if (n == 0) {
        sl_concurrency_reset(&s->in_flight);
    } else if (2 * n < receive->asked) { /* each costs money */
        sl_concurrency_less(&s->in_flight);
    }
    if (n == 0 && now_ms - receive->started_ms < QUICK_MS) {
        s->receive_due_ms = now_ms + QUICK_MS;
    }
}

static sl_rc reply_take(struct sqs_source *s, const struct sl_sqs_message *messages, unsigned n,
                        int64_t started_ms, struct sl_err *e)
{
    struct sqs_reply *reply = calloc(1, sizeof *reply);
    sl_rc rc;

    if (reply == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not hold a reply");
    }
    reply->n = n;
    rc = sl_sqs_pack(messages, n, ARENA_MAX, &reply->arena, &reply->messages, e);
    if (rc == SL_OK) {
        s->message_bytes = recent_max(s->message_bytes, reply->arena.held_bytes / n);
        rc = reply_keep(s, reply, started_ms, e);
    }
    if (rc != SL_OK) {
        reply_free(reply);
    }
    return rc;
}

/* Nothing of the HTTP reply is needed once it has been read, and of what the parser makes of it the
 * least part: only that waits for a batch. */
static sl_rc reply_read(struct sqs_source *s, struct sqs_receive *receive,
                        const struct sl_http_reply *http, struct sl_err *e)
{
    SL_AUTO(sl_arena_done) struct sl_arena tree;
    struct sl_sqs_message *messages = NULL;
    unsigned n = 0;
    unsigned kept;
    sl_rc rc = SL_OK;

    sl_arena_init(&tree, ARENA_MAX, http->body.len + TREE_BYTES);
    SL_TRY(sl_sqs_read_receive(s->parser, sl_buf_str(&http->body), &tree, &messages, &n, e));
    sl_count(&s->settings.counters->received, n);
    sl_count(&s->settings.counters->received_bytes, n > 0 ? http->body.len : 0);
    s->reply_bytes = recent_max(s->reply_bytes, http->body.cap + tree.held_bytes);
    receive_pace(s, receive, n, http->took_us);
    receive_settle(s, receive, n);
    kept = drop_altered(s, messages, n);
    if (kept > 0) {
        rc = reply_take(s, messages, kept, receive->started_ms, e);
        sl_count(&s->settings.counters->returned, rc == SL_OK ? 0 : kept);
    }
    return rc;
}

static sl_rc receive_read(struct sqs_source *s, struct sqs_receive *receive,
                          struct sl_http_reply *reply, struct sl_err *e)
{
    sl_rc rc = reply->rc;

    if (rc != SL_OK) {
        *e = reply->err;
    } else if (reply->status == 200) {
        rc = reply_read(s, receive, reply, e);
    } else {
        rc = sl_sqs_read_error(s->parser, reply->status, sl_str_of(reply->error_code),
                               sl_buf_str(&reply->body), e);
        if (rc == SL_DENIED) {
            (void)sl_aws_clock_learn(&s->caller.target,
                                     sl_http_server_at_s(reply)); /* for the next one */
        }
    }
    return rc;
}

static void receive_failed(struct sqs_source *s, const struct sl_err *e, unsigned asked,
                           unsigned least_ms)
{
    unsigned wait_ms;

    sl_sqs_quota_give(s->settings.shared, asked);
    s->error = *e;
    s->was_empty = false;
    sl_concurrency_reset(&s->in_flight);
    s->backoff.base_ms = e->rc == SL_THROTTLED || e->rc == SL_DENIED ? 1000 : 100;
    wait_ms = sl_backoff_next(&s->backoff);
    s->receive_due_ms = sl_clock_now_ms() + (wait_ms > least_ms ? wait_ms : least_ms);
}

/* What SQS may have given is asked for again.  It need not know the id any more: that is no mistake
 * of ours, and the next receive has another one. */
static void receive_lost(struct sqs_source *s, const struct sqs_receive *receive, struct sl_err *e)
{
    if (e->rc == SL_DISCONNECTED || e->rc == SL_TIMEOUT || e->rc == SL_UNAVAILABLE) {
        sl_sqs_attempt_lost(&s->attempts, &receive->attempt);
    } else if (receive->attempt.is_repeated && sl_rc_fate(e->rc) == SL_FATE_STOP) {
        e->rc = SL_UNAVAILABLE;
    }
}

/* One that we gave up ourselves says nothing of the queue. */
static void receive_count(struct sqs_source *s, sl_rc rc)
{
    sl_count_request(&s->settings.counters->requests, SL_SQS_ACTION_receive, rc);
    if (rc != SL_STOPPED) {
        atomic_store(&s->settings.counters->receive_rc, (unsigned)rc);
    }
}

static void receive_done(void *ctx, struct sl_http_reply *reply)
{
    struct sqs_receive *receive = ctx;
    struct sqs_source *s = receive->s;
    struct sl_err e;
    sl_rc rc;

    s->receives--;
    rc = receive_read(s, receive, reply, &e);
    receive_count(s, rc);
    if (rc == SL_OK) {
        sl_backoff_reset(&s->backoff);
    } else {
        receive_lost(s, receive, &e);
        receive_failed(s, &e, receive->asked, reply->retry_after_ms);
    }
    free(receive);
}

/* ---- receives go out ----------------------------------------------------------------------------------- */

/* How long a poll may last by itself. */
static unsigned poll_max_s(const struct sqs_source *s)
{
    const struct sl_sqs_settings *set = &s->settings;

    return set->wait_time_s * (set->wire->waits_again ? SL_SQS_BATCH : 1);
}

static sl_rc receive_send(struct sqs_source *s, struct sqs_receive *receive, struct sl_err *e)
{
    const struct sl_sqs_settings *set = &s->settings;
    const struct sl_sqs_receive request = {
        .queue_url = set->cfg->sqs.queue_url,
        .max_messages = receive->asked,
        .wait_time_s = set->wait_time_s,
        .visibility_timeout_s = set->sets_visibility ? set->visibility_timeout_s : 0,
        .attributes = s->attributes,
        .attributes_n = s->attributes_n,
        .is_fifo = set->is_fifo,
        .wants_trace = s->wants_trace,
        .attempt_id = sl_str_of(receive->attempt.id),
    };
    struct sl_sqs_call call = { .wire = set->wire,
                                .action = "ReceiveMessage",
                                .timeout_ms = poll_max_s(s) * 1000 + ANSWER_TIMEOUT_MS,
                                .reply_max_bytes = REPLY_MAX,
                                .done = receive_done,
                                .ctx = receive };
    struct sl_buf body;
    sl_rc rc;

    sl_buf_init(&body, 64 << 10);
    set->wire->write_receive(&body, &request);
    call.body = sl_buf_str(&body);
    rc = sl_buf_rc(&body, e);
    if (rc == SL_OK) {
        rc = sl_sqs_call_start(&s->caller, &call, e);
    }
    sl_buf_done(&body);
    return rc;
}

/* Messages to ask for: fewer when they are huge, so that one reply stays a fraction of memory. */
static unsigned receive_size(const struct sqs_source *s)
{
    const size_t fraction = s->settings.memory_bytes / 8;
    const size_t n = s->message_bytes == 0 ? SL_SQS_BATCH : fraction / s->message_bytes;

    return n < 1 ? 1 : n > SL_SQS_BATCH ? SL_SQS_BATCH : (unsigned)n;
}

static void receive_start(struct sqs_source *s)
{
    struct sqs_receive *receive = calloc(1, sizeof *receive);
    struct sl_err e;
    unsigned asked = receive == NULL ? 0 : sl_sqs_quota_take(s->settings.shared, receive_size(s));

    if (asked == 0) {
        free(receive);
        s->receive_due_ms = sl_clock_now_ms() + 100;
        return;
    }
    *receive = (struct sqs_receive){ .s = s, .asked = asked, .started_ms = sl_clock_now_ms() };
    if (s->settings.is_fifo) {
        receive->attempt = sl_sqs_attempt_next(&s->attempts, receive->started_ms,
                                               (int64_t)s->settings.visibility_timeout_s * 1000);
    }
    if (receive_send(s, receive, &e) != SL_OK) {
        receive_failed(s, &e, asked, 0);
        free(receive);
        return;
    }
    s->receives++;
    s->asked_ms = receive->started_ms;
}

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
    return s->receives == 0 || sl_clock_now_ms() >= s->polls_due_ms;
}

/* One reply may always be had, however little memory there is: nothing would ever move.  And what
 * waits beyond the next batch makes nothing faster. */
static bool has_room(const struct sqs_source *s)
{
    const size_t held = s->ready_bytes + s->batch_bytes;
    const size_t reserved = (size_t)(s->receives + 1) * s->reply_bytes;

    return (held + reserved <= s->settings.memory_bytes && s->ready_n < s->batch_cap &&
            s->ready_bytes + reserved <= s->settings.memory_bytes / 4 + s->reply_bytes) ||
           (held == 0 && s->receives == 0);
}

static bool may_receive(const struct sqs_source *s)
{
    return !s->is_paused && !is_stopping(s) && s->leases.owed < OWED_MAX;
}

static void receive_pump(struct sqs_source *s)
{
    const unsigned fixed = s->settings.cfg->sqs.receives;

    while (may_receive(s) && s->receives < (fixed != 0 ? fixed : s->in_flight.target) &&
           has_room(s) && sl_clock_now_ms() >= s->receive_due_ms) {
        receive_start(s);
    }
}

/* ---- the one wait ---------------------------------------------------------------------------------------- */

/* Once round: send what is due, wait, take in answers. */
static short source_step(struct sqs_source *s, int fd, short events, int64_t due_ms)
{
    int64_t next_ms = sl_leases_tick(&s->leases);

    receive_pump(s);
    if (may_receive(s) && s->receive_due_ms > sl_clock_now_ms() && s->receive_due_ms < next_ms) {
        next_ms = s->receive_due_ms;
    }
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

/* ---- a batch is filled ------------------------------------------------------------------------------------ */

static void record_fill(struct sl_record *r, const struct sl_sqs_message *m,
                        struct sl_lease_entry *entry, int64_t at_ms, bool is_fifo)
{
    *r = (struct sl_record){ .message_id = m->message_id,
                             .sent_at_ms = m->sent_at_ms,
                             .received_at_ms = at_ms,
                             .receive_count = m->receive_count,
                             .group = is_fifo ? m->group : 0,
                             .trace = m->trace,
                             .attributes = m->attributes,
                             .attributes_n = m->attributes_n,
                             .body = m->body,
                             .lease = entry };
}

static sl_rc batch_take(struct sqs_source *s, struct sl_batch *b, struct sl_err *e)
{
    struct sqs_reply *reply = s->ready;
    struct sl_record *records = sl_arena_alloc(&b->arena, reply->n * sizeof *records);

    if (records == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not take %u messages into a batch", reply->n);
    }
    for (unsigned i = 0; i < reply->n; i++) {
        record_fill(&records[i], &reply->messages[i], reply->entries[i], reply->at_ms,
                    s->settings.is_fifo);
        b->records[b->n++] = &records[i];
    }
    s->ready = reply->next;
    if (s->ready == NULL) {
        s->ready_last = &s->ready;
    }
    s->ready_n -= reply->n;
    s->ready_bytes -= reply->arena.held_bytes;
    s->batch_bytes += reply->arena.held_bytes;
    sl_arena_adopt(&b->arena, &reply->arena);
    free(reply);
    return SL_OK;
}

static bool batch_has_room(const struct sqs_source *s, const struct sl_batch *b)
{
    return b->n + s->ready->n <= b->cap &&
           (b->n == 0 ||
            s->batch_bytes + s->ready->arena.held_bytes <= s->settings.memory_bytes / 4);
}

/* Enough for a batch, or the oldest has waited long enough, or there is nothing more to wait
 * for. */
static bool is_batch_due(const struct sqs_source *s, const struct sl_batch *b)
{
    return s->ready != NULL &&
           (s->ready_n >= b->cap / 2 || s->ready_bytes >= s->settings.memory_bytes / 4 ||
            s->receives == 0 || s->was_empty || is_stopping(s) ||
            sl_clock_now_ms() >= s->ready->arrived_ms + s->settings.cfg->linger_ms);
}

/* When to look again whether a batch is due. */
static int64_t linger_until(const struct sqs_source *s, int64_t due_ms)
{
    const int64_t linger_due_ms =
        s->ready == NULL ? due_ms : s->ready->arrived_ms + s->settings.cfg->linger_ms;

    return linger_due_ms < due_ms ? linger_due_ms : due_ms;
}

static bool nothing_will_come(struct sqs_source *s)
{
    return is_stopping(s) && s->ready == NULL && polls_are_over(s);
}

static sl_rc error_tell(struct sqs_source *s, struct sl_err *e)
{
    const sl_rc rc = s->error.rc;

    if (rc != SL_OK && e != NULL) {
        *e = s->error;
    }
    s->error.rc = SL_OK;
    return rc;
}

static sl_rc source_receive(void *self, struct sl_batch *b, int64_t due_ms, struct sl_err *e)
{
    struct sqs_source *s = self;
    sl_rc rc = SL_OK;

    s->batch_bytes = 0; /* the batch before this one has ended */
    s->batch_cap = b->cap;
    do {
        (void)source_step(s, -1, 0, nothing_will_come(s) ? 0 : linger_until(s, due_ms));
        receive_pump(s); /* before `receives` is looked at: none out means none can go out */
    } while (!is_batch_due(s, b) && s->error.rc == SL_OK && sl_clock_now_ms() < due_ms &&
             !nothing_will_come(s));
    if (!is_batch_due(s, b)) {
        return error_tell(s, e);
    }
    while (rc == SL_OK && s->ready != NULL && batch_has_room(s, b)) {
        rc = batch_take(s, b, e);
    }
    return rc;
}

/* ---- what becomes of them ------------------------------------------------------------------------------------ */

static void source_ack(void *self, const struct sl_batch *b)
{
    struct sqs_source *s = self;

    for (unsigned i = 0; i < b->n; i++) {
        const struct sl_record *r = b->records[i];

        if (r->outcome == SL_OUTCOME_LEFT) {
            sl_leases_leave(&s->leases, r->lease);
            leave(s);
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

static void drop_ready(struct sqs_source *s)
{
    while (s->ready != NULL) {
        struct sqs_reply *reply = s->ready;

        s->ready = reply->next;
        s->to_return += reply->n;
        reply_free(reply);
    }
    s->ready_last = &s->ready;
    s->ready_n = 0;
    s->ready_bytes = 0;
}

/* Seconds until the last receive would have ended by itself; a server may not notice earlier that
 * we have gone. */
static unsigned polls_left_s(const struct sqs_source *s)
{
    const int64_t left_ms =
        s->asked_ms + (int64_t)s->settings.wait_time_s * 1000 - sl_clock_now_ms();

    return s->receives == 0 || left_ms <= 0 ? 0 : (unsigned)(left_ms / 1000 + 1);
}

/* What no batch has taken, and whatever else is held, goes back. */
static void return_ready(struct sqs_source *s)
{
    drop_ready(s);
    sl_leases_return_all(&s->leases);
    count_returned(s);
}

/* A poll that is still out would bring the same messages again. */
static void source_give_back(void *self)
{
    struct sqs_source *s = self;

    if (s->receives == 0) {
        return_ready(s);
    }
}

static void source_flush(void *self, int64_t due_ms)
{
    struct sqs_source *s = self;

    for (;;) {
        const bool is_over = polls_are_over(s);

        return_ready(s);
        sl_leases_keep(&s->leases, !is_over, polls_left_s(s));
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

    return s->was_empty && s->ready == NULL && s->leases.owed == 0 && s->leases.calls == 0 &&
           (s->leases.held == 0 || s->settings.returns_at_end);
}

static uint64_t source_in_flight(const void *self)
{
    const struct sqs_source *s = self;

    return s->ready_n + s->to_return;
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
    drop_ready(s);
    sl_http_free(s->caller.http);
    sl_sigv4_key_done(&s->caller.key);
    sl_leases_done(&s->leases);
    sl_json_parser_free(s->parser);
    sl_hash_close(&s->md5);
    free(s);
}

/* ---- life -------------------------------------------------------------------------------------------------- */

static void want_attribute(struct sqs_source *s, sl_str name)
{
    unsigned k = 0;

    while (k < s->attributes_n && !sl_str_eq(s->attributes[k], name)) {
        k++;
    }
    if (k == s->attributes_n && k < ATTRIBUTES_MAX) {
        s->attributes[s->attributes_n++] = name;
    }
}

static void want_column(struct sqs_source *s, const struct sl_column *column)
{
    if (column->from == SL_FROM_ATTRIBUTE && !sl_config_has_own_attributes(s->settings.cfg)) {
        want_attribute(s, column->attribute);
    }
}

static void want_attributes(struct sqs_source *s)
{
    const struct sl_config *cfg = s->settings.cfg;

    s->wants_trace = sl_config_wants_trace(cfg);
    if (s->wants_trace) {
        want_attribute(s, SL_STR(SL_TRACE_ATTRIBUTE));
    }
    want_column(s, &cfg->dedup_from);
    for (unsigned i = 0; i < cfg->columns_n; i++) {
        want_column(s, &cfg->columns[i]);
    }
}

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
        sl_json_parser_new(PARSER_MAX, &s->parser, e) != SL_OK) {
        if (s != NULL) {
            sl_http_free(s->caller.http);
        }
        free(s);
        return SL_FAIL(e, SL_NOMEM, "could not make a source");
    }
    s->settings = *settings;
    s->caller.target = *settings->target;
    s->ready_last = &s->ready;
    s->reply_bytes = REPLY_GUESS;
    sl_concurrency_init(&s->in_flight, 2, RECEIVES_MAX);
    s->has_md5 = sl_hash_open(&s->md5, "MD5", NULL) == SL_OK;
    s->backoff = (struct sl_backoff){ .base_ms = 100,
                                      .cap_ms = 20000,
                                      .random = (uint64_t)sl_clock_at_ms() };
    want_attributes(s);
    leases_start(s);
    *ret =
        (struct sl_source){ .self = s, .ops = &ops, .wait = { .self = s, .until = source_wait } };
    return SL_OK;
}

struct sl_http *sl_sqs_http(const struct sl_source *source)
{
    const struct sqs_source *s = source->self;

    return s->caller.http;
}
