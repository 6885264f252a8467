/* base/cores.c - how many cores this process may use. */
#include "base/cores.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

enum { TEXT_MAX = 4096, ROOT_MAX = 256, FILE_MAX = TEXT_MAX + ROOT_MAX };

unsigned sl_cores_of_quota(sl_str quota, sl_str period)
{
    int64_t share;
    int64_t whole;
    int64_t n;

    if (!sl_str_to_i64(quota, &share) || !sl_str_to_i64(period, &whole) || share <= 0 ||
        whole <= 0) {
        return 0;
    }
    n = share / whole + (share % whole > 0);
    return n > INT_MAX ? INT_MAX : (unsigned)n;
}

/* ---- files of the kernel ------------------------------------------------------------------------- */

/* "" where there is no such file. */
static sl_str text_of(const char *path, char text[static TEXT_MAX])
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? -1 : read(fd, text, TEXT_MAX);

    if (fd >= 0) {
        (void)close(fd);
    }
    return sl_str_trim((sl_str){ text, n < 0 ? 0 : (size_t)n });
}

static sl_str group_text(const char *mount, sl_str group, const char *name,
                         char text[static TEXT_MAX])
{
    char path[FILE_MAX];

    const int n = snprintf(path, sizeof path, "%s%" SL_FMT "/%s", mount, SL_ARG(group), name);

    return n < (int)sizeof path ? text_of(path, text) : SL_STR("");
}

static unsigned group_cores(const char *mount, sl_str group, bool is_v2)
{
    char first[TEXT_MAX];
    char second[TEXT_MAX];
    sl_str rest;

    if (is_v2) {
        rest = group_text(mount, group, "cpu.max", first);
        return sl_cores_of_quota(sl_str_cut(&rest, ' '), rest);
    }
    return sl_cores_of_quota(group_text(mount, group, "cpu.cfs_quota_us", first),
                             group_text(mount, group, "cpu.cfs_period_us", second));
}

/* ---- the groups of this process ------------------------------------------------------------------ */

static unsigned least(unsigned a, unsigned b)
{
    return a == 0 || (b > 0 && b < a) ? b : a;
}

/* A container may see its path on the host, which leads nowhere here: its own group is the top one. */
static unsigned branch_cores(const char *mount, sl_str group, bool is_v2)
{
    unsigned n = 0;

    for (;;) {
        while (group.len > 0 && group.ptr[group.len - 1] == '/') {
            group.len--;
        }
        n = least(n, group_cores(mount, group, is_v2));
        if (group.len == 0) {
            return n;
        }
        while (group.len > 0 && group.ptr[group.len - 1] != '/') {
            group.len--;
        }
    }
}

static bool list_has(sl_str list, sl_str name)
{
    while (list.len > 0) {
        if (sl_str_eq(sl_str_cut(&list, ','), name)) {
            return true;
        }
    }
    return false;
}

/* "4:cpu,cpuacct:/path" of version 1, or "0::/path". */
static unsigned line_cores(const char *root, sl_str line)
{
    char mount[ROOT_MAX];
    bool is_v2;
    sl_str controllers;

    (void)sl_str_cut(&line, ':');
    controllers = sl_str_cut(&line, ':');
    is_v2 = controllers.len == 0;
    if (!is_v2 && !list_has(controllers, SL_STR("cpu"))) {
        return 0;
    }
    (void)snprintf(mount, sizeof mount, "%s/sys/fs/cgroup%s", root, is_v2 ? "" : "/cpu");
    return branch_cores(mount, line, is_v2);
}

unsigned sl_cores_of_cgroups(const char *root)
{
    char path[ROOT_MAX];
    char text[TEXT_MAX];
    unsigned n = 0;
    sl_str rest;

    (void)snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    rest = text_of(path, text);
    while (rest.len > 0) {
        n = least(n, line_cores(root, sl_str_cut(&rest, '\n')));
    }
    return n;
}

/* More than a cpu_set_t has are told by the machine alone. */
static unsigned affinity_cores(void)
{
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        return (unsigned)CPU_COUNT(&set);
    }
    return online < 1 ? 1 : (unsigned)online;
}

unsigned sl_cores(void)
{
    return least(affinity_cores(), sl_cores_of_cgroups(""));
}
