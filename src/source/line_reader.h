/* source/line_reader.h - the lines of a file, plain or packed, fed in pieces of any size.  Pure. */
#ifndef SLUICE_SOURCE_LINE_READER_H
#define SLUICE_SOURCE_LINE_READER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/cleartext.h"
#include "source/unpack.h"

struct sl_line {
    uint64_t number;   /* from 1; empty lines count, and are not given */
    sl_cleartext text; /* without its end; nothing of it when it is too long */
    bool is_too_long;
};

struct sl_line_reader {
    sl_str name; /* of the file */
    size_t line_max;
    bool is_over; /* the file has been read to its end */
    bool has_packing;
    bool is_passing; /* over a line that is too long */
    struct sl_unpack unpack;
    struct sl_buf in; /* read, not yet unpacked, from in_at on */
    size_t in_at;
    struct sl_buf text; /* unpacked, not yet taken, from text_at on */
    size_t text_at;
    size_t seen_at; /* no line ends before */
    uint64_t lines_n;
};

/* Begin a file.
 *
 * Shape:   lines of more than `line_max` bytes are too long, and pass through in little memory
 * Owns:    the name is borrowed; end with sl_line_reader_done
 */
void sl_line_reader_init(struct sl_line_reader *r, sl_str name, size_t line_max);
void sl_line_reader_done(struct sl_line_reader *r);

/* Where the next bytes of the file go; only when sl_line_reader_next has asked for more.
 *
 * Returns: NULL when memory ran out */
char *sl_line_reader_room(struct sl_line_reader *r, size_t *ret_n);

/* So many bytes are there now; 0: the file is over. */
void sl_line_reader_fed(struct sl_line_reader *r, size_t n);

/* Take the next line.
 *
 * Shape:   lines end in LF or CR LF, the last one may end with the file; a byte order mark is no
 *          part of the first; empty lines are passed over
 * Owns:    its text lives in `a`, with what the JSON parser wants behind it
 * Returns: in *ret_has false when more bytes are wanted, or, once is_over, when there are no more
 *          lines
 * Errors:  SL_NOMEM (retry)  the arena is full: the line is not taken
 *          SL_IO (stop)      "FILE: broken gzip data at byte 17"; all whole lines before came
 */
sl_rc sl_line_reader_next(struct sl_line_reader *r, struct sl_arena *a, struct sl_line *ret,
                          bool *ret_has, struct sl_err *e) SL_MUST_CHECK;

#endif
