/* tests/fuzz/fuzz.h - what every fuzzer has: its one function, and ways to say what must hold.
 *
 * The function is called by libFuzzer (`make fuzz`) with any bytes, and by replay.c (`make test`)
 * with each file of the corpus.
 */
#ifndef SLUICE_TESTS_FUZZ_H
#define SLUICE_TESTS_FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* As assert, also in a release build. */
static inline void must(bool is_so, const char *what)
{
    if (!is_so) {
        (void)fprintf(stderr, "%s\n", what);
        abort();
    }
}

/* A refusal says why, in one line. */
static inline void must_say(const struct sl_err *e, sl_rc rc)
{
    must(e->rc == rc && e->at != NULL, "a refusal whose report is of something else");
    must(e->msg[0] != '\0', "a refusal without a text");
    for (const char *c = e->msg; *c != '\0'; c++) {
        must((unsigned char)*c >= ' ' && *c != 0x7f, "a refusal with a control character");
    }
}

static inline bool has(sl_str text, sl_str part)
{
    return part.len == 0 ||
           (text.len > 0 && memmem(text.ptr, text.len, part.ptr, part.len) != NULL);
}

/* A copy with the bytes behind it that the JSON parser may look at; they are all `padding`. */
static inline sl_str padded(struct sl_arena *a, sl_str s, char padding)
{
    char *copy = sl_arena_alloc(a, s.len + SL_JSON_PADDING);

    must(copy != NULL, "memory");
    if (s.len > 0) {
        memcpy(copy, s.ptr, s.len);
    }
    memset(copy + s.len, padding, SL_JSON_PADDING);
    return (sl_str){ copy, s.len };
}

#endif
