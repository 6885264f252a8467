/* telemetry/recent.c - the warnings and errors of late, each kind once. */
#include "telemetry/recent.h"

#include <stdlib.h>

/* The kind itself, else a place for it. */
static struct sl_recent_kind *kind_of(struct sl_recent *r, const struct sl_recent_kind *said)
{
    struct sl_recent_kind *place = &r->kinds[0];

    for (unsigned i = 0; i < SL_RECENT_KINDS; i++) {
        struct sl_recent_kind *k = &r->kinds[i];

        if (strcmp(k->message, said->message) == 0 && strcmp(k->code, said->code) == 0) {
            return k;
        }
        if (k->last_ms < place->last_ms) {
            place = k;
        }
    }
    *place = (struct sl_recent_kind){ 0 };
    return place;
}

void sl_recent_add(struct sl_recent *r, const struct sl_recent_kind *said, int64_t now_ms)
{
    struct sl_recent_kind *k = kind_of(r, said);
    const uint64_t n = k->n + 1;
    const int64_t first_ms = k->n > 0 ? k->first_ms : now_ms;

    *k = *said;
    k->n = n;
    k->first_ms = first_ms;
    k->last_ms = now_ms;
}

static int newest_first(const void *a, const void *b)
{
    const struct sl_recent_kind *one = a;
    const struct sl_recent_kind *other = b;

    return (one->last_ms < other->last_ms) - (one->last_ms > other->last_ms);
}

void sl_recent_sort(struct sl_recent *r)
{
    qsort(r->kinds, SL_RECENT_KINDS, sizeof r->kinds[0], newest_first);
}

const char *sl_recent_advice(const char *message)
{
    static const struct {
        const char *message;
        const char *advice;
    } rows[] = {

#define X(message, meaning, advice) { message, advice },
#include "telemetry/advice.def"
#undef X
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].message, message) == 0) {
            return rows[i].advice;
        }
    }
    return "";
}
