/* keys/key_token.c - the token of those who may act. */
#include "keys/key_token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "keys/key_io.h"

static bool token_hash(sl_str text, unsigned char out[static SL_KEY_TOKEN_HASH])
{
    return EVP_Digest(text.ptr, text.len, out, NULL, EVP_sha256(), NULL) == 1;
}

static bool is_token(sl_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~') {
            return false;
        }
    }
    return text.len >= SL_KEY_TOKEN_MIN && text.len <= SL_KEY_TOKEN_MAX;
}

static sl_rc token_take(const char *name, sl_str text, struct sl_key_token *ret, struct sl_err *e)
{
    struct sl_key_token token = { .is_set = true };

    if (!is_token(sl_str_trim(text))) {
        return SL_FAIL(e, SL_CONFIG,
                       "the token of %s must have %d to %d printable characters and no blank: "
                       "openssl rand -hex 32",
                       name, SL_KEY_TOKEN_MIN, SL_KEY_TOKEN_MAX);
    }
    if (!token_hash(sl_str_trim(text), token.hash)) {
        return SL_FAIL(e, SL_CRYPTO, "cannot hash the token");
    }
    *ret = token;
    return SL_OK;
}

static sl_rc token_from_file(const char *path, struct sl_key_token *ret, struct sl_err *e)
{
    SL_AUTO(sl_key_io_done)
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    SL_AUTO(sl_buf_done) struct sl_buf text = sl_key_io_buf();
    struct sl_err why = { 0 };

    if (fd < 0) {
        return SL_FAIL(e, SL_CONFIG, "cannot open token file %s: %s", path, strerrordesc_np(errno));
    }
    if (sl_key_io_check("token file", path, fd, &why) != SL_OK ||
        sl_key_io_read(path, fd, &text, &why) != SL_OK) {
        return SL_FAIL(e, SL_CONFIG, "%s", why.msg);
    }
    return token_take(path, sl_buf_str(&text), ret, e);
}

static sl_rc token_from_environment(struct sl_key_token *ret, struct sl_err *e)
{
    const char *value = getenv(SL_KEY_TOKEN_VARIABLE);

    if (value == NULL || *value == '\0') {
        *ret = (struct sl_key_token){ 0 };
        return SL_OK;
    }
    return token_take(SL_KEY_TOKEN_VARIABLE, sl_str_of(value), ret, e);
}

void sl_key_token_forget(void)
{
    char *value = getenv(SL_KEY_TOKEN_VARIABLE);

    if (value != NULL) {
        explicit_bzero(value, strlen(value));
        (void)unsetenv(SL_KEY_TOKEN_VARIABLE);
    }
}

sl_rc sl_key_token_read(sl_str path, struct sl_key_token *ret, struct sl_err *e)
{
    const sl_rc rc =
        path.len > 0 ? token_from_file(path.ptr, ret, e) : token_from_environment(ret, e);

    sl_key_token_forget(); /* also where a file goes before it */
    return rc;
}

bool sl_key_token_is(const struct sl_key_token *token, sl_str text)
{
    unsigned char hash[SL_KEY_TOKEN_HASH];

    return token->is_set && token_hash(text, hash) &&
           CRYPTO_memcmp(hash, token->hash, sizeof hash) == 0;
}
