/* record/batch.h - THE DATA MODEL: what a message is at each stage.
 *
 *     message   id, times, body          as the queue gave it      (receive)
 *     record    + values or a verdict    one value a column        (decode, mask)
 *     outcome   loaded, duplicate, ...   after the commit          (load), deleted by (ack)
 *               left                     no commit: bad, and stays in the queue
 */
#ifndef SLUICE_RECORD_BATCH_H
#define SLUICE_RECORD_BATCH_H

#include "base/arena.h"
#include "base/cleartext.h"
#include "base/str.h"
#include "record/trace.h"

enum sl_reason {
    SL_REASON_NONE,

#define X(name, code, stage, text) SL_REASON_##name,
#include "record/reasons.def"
#undef X
};

/* The code ("missing_field"), the stage ("decode") and the meaning of a reason; "" for none. */
const char *sl_reason_code(enum sl_reason reason);
const char *sl_reason_stage(enum sl_reason reason);
const char *sl_reason_text(enum sl_reason reason);

enum sl_value_kind {
    SL_VALUE_NULL,
    SL_VALUE_CLEARTEXT, /* to be masked; never leaves the mask stage */
    SL_VALUE_TEXT,      /* varchar, text, jsonb, tokens */
    SL_VALUE_INT,       /* integer, bigint; date in days, timestamptz in microseconds since 1970 */
    SL_VALUE_DOUBLE,
    SL_VALUE_BOOL,
    SL_VALUE_UUID,
    SL_VALUE_INET,
};

struct sl_inet {
    unsigned char addr[16]; /* network order; an IPv4 uses the first four */
    unsigned char prefix;   /* bits */
    bool is_v6;
};

struct sl_value {
    enum sl_value_kind kind;

    union {
        sl_cleartext cleartext;
        sl_str text;
        int64_t i;
        double d;
        bool b;
        unsigned char uuid[16];
        struct sl_inet inet;
    };
};

/* What is wrong with a record; reason NONE when nothing is. */
struct sl_verdict {
    enum sl_reason reason;
    sl_str field;     /* the column's `from`, out of the configuration, never out of a message */
    char sqlstate[6]; /* of REFUSED */
};

enum sl_outcome {
    SL_OUTCOME_NONE, /* not decided: in flight */
    SL_OUTCOME_LOADED,
    SL_OUTCOME_DUPLICATE,
    SL_OUTCOME_DEAD_LETTERED,
    SL_OUTCOME_LEFT, /* in the queue, whose redrive policy decides; nothing of it is kept */
};

struct sl_attribute {
    sl_str name;
    sl_cleartext value;
};

enum { SL_LEDGER_KEY_BYTES = 32 };

struct sl_record {
    sl_str message_id;      /* 1..128 bytes */
    int64_t sent_at_ms;     /* SentTimestamp, wall clock; 0 if the queue did not say */
    int64_t received_at_ms; /* wall clock */
    unsigned receive_count; /* 0: not known, as of a dead letter */
    uint64_t group;         /* of a FIFO queue: the same for messages that must stay in order */
    struct sl_trace trace;
    unsigned attributes_n;
    const struct sl_attribute *attributes;
    sl_cleartext body;
    sl_cleartext object; /* of S3, that the body points to, */
    bool has_object;     /* once it is fetched */
    sl_str object_path;  /* and where it is */
    bool is_line; /* of a file: its id says where it stands, and wants a mark of what it says */
    void *lease;  /* the source's own mark, for ack */

    struct sl_value *values; /* one a column, once decoded; NULL with a verdict of decode */
    struct sl_verdict verdict;
    unsigned char ledger_key[SL_LEDGER_KEY_BYTES]; /* an HMAC, where it is known by a value */
    sl_str sealed;                                 /* the body, sealed, once there is a verdict */
    bool is_sent;   /* to the dead-letter queue: the sink keeps its key and no letter */
    bool is_unsent; /* the dead-letter queue cannot take it: the sink keeps it */
    enum sl_outcome outcome;
    bool is_counted; /* the outcome is in the counters */
};

/* A bad record of which nobody has decided yet where it goes. */
static inline bool sl_record_is_stray(const struct sl_record *r)
{
    return r->verdict.reason != SL_REASON_NONE && r->outcome == SL_OUTCOME_NONE && !r->is_sent &&
           !r->is_unsent;
}

/* Say in the log, as a warning, what is wrong with a record.
 * Shape: message as of a log line */
void sl_record_tell(const struct sl_record *r, const char *message);

/* What a vault keeps of one one-way token. */
struct sl_vault_entry {
    struct sl_vault_entry *next;
    sl_str token;
    sl_str context; /* "" for a method without one */
    sl_str sealed;  /* the value, sealed with the key ring for this token */
};

struct sl_batch {
    struct sl_arena arena;
    unsigned char id[16];       /* random; in every ledger row, so that a lost answer to COMMIT
                                 * can be told from somebody else's load */
    struct sl_record **records; /* in the order received */
    unsigned n;
    unsigned cap;
    size_t body_bytes;
    struct sl_vault_entry *vault; /* not yet in the vault */
    unsigned vault_n;
};

/* Make an empty batch of at most `cap` records and `max_bytes` of memory.
 * Errors: SL_NOMEM (retry) */
sl_rc sl_batch_init(struct sl_batch *b, unsigned cap, size_t max_bytes, struct sl_err *e)
    SL_MUST_CHECK;

/* Wipe and free all of it. */
void sl_batch_done(struct sl_batch *b);

#endif
