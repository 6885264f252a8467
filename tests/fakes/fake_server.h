/* tests/fakes/fake_server.h - connections: one thread, one epoll, everything waits its turn here. */
#ifndef FAKE_SERVER_H
#define FAKE_SERVER_H

#include <stdint.h>

#include "base/err.h"

struct fake_server;

/* Listen on 127.0.0.1; port 0 is any that is free. */
sl_rc fake_server_open(uint16_t port, uint64_t seed, struct fake_server **ret, struct sl_err *e)
    SL_MUST_CHECK;
void fake_server_close(struct fake_server *s);

unsigned fake_server_port(const struct fake_server *s);

/* Serve until SIGTERM or SIGINT. */
sl_rc fake_server_run(struct fake_server *s, struct sl_err *e) SL_MUST_CHECK;

#endif
