/* config/listen.h - where to listen, as it is written: an address and a port, or a port; pure. */
#ifndef SLUICE_CONFIG_LISTEN_H
#define SLUICE_CONFIG_LISTEN_H

#include "base/str.h"

enum { SL_LISTEN_HOST_MAX = 46 }; /* bytes of an IPv6 address with its NUL */

struct sl_listen {
    char host[SL_LISTEN_HOST_MAX]; /* an address in numbers */
    unsigned port;                 /* 0: any that is free */
};

/* Read 127.0.0.1:9464, [::1]:9464, or 9464, which is this machine only.
 * Returns: false, leaving *ret alone, when it is none */
bool sl_listen_read(sl_str text, struct sl_listen *ret);

#endif
