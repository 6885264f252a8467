/* tests/fakes/fake_stream.c - the bytes of a connection, plain or under TLS. */
#include "fake_stream.h"

#include <errno.h>
#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

SSL_CTX *fake_tls_new(const char *certificate, const char *key)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

    if (tls != NULL && (SSL_CTX_use_certificate_chain_file(tls, certificate) != 1 ||
                        SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1)) {
        SSL_CTX_free(tls);
        return NULL;
    }
    if (tls != NULL) {
        (void)SSL_CTX_set_mode(tls,
                               SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    }
    return tls;
}

bool fake_stream_open(struct fake_stream *s, int fd, SSL_CTX *tls)
{
    *s = (struct fake_stream){ .fd = fd };
    if (tls == NULL) {
        return true;
    }
    s->tls = SSL_new(tls);
    if (s->tls == NULL || SSL_set_fd(s->tls, fd) != 1) {
        return false;
    }
    SSL_set_accept_state(s->tls);
    return true;
}

/* What TLS says in the words of a socket; a renewal that wants the other direction waits, too. */
static ssize_t tls_result(const struct fake_stream *s, int n)
{
    if (n > 0) {
        return n;
    }
    switch (SSL_get_error(s->tls, n)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        ERR_clear_error();
        errno = ECONNRESET;
        return -1;
    }
}

ssize_t fake_stream_recv(struct fake_stream *s, void *bytes, size_t n)
{
    return s->tls == NULL ? recv(s->fd, bytes, n, 0)
                          : tls_result(s, SSL_read(s->tls, bytes, n > INT_MAX ? INT_MAX : (int)n));
}

ssize_t fake_stream_send(struct fake_stream *s, const void *bytes, size_t n)
{
    return s->tls == NULL ? send(s->fd, bytes, n, MSG_NOSIGNAL)
                          : tls_result(s, SSL_write(s->tls, bytes, n > INT_MAX ? INT_MAX : (int)n));
}

void fake_stream_close(struct fake_stream *s)
{
    SSL_free(s->tls);
    (void)close(s->fd);
    *s = (struct fake_stream){ .fd = -1 };
}
