/* net/http_conn.c - one connection, made by libcurl. */
#include "net/http_conn.h"

#include <stdlib.h>

enum { CONNECT_TIMEOUT_MS = 10000 };

static bool conn_settings(struct sl_http_conn *conn)
{
    const char *ca_bundle = getenv("AWS_CA_BUNDLE");
    CURL *easy = conn->easy;
    bool ok = true;

    ok = ok && curl_easy_setopt(easy, CURLOPT_URL, conn->origin) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_USERAGENT, "sluice/" SLUICE_VERSION) == CURLE_OK;
    if (conn->is_direct) {
        ok = ok && curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK;
    }
    if (ca_bundle != NULL && *ca_bundle != '\0') {
        ok = ok && curl_easy_setopt(easy, CURLOPT_CAINFO, ca_bundle) == CURLE_OK;
    }
    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, conn);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, conn->error);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L); /* what we write is for the server */
    (void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    /* else everything here waits for a name that is looked up for nobody any more */
    (void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    return ok;
}

sl_rc sl_http_conn_open(CURLM *multi, struct sl_http_sockets *sockets, sl_str origin,
                        bool is_direct, struct sl_http_conn **ret, struct sl_err *e)
{
    struct sl_http_conn *conn = calloc(1, sizeof *conn);

    if (conn == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not open a connection");
    }
    *conn = (struct sl_http_conn){
        .multi = multi,
        .sockets = sockets,
        .fd = -1,
        .is_direct = is_direct,
        .easy = curl_easy_init(),
        .origin = strndup(origin.ptr, origin.len),
    };
    if (conn->easy == NULL || conn->origin == NULL || !conn_settings(conn) ||
        curl_multi_add_handle(multi, conn->easy) != CURLM_OK) {
        sl_http_conn_close(conn);
        return SL_FAIL(e, SL_NOMEM, "could not open a connection");
    }
    *ret = conn;
    return SL_OK;
}

sl_rc sl_http_conn_begin(struct sl_http_conn *conn, struct sl_err *e)
{
    curl_socket_t fd = CURL_SOCKET_BAD;

    if (curl_easy_getinfo(conn->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK ||
        fd == CURL_SOCKET_BAD) {
        return SL_FAIL(e, SL_DISCONNECTED, "the connection was closed at once");
    }
    SL_TRY(sl_http_sockets_watch(conn->sockets, fd, conn, false, e));
    conn->fd = fd;
    return SL_OK;
}

static sl_rc conn_lost(const struct sl_http_conn *conn, CURLcode code, struct sl_err *e)
{
    return SL_FAIL(e, SL_DISCONNECTED, "the connection was lost (curl %d: %s)", (int)code,
                   conn->error[0] != '\0' ? conn->error : curl_easy_strerror(code));
}

sl_rc sl_http_conn_write(struct sl_http_conn *conn, sl_str bytes, size_t *ret_n, struct sl_err *e)
{
    const CURLcode code = curl_easy_send(conn->easy, bytes.ptr, bytes.len, ret_n);

    if (code != CURLE_OK && code != CURLE_AGAIN) {
        return conn_lost(conn, code, e);
    }
    if (code == CURLE_AGAIN) {
        *ret_n = 0;
    }
    if (conn->wants_write != (*ret_n < bytes.len)) {
        conn->wants_write = *ret_n < bytes.len;
        return sl_http_sockets_watch(conn->sockets, conn->fd, conn, conn->wants_write, e);
    }
    return SL_OK;
}

sl_rc sl_http_conn_read(struct sl_http_conn *conn, char *room, size_t room_bytes, size_t *ret_n,
                        bool *ret_is_closed, struct sl_err *e)
{
    const CURLcode code = curl_easy_recv(conn->easy, room, room_bytes, ret_n);

    if (code != CURLE_OK && code != CURLE_AGAIN) {
        return conn_lost(conn, code, e);
    }
    *ret_is_closed = code == CURLE_OK && *ret_n == 0;
    if (code == CURLE_AGAIN) {
        *ret_n = 0;
    }
    return SL_OK;
}

void sl_http_conn_close(struct sl_http_conn *conn)
{
    if (conn == NULL) {
        return;
    }
    if (conn->fd >= 0) {
        sl_http_sockets_leave(conn->sockets, conn->fd);
    }
    if (conn->easy != NULL) {
        (void)curl_multi_remove_handle(conn->multi, conn->easy);
        curl_easy_cleanup(conn->easy);
    }
    free(conn->origin);
    free(conn);
}
