/* config/queue.c - which queue is read: its URL, or its name or ARN, of which the URL is asked. */
#include "config/queue.h"

#include "config/arn.h"

enum { NAME_MAX_CHARS = 80 }; /* SQS limit */

static const char path_url[] = "source.sqs.queue_url";
static const char path_queue[] = "source.sqs.queue";

static bool is_word(sl_str s, const char *more)
{
    for (size_t i = 0; i < s.len; i++) {
        const char c = s.ptr[i];

        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              strchr(more, c) != NULL)) {
            return false;
        }
    }
    return s.len > 0;
}

static bool is_name(sl_str s)
{
    const sl_str fifo = SL_STR(".fifo");
    sl_str stem = s;

    if (s.len > fifo.len && memcmp(s.ptr + s.len - fifo.len, fifo.ptr, fifo.len) == 0) {
        stem.len -= fifo.len;
    }
    return s.len <= NAME_MAX_CHARS && is_word(stem, "-_");
}

/* Texts of a configuration have a NUL behind them. */
static sl_rc queue_copy(struct sl_config *cfg, sl_str s, sl_str *ret, struct sl_err *e)
{
    const sl_str copy = sl_arena_copy(&cfg->arena, s);

    if (copy.ptr == NULL) {
        return SL_FAIL(e, SL_NOMEM, "no memory for the configuration");
    }
    *ret = copy;
    return SL_OK;
}

static sl_rc queue_split(struct sl_config *cfg, struct sl_place place, struct sl_err *e)
{
    const sl_str text = cfg->sqs.queue;
    struct sl_arn arn = { .name = text };

    if (!is_name(text) &&
        !(sl_arn_read(text, &arn) && sl_str_eq(arn.service, SL_STR("sqs")) && is_name(arn.name))) {
        return SL_FAIL_AT(e, place,
                          "%s must be a queue's name, such as my-queue, or its ARN, such as "
                          "arn:aws:sqs:eu-west-1:123456789012:my-queue",
                          path_queue);
    }
    if (arn.region.len > 0 && cfg->sqs.region.len > 0 && !sl_str_eq(arn.region, cfg->sqs.region)) {
        return SL_FAIL_AT(e, place,
                          "%s is in region %" SL_FMT ", and source.sqs.region is %" SL_FMT,
                          path_queue, SL_ARG(arn.region), SL_ARG(cfg->sqs.region));
    }
    if (arn.region.len > 0) {
        SL_TRY(queue_copy(cfg, arn.region, &cfg->sqs.region, e));
    }
    SL_TRY(queue_copy(cfg, arn.owner, &cfg->sqs.queue_owner, e));
    return queue_copy(cfg, arn.name, &cfg->sqs.queue_name, e);
}

sl_rc sl_queue_read(struct sl_config *cfg, const struct sl_reading *rd, const struct sl_yaml *root,
                    const struct sl_overrides *overrides, struct sl_err *e)
{
    const struct sl_place place = sl_reading_place(rd, root, path_queue);

    if (sl_config_reads_files(cfg)) {
        return SL_OK;
    }
    if (overrides != NULL && overrides->queue_url.len > 0) {
        cfg->sqs.queue = SL_STR(""); /* the flag says which */
        return SL_OK;
    }
    if (cfg->sqs.queue_url.len > 0) {
        return cfg->sqs.queue.len == 0
                   ? SL_OK
                   : SL_FAIL_AT(e, place, "the queue is named once: leave out %s or %s", path_url,
                                path_queue);
    }
    if (cfg->sqs.queue.len == 0) {
        return SL_FAIL_AT(e, sl_reading_place(rd, root, path_url),
                          "%s is missing; give an http or https URL, here or with --queue-url, or "
                          "the queue's name in %s, or files in source.file.path",
                          path_url, path_queue);
    }
    return queue_split(cfg, place, e);
}
