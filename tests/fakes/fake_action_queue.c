/* tests/fakes/fake_action_queue.c - actions on whole queues. */
#include <stdio.h>

#include "fake_action.h"

#define ACCOUNT "000000000000"
#define ARN     "arn:aws:sqs:us-east-1:" ACCOUNT ":"

enum { JSON_COPY_MAX = 64 * 1024 };

/* ----------------------------------------------------------------- attributes */

static const struct setting {
    const char *name;
    size_t at; /* of an int64_t in struct fake_queue */
    int64_t min;
    int64_t max;
} settings[] = {
    { "VisibilityTimeout", offsetof(struct fake_queue, visibility_s), 0, 43200 },
    { "DelaySeconds", offsetof(struct fake_queue, delay_s), 0, 900 },
    { "ReceiveMessageWaitTimeSeconds", offsetof(struct fake_queue, wait_s), 0, 20 },
    { "MessageRetentionPeriod", offsetof(struct fake_queue, retention_s), 60, 1209600 },
    { "MaximumMessageSize", offsetof(struct fake_queue, message_max_bytes), 1024, 1048576 },
};

#define SETTINGS_N (sizeof settings / sizeof settings[0])

static int64_t *setting_at(struct fake_queue *q, const struct setting *s)
{
    return (int64_t *)((char *)q + s->at);
}

/* JSON inside a JSON string. */
static const struct sl_json *json_inside(struct fake_call *c, sl_str text)
{
    char *copy =
        text.len > JSON_COPY_MAX ? NULL : sl_arena_calloc(c->arena, 1, text.len + SL_JSON_PADDING);
    const struct sl_json *root = NULL;
    enum sl_json_fault fault;

    if (copy == NULL || text.len == 0) {
        return NULL;
    }
    memcpy(copy, text.ptr, text.len);
    if (sl_json_parse(c->json, (sl_cleartext){ copy, text.len }, c->arena, &root, &fault, NULL) !=
            SL_OK ||
        fault != SL_JSON_OK) {
        return NULL;
    }
    return root;
}

/* "" takes the policy away. */
static enum fake_error redrive_set(struct fake_call *c, struct fake_queue *q, sl_str policy)
{
    const struct sl_json *j = json_inside(c, policy);
    int64_t max = 10;
    sl_str arn;
    const char *colon;

    if (policy.len == 0) {
        q->receives_max = 0;
        return FAKE_OK;
    }
    arn = fake_text_of(j, "deadLetterTargetArn");
    colon = arn.len > 0 ? memrchr(arn.ptr, ':', arn.len) : NULL;
    if (colon == NULL || !fake_number_of(j, "maxReceiveCount", 1, 1000, &max)) {
        return FAKE_ERROR_BAD_VALUE;
    }
    arn = (sl_str){ colon + 1, arn.len - (size_t)(colon + 1 - arn.ptr) };
    if (arn.len > FAKE_NAME_MAX || fake_queue_find(c->queues, arn) == NULL) {
        return FAKE_ERROR_NO_QUEUE;
    }
    q->receives_max = max;
    (void)snprintf(q->dead_name, sizeof q->dead_name, "%" SL_FMT, SL_ARG(arn));
    return FAKE_OK;
}

static enum fake_error attribute_set(struct fake_call *c, struct fake_queue *q,
                                     const struct sl_json *j)
{
    const sl_str name = sl_cleartext_publish(j->name);
    const sl_str value = j->type == SL_JSON_STRING ? sl_cleartext_publish(j->text) : (sl_str){ 0 };

    for (size_t i = 0; i < SETTINGS_N; i++) {
        int64_t n;

        if (!sl_str_eq(sl_str_of(settings[i].name), name)) {
            continue;
        }
        if (!sl_str_to_i64(value, &n) || n < settings[i].min || n > settings[i].max) {
            return FAKE_ERROR_BAD_VALUE;
        }
        *setting_at(q, &settings[i]) = n;
        return FAKE_OK;
    }
    if (sl_str_eq(name, SL_STR("RedrivePolicy"))) {
        return redrive_set(c, q, value);
    }
    if (sl_str_eq(name, SL_STR("ContentBasedDeduplication"))) {
        q->dedups_by_content = sl_str_eq(value, SL_STR("true"));
        return FAKE_OK;
    }
    if (sl_str_eq(name, SL_STR("FifoQueue"))) {
        return q->is_fifo && sl_str_eq(value, SL_STR("true")) ? FAKE_OK : FAKE_ERROR_BAD_VALUE;
    }
    return FAKE_ERROR_BAD_ATTRIBUTE;
}

/* All or nothing: set on a copy first. */
static enum fake_error attributes_set(struct fake_call *c, struct fake_queue *q)
{
    const struct sl_json *all = sl_json_member(c->request, SL_STR("Attributes"));
    struct fake_queue tried = *q;

    for (const struct sl_json *j = all != NULL ? all->child : NULL; j != NULL; j = j->next) {
        const enum fake_error error = attribute_set(c, &tried, j);

        if (error != FAKE_OK) {
            return error;
        }
    }
    *q = tried;
    return FAKE_OK;
}

/* --------------------------------------------------------------------- actions */

static void url_write(struct fake_call *c, const struct fake_queue *q)
{
    sl_buf_printf(c->out, "{\"QueueUrl\":\"%s/" ACCOUNT "/%s\"}", c->origin, q->name);
}

static bool name_is_good(sl_str name)
{
    const sl_str suffix = SL_STR(".fifo");
    const bool is_fifo = name.len > suffix.len &&
                         memcmp(name.ptr + name.len - suffix.len, suffix.ptr, suffix.len) == 0;

    if (name.len == 0 || name.len > FAKE_NAME_MAX) {
        return false;
    }
    for (size_t i = 0; i < name.len - (is_fifo ? suffix.len : 0); i++) {
        const char c = name.ptr[i];

        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
              c == '-' || c == '_')) {
            return false;
        }
    }
    return true;
}

static bool settings_are_same(struct fake_queue *a, struct fake_queue *b)
{
    for (size_t i = 0; i < SETTINGS_N; i++) {
        if (*setting_at(a, &settings[i]) != *setting_at(b, &settings[i])) {
            return false;
        }
    }
    return a->dedups_by_content == b->dedups_by_content && a->receives_max == b->receives_max &&
           strcmp(a->dead_name, b->dead_name) == 0;
}

enum fake_error fake_create_queue(struct fake_call *c)
{
    const sl_str name = fake_text_of(c->request, "QueueName");
    struct fake_queue *q;
    struct fake_queue wanted;
    enum fake_error error;

    if (!name_is_good(name)) {
        return FAKE_ERROR_BAD_VALUE;
    }
    q = fake_queue_find(c->queues, name);
    if (q != NULL) { /* the same queue again is no error, another one of this name is */
        wanted = *q;
        error = attributes_set(c, &wanted);
        if (error == FAKE_OK && !settings_are_same(&wanted, q)) {
            error = FAKE_ERROR_NAME_EXISTS;
        }
    } else {
        q = fake_queue_new(c->queues, name);
        q->is_fifo = memchr(name.ptr, '.', name.len) != NULL;
        error = attributes_set(c, q);
        q->is_deleted = error != FAKE_OK;
    }
    if (error == FAKE_OK) {
        url_write(c, q);
    }
    return error;
}

enum fake_error fake_set_queue_attributes(struct fake_call *c)
{
    sl_buf_add_str(c->out, SL_STR("{}"));
    return attributes_set(c, c->queue);
}

enum fake_error fake_get_queue_url(struct fake_call *c)
{
    struct fake_queue *q = fake_queue_find(c->queues, fake_text_of(c->request, "QueueName"));

    if (q == NULL) {
        return FAKE_ERROR_NO_QUEUE;
    }
    url_write(c, q);
    return FAKE_OK;
}

static void attribute_write(struct fake_call *c, const char *name, const char *value)
{
    const struct sl_json *wanted = sl_json_member(c->request, SL_STR("AttributeNames"));

    if (fake_list_names(wanted, sl_str_of(name))) {
        sl_buf_printf(c->out, "%s\"%s\":", c->out->ptr[c->out->len - 1] == '{' ? "" : ",", name);
        fake_write_text(c->out, sl_str_of(value));
    }
}

static void number_write(struct fake_call *c, const char *name, int64_t n)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%jd", (intmax_t)n);
    attribute_write(c, name, text);
}

enum fake_error fake_get_queue_attributes(struct fake_call *c)
{
    struct fake_queue *q = c->queue;
    char text[256];

    sl_buf_add_str(c->out, SL_STR("{\"Attributes\":{"));
    number_write(c, "ApproximateNumberOfMessages", q->counts[FAKE_VISIBLE]);
    number_write(c, "ApproximateNumberOfMessagesNotVisible", q->counts[FAKE_IN_FLIGHT]);
    number_write(c, "ApproximateNumberOfMessagesDelayed", q->counts[FAKE_DELAYED]);
    number_write(c, "CreatedTimestamp", q->created_at_ms / 1000);
    number_write(c, "LastModifiedTimestamp", q->created_at_ms / 1000);
    for (size_t i = 0; i < SETTINGS_N; i++) {
        number_write(c, settings[i].name, *setting_at(q, &settings[i]));
    }
    (void)snprintf(text, sizeof text, ARN "%s", q->name);
    attribute_write(c, "QueueArn", text);
    attribute_write(c, "SqsManagedSseEnabled", "true");
    if (q->receives_max > 0) {
        (void)snprintf(text, sizeof text,
                       "{\"deadLetterTargetArn\":\"" ARN "%s\",\"maxReceiveCount\":%jd}",
                       q->dead_name, (intmax_t)q->receives_max);
        attribute_write(c, "RedrivePolicy", text);
    }
    if (q->is_fifo) {
        attribute_write(c, "FifoQueue", "true");
        attribute_write(c, "ContentBasedDeduplication", q->dedups_by_content ? "true" : "false");
    }
    sl_buf_add_str(c->out, SL_STR("}}"));
    return FAKE_OK;
}

enum fake_error fake_purge_queue(struct fake_call *c)
{
    fake_queue_purge(c->queues, c->queue);
    sl_buf_add_str(c->out, SL_STR("{}"));
    return FAKE_OK;
}

enum fake_error fake_delete_queue(struct fake_call *c)
{
    fake_queue_purge(c->queues, c->queue);
    c->queue->is_deleted = true;
    sl_buf_add_str(c->out, SL_STR("{}"));
    return FAKE_OK;
}

static struct fake_queue *queue_of_arn(const struct fake_call *c, const char *member)
{
    const sl_str arn = fake_text_of(c->request, member);
    const char *colon = arn.len > 0 ? memrchr(arn.ptr, ':', arn.len) : NULL;

    return colon == NULL
               ? NULL
               : fake_queue_find(c->queues,
                                 (sl_str){ colon + 1, arn.len - (size_t)(colon + 1 - arn.ptr) });
}

/* At once, where AWS takes its time. */
enum fake_error fake_start_message_move_task(struct fake_call *c)
{
    struct fake_queue *dead = queue_of_arn(c, "SourceArn");
    struct fake_queue *target = queue_of_arn(c, "DestinationArn");

    if (dead == NULL || (target == NULL && fake_text_of(c->request, "DestinationArn").len > 0)) {
        return FAKE_ERROR_NO_QUEUE;
    }
    (void)fake_queue_move_back(c->queues, dead, target);
    sl_buf_add_str(c->out, SL_STR("{\"TaskHandle\":\"done\"}"));
    return FAKE_OK;
}
