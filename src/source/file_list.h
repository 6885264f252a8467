/* source/file_list.h - what the workers of a process share about the files that they read. */
#ifndef SLUICE_SOURCE_FILE_LIST_H
#define SLUICE_SOURCE_FILE_LIST_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/err.h"

struct sl_file_list {
    const sl_str *paths; /* in the order of their names */
    unsigned n;
    uint64_t bytes; /* of all of them, as they lie there; 0: not known */
    _Atomic unsigned next_i;
    _Atomic uint64_t read_bytes;
    _Atomic int64_t quota; /* lines that may still be taken; INT64_MAX for no limit */
};

/* Find the files of a path with wildcards, and look that each can be read.
 *
 * Shape:   "-" is stdin, which is not looked at
 * Owns:    *ret lives in `a`
 * Errors:  SL_IO (stop)  there is none, one is a directory, one may not be read; SL_NOMEM (retry)
 */
sl_rc sl_file_list_find(sl_str path, int64_t max_lines, struct sl_arena *a,
                        struct sl_file_list *ret, struct sl_err *e) SL_MUST_CHECK;

/* Whether a path is "-". */
bool sl_file_is_stdin(sl_str path);

/* The next file that nobody has taken; false when there is none.  Threads: any. */
bool sl_file_list_next(struct sl_file_list *list, sl_str *ret);

/* Take the right to one more line; false when there are enough.  Threads: any. */
bool sl_file_list_take_line(struct sl_file_list *list);

#endif
