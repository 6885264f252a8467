/* app_dead_ask.h - which dead letters are asked for over HTTP: read from a query or a body. */
#ifndef SLUICE_APP_DEAD_ASK_H
#define SLUICE_APP_DEAD_ASK_H

#include "base/arena.h"
#include "net/http_server.h"
#include "sink/pg_dead.h"

struct sl_dead_ask {
    struct sl_pg_dead_filter filter; /* its texts live below, or as long as the request */
    int64_t after_id;                /* go on behind it */
    int64_t expect_n;                /* no more than so many may be meant; -1: not said */
    struct sl_buf ids;
    struct sl_arena arena;
};

/* Read ?code=&field=&status=&before=&limit= of a list; end with sl_dead_ask_done, also after a
 * failure.
 * Errors: SL_USAGE (stop) a value that it does not take */
sl_rc sl_dead_ask_query(const struct sl_http_asked *asked, struct sl_dead_ask *ret,
                        struct sl_err *e) SL_MUST_CHECK;

/* Read the id that a path ends in: "/api/dead/17".  As sl_dead_ask_query. */
sl_rc sl_dead_ask_path(const char *path, struct sl_dead_ask *ret, struct sl_err *e) SL_MUST_CHECK;

/* Read the body of an action: {"ids":[...]} or {"code":"..."}, also both, and what narrows it:
 * "field", "status", "after", "expect".  Nothing else may stand there.  As sl_dead_ask_query.
 * Errors: SL_NOMEM (retry), too */
sl_rc sl_dead_ask_body(sl_str body, struct sl_dead_ask *ret, struct sl_err *e) SL_MUST_CHECK;

void sl_dead_ask_done(struct sl_dead_ask *ask);

#endif
