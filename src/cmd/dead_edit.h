/* cmd/dead_edit.h - the body of a dead letter, changed by a person in an editor. */
#ifndef SLUICE_CMD_DEAD_EDIT_H
#define SLUICE_CMD_DEAD_EDIT_H

#include "base/arena.h"
#include "base/cleartext.h"
#include "base/err.h"

/* Give a body to $VISUAL, $EDITOR or vi, and take what comes back.
 *
 * Shape:   a line end that the editor put behind a body without one is taken off again; what comes
 *          back is followed by what sl_json_parse wants
 * Owns:    *ret lives in `a`
 * Errors:  SL_VALUE (dead letter)  it came back empty or as it was, the editor failed, or a signal
 *                                  asked to end
 *          SL_IO (stop)  the editor cannot be started; those of sl_private_file_open and _close
 *          SL_NOMEM (retry)
 * Threads: main only: takes over SIGINT, SIGQUIT, SIGTERM, SIGHUP and SIGCHLD meanwhile, so that
 *          none of them leaves cleartext behind
 * Blocks:  as long as the editor runs
 */
sl_rc sl_dead_edit(sl_cleartext body, struct sl_arena *a, sl_cleartext *ret, struct sl_err *e)
    SL_MUST_CHECK;

#endif
