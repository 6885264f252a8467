/* tests/fakes/fake_action.h - the actions of SQS: a JSON request becomes a JSON reply.
 *
 * An action answers at once or asks to wait; who waits runs it again, from the start.
 */
#ifndef FAKE_ACTION_H
#define FAKE_ACTION_H

#include "base/json.h"
#include "fake_faults.h"
#include "fake_queue.h"

enum { FAKE_BATCH_BYTES = 1 << 20 /* of one message, or of a batch, SQS limit */ };

enum fake_error {
    FAKE_OK,

#define X(name, status, type, code, by, text) FAKE_ERROR_##name,
#include "fake_errors.def"
#undef X
    FAKE_WAIT, /* no error: run it again when the queue has something, or the wait is over */
};

struct fake_error_row {
    int status; /* HTTP */
    const char *type;
    const char *code; /* of the query protocol */
    const char *by;   /* Sender, Receiver */
    const char *text;
};

struct fake_call {
    struct fake_queues *queues;
    struct sl_json_parser *json;   /* for JSON inside JSON */
    struct sl_arena *arena;        /* lives as long as the call */
    struct fake_fault *fault;      /* kind NONE: nothing goes wrong */
    uint64_t *random;              /* for the parts of batches that fail */
    const char *origin;            /* "http://127.0.0.1:9324", for queue URLs */
    const struct sl_json *request; /* an object */
    struct sl_buf *out;
    bool is_again;            /* it has asked to wait, and is run again */
    bool is_last;             /* its wait is over */
    struct fake_queue *queue; /* that it names; set before the action runs */
    int64_t wait_ms;          /* with FAKE_WAIT */
};

/* Run an action by its name. */
enum fake_error fake_action_run(struct fake_call *c, sl_str action);

/* How often each action was called, as members of a JSON object; a wait in between does not count. */
void fake_action_write_counts(struct sl_buf *out);

const struct fake_error_row *fake_error_row(enum fake_error error);

/* The name at the end of a queue URL. */
sl_str fake_queue_url_name(sl_str url);

/* For the actions themselves. */
sl_str fake_text_of(const struct sl_json *object, const char *name); /* ptr NULL: no such text */

/* A whole number in bounds.  Returns: false when it is none; true leaving *ret alone if absent. */
bool fake_number_of(const struct sl_json *object, const char *name, int64_t min, int64_t max,
                    int64_t *ret);
bool fake_list_names(const struct sl_json *list, sl_str name); /* or "All" */

/* A JSON string with its quotes, quick when there is little to escape. */
void fake_write_text(struct sl_buf *out, sl_str s);
void fake_write_md5(struct sl_buf *out, const unsigned char md5[static FAKE_MD5_BYTES]);

/* Message attributes and the like.  *ret_extra stays NULL for a message that has nothing extra. */
enum fake_error fake_extra_read(const struct sl_json *entry, struct fake_extra **ret_extra);

/* Those that the receive asks for, and their digest; the digest of all. */
void fake_attributes_write(struct fake_call *c, const struct fake_extra *extra, struct sl_buf *out);
void fake_attributes_md5_write(struct fake_call *c, const struct fake_extra *extra,
                               struct sl_buf *out);

enum fake_error fake_create_queue(struct fake_call *c);
enum fake_error fake_set_queue_attributes(struct fake_call *c);
enum fake_error fake_get_queue_url(struct fake_call *c);
enum fake_error fake_get_queue_attributes(struct fake_call *c);
enum fake_error fake_purge_queue(struct fake_call *c);
enum fake_error fake_delete_queue(struct fake_call *c);
enum fake_error fake_start_message_move_task(struct fake_call *c);

/* `entry` is one of a batch, or the request itself; what it answers is members without braces. */
enum fake_error fake_send_one(struct fake_call *c, const struct sl_json *entry, struct sl_buf *out);
enum fake_error fake_delete_one(struct fake_call *c, const struct sl_json *entry,
                                struct sl_buf *out);
enum fake_error fake_hide_one(struct fake_call *c, const struct sl_json *entry, struct sl_buf *out);
size_t fake_send_bytes(const struct sl_json *entry);
enum fake_error fake_receive(struct fake_call *c);

#endif
