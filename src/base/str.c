/* base/str.c - small work on runs of bytes. */
#include "base/str.h"

int sl_str_cmp(sl_str a, sl_str b)
{
    const size_t common = a.len < b.len ? a.len : b.len;
    const int order = common == 0 ? 0 : memcmp(a.ptr, b.ptr, common);

    if (order != 0) {
        return order;
    }
    return (a.len > b.len) - (a.len < b.len);
}

sl_str sl_str_cut(sl_str *s, char sep)
{
    const char *at = s->len == 0 ? NULL : memchr(s->ptr, sep, s->len);
    sl_str head = *s;

    if (at == NULL) {
        *s = (sl_str){ 0 };
        return head;
    }
    head.len = (size_t)(at - s->ptr);
    s->ptr = at + 1;
    s->len -= head.len + 1;
    return head;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

sl_str sl_str_trim(sl_str s)
{
    while (s.len > 0 && is_space(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && is_space(s.ptr[s.len - 1])) {
        s.len--;
    }
    return s;
}

bool sl_str_to_i64(sl_str s, int64_t *ret)
{
    const bool negative = s.len > 0 && s.ptr[0] == '-';
    int64_t value = 0;

    if (s.len == (negative ? 1U : 0U)) {
        return false;
    }
    for (size_t i = negative; i < s.len; i++) {
        const int digit = s.ptr[i] - '0';

        /* Counting down reaches INT64_MIN, which counting up could not. */
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, digit, &value)) {
            return false;
        }
    }
    if (!negative && value == INT64_MIN) {
        return false;
    }
    *ret = negative ? value : -value;
    return true;
}

size_t sl_str_chars(sl_str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++) {
        n += ((unsigned char)s.ptr[i] & 0xc0) != 0x80;
    }
    return n;
}
