/* source/sqs_reply.c - receive replies until a batch takes them. */
#include "source/sqs_reply.h"

#include <stdlib.h>

#include "base/clock.h"
#include "source/sqs_pack.h"

enum {
    REPLY_GUESS = 64 << 10, /* reserved for a reply before any has been seen */
    ARENA_MAX = 512 << 20,
};

struct sl_reply {
    struct sl_reply *next;
    struct sl_arena arena;
    struct sl_sqs_message *messages;
    struct sl_lease_entry **entries; /* of the messages */
    unsigned n;
    int64_t at_ms;      /* wall clock of its arrival */
    int64_t arrived_ms; /* monotonic */
};

void sl_replies_init(struct sl_replies *replies, struct sl_leases *leases, size_t memory_bytes,
                     bool is_fifo)
{
    *replies = (struct sl_replies){ .leases = leases,
                                    .memory_bytes = memory_bytes,
                                    .is_fifo = is_fifo,
                                    .last = &replies->first,
                                    .reply_bytes = REPLY_GUESS };
}

static void reply_free(struct sl_reply *reply)
{
    sl_arena_done(&reply->arena);
    free(reply);
}

/* Take the oldest off the list. */
static struct sl_reply *reply_shift(struct sl_replies *replies)
{
    struct sl_reply *reply = replies->first;

    replies->first = reply->next;
    if (replies->first == NULL) {
        replies->last = &replies->first;
    }
    replies->n -= reply->n;
    replies->bytes -= reply->arena.held_bytes;
    return reply;
}

unsigned sl_replies_drop(struct sl_replies *replies)
{
    const unsigned n = replies->n;

    while (replies->first != NULL) {
        reply_free(reply_shift(replies));
    }
    return n;
}

/* ---- room ------------------------------------------------------------------------------------- */

/* What waits beyond the next batch makes nothing faster. */
bool sl_replies_have_room(const struct sl_replies *replies, unsigned out)
{
    const size_t held = replies->bytes + replies->lent_bytes;
    const size_t reserved = (size_t)(out + 1) * replies->reply_bytes;

    return (held + reserved <= replies->memory_bytes && replies->n < replies->batch_cap &&
            replies->bytes + reserved <= replies->memory_bytes / 4 + replies->reply_bytes) ||
           (held == 0 && out == 0);
}

unsigned sl_replies_ask_n(const struct sl_replies *replies)
{
    const size_t fraction = replies->memory_bytes / 8;
    const size_t n = replies->message_bytes == 0 ? SL_SQS_BATCH : fraction / replies->message_bytes;

    return n < 1 ? 1 : n > SL_SQS_BATCH ? SL_SQS_BATCH : (unsigned)n;
}

/* Recent largest: rises at once, sinks slowly. */
static size_t recent_max(size_t recent, size_t now)
{
    return now > recent ? now : recent - (recent - now) / 16;
}

void sl_replies_learn(struct sl_replies *replies, size_t bytes)
{
    replies->reply_bytes = recent_max(replies->reply_bytes, bytes);
}

/* ---- in --------------------------------------------------------------------------------------- */

static sl_rc reply_lease(struct sl_reply *reply, struct sl_leases *leases, int64_t asked_due_ms,
                         struct sl_err *e)
{
    reply->entries = sl_arena_calloc(&reply->arena, reply->n, sizeof(struct sl_lease_entry *));
    if (reply->entries == NULL ||
        !sl_leases_add(leases, reply->messages, reply->n, asked_due_ms, reply->entries)) {
        return SL_FAIL(e, SL_NOMEM, "could not remember %u receipt handles", reply->n);
    }
    return SL_OK;
}

static void reply_append(struct sl_replies *replies, struct sl_reply *reply)
{
    reply->at_ms = sl_clock_at_ms();
    reply->arrived_ms = sl_clock_now_ms();
    *replies->last = reply;
    replies->last = &reply->next;
    replies->n += reply->n;
    replies->bytes += reply->arena.held_bytes;
}

sl_rc sl_replies_add(struct sl_replies *replies, const struct sl_sqs_message *messages, unsigned n,
                     int64_t asked_due_ms, struct sl_err *e)
{
    struct sl_reply *reply = calloc(1, sizeof *reply);
    sl_rc rc;

    if (reply == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not hold a reply");
    }
    reply->n = n;
    rc = sl_sqs_pack(messages, n, ARENA_MAX, &reply->arena, &reply->messages, e);
    if (rc == SL_OK) {
        replies->message_bytes = recent_max(replies->message_bytes, reply->arena.held_bytes / n);
        rc = reply_lease(reply, replies->leases, asked_due_ms, e);
    }
    if (rc != SL_OK) {
        reply_free(reply);
        return rc;
    }
    reply_append(replies, reply);
    return SL_OK;
}

/* ---- out -------------------------------------------------------------------------------------- */

void sl_replies_begin_batch(struct sl_replies *replies, unsigned cap)
{
    replies->batch_cap = cap;
    replies->lent_bytes = 0;
}

bool sl_replies_are_enough(const struct sl_replies *replies)
{
    return replies->n >= replies->batch_cap / 2 || replies->bytes >= replies->memory_bytes / 4;
}

int64_t sl_replies_oldest_ms(const struct sl_replies *replies)
{
    return replies->first->arrived_ms;
}

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

static bool batch_has_room(const struct sl_replies *replies, const struct sl_batch *b)
{
    const struct sl_reply *reply = replies->first;

    return b->n + reply->n <= b->cap &&
           (b->n == 0 ||
            replies->lent_bytes + reply->arena.held_bytes <= replies->memory_bytes / 4);
}

static sl_rc batch_take(struct sl_replies *replies, struct sl_batch *b, struct sl_err *e)
{
    struct sl_reply *reply = replies->first;
    struct sl_record *records = sl_arena_alloc(&b->arena, reply->n * sizeof *records);

    if (records == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not take %u messages into a batch", reply->n);
    }
    for (unsigned i = 0; i < reply->n; i++) {
        record_fill(&records[i], &reply->messages[i], reply->entries[i], reply->at_ms,
                    replies->is_fifo);
        b->records[b->n++] = &records[i];
    }
    (void)reply_shift(replies);
    replies->lent_bytes += reply->arena.held_bytes;
    sl_arena_adopt(&b->arena, &reply->arena);
    free(reply);
    return SL_OK;
}

sl_rc sl_replies_fill(struct sl_replies *replies, struct sl_batch *b, struct sl_err *e)
{
    sl_rc rc = SL_OK;

    while (rc == SL_OK && replies->first != NULL && batch_has_room(replies, b)) {
        rc = batch_take(replies, b, e);
    }
    return rc;
}
