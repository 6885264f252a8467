/* cmd/private_file.h - a file for cleartext that another program must open: in memory, this user's
 * alone, wiped when it is closed. */
#ifndef SLUICE_CMD_PRIVATE_FILE_H
#define SLUICE_CMD_PRIVATE_FILE_H

#include "base/buf.h"

enum { SL_PRIVATE_PATH_MAX = 512 };

struct sl_private_file {
    char dir[SL_PRIVATE_PATH_MAX]; /* of its own, 0700; "" = there is none */
    char path[SL_PRIVATE_PATH_MAX];
    int dir_fd;
};

/* Where such files go, the best first, NULL at the end: $XDG_RUNTIME_DIR and /dev/shm. */
void sl_private_places(const char *ret[static 3]);

/* Make one in the first of `places` that is a tmpfs, and write `text` into it.
 *
 * Shape:   mode 0600 in a directory of its own with 0700, where an editor's swap files and backups
 *          end, too
 * Errors:  SL_IO (stop)  none of them is one, or cannot be written; nothing is left behind
 * Blocks:  never; a signal that ends the process leaves the file: block those before
 */
sl_rc sl_private_file_open(struct sl_private_file *f, const char *const *places, sl_str text,
                           struct sl_err *e) SL_MUST_CHECK;

/* Read what it has now, whoever wrote or replaced it, up to the limit of `out`.
 * Errors: SL_IO (stop) it is gone, or no file; SL_NOMEM (retry) it is too large */
sl_rc sl_private_file_read(const struct sl_private_file *f, struct sl_buf *out, struct sl_err *e)
    SL_MUST_CHECK;

/* Overwrite and remove it, and all that stands beside it.
 * Errors: SL_IO (stop) something is left, and where */
sl_rc sl_private_file_close(struct sl_private_file *f, struct sl_err *e) SL_MUST_CHECK;

#endif
