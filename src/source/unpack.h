/* source/unpack.h - the bytes of a file as they were before gzip or zstd, piece by piece.  Pure. */
#ifndef SLUICE_SOURCE_UNPACK_H
#define SLUICE_SOURCE_UNPACK_H

#include <zlib.h>
#include <zstd.h>

#include "base/err.h"
#include "base/str.h"

enum { SL_PACKING_HEAD = 4 }; /* bytes that tell how a file is packed */

enum sl_packing { SL_PACKING_NONE, SL_PACKING_GZIP, SL_PACKING_ZSTD };

struct sl_unpack {
    enum sl_packing packing;
    bool is_inside;       /* of a member or frame: the file must not end here */
    bool is_full;         /* the last room was: more may come out of it with nothing more in */
    const char *broken;   /* why nothing more comes out of it; NULL: all is well */
    bool lacks_memory;    /* that is why: it may be well another time */
    uint64_t taken_bytes; /* of the packed file */
    z_stream gzip;
    ZSTD_DStream *zstd;
};

/* How a file is packed, by its first bytes; less than SL_PACKING_HEAD only if it has no more. */
enum sl_packing sl_packing_of(sl_str head);

/* How a file is packed, by its name: ends in .gz, .zst, or neither. */
enum sl_packing sl_packing_of_name(sl_str name);

/* "gzip", "zstd"; "" for none. */
const char *sl_packing_name(enum sl_packing packing);

/* Begin; end with sl_unpack_done, also after a failure.
 * Errors: SL_NOMEM (retry) */
sl_rc sl_unpack_init(struct sl_unpack *u, enum sl_packing packing, struct sl_err *e) SL_MUST_CHECK;
void sl_unpack_done(struct sl_unpack *u);

/* Unpack into `room`, and cut from `*in` what was taken of it.
 *
 * Shape:   `n` at least 1; several members or frames in a row are one file
 * Returns: in *ret_n how many bytes came out; 0 with `*in` empty: they are all out
 * Errors:  SL_IO (stop)  it is broken, "broken gzip data at byte 17"; what came out before that has
 *                        been returned by earlier calls
 */
sl_rc sl_unpack_some(struct sl_unpack *u, sl_str *in, char *room, size_t n, size_t *ret_n,
                     struct sl_err *e) SL_MUST_CHECK;

/* After the last byte: whether that was the end.
 * Errors: SL_IO (stop)  it is cut off */
sl_rc sl_unpack_end(const struct sl_unpack *u, struct sl_err *e) SL_MUST_CHECK;

#endif
