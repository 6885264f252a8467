/* net/http_origin.c - who asks a small server, as browsers tell it. */
#include "net/http_origin.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <strings.h>

#include "base/str.h"

enum { HOST_MAX = 64 };

bool sl_http_is_loopback(const char *address)
{
    struct in6_addr v6;

    if (inet_pton(AF_INET6, address, &v6) == 1) {
        return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
    }
    return strncmp(address, "127.", 4) == 0;
}

static bool is_port(sl_str text)
{
    int64_t port = 0;

    return text.len == 0 ||
           (text.ptr[0] == ':' && sl_str_to_i64((sl_str){ text.ptr + 1, text.len - 1 }, &port) &&
            port >= 0);
}

static bool is_address(sl_str text, int family)
{
    unsigned char address[sizeof(struct in6_addr)];
    char copy[HOST_MAX];

    if (text.len >= sizeof copy) {
        return false;
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return inet_pton(family, copy, address) == 1 ||
           (family == AF_INET && strcasecmp(copy, "localhost") == 0);
}

bool sl_http_host_is_plain(const char *host)
{
    const bool is_v6 = host[0] == '[';
    const char *name = is_v6 ? host + 1 : host;
    const size_t n = strcspn(name, is_v6 ? "]" : ":");
    const char *rest = name + n;

    if (is_v6 && *rest++ != ']') {
        return false;
    }
    return is_address((sl_str){ name, n }, is_v6 ? AF_INET6 : AF_INET) && is_port(sl_str_of(rest));
}

bool sl_http_origin_is_own(const char *origin, const char *host)
{
    const char *scheme_end = strstr(origin, "://");

    return scheme_end != NULL && host[0] != '\0' && strcasecmp(scheme_end + 3, host) == 0;
}
