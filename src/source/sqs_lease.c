/* source/sqs_lease.c - receipt handles until their message is deleted or handed back. */
#include "source/sqs_lease.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/fault_point.h"
#include "source/sqs_batch.h"
#include "telemetry/log.h"

enum {
    CALL_TIMEOUT_MS = 20000,
    HEARTBEAT_MIN_MS = 500, /* between two of one lease, and until one is given up */
    REPEAT_TRIES = 16,      /* failures until it is said again */
    DELETE_TRIES = 5,       /* refusals of one entry until it is left to come back */
    RETRY_MS = 500,         /* after a refusal */
    IDLE_MS = 60000,
    HELD_MAX_MS = 43200000, /* 12 h from the receive: SQS extends no further */
};

/* A request about a lease: which of its entries it carries. */
struct lease_call {
    struct sl_leases *l;
    struct sl_lease *lease;
    enum sl_lease_state about; /* HELD is a heartbeat */
    unsigned n;
    struct sl_lease_entry *entries[SL_SQS_BATCH];
};

static void lease_link(struct sl_leases *l, struct sl_lease *lease)
{
    lease->prev = l->last;
    if (l->last != NULL) {
        l->last->next = lease;
    } else {
        l->first = lease;
    }
    l->last = lease;
}

static void lease_unlink(struct sl_leases *l, struct sl_lease *lease)
{
    *(lease->prev != NULL ? &lease->prev->next : &l->first) = lease->next;
    *(lease->next != NULL ? &lease->next->prev : &l->last) = lease->prev;
}

static bool lease_is_over(const struct sl_lease *lease)
{
    return lease->calls == 0 && lease->in_state[SL_LEASE_GONE] == lease->n;
}

static void lease_free(struct sl_leases *l, struct sl_lease *lease)
{
    lease_unlink(l, lease);
    l->redelivered -= lease->has_redelivery;
    free(lease);
}

static struct sl_lease *lease_new(const struct sl_sqs_message *messages, unsigned n)
{
    size_t text_len = 0;

    for (unsigned i = 0; i < n; i++) {
        text_len += messages[i].message_id.len + messages[i].receipt_handle.len;
    }
    return calloc(1, sizeof(struct sl_lease) + text_len);
}

/* One handle twice in one request is refused whole by some servers. */
static struct sl_lease_entry *lease_find(struct sl_lease *lease, sl_str handle)
{
    for (unsigned i = 0; i < lease->n; i++) {
        if (sl_str_eq(lease->entries[i].handle, handle)) {
            return &lease->entries[i];
        }
    }
    return NULL;
}

static struct sl_lease_entry *lease_add(struct sl_lease *lease, const struct sl_sqs_message *m,
                                        char *at)
{
    struct sl_lease_entry *entry = &lease->entries[lease->n++];
    const sl_str id = m->message_id;
    const sl_str handle = m->receipt_handle;

    memcpy(at, id.ptr, id.len);
    memcpy(at + id.len, handle.ptr, handle.len);
    *entry = (struct sl_lease_entry){ .lease = lease,
                                      .message_id = { at, id.len },
                                      .handle = { at + id.len, handle.len } };
    return entry;
}

/* A part of the visibility timeout, in ms; never so short that nothing else gets done. */
static int64_t timeout_part(const struct sl_leases *l, unsigned divisor)
{
    const int64_t part_ms = (int64_t)l->visibility_timeout_s * 1000 / divisor;

    return part_ms < HEARTBEAT_MIN_MS ? HEARTBEAT_MIN_MS : part_ms;
}

static bool leases_add_ten(struct sl_leases *l, const struct sl_sqs_message *messages, unsigned n,
                           int64_t received_due_ms, struct sl_lease_entry **ret_entries)
{
    struct sl_lease *lease = lease_new(messages, n);
    char *at = lease == NULL ? NULL : lease->text;

    if (lease == NULL) {
        return false;
    }
    lease->received_due_ms = received_due_ms;
    lease->extend_due_ms = received_due_ms + timeout_part(l, 2);
    for (unsigned i = 0; i < n; i++) {
        ret_entries[i] = lease_find(lease, messages[i].receipt_handle);
        lease->has_redelivery = lease->has_redelivery || messages[i].receive_count != 1;
        if (ret_entries[i] == NULL) {
            ret_entries[i] = lease_add(lease, &messages[i], at);
            at += messages[i].message_id.len + messages[i].receipt_handle.len;
        }
    }
    lease->in_state[SL_LEASE_HELD] = lease->n;
    l->held += lease->n;
    l->redelivered += lease->has_redelivery;
    lease_link(l, lease);
    if (lease->extend_due_ms < l->walk_due_ms) {
        l->walk_due_ms = lease->extend_due_ms;
    }
    if (l->walk_due_ms < l->tick_due_ms) {
        l->tick_due_ms = l->walk_due_ms;
    }
    return true;
}

bool sl_leases_add(struct sl_leases *l, const struct sl_sqs_message *messages, unsigned n,
                   int64_t received_due_ms, struct sl_lease_entry **ret_entries)
{
    for (unsigned i = 0; i < n; i += SL_SQS_BATCH) {
        const unsigned ten = n - i < SL_SQS_BATCH ? n - i : SL_SQS_BATCH;

        if (!leases_add_ten(l, messages + i, ten, received_due_ms, ret_entries + i)) {
            return false;
        }
    }
    return true;
}

static bool is_owed(enum sl_lease_state state)
{
    return state == SL_LEASE_DELETE || state == SL_LEASE_RETURN;
}

/* The only place where an entry changes state, so that the sums stay right. */
static void entry_set(struct sl_leases *l, struct sl_lease_entry *entry, enum sl_lease_state state)
{
    l->held -= entry->state == SL_LEASE_HELD;
    l->owed -= is_owed(entry->state);
    entry->lease->in_state[entry->state]--;
    entry->lease->in_state[state]++;
    entry->state = state;
    l->held += entry->state == SL_LEASE_HELD;
    l->owed += is_owed(entry->state);
    l->tick_due_ms = 0;
}

void sl_leases_delete(struct sl_leases *l, struct sl_lease_entry *entry)
{
    entry_set(l, entry, SL_LEASE_DELETE);
}

void sl_leases_return(struct sl_leases *l, struct sl_lease_entry *entry)
{
    if (entry->state == SL_LEASE_HELD) {
        entry_set(l, entry, SL_LEASE_RETURN);
    }
}

void sl_leases_leave(struct sl_leases *l, struct sl_lease_entry *entry)
{
    if (entry->state == SL_LEASE_HELD) {
        entry_set(l, entry, SL_LEASE_GONE);
    }
}

void sl_leases_keep(struct sl_leases *l, bool is_keeping, unsigned return_after_s)
{
    if (l->is_keeping && !is_keeping) {
        l->tick_due_ms = 0;
    }
    l->is_keeping = is_keeping;
    l->return_after_s = return_after_s;
}

void sl_leases_return_all(struct sl_leases *l)
{
    for (struct sl_lease *lease = l->first; lease != NULL; lease = lease->next) {
        for (unsigned i = 0; i < lease->n; i++) {
            sl_leases_return(l, &lease->entries[i]);
        }
    }
}

/* A redelivery makes older handles stale: a delete with one may succeed and delete nothing. */
static sl_str newest_handle(const struct sl_leases *l, const struct sl_lease_entry *entry)
{
    if (l->redelivered == 0) {
        return entry->handle;
    }
    for (const struct sl_lease *lease = l->last; lease != entry->lease; lease = lease->prev) {
        for (unsigned i = 0; i < lease->n; i++) {
            if (sl_str_eq(lease->entries[i].message_id, entry->message_id)) {
                return lease->entries[i].handle;
            }
        }
    }
    return entry->handle;
}

/* ---- answers ------------------------------------------------------------------------------------- */

/* An expired or unknown handle will not get better; anything else may. */
static bool is_final(sl_str code)
{
    return sl_str_eq(code, SL_STR("ReceiptHandleIsInvalid")) ||
           sl_str_eq(code, SL_STR("InvalidParameterValue"));
}

static void entry_refused(struct lease_call *call, struct sl_lease_entry *entry, sl_str code)
{
    struct sl_leases *l = call->l;

    if (call->about == SL_LEASE_HELD) { /* somebody else's by now, the ledger sorts it out */
        sl_count(&l->counters->visibility_failed, 1);
        return;
    }
    entry->tries++;
    if (entry->tries < DELETE_TRIES && !is_final(code)) {
        return;
    }
    if (entry->state == SL_LEASE_RETURN) {
        sl_count(&l->counters->visibility_failed, 1);
    } else if (entry->state == SL_LEASE_DELETE) {
        sl_count(&l->counters->delete_failed, 1);
        SL_LOG(SL_LOG_WARN, "could not delete a message; it will come back as a duplicate",
               sl_field_str("sluice.stage", SL_STR("ack")),
               sl_field_str("sluice.message_id", entry->message_id),
               sl_field_str("error.code", code));
    }
    entry_set(l, entry, SL_LEASE_GONE);
}

static void entry_answered(struct lease_call *call, struct sl_lease_entry *entry)
{
    struct sl_leases *l = call->l;

    if (call->about == SL_LEASE_HELD) {
        sl_count(&l->counters->extended, 1);
        return;
    }
    if (call->about == SL_LEASE_DELETE) {
        sl_count(&l->counters->deleted, 1);
        atomic_store(&l->counters->last_ack_due_ms, sl_clock_now_ms());
    }
    entry_set(l, entry, SL_LEASE_GONE);
}

/* The queue refuses the whole request, and would again: as if it refused each entry. */
static void call_refused(struct lease_call *call)
{
    for (unsigned i = 0; i < call->n && call->about != SL_LEASE_HELD; i++) {
        entry_refused(call, call->entries[i], SL_STR("RequestRefused"));
    }
}

/* No usable answer: ask again later, all of it; repeating a delete is safe.  A heartbeat cannot
 * wait as long. */
static void call_unanswered(struct lease_call *call, const struct sl_err *e, unsigned least_ms)
{
    struct sl_leases *l = call->l;
    const int64_t now_ms = sl_clock_now_ms();
    const int64_t backoff_ms = sl_backoff_next(&l->backoff);
    const int64_t wait_ms = backoff_ms > least_ms ? backoff_ms : least_ms;
    const int64_t longest_ms = timeout_part(l, 8);

    if (l->backoff.tries % REPEAT_TRIES == 1) {
        sl_log_err(SL_LOG_WARN, "could not tell the queue; trying again", e);
    }
    sl_concurrency_reset(&l->in_flight);
    if (call->about == SL_LEASE_HELD) {
        sl_count(&l->counters->visibility_failed, call->n);
        call->lease->extend_due_ms = now_ms + (wait_ms < longest_ms ? wait_ms : longest_ms);
        l->walk_due_ms = 0; /* all are looked at again */
    } else {
        call->lease->retry_due_ms = now_ms + wait_ms;
    }
}

static sl_rc call_read(struct lease_call *call, const struct sl_http_reply *reply, struct sl_err *e)
{
    SL_AUTO(sl_sqs_results_done) struct sl_sqs_results results;

    SL_TRY(sl_sqs_batch_read(call->l->parser, reply, call->n, &results, e));
    sl_backoff_reset(&call->l->backoff);
    if (call->about != SL_LEASE_HELD) {
        sl_concurrency_more(&call->l->in_flight, reply->took_us);
    }
    call->lease->retry_due_ms = 0;
    for (unsigned i = 0; i < call->n; i++) {
        if (results.of[i].code.len == 0) {
            entry_answered(call, call->entries[i]);
        } else {
            entry_refused(call, call->entries[i], results.of[i].code);
            call->lease->retry_due_ms = sl_clock_now_ms() + RETRY_MS;
        }
    }
    return SL_OK;
}

static enum sl_sqs_action call_action(const struct lease_call *call)
{
    return call->about == SL_LEASE_DELETE ? SL_SQS_ACTION_delete : SL_SQS_ACTION_visibility;
}

static void call_done(void *ctx, struct sl_http_reply *reply)
{
    struct lease_call *call = ctx;
    struct sl_lease *lease = call->lease;
    struct sl_err e;
    sl_rc rc;

    call->l->calls--;
    lease->calls--;
    lease->is_extending = lease->is_extending && call->about != SL_LEASE_HELD;
    if (call->about == SL_LEASE_DELETE) {
        SL_FAULT_POINT(deleted);
    }
    if (call->about == SL_LEASE_RETURN) {
        SL_FAULT_POINT(handed_back);
    }
    call->l->tick_due_ms = 0;
    rc = call_read(call, reply, &e);
    sl_count_request(&call->l->counters->requests, call_action(call), rc);
    if (rc != SL_OK && rc != SL_STOPPED && sl_rc_fate(rc) == SL_FATE_STOP) {
        call_refused(call);
    }
    if (rc != SL_OK && rc != SL_STOPPED) {
        call_unanswered(call, &e, reply->retry_after_ms);
    }
    if (lease_is_over(lease)) {
        lease_free(call->l, lease);
    }
    free(call);
}

/* ---- requests ------------------------------------------------------------------------------------ */

/* A heartbeat without an answer must leave time for another one. */
static unsigned call_timeout_ms(const struct lease_call *call)
{
    const int64_t part_ms = timeout_part(call->l, 4);

    return call->about == SL_LEASE_HELD && part_ms < CALL_TIMEOUT_MS ? (unsigned)part_ms
                                                                     : CALL_TIMEOUT_MS;
}

static void call_send(struct lease_call *call)
{
    struct sl_leases *l = call->l;
    const bool is_heartbeat = call->about == SL_LEASE_HELD;
    struct sl_sqs_entry entries[SL_SQS_BATCH] = { 0 };
    const struct sl_sqs_batch batch = {
        .wire = l->wire,
        .queue_url = l->queue_url,
        .action = call_action(call),
        .visible_after_s = is_heartbeat ? l->visibility_timeout_s : l->return_after_s,
        .entries = entries,
        .n = call->n,
        .timeout_ms = call_timeout_ms(call),
        .done = call_done,
        .ctx = call,
    };
    struct sl_err e;

    for (unsigned i = 0; i < call->n; i++) {
        entries[i].receipt_handle = newest_handle(l, call->entries[i]);
    }
    if (sl_sqs_batch_start(l->caller, &batch, &e) != SL_OK) {
        call_unanswered(call, &e, 0);
        free(call);
        return;
    }
    if (call->about == SL_LEASE_DELETE) {
        SL_FAULT_POINT(deleting);
    }
    l->calls++;
    call->lease->calls++;
    call->lease->is_extending = call->lease->is_extending || is_heartbeat;
}

/* Start one request for the entries of a lease that are in a state. */
static void lease_send(struct sl_leases *l, struct sl_lease *lease, enum sl_lease_state about)
{
    struct lease_call *call = calloc(1, sizeof *call);

    if (call == NULL) {
        lease->retry_due_ms = sl_clock_now_ms() + RETRY_MS;
        return;
    }
    *call = (struct lease_call){ .l = l, .lease = lease, .about = about };
    for (unsigned i = 0; i < lease->n; i++) {
        if (lease->entries[i].state == about) {
            call->entries[call->n++] = &lease->entries[i];
        }
    }
    call_send(call);
}

static void lease_extend(struct sl_leases *l, struct sl_lease *lease, int64_t now_ms)
{
    const int64_t timeout_ms = (int64_t)l->visibility_timeout_s * 1000;

    lease->extend_due_ms = now_ms + timeout_part(l, 2);
    if (!lease->is_extending && now_ms + timeout_ms < lease->received_due_ms + HELD_MAX_MS) {
        lease_send(l, lease, SL_LEASE_HELD);
    }
}

/* Send what is due for one lease.  Returns: when it wants to be looked at again. */
static int64_t lease_tick(struct sl_leases *l, struct sl_lease *lease, int64_t now_ms)
{
    const bool has_held = lease->in_state[SL_LEASE_HELD] > 0;
    const bool has_delete = lease->in_state[SL_LEASE_DELETE] > 0;
    const bool has_return = !l->is_keeping && lease->in_state[SL_LEASE_RETURN] > 0;

    /* Heartbeats come before the limit on requests: a late one costs a redelivery. */
    if (has_held && now_ms >= lease->extend_due_ms) {
        lease_extend(l, lease, now_ms);
    }
    if ((has_delete || has_return) && lease->calls == 0 && now_ms >= lease->retry_due_ms &&
        l->calls < l->in_flight.target) {
        lease_send(l, lease, has_delete ? SL_LEASE_DELETE : SL_LEASE_RETURN);
    }
    if ((has_delete || has_return) && lease->calls == 0 && lease->retry_due_ms > now_ms) {
        return lease->retry_due_ms;
    }
    return has_held ? lease->extend_due_ms : now_ms + IDLE_MS;
}

/* Between heartbeats only the oldest matter, which are those to be deleted: up to where no more
 * requests may go out, or nothing is owed.  An answer that comes is the next tick. */
static bool is_walked(const struct sl_leases *l, unsigned owed, int64_t now_ms)
{
    return now_ms < l->walk_due_ms && (owed >= l->owed || l->calls >= l->in_flight.target);
}

int64_t sl_leases_tick(struct sl_leases *l)
{
    const int64_t now_ms = sl_clock_now_ms();
    struct sl_lease *lease = l->first;
    int64_t due_ms = now_ms + IDLE_MS;
    unsigned owed = 0;

    if (now_ms < l->tick_due_ms) {
        return l->tick_due_ms;
    }
    while (lease != NULL && !is_walked(l, owed, now_ms)) {
        struct sl_lease *next = lease->next;

        if (lease_is_over(lease)) {
            lease_free(l, lease);
        } else {
            const int64_t lease_due_ms = lease_tick(l, lease, now_ms);

            owed += lease->in_state[SL_LEASE_DELETE] + lease->in_state[SL_LEASE_RETURN];
            due_ms = lease_due_ms < due_ms ? lease_due_ms : due_ms;
        }
        lease = next;
    }
    if (lease == NULL) {
        l->walk_due_ms = due_ms; /* all have been asked */
    }
    l->tick_due_ms = due_ms < l->walk_due_ms ? due_ms : l->walk_due_ms;
    return l->tick_due_ms;
}

void sl_leases_done(struct sl_leases *l)
{
    struct sl_lease *next;

    for (struct sl_lease *lease = l->first; lease != NULL; lease = next) {
        next = lease->next;
        free(lease);
    }
    l->first = NULL;
    l->last = NULL;
}
