/* net/aws_token.c - a token that somebody puts into a file and changes there. */
#include "net/aws_token.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/buf.h"

enum { TOKEN_MAX = 64 << 10 };

static void close_fd(const int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
}

static sl_rc file_read(const char *file, struct sl_buf *b, struct sl_err *e)
{
    SL_AUTO(close_fd) const int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char *room = sl_buf_reserve(b, TOKEN_MAX + 1);
    ssize_t got = fd < 0 ? -1 : 1;

    if (room == NULL) {
        return sl_buf_rc(b, e);
    }
    while (got > 0 && b->len <= TOKEN_MAX) {
        got = read(fd, room + b->len, TOKEN_MAX + 1 - b->len);
        b->len += got > 0 ? (size_t)got : 0;
        got = got < 0 && errno == EINTR ? 1 : got;
    }
    if (got < 0) {
        return SL_FAIL(e, SL_CONFIG, "cannot read the token of %s: %s", file,
                       strerrordesc_np(errno));
    }
    return SL_OK;
}

bool sl_aws_token_is_one(sl_str token)
{
    for (size_t i = 0; i < token.len; i++) {
        if (token.ptr[i] < ' ' || token.ptr[i] > '~') {
            return false;
        }
    }
    return true;
}

sl_rc sl_aws_token_read(sl_str file, struct sl_arena *a, sl_str *ret, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf b = { .max_bytes = TOKEN_MAX + 1 };
    const sl_str name = sl_arena_copy(a, file);
    sl_str token;

    if (name.ptr == NULL) {
        return SL_FAIL(e, SL_NOMEM, "memory for the name of a file ran out");
    }
    SL_TRY(file_read(name.ptr, &b, e));
    token = sl_str_trim(sl_buf_str(&b));
    if (token.len == 0 || b.len > TOKEN_MAX || !sl_aws_token_is_one(token)) {
        return SL_FAIL(e, SL_CONFIG, "%s has no token: it is one line of ASCII", name.ptr);
    }
    *ret = sl_arena_copy(a, token);
    return ret->ptr != NULL ? SL_OK : SL_FAIL(e, SL_NOMEM, "memory for a token ran out");
}
