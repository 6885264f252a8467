/* source/sqs_altered.h - messages whose body is not what was sent: they stay in the queue. */
#ifndef SLUICE_SOURCE_SQS_ALTERED_H
#define SLUICE_SOURCE_SQS_ALTERED_H

#include "base/hash.h"
#include "source/sqs.h"
#include "source/sqs_json.h"

struct sl_altered {
    const struct sl_sqs_settings *settings;
    struct sl_hash md5;
    bool has_md5; /* some libraries have none: nothing is looked at then */
};

/* Look MD5 up.
 *
 * Owns:    `settings` is borrowed; end with sl_altered_done
 * Threads: one per object
 */
void sl_altered_init(struct sl_altered *altered, const struct sl_sqs_settings *settings);
void sl_altered_done(struct sl_altered *altered);

/* Leave the altered messages of a reply in the queue, and those behind one in its group of a FIFO
 * queue: count them, and warn of each that is altered.
 *
 * Returns: how many are left to work on; they come first in `messages`, in the order they had
 */
unsigned sl_altered_leave(struct sl_altered *altered, struct sl_sqs_message *messages, unsigned n);

#endif
