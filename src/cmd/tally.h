/* cmd/tally.h - what became of many values that were looked at: counts, and ids of keys. */
#ifndef SLUICE_CMD_TALLY_H
#define SLUICE_CMD_TALLY_H

#include <stdint.h>

#include "base/buf.h"
#include "keys/keyring.h"

enum { SL_TALLY_KIDS = 16 }; /* ids that are told apart */

struct sl_tally {
    uint64_t n;
    uint64_t ok;
    uint64_t empty;   /* "" or NULL */
    uint64_t unknown; /* under a key that the ring does not have, or that is retired */
    uint64_t bad;

    struct {
        char id[SL_KEY_ID_MAX + 1];
        uint64_t n;
    } kids[SL_TALLY_KIDS]; /* of the unknown ones, as far as there is room */

    unsigned kids_n;
};

/* Count one whose key is not there, by the key's id. */
void sl_tally_unknown(struct sl_tally *t, sl_str kid);

/* Whether any is wrong. */
bool sl_tally_is_bad(const struct sl_tally *t);

/* Write "6 rows: 4 ok, 1 empty or null, 1 under an unknown key (k9: 1), 0 altered". */
void sl_tally_write(const struct sl_tally *t, const struct sl_keyring *ring, const char *noun,
                    const char *bad, struct sl_buf *out);

#endif
