/* source/dead_queue.c - bad records go to another queue. */
#include "source/dead_queue.h"

#include <stdlib.h>

#include "base/base64.h"
#include "base/clock.h"
#include "source/sqs_batch.h"
#include "source/sqs_error.h"
#include "telemetry/log.h"

enum {
    CALLS_MAX = 4, /* requests out at a time */
    ATTRIBUTES_N = 8,
    AROUND_BYTES = 1024, /* attributes of a letter, without the field, and JSON around its body */
    SEND_TIMEOUT_MS = 10000,
    ROUND_MS = 2000, /* after which no more requests are started, so that the caller shows life */
    BODIES_MAX = 4 << 20, /* of a request */
    ARENA_MAX = 64 << 20,
    HTTP_TOO_LARGE = 413,
};

/* A request: the letters it carries. */
struct dead_call {
    struct sl_dead_queue *q;
    struct sl_record *letters[SL_SQS_BATCH];
    unsigned n;
    bool is_out;
};

struct sl_dead_queue {
    struct sl_dead_queue_settings settings;
    struct sl_aws_caller caller;
    struct sl_json_parser *parser;
    struct sl_arena arena; /* of one attempt */
    struct dead_call calls[CALLS_MAX];
    unsigned calls_n; /* out */
    bool is_fifo;
    bool was_refused;      /* a request as a whole, because of a letter in it */
    struct sl_err failure; /* of the attempt; rc SL_OK for none */
};

/* Stray records in the order of their ids. */
struct dead_letters {
    struct sl_record **of;
    unsigned n;
    unsigned next;  /* to be sent */
    int64_t due_ms; /* monotonic: no more requests then */
};

/* ---- letters --------------------------------------------------------------------------------- */

static size_t letter_bytes(const struct sl_record *r)
{
    return sl_base64_chars(SL_BASE64, r->sealed.len) + r->verdict.field.len + AROUND_BYTES;
}

static void letter_keep(struct sl_record *r, sl_str why)
{
    const sl_str trace = sl_trace_text(&r->trace);
    const struct sl_field fields[] = {
        sl_field_str("sluice.message_id", r->message_id),
        sl_field_str("error.code", why),
        sl_field_str("trace.id", trace),
    };

    r->is_unsent = true;
    sl_log_fields(SL_LOG_WARN, "the dead-letter queue cannot take a message; it goes to the table",
                  fields, trace.len > 0 ? 3 : 2);
}

static int letter_cmp(const void *a, const void *b)
{
    const struct sl_record *const *x = a;
    const struct sl_record *const *y = b;

    return sl_str_cmp((*x)->message_id, (*y)->message_id);
}

static sl_rc letters_collect(struct sl_dead_queue *q, struct sl_batch *b, struct dead_letters *ret,
                             struct sl_err *e)
{
    /* Not in the batch's arena: an outage may last for thousands of attempts. */
    sl_arena_reset(&q->arena);
    *ret =
        (struct dead_letters){ .of = sl_arena_calloc(&q->arena, b->n, sizeof(struct sl_record *)) };
    if (ret->of == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not sort the bad records of a batch of %u", b->n);
    }
    for (unsigned i = 0; i < b->n; i++) {
        if (sl_record_is_stray(b->records[i])) {
            ret->of[ret->n++] = b->records[i];
        }
    }
    qsort(ret->of, ret->n, sizeof(struct sl_record *), letter_cmp);
    return SL_OK;
}

/* Another delivery of the message before it. */
static bool letters_repeat(const struct dead_letters *l, unsigned i)
{
    return i > 0 && sl_str_eq(l->of[i]->message_id, l->of[i - 1]->message_id);
}

static void letters_mark_repeats(const struct dead_letters *l)
{
    for (unsigned i = 0; i < l->n; i++) {
        if (letters_repeat(l, i)) {
            l->of[i]->is_sent = l->of[i - 1]->is_sent;
            l->of[i]->is_unsent = l->of[i - 1]->is_unsent;
        }
    }
}

/* ---- answers --------------------------------------------------------------------------------- */

static void call_failed(struct sl_dead_queue *q, const struct sl_err *e)
{
    if (q->failure.rc == SL_OK) {
        q->failure = *e;
    }
}

/* The queue refuses what it was sent, and would again: whose fault is it?  One letter is sent
 * alone to find out. */
static void call_refused(struct dead_call *call, const struct sl_err *e)
{
    if (call->n == 1) {
        letter_keep(call->letters[0], sl_str_of(e->msg));
    } else {
        call->q->was_refused = true;
    }
}

/* True when it is the letter's own fault, and no outage of the queue. */
static bool result_is_final(const struct sl_sqs_result *result, struct sl_err *e)
{
    const sl_rc rc = sl_sqs_error_report(400, result->code, SL_STR(""), e);

    return sl_rc_fate(rc) == SL_FATE_STOP || (rc == SL_UNAVAILABLE && result->is_sender_fault);
}

static void call_entries(struct dead_call *call, const struct sl_sqs_result *results)
{
    for (unsigned i = 0; i < call->n; i++) {
        struct sl_err e;

        call->letters[i]->is_sent = results[i].code.len == 0;
        if (call->letters[i]->is_sent) {
            continue;
        }
        if (result_is_final(&results[i], &e)) {
            letter_keep(call->letters[i], results[i].code);
        } else {
            call_failed(call->q, &e);
        }
    }
}

static void call_done(void *ctx, struct sl_http_reply *reply)
{
    SL_AUTO(sl_sqs_results_done) struct sl_sqs_results results;
    struct dead_call *call = ctx;
    struct sl_err e = { 0 };
    const sl_rc rc = sl_sqs_batch_read(call->q->parser, reply, call->n, &results, &e);

    sl_count_request(call->q->settings.requests, SL_SQS_ACTION_send, rc);
    call->is_out = false;
    call->q->calls_n--;
    if (rc == SL_OK) {
        call_entries(call, results.of);
    } else if (reply->rc == SL_OK &&
               (sl_rc_fate(rc) == SL_FATE_STOP || reply->status == HTTP_TOO_LARGE)) {
        call_refused(call, &e);
    } else {
        call_failed(call->q, &e);
    }
}

/* ---- requests -------------------------------------------------------------------------------- */

/* What stands beside a body; texts live as long as the record and this. */
struct letter_facts {
    struct sl_sqs_attribute attributes[ATTRIBUTES_N];
    char sent_at[32];
};

static void facts_fill(struct letter_facts *f, const struct sl_dead_queue *q,
                       const struct sl_record *r)
{
    const struct sl_verdict *v = &r->verdict;
    const struct sl_sqs_attribute all[ATTRIBUTES_N] = {
        { "sluice.reason", sl_str_of(sl_reason_code(v->reason)) },
        { "sluice.stage", sl_str_of(sl_reason_stage(v->reason)) },
        { "sluice.field", v->field },
        { "sluice.sqlstate", sl_str_of(v->sqlstate) },
        { "sluice.message_id", r->message_id },
        { "sluice.pipeline", q->settings.pipeline },
        { "sluice.sent_at", { f->sent_at, r->sent_at_ms > 0 ? strlen(f->sent_at) : 0 } },
        { "sluice.trace_id", sl_trace_text(&r->trace) },
    };

    memcpy(f->attributes, all, sizeof all);
}

static void body_write(struct sl_buf *out, const struct sl_record *r)
{
    char *room;

    sl_buf_add_str(out, SL_STR("{\"v\":1,\"message_id\":"));
    sl_buf_add_json(out, r->message_id);
    sl_buf_add_str(out, SL_STR(",\"sealed\":\""));
    room = sl_buf_reserve(out, sl_base64_chars(SL_BASE64, r->sealed.len));
    if (room != NULL) {
        out->len += sl_base64_encode(SL_BASE64, r->sealed.ptr, r->sealed.len, room);
    }
    sl_buf_add_str(out, SL_STR("\"}"));
    out->has_failed = out->has_failed || r->sealed.len == 0; /* a message lost */
}

static sl_rc call_send(struct dead_call *call, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf bodies = { .max_bytes = BODIES_MAX };
    struct sl_dead_queue *q = call->q;
    struct letter_facts facts[SL_SQS_BATCH];
    struct sl_sqs_entry entries[SL_SQS_BATCH] = { 0 };
    const struct sl_sqs_batch batch = { .wire = q->settings.wire,
                                        .queue_url = q->settings.url,
                                        .action = SL_SQS_ACTION_send,
                                        .entries = entries,
                                        .n = call->n,
                                        .timeout_ms = SEND_TIMEOUT_MS,
                                        .done = call_done,
                                        .ctx = call };
    const char *at;

    for (unsigned i = 0; i < call->n; i++) {
        const size_t begin = bodies.len;

        sl_clock_text(call->letters[i]->sent_at_ms, facts[i].sent_at);
        facts_fill(&facts[i], q, call->letters[i]);
        body_write(&bodies, call->letters[i]);
        entries[i].body.len = bodies.len - begin;
        entries[i].attributes = facts[i].attributes;
        entries[i].attributes_n = ATTRIBUTES_N;
        entries[i].fifo_id = q->is_fifo ? call->letters[i]->message_id : SL_STR("");
    }
    SL_TRY(sl_buf_rc(&bodies, e));
    at = bodies.ptr;
    for (unsigned i = 0; i < call->n; i++) {
        entries[i].body.ptr = at;
        at += entries[i].body.len;
    }
    return sl_sqs_batch_start(&q->caller, &batch, e);
}

static void call_start(struct dead_call *call)
{
    struct sl_err e;

    if (call_send(call, &e) != SL_OK) {
        call_failed(call->q, &e);
        return;
    }
    call->is_out = true;
    call->q->calls_n++;
}

/* Take the next letters: at most `most`, and no more bytes than a request may have. */
static void call_fill(struct dead_call *call, struct dead_letters *l, unsigned most)
{
    size_t bytes = 0;

    call->n = 0;
    for (; l->next < l->n && call->n < most; l->next++) {
        struct sl_record *r = l->of[l->next];

        if (!sl_record_is_stray(r) || letters_repeat(l, l->next)) {
            continue;
        }
        bytes += letter_bytes(r);
        if (bytes > SL_SQS_SEND_BYTES && call->n > 0) {
            return;
        }
        if (bytes > SL_SQS_SEND_BYTES) {
            letter_keep(r, SL_STR("TooLarge"));
            bytes = 0;
        } else {
            call->letters[call->n++] = r;
        }
    }
}

static bool may_send(const struct sl_dead_queue *q, const struct dead_letters *l)
{
    return l->next < l->n && q->failure.rc == SL_OK && sl_clock_now_ms() < l->due_ms;
}

static void send_some(struct sl_dead_queue *q, struct dead_letters *l, unsigned most)
{
    for (unsigned i = 0; i < CALLS_MAX && may_send(q, l); i++) {
        if (q->calls[i].is_out) {
            continue;
        }
        call_fill(&q->calls[i], l, most);
        if (q->calls[i].n > 0) {
            call_start(&q->calls[i]);
        }
    }
}

static void await_answers(struct sl_dead_queue *q)
{
    if (q->calls_n > 0) {
        (void)q->settings.wait.until(q->settings.wait.self, -1, 0,
                                     sl_clock_now_ms() + SEND_TIMEOUT_MS);
    }
}

/* Send what is not sent, until each request has its answer: one that came later would find the
 * records gone. */
static void send_round(struct sl_dead_queue *q, struct dead_letters *l, unsigned most)
{
    l->next = 0;
    l->due_ms = sl_clock_now_ms() + ROUND_MS;
    do {
        send_some(q, l, most);
        await_answers(q);
    } while (q->calls_n > 0 || may_send(q, l));
}

static sl_rc attempt_rc(const struct sl_dead_queue *q, struct sl_err *e)
{
    return q->failure.rc == SL_OK
               ? SL_OK
               : SL_FAIL(e, q->failure.rc, "dead-letter queue: %.1000s", q->failure.msg);
}

sl_rc sl_dead_queue_send(struct sl_dead_queue *q, struct sl_batch *b, struct sl_err *e)
{
    struct dead_letters letters;

    SL_TRY(letters_collect(q, b, &letters, e));
    q->failure.rc = SL_OK;
    q->was_refused = false;
    send_round(q, &letters, SL_SQS_BATCH);
    if (q->was_refused && q->failure.rc == SL_OK) {
        send_round(q, &letters, 1);
    }
    letters_mark_repeats(&letters);
    return attempt_rc(q, e);
}

/* ---- is it there ----------------------------------------------------------------------------- */

static void probe_done(void *ctx, struct sl_http_reply *reply)
{
    struct sl_dead_queue *q = ctx;
    struct sl_err e = reply->err;
    sl_rc rc = reply->rc;

    q->calls_n--;
    if (rc == SL_OK && reply->status != 200) {
        rc = sl_sqs_read_error(q->parser, reply->status, sl_str_of(reply->error_code),
                               sl_buf_str(&reply->body), &e);
    }
    sl_count_request(q->settings.requests, SL_SQS_ACTION_send, rc);
    /* Refused for what it says: it is there, and may be written to. */
    if (rc != SL_OK && sl_rc_fate(rc) == SL_FATE_RETRY) {
        call_failed(q, &e);
    }
}

sl_rc sl_dead_queue_probe(struct sl_dead_queue *q, struct sl_err *e)
{
    static const struct sl_sqs_entry none = { .body = { "none", 4 },
                                              .delay_s = SL_SQS_DELAY_MAX_S + 1 };
    const struct sl_sqs_batch batch = { .wire = q->settings.wire,
                                        .queue_url = q->settings.url,
                                        .action = SL_SQS_ACTION_send,
                                        .entries = &none,
                                        .n = 1,
                                        .timeout_ms = SEND_TIMEOUT_MS,
                                        .done = probe_done,
                                        .ctx = q };

    q->failure.rc = SL_OK;
    SL_TRY(sl_sqs_batch_start(&q->caller, &batch, e));
    q->calls_n++;
    while (q->calls_n > 0) {
        await_answers(q);
    }
    return attempt_rc(q, e);
}

/* ---- life ------------------------------------------------------------------------------------ */

struct sl_config sl_dead_queue_config(const struct sl_config *cfg)
{
    const sl_str region = sl_aws_region_of_url(cfg->dead_letter_url);
    const sl_str own =
        cfg->sqs.region.len > 0 ? cfg->sqs.region : sl_aws_region_of_url(cfg->sqs.queue_url);
    struct sl_config mine = *cfg;

    mine.sqs.queue_url = cfg->dead_letter_url;
    if (region.len > 0) {
        mine.sqs.region = region;
        mine.sqs.endpoint = sl_str_eq(region, own) ? cfg->sqs.endpoint : SL_STR("");
    }
    return mine;
}

sl_rc sl_dead_queue_check(const struct sl_sqs_attributes *queue,
                          const struct sl_sqs_attributes *dead, struct sl_err *e)
{
    return dead->arn[0] == '\0' || strcmp(queue->arn, dead->arn) != 0
               ? SL_OK
               : SL_FAIL(e, SL_CONFIG, "dead_letter is the queue that is read; give another one");
}

static bool url_is_fifo(sl_str url)
{
    const sl_str suffix = SL_STR(".fifo"); /* every FIFO queue has it, and no other */

    return url.len > suffix.len &&
           memcmp(url.ptr + url.len - suffix.len, suffix.ptr, suffix.len) == 0;
}

sl_rc sl_dead_queue_open(const struct sl_dead_queue_settings *settings, struct sl_dead_queue **ret,
                         struct sl_err *e)
{
    struct sl_dead_queue *q = calloc(1, sizeof *q);

    if (q == NULL || sl_json_parser_new(SL_SQS_BATCH_REPLY_BYTES, &q->parser, e) != SL_OK) {
        free(q);
        return SL_FAIL(e, SL_NOMEM, "could not make a dead-letter queue");
    }
    q->settings = *settings;
    q->caller = (struct sl_aws_caller){ .http = settings->http, .target = *settings->target };
    q->is_fifo = url_is_fifo(settings->url);
    sl_arena_init(&q->arena, ARENA_MAX, 16 << 10);
    for (unsigned i = 0; i < CALLS_MAX; i++) {
        q->calls[i].q = q;
    }
    *ret = q;
    return SL_OK;
}

void sl_dead_queue_close(struct sl_dead_queue *q)
{
    if (q == NULL) {
        return;
    }
    sl_json_parser_free(q->parser);
    sl_arena_done(&q->arena);
    sl_sigv4_key_done(&q->caller.key);
    free(q);
}
