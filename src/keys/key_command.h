/* keys/key_command.h - the keys that a program prints: sops, age, vault.  Only for keys/. */
#ifndef SLUICE_KEYS_KEY_COMMAND_H
#define SLUICE_KEYS_KEY_COMMAND_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/stop.h"

struct sl_key_command {
    sl_str words;
    unsigned limit_ms;
    const struct sl_stop *stop; /* asked: the command is killed; NULL: nobody asks */
};

/* Run a command without a shell and read what it prints.
 *
 * Shape:   words between blanks, 1..64; the first is looked up in PATH.  stdin is /dev/null,
 *          stderr is ours.  At most SL_KEY_FILE_MAX bytes
 * Owns:    *ret_name, what to call it in messages, lives in `a`
 * Errors:  SL_CONFIG (stop)   no words, or too many
 *          SL_KEY (stop)      it cannot be run, or did not exit with 0; no message quotes
 *                             arguments or output
 *          SL_TIMEOUT (retry) it took longer than limit_ms, or a stop was asked for; it was killed
 *          SL_NOMEM (retry)
 * Blocks:  up to limit_ms
 */
sl_rc sl_key_command_read(const struct sl_key_command *command, struct sl_arena *a,
                          sl_str *ret_name, struct sl_buf *text, struct sl_err *e) SL_MUST_CHECK;

#endif
