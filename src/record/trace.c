/* record/trace.c - the trace that a message belongs to. */
#include "record/trace.h"

enum {
    /* of "00-<32>-<16>-<2>" */
    TRACE_AT = 3,
    PARENT_AT = 36,
    PARENT_DIGITS = 16,
    FLAGS_AT = 53,
    W3C_CHARS = 55,

    /* of "1-<8>-<24>" */
    ROOT_CHARS = 35,
    SECONDS_DIGITS = 8,
};

static sl_str part(sl_str s, size_t at, size_t n)
{
    return (sl_str){ s.ptr + at, n };
}

static bool is_hex(sl_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!((s.ptr[i] >= '0' && s.ptr[i] <= '9') || (s.ptr[i] >= 'a' && s.ptr[i] <= 'f'))) {
            return false;
        }
    }
    return true;
}

/* An id that is all zeros is none. */
static bool is_id(sl_str s)
{
    size_t zeros = 0;

    while (zeros < s.len && s.ptr[zeros] == '0') {
        zeros++;
    }
    return zeros < s.len && is_hex(s);
}

sl_str sl_trace_text(const struct sl_trace *t)
{
    return (sl_str){ t->digits, t->digits[0] != '\0' ? SL_TRACE_DIGITS : 0 };
}

/* Later versions may have more behind another dash; "ff" is none. */
static bool is_version(sl_str header)
{
    const sl_str version = part(header, 0, 2);

    return is_hex(version) && !sl_str_eq(version, SL_STR("ff")) &&
           (header.len == W3C_CHARS ||
            (header.ptr[W3C_CHARS] == '-' && !sl_str_eq(version, SL_STR("00"))));
}

bool sl_trace_read_w3c(sl_str header, struct sl_trace *ret)
{
    if (header.len < W3C_CHARS || header.ptr[TRACE_AT - 1] != '-' ||
        header.ptr[PARENT_AT - 1] != '-' || header.ptr[FLAGS_AT - 1] != '-' ||
        !is_version(header) || !is_id(part(header, TRACE_AT, SL_TRACE_DIGITS)) ||
        !is_id(part(header, PARENT_AT, PARENT_DIGITS)) || !is_hex(part(header, FLAGS_AT, 2))) {
        return false;
    }
    memcpy(ret->digits, header.ptr + TRACE_AT, SL_TRACE_DIGITS);
    return true;
}

/* The same id, as OpenTelemetry writes it: without the version and the dashes. */
static bool read_root(sl_str root, struct sl_trace *ret)
{
    struct sl_trace t;

    if (root.len != ROOT_CHARS || !sl_str_starts(root, SL_STR("1-")) ||
        root.ptr[2 + SECONDS_DIGITS] != '-') {
        return false;
    }
    memcpy(t.digits, root.ptr + 2, SECONDS_DIGITS);
    memcpy(t.digits + SECONDS_DIGITS, root.ptr + 3 + SECONDS_DIGITS,
           SL_TRACE_DIGITS - SECONDS_DIGITS);
    if (!is_id((sl_str){ t.digits, SL_TRACE_DIGITS })) {
        return false;
    }
    *ret = t;
    return true;
}

bool sl_trace_read_aws(sl_str header, struct sl_trace *ret)
{
    const sl_str root = SL_STR("Root=");

    while (header.len > 0) {
        const sl_str field = sl_str_trim(sl_str_cut(&header, ';'));

        if (sl_str_starts(field, root)) {
            return read_root(part(field, root.len, field.len - root.len), ret);
        }
    }
    return false;
}
