/* telemetry/repeats.c - warnings that come again and again: the first of a minute are said, the rest
 * is counted. */
#include "telemetry/repeats.h"

#include <stdio.h>

static bool is_over(const struct sl_repeat *k, int64_t now_ms)
{
    return now_ms - k->since_ms >= SL_REPEATS_MS;
}

/* The kind itself, else a place for it; NULL when all places are taken. */
static struct sl_repeat *kind_of(struct sl_repeats *r, const struct sl_repeat *wanted)
{
    struct sl_repeat *place = NULL;

    for (unsigned i = 0; i < SL_REPEATS_KINDS; i++) {
        struct sl_repeat *k = &r->kinds[i];

        if (strcmp(k->message, wanted->message) == 0 && strcmp(k->code, wanted->code) == 0) {
            return k;
        }
        if (place == NULL &&
            (k->message[0] == '\0' || (k->left_out == 0 && is_over(k, wanted->since_ms)))) {
            place = k;
        }
    }
    if (place != NULL) {
        *place = *wanted;
    }
    return place;
}

bool sl_repeats_let(struct sl_repeats *r, const char *message, sl_str code, int64_t now_ms)
{
    struct sl_repeat wanted = { .since_ms = now_ms };
    struct sl_repeat *k;

    (void)snprintf(wanted.message, sizeof wanted.message, "%s", message);
    (void)snprintf(wanted.code, sizeof wanted.code, "%" SL_FMT, SL_ARG(code));
    k = kind_of(r, &wanted);
    if (k == NULL) {
        return true;
    }
    if (k->left_out == 0 && is_over(k, now_ms)) {
        *k = wanted;
    }
    if (k->said < SL_REPEATS_FIRST) {
        k->said++;
        return true;
    }
    k->left_out++;
    return false;
}

bool sl_repeats_due(struct sl_repeats *r, int64_t now_ms, bool is_end, struct sl_repeat *ret)
{
    for (unsigned i = 0; i < SL_REPEATS_KINDS; i++) {
        struct sl_repeat *k = &r->kinds[i];

        if (k->left_out > 0 && (is_end || is_over(k, now_ms))) {
            *ret = *k;
            k->since_ms = now_ms;
            k->said = 0;
            k->left_out = 0;
            return true;
        }
    }
    return false;
}
