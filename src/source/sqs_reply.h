/* source/sqs_reply.h - replies that no batch has taken yet, and the room for more.
 *
 * What a reply takes of memory is guessed while it is on its way, held while it waits, and lent while
 * the batch that took it is loaded.
 */
#ifndef SLUICE_SOURCE_SQS_REPLY_H
#define SLUICE_SOURCE_SQS_REPLY_H

#include "record/batch.h"
#include "source/sqs_json.h"
#include "source/sqs_lease.h"

struct sl_reply;

/* All replies of a worker, oldest first.  `n` is for others to read. */
struct sl_replies {
    struct sl_leases *leases; /* where their receipt handles go */
    size_t memory_bytes;      /* for all of it */
    bool is_fifo;
    struct sl_reply *first;
    struct sl_reply **last;
    unsigned n; /* messages */
    size_t bytes;
    unsigned batch_cap;   /* records that fit into a batch */
    size_t lent_bytes;    /* to the batch that is being loaded */
    size_t reply_bytes;   /* recent largest reply, while it is read */
    size_t message_bytes; /* recent largest message, its share of a reply */
};

/* Begin with none.  Owns: `leases` is borrowed. */
void sl_replies_init(struct sl_replies *replies, struct sl_leases *leases, size_t memory_bytes,
                     bool is_fifo);

/* Free all.  Returns: how many messages they had, which are leased still. */
unsigned sl_replies_drop(struct sl_replies *replies);

/* ---- room ------------------------------------------------------------------------------------- */

/* True when one more may be asked for beside `out` that are.  One may always be had, however little
 * memory there is: nothing would ever move. */
bool sl_replies_have_room(const struct sl_replies *replies, unsigned out);

/* Messages to ask for with one receive: fewer when they are huge, so that one reply stays a fraction
 * of memory. */
unsigned sl_replies_ask_n(const struct sl_replies *replies);

/* Learn what a reply took while it was read: as much is kept free for each that is out. */
void sl_replies_learn(struct sl_replies *replies, size_t bytes);

/* ---- in --------------------------------------------------------------------------------------- */

/* Keep the messages of a reply, and lease them.
 *
 * Shape:   n >= 1; `asked_due_ms` is when it was asked for (monotonic)
 * Owns:    nothing of `messages`: they are copied
 * Errors:  SL_NOMEM (retry)  none is kept; those that were leased come back by themselves
 */
sl_rc sl_replies_add(struct sl_replies *replies, const struct sl_sqs_message *messages, unsigned n,
                     int64_t asked_due_ms, struct sl_err *e) SL_MUST_CHECK;

/* ---- out -------------------------------------------------------------------------------------- */

/* A batch of up to `cap` records is wanted: the one before it has ended, and so has its loan. */
void sl_replies_begin_batch(struct sl_replies *replies, unsigned cap);

/* True when there is enough for the batch: to wait for more makes nothing faster. */
bool sl_replies_are_enough(const struct sl_replies *replies);

/* When the oldest arrived (monotonic).  Shape: there is one, n > 0. */
int64_t sl_replies_oldest_ms(const struct sl_replies *replies);

/* Move whole replies into a batch, oldest first, until the next one would not fit.
 *
 * Owns:    the records live in the batch, their leases do not
 * Errors:  SL_NOMEM (retry)  what did not get into the batch is kept
 */
sl_rc sl_replies_fill(struct sl_replies *replies, struct sl_batch *b, struct sl_err *e)
    SL_MUST_CHECK;

#endif
