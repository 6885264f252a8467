/* tests/fakes/fake_action.c - which actions there are, what all share, and batches. */
#include "fake_action.h"

enum {
    BATCH_MAX = 10,    /* entries, SQS limit */
    BATCH_ID_MAX = 80, /* characters, SQS limit */
    SCRATCH_BYTES = 1 << 20,
};

typedef enum fake_error (*one_fn)(struct fake_call *c, const struct sl_json *entry,
                                  struct sl_buf *out);

static enum fake_error batch_run(struct fake_call *c, one_fn one);
static enum fake_error single_run(struct fake_call *c, one_fn one);

static struct action {
    const char *name;
    enum fake_error (*run)(struct fake_call *c); /* or one of the two below */
    one_fn single;
    one_fn batch;
    bool has_no_queue; /* or one that may be missing */
    uint64_t calls_n;
} actions[] = {
    { .name = "ReceiveMessage", .run = fake_receive },
    { .name = "DeleteMessageBatch", .batch = fake_delete_one },
    { .name = "DeleteMessage", .single = fake_delete_one },
    { .name = "ChangeMessageVisibilityBatch", .batch = fake_hide_one },
    { .name = "ChangeMessageVisibility", .single = fake_hide_one },
    { .name = "SendMessageBatch", .batch = fake_send_one },
    { .name = "SendMessage", .single = fake_send_one },
    { .name = "GetQueueAttributes", .run = fake_get_queue_attributes },
    { .name = "SetQueueAttributes", .run = fake_set_queue_attributes },
    { .name = "GetQueueUrl", .run = fake_get_queue_url, .has_no_queue = true },
    { .name = "CreateQueue", .run = fake_create_queue, .has_no_queue = true },
    { .name = "PurgeQueue", .run = fake_purge_queue },
    { .name = "DeleteQueue", .run = fake_delete_queue },
    { .name = "StartMessageMoveTask", .run = fake_start_message_move_task, .has_no_queue = true },
};

#define ACTIONS_N (sizeof actions / sizeof actions[0])

static const struct fake_error_row errors[] = {
#define X(name, status, type, code, by, text) \
    [FAKE_ERROR_##name] = { status, type, code, by, text },
#include "fake_errors.def"
#undef X
};

const struct fake_error_row *fake_error_row(enum fake_error error)
{
    return &errors[error];
}

/* --------------------------------------------------------------- what all share */

sl_str fake_text_of(const struct sl_json *object, const char *name)
{
    const struct sl_json *j = sl_json_member(object, sl_str_of(name));

    if (j == NULL || j->type != SL_JSON_STRING) {
        return (sl_str){ 0 };
    }
    return j->text.len > 0 ? sl_cleartext_publish(j->text) : SL_STR("");
}

bool fake_number_of(const struct sl_json *object, const char *name, int64_t min, int64_t max,
                    int64_t *ret)
{
    const struct sl_json *j = sl_json_member(object, sl_str_of(name));
    int64_t n;

    if (j == NULL || j->type == SL_JSON_NULL) {
        return true;
    }
    /* In attributes of queues numbers are strings. */
    if ((j->type != SL_JSON_NUMBER && j->type != SL_JSON_STRING) ||
        !sl_str_to_i64(sl_cleartext_publish(j->text), &n) || n < min || n > max) {
        return false;
    }
    *ret = n;
    return true;
}

bool fake_list_names(const struct sl_json *list, sl_str name)
{
    const struct sl_json *j = list != NULL && list->type == SL_JSON_ARRAY ? list->child : NULL;

    while (j != NULL && !sl_str_eq(sl_cleartext_publish(j->text), SL_STR("All")) &&
           !sl_str_eq(sl_cleartext_publish(j->text), name)) {
        j = j->next;
    }
    return j != NULL;
}

void fake_write_text(struct sl_buf *out, sl_str s)
{
    size_t from = 0;

    sl_buf_add_char(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        const unsigned char c = (unsigned char)s.ptr[i];

        if (c >= 0x20 && c != '"' && c != '\\') {
            continue;
        }
        sl_buf_add(out, s.ptr + from, i - from);
        from = i + 1;
        if (c >= 0x20) {
            sl_buf_add(out, (const char[]){ '\\', (char)c }, 2);
        } else {
            sl_buf_printf(out, "\\u%04x", c);
        }
    }
    sl_buf_add(out, s.ptr + from, s.len - from);
    sl_buf_add_char(out, '"');
}

void fake_write_md5(struct sl_buf *out, const unsigned char md5[static FAKE_MD5_BYTES])
{
    static const char hex[] = "0123456789abcdef";
    char text[FAKE_MD5_BYTES * 2];

    for (unsigned i = 0; i < FAKE_MD5_BYTES; i++) {
        text[i * 2] = hex[md5[i] >> 4];
        text[i * 2 + 1] = hex[md5[i] & 0xf];
    }
    sl_buf_add(out, text, sizeof text);
}

sl_str fake_queue_url_name(sl_str url)
{
    const char *slash = url.len > 0 ? memrchr(url.ptr, '/', url.len) : NULL;

    return slash == NULL ? url : (sl_str){ slash + 1, url.len - (size_t)(slash + 1 - url.ptr) };
}

/* ------------------------------------------------------------------ the actions */

enum fake_error fake_action_run(struct fake_call *c, sl_str action)
{
    struct action *a = actions;
    sl_str url;

    while (a < actions + ACTIONS_N && !sl_str_eq(sl_str_of(a->name), action)) {
        a++;
    }
    if (a == actions + ACTIONS_N) {
        return FAKE_ERROR_NO_ACTION;
    }
    a->calls_n += !c->is_again;
    url = fake_text_of(c->request, "QueueUrl");
    c->queue = url.ptr == NULL ? NULL : fake_queue_find(c->queues, fake_queue_url_name(url));
    if (c->queue == NULL && !a->has_no_queue) {
        return url.ptr == NULL ? FAKE_ERROR_MISSING : FAKE_ERROR_NO_QUEUE;
    }
    if (a->run != NULL) {
        return a->run(c);
    }
    return a->batch != NULL ? batch_run(c, a->batch) : single_run(c, a->single);
}

void fake_action_write_counts(struct sl_buf *out)
{
    for (size_t i = 0; i < ACTIONS_N; i++) {
        sl_buf_printf(out, "%s\"%s\":%ju", i > 0 ? "," : "", actions[i].name,
                      (uintmax_t)actions[i].calls_n);
    }
}

static enum fake_error single_run(struct fake_call *c, one_fn one)
{
    enum fake_error error;

    sl_buf_add_char(c->out, '{');
    error = one(c, c->request, c->out);
    sl_buf_add_char(c->out, '}');
    return error;
}

/* --------------------------------------------------------------------- batches */

static bool batch_id_is_good(sl_str id)
{
    if (id.len == 0 || id.len > BATCH_ID_MAX) {
        return false;
    }
    for (size_t i = 0; i < id.len; i++) {
        const char c = id.ptr[i];

        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
              c == '-' || c == '_')) {
            return false;
        }
    }
    return true;
}

/* What makes a whole batch fail. */
static enum fake_error batch_check(const struct sl_json *entries)
{
    size_t bytes = 0;

    if (entries == NULL || entries->type != SL_JSON_ARRAY || entries->n == 0) {
        return FAKE_ERROR_EMPTY_BATCH;
    }
    if (entries->n > BATCH_MAX) {
        return FAKE_ERROR_LONG_BATCH;
    }
    for (const struct sl_json *entry = entries->child; entry != NULL; entry = entry->next) {
        const sl_str id = fake_text_of(entry, "Id");

        if (!batch_id_is_good(id)) {
            return FAKE_ERROR_BAD_ID;
        }
        for (const struct sl_json *other = entry->next; other != NULL; other = other->next) {
            if (sl_str_eq(id, fake_text_of(other, "Id"))) {
                return FAKE_ERROR_SAME_IDS;
            }
        }
        bytes += fake_send_bytes(entry);
    }
    return bytes > FAKE_BATCH_BYTES ? FAKE_ERROR_BIG_BATCH : FAKE_OK;
}

/* By the fault: `share` of the entries, and the last one if no other was. */
static bool batch_entry_fails(struct fake_call *c, const struct sl_json *entry, bool any_failed)
{
    return c->fault->kind == FAKE_FAULT_PARTIAL &&
           (fake_random_share(c->random) < c->fault->share || (entry->next == NULL && !any_failed));
}

static void batch_write_failure(struct sl_buf *out, sl_str id, enum fake_error error)
{
    const struct fake_error_row *row = fake_error_row(error);

    if (out->len > 0) {
        sl_buf_add_char(out, ',');
    }
    sl_buf_add_str(out, SL_STR("{\"Id\":"));
    fake_write_text(out, id);
    sl_buf_printf(out, ",\"Code\":\"%s\",\"SenderFault\":%s,\"Message\":\"%s\"}", row->type,
                  row->status < 500 ? "true" : "false", row->text);
}

static enum fake_error batch_run(struct fake_call *c, one_fn one)
{
    const struct sl_json *entries = sl_json_member(c->request, SL_STR("Entries"));
    const enum fake_error wrong = batch_check(entries);
    SL_AUTO(sl_buf_done) struct sl_buf failed = { .max_bytes = SCRATCH_BYTES };
    bool any_succeeded = false;

    if (wrong != FAKE_OK) {
        return wrong;
    }
    sl_buf_add_str(c->out, SL_STR("{\"Successful\":["));
    for (const struct sl_json *entry = entries->child; entry != NULL; entry = entry->next) {
        const sl_str id = fake_text_of(entry, "Id");
        const size_t begin = c->out->len;
        enum fake_error error = FAKE_ERROR_INTERNAL_ENTRY;

        sl_buf_add_str(c->out, any_succeeded ? SL_STR(",{\"Id\":") : SL_STR("{\"Id\":"));
        fake_write_text(c->out, id);
        if (!batch_entry_fails(c, entry, failed.len > 0)) {
            sl_buf_add_char(c->out, ','); /* before what the entry answers, if anything */
            const size_t members = c->out->len;

            error = one(c, entry, c->out);
            c->out->len -= c->out->len == members ? 1 : 0;
        }
        if (error == FAKE_OK) {
            sl_buf_add_char(c->out, '}');
            any_succeeded = true;
        } else {
            c->out->len = begin;
            batch_write_failure(&failed, id, error);
        }
    }
    sl_buf_add_str(c->out, SL_STR("],\"Failed\":["));
    sl_buf_add_str(c->out, sl_buf_str(&failed));
    sl_buf_add_str(c->out, SL_STR("]}"));
    return FAKE_OK;
}
