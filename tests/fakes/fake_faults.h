/* tests/fakes/fake_faults.h - rules that say which calls go wrong, and how.  No I/O. */
#ifndef FAKE_FAULTS_H
#define FAKE_FAULTS_H

#include "base/buf.h"
#include "base/json.h"

enum fake_fault_kind {
    FAKE_FAULT_NONE,

#define X(name, text, moment) FAKE_FAULT_##name,
#include "fake_faults.def"
#undef X
};

enum fake_moment { FAKE_BEFORE, FAKE_AFTER, FAKE_INSIDE };

struct fake_fault {
    enum fake_fault_kind kind;
    char action[32]; /* "*" is any */
    char queue[81];  /* "" is any */
    uint64_t skip;   /* calls that still pass */
    uint64_t times;  /* calls that it still spoils */
    uint64_t hits;   /* calls that it has spoiled */
    double probability;
    double share; /* PARTIAL: of the entries */
    int64_t ms;
};

struct fake_faults {
    struct fake_fault rules[64];
    unsigned n;
    uint64_t random;
};

const char *fake_fault_name(enum fake_fault_kind kind);
enum fake_moment fake_fault_moment(enum fake_fault_kind kind);

/* Add a rule of members fault, action, queue, times, skip, probability, ms, share; all but the
 * first have presets: any action, any queue, one time (no end with a probability), none skipped.
 * Returns: NULL, or what is wrong with it */
const char *fake_faults_add(struct fake_faults *f, const struct sl_json *rule);

/* What goes wrong with this call: the first rule in order whose turn it is.  It counts.
 * Returns: false, leaving *ret alone, when nothing does */
bool fake_faults_take(struct fake_faults *f, sl_str action, sl_str queue, struct fake_fault *ret);

/* The rules with what is left of them, as a JSON array. */
void fake_faults_write(const struct fake_faults *f, struct sl_buf *out);

#endif
