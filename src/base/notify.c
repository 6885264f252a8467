/* base/notify.c - tell the service manager how the program is: systemd's notification protocol. */
#include "base/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"

void sl_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    const size_t len = path == NULL ? 0 : strlen(path);
    int fd;

    /* '@' begins a name that is in no file system. */
    if (len < 2 || len >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@')) {
        return;
    }
    memcpy(to.sun_path, path, len);
    if (path[0] == '@') {
        to.sun_path[0] = '\0';
    }
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    /* A manager that does not read must not hold up the watchdog. */
    if (fd >= 0) {
        (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
                      (const struct sockaddr *)&to,
                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
        (void)close(fd);
    }
}

/* $WATCHDOG_PID says whom it is for, when it is there. */
int64_t sl_notify_watchdog_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");
    int64_t allowed_us = 0;
    int64_t whom = 0;

    if (usec == NULL || !sl_str_to_i64(sl_str_of(usec), &allowed_us) || allowed_us <= 0) {
        return 0;
    }
    if (pid != NULL && (!sl_str_to_i64(sl_str_of(pid), &whom) || whom != getpid())) {
        return 0;
    }
    return allowed_us / 2000 > 0 ? allowed_us / 2000 : 1;
}
