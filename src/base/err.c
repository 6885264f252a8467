/* base/err.c - result codes and reports. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    const char *name;
    const char *text;
    enum sl_fate fate;
    int exit_code;
} codes[] = {

#define X(name, fate, exit_code, text) { #name, text, SL_FATE_##fate, exit_code },
#include "base/err.def"
#undef X
};

const char *sl_rc_name(sl_rc rc)
{
    return codes[rc].name;
}

const char *sl_rc_text(sl_rc rc)
{
    return codes[rc].text;
}

enum sl_fate sl_rc_fate(sl_rc rc)
{
    return codes[rc].fate;
}

int sl_rc_exit(sl_rc rc)
{
    return codes[rc].exit_code;
}

const char *sl_fate_name(enum sl_fate fate)
{
    static const char *const names[] = { "none", "retry", "dead letter", "stop" };

    return names[fate];
}

sl_rc sl_err_set(struct sl_err *e, sl_rc rc, const char *at, const char *fmt, ...)
{
    va_list args;

    if (e == NULL) {
        return rc;
    }
    *e = (struct sl_err){ .rc = rc, .at = at };
    va_start(args, fmt);
    (void)vsnprintf(e->msg, sizeof e->msg, fmt, args);
    va_end(args);
    for (char *c = e->msg; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            *c = '?';
        }
    }
    return rc;
}
