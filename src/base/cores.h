/* base/cores.h - how many cores this process may use, which in a container are few of the machine's. */
#ifndef SLUICE_BASE_CORES_H
#define SLUICE_BASE_CORES_H

#include "base/str.h"

/* Cores that a cgroup may use of each period, a part of one counted whole.
 *
 * Shape:   two words of one unit: of cpu.max, or of cpu.cfs_quota_us and cpu.cfs_period_us
 * Returns: 0 for no limit ("max", "-1"), or for words that say none
 * Source:  Documentation/admin-guide/cgroup-v2.rst and scheduler/sched-bwc.rst of Linux
 */
unsigned sl_cores_of_quota(sl_str quota, sl_str period);

/* The least that the cgroups of this process allow, its own and those above it, of either version.
 *
 * Shape:   root has /proc and /sys/fs/cgroup; "" is the machine
 * Returns: 0 for no limit
 */
unsigned sl_cores_of_cgroups(const char *root);

/* Cores this process may use: by its affinity, and by its cgroups.  Returns: 1 or more */
unsigned sl_cores(void);

#endif
