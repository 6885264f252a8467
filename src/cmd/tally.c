/* cmd/tally.c - what became of many values that were looked at: counts, and ids of keys. */
#include "cmd/tally.h"

#include <inttypes.h>
#include <stdio.h>

void sl_tally_unknown(struct sl_tally *t, sl_str kid)
{
    unsigned i = 0;

    t->unknown++;
    while (i < t->kids_n && !sl_str_eq(sl_str_of(t->kids[i].id), kid)) {
        i++;
    }
    if (i == SL_TALLY_KIDS) {
        return;
    }
    if (i == t->kids_n) {
        (void)snprintf(t->kids[i].id, sizeof t->kids[i].id, "%" SL_FMT, SL_ARG(kid));
        t->kids_n++;
    }
    t->kids[i].n++;
}

bool sl_tally_is_bad(const struct sl_tally *t)
{
    return t->unknown > 0 || t->bad > 0;
}

static bool is_retired(const struct sl_keyring *ring, const char *id)
{
    for (unsigned i = 0; i < sl_keyring_n(ring); i++) {
        const struct sl_key *key = sl_keyring_at(ring, i);

        if (strcmp(key->id, id) == 0) {
            return key->state == SL_KEY_RETIRED;
        }
    }
    return false;
}

static void kids_write(const struct sl_tally *t, const struct sl_keyring *ring, struct sl_buf *out)
{
    uint64_t left = t->unknown;

    for (unsigned i = 0; i < t->kids_n; i++) {
        sl_buf_printf(out, "%s%s%s: %" PRIu64, i == 0 ? " (" : ", ", t->kids[i].id,
                      is_retired(ring, t->kids[i].id) ? ", retired" : "", t->kids[i].n);
        left -= t->kids[i].n;
    }
    if (left > 0) {
        sl_buf_printf(out, ", others: %" PRIu64, left);
    }
    sl_buf_add_str(out, t->kids_n > 0 ? SL_STR(")") : SL_STR(""));
}

void sl_tally_write(const struct sl_tally *t, const struct sl_keyring *ring, const char *noun,
                    const char *bad, struct sl_buf *out)
{
    sl_buf_printf(out,
                  "%" PRIu64 " %s%s: %" PRIu64 " ok, %" PRIu64 " empty or null, %" PRIu64
                  " under an unknown key",
                  t->n, noun, t->n == 1 ? "" : "s", t->ok, t->empty, t->unknown);
    kids_write(t, ring, out);
    sl_buf_printf(out, ", %" PRIu64 " %s", t->bad, bad);
}
