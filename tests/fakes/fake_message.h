/* tests/fakes/fake_message.h - every message that was ever sent: its id, its handles, its times.
 *
 * A message is never forgotten: when it is deleted its body goes and its fate stays, for the report.
 */
#ifndef FAKE_MESSAGE_H
#define FAKE_MESSAGE_H

#include <openssl/evp.h>

#include "base/arena.h"
#include "base/str.h"

enum {
    FAKE_ID_CHARS = 36,     /* a UUID */
    FAKE_HANDLE_CHARS = 88, /* base64 of 64 bytes */
    FAKE_MD5_BYTES = 16,
};

/* Where a message is.  X(name, its name in reports) */
#define FAKE_STATES(X)                                                      \
    X(DELAYED, "delayed")                                                   \
    X(VISIBLE, "visible")                                                   \
    X(IN_FLIGHT, "in_flight")                                               \
    X(DELETED, "deleted")                                                   \
    X(DEAD, "dead")     /* moved to the dead-letter queue, with a new id */ \
    X(MOVED, "moved")   /* moved back from it by a task, with a new id */   \
    X(PURGED, "purged") /* with its queue or by PurgeQueue */

enum fake_state {

#define X(name, text) FAKE_##name,
    FAKE_STATES(X)
#undef X
        FAKE_STATES_N,
};

struct fake_attribute {
    sl_str name;
    sl_str type;
    sl_str value; /* text; base64 when is_binary */
    bool is_binary;
};

/* What few messages have. */
struct fake_extra {
    struct sl_arena arena;
    struct fake_attribute *attributes; /* sorted by name */
    unsigned attributes_n;
    sl_str group_id;
    sl_str dedup_id;
    sl_str trace;
};

struct fake_message {
    struct fake_message *prev; /* neighbors in its group, while it is visible */
    struct fake_message *next;
    struct fake_group *group;
    struct fake_extra *extra;  /* NULL: none */
    struct fake_queue *source; /* of a dead letter: where it comes from */
    char *body;                /* NULL once it is over */
    uint32_t body_bytes;
    uint32_t serial;     /* 1, 2, ... over all queues */
    uint32_t moved_to;   /* serial of what it became elsewhere; 0: nothing */
    uint32_t due_i;      /* place among the due; 0: not there */
    uint32_t received_n; /* also tells its handles apart */
    enum fake_state state;
    int64_t sent_at_ms;
    int64_t first_received_at_ms;
    int64_t received_ms; /* the last time, monotonic */
    int64_t due_ms;      /* visible from then on, monotonic */
    unsigned char md5[FAKE_MD5_BYTES];
    bool is_bad; /* made so by the generator */
};

struct fake_store {
    uint64_t seed;
    struct fake_message **chunks;
    uint32_t chunks_n;
    uint32_t messages_n;
    struct fake_message **due; /* a heap from 1 on: the next one is due[1] */
    uint32_t due_n;
    uint32_t due_cap;
    EVP_MD *md5;
    EVP_MD_CTX *md5_ctx;
};

/* Cleared memory; without any the program ends, for there is nothing left to test. */
void *fake_alloc(size_t n, size_t size);

/* splitmix64: the next number of a stream; and one from 0 up to, not including, 1. */
uint64_t fake_random(uint64_t *state);
double fake_random_share(uint64_t *state);

void fake_store_init(struct fake_store *s, uint64_t seed);
void fake_store_done(struct fake_store *s);

/* A new message with a serial of its own, in no queue yet. */
struct fake_message *fake_message_new(struct fake_store *s);

/* The message with a serial, which there must be. */
struct fake_message *fake_message_at(const struct fake_store *s, uint32_t serial);

/* Forget what it says; fate and counts stay. */
void fake_message_empty(struct fake_message *m);
void fake_extra_free(struct fake_extra *extra);

/* No NUL behind any of them. */
void fake_message_id(const struct fake_store *s, uint32_t serial, char out[static FAKE_ID_CHARS]);
void fake_handle_write(const struct fake_store *s, const struct fake_message *m,
                       char out[static FAKE_HANDLE_CHARS]);

/* What a handle says.  Returns: false for what this server has never given out. */
bool fake_handle_read(const struct fake_store *s, sl_str handle, uint32_t *ret_serial,
                      uint32_t *ret_received_n);

void fake_md5(struct fake_store *s, sl_str text, unsigned char out[static FAKE_MD5_BYTES]);

/* Enter a message among the due at its due_ms, or at a new place; take it out, if it is there. */
void fake_due_put(struct fake_store *s, struct fake_message *m, int64_t due_ms);
void fake_due_remove(struct fake_store *s, struct fake_message *m);

#endif
