/* cmd/dead_filter.h - which dead letters: the ids and filters of `sluice dead`. */
#ifndef SLUICE_CMD_DEAD_FILTER_H
#define SLUICE_CMD_DEAD_FILTER_H

#include "base/buf.h"
#include "sink/pg_dead.h"

/* What getopt_long returns for them; other options of a command go on from SL_DEAD_FILTER_END. */
enum sl_dead_filter_option {
    SL_DEAD_CODE = 256,
    SL_DEAD_FIELD,
    SL_DEAD_SINCE,
    SL_DEAD_UNTIL,
    SL_DEAD_STATUS,
    SL_DEAD_LIMIT,
    SL_DEAD_FILTER_END,
};

#define SL_DEAD_FILTER_LONG                                    \
    { "code", required_argument, NULL, SL_DEAD_CODE },         \
        { "field", required_argument, NULL, SL_DEAD_FIELD },   \
        { "since", required_argument, NULL, SL_DEAD_SINCE },   \
        { "until", required_argument, NULL, SL_DEAD_UNTIL },   \
        { "status", required_argument, NULL, SL_DEAD_STATUS }, \
    {                                                          \
        "limit", required_argument, NULL, SL_DEAD_LIMIT        \
    }

#define SL_DEAD_FILTER_HELP                                                                       \
    "      --code CODE        the reason, as 'sluice docs errors' lists them: not_json\n"         \
    "      --field NAME       the field that the reason names: user_id\n"                         \
    "      --since WHEN       received then or later: 2026-01-31T23:59:59Z, or an age: 2d, 12h\n" \
    "      --until WHEN       received before\n"                                                  \
    "      --status S         new, retried or all (preset: new; all for purge, and where ids "    \
    "are\n"                                                                                       \
    "                         given)\n"                                                           \
    "      --limit N          at most so many\n"

/* Take one of those options.
 * Errors: SL_USAGE (stop) a value that it does not take */
sl_rc sl_dead_filter_take(struct sl_pg_dead_filter *f, int option, const char *value,
                          struct sl_err *e) SL_MUST_CHECK;

/* Take the ids of a command line.
 *
 * Shape:   `text` gets them with commas between; f->ids points there
 * Errors:  SL_USAGE (stop) one is no id; SL_NOMEM (retry) too many
 */
sl_rc sl_dead_filter_ids(struct sl_pg_dead_filter *f, char *const *ids, int n, struct sl_buf *text,
                         struct sl_err *e) SL_MUST_CHECK;

/* Read how old something is: digits and s, m, h or d.
 * Returns: the moment that long ago, in *ret; false if it is no age */
bool sl_dead_age(sl_str text, int64_t *ret_at_ms);

#endif
