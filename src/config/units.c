/* config/units.c - numbers with units, as people write them. */
#include "config/units.h"

struct unit {
    const char *name;
    int64_t factor;
};

/* In milliseconds. */
static const struct unit duration_units[] = {
    { "", 1000 },     { "ms", 1 },       { "s", 1000 }, { "m", 60000 },
    { "h", 3600000 }, { "d", 86400000 }, { NULL, 0 },
};

static const struct unit size_units[] = {
    { "", 1 }, { "KiB", 1 << 10 }, { "MiB", 1 << 20 }, { "GiB", 1 << 30 }, { NULL, 0 },
};

static const struct unit no_units[] = { { "", 1 }, { NULL, 0 } };

/* Digits, perhaps a blank, a unit. */
static bool unit_number(sl_str text, const struct unit *units, int64_t *ret)
{
    sl_str digits = { text.ptr, 0 };
    sl_str unit;
    int64_t number;

    while (digits.len < text.len && text.ptr[digits.len] >= '0' && text.ptr[digits.len] <= '9') {
        digits.len++;
    }
    unit = sl_str_trim((sl_str){ text.ptr + digits.len, text.len - digits.len });
    if (!sl_str_to_i64(digits, &number)) {
        return false;
    }
    for (; units->name != NULL; units++) {
        if (sl_str_eq(unit, sl_str_of(units->name))) {
            return !__builtin_mul_overflow(number, units->factor, ret);
        }
    }
    return false;
}

bool sl_units_read(enum sl_kind kind, sl_str text, int64_t *ret)
{
    switch (kind) {
    case SL_KIND_SIZE:
        return unit_number(text, size_units, ret);
    case SL_KIND_MS:
        return unit_number(text, duration_units, ret);
    case SL_KIND_SECONDS:
        if (!unit_number(text, duration_units, ret) || *ret % 1000 != 0) {
            return false;
        }
        *ret /= 1000;
        return true;
    default:
        return unit_number(text, no_units, ret);
    }
}

const char *sl_units_examples(enum sl_kind kind)
{
    return kind == SL_KIND_SIZE      ? ", written as 67108864, 64MiB or 1GiB"
           : kind == SL_KIND_MS      ? ", written as 200ms, 30s or 2m"
           : kind == SL_KIND_SECONDS ? " in whole seconds, written as 30, 30s, 2m, 12h or 15d"
                                     : "";
}
