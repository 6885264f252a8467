/* source/unpack.c - the bytes of a file as they were before gzip or zstd, piece by piece. */
#include "source/unpack.h"

#include <inttypes.h>
#include <zstd_errors.h>

enum {
    GZIP_ONLY = 16,  /* added to the window bits: gzip's own header and trailer, not zlib's */
    WINDOW_BITS = 15 /* the largest that gzip has */
};

static bool ends_in(sl_str name, sl_str tail)
{
    return name.len >= tail.len &&
           sl_str_eq((sl_str){ name.ptr + name.len - tail.len, tail.len }, tail);
}

/* No text begins like this.  zstd: RFC 8878 section 3.1; a skippable frame may come first. */
enum sl_packing sl_packing_of(sl_str head)
{
    const bool has_skippable = head.len >= 4 && (head.ptr[0] & 0xf0) == 0x50 &&
                               memcmp(head.ptr + 1, "\x2a\x4d\x18", 3) == 0;

    if (sl_str_starts(head, SL_STR("\x1f\x8b"))) {
        return SL_PACKING_GZIP;
    }
    return has_skippable || sl_str_starts(head, SL_STR("\x28\xb5\x2f\xfd")) ? SL_PACKING_ZSTD
                                                                            : SL_PACKING_NONE;
}

enum sl_packing sl_packing_of_name(sl_str name)
{
    return ends_in(name, SL_STR(".gz"))    ? SL_PACKING_GZIP
           : ends_in(name, SL_STR(".zst")) ? SL_PACKING_ZSTD
                                           : SL_PACKING_NONE;
}

const char *sl_packing_name(enum sl_packing packing)
{
    static const char *const names[] = {
        [SL_PACKING_NONE] = "", [SL_PACKING_GZIP] = "gzip", [SL_PACKING_ZSTD] = "zstd"
    };

    return names[packing];
}

sl_rc sl_unpack_init(struct sl_unpack *u, enum sl_packing packing, struct sl_err *e)
{
    bool is_ready = true;

    *u = (struct sl_unpack){ .packing = packing };
    if (packing == SL_PACKING_GZIP) {
        is_ready = inflateInit2(&u->gzip, WINDOW_BITS + GZIP_ONLY) == Z_OK;
    } else if (packing == SL_PACKING_ZSTD) {
        u->zstd = ZSTD_createDStream();
        is_ready = u->zstd != NULL;
    }
    return is_ready ? SL_OK : SL_FAIL(e, SL_NOMEM, "could not make room to unpack a file");
}

void sl_unpack_done(struct sl_unpack *u)
{
    if (u->packing == SL_PACKING_GZIP) {
        (void)inflateEnd(&u->gzip);
    }
    (void)ZSTD_freeDStream(u->zstd);
    *u = (struct sl_unpack){ 0 };
}

static void cut(sl_str *in, size_t taken)
{
    *in = (sl_str){ in->ptr + taken, in->len - taken };
}

static void copy_some(struct sl_unpack *u, sl_str *in, char *room, size_t n, size_t *ret_out)
{
    const size_t step = in->len < n ? in->len : n;

    (void)u;
    memcpy(room, in->ptr, step);
    cut(in, step);
    *ret_out = step;
}

static uInt at_most(size_t n)
{
    return n < UINT32_MAX ? (uInt)n : UINT32_MAX;
}

/* A member that ends leaves the stream ready for the next one. */
static void gzip_some(struct sl_unpack *u, sl_str *in, char *room, size_t n, size_t *ret_out)
{
    int rc;

    u->gzip.next_in = (z_const Bytef *)in->ptr;
    u->gzip.avail_in = at_most(in->len);
    u->gzip.next_out = (Bytef *)room;
    u->gzip.avail_out = at_most(n);
    rc = inflate(&u->gzip, Z_NO_FLUSH);
    *ret_out = at_most(n) - u->gzip.avail_out;
    cut(in, at_most(in->len) - u->gzip.avail_in);
    u->is_inside = rc != Z_STREAM_END;
    if (rc == Z_STREAM_END) {
        (void)inflateReset(&u->gzip);
    } else if (rc != Z_OK && rc != Z_BUF_ERROR) {
        u->lacks_memory = rc == Z_MEM_ERROR;
        u->broken = u->lacks_memory ? "no memory for" : "broken";
    }
}

static const char *zstd_complaint(ZSTD_ErrorCode code)
{
    switch (code) {
    case ZSTD_error_frameParameter_windowTooLarge:
        return "too large a window (zstd --long) of";
    case ZSTD_error_memory_allocation:
        return "no memory for";
    default:
        return "broken";
    }
}

static void zstd_some(struct sl_unpack *u, sl_str *in, char *room, size_t n, size_t *ret_out)
{
    ZSTD_inBuffer from = { .src = in->ptr, .size = in->len };
    ZSTD_outBuffer to = { .dst = room, .size = n };
    const size_t left = ZSTD_decompressStream(u->zstd, &to, &from);

    *ret_out = to.pos;
    cut(in, from.pos);
    u->is_inside = left != 0;
    if (ZSTD_isError(left)) {
        u->lacks_memory = ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation;
        u->broken = zstd_complaint(ZSTD_getErrorCode(left));
    }
}

static sl_rc broken(const struct sl_unpack *u, struct sl_err *e)
{
    return SL_FAIL(e, SL_IO, "%s %s data at byte %" PRIu64, u->broken, sl_packing_name(u->packing),
                   u->taken_bytes);
}

sl_rc sl_unpack_some(struct sl_unpack *u, sl_str *in, char *room, size_t n, size_t *ret_n,
                     struct sl_err *e)
{
    static void (*const some[])(struct sl_unpack *, sl_str *, char *, size_t, size_t *) = {
        [SL_PACKING_NONE] = copy_some,
        [SL_PACKING_GZIP] = gzip_some,
        [SL_PACKING_ZSTD] = zstd_some,
    };
    size_t out = 0;

    do {
        const size_t had = in->len;

        /* Nothing is asked for nothing: zstd calls broken what stands still for long, as a pipe may. */
        if (u->broken != NULL || (had == 0 && !(u->is_inside && u->is_full))) {
            break;
        }
        some[u->packing](u, in, room, n, &out);
        u->is_full = out == n;
        u->taken_bytes += had - in->len;
        if (u->broken == NULL && had > 0 && in->len == had && out == 0) {
            u->broken = "broken"; /* a library that stands still is not asked for ever */
        }
    } while (out == 0 && in->len > 0);
    if (u->broken != NULL && out == 0) {
        return broken(u, e);
    }
    *ret_n = out;
    return SL_OK;
}

sl_rc sl_unpack_end(const struct sl_unpack *u, struct sl_err *e)
{
    return !u->is_inside ? SL_OK
                         : SL_FAIL(e, SL_IO, "%s data that is cut off at byte %" PRIu64,
                                   sl_packing_name(u->packing), u->taken_bytes);
}
