/* source/sqs_lease.h - what one receive reply has lent: up to ten receipt handles, invisible to
 * others until their time is up.
 *
 * A lease outlives the batch of its messages: it keeps the handles until each message is deleted
 * or handed back, and sends the heartbeats meanwhile.
 */
#ifndef SLUICE_SOURCE_SQS_LEASE_H
#define SLUICE_SOURCE_SQS_LEASE_H

#include "base/json.h"
#include "net/backoff.h"
#include "net/concurrency.h"
#include "source/sqs_call.h"
#include "source/sqs_json.h"
#include "telemetry/counters.h"

enum sl_lease_state {
    SL_LEASE_HELD,   /* in flight here: kept invisible */
    SL_LEASE_DELETE, /* committed: to be deleted */
    SL_LEASE_RETURN, /* to be made visible again */
    SL_LEASE_GONE,
    SL_LEASE_STATES,
};

struct sl_lease;

struct sl_lease_entry {
    struct sl_lease *lease;
    sl_str message_id;
    sl_str handle;
    enum sl_lease_state state;
    unsigned tries; /* deletes that the queue refused */
};

struct sl_lease {
    struct sl_lease *prev;
    struct sl_lease *next;
    int64_t received_due_ms; /* monotonic, when it was asked for: the timeout began no earlier */
    int64_t extend_due_ms;
    int64_t retry_due_ms; /* of a refused delete or hand-back */
    unsigned calls;       /* requests out about it */
    bool is_extending;    /* one of them a heartbeat */
    bool has_redelivery;  /* of a message that may stand in an older lease, too */
    unsigned n;
    unsigned in_state[SL_LEASE_STATES]; /* how many of its entries */
    struct sl_lease_entry entries[SL_SQS_BATCH];
    char text[]; /* ids and handles */
};

/* All leases of a worker, oldest first. */
struct sl_leases {
    struct sl_aws_caller *caller;
    const struct sl_sqs_wire *wire;
    struct sl_json_parser *parser;
    struct sl_counters *counters;
    sl_str queue_url;
    unsigned visibility_timeout_s;
    struct sl_lease *first;
    struct sl_lease *last;
    unsigned held;                   /* entries in state HELD */
    unsigned owed;                   /* entries in state DELETE or RETURN */
    unsigned calls;                  /* requests out */
    struct sl_concurrency in_flight; /* deletes and hand-backs wanted out */
    unsigned redelivered;            /* leases with has_redelivery */
    bool is_keeping;                 /* no hand-backs for now */
    unsigned return_after_s;         /* what is handed back is visible so much later */
    int64_t tick_due_ms;
    int64_t walk_due_ms;       /* when all are looked at: the next heartbeat */
    struct sl_backoff backoff; /* after a request without an answer */
};

/* Lend: remember the handles of a reply, in leases of up to ten.
 *
 * Shape:   ret_entries has room for n; a message that stands twice in the reply with one handle
 *          has one entry
 * Returns: false when memory ran out; some may be remembered then, and come back by themselves
 */
bool sl_leases_add(struct sl_leases *l, const struct sl_sqs_message *messages, unsigned n,
                   int64_t received_due_ms, struct sl_lease_entry **ret_entries);

/* Say what is to become of a message; the request goes out with the next tick.  What is to be
 * deleted is not handed back any more. */
void sl_leases_delete(struct sl_leases *l, struct sl_lease_entry *entry);
void sl_leases_return(struct sl_leases *l, struct sl_lease_entry *entry);

/* Forget a message: it comes back by itself when its visibility timeout is over. */
void sl_leases_leave(struct sl_leases *l, struct sl_lease_entry *entry);

/* Send no hand-backs for now; or send them, for others to see after so many seconds: an open long
 * poll of ours, or one just given up, would swallow them again. */
void sl_leases_keep(struct sl_leases *l, bool is_keeping, unsigned return_after_s);

/* Hand back every message that is held. */
void sl_leases_return_all(struct sl_leases *l);

/* Send what is due: heartbeats at half the visibility timeout, deletes, hand-backs.
 * Returns: when to call again (monotonic ms). */
int64_t sl_leases_tick(struct sl_leases *l);

/* Free all, with no further request; their requests must have ended. */
void sl_leases_done(struct sl_leases *l);

#endif
