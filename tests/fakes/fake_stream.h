/* tests/fakes/fake_stream.h - the bytes of a connection, plain or under TLS. */
#ifndef FAKE_STREAM_H
#define FAKE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <openssl/ssl.h>

struct fake_stream {
    int fd;
    SSL *tls; /* NULL = plain */
};

/* The server's side; NULL when the files are none.  Sessions are resumed as OpenSSL does it. */
SSL_CTX *fake_tls_new(const char *certificate, const char *key);

/* On a socket that does not block; tls NULL = plain.  Returns: false without memory. */
bool fake_stream_open(struct fake_stream *s, int fd, SSL_CTX *tls);

/* As recv() and send(): 0 is the end, -1 with errno EAGAIN is not yet. */
ssize_t fake_stream_recv(struct fake_stream *s, void *bytes, size_t n);
ssize_t fake_stream_send(struct fake_stream *s, const void *bytes, size_t n);

void fake_stream_close(struct fake_stream *s);

#endif
