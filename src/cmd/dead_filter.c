/* cmd/dead_filter.c - which dead letters: the ids and filters of `sluice dead`. */
#include "cmd/dead_filter.h"

#include <inttypes.h>

#include "base/clock.h"
#include "config/units.h"
#include "pipeline/convert.h"

enum { LIMIT_MAX = 1000000 };

/* A wrong word would find nothing, which looks like good news. */
static sl_rc take_code(struct sl_pg_dead_filter *f, sl_str value, struct sl_err *e)
{
    static const char *const codes[] = {
#define X(name, code, stage, text) code,
#include "record/reasons.def"
#undef X
    };

    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (sl_str_eq(value, sl_str_of(codes[i]))) {
            f->code = value;
            return SL_OK;
        }
    }
    return SL_FAIL(e, SL_USAGE,
                   "--code takes the code of a reason, such as %s: 'sluice docs errors' has them "
                   "all",
                   codes[0]);
}

bool sl_dead_age(sl_str text, int64_t *ret_at_ms)
{
    const int64_t now_ms = sl_clock_at_ms();
    int64_t age_s = 0;

    if (text.len < 2 || strchr("smhd", text.ptr[text.len - 1]) == NULL ||
        !sl_units_read(SL_KIND_SECONDS, text, &age_s)) {
        return false;
    }
    *ret_at_ms = age_s < now_ms / 1000 ? now_ms - age_s * 1000 : 0; /* no letter is as old */
    return true;
}

static sl_rc take_when(const char *option, sl_str value, int64_t *ret, struct sl_err *e)
{
    int64_t at_us = 0;

    if (sl_dead_age(value, ret)) {
        return SL_OK;
    }
    /* Bare digits could be meant as either. */
    if (value.len == 0 || memchr(value.ptr, '-', value.len) == NULL ||
        sl_convert_time(value, false, &at_us) != SL_REASON_NONE) {
        return SL_FAIL(e, SL_USAGE,
                       "%s takes a moment, such as 2026-01-31 or 2026-01-31T23:59:59Z, or an age, "
                       "such as 30m, 12h or 2d",
                       option);
    }
    *ret = at_us / 1000;
    return SL_OK;
}

static sl_rc take_status(struct sl_pg_dead_filter *f, sl_str value, struct sl_err *e)
{
    if (!sl_str_eq(value, SL_STR("new")) && !sl_str_eq(value, SL_STR("retried")) &&
        !sl_str_eq(value, SL_STR("all"))) {
        return SL_FAIL(e, SL_USAGE, "--status takes new, retried or all");
    }
    f->status = value;
    if (sl_str_eq(value, SL_STR("all"))) {
        f->status = (sl_str){ 0 };
    }
    return SL_OK;
}

static sl_rc take_limit(struct sl_pg_dead_filter *f, sl_str value, struct sl_err *e)
{
    int64_t n = 0;

    if (!sl_str_to_i64(value, &n) || n < 1 || n > LIMIT_MAX) {
        return SL_FAIL(e, SL_USAGE, "--limit takes 1 to %d", LIMIT_MAX);
    }
    f->limit = (unsigned)n;
    return SL_OK;
}

sl_rc sl_dead_filter_take(struct sl_pg_dead_filter *f, int option, const char *value,
                          struct sl_err *e)
{
    const sl_str text = sl_str_of(value);

    switch (option) {
    case SL_DEAD_CODE:
        return take_code(f, text, e);
    case SL_DEAD_FIELD:
        f->field = text;
        return text.len > 0 ? SL_OK : SL_FAIL(e, SL_USAGE, "--field takes the name of a field");
    case SL_DEAD_SINCE:
        return take_when("--since", text, &f->since_ms, e);
    case SL_DEAD_UNTIL:
        return take_when("--until", text, &f->until_ms, e);
    case SL_DEAD_STATUS:
        return take_status(f, text, e);
    case SL_DEAD_LIMIT:
        return take_limit(f, text, e);
    default:
        return SL_FAIL(e, SL_BUG, "option %d is no filter", option);
    }
}

sl_rc sl_dead_filter_ids(struct sl_pg_dead_filter *f, char *const *ids, int n, struct sl_buf *text,
                         struct sl_err *e)
{
    for (int i = 0; i < n; i++) {
        int64_t id = 0;

        if (!sl_str_to_i64(sl_str_of(ids[i]), &id) || id < 1) {
            return SL_FAIL(e, SL_USAGE,
                           "'%.40s' is no id of a dead letter: 'sluice dead list' shows them",
                           ids[i]);
        }
        sl_buf_printf(text, "%s%" PRId64, i > 0 ? "," : "", id);
    }
    SL_TRY(sl_buf_rc(text, e));
    f->ids = sl_buf_str(text);
    return SL_OK;
}
