/* config/listen.c - where to listen, as it is written. */
#include "config/listen.h"

#include <arpa/inet.h>

enum { PORT_MAX = 65535 };

static bool read_port(sl_str text, unsigned *ret)
{
    int64_t port;

    if (!sl_str_to_i64(text, &port) || port < 0 || port > PORT_MAX) {
        return false;
    }
    *ret = (unsigned)port;
    return true;
}

static bool read_host(sl_str text, int family, struct sl_listen *ret)
{
    unsigned char address[sizeof(struct in6_addr)];

    if (text.len == 0 || text.len >= sizeof ret->host) {
        return false;
    }
    memcpy(ret->host, text.ptr, text.len);
    ret->host[text.len] = '\0';
    return inet_pton(family, ret->host, address) == 1;
}

bool sl_listen_read(sl_str text, struct sl_listen *ret)
{
    const bool is_bracketed = sl_str_starts(text, SL_STR("["));
    struct sl_listen at = { .host = "127.0.0.1" };
    sl_str host;

    if (read_port(text, &at.port)) {
        *ret = at;
        return true;
    }
    if (is_bracketed) {
        text = (sl_str){ text.ptr + 1, text.len - 1 };
        host = sl_str_cut(&text, ']');
        if (!sl_str_starts(text, SL_STR(":"))) {
            return false;
        }
        text = (sl_str){ text.ptr + 1, text.len - 1 };
    } else {
        host = sl_str_cut(&text, ':');
    }
    if (!read_host(host, is_bracketed ? AF_INET6 : AF_INET, &at) || !read_port(text, &at.port)) {
        return false;
    }
    *ret = at;
    return true;
}
