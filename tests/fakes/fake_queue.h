/* tests/fakes/fake_queue.h - queues and what they do with messages.  No I/O; time is passed in.
 *
 * A queue is made of groups: a FIFO queue of one for each group id, any other of a single one.  A
 * group of a FIFO queue is locked while a message of it is in flight.
 *
 * As on AWS, except: messages do not expire (retention is kept and said), a message that returns
 * goes to the end of a standard queue, and a dead letter gets a new id at once, where AWS promises
 * one only when it is moved back: the harder case for whoever counts by id.
 */
#ifndef FAKE_QUEUE_H
#define FAKE_QUEUE_H

#include "fake_message.h"

enum {
    FAKE_NAME_MAX = 80,            /* characters, SQS limit */
    FAKE_RECEIVE_MAX = 10,         /* messages a receive, SQS limit */
    FAKE_IN_FLIGHT_MAX = 120000,   /* messages a queue, SQS limit */
    FAKE_ATTEMPTS = 64,            /* remembered, a queue */
    FAKE_ATTEMPT_ID_MAX = 128,     /* characters, SQS limit */
    FAKE_VISIBILITY_MAX_S = 43200, /* from the receive on, SQS limit */
};

struct fake_group {
    struct fake_group *prev; /* neighbors among the ready groups of the queue */
    struct fake_group *next;
    struct fake_queue *queue;
    char *id;                   /* "" in a standard queue */
    struct fake_message *first; /* the visible ones, in order */
    struct fake_message *last;
    uint32_t in_flight_n;
    bool is_ready; /* there is a visible message, and no lock */
};

/* What a receive of a FIFO queue gave, for whoever asks by its id again. */
struct fake_attempt {
    char id[FAKE_ATTEMPT_ID_MAX + 1];
    int64_t at_ms;
    unsigned n; /* 0: none */
    uint32_t serials[FAKE_RECEIVE_MAX];
    uint32_t received_n[FAKE_RECEIVE_MAX];
};

struct fake_queue {
    struct fake_queue *next;
    char name[FAKE_NAME_MAX + 1];
    bool is_fifo;
    bool is_deleted;
    bool dedups_by_content;
    int64_t created_at_ms;
    int64_t visibility_s;
    int64_t delay_s;
    int64_t wait_s;
    int64_t retention_s;
    int64_t message_max_bytes;
    int64_t receives_max; /* 0: no dead-letter queue */
    char dead_name[FAKE_NAME_MAX + 1];
    struct fake_group *ready; /* first of those that a receive may take from */
    struct fake_group *ready_last;
    void *groups; /* trees of search.h */
    void *dedups;
    uint32_t counts[FAKE_STATES_N];
    uint64_t sent;
    uint64_t receives;      /* messages given out, again or not */
    uint64_t stale_deletes; /* that were answered with success and deleted nothing */
    uint64_t undone_deletes;
    struct fake_attempt attempts[FAKE_ATTEMPTS]; /* a ring */
    unsigned attempts_at;
};

struct fake_queues {
    struct fake_store store;
    struct fake_queue *first;
    uint64_t random; /* for messages out of order */
    int64_t at_ms;   /* both clocks, as of now */
    int64_t now_ms;
};

/* A message to send.  `body` and `extra` are taken over. */
struct fake_send {
    char *body;
    size_t body_bytes;
    struct fake_extra *extra; /* NULL: none */
    const char *group_id;     /* of a FIFO queue; else "" */
    sl_str dedup_id;          /* of a FIFO queue; "": never the same as another */
    int64_t delay_s;
    bool is_bad;
};

void fake_queues_init(struct fake_queues *qs, uint64_t seed);
void fake_queues_done(struct fake_queues *qs);

/* Make visible what is due by now.  Call it after the clocks were set. */
void fake_queues_turn(struct fake_queues *qs);

/* NULL: no such queue. */
struct fake_queue *fake_queue_find(const struct fake_queues *qs, sl_str name);

/* A queue with the presets of AWS. */
struct fake_queue *fake_queue_new(struct fake_queues *qs, sl_str name);

/* Returns: the message, or the earlier one that this one repeats */
struct fake_message *fake_queue_send(struct fake_queues *qs, struct fake_queue *q,
                                     const struct fake_send *send);

/* Take up to `max` messages, hiding them; those received too often go to the dead-letter queue.
 * Returns: how many are in `ret` */
unsigned fake_queue_receive(struct fake_queues *qs, struct fake_queue *q, unsigned max,
                            int64_t visibility_ms, bool in_disorder,
                            struct fake_message *ret[static FAKE_RECEIVE_MAX]);

/* Visible again after `ms`, of a message that is in flight. */
void fake_queue_hide(struct fake_queues *qs, struct fake_message *m, int64_t ms);

/* The end of a message that is not over yet. */
void fake_queue_delete(struct fake_queues *qs, struct fake_message *m);
bool fake_message_is_over(const struct fake_message *m);

/* All that is in a queue. */
void fake_queue_purge(struct fake_queues *qs, struct fake_queue *q);
/* Everything that is in flight becomes visible: its handles grow old.  Returns: how many. */
unsigned fake_queue_expire(struct fake_queues *qs, struct fake_queue *q);
/* Move what is visible in a dead-letter queue to `target`, NULL: to where each came from. */
unsigned fake_queue_move_back(struct fake_queues *qs, struct fake_queue *dead,
                              struct fake_queue *target);

#endif
