/* telemetry/process.c - what the process costs, as the kernel says. */
#include "telemetry/process.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/str.h"

double sl_process_cpu_s(void)
{
    struct rusage used = { 0 };

    (void)getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* "size resident shared ...", in pages. */
double sl_process_rss_bytes(void)
{
    const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    char text[128];
    const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    sl_str rest = { text, n < 0 ? 0 : (size_t)n };
    int64_t pages = 0;

    if (fd >= 0) {
        (void)close(fd);
    }
    (void)sl_str_cut(&rest, ' ');
    (void)sl_str_to_i64(sl_str_cut(&rest, ' '), &pages);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}
