/* tests/faults/fault_point.c - break here: what tests do to a process at named points of the flow. */
#include "base/fault_point.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const names[] = {
#define X(name, text) #name,
#include "base/fault_points.def"
#undef X
};

static _Atomic unsigned passed[SL_FAULT_POINTS];

static void break_here(const char *how)
{
    if (strcmp(how, "kill") == 0) {
        (void)raise(SIGKILL);
    }
    while (strcmp(how, "hang") == 0) {
        (void)pause();
    }
    (void)fprintf(stderr, "SLUICE_FAULT_AT: how? kill or hang, not '%s'\n", how);
    abort();
}

void sl_fault_point_pass(enum sl_fault_point point)
{
    const unsigned n = atomic_fetch_add(&passed[point], 1) + 1;
    const char *wanted = getenv("SLUICE_FAULT_AT");
    char name[32];
    char how[8];
    unsigned at;

    if (wanted != NULL && sscanf(wanted, "%31[a-z_]:%u:%7s", name, &at, how) == 3 && at == n &&
        strcmp(name, names[point]) == 0) {
        break_here(how);
    }
}

unsigned sl_fault_ms(unsigned preset_ms)
{
    const char *wanted = getenv("SLUICE_FAULT_MS");

    return wanted != NULL ? (unsigned)strtoul(wanted, NULL, 10) : preset_ms;
}
