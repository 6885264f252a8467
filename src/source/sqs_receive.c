/* source/sqs_receive.c - receives in flight. */
#include "source/sqs_receive.h"

#include <stdlib.h>

#include "base/clock.h"

enum {
    RECEIVES_MAX = 64,     /* in flight, when the configuration leaves it to us */
    TREE_BYTES = 12 << 10, /* what the parser makes of ten messages, beside their text */
    TREE_MAX = 512 << 20,
    BODY_MAX = 64 << 10,       /* of a request */
    ANSWER_TIMEOUT_MS = 20000, /* beyond the long poll itself */
    QUICK_MS = 200,            /* an empty answer sooner than this is no long poll */
    REFUSED_MS = 100,          /* until we ask again when we may have no more, or have no memory */
};

/* One receive, until its answer. */
struct receive {
    struct sl_receives *receives;
    unsigned asked;
    int64_t started_ms;
    struct sl_sqs_attempt attempt; /* of a FIFO queue */
};

/* ---- a reply arrives -------------------------------------------------------------------------- */

/* What was asked for and did not come may be asked for again. */
static void receive_settle(struct receive *receive, unsigned n)
{
    sl_sqs_quota_give(receive->receives->settings->shared,
                      n < receive->asked ? receive->asked - n : 0);
    receive->asked = 0;
}

/* Ask again at once only if the queue made us wait, or had something. */
static void receive_pace(const struct receive *receive, unsigned n, int64_t took_us)
{
    struct sl_receives *receives = receive->receives;
    const int64_t now_ms = sl_clock_now_ms();

    receives->was_empty = n == 0;
    if (n >= receive->asked) {
        sl_concurrency_more(&receives->in_flight, took_us);
    } else if (n == 0) {
        sl_concurrency_reset(&receives->in_flight);
    } else if (2 * n < receive->asked) { /* each costs money */
        sl_concurrency_less(&receives->in_flight);
    }
    if (n == 0 && now_ms - receive->started_ms < QUICK_MS) {
        receives->due_ms = now_ms + QUICK_MS;
    }
}

static sl_rc receive_keep(const struct receive *receive, struct sl_sqs_message *messages,
                          unsigned n, struct sl_err *e)
{
    struct sl_receives *receives = receive->receives;
    const unsigned kept = sl_altered_leave(&receives->altered, messages, n);
    sl_rc rc = SL_OK;

    if (kept > 0) {
        rc = sl_replies_add(receives->replies, messages, kept, receive->started_ms, e);
        sl_count(&receives->settings->counters->returned, rc == SL_OK ? 0 : kept);
    }
    return rc;
}

/* Nothing of the HTTP reply is needed once it has been read, and of what the parser makes of it the
 * least part: only that waits for a batch. */
static sl_rc receive_read(struct receive *receive, const struct sl_http_reply *http,
                          struct sl_err *e)
{
    struct sl_receives *receives = receive->receives;
    struct sl_counters *counters = receives->settings->counters;
    SL_AUTO(sl_arena_done) struct sl_arena tree;
    struct sl_sqs_message *messages = NULL;
    unsigned n = 0;

    sl_arena_init(&tree, TREE_MAX, http->body.len + TREE_BYTES);
    SL_TRY(sl_sqs_read_receive(receives->parser, sl_buf_str(&http->body), &tree, &messages, &n, e));
    sl_count(&counters->received, n);
    sl_count(&counters->received_bytes, n > 0 ? http->body.len : 0);
    sl_replies_learn(receives->replies, http->body.cap + tree.held_bytes);
    receive_pace(receive, n, http->took_us);
    receive_settle(receive, n);
    return receive_keep(receive, messages, n, e);
}

static sl_rc receive_answered(struct receive *receive, struct sl_http_reply *reply,
                              struct sl_err *e)
{
    struct sl_receives *receives = receive->receives;
    sl_rc rc = reply->rc;

    if (rc != SL_OK) {
        *e = reply->err;
    } else if (reply->status == 200) {
        rc = receive_read(receive, reply, e);
    } else {
        rc = sl_sqs_read_error(receives->parser, reply->status, sl_str_of(reply->error_code),
                               sl_buf_str(&reply->body), e);
        if (rc == SL_DENIED) {
            (void)sl_aws_clock_learn(&receives->caller->target,
                                     sl_http_server_at_s(reply)); /* for the next one */
        }
    }
    return rc;
}

static void receive_failed(const struct receive *receive, const struct sl_err *e, unsigned least_ms)
{
    struct sl_receives *receives = receive->receives;
    unsigned wait_ms;

    sl_sqs_quota_give(receives->settings->shared, receive->asked);
    receives->error = *e;
    receives->was_empty = false;
    sl_concurrency_reset(&receives->in_flight);
    receives->backoff.base_ms = e->rc == SL_THROTTLED || e->rc == SL_DENIED ? 1000 : 100;
    wait_ms = sl_backoff_next(&receives->backoff);
    receives->due_ms = sl_clock_now_ms() + (wait_ms > least_ms ? wait_ms : least_ms);
}

/* What SQS may have given is asked for again.  It need not know the id any more: that is no mistake
 * of ours, and the next receive has another one. */
static void receive_lost(const struct receive *receive, struct sl_err *e)
{
    if (e->rc == SL_DISCONNECTED || e->rc == SL_TIMEOUT || e->rc == SL_UNAVAILABLE) {
        sl_sqs_attempt_lost(&receive->receives->attempts, &receive->attempt);
    } else if (receive->attempt.is_repeated && sl_rc_fate(e->rc) == SL_FATE_STOP) {
        e->rc = SL_UNAVAILABLE;
    }
}

/* One that we gave up ourselves says nothing of the queue. */
static void receive_count(struct sl_counters *counters, sl_rc rc)
{
    sl_count_request(&counters->requests, SL_SQS_ACTION_receive, rc);
    if (rc != SL_STOPPED) {
        atomic_store(&counters->receive_rc, (unsigned)rc);
    }
}

static void receive_done(void *ctx, struct sl_http_reply *reply)
{
    struct receive *receive = ctx;
    struct sl_receives *receives = receive->receives;
    struct sl_err e;
    sl_rc rc;

    receives->out--;
    rc = receive_answered(receive, reply, &e);
    receive_count(receives->settings->counters, rc);
    if (rc == SL_OK) {
        sl_backoff_reset(&receives->backoff);
    } else {
        receive_lost(receive, &e);
        receive_failed(receive, &e, reply->retry_after_ms);
    }
    free(receive);
}

/* ---- receives go out -------------------------------------------------------------------------- */

/* How long a poll may last by itself. */
static unsigned poll_max_s(const struct sl_sqs_settings *set)
{
    return set->wait_time_s * (set->wire->waits_again ? SL_SQS_BATCH : 1);
}

static void receive_write(const struct receive *receive, struct sl_buf *body)
{
    const struct sl_receives *receives = receive->receives;
    const struct sl_sqs_settings *set = receives->settings;
    const struct sl_sqs_receive request = {
        .queue_url = set->cfg->sqs.queue_url,
        .max_messages = receive->asked,
        .wait_time_s = set->wait_time_s,
        .visibility_timeout_s = set->sets_visibility ? set->visibility_timeout_s : 0,
        .attributes = receives->attributes,
        .attributes_n = receives->attributes_n,
        .is_fifo = set->is_fifo,
        .wants_trace = receives->wants_trace,
        .attempt_id = sl_str_of(receive->attempt.id),
    };

    set->wire->write_receive(body, &request);
}

static sl_rc receive_send(struct receive *receive, struct sl_err *e)
{
    const struct sl_sqs_settings *set = receive->receives->settings;
    struct sl_sqs_call call = { .wire = set->wire,
                                .action = "ReceiveMessage",
                                .timeout_ms = poll_max_s(set) * 1000 + ANSWER_TIMEOUT_MS,
                                .reply_max_bytes = SL_RECEIVE_REPLY_MAX,
                                .done = receive_done,
                                .ctx = receive };
    struct sl_buf body;
    sl_rc rc;

    sl_buf_init(&body, BODY_MAX);
    receive_write(receive, &body);
    call.body = sl_buf_str(&body);
    rc = sl_buf_rc(&body, e);
    if (rc == SL_OK) {
        rc = sl_sqs_call_start(receive->receives->caller, &call, e);
    }
    sl_buf_done(&body);
    return rc;
}

/* NULL: not now. */
static struct receive *receive_new(struct sl_receives *receives)
{
    const struct sl_sqs_settings *set = receives->settings;
    struct receive *receive = calloc(1, sizeof *receive);
    const unsigned asked =
        receive == NULL ? 0 : sl_sqs_quota_take(set->shared, sl_replies_ask_n(receives->replies));

    if (asked == 0) {
        free(receive);
        return NULL;
    }
    *receive =
        (struct receive){ .receives = receives, .asked = asked, .started_ms = sl_clock_now_ms() };
    if (set->is_fifo) {
        receive->attempt = sl_sqs_attempt_next(&receives->attempts, receive->started_ms,
                                               (int64_t)set->visibility_timeout_s * 1000);
    }
    return receive;
}

static void receive_start(struct sl_receives *receives)
{
    struct receive *receive = receive_new(receives);
    struct sl_err e;

    if (receive == NULL) {
        receives->due_ms = sl_clock_now_ms() + REFUSED_MS;
    } else if (receive_send(receive, &e) != SL_OK) {
        receive_failed(receive, &e, 0);
        free(receive);
    } else {
        receives->out++;
        receives->asked_ms = receive->started_ms;
    }
}

int64_t sl_receives_tick(struct sl_receives *receives, bool may_ask)
{
    const unsigned fixed = receives->settings->cfg->sqs.receives;

    while (may_ask && receives->out < (fixed != 0 ? fixed : receives->in_flight.target) &&
           sl_replies_have_room(receives->replies, receives->out) &&
           sl_clock_now_ms() >= receives->due_ms) {
        receive_start(receives);
    }
    return may_ask && receives->due_ms > sl_clock_now_ms() ? receives->due_ms : INT64_MAX;
}

/* ---- what others ask -------------------------------------------------------------------------- */

sl_rc sl_receives_error(struct sl_receives *receives, struct sl_err *e)
{
    const sl_rc rc = receives->error.rc;

    if (rc != SL_OK && e != NULL) {
        *e = receives->error;
    }
    receives->error.rc = SL_OK;
    return rc;
}

unsigned sl_receives_end_in_s(const struct sl_receives *receives)
{
    const int64_t left_ms =
        receives->asked_ms + (int64_t)receives->settings->wait_time_s * 1000 - sl_clock_now_ms();

    return receives->out == 0 || left_ms <= 0 ? 0 : (unsigned)(left_ms / 1000 + 1);
}

/* ---- life ------------------------------------------------------------------------------------- */

static void want_attribute(struct sl_receives *receives, sl_str name)
{
    unsigned k = 0;

    while (k < receives->attributes_n && !sl_str_eq(receives->attributes[k], name)) {
        k++;
    }
    if (k == receives->attributes_n && k < SL_RECEIVE_ATTRIBUTES) {
        receives->attributes[receives->attributes_n++] = name;
    }
}

static void want_column(struct sl_receives *receives, const struct sl_column *column)
{
    if (column->from == SL_FROM_ATTRIBUTE &&
        !sl_config_has_own_attributes(receives->settings->cfg)) {
        want_attribute(receives, column->attribute);
    }
}

static void want_attributes(struct sl_receives *receives)
{
    const struct sl_config *cfg = receives->settings->cfg;

    receives->wants_trace = sl_config_wants_trace(cfg);
    if (receives->wants_trace) {
        want_attribute(receives, SL_STR(SL_TRACE_ATTRIBUTE));
    }
    want_column(receives, &cfg->dedup_from);
    for (unsigned i = 0; i < cfg->columns_n; i++) {
        want_column(receives, &cfg->columns[i]);
    }
}

void sl_receives_init(struct sl_receives *receives, const struct sl_sqs_settings *settings,
                      struct sl_aws_caller *caller, struct sl_json_parser *parser,
                      struct sl_replies *replies)
{
    *receives = (struct sl_receives){
        .settings = settings,
        .caller = caller,
        .parser = parser,
        .replies = replies,
        .backoff = { .base_ms = 100, .cap_ms = 20000, .random = (uint64_t)sl_clock_at_ms() },
    };
    sl_concurrency_init(&receives->in_flight, 2, RECEIVES_MAX);
    sl_altered_init(&receives->altered, settings);
    want_attributes(receives);
}

void sl_receives_done(struct sl_receives *receives)
{
    sl_altered_done(&receives->altered);
}
