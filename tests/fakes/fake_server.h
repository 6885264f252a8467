/* tests/fakes/fake_server.h - connections: one thread, one epoll, everything waits its turn here. */
#ifndef FAKE_SERVER_H
#define FAKE_SERVER_H

#include <stdint.h>

#include "base/err.h"

struct fake_server;

struct fake_options {
    uint16_t port;           /* 0 = any that is free */
    uint64_t seed;           /* of ids and faults */
    const char *certificate; /* and its key, both PEM files: TLS; NULL = plain HTTP */
    const char *key;
};

/* Listen on 127.0.0.1. */
sl_rc fake_server_open(const struct fake_options *o, struct fake_server **ret, struct sl_err *e)
    SL_MUST_CHECK;
void fake_server_close(struct fake_server *s);

unsigned fake_server_port(const struct fake_server *s);

/* Serve until SIGTERM or SIGINT. */
sl_rc fake_server_run(struct fake_server *s, struct sl_err *e) SL_MUST_CHECK;

#endif
