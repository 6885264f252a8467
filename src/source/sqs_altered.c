/* source/sqs_altered.c - messages whose body is not what was sent. */
#include "source/sqs_altered.h"

#include "base/clock.h"
#include "base/hex.h"
#include "telemetry/log.h"

enum { MD5_BYTES = 16 };

void sl_altered_init(struct sl_altered *altered, const struct sl_sqs_settings *settings)
{
    *altered = (struct sl_altered){ .settings = settings };
    altered->has_md5 = sl_hash_open(&altered->md5, "MD5", NULL) == SL_OK;
}

void sl_altered_done(struct sl_altered *altered)
{
    sl_hash_close(&altered->md5);
}

static bool md5_matches(struct sl_altered *altered, const struct sl_sqs_message *m)
{
    /* A digest of the body; the body itself goes nowhere. */
    const sl_str body = sl_cleartext_publish(m->body);
    unsigned char digest[MD5_BYTES];
    char hex[2 * MD5_BYTES];

    if (!altered->has_md5 || m->md5_of_body.len == 0) {
        return true;
    }
    if (sl_hash_of(&altered->md5, body.ptr, body.len, digest, NULL) != SL_OK) {
        return false;
    }
    sl_hex(digest, sizeof digest, hex);
    return sl_str_eq(m->md5_of_body, (sl_str){ hex, sizeof hex });
}

static void message_altered(struct sl_altered *altered, struct sl_sqs_message *m)
{
    const sl_str trace = sl_trace_text(&m->trace);
    const struct sl_field fields[] = {
        sl_field_str("sluice.stage", SL_STR("receive")),
        sl_field_str("sluice.message_id", m->message_id),
        sl_field_str("trace.id", trace),
    };

    m->stays = true;
    sl_count(&altered->settings->counters->md5_mismatch, 1);
    sl_log_fields(SL_LOG_WARN, "a body does not match its MD5; left in the queue", fields,
                  trace.len > 0 ? 3 : 2);
}

/* Nothing goes past a message of its group that stays. */
static bool is_behind(const struct sl_sqs_message *messages, unsigned i)
{
    for (unsigned k = 0; k < i; k++) {
        if (messages[k].stays && messages[k].group == messages[i].group) {
            return true;
        }
    }
    return false;
}

/* A message stays in the queue and comes back when its visibility timeout is over. */
static void message_leave(const struct sl_sqs_settings *settings)
{
    sl_count(&settings->counters->returned, 1);
    sl_sqs_leave(settings->shared, sl_clock_now_ms(),
                 (int64_t)settings->visibility_timeout_s * 1000);
}

unsigned sl_altered_leave(struct sl_altered *altered, struct sl_sqs_message *messages, unsigned n)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < n; i++) {
        if (!md5_matches(altered, &messages[i])) {
            message_altered(altered, &messages[i]);
        } else {
            messages[i].stays = altered->settings->is_fifo && is_behind(messages, i);
        }
    }
    for (unsigned i = 0; i < n; i++) {
        if (messages[i].stays) {
            message_leave(altered->settings);
        } else {
            messages[kept++] = messages[i];
        }
    }
    return kept;
}
