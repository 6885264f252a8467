/* cmd/top_feed.h - what a run says of itself, asked for again and again while keys are awaited. */
#ifndef SLUICE_CMD_TOP_FEED_H
#define SLUICE_CMD_TOP_FEED_H

#include "cmd/top_pace.h"
#include "cmd/top_state.h"
#include "net/http.h"

enum { SL_TOP_URL_MAX = 1024 };

/* One of the two questions. */
struct sl_top_ask {
    struct sl_top_feed *feed;
    const char *path;
    unsigned every_ms;
    bool is_out;
    int64_t due_ms;
    sl_rc (*take)(struct sl_top_feed *f, sl_str text, struct sl_err *e);
};

struct sl_top_feed {
    const char *base; /* URL, borrowed */
    struct sl_http *http;
    struct sl_top_ask state_ask;
    struct sl_top_ask history_ask;
    struct sl_arena arenas[2]; /* of the texts of `state`, and of the answer before */
    unsigned arena;
    bool is_new;    /* something was answered, or not; the reader sets it back */
    bool is_paused; /* the reader wants nothing to be asked */
    bool has_history;
    const struct sl_top_state *state; /* the last one that came, however long ago; NULL: none */
    struct sl_top_history history;
    struct sl_top_pace pace;
    struct sl_err absent; /* rc is not SL_OK: nobody answers, and why */
    int64_t heard_ms;     /* monotonic: when somebody last did, or the feed began */
};

/* Begin; nothing is asked yet.
 * Errors: SL_NOMEM (retry) */
sl_rc sl_top_feed_open(struct sl_top_feed *f, const char *base, unsigned interval_ms,
                       struct sl_err *e) SL_MUST_CHECK;
void sl_top_feed_close(struct sl_top_feed *f);

/* Ask what is due, and wait until `fd` is ready for reading, a signal came, something moved, or the
 * deadline.
 *
 * Shape:   fd may be -1
 * Returns: the ready events of fd
 */
short sl_top_feed_wait(struct sl_top_feed *f, int fd, int64_t due_ms);

/* Ask both once, and wait for the answers.  A history that does not come is no failure.
 * Errors: those of the state: SL_DISCONNECTED, SL_TIMEOUT, SL_UNAVAILABLE, SL_NOMEM (retry) */
sl_rc sl_top_feed_once(struct sl_top_feed *f, struct sl_err *e) SL_MUST_CHECK;

#endif
