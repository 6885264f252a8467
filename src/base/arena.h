/* base/arena.h - memory that lives as long as a batch and is wiped with it. */
#ifndef SLUICE_BASE_ARENA_H
#define SLUICE_BASE_ARENA_H

#include "base/err.h"
#include "base/str.h"

struct sl_arena_block;

struct sl_arena {
    struct sl_arena_block *blocks; /* newest first */
    size_t held_bytes;
    size_t max_bytes;
    size_t block_bytes; /* of the next ordinary block */
};

/* Make an empty arena that will never hold more than `max_bytes`.
 *
 * Units:   `block_bytes` is what it takes from the heap at a time
 * Owns:    everything given out lives until sl_arena_done
 */
void sl_arena_init(struct sl_arena *a, size_t max_bytes, size_t block_bytes);

/* Give out `n` bytes, aligned for anything, not cleared.
 *
 * Returns: NULL when the cap or the heap is exhausted; the caller reports SL_NOMEM
 * Threads: one per arena
 */
void *sl_arena_alloc(struct sl_arena *a, size_t n);

/* As sl_arena_alloc, for `n` cleared elements of `size` bytes. */
void *sl_arena_calloc(struct sl_arena *a, size_t n, size_t size);

/* Copy a run into the arena, with a NUL behind it that its length does not count.
 * Returns: a run whose ptr is NULL when memory ran out. */
sl_str sl_arena_copy(struct sl_arena *a, sl_str s);

/* Print into the arena; the same NUL, the same failure. */
sl_str sl_arena_printf(struct sl_arena *a, const char *fmt, ...) SL_PRINTF(2, 3);

/* Take over all that `from` holds; `from` is then empty and its pointers live as long as `a`.
 * The cap of `a` is not asked: the bytes are held already. */
void sl_arena_adopt(struct sl_arena *a, struct sl_arena *from);

/* Wipe everything and keep one block for what comes next. */
void sl_arena_reset(struct sl_arena *a);

/* Wipe and free everything.  Takes a zeroed arena, too. */
void sl_arena_done(struct sl_arena *a);

#endif
