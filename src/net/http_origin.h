/* net/http_origin.h - who asks a small server, as browsers tell it; pure. */
#ifndef SLUICE_NET_HTTP_ORIGIN_H
#define SLUICE_NET_HTTP_ORIGIN_H

#include <stdbool.h>

/* Whether an address, in numbers, is of this machine only: 127.0.0.1, ::1. */
bool sl_http_is_loopback(const char *address);

/* Whether a Host header names an address in numbers or localhost, with or without a port: no name
 * that somebody else's DNS could lead here. */
bool sl_http_host_is_plain(const char *host);

/* Whether an Origin header ("http://localhost:9464") is of the same host and port as the Host header
 * ("localhost:9464"). */
bool sl_http_origin_is_own(const char *origin, const char *host);

#endif
