/* base/arena.c - memory that lives as long as a batch and is wiped with it. */
#include "base/arena.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#    include <sanitizer/asan_interface.h>
#    define POISON(p, n)   ASAN_POISON_MEMORY_REGION(p, n)
#    define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#    define GAP            16 /* between two pieces, so that an overrun is seen */
#else
#    define POISON(p, n)   ((void)0)
#    define UNPOISON(p, n) ((void)0)
#    define GAP            0
#endif

struct sl_arena_block {
    struct sl_arena_block *next;
    size_t size;
    size_t used;
    _Alignas(max_align_t) unsigned char bytes[];
};

void sl_arena_init(struct sl_arena *a, size_t max_bytes, size_t block_bytes)
{
    *a = (struct sl_arena){ .max_bytes = max_bytes, .block_bytes = block_bytes };
}

static struct sl_arena_block *arena_grow(struct sl_arena *a, size_t n)
{
    const size_t size = n > a->block_bytes ? n : a->block_bytes;
    const size_t total = sizeof(struct sl_arena_block) + size;
    struct sl_arena_block *block;

    if (total > a->max_bytes || a->held_bytes > a->max_bytes - total) {
        return NULL;
    }
    block = malloc(total);
    if (block == NULL) {
        return NULL;
    }
    *block = (struct sl_arena_block){ .next = a->blocks, .size = size };
    POISON(block->bytes, size);
    a->blocks = block;
    a->held_bytes += total;
    return block;
}

void *sl_arena_alloc(struct sl_arena *a, size_t n)
{
    const size_t align = _Alignof(max_align_t);
    struct sl_arena_block *block = a->blocks;
    size_t step;
    void *piece;

    if (n > SIZE_MAX / 2) {
        return NULL;
    }
    step = (n + align - 1) / align * align + GAP;
    if (block == NULL || block->size - block->used < step) {
        block = arena_grow(a, step);
        if (block == NULL) {
            return NULL;
        }
    }
    piece = block->bytes + block->used;
    block->used += step;
    UNPOISON(piece, n);
    return piece;
}

void *sl_arena_calloc(struct sl_arena *a, size_t n, size_t size)
{
    size_t total;
    void *piece;

    if (__builtin_mul_overflow(n, size, &total)) {
        return NULL;
    }
    piece = sl_arena_alloc(a, total);
    if (piece != NULL) {
        memset(piece, 0, total);
    }
    return piece;
}

sl_str sl_arena_copy(struct sl_arena *a, sl_str s)
{
    char *copy = sl_arena_alloc(a, s.len + 1);

    if (copy == NULL) {
        return (sl_str){ 0 };
    }
    if (s.len > 0) {
        memcpy(copy, s.ptr, s.len);
    }
    copy[s.len] = '\0';
    return (sl_str){ copy, s.len };
}

sl_str sl_arena_printf(struct sl_arena *a, const char *fmt, ...)
{
    va_list args;
    char *text;
    int n;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    text = n < 0 ? NULL : sl_arena_alloc(a, (size_t)n + 1);
    if (text == NULL) {
        return (sl_str){ 0 };
    }
    va_start(args, fmt);
    (void)vsnprintf(text, (size_t)n + 1, fmt, args);
    va_end(args);
    return (sl_str){ text, (size_t)n };
}

void sl_arena_adopt(struct sl_arena *a, struct sl_arena *from)
{
    struct sl_arena_block **last = &from->blocks;

    while (*last != NULL) {
        last = &(*last)->next;
    }
    /* Behind the newest block, which goes on being filled. */
    if (a->blocks == NULL) {
        a->blocks = from->blocks;
    } else {
        *last = a->blocks->next;
        a->blocks->next = from->blocks;
    }
    a->held_bytes += from->held_bytes;
    from->blocks = NULL;
    from->held_bytes = 0;
}

static void block_free(struct sl_arena_block *block)
{
    UNPOISON(block->bytes, block->size);
    explicit_bzero(block->bytes, block->used);
    free(block);
}

void sl_arena_reset(struct sl_arena *a)
{
    struct sl_arena_block *kept = NULL;
    struct sl_arena_block *next;

    for (struct sl_arena_block *block = a->blocks; block != NULL; block = next) {
        next = block->next;
        if (next != NULL || block->size > a->block_bytes) {
            block_free(block);
        } else {
            UNPOISON(block->bytes, block->size);
            explicit_bzero(block->bytes, block->used);
            POISON(block->bytes, block->size);
            block->used = 0;
            kept = block;
        }
    }
    a->blocks = kept;
    a->held_bytes = kept == NULL ? 0 : sizeof *kept + kept->size;
}

void sl_arena_done(struct sl_arena *a)
{
    struct sl_arena_block *next;

    for (struct sl_arena_block *block = a->blocks; block != NULL; block = next) {
        next = block->next;
        block_free(block);
    }
    a->blocks = NULL;
    a->held_bytes = 0;
}
