/* config/arn.c - the name of something in AWS. */
#include "config/arn.h"

enum { ACCOUNT_CHARS = 12 };

static bool has_only(sl_str s, const char *allowed)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\0' || strchr(allowed, s.ptr[i]) == NULL) {
            return false;
        }
    }
    return s.len > 0;
}

static bool is_visible(sl_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] <= ' ' || s.ptr[i] > '~') {
            return false;
        }
    }
    return s.len > 0;
}

bool sl_arn_read(sl_str text, struct sl_arn *ret)
{
    const sl_str head = sl_str_cut(&text, ':');
    const sl_str partition = sl_str_cut(&text, ':');
    struct sl_arn arn;

    arn.service = sl_str_cut(&text, ':');
    arn.region = sl_str_cut(&text, ':');
    arn.owner = sl_str_cut(&text, ':');
    arn.name = text;
    if (!sl_str_eq(head, SL_STR("arn")) || !sl_str_starts(partition, SL_STR("aws")) ||
        !has_only(arn.region, "abcdefghijklmnopqrstuvwxyz0123456789-") ||
        arn.owner.len != ACCOUNT_CHARS || !has_only(arn.owner, "0123456789") ||
        !is_visible(arn.name)) {
        return false;
    }
    *ret = arn;
    return true;
}
