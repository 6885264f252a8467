/* tests/fakes/fake_queue.c - queues, groups, visibility, dead letters. */
#include "fake_queue.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    DEDUP_MS = 5 * 60 * 1000, /* SQS: five minutes */
    DISORDER_REACH = 64,      /* messages that one may be ahead of its turn */
};

/* A deduplication id that was used. */
struct dedup {
    char *id;
    uint32_t serial;
    int64_t until_ms;
};

/* --------------------------------------------------------------------- groups */

static int group_order(const void *a, const void *b)
{
    return strcmp(((const struct fake_group *)a)->id, ((const struct fake_group *)b)->id);
}

static void group_free(void *node)
{
    struct fake_group *g = node;

    free(g->id);
    free(g);
}

static struct fake_group *group_of(struct fake_queue *q, const char *id)
{
    char *copy = fake_alloc(strlen(id) + 1, 1);
    struct fake_group *fresh = fake_alloc(1, sizeof *fresh);
    struct fake_group **at;

    memcpy(copy, id, strlen(id));
    fresh->id = copy;
    fresh->queue = q;
    at = (struct fake_group **)tsearch(fresh, &q->groups, group_order);
    if (at == NULL) {
        abort();
    }
    if (*at != fresh) {
        group_free(fresh);
    }
    return *at;
}

/* Enter or leave the list of groups that a receive may take from. */
static void group_refresh(struct fake_group *g)
{
    struct fake_queue *q = g->queue;
    const bool is_ready = g->first != NULL && (!q->is_fifo || g->in_flight_n == 0);

    if (is_ready == g->is_ready) {
        return;
    }
    g->is_ready = is_ready;
    if (is_ready) {
        g->next = NULL;
        g->prev = q->ready_last;
        *(g->prev != NULL ? &g->prev->next : &q->ready) = g;
        q->ready_last = g;
    } else {
        *(g->prev != NULL ? &g->prev->next : &q->ready) = g->next;
        *(g->next != NULL ? &g->next->prev : &q->ready_last) = g->prev;
    }
}

/* At the end; in a FIFO queue where it belongs. */
static void group_insert(struct fake_group *g, struct fake_message *m)
{
    struct fake_message *before = g->last;

    while (g->queue->is_fifo && before != NULL && before->serial > m->serial) {
        before = before->prev;
    }
    m->prev = before;
    m->next = before != NULL ? before->next : g->first;
    *(m->prev != NULL ? &m->prev->next : &g->first) = m;
    *(m->next != NULL ? &m->next->prev : &g->last) = m;
}

static void group_remove(struct fake_group *g, struct fake_message *m)
{
    *(m->prev != NULL ? &m->prev->next : &g->first) = m->next;
    *(m->next != NULL ? &m->next->prev : &g->last) = m->prev;
    m->prev = NULL;
    m->next = NULL;
}

/* ------------------------------------------------------------- where a message is */

/* Out of the place where it is, into none. */
static void message_leave(struct fake_queues *qs, struct fake_message *m)
{
    struct fake_group *g = m->group;

    fake_due_remove(&qs->store, m);
    if (m->state == FAKE_VISIBLE) {
        group_remove(g, m);
    } else if (m->state == FAKE_IN_FLIGHT) {
        g->in_flight_n--;
    }
    g->queue->counts[m->state]--;
}

static void message_enter(struct fake_message *m, enum fake_state state)
{
    m->state = state;
    m->group->queue->counts[state]++;
    if (state == FAKE_VISIBLE) {
        group_insert(m->group, m);
    } else if (state == FAKE_IN_FLIGHT) {
        m->group->in_flight_n++;
    }
}

static void message_go(struct fake_queues *qs, struct fake_message *m, enum fake_state state)
{
    message_leave(qs, m);
    message_enter(m, state);
    group_refresh(m->group);
}

static void message_end(struct fake_queues *qs, struct fake_message *m, enum fake_state state)
{
    message_go(qs, m, state);
    fake_message_empty(m);
}

bool fake_message_is_over(const struct fake_message *m)
{
    return m->state != FAKE_DELAYED && m->state != FAKE_VISIBLE && m->state != FAKE_IN_FLIGHT;
}

/* The same content as a new message elsewhere. */
static void message_move(struct fake_queues *qs, struct fake_message *m, struct fake_queue *target,
                         enum fake_state fate)
{
    struct fake_queue *source = m->group->queue;
    struct fake_message *copy;

    copy = fake_queue_send(qs, target,
                           &(struct fake_send){
                               .body = m->body,
                               .body_bytes = m->body_bytes,
                               .extra = m->extra,
                               .group_id = target->is_fifo ? m->group->id : "",
                               .is_bad = m->is_bad,
                           });
    if (fate == FAKE_DEAD) {
        copy->source = source;
        if (!target->is_fifo) {
            copy->sent_at_ms = m->sent_at_ms; /* AWS: standard queues keep the time */
        }
    }
    m->body = NULL;
    m->extra = NULL;
    m->moved_to = copy->serial;
    message_end(qs, m, fate);
}

/* --------------------------------------------------------------------- queues */

static int dedup_order(const void *a, const void *b)
{
    return strcmp(((const struct dedup *)a)->id, ((const struct dedup *)b)->id);
}

static void dedup_free(void *node)
{
    struct dedup *d = node;

    free(d->id);
    free(d);
}

/* The entry of an id, made if there is none: then its serial is 0. */
static struct dedup *dedup_of(struct fake_queue *q, sl_str id)
{
    struct dedup *fresh = fake_alloc(1, sizeof *fresh);
    struct dedup **at;

    fresh->id = fake_alloc(id.len + 1, 1);
    memcpy(fresh->id, id.ptr, id.len);
    at = (struct dedup **)tsearch(fresh, &q->dedups, dedup_order);
    if (at == NULL) {
        abort();
    }
    if (*at != fresh) {
        dedup_free(fresh);
    }
    return *at;
}

void fake_queues_init(struct fake_queues *qs, uint64_t seed)
{
    *qs = (struct fake_queues){ .random = seed };
    fake_store_init(&qs->store, seed);
}

void fake_queues_done(struct fake_queues *qs)
{
    struct fake_queue *next;

    for (struct fake_queue *q = qs->first; q != NULL; q = next) {
        next = q->next;
        tdestroy(q->groups, group_free);
        tdestroy(q->dedups, dedup_free);
        free(q);
    }
    fake_store_done(&qs->store);
}

void fake_queues_turn(struct fake_queues *qs)
{
    while (qs->store.due_n > 0 && qs->store.due[1]->due_ms <= qs->now_ms) {
        message_go(qs, qs->store.due[1], FAKE_VISIBLE);
    }
}

struct fake_queue *fake_queue_find(const struct fake_queues *qs, sl_str name)
{
    struct fake_queue *q = qs->first;

    while (q != NULL && (q->is_deleted || !sl_str_eq(sl_str_of(q->name), name))) {
        q = q->next;
    }
    return q;
}

struct fake_queue *fake_queue_new(struct fake_queues *qs, sl_str name)
{
    struct fake_queue *q = fake_alloc(1, sizeof *q);

    *q = (struct fake_queue){ .next = qs->first,
                              .created_at_ms = qs->at_ms,
                              .visibility_s = 30,
                              .retention_s = 345600,
                              .message_max_bytes = 1 << 20 };
    (void)snprintf(q->name, sizeof q->name, "%" SL_FMT, SL_ARG(name));
    qs->first = q;
    return q;
}

struct fake_message *fake_queue_send(struct fake_queues *qs, struct fake_queue *q,
                                     const struct fake_send *send)
{
    struct dedup *d = send->dedup_id.len > 0 ? dedup_of(q, send->dedup_id) : NULL;
    struct fake_message *m;

    if (d != NULL && d->serial != 0 && d->until_ms > qs->now_ms) {
        free(send->body);
        fake_extra_free(send->extra);
        return fake_message_at(&qs->store, d->serial);
    }
    m = fake_message_new(&qs->store);
    m->group = group_of(q, send->group_id);
    m->body = send->body;
    m->body_bytes = (uint32_t)send->body_bytes;
    m->extra = send->extra;
    m->is_bad = send->is_bad;
    m->sent_at_ms = qs->at_ms;
    fake_md5(&qs->store, (sl_str){ m->body, m->body_bytes }, m->md5);
    if (d != NULL) {
        d->serial = m->serial;
        d->until_ms = qs->now_ms + DEDUP_MS;
    }
    q->sent++;
    message_enter(m, send->delay_s > 0 ? FAKE_DELAYED : FAKE_VISIBLE);
    if (send->delay_s > 0) {
        fake_due_put(&qs->store, m, qs->now_ms + send->delay_s * 1000);
    }
    group_refresh(m->group);
    return m;
}

/* ------------------------------------------------------------ receive and after */

static struct fake_message *group_pick(struct fake_queues *qs, const struct fake_group *g,
                                       bool in_disorder)
{
    struct fake_message *m = g->first;

    if (in_disorder && !g->queue->is_fifo) {
        for (uint64_t steps = fake_random(&qs->random) % DISORDER_REACH;
             steps > 0 && m->next != NULL; steps--) {
            m = m->next;
        }
    }
    return m;
}

static void message_receive(struct fake_queues *qs, struct fake_message *m, int64_t visibility_ms)
{
    message_leave(qs, m);
    message_enter(m, FAKE_IN_FLIGHT);
    fake_due_put(&qs->store, m, qs->now_ms + visibility_ms);
    m->received_n++;
    m->received_ms = qs->now_ms;
    if (m->first_received_at_ms == 0) {
        m->first_received_at_ms = qs->at_ms;
    }
    m->group->queue->receives++;
}

unsigned fake_queue_receive(struct fake_queues *qs, struct fake_queue *q, unsigned max,
                            int64_t visibility_ms, bool in_disorder,
                            struct fake_message *ret[static FAKE_RECEIVE_MAX])
{
    struct fake_queue *dead =
        q->receives_max > 0 ? fake_queue_find(qs, sl_str_of(q->dead_name)) : NULL;
    unsigned n = 0;

    while (n < max && q->ready != NULL && q->counts[FAKE_IN_FLIGHT] < FAKE_IN_FLIGHT_MAX) {
        struct fake_group *g = q->ready;

        /* A group is left only when it is empty or the reply is full: its order holds. */
        while (n < max && g->first != NULL) {
            struct fake_message *m = group_pick(qs, g, in_disorder);

            if (dead != NULL && m->received_n >= q->receives_max) {
                message_move(qs, m, dead, FAKE_DEAD);
            } else {
                message_receive(qs, m, visibility_ms);
                ret[n++] = m;
            }
        }
        group_refresh(g);
    }
    return n;
}

void fake_queue_hide(struct fake_queues *qs, struct fake_message *m, int64_t ms)
{
    fake_due_put(&qs->store, m, qs->now_ms + ms);
}

void fake_queue_delete(struct fake_queues *qs, struct fake_message *m)
{
    message_end(qs, m, FAKE_DELETED);
}

/* ----------------------------------------------------------------- whole queues */

void fake_queue_purge(struct fake_queues *qs, struct fake_queue *q)
{
    for (uint32_t serial = 1; serial <= qs->store.messages_n; serial++) {
        struct fake_message *m = fake_message_at(&qs->store, serial);

        if (m->group->queue == q && !fake_message_is_over(m)) {
            message_end(qs, m, FAKE_PURGED);
        }
    }
}

unsigned fake_queue_expire(struct fake_queues *qs, struct fake_queue *q)
{
    const unsigned n = q->counts[FAKE_IN_FLIGHT];

    for (uint32_t serial = 1; serial <= qs->store.messages_n; serial++) {
        struct fake_message *m = fake_message_at(&qs->store, serial);

        if (m->group->queue == q && m->state == FAKE_IN_FLIGHT) {
            message_go(qs, m, FAKE_VISIBLE);
        }
    }
    return n;
}

unsigned fake_queue_move_back(struct fake_queues *qs, struct fake_queue *dead,
                              struct fake_queue *target)
{
    const uint32_t until = qs->store.messages_n; /* moving makes new ones */
    unsigned n = 0;

    for (uint32_t serial = 1; serial <= until; serial++) {
        struct fake_message *m = fake_message_at(&qs->store, serial);
        struct fake_queue *to = target != NULL ? target : m->source;

        if (m->group->queue == dead && m->state == FAKE_VISIBLE && to != NULL && !to->is_deleted) {
            message_move(qs, m, to, FAKE_MOVED);
            n++;
        }
    }
    return n;
}
