/* base/command.h - what a program prints. */
#ifndef SLUICE_BASE_COMMAND_H
#define SLUICE_BASE_COMMAND_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/stop.h"

struct sl_command {
    const char *what; /* "key command", for people */
    sl_str words;
    bool takes_quotes; /* "a b" and 'a b' are one word; else a quote is a character */
    sl_rc failure;     /* what a program is that cannot be run, or fails */
    size_t max_bytes;
    unsigned limit_ms;
    const struct sl_stop *stop; /* asked: the program is killed; NULL: nobody asks */
};

/* Run a program without a shell and read what it prints.
 *
 * Shape:   words between blanks, 1..64; the first is looked up in PATH.  stdin is /dev/null,
 *          stderr is ours, and no other descriptor.  text has room for max_bytes + 1
 * Owns:    *ret_program lives in `a`
 * Errors:  SL_CONFIG (stop)   no words, too many, or a quote that is not closed
 *          `failure`          it cannot be run, or did not exit with 0; no message quotes
 *                             arguments or output
 *          SL_TIMEOUT (retry) it took longer than limit_ms, or a stop was asked for; it was killed
 *          SL_NOMEM (retry)
 * Blocks:  up to limit_ms
 */
sl_rc sl_command_read(const struct sl_command *command, struct sl_arena *a, sl_str *ret_program,
                      struct sl_buf *text, struct sl_err *e) SL_MUST_CHECK;

#endif
