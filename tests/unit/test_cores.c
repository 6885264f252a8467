/* tests/unit/test_cores.c - the cores of a container are those it was given, not the machine's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/cores.h"

static unsigned of_quota(const char *quota, const char *period)
{
    return sl_cores_of_quota(sl_str_of(quota), sl_str_of(period));
}

static void a_part_of_a_core_is_counted_whole(void **state)
{
    (void)state;
    assert_int_equal(of_quota("100000", "100000"), 1);
    assert_int_equal(of_quota("150000", "100000"), 2);
    assert_int_equal(of_quota("200000", "100000"), 2);
    assert_int_equal(of_quota("1000", "100000"), 1);
    assert_int_equal(of_quota("9223372036854775807", "1"), INT32_MAX);
}

static void what_is_no_limit_is_none(void **state)
{
    const char *const none[] = { "max", "-1", "0", "", "1.5", "99999999999999999999" };

    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        assert_int_equal(of_quota(none[i], "100000"), 0);
        assert_int_equal(of_quota("100000", none[i]), 0);
    }
}

/* ---- a machine of files ------------------------------------------------------------------------- */

static char root[] = "/tmp/sluice-cores-XXXXXX";

static int root_new(void **state)
{
    (void)state;
    return mkdtemp(root) == NULL;
}

static int root_free(void **state)
{
    char command[64];

    (void)state;
    (void)snprintf(command, sizeof command, "rm -r %s", root);
    return system(command);
}

/* Write a file, with the folders above it. */
static void has(const char *file, const char *text)
{
    char path[256];
    FILE *f;

    (void)snprintf(path, sizeof path, "%s%s", root, file);
    for (char *slash = path + sizeof root; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void a_group_and_those_above_it_are_all_looked_at(void **state)
{
    (void)state;
    has("/proc/self/cgroup", "0::/a.slice/b.service\n");
    assert_int_equal(sl_cores_of_cgroups(root), 0);
    has("/sys/fs/cgroup/a.slice/b.service/cpu.max", "800000 100000\n");
    assert_int_equal(sl_cores_of_cgroups(root), 8);
    has("/sys/fs/cgroup/a.slice/cpu.max", "300000 100000\n");
    assert_int_equal(sl_cores_of_cgroups(root), 3);
    has("/sys/fs/cgroup/a.slice/cpu.max", "max 100000\n");
    assert_int_equal(sl_cores_of_cgroups(root), 8);
}

static void a_container_finds_its_own_group_at_the_top(void **state)
{
    (void)state;
    has("/sys/fs/cgroup/cpu.max", "50000 20000\n");
    has("/proc/self/cgroup", "0::/\n");
    assert_int_equal(sl_cores_of_cgroups(root), 3);
    has("/proc/self/cgroup", "0::/docker/0123/not/here\n");
    assert_int_equal(sl_cores_of_cgroups(root), 3);
}

static void the_first_version_has_two_files(void **state)
{
    (void)state;
    has("/proc/self/cgroup", "9:name=systemd:/\n3:cpuset,cpuacct:/x\n2:cpuacct,cpu:/x\n");
    has("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    has("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    assert_int_equal(sl_cores_of_cgroups(root), 0);
    has("/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "400000\n");
    has("/sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000\n");
    assert_int_equal(sl_cores_of_cgroups(root), 4);
}

static void a_machine_that_says_nothing_has_no_limit(void **state)
{
    (void)state;
    assert_int_equal(sl_cores_of_cgroups("/nowhere"), 0);
    assert_true(sl_cores() >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_part_of_a_core_is_counted_whole),
        cmocka_unit_test(what_is_no_limit_is_none),
        cmocka_unit_test(a_group_and_those_above_it_are_all_looked_at),
        cmocka_unit_test(a_container_finds_its_own_group_at_the_top),
        cmocka_unit_test(the_first_version_has_two_files),
        cmocka_unit_test(a_machine_that_says_nothing_has_no_limit),
    };

    return cmocka_run_group_tests(tests, root_new, root_free);
}
