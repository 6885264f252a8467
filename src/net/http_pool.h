/* net/http_pool.h - connections that nobody uses at the moment, kept for the next request. */
#ifndef SLUICE_NET_HTTP_POOL_H
#define SLUICE_NET_HTTP_POOL_H

#include "net/http_conn.h"

/* Zeroed while it is empty. */
struct sl_http_pool {
    struct sl_http_conn *first; /* the last used */
    unsigned n;
};

/* Take one that goes there, if one does.  Returns: NULL; or one that the caller owns */
struct sl_http_conn *sl_http_pool_take(struct sl_http_pool *pool, sl_str origin, bool is_direct);

/* Keep one, or close it where too many are kept.  Owns: conn is the pool's now */
void sl_http_pool_add(struct sl_http_pool *pool, struct sl_http_conn *conn);

/* One of them is ready, though nothing was asked for: mostly the server closes it. */
void sl_http_pool_ready(struct sl_http_pool *pool, struct sl_http_conn *conn);

/* Close those that were idle for long. */
void sl_http_pool_expire(struct sl_http_pool *pool);

/* Close all. */
void sl_http_pool_end(struct sl_http_pool *pool);

#endif
