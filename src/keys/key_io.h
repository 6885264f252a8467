/* keys/key_io.h - the files that keys stand in: looked at, read within a limit, written for good.
 * Only for keys/. */
#ifndef SLUICE_KEYS_KEY_IO_H
#define SLUICE_KEYS_KEY_IO_H

#include "base/buf.h"

enum { SL_KEY_FILE_MAX = 64 * 1024 }; /* bytes, wherever the keys come from */

/* Close a descriptor that is open; for SL_AUTO. */
void sl_key_io_done(int *fd);

/* Open a key file to read; a fifo does not hang the start.
 * Errors: SL_KEY (stop)  what to do is said */
sl_rc sl_key_io_open(const char *path, int *ret_fd, struct sl_err *e) SL_MUST_CHECK;

/* Refuse a file that somebody else could have written or could read; asked of the descriptor, so
 * that nobody swaps the file in between.
 *
 * Shape:   what it is, as "key file"; a group may read a file of root's
 * Errors:  SL_KEY (stop)
 */
sl_rc sl_key_io_check(const char *what, const char *path, int fd, struct sl_err *e) SL_MUST_CHECK;

/* Read to the end.  `name` stands for the source in messages.
 * Errors: SL_KEY (stop)  more than 64 KiB, or an error; SL_NOMEM (retry) */
sl_rc sl_key_io_read(const char *name, int fd, struct sl_buf *text, struct sl_err *e) SL_MUST_CHECK;

/* An empty buffer that sl_key_io_read can fill to the limit. */
struct sl_buf sl_key_io_buf(void);

/* Write all of it, on to the disk.
 * Errors: SL_IO (stop) */
sl_rc sl_key_io_write(const char *path, int fd, sl_str text, struct sl_err *e) SL_MUST_CHECK;

/* Bring the name of a file on to the disk: it must survive a power cut as well as the bytes.  A
 * file system that cannot sync a directory is no reason to refuse. */
void sl_key_io_sync_name(const char *path);

#endif
