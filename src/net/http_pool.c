/* net/http_pool.c - connections kept for the next request. */
#include "net/http_pool.h"

#include "base/clock.h"

enum {
    KEPT_MAX = 256,  /* more than are ever busy: a handshake costs as much as ten requests */
    KEPT_MS = 60000, /* routers on the way forget a connection after some minutes */
    UNASKED_BYTES = 256,
};

static struct sl_http_conn *take_at(struct sl_http_pool *pool, struct sl_http_conn **at)
{
    struct sl_http_conn *conn = *at;

    *at = conn->next;
    pool->n--;
    return conn;
}

/* Close those from one on. */
static void cut(struct sl_http_pool *pool, struct sl_http_conn **at)
{
    while (*at != NULL) {
        sl_http_conn_close(take_at(pool, at));
    }
}

/* The last used stand first: behind one that is too old, all are. */
struct sl_http_conn *sl_http_pool_take(struct sl_http_pool *pool, sl_str origin, bool is_direct)
{
    const int64_t oldest_ms = sl_clock_now_ms() - KEPT_MS;

    for (struct sl_http_conn **at = &pool->first; *at != NULL; at = &(*at)->next) {
        if ((*at)->idle_since_ms < oldest_ms) {
            cut(pool, at);
            return NULL;
        }
        if ((*at)->is_direct == is_direct && sl_str_eq(sl_str_of((*at)->origin), origin)) {
            return take_at(pool, at);
        }
    }
    return NULL;
}

void sl_http_pool_add(struct sl_http_pool *pool, struct sl_http_conn *conn)
{
    if (pool->n >= KEPT_MAX) {
        sl_http_conn_close(conn);
        return;
    }
    conn->user = NULL;
    conn->is_used = true;
    conn->idle_since_ms = sl_clock_now_ms();
    conn->next = pool->first;
    pool->first = conn;
    pool->n++;
}

void sl_http_pool_ready(struct sl_http_pool *pool, struct sl_http_conn *conn)
{
    struct sl_http_conn **at = &pool->first;
    char unasked[UNASKED_BYTES];
    bool is_closed = false;
    size_t n = 0;

    if (sl_http_conn_read(conn, unasked, sizeof unasked, &n, &is_closed, NULL) == SL_OK && n == 0 &&
        !is_closed) {
        return; /* TLS had something to say to itself */
    }
    while (*at != conn) {
        at = &(*at)->next;
    }
    sl_http_conn_close(take_at(pool, at));
}

void sl_http_pool_expire(struct sl_http_pool *pool)
{
    const int64_t oldest_ms = sl_clock_now_ms() - KEPT_MS;
    struct sl_http_conn **at = &pool->first;

    while (*at != NULL && (*at)->idle_since_ms >= oldest_ms) {
        at = &(*at)->next;
    }
    cut(pool, at);
}

void sl_http_pool_end(struct sl_http_pool *pool)
{
    cut(pool, &pool->first);
}
