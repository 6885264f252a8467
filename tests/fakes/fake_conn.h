/* tests/fakes/fake_conn.h - connections, long polls, and the faults that are about bytes. */
#ifndef FAKE_CONN_H
#define FAKE_CONN_H

#include "fake_faults.h"
#include "fake_queue.h"
#include "fake_server.h"
#include "fake_stream.h"

#define FAKE_OUT_MAX ((size_t)4 << 30) /* bytes; a report of millions of messages */

enum { FAKE_IN_MAX = 32 << 20 /* bytes of requests on one connection */ };

struct conn;

struct fake_server {
    struct fake_queues queues;
    struct fake_faults faults;
    struct sl_json_parser *json;
    struct sl_arena arena;
    struct sl_buf reply; /* the body */
    SSL_CTX *tls;        /* NULL = plain */
    struct conn *conns;
    unsigned waiting_n; /* connections that wait for a time or for a queue */
    bool has_over;
    int epoll_fd;
    int listen_fd;
    int signal_fd;
    char origin[40];
    unsigned port;
};

/* Take all that knock. */
void fake_conns_accept(struct fake_server *s);

/* What epoll says of one of them. */
void fake_conn_event(struct fake_server *s, struct conn *c, uint32_t events);

/* Go on with those whose time or whose queue's message has come, and forget those that are over. */
void fake_conns_wake(struct fake_server *s);

/* When the next one wants to be woken; INT64_MAX: none does. */
int64_t fake_conns_due_ms(const struct fake_server *s);

void fake_conns_free(struct fake_server *s);

#endif
