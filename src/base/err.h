/* base/err.h - result codes, their fates, and the report that goes with them.
 *
 * A fallible function returns sl_rc and takes `struct sl_err *e` last (NULL allowed).  A
 * report never holds a record's values: names, sizes, offsets and ids only.
 */
#ifndef SLUICE_BASE_ERR_H
#define SLUICE_BASE_ERR_H

#define SL_MUST_CHECK        __attribute__((warn_unused_result))
#define SL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define SL_AUTO(done)        __attribute__((cleanup(done)))

typedef enum {

#define X(name, fate, exit_code, text) SL_##name,
#include "base/err.def"
#undef X
} sl_rc;

enum sl_fate {
    SL_FATE_NONE,
    SL_FATE_RETRY,       /* do not ack, back off, try again */
    SL_FATE_DEAD_LETTER, /* this record becomes a dead letter, the batch goes on */
    SL_FATE_STOP,        /* stop cleanly, a person must look */
};

struct sl_err {
    sl_rc rc;
    const char *at;   /* "src/x.c:12", static */
    char msg[1024];   /* one line, lower case, no period */
    char sqlstate[6]; /* "" when there is none */
    int http_status;  /* 0 when there is none */
};

/* The name of a code ("DISCONNECTED"), its meaning, its fate, and the exit status it ends with. */
const char *sl_rc_name(sl_rc rc);
const char *sl_rc_text(sl_rc rc);
enum sl_fate sl_rc_fate(sl_rc rc);
int sl_rc_exit(sl_rc rc);
const char *sl_fate_name(enum sl_fate fate);

/* Fill a report and return its code, so that callers write `return SL_FAIL(...)`.
 *
 * Shape:   fmt gives one line, cut at 1023 bytes; control characters become '?'
 * Owns:    nothing; `at` must be static
 * Threads: any; Blocks: never
 */
sl_rc sl_err_set(struct sl_err *e, sl_rc rc, const char *at, const char *fmt, ...) SL_PRINTF(4, 5);

#define SL_STRINGIFY_(x) #x
#define SL_STRINGIFY(x)  SL_STRINGIFY_(x)
#define SL_HERE          __FILE__ ":" SL_STRINGIFY(__LINE__)

/* The comma lets compilers and analyzers see that a failure is no SL_OK. */
#define SL_FAIL(e, rc, ...) ((void)sl_err_set((e), (rc), SL_HERE, __VA_ARGS__), (sl_rc)(rc))

/* The one macro that hides a return: hand a failure up, unchanged. */
#define SL_TRY(call)                     \
    do {                                 \
        const sl_rc sl_try_rc_ = (call); \
        if (sl_try_rc_ != SL_OK) {       \
            return sl_try_rc_;           \
        }                                \
    } while (0)

#endif
